"""The ledger's head file: the latest checkpoint outside the database, so that a cut-off database is noticed.

It is staged (written and fsynced) before the database commits and published (renamed) after: a full disk fails the
append whole, and a crash in between leaves a head that is behind, never one that is ahead.  The lock beside it
orders the writers of all processes.  Whoever can replace database *and* head by older copies goes unnoticed here;
that is what exported checkpoints and witnesses are for.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from interlock.artifact.checkpoint import MAX_NOTE
from interlock.artifact.errors import StateError


class Head:
    """``PATH.head``, with ``PATH.head.next`` and ``PATH.lock`` beside it."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".head")
        self._next = database.with_name(database.name + ".head.next")
        self._lock = os.open(database.with_name(database.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @contextmanager
    def locked(self) -> Generator[None]:
        """Hold the one writer's lock among all processes; raises ``StateError`` after ``close``."""
        if self._lock < 0:
            raise StateError("ledger.closed", "the ledger is closed")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def read(self) -> bytes | None:
        """The published note, or ``None`` where there is none."""
        try:
            with self._path.open("rb") as file:
                return file.read(MAX_NOTE + 1)
        except FileNotFoundError:
            return None

    def stage(self, note: bytes) -> None:
        """Write the next note durably, without showing it yet; raises ``OSError``."""
        write_durably(self._next, note)

    def publish(self) -> None:
        """Show the staged note."""
        self._next.replace(self._path)

    def close(self) -> None:
        """Give the lock's descriptor back; closing twice does nothing, for the number may be another file's by then."""
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = -1


def write_durably(path: Path, content: bytes) -> None:
    """Write a private file and wait until it is on the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fdatasync(descriptor)
