"""What this machine offers for a jail, in words; facts for ``doctor``, never a ground for a decision."""

from __future__ import annotations

import os
from pathlib import Path

from interlock.harness.sandbox import raw
from interlock.harness.sandbox.syscalls import MACHINE


def layers() -> tuple[tuple[str, str], ...]:
    """Name and state of each layer, as the kernel reports them."""
    abi = raw.landlock_abi()
    return (
        ("kernel", f"{os.uname().release} on {MACHINE}"),
        ("namespaces", _namespaces()),
        ("landlock", f"ABI {abi}" if abi else "not offered by this kernel"),
        ("seccomp", _actions()),
        ("identity", _identity()),
    )


def _namespaces() -> str:
    most = _read("/proc/sys/user/max_user_namespaces")
    allowed = _read("/proc/sys/kernel/unprivileged_userns_clone", "1")
    confined = _read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "0")
    if most == "0" or allowed == "0":
        return "switched off for ordinary users"
    return "offered, but AppArmor takes their power away" if confined == "1" else f"offered, at most {most}"


def _actions() -> str:
    actions = _read("/proc/sys/kernel/seccomp/actions_avail").split()
    return "with notification" if "user_notif" in actions else "without notification"


def _identity() -> str:
    if os.geteuid() != 0:
        return "children share the caller's uid, in namespaces of their own"
    return "a dedicated uid for each child"


def _read(path: str, default: str = "") -> str:
    try:
        return Path(path).read_text("ascii").strip()
    except OSError:
        return default
