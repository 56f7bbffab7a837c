"""The separation-violation sensor: answers each forbidden system call of one child, and tells the critical ones.

The answer is a refusal, always, but for two things, which are let through to the kernel: in a process that has
no business with files, an open that only reads the runtime; in a step, a connection to a granted host.  There
mounts, Landlock and the step's own network decide.  What the sensor reads
of the child's memory can change under it, so nothing is ever permitted because of it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import posixpath
import select
import signal
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from interlock.artifact.errors import SandboxError
from interlock.harness.sandbox.probes import WATCHED
from interlock.harness.sandbox.profiles import PROFILES, JailSpec, Role, Violation, addresses
from interlock.harness.sandbox.runtime import module_path, runtime_paths
from interlock.harness.sandbox.syscall_rules import is_critical
from interlock.harness.sandbox.syscalls import table

_RECEIVE, _SEND, _VALID = 0xC050_2100, 0xC018_2101, 0x4008_2102
_REQUEST: Final = struct.Struct("QIIiIQ6Q")
_ANSWER: Final = struct.Struct("QqiI")
_CONTINUE: Final = 1
_CHANGES: Final = 0o3 | 0o100 | 0o1000 | 0o20000000  # any access but reading, O_CREAT, O_TRUNC, O_TMPFILE
_CURRENT_FOLDER: Final = 0xFFFF_FF9C
_PATH_BYTES: Final = 1024
_LIBRARY_LINKS: Final = ("/lib", "/lib64")
_NAMES: Final = {number: name for name, number in table().items()}
FLOOD: Final = 10_000
_LOOKED_FOR: Final = (
    "/usr/share/zoneinfo",
    "/usr/share/locale",
    "/etc/localtime",
    "/etc/ssl",
    "/usr/lib/ssl",
    "/dev/null",
)
"""What the C library and the interpreter look for by themselves: refused, and not held against the child."""


class Watch:
    """The sensor of one child; it owns the listener and the memory descriptor."""

    def __init__(
        self,
        role: Role,
        spec: JailSpec,
        pidfd: int,
        listener: int,
        memory: int,
        on_violation: Callable[[Violation], None],
    ) -> None:
        self._role: Final[Role] = role
        self._spec = spec
        self._pidfd = os.dup(pidfd)
        self._listener = listener
        self._memory = memory
        self._tell = on_violation
        self._runtime = (*runtime_paths(role), *module_path(), *_LIBRARY_LINKS)
        self._granted = {f"{address}:{port}" for address, port in addresses(spec)}
        self._violations: list[Violation] = []
        self.refused: Counter[str] = Counter()

    @property
    def violations(self) -> tuple[Violation, ...]:
        return tuple(self._violations)

    def refuse_canaries(self, count: int, seconds: float) -> None:
        """Refuse exactly ``count`` calls, those that the role's probes make; raises ``SandboxError`` else."""
        deadline = time.monotonic() + seconds
        expected = [probe.syscall for probe in WATCHED[self._role]]
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        for name in expected[:count] if count == len(expected) else ["?"]:
            ready = poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
            if not ready or not ready[0][1] & select.POLLIN:
                raise SandboxError("sandbox.probe", f"the canary {name} of a confined {self._role} got through")
            identity, _, number, _ = self._receive()
            if _NAMES.get(number) != name:
                raise SandboxError("sandbox.probe", f"a confined {self._role} did something else than {name}")
            self._answer(identity, -errno.EPERM)

    def hear(self) -> bool:
        """Answer one call; ``False`` where no process is left to make one."""
        try:
            identity, pid, number, arguments = self._receive()
        except OSError as error:
            return error.errno in {errno.EINTR, errno.ENOENT}
        name = _NAMES.get(number, f"number {number}")
        detail = self._address(arguments) if name == "connect" else self._path(name, arguments)
        if self._only_reads_runtime(name, arguments, detail) or (name == "connect" and detail in self._granted):
            self._answer(identity, 0, _CONTINUE)
            return True
        self._note(name, pid, arguments, detail)
        self._answer(identity, -errno.EPERM)
        return True

    def foreign(self) -> None:
        """Tell that the child was killed for a call of a foreign architecture or numbering."""
        self._record(Violation(role=self._role, pid=-1, syscall="a foreign system call"))

    def close(self) -> None:
        """Let go of the descriptors; every further forbidden call then fails by itself."""
        for descriptor in (self._listener, self._memory, self._pidfd):
            if descriptor >= 0:
                os.close(descriptor)
        self._listener = self._memory = self._pidfd = -1

    def _note(self, name: str, pid: int, arguments: tuple[int, ...], detail: str) -> None:
        self.refused[name] += 1
        flood = self.refused.total() == FLOOD
        looked_for = name == "openat" and not arguments[2] & _CHANGES and _lies_in(detail, _LOOKED_FOR)
        if flood:
            self.kill()
        elif looked_for or not is_critical(name, arguments, self._spec, PROFILES[self._role]):
            return
        what = "flood" if flood else detail
        self._record(Violation(role=self._role, pid=pid, syscall=name, arguments=arguments, detail=what))

    def _record(self, violation: Violation) -> None:
        self._violations.append(violation)
        try:
            self._tell(violation)
        except Exception:  # noqa: BLE001 - whoever cannot be told cannot decide, so the child ends
            self.kill()

    def kill(self) -> None:
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def _only_reads_runtime(self, name: str, arguments: tuple[int, ...], path: str) -> bool:
        watched = PROFILES[self._role].opens_watched and name == "openat"
        return watched and not arguments[2] & _CHANGES and _lies_in(path, self._runtime)

    def _path(self, name: str, arguments: tuple[int, ...]) -> str:
        """The path that an open names, as the child's memory has it at this moment; a hint, never a ground."""
        at = {"open": 0, "openat": 1, "openat2": 1, "execve": 0}.get(name)
        if at is None:
            return ""
        try:
            text = os.pread(self._memory, _PATH_BYTES, arguments[at])
        except (OSError, OverflowError):
            return ""
        path = text.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")
        relative = at == 1 and arguments[0] & 0xFFFF_FFFF != _CURRENT_FOLDER
        return posixpath.normpath(posixpath.join("?" if relative else "/", path))

    def _address(self, arguments: tuple[int, ...]) -> str:
        """The IPv4 address and port that a connect names, with the same caution."""
        try:
            port, packed = struct.unpack("!2xH4s", os.pread(self._memory, 8, arguments[1]))
        except (OSError, OverflowError, struct.error):
            return ""
        return f"{socket.inet_ntoa(packed)}:{port}"

    def _receive(self) -> tuple[int, int, int, tuple[int, ...]]:
        request = bytearray(_REQUEST.size)
        fcntl.ioctl(self._listener, _RECEIVE, request)
        identity, pid, _, number, _, _, *arguments = _REQUEST.unpack(request)
        return identity, pid, number, tuple(arguments)

    def _answer(self, identity: int, error: int, flags: int = 0) -> None:
        try:
            fcntl.ioctl(self._listener, _SEND, bytearray(_ANSWER.pack(identity, 0, error, flags)))
        except OSError:
            return  # the call was given up meanwhile, or its process is dead


def _lies_in(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)
