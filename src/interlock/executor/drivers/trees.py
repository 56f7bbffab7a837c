"""Trees: walked by descriptors, one open directory per level, no link followed; copied and deleted whole.

A tree is looked at first and touched afterwards: what cannot be done to all of it (a device, too many
entries, too deep) is refused before anything has happened.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from interlock.executor.drivers.content import CHUNK, open_file
from interlock.executor.drivers.places import FOLDER, closing, faults, names, open_at
from interlock.executor.work import DriverError

MAX_ENTRIES: Final = 32_768
MAX_LEVELS: Final = 64
MAX_TREE: Final = 1 << 30
_PERMISSIONS: Final = 0o777


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One entry of a walk; ``parent`` stays open until the walk goes on. ``path`` is relative to the start."""

    parent: int
    name: str
    path: str
    status: os.stat_result

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.status.st_mode)

    @property
    def is_link(self) -> bool:
        return stat.S_ISLNK(self.status.st_mode)

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.status.st_mode)

    @property
    def is_closed(self) -> bool:
        """Whether its owner has no right to read it, or to look into it."""
        needed = stat.S_IRUSR | stat.S_IXUSR if self.is_folder else stat.S_IRUSR
        return self.status.st_mode & needed != needed

    @property
    def mode(self) -> int:
        return stat.S_IMODE(self.status.st_mode) & _PERMISSIONS


@dataclass(slots=True)
class Budget:
    """What one walk may still meet."""

    entries: int = MAX_ENTRIES
    bytes: int = MAX_TREE

    def spend(self, status: os.stat_result) -> None:
        """Count one entry; raises ``DriverError`` beyond the bounds."""
        self.entries -= 1
        self.bytes -= status.st_size if stat.S_ISREG(status.st_mode) else 0
        if self.entries < 0:
            raise DriverError("files.too_many", "a tree with too many entries")
        if self.bytes < 0:
            raise DriverError("files.too_large", "a tree with too many bytes")


def walk(parent: int, name: str, budget: Budget, path: str = "", *, closed: bool = False) -> Iterator[Node]:
    """The entry ``name`` of an open directory and all below it, parents first, in the order of names.

    Where ``closed``, a folder that cannot be looked into counts as empty.
    """
    with faults():
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    budget.spend(status)
    node = Node(parent=parent, name=name, path=path, status=status)
    yield node
    if node.is_folder and not (closed and node.is_closed):
        with closing(open_at(parent, name, FOLDER)) as descriptor:
            yield from walk_inside(descriptor, budget, path, closed=closed)


def walk_inside(directory: int, budget: Budget, path: str = "", *, closed: bool = False) -> Iterator[Node]:
    """Everything below an open directory."""
    if path.count("/") >= MAX_LEVELS:
        raise DriverError("files.too_deep", f"a tree of more than {MAX_LEVELS} levels")
    for name in names(directory, budget.entries):
        yield from walk(directory, name, budget, f"{path}/{name}" if path else name, closed=closed)


def inspect(parent: int, name: str, *, one_name: bool) -> int:
    """Count a tree's entries; raises ``DriverError`` for one that cannot be copied or deleted whole."""
    count = 0
    for node in walk(parent, name, Budget()):
        if not (node.is_folder or node.is_link or node.is_file):
            raise DriverError("files.special", "a device, socket or FIFO stands in the tree")
        if one_name and node.is_file and node.status.st_nlink > 1:
            raise DriverError("files.hard_link", "a file in the tree has a second name")
        count += 1
    return count


def delete(parent: int, name: str, level: int = 0) -> None:
    """Remove the entry and all below it; raises ``DriverError``."""
    with faults():
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            os.unlink(name, dir_fd=parent)
            return
    if level > MAX_LEVELS:
        raise DriverError("files.too_deep", f"a tree of more than {MAX_LEVELS} levels")
    with closing(open_at(parent, name, FOLDER)) as descriptor:
        for inner in names(descriptor, MAX_ENTRIES):
            delete(descriptor, inner, level + 1)
    with faults():
        os.rmdir(name, dir_fd=parent)


def copy(source: tuple[int, str], target: tuple[int, str]) -> None:
    """Copy a tree that was inspected to a name that is free; links are copied as links."""
    (parent, name), (to, new) = source, target
    with faults():
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if stat.S_ISLNK(status.st_mode):
        with faults():
            os.symlink(os.readlink(name, dir_fd=parent), new, dir_fd=to)
    elif stat.S_ISDIR(status.st_mode):
        _copy_folder(source, target, stat.S_IMODE(status.st_mode) & _PERMISSIONS)
    else:
        _copy_file(source, target, stat.S_IMODE(status.st_mode) & _PERMISSIONS)


def _copy_folder(source: tuple[int, str], target: tuple[int, str], mode: int) -> None:
    with faults():
        os.mkdir(target[1], 0o700, dir_fd=target[0])
    with closing(open_at(*source, FOLDER)) as old, closing(open_at(*target, FOLDER)) as new:
        for name in names(old, MAX_ENTRIES):
            copy((old, name), (new, name))
        with faults():
            os.fchmod(new, mode)
            os.fsync(new)


def _copy_file(source: tuple[int, str], target: tuple[int, str], mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with closing(open_file(*source)) as old, closing(open_at(*target, flags, 0o600)) as new, faults():
        at = 0
        while part := os.pread(old, CHUNK, at):
            view = memoryview(part)
            while view:
                view = view[os.write(new, view) :]
            at += len(part)
            if at > MAX_TREE:
                raise DriverError("files.too_large", "a file that grows without end")
        os.fchmod(new, mode)
        os.fsync(new)
