"""Named places in a harness where a process can be stopped and killed, and a way to see that all of it died.

A point is a method of the harness together with which of its calls is meant; ``arm`` makes the process that calls it
say so on stdout and stand still, right before or right after the call, so that a parent can kill it there.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlock.artifact.channel_pb2 import RunStep
from interlock.decide.life import Event
from interlock.harness.core import Core
from interlock.harness.stepping import Stepper
from interlock.harness.store import Store

ROOT = Path(__file__).resolve().parents[2]
Arguments = tuple[Any, ...]
SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Point:
    """One method, and which of its calls is meant."""

    owner: type
    method: str
    meant: Callable[[Arguments, Mapping[str, Any]], bool] = lambda _args, _named: True


def recording(kind: str, *codes: str) -> Point:
    """The durable append of one kind of entry (of these codes, where some are named), alone or with others."""

    def meant(args: Arguments, _named: Mapping[str, Any]) -> bool:
        return any(entry[0] == kind and (not codes or entry[4] in codes) for entry in args[0])

    return Point(owner=Core, method="record_all", meant=meant)


def settling(state: str, column: str = "") -> Point:
    """A claim's row gets this state, and this column."""
    return Point(
        owner=Store, method="settle", meant=lambda args, named: args[3] == state and (not column or column in named)
    )


def advancing(event: Event) -> Point:
    """The plan's status changes by this event."""
    return Point(owner=Store, method="advance", meant=lambda args, _: args[1] is event)


def stepping(mode: RunStep.Mode) -> Point:
    """A step process runs from start to end."""
    return Point(owner=Stepper, method="run", meant=lambda args, _: args[0].mode == mode)


STEP_POINTS: Mapping[str, Point] = {
    "claim": Point(owner=Store, method="claim"),
    "intention": recording("intention"),
    "arguments": settling("claimed", "arguments"),
    "snapshot": recording("snapshot", "before"),
    "snapshot stored": settling("claimed", "before"),
    "step": stepping(RunStep.ACT),
    "snapshot of what is left": recording("snapshot", "after"),
    "labels carried": Point(owner=Store, method="carry"),
    "outcome": recording("outcome", "done"),
    "settle": settling("done"),
}
SEAL_POINTS: Mapping[str, Point] = {
    "grant": recording("grant"),
    "approvals used": Point(owner=Store, method="use_approvals"),
    "seal": advancing(Event.SEAL),
    "start": advancing(Event.START),
}
END_POINTS: Mapping[str, Point] = {"finish": advancing(Event.FINISH)}
APPROVAL_POINTS: Mapping[str, Point] = {
    "approval": recording("approval"),
    "approval counted": Point(owner=Store, method="put_approval"),
    "approved": advancing(Event.APPROVE),
}
UNDO_POINTS: Mapping[str, Point] = {
    "undo intended": recording("undo", "intended"),
    "restore": stepping(RunStep.RESTORE),
    "undone recorded": recording("undo", "undone"),
    "undone": settling("undone"),
    "undo": advancing(Event.UNDO),
}
POINTS: Mapping[str, Point] = {**STEP_POINTS, **SEAL_POINTS, **END_POINTS, **APPROVAL_POINTS, **UNDO_POINTS}


def arm(name: str, moment: str, occurrence: int) -> None:
    """From now on this process stands still before or after the Nth call of a point."""
    point = POINTS[name]
    original = getattr(point.owner, point.method)
    left = occurrence

    def stopping(self: object, *args: Any, **named: Any) -> Any:
        nonlocal left
        left -= (met := point.meant(args, named))
        if met and not left and moment == "before":
            stand_still()
        found = original(self, *args, **named)
        if met and not left and moment == "after":
            stand_still()
        return found

    setattr(point.owner, point.method, stopping)


def stand_still() -> None:
    """Say that the point is reached, and wait to be killed."""
    print("reached", flush=True)
    signal.pause()


def run_and_kill(folder: Path, *arguments: str) -> str:
    """Run ``tests.chaos.victim`` until it says a line, then kill -9; that line.  Nothing that it started is left."""
    with start_victim(folder, *arguments) as victim:
        assert victim.stdout is not None
        line = victim.stdout.readline().strip()
        kill_all_of(victim)
    return line


@contextlib.contextmanager
def start_victim(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The victim, running; whatever goes wrong here, it does not wait for ever to be killed."""
    command = [sys.executable, "-B", "-m", "tests.chaos.victim", str(folder), *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as victim:
        try:
            yield victim
        finally:
            victim.kill()


def kill_all_of(victim: subprocess.Popen[str], seconds: float = 5.0) -> None:
    """Kill one process with SIGKILL and wait until everything below it has died by itself."""
    below = list(_handles(descendants(victim.pid)))
    victim.kill()
    victim.wait(SECONDS)
    try:
        for descriptor in below:
            assert select.select([descriptor], [], [], seconds)[0], "a child outlives its harness"
    finally:
        for descriptor in below:
            os.close(descriptor)


def _handles(pids: Iterable[int]) -> Iterator[int]:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # It ended by itself since it was listed.
            yield os.pidfd_open(pid)


def until_there(path: Path, victim: subprocess.Popen[str], seconds: float = SECONDS) -> None:
    """Wait until a file has content, as long as its writer lives."""
    deadline = time.monotonic() + seconds
    writer = os.pidfd_open(victim.pid)
    try:
        while not path.stat().st_size:
            assert time.monotonic() < deadline, f"nothing is written to {path.name}"
            assert not select.select([writer], [], [], 0.01)[0], "the writer is dead"
    finally:
        os.close(writer)


def descendants(pid: int) -> Iterator[int]:
    """The processes below one, as far as they are still there."""
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            below = [int(child) for child in listing.read_text().split()]
        except OSError:
            continue
        for child in below:
            yield child
            yield from descendants(child)


def grandchildren() -> list[int]:
    """The processes below this one's own children, which are the zygotes."""
    own = [int(pid) for listing in Path("/proc/self/task").glob("*/children") for pid in listing.read_text().split()]
    return [pid for child in own for pid in descendants(child)]
