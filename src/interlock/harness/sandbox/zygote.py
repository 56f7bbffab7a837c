"""The zygote: a clean process, exec'd with an empty environment, that imports one role's code and forks it.

It is trusted, holds no secret, and reads from nobody but the supervisor: once a child has said that it is
warm, the zygote never reads from it again.  It sees the host's files only to bind what an order grants.  When
the supervisor's end of the control socket closes it ends, and every child dies with it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import itertools
import os
import resource
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

import msgspec

from interlock.artifact import frames
from interlock.artifact.errors import InterlockError, SandboxError
from interlock.harness.sandbox import child, raw, rehearsal
from interlock.harness.sandbox.bpf import ALLOW, assemble
from interlock.harness.sandbox.child import World
from interlock.harness.sandbox.jail import JAIL, become, make_mount_point
from interlock.harness.sandbox.profiles import (
    PROFILES,
    Bequest,
    Exited,
    Hello,
    JailSpec,
    Order,
    PathGrant,
    Profile,
    Setup,
    Warm,
    overlaps,
)
from interlock.harness.sandbox.syscall_rules import prepare
from interlock.harness.sandbox.syscalls import AUDIT_ARCH, MACHINE

_BASE: Final = "/tmp", "/mnt", "/srv", "/opt", "/home", "/var"  # noqa: S108 - what covers it is private
_HOST: Final = "/host"
_DEDICATED: Final = 1_900_000_000
_ENOUGH: Final = 1 << 16  # uids below which a range has none to spare
_WHOLE_RANGE: Final = 4_294_967_295
_MAX_DESCRIPTORS: Final = 8
_QUIET_MS: Final = 3
_SAMPLE: Final = JailSpec(paths=(PathGrant(path="/usr"),))
_ORDERS: Final = msgspec.msgpack.Decoder(Order)


class Waiting(NamedTuple):
    """A child that waits for its order, one level below the zygote; ``uid`` is its dedicated one."""

    pid: int
    uid: int | None
    pidfd: int
    orders: socket.socket


def main() -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    setup = msgspec.msgpack.decode(control.recv(1 << 18), type=Setup)
    try:
        zygote = Zygote(control, setup)
    except (OSError, InterlockError) as error:
        code, text = child.described(error)
        control.send(msgspec.msgpack.encode(Hello(code=code, message=text)))
        os._exit(1)
    control.send(msgspec.msgpack.encode(Hello(missing=zygote.world.missing)))
    zygote.serve()
    os._exit(0)


class Zygote:
    """One role's zygote: ``world`` is what all of its children share."""

    def __init__(self, control: socket.socket, setup: Setup) -> None:
        self._control = control
        self._profile = PROFILES[setup.role]
        self._pool_size = setup.pool
        entry_error = _import_entry(self._profile)
        for module in setup.modules:
            with contextlib.suppress(ImportError):
                importlib.import_module(module)
        self._settle_process()
        self._host = -1
        self.world = self._make_world(setup, entry_error)
        self._own_pids = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        prepare(setup.role, notify="notification" not in self.world.missing)
        self._numbers = itertools.count(1)
        self._pool: dict[int, Waiting] = {}
        self._running: dict[int, int] = {}
        self._poll = select.poll()
        self._poll.register(control.fileno(), select.POLLIN)
        gc.collect()
        gc.freeze()

    @staticmethod
    def _settle_process() -> None:
        if len(list(Path("/proc/self/task").iterdir())) != 1:
            raise SandboxError("sandbox.threads", "a module of the child's own code has started a thread")
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        os.umask(0o022)
        gc.disable()

    def _make_world(self, setup: Setup, entry_error: str) -> World:
        missing: list[str] = []
        inside = (os.geteuid(), os.getegid())
        privileged = _own_mounts(self._control, inside, missing)
        if not missing:
            self._host = _template(setup.runtime)
        if not _can_listen():
            missing.append("notification")
        if (abi := raw.landlock_abi()) == 0:
            missing.append("landlock")
        if missing and not setup.reduced:
            raise SandboxError(
                "sandbox.layer_missing",
                f"this machine offers no {' and no '.join(missing)}",
                hint="`interlock doctor` says what is missing",
            )
        return World(
            profile=self._profile,
            runtime=tuple(path for path in setup.runtime if os.path.lexists(path)),
            identity=inside,
            dedicated=privileged and setup.dedicated,
            missing=tuple(missing),
            abi=abi,
            entry_error=entry_error,
            pooled=setup.pool > 0,
        )

    def serve(self) -> None:
        """Take orders until the supervisor's end closes; refill the pool when no order has come for a moment."""
        while True:
            ready = self._poll.poll(_QUIET_MS if len(self._pool) < self._pool_size else None)
            if not ready:
                self._add_warm()
            for descriptor, _ in ready:
                if descriptor != self._control.fileno():
                    self._reap(descriptor)
                elif not self._take_order():
                    return

    def _add_warm(self) -> None:
        identity = next(self._numbers)
        ours, theirs = socket.socketpair()
        waiting = self._pool[identity] = self._fork(identity, theirs)
        given = [waiting.orders.fileno(), ours.fileno()]
        with ours, theirs:
            socket.send_fds(self._control, [msgspec.msgpack.encode(Warm(identity=identity))], given)
        if self._pool_size:
            self._rehearse(waiting)

    def _rehearse(self, waiting: Waiting) -> None:
        """Bind something for nobody: the fork has made our pages shared, and the next order should not pay for it."""
        trees: list[int] = []
        with contextlib.suppress(OSError, InterlockError):
            self._bind(_SAMPLE, waiting, trees)
        rehearsal.messages()
        for tree in trees:
            os.close(tree)

    def _take_order(self) -> bool:
        body, descriptors = frames.receive_rights(self._control, 1 << 18, _MAX_DESCRIPTORS)
        if not body:
            return False
        order = _ORDERS.decode(body)
        waiting = self._pool.pop(order.identity, None)
        if waiting is not None:
            with waiting.orders:
                if order.spec is not None:
                    self._hand_over(order, order.spec, waiting, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        if order.now:
            self._add_warm()
        return True

    def _hand_over(self, order: Order, spec: JailSpec, waiting: Waiting, descriptors: list[int]) -> None:
        trees: list[int] = []
        try:
            targets = self._bind(spec, waiting, trees)
            bequest = Bequest(spec=spec, outputs=order.outputs, targets=tuple(targets))
        except (OSError, InterlockError) as error:
            bequest = Bequest(spec=spec, refusal=child.described(error))
        try:
            socket.send_fds(waiting.orders, [msgspec.msgpack.encode(bequest)], [*descriptors, *trees])
        except BrokenPipeError:
            return  # the child is dead, as the supervisor will see
        finally:
            for tree in trees:
                os.close(tree)

    def _bind(self, spec: JailSpec, waiting: Waiting, trees: list[int]) -> list[str]:
        """Add the detached binds of an order's grants to ``trees``, outer ones first; returns their paths."""
        wanted = {
            grant.path: _attributes(write=grant.write, execute=grant.execute)
            for grant in spec.paths
            if not grant.hidden
        }
        wanted |= dict.fromkeys((*spec.packages, *spec.programs), _attributes(write=False, execute=True))
        if not self.world.namespaces:
            return []
        for path in (targets := sorted(wanted)):
            tree = raw.detached(self._host, path, wanted[path], lambda owner: self._mapping(owner, waiting))
            trees.append(tree)
        return targets

    def _mapping(self, owner: tuple[int, int], waiting: Waiting) -> int | None:
        """A user namespace in which the child's uid stands for ``owner`` of a grant; none where they are one."""
        if waiting.uid is None:
            return None
        if owner == self.world.identity:
            return os.open(f"/proc/{waiting.pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        told, tell = os.pipe()
        if (pid := os.fork()) == 0:
            become(waiting.uid, owner)
            os.write(tell, b"m")
            signal.pause()
        os.read(told, 1)
        try:
            return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(told)
            os.close(tell)

    def _fork(self, identity: int, channel: socket.socket) -> Waiting:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if self.world.namespaces:
            raw.unshare(raw.NEW_PID)
        pid = os.fork()
        if pid == 0:
            ours.close()
            self._control.close()
            uid = _free_identity(int(Path("/proc/self").readlink().name)) if self.world.dedicated else None
            child.live(theirs.detach(), channel.detach(), self.world, uid)
        if self.world.namespaces:
            raw.call("setns", self._own_pids, raw.NEW_PID)
        theirs.close()
        pidfd = os.pidfd_open(pid)
        self._poll.register(pidfd, select.POLLIN)
        self._running[pidfd] = identity
        ours.recv(1)
        return Waiting(pid, _free_identity(pid) if self.world.dedicated else None, pidfd, ours)

    def _reap(self, pidfd: int) -> None:
        self._poll.unregister(pidfd)
        result = os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
        os.close(pidfd)
        identity = self._running.pop(pidfd)
        self._pool.pop(identity, None)
        if result is not None:
            status = result.si_status if result.si_code == os.CLD_EXITED else -result.si_status
            self._control.send(msgspec.msgpack.encode(Exited(identity=identity, status=status)))


def _can_listen() -> bool:
    """Whether a child may have a seccomp listener: somebody above us may hold the one that there can be."""
    if (pid := os.fork()) == 0:
        try:
            raw.prctl(38, 1)
            raw.seccomp_install(assemble({0: ALLOW}, ALLOW, AUDIT_ARCH[MACHINE]), listen=True)
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1] == 0


def _import_entry(profile: Profile) -> str:
    """Import the role's code before any fork; a failure is told to whoever wants to start it."""
    try:
        module, function = profile.entry.split(":")
        getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        return str(error)
    return ""


def _own_mounts(control: socket.socket, inside: tuple[int, int], missing: list[str]) -> bool:
    """A mount namespace, by privilege or through a user namespace; whether it took privilege."""
    try:
        raw.unshare(raw.NEW_NS)
    except OSError:
        try:
            become(None, inside)
            raw.unshare(raw.NEW_NS | raw.NEW_PID)
            _enter_pid_namespace(control)
        except OSError:
            missing.append("namespaces")
        return False
    return os.geteuid() == 0 and _uid_range()[1] >= _ENOUGH


def _enter_pid_namespace(control: socket.socket) -> None:
    """Go on as the first process of a pid namespace of our own, to which alone setns may return us."""
    if (pid := os.fork()) == 0:
        raw.prctl(1, signal.SIGKILL)
        return
    control.close()
    _, status = os.waitpid(pid, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _template(runtime: tuple[str, ...]) -> int:
    """Pivot into a root that shows the runtime read-only, /proc, and the host's root below a descriptor."""
    real = [os.path.realpath(path) for path in runtime]
    base = next(folder for folder in _BASE if Path(folder).is_dir() and not any(overlaps(folder, one) for one in real))
    raw.mount("none", "/", "none", raw.MS_REC | raw.MS_SLAVE)
    raw.mount("template", base, "tmpfs", raw.MS_TMPFS, "mode=0755,size=1m")
    for path in runtime:
        if not os.path.lexists(path):
            continue
        source = os.path.realpath(path)
        make_mount_point(base + path, folder=Path(source).is_dir())
        device = path.startswith("/dev/")
        raw.bind(source, base + path, raw.NO_SUID | (raw.NO_EXEC if device else raw.READ_ONLY | raw.NO_DEV))
    for link in ("/lib", "/lib64", "/bin"):
        if Path(link).is_symlink():
            Path(base + link).symlink_to(Path(link).readlink())
    for folder in ("/proc", _HOST, JAIL):
        Path(base + folder).mkdir()
    raw.bind("/proc", f"{base}/proc")
    os.chdir(base)
    raw.call("pivot_root", b".", _HOST[1:].encode())
    os.chdir("/")
    return os.open(_HOST, os.O_PATH | os.O_CLOEXEC)


def _attributes(*, write: bool, execute: bool) -> int:
    return raw.NO_SUID | raw.NO_DEV | (0 if write else raw.READ_ONLY) | (0 if execute else raw.NO_EXEC)


def _free_identity(pid: int) -> int:
    """A uid that no other live child of this machine has: its pid counted from a base inside our uid range."""
    first, length = _uid_range()
    return _DEDICATED + pid if length == _WHOLE_RANGE else first + length // 2 + pid % (length // 2)


def _uid_range() -> tuple[int, int]:
    first, _, length = (int(word) for word in Path("/proc/self/uid_map").read_text("ascii").split()[:3])
    return first, length
