"""What a driver is handed, and how it fails: the resolved work of one step, and nothing of another.

A driver sets ``progress.started`` just before its first lasting effect, so that a failure can say whether
something may have happened.  ``limit`` ends whatever runs, a regular expression too, by a signal that no
``except Exception`` swallows; the harness's watchdog stands behind it.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING

from interlock.artifact.action import Manifest
from interlock.artifact.codec import Json
from interlock.artifact.errors import InterlockError

if TYPE_CHECKING:
    from interlock.executor.drivers.places import Places

_AGAIN = 0.25


class DriverError(InterlockError):
    """A step that could not be done; ``output`` is what is known of it, under the output's label."""

    def __init__(self, code: str, message: str, *, hint: str = "", output: Json = None) -> None:
        self.output = output
        super().__init__(code, message, hint=hint)


class TimeExpired(BaseException):
    """The step's time is over; a driver must not swallow it."""


@dataclass(slots=True)
class Progress:
    """Whether an effect may have begun."""

    started: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One step's work; ``key`` is unique to (plan, step, iteration), ``deadline`` in ``time.monotonic`` seconds.

    ``programs`` maps a program's name in the manifest to its real file, where the name is a link.
    """

    manifest: Manifest
    arguments: Mapping[str, Json]
    places: Places
    home: str
    key: str
    deadline: float
    secrets: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    programs: Mapping[str, str] = field(default_factory=dict[str, str])
    progress: Progress = field(default_factory=Progress)

    def text(self, name: str, default: str = "") -> str:
        """A string argument, whose type the manifest's schema has fixed."""
        value = self.arguments.get(name, default)
        return value if isinstance(value, str) else default

    def number(self, name: str, default: int) -> int:
        """An integer argument."""
        value = self.arguments.get(name, default)
        return value if isinstance(value, int) else default

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A boolean argument."""
        value = self.arguments.get(name, default)
        return value if isinstance(value, bool) else default

    def remaining(self) -> float:
        """Seconds until the deadline, never negative."""
        return max(0.0, self.deadline - time.monotonic())


@contextmanager
def limit(seconds: float) -> Generator[None, None, None]:
    """Raise ``TimeExpired`` in the main thread after ``seconds``, again and again until the block is left."""
    former = signal.signal(signal.SIGALRM, _expire)
    outer = signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *outer)
        signal.signal(signal.SIGALRM, former)


def _expire(_signal: int, _frame: FrameType | None) -> None:
    raise TimeExpired
