"""Every escape attempt, as each role, as root and as another uid: all fail, and outside they succeed.

A table that could not fail would prove nothing, so each attempt whose control is possible here is run
unconfined too, and must succeed there.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from attacks.escape import campaign
from attacks.escape.attempt import ANY, ROOT
from attacks.escape.campaign import ATTEMPTS
from interlock.harness.sandbox.profiles import Role

pytestmark = pytest.mark.sandbox

_TESTS = Path(__file__).resolve().parents[1]
_NOBODY = 65534
_IDENTITIES = ["caller", "nobody"] if os.geteuid() == 0 else ["caller"]
_ROLES: list[Role] = ["planner", "executor", "analyst", "step"]
_SEEN = {
    *("openat", "socket", "execve", "clone", "vfork", "ptrace", "process_vm_readv", "pidfd_open", "kill", "unshare"),
    *("mount", "chroot", "io_uring_setup", "keyctl", "userfaultfd", "bpf", "perf_event_open", "memfd_create"),
    *("mmap", "mprotect", "setuid", "open_tree", "name_to_handle_at", "sendmsg", "reboot", "init_module"),
}


@functools.cache
def _report(role: Role, identity: str) -> dict[str, object]:
    if identity == "caller":
        return campaign.run(role)
    words = [sys.executable, str(_TESTS / "attacks/escape/as_user.py"), str(_NOBODY), sys.executable]
    done = subprocess.run(
        [*words, "-m", "attacks.escape.campaign", role],
        env={"PYTHONPATH": str(_TESTS), "PATH": os.environ.get("PATH", "")},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def _outcomes(role: Role, identity: str, kind: str) -> dict[str, str]:
    found = _report(role, identity)[kind]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("role", _ROLES)
def test_each_role_faces_at_least_fifty_attempts(role: Role) -> None:
    assert len(ATTEMPTS[role]) >= 50
    assert sum(attempt.control in {ANY, ROOT} for attempt in ATTEMPTS[role].values()) >= 50


@pytest.mark.parametrize("identity", _IDENTITIES)
@pytest.mark.parametrize("role", _ROLES)
def test_no_attempt_gets_out(role: Role, identity: str) -> None:
    outcomes = _outcomes(role, identity, "confined")
    assert outcomes.keys() == ATTEMPTS[role].keys()
    assert {name: said for name, said in outcomes.items() if not said.startswith("refused")} == {}


@pytest.mark.parametrize("identity", _IDENTITIES)
@pytest.mark.parametrize("role", _ROLES)
def test_nothing_outside_has_changed(role: Role, identity: str) -> None:
    assert _report(role, identity)["changed"] == []


@pytest.mark.parametrize("identity", _IDENTITIES)
@pytest.mark.parametrize("role", _ROLES)
def test_each_attempt_succeeds_without_the_sandbox(role: Role, identity: str) -> None:
    root = identity == "caller" and os.geteuid() == 0
    able = {ANY, ROOT} if root else {ANY}
    outcomes = _outcomes(role, identity, "control")
    assert outcomes.keys() == {name for name, attempt in ATTEMPTS[role].items() if attempt.control in able}
    assert {name: said for name, said in outcomes.items() if said != "escaped"} == {}


@pytest.mark.parametrize("identity", _IDENTITIES)
@pytest.mark.parametrize("role", _ROLES)
def test_the_critical_ones_are_told_as_violations(role: Role, identity: str) -> None:
    told = _report(role, identity)["violations"]
    assert isinstance(told, list)
    assert _SEEN - {*told} == set()


@pytest.mark.parametrize("role", _ROLES)
def test_an_attempt_without_control_says_why(role: Role) -> None:
    reasons = {attempt.control for attempt in ATTEMPTS[role].values()} - {ANY, ROOT}
    assert all(len(reason) > 10 for reason in reasons)
