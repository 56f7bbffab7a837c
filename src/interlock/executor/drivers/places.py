"""Paths below granted descriptors, and no other: each lookup is one ``openat2`` that follows no link.

A canonical path is looked up from the nearest granted directory with RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS and
RESOLVE_NO_MAGICLINKS, so that the kernel refuses ``..``, absolute targets and every symbolic link, whoever
swaps names meanwhile.  Nothing is opened blocking, and what was opened is looked at again by its descriptor:
only regular files with a single name are read.

Source: openat2(2), renameat2(2).
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Final

from interlock.artifact.resources import canonical_path
from interlock.executor.work import DriverError

NOREPLACE: Final = 1
EXCHANGE: Final = 2
READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY
_RESOLVE: Final = 0x02 | 0x04 | 0x08  # NO_MAGICLINKS, NO_SYMLINKS, BENEATH
_RESOLVE_ABSOLUTE: Final = 0x02 | 0x04
_OPENAT2: Final = 437  # the same number on every architecture
_AT_FDCWD: Final = -100
_MAX_NAME: Final = 255

_libc = ctypes.CDLL(None, use_errno=True)

_CODES: Final = {
    errno.ENOENT: ("files.not_found", "there is nothing at this path"),
    errno.ELOOP: ("files.link", "a symbolic link stands in this path, and none is followed"),
    errno.EXDEV: ("files.scope", "the path leaves what is granted"),
    errno.ENOTDIR: ("files.not_directory", "a part of the path is no directory"),
    errno.EISDIR: ("files.is_directory", "a directory stands at this path"),
    errno.EEXIST: ("files.exists", "something stands at this path already"),
    errno.ENOTEMPTY: ("files.not_empty", "the directory is not empty"),
    errno.EACCES: ("files.permission", "the operating system refuses it"),
    errno.EPERM: ("files.permission", "the operating system refuses it"),
    errno.EROFS: ("files.permission", "this path was granted for reading alone"),
    errno.ENXIO: ("files.special", "no regular file stands at this path"),
    errno.ENAMETOOLONG: ("files.name", "a name in the path is too long"),
    errno.ENOSPC: ("files.full", "the disk is full"),
    errno.EDQUOT: ("files.full", "the quota is used up"),
    errno.EFBIG: ("files.too_large", "the file is too large"),
}


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


class Places:
    """The granted directories (and single files) by canonical path, each an O_PATH descriptor."""

    def __init__(self, directories: Mapping[str, int], home: str) -> None:
        self._granted = dict(directories)
        self._home = home

    def canonical(self, path: str) -> str:
        """The absolute spelling of ``path``, lexically; relative paths start from the home."""
        return canonical_path(path, root=self._home, home="")

    def covers(self, path: str) -> bool:
        """Whether a canonical path is granted or lies below what is granted."""
        return any(path == root or path.startswith(root.rstrip("/") + "/") for root in self._granted)

    def open(self, path: str, flags: int = READ) -> int:
        """A descriptor of what stands at a canonical path; raises ``DriverError``."""
        descriptor = self._granted.get(path)
        if descriptor is not None and not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            return _reopen(descriptor, path, flags)
        base, relative = self._nearest(path, itself=True)
        return open_at(base, relative, flags)

    @contextmanager
    def parent(self, path: str) -> Generator[tuple[int, str], None, None]:
        """The directory that holds ``path``, as a descriptor, and the last name; the granted root has no parent."""
        base, relative = self._nearest(path, itself=False)
        folder, _, name = relative.rpartition("/")
        with closing(open_at(base, folder or ".", os.O_PATH | os.O_DIRECTORY)) as descriptor:
            yield descriptor, name

    @contextmanager
    def whole(self, path: str) -> Generator[tuple[int, str], None, None]:
        """As ``parent``, to read what stands there: a granted folder is its own name ``.``."""
        descriptor = self._granted.get(path)
        if descriptor is not None and stat.S_ISDIR(os.fstat(descriptor).st_mode):
            yield descriptor, "."
            return
        with self.parent(path) as found:
            yield found

    def _nearest(self, path: str, *, itself: bool) -> tuple[int, str]:
        found = [root for root in self._granted if (path == root and itself) or path.startswith(root.rstrip("/") + "/")]
        found = [root for root in found if stat.S_ISDIR(os.fstat(self._granted[root]).st_mode)]
        if not found:
            raise DriverError("files.scope", "this path lies outside of what is granted")
        root = max(found, key=len)
        return self._granted[root], path[len(root) :].lstrip("/") or "."


@contextmanager
def closing(descriptor: int) -> Generator[int, None, None]:
    """Close the descriptor when the block is left."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def faults() -> Generator[None, None, None]:
    """Turn an ``OSError`` into a ``DriverError`` with a stable code; its text would name paths."""
    try:
        yield
    except OSError as error:
        raise _fault(error.errno or 0) from None


def open_at(directory: int, relative: str, flags: int, mode: int = 0) -> int:
    """``openat2`` beneath a directory descriptor; raises ``DriverError``."""
    return _openat2(directory, relative, flags | os.O_NOFOLLOW, mode, _RESOLVE)


def rename(source: tuple[int, str], target: tuple[int, str], flags: int = NOREPLACE) -> None:
    """``renameat2``; raises ``OSError``."""
    old, new = os.fsencode(source[1]), os.fsencode(target[1])
    if _libc.renameat2(source[0], ctypes.c_char_p(old), target[0], ctypes.c_char_p(new), flags) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


def regular(descriptor: int) -> os.stat_result:
    """The status of a regular file with one name; raises ``DriverError`` for anything else."""
    found = os.fstat(descriptor)
    if stat.S_ISDIR(found.st_mode):
        raise DriverError("files.is_directory", "a directory stands at this path")
    if not stat.S_ISREG(found.st_mode):
        raise DriverError("files.special", "no regular file stands at this path")
    if found.st_nlink > 1:
        raise DriverError(
            "files.hard_link",
            "this file has a second name, which may lie outside of what is granted",
            hint="copy it by hand to give it one name",
        )
    return found


def names(descriptor: int, most: int) -> list[str]:
    """The names in an open directory, sorted; raises ``DriverError`` where there are more than ``most``."""
    found: list[str] = []
    with os.scandir(descriptor) as entries:
        for entry in entries:
            found.append(entry.name)
            if len(found) > most:
                raise DriverError("files.too_many", f"a directory with more than {most} entries")
    return sorted(found)


def _openat2(directory: int, relative: str, flags: int, mode: int, resolve: int) -> int:
    if "\0" in relative or any(len(os.fsencode(part)) > _MAX_NAME for part in relative.split("/")):
        raise DriverError("files.name", "a name in the path is too long or holds a NUL")
    how = _How(flags=flags | os.O_CLOEXEC, mode=mode, resolve=resolve)
    path = ctypes.c_char_p(os.fsencode(relative))
    arguments = (ctypes.c_long(_OPENAT2), ctypes.c_int(directory), path, ctypes.byref(how), ctypes.c_size_t(24))
    descriptor: int = _libc.syscall(*arguments)
    if descriptor < 0:
        raise _fault(ctypes.get_errno())
    return descriptor


def _reopen(granted: int, path: str, flags: int) -> int:
    """A granted single file, by its name and then held to the granted inode."""
    descriptor = _openat2(_AT_FDCWD, path, flags | os.O_NOFOLLOW, 0, _RESOLVE_ABSOLUTE)
    if not os.path.samestat(os.fstat(descriptor), os.fstat(granted)):
        os.close(descriptor)
        raise DriverError("files.changed", "another file stands at the granted path")
    return descriptor


def _fault(number: int) -> DriverError:
    code, text = _CODES.get(number, ("files.io", f"the operation failed ({errno.errorcode.get(number, number)})"))
    return DriverError(code, text)
