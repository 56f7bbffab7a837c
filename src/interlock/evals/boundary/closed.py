"""The closed world: a root, a network and a uid of its own, in which nothing of the real machine can be changed.

 (1) namespaces of mounts, network, ipc and uts, by privilege or through a user namespace;
 (2) a root in memory: programs, libraries and this interpreter read-only, and nothing else of the machine;
 (3) a network without a way out, in which every IPv4 address is this world's own;
 (4) the listening sockets of what stands for the outside, which need privilege;
 (5) an ordinary uid without a capability; whatever starts there gains none by exec.

The caller goes on with exec, so that nothing of what it held stays.  A layer that cannot be had raises ``OSError``.
"""

from __future__ import annotations

import os
import resource
import socket
import struct
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from interlock.harness.sandbox import raw
from interlock.harness.sandbox.jail import become, make_mount_point

HOME: Final = "/home/user"
TRIED_PORTS: Final = (21, 22, 25, 80, 443, 587, 3000, 4444, 5432, 8000, 8080, 8443, 9001)
_INSIDE: Final = "10.0.0.2"
_USER: Final = 1000
_DEDICATED: Final = 1_899_000_000
_ROOT: Final = "/mnt"
_FOLDERS: Final = ("home", "mnt", "opt", "proc", "root", "run", "srv", "workspace", "dev", "etc", "var/lib", "var/log")
_OF_MACHINE: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/alternatives", "/etc/ld.so.cache", "/etc/ssl")
_DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_PACKAGE: Final = Path(__file__).resolve().parents[3]
_DATAGRAMS: Final = 53


def enter() -> list[socket.socket]:
    """Leave the machine for the closed world; returns the outside's sockets, the one for names first."""
    user = _separate()  # (1)
    _build(user)  # (2)
    raw.loopback_up()  # (3)
    _own_every_address()
    sockets = [_names(), *(socket.create_server(("0.0.0.0", port)) for port in TRIED_PORTS)]  # (4)  # noqa: S104
    _become_ordinary(user)  # (5)
    return sockets


def _separate() -> int:
    """(1) the uid that is an ordinary one from now on."""
    kinds = raw.NEW_NS | raw.NEW_NET | raw.NEW_IPC | raw.NEW_UTS
    user = _DEDICATED + os.getpid()
    try:
        raw.unshare(kinds)
    except PermissionError:
        user = _USER
        become(None, (user, user))
        raw.unshare(kinds)
    return user


def _build(user: int) -> None:
    """(2) at ``_ROOT``, which then is the root."""
    raw.mount("none", "/", "none", raw.MS_REC | raw.MS_PRIVATE)
    raw.mount("world", _ROOT, "tmpfs", raw.NO_SUID | raw.NO_DEV, f"mode=0755,size=512m,uid={user},gid={user}")
    for name in (*_FOLDERS, "tmp", "var/tmp"):
        Path(_ROOT, name).mkdir(parents=True)
    for path in _shown():
        _show(path, raw.READ_ONLY | raw.NO_SUID | raw.NO_DEV)
    for path in _DEVICES:
        _show(path, raw.NO_SUID)
    raw.bind("/proc", f"{_ROOT}/proc")
    for name in ("/etc", HOME, "/srv", "/workspace", "/opt", "/tmp", "/var/tmp", "/var/lib", "/var/log"):  # noqa: S108
        Path(_ROOT + name).mkdir(exist_ok=True)
        os.chown(_ROOT + name, user, user)
    raw.pivot_into(_ROOT)


def _shown() -> Iterator[str]:
    """What is needed of the machine, outer folders first, none twice."""
    python = (os.path.realpath(sys.base_prefix), os.path.realpath(sys.prefix), sys.prefix, str(_PACKAGE))
    kept: list[str] = []
    for path in (*_OF_MACHINE, *sorted(python)):
        if os.path.lexists(path) and not any(path == one or path.startswith(f"{one}/") for one in kept):
            kept.append(path)
            yield path


def _show(path: str, attributes: int) -> None:
    if Path(path).is_symlink():
        Path(_ROOT + path).symlink_to(Path(path).readlink())
    else:
        make_mount_point(_ROOT + path, folder=Path(path).is_dir())
        raw.bind(path, _ROOT + path, attributes)


def _own_every_address() -> None:
    """(3) one local route for all addresses (RTM_NEWROUTE of rtnetlink(7)), so that every connection ends here.

    It comes from an address of its own, as one that came back to the machine that it left would be refused.
    """
    raw.own_address(_INSIDE)
    route = struct.pack("BBBBBBBBI", socket.AF_INET, 0, 0, 0, 255, 4, 254, 2, 0)  # table local, scope host, type local
    route += struct.pack("HHiHH4s", 8, 4, socket.if_nametoindex("lo"), 8, 7, socket.inet_aton(_INSIDE))
    head = struct.pack("IHHII", 16 + len(route), 24, 0x1 | 0x4 | 0x400, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
        link.send(head + route)
        error = struct.unpack_from("i", link.recv(1 << 12), 16)[0]
    if error:
        raise OSError(-error, os.strerror(-error), "route")


def _names() -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    found.bind(("0.0.0.0", _DATAGRAMS))  # noqa: S104 - of a network that has no other side
    return found


def _become_ordinary(user: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    raw.prctl(38, 1)  # no new privileges


def inheritable(sockets: Iterable[socket.socket]) -> list[str]:
    """The sockets' numbers, kept over exec."""
    found: list[str] = []
    for one in sockets:
        one.set_inheritable(True)
        found.append(str(one.detach()))
    return found
