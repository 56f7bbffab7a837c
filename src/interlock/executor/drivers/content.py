"""Contents of single files: read within bounds, and replaced whole or not at all.

A new content is written beside its target under a name of this step's own, synchronised, and put in place by
one rename.  Where something stood there before, the two are *exchanged*, and what came out is looked at: if it
is not what was decided on, they are exchanged back.  A reader sees the old content or the new, never a mixture.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from contextlib import suppress
from typing import Final

from interlock.executor.drivers.places import EXCHANGE, NOREPLACE, READ, closing, faults, open_at, regular, rename
from interlock.executor.work import DriverError, Work

MAX_FILE: Final = 16 << 20
CHUNK: Final = 1 << 20
_PERMISSIONS: Final = 0o777
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL


def read_whole(descriptor: int, most: int = MAX_FILE) -> bytes:
    """All bytes from the start of an open file; raises ``DriverError`` for more than ``most``."""
    parts: list[bytes] = []
    size = 0
    while part := os.pread(descriptor, CHUNK, size):
        parts.append(part)
        size += len(part)
        if size > most:
            raise DriverError("files.too_large", f"a file of more than {most} bytes")
    return b"".join(parts)


def digest_of(descriptor: int) -> tuple[str, int]:
    """SHA-256 and size of an open file, read from its start."""
    found, size = hashlib.sha256(), 0
    while part := os.pread(descriptor, CHUNK, size):
        found.update(part)
        size += len(part)
    return found.hexdigest(), size


def current(parent: int, name: str) -> os.stat_result | None:
    """The status of the name itself, a link included; ``None`` where nothing stands there."""
    with faults():
        try:
            return os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return None


def part_name(work: Work, name: str) -> str:
    """The name of this step's unfinished content; a leftover of the same step is its own to remove."""
    return f".interlock-{hashlib.sha256(f'{work.key}/{name}'.encode('utf-8', 'surrogateescape')).hexdigest()[:24]}"


def discard(parent: int, name: str) -> None:
    """Remove a name that may not be there."""
    with faults(), suppress(FileNotFoundError):
        os.unlink(name, dir_fd=parent)


def replace(work: Work, parent: int, name: str, data: bytes, former: os.stat_result | None) -> int:
    """Put ``data`` at ``name``, which must still be ``former`` (or nothing); returns the permission bits."""
    part = part_name(work, name)
    discard(parent, part)
    try:
        mode = write_part(parent, part, data, None if former is None else stat.S_IMODE(former.st_mode) & _PERMISSIONS)
        work.progress.started = True
        put(parent, part, name, former)
    finally:
        discard(parent, part)
    synchronise(parent)
    return mode


def write_part(parent: int, part: str, data: bytes, mode: int | None) -> int:
    """Create ``part`` with ``data`` on disk; ``mode`` as given, or what the process's mask leaves of 0666."""
    with closing(open_at(parent, part, _CREATE, 0o666 if mode is None else 0o600)) as descriptor, faults():
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        if mode is not None:
            os.fchmod(descriptor, mode)
        os.fsync(descriptor)
        return stat.S_IMODE(os.fstat(descriptor).st_mode)


def put(parent: int, part: str, name: str, former: os.stat_result | None) -> None:
    """Rename ``part`` to ``name`` if ``former`` is still what stands there; raises ``DriverError`` otherwise."""
    with faults():
        if former is None:
            rename((parent, part), (parent, name), NOREPLACE)
            return
        try:
            rename((parent, part), (parent, name), EXCHANGE)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            _put_without_exchange(parent, part, name, former)
            return
        if not _same(current(parent, part), former):
            rename((parent, part), (parent, name), EXCHANGE)
            raise DriverError("files.changed", "somebody else changed the file meanwhile")


def _put_without_exchange(parent: int, part: str, name: str, former: os.stat_result) -> None:
    """For file systems that cannot exchange: the look comes before the rename."""
    if not _same(current(parent, name), former):
        raise DriverError("files.changed", "somebody else changed the file meanwhile")
    rename((parent, part), (parent, name), 0)


def _same(found: os.stat_result | None, former: os.stat_result) -> bool:
    if found is None:
        return False
    facts = ("st_dev", "st_ino", "st_mode", "st_size", "st_mtime_ns")
    return all(getattr(found, fact) == getattr(former, fact) for fact in facts)


def synchronise(directory: int) -> None:
    """Make the names in a directory durable."""
    with closing(open_at(directory, ".", os.O_RDONLY | os.O_DIRECTORY)) as descriptor, faults():
        os.fsync(descriptor)


def open_file(parent: int, name: str) -> int:
    """A regular file with one name, open for reading; raises ``DriverError``."""
    descriptor = open_at(parent, name, READ)
    try:
        regular(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
