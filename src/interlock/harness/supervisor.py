"""The supervisor: starts confined children through zygotes, watches what they try, and ends them.

It guarantees that ``start`` returns only a child that is locked down and whose canaries were all refused; that
a critical forbidden system call is told to ``on_violation`` before the child gets its refusal; that ``kill``
ends a child with everything it started; and that closing the supervisor, or the death of its process, ends
all children.  It never runs a child's code and reads nothing from a child but what the kernel reports of it.

>>> with Supervisor(on_violation=print) as supervisor:  # doctest: +SKIP
...     child = supervisor.start("planner")
...     child.channel.sendall(b"...")
...     child.wait(5)
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

import msgspec

from interlock.artifact import frames
from interlock.artifact.errors import SandboxError
from interlock.harness.sandbox.profiles import (
    PROFILES,
    Bequest,
    Exited,
    Hello,
    JailSpec,
    Locked,
    Order,
    Role,
    Setup,
    Violation,
    Warm,
    check_spec,
)
from interlock.harness.sandbox.runtime import module_path, runtime_paths
from interlock.harness.sandbox.watch import Watch

START_SECONDS: Final = 10.0
_MAX_DESCRIPTORS: Final = 250
_REPORTS: Final = msgspec.msgpack.Decoder(Warm | Exited)
_LOCKED: Final = msgspec.msgpack.Decoder(Locked)
_ENCODER: Final = msgspec.msgpack.Encoder()
_BOOT: Final = (
    "import sys; sys.path[:0] = {paths!r}; sys.dont_write_bytecode = True; "
    "import interlock.harness.sandbox.zygote as zygote; zygote.main()"
)


class _Warm(NamedTuple):
    """A child that waits for its start."""

    identity: int
    orders: socket.socket
    channel: socket.socket


class Child:
    """One confined process. ``channel`` is the supervisor's end; everything else is what is known of it."""

    def __init__(self, role: Role, spec: JailSpec, warm: _Warm, outputs: tuple[int, int] | None) -> None:
        self.role: Final = role
        self.spec: Final = spec
        self.channel: Final = warm.channel
        self.identity: Final = warm.identity
        self.stdout, self.stderr = outputs or (-1, -1)
        self.reduced: tuple[str, ...] = ()
        self.listeners: dict[tuple[str, int], int] = {}
        self.pidfd = -1
        self.watch: Watch | None = None
        self._status: int | None = None
        self._ended = threading.Event()

    @property
    def pid(self) -> int:
        """The child's process id as the supervisor sees it, -1 once it has been reaped."""
        for line in Path(f"/proc/self/fdinfo/{self.pidfd}").read_text("ascii").splitlines():
            if line.startswith("Pid:"):
                return int(line.split()[1])
        return -1

    @property
    def violations(self) -> tuple[Violation, ...]:
        return self.watch.violations if self.watch else ()

    def kill(self) -> None:
        """End the child and, as it is the first of its pid namespace, everything that it started."""
        try:
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        except OSError:
            return

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, or minus the signal; raises ``TimeoutError`` after ``timeout`` seconds."""
        if not self._ended.wait(timeout):
            raise TimeoutError(f"the {self.role} is still running")
        return self._status if self._status is not None else -signal.SIGKILL

    def close(self) -> None:
        """Kill it and let go of every descriptor of it."""
        self.kill()
        self.channel.close()
        for descriptor in (self.pidfd, self.stdout, self.stderr, *self.listeners.values()):
            if descriptor >= 0:
                os.close(descriptor)
        self.pidfd = self.stdout = self.stderr = -1
        self.listeners = {}

    def ended(self, status: int) -> None:
        """Note the end; SIGSYS is the kernel's word on a call of another ABI, which no listener sees."""
        if status == -signal.SIGSYS and self.watch:
            self.watch.foreign()
        self._status = status
        self._ended.set()


class _Zygote:
    """A running zygote and the children whose end it will report."""

    def __init__(self, role: Role, *, pool: int, dedicated: bool, reduced: bool, modules: tuple[str, ...] = ()) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control: Final = ours
        self.children: dict[int, Child] = {}
        self.gone = False
        self._changed = threading.Condition()
        self._warm: deque[_Warm] = deque()
        boot = _BOOT.format(paths=module_path())
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", boot, str(theirs.fileno())],
                env={},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        try:
            runtime = runtime_paths(role)
            hello = self._greeted(
                Setup(role=role, runtime=runtime, modules=modules, pool=pool, dedicated=dedicated, reduced=reduced)
            )
        except BaseException:
            self.close()
            raise
        self.missing: Final = hello.missing if dedicated else (*hello.missing, "identity")

    def _greeted(self, setup: Setup) -> Hello:
        """Tell the zygote what it is, and hear what it found; raises ``SandboxError`` or ``OSError``."""
        self.control.send(msgspec.msgpack.encode(setup))
        body = self.control.recv(1 << 16)
        if not body:
            raise SandboxError("sandbox.zygote", f"the {setup.role}'s zygote ended with {self._process.wait()}")
        hello = msgspec.msgpack.decode(body, type=Hello)
        if hello.code:
            raise SandboxError(hello.code, hello.message, hint="`interlock doctor` says what holds here")
        return hello

    def give(self, child: Child, orders: socket.socket, descriptors: list[int]) -> None:
        """Give a warm child its start: by way of the zygote where something must be bound, else directly."""
        self.children[child.identity] = child
        spec, outputs = child.spec, bool(descriptors)
        if spec.paths or spec.programs or spec.packages:
            self._send(Order(identity=child.identity, spec=spec, outputs=outputs), descriptors)
        else:
            socket.send_fds(orders, [_ENCODER.encode(Bequest(spec=spec, outputs=outputs))], descriptors)

    def taken(self, child: Child) -> None:
        """Tell the zygote that it may make another one, now that a direct start is over."""
        if not (child.spec.paths or child.spec.programs or child.spec.packages):
            self._send(Order(identity=child.identity), [])

    def take(self) -> _Warm:
        """A warm child, made at once where none waits."""
        with self._changed:
            if not self._warm:
                self._send(Order(now=True), [])
            while not self._warm:
                if self.gone or not self._changed.wait(START_SECONDS):
                    raise SandboxError("sandbox.zygote", "the zygote is gone or did not answer in time")
            return self._warm.popleft()

    def ready(self, timeout: float) -> bool:
        """Wait for a warm child."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self._warm), timeout)

    def _send(self, order: Order, descriptors: list[int]) -> None:
        socket.send_fds(self.control, [_ENCODER.encode(order)], descriptors)

    def hear(self) -> bool:
        """Take one report of the zygote; ``False`` where it, and so every child, is gone."""
        try:
            body, found = frames.receive_rights(self.control, 1 << 16, 2)
        except ConnectionResetError:  # It died with an order of ours unread; what it had said comes next.
            return True
        with self._changed:
            if not body:
                self.gone = True
                for child in self.children.values():
                    child.ended(-signal.SIGKILL)
            else:
                self._note(_REPORTS.decode(body), found)
            self._changed.notify_all()
        return bool(body)

    def _note(self, report: Warm | Exited, found: list[int]) -> None:
        match report:
            case Warm(identity=identity):
                self._warm.append(_Warm(identity, *(socket.socket(fileno=descriptor) for descriptor in found)))
            case Exited(identity=identity, status=status):
                if child := self.children.pop(identity, None):
                    child.ended(status)
                for warm in [warm for warm in self._warm if warm.identity == identity]:
                    self._warm.remove(warm)
                    warm.orders.close()
                    warm.channel.close()

    def close(self) -> None:
        """End the zygote, and with it every child; safe to call again."""
        if self.control.fileno() < 0:
            return
        self.control.shutdown(socket.SHUT_WR)
        self._process.wait()
        while self.hear():
            continue
        for warm in self._warm:
            warm.orders.close()
            warm.channel.close()
        self._warm.clear()
        self.control.close()


class Supervisor:
    """Starts, watches and ends confined children; a context manager that ends all of them with it.

    ``on_violation`` is called in the supervisor's own thread, one call at a time, and should be quick.  With
    ``unsafe_reduced`` a machine without namespaces, or without Landlock, or whose one seccomp listener is
    taken, is accepted; ``Child.reduced`` then names what is missing, for the log and every receipt.  ``modules`` are
    imported by a role's zygote where they are installed, so that its children can use them behind the lock.
    """

    def __init__(
        self,
        on_violation: Callable[[Violation], None],
        *,
        unsafe_reduced: bool = False,
        pools: dict[Role, int] | None = None,
        modules: dict[Role, tuple[str, ...]] | None = None,
    ) -> None:
        self._on_violation = on_violation
        self._reduced = unsafe_reduced
        self._pools = pools or {}
        self._modules = modules or {}
        self._zygotes: dict[tuple[Role, bool], _Zygote] = {}
        self._starting = threading.Lock()
        self._wake, self._woken = socket.socketpair()
        self._poll = select.epoll()
        self._poll.register(self._woken.fileno(), select.EPOLLIN)
        self._watched: dict[int, _Zygote | Watch] = {}
        self._thread = threading.Thread(target=self._attend, name="interlock-supervisor", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every zygote, and with it every child."""
        self._wake.close()
        self._thread.join()
        for zygote in self._zygotes.values():
            zygote.close()
        for source in self._watched.values():
            if isinstance(source, Watch):
                source.close()
        self._zygotes.clear()
        self._watched.clear()
        self._poll.close()
        self._woken.close()

    def warm(self, role: Role, timeout: float = START_SECONDS) -> tuple[str, ...]:
        """Have the role's zygote, and where it keeps a pool one warm child, ready; returns missing layers."""
        zygote = self._zygote(role)
        if self._pools.get(role, PROFILES[role].pool):
            zygote.ready(timeout)
        return zygote.missing

    def start(self, role: Role, spec: JailSpec | None = None, *, pipes: bool = False) -> Child:
        """A locked-down child of ``role``; with ``pipes`` its output is readable at ``stdout`` and ``stderr``.

        Raises ``SandboxError``: a layer or grant that cannot be had, a probe that got through, a zygote that has just
        died, or no answer within ``START_SECONDS``.
        """
        spec = spec or JailSpec()
        check_spec(PROFILES[role], spec, runtime_paths(role))
        try:
            return self._start(self._zygote(role), role, spec, pipes=pipes)
        except OSError as error:
            raise SandboxError("sandbox.zygote", f"the {role}'s zygote went away: {error}") from error
        except SandboxError as error:
            if error.code != "sandbox.idmap":
                raise
            return self._start(self._zygote(role, dedicated=False), role, spec, pipes=pipes)

    def _start(self, zygote: _Zygote, role: Role, spec: JailSpec, *, pipes: bool) -> Child:
        warm = zygote.take()
        out, err = (os.pipe(), os.pipe()) if pipes else ((-1, -1), (-1, -1))
        child = Child(role, spec, warm, (out[0], err[0]) if pipes else None)
        try:
            with warm.orders as orders:
                try:
                    zygote.give(child, orders, [out[1], err[1]] if pipes else [])
                finally:
                    for descriptor in (out[1], err[1]) if pipes else ():
                        os.close(descriptor)
                self._admit(child, zygote, orders)
            zygote.taken(child)
        except BaseException:
            child.close()
            raise
        return child

    def _admit(self, child: Child, zygote: _Zygote, reporting: socket.socket) -> None:
        """Read the child's one report, refuse its canaries, and put it under watch."""
        reporting.settimeout(START_SECONDS)
        try:
            body, descriptors = frames.receive_rights(reporting, 1 << 16, _MAX_DESCRIPTORS)
        except TimeoutError:
            raise SandboxError("sandbox.timeout", f"the {child.role} did not lock down in time") from None
        if not body:
            raise SandboxError("sandbox.died", f"the {child.role} ended before it was locked down")
        locked = _LOCKED.decode(body)
        if locked.code:
            raise SandboxError(locked.code, locked.message)
        child.reduced = zygote.missing
        listener = descriptors.pop() if "notification" not in child.reduced else -1
        child.pidfd, memory, *rest = descriptors
        child.listeners = {(host.host, host.port): at for host, at in zip(child.spec.hosts, rest, strict=True)}
        child.watch = Watch(child.role, child.spec, child.pidfd, listener, memory, self._on_violation)
        if listener < 0:
            child.watch.close()
            return
        try:
            child.watch.refuse_canaries(locked.canaries, START_SECONDS)
        except BaseException:
            child.watch.close()
            raise
        self._watched[listener] = child.watch
        self._poll.register(listener, select.EPOLLIN)

    def _zygote(self, role: Role, *, dedicated: bool = True) -> _Zygote:
        with self._starting:
            found = self._zygotes.get((role, dedicated))
            if found is None or found.gone:
                pool = self._pools.get(role, PROFILES[role].pool) if dedicated else 0
                found = _Zygote(
                    role, pool=pool, dedicated=dedicated, reduced=self._reduced, modules=self._modules.get(role, ())
                )
                self._zygotes[role, dedicated] = found
                self._watched[found.control.fileno()] = found
                self._poll.register(found.control.fileno(), select.EPOLLIN)
            return found

    def _attend(self) -> None:
        while True:
            for descriptor, events in self._poll.poll():
                if descriptor == self._woken.fileno():
                    return
                self._serve(descriptor, events)

    def _serve(self, descriptor: int, events: int) -> None:
        """Let one source speak; what cannot be attended to any longer is ended, and never silently left alone."""
        source = self._watched[descriptor]
        try:
            if events & select.EPOLLIN and source.hear():
                return
        except Exception:  # noqa: BLE001 - one child's trouble must not end the watch over the others
            if isinstance(source, Watch):
                source.kill()
        self._poll.unregister(descriptor)
        del self._watched[descriptor]
        source.close()
        self._zygotes = {key: zygote for key, zygote in self._zygotes.items() if zygote is not source}
