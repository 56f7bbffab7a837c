"""SNAPSHOT: the state of granted files and trees, recorded by digest, contents handed to the harness.

Each file is read twice through one descriptor, first for its digest, then on its way to the harness; a file
that changes meanwhile fails the snapshot.  What cannot be put back (a device, a FIFO, a name that is no text, what
cannot be read) fails it too: then there is no snapshot, and no effect follows.  Where no content is wanted, because an
effect has happened, such a thing is a file without a digest, and a folder that cannot be looked into is empty.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from interlock.artifact.snapshot import Snapshot, SnapshotEntry
from interlock.artifact.snapshot import snapshot as assemble
from interlock.executor.drivers.blobs import Blobs
from interlock.executor.drivers.content import current, digest_of
from interlock.executor.drivers.places import READ, Places, closing, faults, open_at
from interlock.executor.drivers.trees import Budget, Node, walk
from interlock.executor.work import DriverError


def take(places: Places, paths: Iterable[str], blobs: Blobs | None) -> Snapshot:
    """The present state of the canonical ``paths``; contents go to ``blobs`` where there is a store."""
    roots = sorted(set(paths))
    budget = Budget()
    entries = {entry.path: entry for root in roots for entry in _root(places, root, budget, blobs)}
    return assemble(roots, entries.values())


def _root(places: Places, path: str, budget: Budget, blobs: Blobs | None) -> Iterator[SnapshotEntry]:
    try:
        with places.parent(path) as (parent, name):
            if current(parent, name) is None:
                yield SnapshotEntry(path=path, kind="absent")
                return
            for node in walk(parent, name, budget, closed=blobs is None):
                yield _entry(node, _text(f"{path}/{node.path}" if node.path else path), blobs)
    except DriverError as error:
        if error.code != "files.not_found":
            raise
        yield SnapshotEntry(path=path, kind="absent")


def _entry(node: Node, path: str, blobs: Blobs | None) -> SnapshotEntry:
    if node.is_folder:
        return SnapshotEntry(path=path, kind="dir", mode=node.mode)
    if node.is_link:
        with faults():
            return SnapshotEntry(path=path, kind="link", target=_text(os.readlink(node.name, dir_fd=node.parent)))
    if blobs is None and (node.is_closed or not node.is_file):
        return SnapshotEntry(path=path, kind="file", mode=node.mode, size=node.status.st_size)
    if not node.is_file:
        raise DriverError("files.special", "a device, socket or FIFO cannot be put back")
    return _file(node, path, blobs)


def _file(node: Node, path: str, blobs: Blobs | None) -> SnapshotEntry:
    with closing(open_at(node.parent, node.name, READ)) as descriptor, faults():
        if not os.path.samestat(os.fstat(descriptor), node.status):
            raise DriverError("snapshot.changed", "a file changed while its snapshot was taken")
        digest, size = digest_of(descriptor)
        if blobs is not None:
            blobs.send(descriptor, digest, size)
    return SnapshotEntry(path=path, kind="file", mode=node.mode, size=size, sha256=digest)


def _text(name: str) -> str:
    try:
        return os.fsencode(name).decode("utf-8", "strict")
    except UnicodeDecodeError:
        raise DriverError("snapshot.name", "a name that is not UTF-8 cannot be recorded") from None
