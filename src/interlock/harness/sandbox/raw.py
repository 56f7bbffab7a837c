"""The kernel, called directly: namespaces, mounts, Landlock, seccomp and the few prctl that the jail needs.

Every function is one system call or a fixed handful, raises ``OSError`` where the kernel refuses, and decides
nothing.  Constants follow the kernel's uapi headers; a size or bit that grew over time names its version.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
from collections.abc import Callable
from typing import Final

from interlock.artifact.errors import SandboxError
from interlock.harness.sandbox.syscalls import AUDIT_ARCH, MACHINE, table

NEW_USER: Final = 0x1000_0000
NEW_PID: Final = 0x2000_0000
NEW_NET: Final = 0x4000_0000
NEW_IPC: Final = 0x0800_0000
NEW_UTS: Final = 0x0400_0000
NEW_CGROUP: Final = 0x0200_0000
NEW_NS: Final = 0x0002_0000

READ_ONLY: Final = 0x1  # MOUNT_ATTR_* of mount_setattr(2)
NO_SUID: Final = 0x2
NO_DEV: Final = 0x4
NO_EXEC: Final = 0x8
ID_MAPPED: Final = 0x10_0000

MS_BIND: Final = 0x1000
MS_REC: Final = 0x4000
MS_PRIVATE: Final = 0x4_0000
MS_SLAVE: Final = 0x8_0000
MS_TMPFS: Final = NO_SUID | NO_DEV | NO_EXEC  # the same three bits in mount(2)'s older flags

_AT_FDCWD: Final = -100
_AT_EMPTY_PATH: Final = 0x1000
_CLONE_TREE: Final = 0x1 | os.O_CLOEXEC | 0x8000  # OPEN_TREE_CLONE, AT_RECURSIVE
_MOVE_FROM_EMPTY: Final = 0x4
_NO_LINKS: Final = 0x04 | 0x02  # RESOLVE_NO_SYMLINKS, RESOLVE_NO_MAGICLINKS

_PADDING: Final = (0,) * 6
_NUMBERS: Final = table() if MACHINE in AUDIT_ARCH else {}
_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long
_syscall.argtypes = [ctypes.c_long, *([ctypes.c_void_p] * 6)]


def call(name: str, *arguments: int | bytes) -> int:
    """The system call ``name``; raises ``OSError`` with the kernel's errno."""
    result = attempt(name, *arguments)
    if result < 0:
        raise OSError(-result, os.strerror(-result), name)
    return result


def attempt(name: str, *arguments: int | bytes) -> int:
    """The system call ``name``; its result, or minus its errno."""
    result: int = _syscall(_NUMBERS[name], *arguments, *_PADDING[len(arguments) :])
    return -ctypes.get_errno() if result < 0 else result


def prctl(option: int, *arguments: int) -> int:
    return call("prctl", option, *arguments)


def unshare(flags: int) -> None:
    call("unshare", flags)


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    call("mount", source.encode(), target.encode(), kind.encode(), flags, data.encode())


def bind(source: str, target: str, attributes: int = 0) -> None:
    """Bind ``source`` with all that is mounted below it, and add ``attributes`` to every part of it."""
    mount(source, target, "none", MS_BIND | MS_REC)
    if attributes:
        _set_attributes(_AT_FDCWD, target, attributes, 0x8000)


def hold(path: str, root: int = _AT_FDCWD) -> int:
    """A descriptor of the place ``path`` below ``root``, reached through no link; opens nothing."""
    return call("openat2", root, path.encode(), struct.pack("QQQ", os.O_PATH | os.O_CLOEXEC, 0, _NO_LINKS), 24)


def detached(root: int, path: str, attributes: int, mapping: Callable[[tuple[int, int]], int | None]) -> int:
    """A detached bind of ``path`` below descriptor ``root``, no link followed.

    ``mapping`` gives, for the owner's ids, the user namespace that maps them, which this closes, or ``None``.
    """
    place = hold(path.lstrip("/"), root)
    try:
        found = os.fstat(place)
        tree = call("open_tree", place, b"", _CLONE_TREE | _AT_EMPTY_PATH)
    finally:
        os.close(place)
    try:
        _set_attributes(tree, "", attributes, 0x8000 | _AT_EMPTY_PATH)
        _map_owner(tree, mapping((found.st_uid, found.st_gid)))
    except BaseException:
        os.close(tree)
        raise
    return tree


def _map_owner(tree: int, namespace: int | None) -> None:
    if namespace is None:
        return
    try:
        _set_attributes(tree, "", ID_MAPPED, _AT_EMPTY_PATH, namespace)
    except OSError as error:
        raise SandboxError("sandbox.idmap", "a granted path lies on a file system without mapped ids") from error
    finally:
        os.close(namespace)


def _set_attributes(where: int, path: str, attributes: int, flags: int, namespace: int = 0) -> None:
    call("mount_setattr", where, path.encode(), flags, struct.pack("QQQQ", attributes, 0, 0, namespace), 32)


def cover(source: str, target: str, attributes: int) -> None:
    """Let ``source`` stand at ``target`` under ``attributes``, over whatever is there."""
    tree = call("open_tree", _AT_FDCWD, os.fsencode(source), _CLONE_TREE)
    try:
        _set_attributes(tree, "", attributes, 0x8000 | _AT_EMPTY_PATH)
        attach(tree, target)
    finally:
        os.close(tree)


def attach(tree: int, target: str) -> None:
    call("move_mount", tree, b"", _AT_FDCWD, os.fsencode(target), _MOVE_FROM_EMPTY)


def pivot_into(new_root: str) -> None:
    """Make ``new_root`` the root and detach the old one, which nothing can name afterwards."""
    os.chdir(new_root)
    call("pivot_root", b".", b".")
    call("umount2", b".", 2)
    os.chdir("/")


def loopback_up() -> None:
    """Bring ``lo`` up in the present network namespace (SIOCSIFFLAGS with IFF_UP | IFF_RUNNING)."""
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        fcntl.ioctl(probe, 0x8914, struct.pack("16sH22x", b"lo", 0x41))


def own_address(address: str) -> None:
    """Give ``lo`` a further IPv4 address (SIOCSIFADDR on an alias); loopback addresses are there already."""
    import socket

    if address.startswith("127."):
        return
    packed = socket.inet_aton(address)
    name = b"lo:" + packed.hex().encode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        fcntl.ioctl(probe, 0x8916, struct.pack("16sHH4s16x", name, socket.AF_INET, 0, packed))


def drop_capabilities() -> None:
    """Empty every capability set and see to it that no later exec fills one again."""
    for capability in range(64):
        try:
            prctl(24, capability)  # PR_CAPBSET_DROP
        except OSError:
            break
    prctl(28, 0x2F)  # PR_SET_SECUREBITS: noroot, no setuid fixup, keep-caps off, each locked
    prctl(47, 4, 0, 0, 0)  # PR_CAP_AMBIENT_CLEAR_ALL


def clear_capabilities() -> None:
    call("capset", struct.pack("Ii", 0x2008_0522, 0), bytes(24))


def landlock_abi() -> int:
    """The version of Landlock that this kernel offers, 0 where there is none."""
    try:
        return call("landlock_create_ruleset", 0, 0, 1)
    except OSError:
        return 0


def landlock_ruleset(files: int, network: int, scopes: int, abi: int) -> int:
    size = 8 if abi < 4 else 16 if abi < 6 else 24  # noqa: PLR2004 - the attribute grew with these versions
    return call("landlock_create_ruleset", struct.pack("QQQ", files, network, scopes), size, 0)


def landlock_allow_path(ruleset: int, path: str, access: int) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        call("landlock_add_rule", ruleset, 1, struct.pack("=Qi", access, place), 0)
    finally:
        os.close(place)


def landlock_allow_port(ruleset: int, port: int, access: int) -> None:
    call("landlock_add_rule", ruleset, 2, struct.pack("QQ", access, port), 0)


def landlock_restrict(ruleset: int) -> None:
    call("landlock_restrict_self", ruleset, 0)


def seccomp_install(program: bytes, *, listen: bool) -> int:
    """Bind ``program`` to every thread; the listener's descriptor where ``listen``, else -1.

    A listener and thread synchronisation exclude each other before Linux 5.7 and need no more than the
    single thread that the caller has made sure of.
    """
    address = ctypes.cast(ctypes.c_char_p(program), ctypes.c_void_p).value
    result = call("seccomp", 1, 8 if listen else 1, struct.pack("HxxxxxxQ", len(program) // 8, address))
    return result if listen else -1
