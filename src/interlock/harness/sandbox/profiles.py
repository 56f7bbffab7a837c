"""What each kind of confined process may do, and the messages between supervisor, zygote and child.

All are frozen values.  A ``Profile`` is fixed by the role; a ``JailSpec`` is what one start adds to it, and it
can only add what the role admits: paths, programs and hosts for a step, ports for a helper.

>>> PROFILES["planner"].network, PROFILES["step"].paths
('none', True)
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final, Literal

import msgspec

from interlock.artifact.errors import SandboxError

Role = Literal["planner", "executor", "step", "analyst", "gateway", "proxy", "notifier"]
Network = Literal["none", "own", "host"]
Mode = Literal["serve", "script", "probe"]

MEBIBYTE: Final = 1 << 20
CHANNEL: Final = 3  # the child's one channel
REPORT: Final = 1000  # the child's orders and its report, above any limit on open files; three more follow


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What a role admits at most; ``entry`` names the function that the child runs after lock-down."""

    role: Role
    entry: str
    network: Network = "none"
    paths: bool = False
    opens_watched: bool = False
    threads: bool = False
    memory: int = 1024 * MEBIBYTE
    files: int = 64
    pool: int = 0


PROFILES: Final[dict[Role, Profile]] = {
    profile.role: profile
    for profile in (
        Profile(role="planner", entry="interlock.planner.main:serve", opens_watched=True),
        Profile(role="executor", entry="interlock.executor.core_main:serve", opens_watched=True),
        Profile(
            role="step",
            entry="interlock.executor.step_main:serve",
            network="own",
            paths=True,
            threads=True,
            memory=4096 * MEBIBYTE,
            files=512,
            pool=2,
        ),
        Profile(role="analyst", entry="interlock.analyst.main:serve", opens_watched=True, pool=1),
        Profile(role="gateway", entry="interlock.outside.gateway:serve", network="host", threads=True),
        Profile(role="proxy", entry="interlock.outside.proxy:serve", network="host", threads=True, files=960),
        Profile(role="notifier", entry="interlock.outside.notifier:serve", network="host", threads=True),
    )
}


class PathGrant(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A canonical absolute path of an existing file or directory, bound at the same path in the jail.

    Where ``hidden``, an empty read-only file or directory stands there instead, unless it is a package of this start;
    where ``closed`` too, one that cannot be opened.  With ``listing`` its names, and those below it, can be read and
    nothing that the files hold.  Of a writable directory ``only`` names what in it may change: everything else that
    stands there stays, and is empty where ``listing``.
    """

    path: str
    write: bool = False
    execute: bool = False
    listing: bool = False
    hidden: bool = False
    closed: bool = False
    only: tuple[str, ...] | None = None

    def reaches(self, path: str) -> bool:
        """Whether a path in it may change as far as ``only`` says."""
        return self.only is None or path[len(self.path) :].strip("/").split("/")[0] in self.only


class HostGrant(msgspec.Struct, frozen=True, kw_only=True):
    """A host, found by this name (or IPv4 address) and at this port by the step, and nowhere else."""

    host: str
    port: int


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Resource limits of one child; 0 keeps the profile's. Bytes, seconds of CPU, and counts."""

    memory: int = 0
    cpu: int = 0
    file_size: int = 0
    files: int = 0
    processes: int = 0


class JailSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What one start adds to its role's profile; empty adds nothing.

    ``programs`` are absolute paths (files or folders) that may be executed, read-only; ``links`` are other names that
    lead to them, where nothing else stands.  ``packages`` are
    read-only Python packages, imported by the names of their folders, and nothing beside them.
    ``connect_ports`` are the only TCP ports to which a helper may connect, on kernels whose Landlock knows
    TCP (6.7 and later).
    """

    paths: tuple[PathGrant, ...] = ()
    programs: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    packages: tuple[str, ...] = ()
    hosts: tuple[HostGrant, ...] = ()
    connect_ports: tuple[int, ...] = ()
    limits: Limits = Limits()
    mode: Mode = "serve"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Supervisor to zygote, about the warm child ``identity``, or with ``now`` a wish for one more at once.

    With ``spec`` the zygote binds its paths and hands all to the child, together with the descriptors that
    come with the order: the channel and, where ``outputs``, two pipe ends.  Without, the child is taken.
    """

    identity: int = 0
    spec: JailSpec | None = None
    outputs: bool = False
    now: bool = False


class Bequest(msgspec.Struct, frozen=True, kw_only=True):
    """To a warm child, from the zygote or, where nothing must be bound, from the supervisor: its start.

    ``targets`` are the paths of the detached binds that follow the order's descriptors; ``refusal`` is the
    code and text of why there is none.
    """

    spec: JailSpec
    outputs: bool = False
    targets: tuple[str, ...] = ()
    refusal: tuple[str, str] | None = None


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """Supervisor to zygote, once: the role, the read-only runtime, whether children get uids of their own where
    that is possible, and whether a missing layer is accepted; ``modules`` are imported where they are installed."""

    role: Role
    runtime: tuple[str, ...]
    modules: tuple[str, ...] = ()
    pool: int
    dedicated: bool
    reduced: bool


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """Zygote to supervisor: it can start children, without the layers that ``missing`` names; or why not."""

    missing: tuple[str, ...] = ()
    code: str = ""
    message: str = ""


class Warm(msgspec.Struct, frozen=True, kw_only=True, tag="warm"):
    """Zygote to supervisor, with its order socket and its channel: this child waits for its start."""

    identity: int


class Exited(msgspec.Struct, frozen=True, kw_only=True, tag="exited"):
    """Zygote to supervisor: the child ``identity`` has ended with this status, a signal negative."""

    identity: int
    status: int


class Locked(msgspec.Struct, frozen=True, kw_only=True):
    """Child to supervisor: locked down, or the stable code of why not.

    Comes with the descriptors pidfd, memory, one listening socket for each granted host in their order, and
    last, unless notification is missing, the seccomp listener.  ``canaries`` watched calls follow; the refusal
    of the last one is the supervisor's word to go.
    """

    canaries: int = 0
    code: str = ""
    message: str = ""


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """A critical forbidden system call: who tried what. ``detail`` is the child's own text, never trusted."""

    role: Role
    pid: int
    syscall: str
    arguments: tuple[int, ...] = ()
    detail: str = ""


_HOST_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)
_CANONICAL: Final = re.compile(r"(/(?!\.{1,2}(/|\Z))[^/\0]+)+")
_RESERVED: Final = ("/proc", "/sys", "/dev", "/etc")


def check_spec(profile: Profile, spec: JailSpec, runtime: tuple[str, ...]) -> None:
    """Raise ``SandboxError`` where ``spec`` asks for what the role, or any role, may not be given."""
    if (spec.paths or spec.programs or spec.hosts or spec.packages) and not profile.paths:
        raise SandboxError("sandbox.grant_role", f"a {profile.role} takes no grants")
    if not {target for _, target in spec.links} <= {*spec.programs}:
        raise SandboxError("sandbox.grant_path", "a link that leads to no program of this start")
    links = [path for path, _ in spec.links]
    for path in (*(grant.path for grant in spec.paths), *spec.programs, *spec.packages, *links):
        if not _CANONICAL.fullmatch(path) or _within(path, _RESERVED):
            raise SandboxError("sandbox.grant_path", "a granted path is not canonical or is reserved")
    for grant in spec.paths:
        code = any(overlaps(grant.path, part) for part in (*runtime, *spec.programs))
        if grant.write and (code or any(_exposes(grant, package, spec) for package in spec.packages)):
            raise SandboxError(
                "sandbox.grant_runtime",
                "a writable path holds, or lies in, code that confined processes run",
                hint="install interlock outside the workspace, or grant its subfolders",
            )
    if spec.limits.files >= REPORT:
        raise SandboxError("sandbox.limit", f"more than {REPORT - 1} open files")
    for host in spec.hosts:
        if not _HOST_NAME.fullmatch(host.host) or not 0 < host.port < 1 << 16:
            raise SandboxError("sandbox.grant_host", "a granted host is not a canonical name and port")


def _exposes(grant: PathGrant, package: str, spec: JailSpec) -> bool:
    """Whether a package could be changed, or moved away, through a writable path.

    It cannot where it is bound over that path, and so is each folder between: what is mounted upon stays.
    """
    if not _within(package, (grant.path,)) or package == grant.path:
        return overlaps(grant.path, package)
    bound, names = {one.path for one in spec.paths}, package[len(grant.path) + 1 :].split("/")[:-1]
    between = ["/".join(names[: at + 1]) for at in range(len(names))]
    return not {f"{grant.path}/{name}" for name in between} <= bound


def overlaps(one: str, other: str) -> bool:
    """Whether one of two canonical paths is the other or lies in it."""
    return _within(one, (other,)) or _within(other, (one,))


def _within(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def addresses(spec: JailSpec) -> list[tuple[str, int]]:
    """Where the step finds each granted host, in their order: its own IPv4 address, or one on loopback."""
    positions = {host: at for at, host in enumerate(dict.fromkeys(grant.host for grant in spec.hosts))}
    return [(_address(grant.host, positions[grant.host]), grant.port) for grant in spec.hosts]


def _address(host: str, position: int) -> str:
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        return f"127.77.{position >> 8}.{(position & 255) + 1}"
