"""The jail, layer by layer, seen from the child that locks itself in; each function is one numbered step.

 (1) an identity of its own: no groups, a dedicated uid where the zygote is root;
 (2) namespaces: user, mount, ipc, uts, cgroup and, unless the role holds the host's network, net; the pid
     namespace was made by the zygote, so that the child is its first process and takes all others with it;
 (3) a root of its own: an empty tmpfs, read-only binds of the runtime, the old root detached;
 (4) the grants of this start: paths, nothing where something is hidden, one listening socket for each host;
 (5) descriptors: nothing but 0, 1, 2, the channel and the granted folders;
 (6) limits, no capability, no new privileges, not dumpable, dead when the zygote dies;
 (7) Landlock; (8) seccomp, last, because the other layers need what it forbids.

Steps 1 to 3 need no grant, which is why a warm child has them behind it.  All of this runs before a single
byte of user code, single-threaded; a layer that cannot be had raises ``OSError`` and ends the child.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from interlock.harness.sandbox import raw
from interlock.harness.sandbox.profiles import (
    CHANNEL,
    MEBIBYTE,
    REPORT,
    JailSpec,
    Limits,
    PathGrant,
    Profile,
    addresses,
    overlaps,
)

PIDFD, MEMORY, RULESET = REPORT + 1, REPORT + 2, REPORT + 3
JAIL: Final = "/jail"
_NOTHING: Final = "/nothing"  # empty and closed files and folders, which stand for what is hidden
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE = 1, 2, 4, 8, 1 << 14
_READ: Final = _READ_FILE | _READ_DIR
_CHANGE: Final = _WRITE_FILE | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 12 | 1 << 13 | _TRUNCATE
_FIXED: Final = raw.READ_ONLY | raw.NO_SUID | raw.NO_DEV | raw.NO_EXEC
_OF_FILES: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
_HANDLED: Final = ((1, 0x1FFF), (2, 1 << 13), (3, 1 << 14), (5, 1 << 15))
_BIND, _CONNECT = 1, 2
_TCP_SINCE, _SCOPES_SINCE = 4, 6
_LIBRARIES: Final = ("/lib", "/usr/lib", "/usr/local/lib")  # a program needs its loader from there


def become(identity: int | None, inside: tuple[int, int]) -> None:
    """(1) and the user namespace of (2): shed groups and uid, then appear as ``inside`` to oneself."""
    if identity is not None:
        os.setgroups([])
        os.setresgid(identity, identity, identity)
        os.setresuid(identity, identity, identity)
        raw.prctl(4, 1)  # dumpable for as long as the id maps must be written
    outside = (os.geteuid(), os.getegid())
    raw.unshare(raw.NEW_USER)
    Path("/proc/self/setgroups").write_text("deny", "ascii")
    Path("/proc/self/uid_map").write_text(f"{inside[0]} {outside[0]} 1", "ascii")
    Path("/proc/self/gid_map").write_text(f"{inside[1]} {outside[1]} 1", "ascii")


def enter_namespaces(profile: Profile) -> None:
    """(2) the other namespaces, each empty; a step's loopback interface is up."""
    network = 0 if profile.network == "host" else raw.NEW_NET
    raw.unshare(raw.NEW_NS | raw.NEW_IPC | raw.NEW_UTS | raw.NEW_CGROUP | network)
    raw.call("sethostname", b"jail", 4)
    if profile.network == "own":
        raw.loopback_up()


def build_root(profile: Profile, runtime: tuple[str, ...]) -> None:
    """(3) an empty root in memory with the zygote's read-only runtime; then the old root is gone."""
    raw.mount("none", "/", "none", raw.MS_REC | raw.MS_PRIVATE)
    raw.mount("root", JAIL, "tmpfs", raw.MS_TMPFS, "mode=0755,size=1m,nr_inodes=1024")
    if profile.paths:  # Before the runtime, which may itself lie below it.
        (Path(JAIL) / "tmp").mkdir(mode=0o700)
        raw.mount("own", f"{JAIL}/tmp", "tmpfs", raw.MS_TMPFS, "mode=0700,size=64m,nr_inodes=16384")  # noqa: S108
    for path in runtime:
        make_mount_point(JAIL + path, folder=Path(path).is_dir())
        raw.bind(path, JAIL + path)
    for link in ("/lib", "/lib64", "/bin"):
        if Path(link).is_symlink():
            Path(JAIL + link).symlink_to(Path(link).readlink())
    if profile.paths:
        _write_names()
    raw.pivot_into(JAIL)


def _write_names() -> None:
    nothing = Path(JAIL + _NOTHING)
    nothing.mkdir(mode=0o555)
    (nothing / "folder").mkdir(mode=0o555)
    (nothing / "file").touch(mode=0o444)
    (nothing / "closed file").touch(mode=0)
    (nothing / "closed folder").mkdir(mode=0)
    folder = Path(JAIL) / "etc"
    folder.mkdir(exist_ok=True)
    (folder / "nsswitch.conf").write_text("passwd: files\nhosts: files\n", "ascii")
    (folder / "hosts").write_text("127.0.0.1 localhost\n", "ascii")
    identity = f"{os.getuid()}:{os.getgid()}"
    (folder / "passwd").write_text(f"step:x:{identity}::/tmp:/bin/sh\n", "ascii")


def make_mount_point(path: str, *, folder: bool) -> None:
    """An empty folder or file at ``path``, unless something stands there."""
    Path(path if folder else os.path.dirname(path)).mkdir(parents=True, exist_ok=True)  # noqa: PTH120 - hot path
    if not folder:
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY | os.O_CLOEXEC, 0o444))


def take_outputs(descriptors: list[int], *, outputs: bool) -> list[int]:
    """(5) the pipe ends, where there are any, become 1 and 2; returns the other descriptors."""
    if not outputs:
        return descriptors
    for at in (0, 1):
        os.dup2(descriptors[at], at + 1)
        os.close(descriptors[at])
    return descriptors[2:]


def attach_grants(spec: JailSpec, targets: tuple[str, ...], trees: list[int]) -> None:
    """(4) move each detached bind to its canonical path, outer ones first; what may not change in it is held."""
    fenced = {grant.path: grant for grant in spec.paths if grant.only is not None}
    for path, tree in zip(targets, trees, strict=True):
        if not os.path.lexists(path):
            make_mount_point(path, folder=stat.S_ISDIR(os.fstat(tree).st_mode))
        raw.attach(tree, path)
        os.close(tree)
        if path in fenced:
            _fence(fenced[path])


def _fence(grant: PathGrant) -> None:
    """Mount each name that may not change upon itself, or nothing upon it: so it can be neither moved nor removed.

    A link cannot be mounted upon; the harness looks at those afterwards.
    """
    with os.scandir(grant.path) as entries:
        found = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries if not entry.is_symlink()]
    for path, folder in found:
        if not grant.reaches(path):
            nothing = f"{_NOTHING}/{'folder' if folder else 'file'}"
            raw.cover(nothing if grant.listing else path, path, _FIXED)


def link(spec: JailSpec) -> None:
    """(4) the other names of programs; not in a granted folder, where what stands there stays."""
    for path, target in spec.links:
        if not any(overlaps(path, grant.path) for grant in spec.paths) and not os.path.lexists(path):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).symlink_to(target)


def hide(spec: JailSpec) -> None:
    """(4) over each hidden path nothing; raises ``OSError`` where it is gone, as it may have another name now."""
    for grant in spec.paths:
        if grant.hidden and grant.path not in spec.packages:
            kind = "folder" if stat.S_ISDIR(os.lstat(grant.path).st_mode) else "file"
            raw.cover(f"{_NOTHING}/{'closed ' if grant.closed else ''}{kind}", grant.path, _FIXED)


def listen_for(spec: JailSpec) -> list[int]:
    """(4) one listening socket for each granted host, which the step then finds by name in /etc/hosts."""
    found: list[int] = []
    names: dict[str, str] = {}
    for grant, (address, port) in zip(spec.hosts, addresses(spec), strict=True):
        names[grant.host] = address
        raw.own_address(address)
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.bind((address, port))
        listener.listen(128)
        found.append(listener.detach())
    with Path("/etc/hosts").open("a", encoding="ascii") as hosts:
        hosts.writelines(f"{address} {name}\n" for name, address in names.items() if name != address)
    return found


def arrange_descriptors(channel: int, kept: list[int]) -> None:
    """(5) 0, 1 and 2 are /dev/null, 3 is the channel, ``kept`` go to ``REPORT`` and on; nothing else stays.

    So the granted folders get the numbers from 4 on; and a number from ``REPORT`` on,
    once closed, cannot come back.
    """
    for at, descriptor in enumerate(kept):
        if descriptor >= 0:
            os.dup2(descriptor, REPORT + at, inheritable=False)
    os.dup2(os.dup2(channel, REPORT + len(kept)), CHANNEL, inheritable=False)
    os.closerange(CHANNEL + 1, REPORT)
    raw.call("close_range", REPORT + len(kept), 0xFFFF_FFFF, 0)


def shed_power(*, namespaces: bool) -> None:
    """(6) what needs no order: nothing to gain by exec, no dump, no locked memory, no life after the zygote."""
    if namespaces or os.geteuid() == 0:  # an ordinary user outside of them has none to drop
        raw.drop_capabilities()
    raw.prctl(38, 1)  # no new privileges
    raw.prctl(4, 0)  # not dumpable
    raw.prctl(1, signal.SIGKILL)
    for kind in (resource.RLIMIT_CORE, resource.RLIMIT_MEMLOCK, resource.RLIMIT_MSGQUEUE):
        resource.setrlimit(kind, (0, 0))
    resource.setrlimit(resource.RLIMIT_SIGPENDING, (256, 256))


def limit_by_default(profile: Profile) -> None:
    """(6) the profile's resource limits, soft, as a start may yet name others; seccomp keeps them where they are."""
    for kind, bound in _bounds(profile, Limits(), programs=False):
        resource.setrlimit(kind, (bound, resource.getrlimit(kind)[1]))


def limit(profile: Profile, limits: Limits, *, programs: bool) -> None:
    """(6) resource limits where they differ from the profile's, hard, as programs may set theirs."""
    for kind, bound in _bounds(profile, limits, programs=programs):
        resource.setrlimit(kind, (bound, bound))


def _bounds(profile: Profile, limits: Limits, *, programs: bool) -> tuple[tuple[int, int], ...]:
    processes = limits.processes or (256 if programs else 64 if profile.threads else 1)
    return (
        (resource.RLIMIT_AS, limits.memory or profile.memory),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_NOFILE, limits.files or profile.files),
        (resource.RLIMIT_FSIZE, limits.file_size or (1024 * MEBIBYTE if profile.paths else 0)),
        (resource.RLIMIT_CPU, limits.cpu or resource.RLIM_INFINITY),
    )


def make_ruleset(profile: Profile, runtime: tuple[str, ...], abi: int, *, own_root: bool) -> int:
    """(7) the part of the Landlock rules that needs no grant: read the runtime, signal no one; -1 without it."""
    if not abi:
        return -1
    handled, network = handled_files(abi), _BIND | _CONNECT if abi >= _TCP_SINCE else 0
    ruleset = raw.landlock_ruleset(handled, network, 3 if abi >= _SCOPES_SINCE else 0, abi)
    own = (("/tmp", _READ | _CHANGE), ("/etc", _READ), ("/dev", _READ_FILE | _WRITE_FILE))  # noqa: S108
    _allow(ruleset, abi, [*((path, _READ) for path in runtime), *(own if profile.paths and own_root else ())])
    return ruleset


def restrict(profile: Profile, spec: JailSpec, runtime: tuple[str, ...], abi: int) -> None:
    """(7) add the grants, and let nothing else through from here on."""
    add_grants(profile, spec, runtime, abi)
    raw.landlock_restrict(RULESET)


def add_grants(profile: Profile, spec: JailSpec, runtime: tuple[str, ...], abi: int) -> None:
    """(7) the rules for the granted paths and the declared TCP ports."""
    _allow(RULESET, abi, _granted(spec, runtime))
    ports = spec.connect_ports if profile.network == "host" else tuple(grant.port for grant in spec.hosts)
    for port in ports if abi >= _TCP_SINCE else ():
        raw.landlock_allow_port(RULESET, port, _CONNECT)


def handled_files(abi: int) -> int:
    return sum(bits for since, bits in _HANDLED if abi >= since)


def _allow(ruleset: int, abi: int, accesses: Iterable[tuple[str, int]]) -> None:
    handled = handled_files(abi)
    for path, access in accesses:
        valid = handled if os.path.isdir(path) else handled & _OF_FILES  # noqa: PTH112 - hot path
        raw.landlock_allow_path(ruleset, path, access & valid)


def _granted(spec: JailSpec, runtime: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    if spec.programs:
        yield from ((path, _READ | _EXECUTE) for path in runtime if path.startswith(_LIBRARIES))
    for path in spec.packages:
        yield path, _READ
    for path in spec.programs:
        yield path, _READ | _EXECUTE
    for grant in spec.paths:
        read = _READ_DIR if grant.listing and not grant.write else _READ
        yield grant.path, read | (_CHANGE if grant.write else 0) | (_EXECUTE if grant.execute else 0)
