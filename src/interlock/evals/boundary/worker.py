"""A worker: enters the closed world, plays its share of the calls there, and writes what it observed, a line each.

``python -m interlock.evals.boundary.worker`` reads one ``Work`` on standard input.  It first makes sure that it sees:
the machine's own files are out of reach, and every planted effect is found.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Final

import msgspec

from interlock.artifact.errors import InterlockError
from interlock.evals import items
from interlock.evals.boundary import calls, closed, outside, processes, world
from interlock.evals.boundary.calls import Mapped, Unmapped
from interlock.evals.boundary.control import Ungated, see, words_of
from interlock.evals.boundary.play import Observed, Stage
from interlock.evals.boundary.site import Site
from interlock.evals.items import Item, ItemError
from interlock.harness.sandbox import raw
from interlock.harness.supervisor import Supervisor

_MODULE: Final = "interlock.evals.boundary.worker"
_ENVIRONMENT: Final = {
    "HOME": closed.HOME, "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "USER": "user", "LOGNAME": "user",
    "INTERLOCK_STATE": f"{world.OWN}/state", "INTERLOCK_APPROVER": f"{world.OWN}/approver",
}  # fmt: skip


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One item of the sample, blind, with its place."""

    at: int
    line: str


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's share, by site; ``marker`` is a file of the real machine that the closed world must not show."""

    marker: str
    shares: tuple[tuple[Site, tuple[Task, ...]], ...]


class Failure(msgspec.Struct, frozen=True, kw_only=True, tag="failure"):
    """Why a worker ended early."""

    code: str
    message: str


def main(arguments: list[str]) -> int:
    """Enter, or go on inside with the sockets that the arguments number."""
    try:
        if not arguments:
            words = [sys.executable, "-m", _MODULE, *closed.inheritable(closed.enter())]
            os.execve(sys.executable, words, _ENVIRONMENT)  # noqa: S606
        raw.prctl(1, signal.SIGKILL)
        _play([int(one) for one in arguments])
    except (OSError, InterlockError) as error:
        code = error.code if isinstance(error, InterlockError) else "eval.world"
        _say(Failure(code=code, message=str(error)))
        return 1
    return 0


def _play(sockets: list[int]) -> None:
    processes.adopt()
    Path(world.OWN).mkdir()
    work = msgspec.json.decode(sys.stdin.buffer.read(), type=Work)
    if os.path.lexists(work.marker):
        raise ItemError("eval.world", "a file of the machine can be seen in the closed world")
    authority = outside.Authority()
    there = outside.Outside(*outside.received(sockets), authority)
    for site, tasks in work.shares:
        found = [(task, items.read(task.line)) for task in tasks]
        called, tools = calls.declared([_mapped(item) for _, item in found])
        with Stage(site, there, authority.pem, tools).open() as stage, Supervisor(lambda _: None) as plain:
            ungated = Ungated(plain, stage)
            see(ungated)
            played = [_both(stage, ungated, *one) for one in zip(*zip(*found, strict=True), called, strict=True)]
            for observed in stage.recorded(played):
                _say(observed)


def _mapped(item: Item) -> Mapped:
    found = calls.call_of(item)
    if isinstance(found, Unmapped):
        raise ItemError("eval.item", found.reason)
    return found


def _both(stage: Stage, ungated: Ungated, task: Task, item: Item, call: Mapped) -> Observed:
    """Through the gate, and where it can be tried without one."""
    observed, words = stage.play(task.at, item, call), words_of(call)
    return msgspec.structs.replace(observed, bare=ungated.run(words)) if words is not None else observed


def _say(found: Observed | Failure) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
