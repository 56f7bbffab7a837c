"""Scripts run in the real confinement, for an auditor who wants to get out, and the report on what holds here.

``run_script`` gives a Python file exactly the process that the named role gets: same zygote, same lock-down,
same watch.  Its source is read here, by the caller's own right, and travels over the channel; nothing of the
caller's files becomes visible in the jail.
"""

from __future__ import annotations

import json
import os
import select
import socket
import threading
from pathlib import Path
from typing import Final

import msgspec

from interlock.artifact import frames
from interlock.artifact.errors import SandboxError
from interlock.harness.sandbox.profiles import PROFILES, JailSpec, Role, Violation
from interlock.harness.supervisor import Child, Supervisor

_CHUNK: Final = 1 << 16
_PROBE_SECONDS: Final = 20.0


def run_script(
    role: Role,
    path: Path,
    arguments: tuple[str, ...] = (),
    *,
    spec: JailSpec | None = None,
    stdout: int = 1,
    stderr: int = 2,
    unsafe_reduced: bool = False,
) -> int:
    """Run the file at ``path`` as ``role`` with ``sys.argv`` set; returns its exit code, minus a signal's number.

    Output is copied to the descriptors ``stdout`` and ``stderr``, and each violation is named on ``stderr`` at
    the end, one line each.  Raises ``SandboxError`` where no full confinement can be had, ``OSError`` where the
    file cannot be read.
    """
    source = path.read_bytes()
    with Supervisor(lambda _: None, unsafe_reduced=unsafe_reduced, pools={role: 0}) as supervisor:
        child = supervisor.start(role, msgspec.structs.replace(spec or JailSpec(), mode="script"), pipes=True)
        try:
            hand_over(child, [str(path), *arguments], source)
            _pump({child.stdout: stdout, child.stderr: stderr})
            code = child.wait()
        finally:
            child.close()
    for violation in child.violations:
        _write_all(stderr, f"{describe(violation)}\n".encode())
    return code


def describe(violation: Violation) -> str:
    """One line on a violation; the child's own text is quoted, so that it cannot pass for ours."""
    shown = f" {violation.detail!a}" if violation.detail else ""
    return (
        f"interlock: separation violation: the {violation.role} (pid {violation.pid}) tried {violation.syscall}{shown}"
    )


def hand_over(child: Child, argv: list[str], source: bytes) -> None:
    """Give a child in script mode its ``sys.argv`` and its source, without waiting for it to read them."""

    def send() -> None:
        try:
            frames.send(child.channel, json.dumps(argv).encode())
            frames.send(child.channel, source or b"\n")
        except OSError:
            child.channel.shutdown(socket.SHUT_WR)

    threading.Thread(target=send, daemon=True).start()


def _pump(routes: dict[int, int]) -> None:
    """Copy each pipe to its target until all are closed; a target that is gone no longer gets anything."""
    poll = select.poll()
    for pipe in routes:
        poll.register(pipe, select.POLLIN)
    left = len(routes)
    while left:
        for pipe, _ in poll.poll():
            data = os.read(pipe, _CHUNK)
            if data:
                _write_all(routes[pipe], data)
            else:
                poll.unregister(pipe)
                left -= 1


def _write_all(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(target, view) :]
        except BrokenPipeError:
            return


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """Whether one canary was refused to one role; ``name`` completes "a confined role could …"."""

    role: Role
    name: str
    refused: bool


class ProbeReport(msgspec.Struct, frozen=True, kw_only=True):
    """What holds on this machine: ``layers`` in words, every canary of every role, and why a role cannot start."""

    layers: tuple[tuple[str, str], ...]
    outcomes: tuple[Outcome, ...]
    failures: tuple[tuple[Role, str], ...]

    @property
    def holds(self) -> bool:
        return bool(self.outcomes) and not self.failures and all(outcome.refused for outcome in self.outcomes)


def probe_report(roles: tuple[Role, ...] = tuple(PROFILES), *, unsafe_reduced: bool = False) -> ProbeReport:
    """Start each role and let it try the whole canary set on itself; for ``interlock doctor``."""
    from interlock.harness.sandbox.machine import layers

    outcomes: list[Outcome] = []
    failures: list[tuple[Role, str]] = []
    with Supervisor(lambda _: None, unsafe_reduced=unsafe_reduced, pools=dict.fromkeys(roles, 0)) as supervisor:
        for role in roles:
            try:
                outcomes += _probe(supervisor, role)
            except SandboxError as error:
                failures.append((role, str(error)))
    return ProbeReport(layers=layers(), outcomes=tuple(outcomes), failures=tuple(failures))


def _probe(supervisor: Supervisor, role: Role) -> list[Outcome]:
    child = supervisor.start(role, JailSpec(mode="probe"))
    try:
        child.channel.settimeout(_PROBE_SECONDS)
        body = frames.receive(child.channel)
        if body is None:
            raise SandboxError("sandbox.probe", f"the {role} ended while it probed, with {child.wait(1)}")
        found = msgspec.json.decode(body, type=dict[str, bool])
    finally:
        child.close()
    return [Outcome(role=role, name=name, refused=refused) for name, refused in found.items()]
