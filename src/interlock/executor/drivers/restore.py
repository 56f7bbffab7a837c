"""RESTORE: back to the state before an effect, unless somebody else has changed things since.

0. What the effect has closed, so that it cannot be looked at, is opened.
1. Each path is now either as the effect left it or already as it was before; otherwise ``undo.changed_since``
   names the paths, and nothing happens.  So a restoration that was interrupted can be repeated.
2. What was not there before is removed, deepest first; then directories, files and links are put back.
3. Modes of directories are set last, deepest first, because a directory may have been read-only.
4. What is there now is compared with the state before; a difference is ``undo.incomplete``.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping

from interlock.artifact.codec import Json
from interlock.artifact.resources import inside
from interlock.artifact.snapshot import Restoration, Snapshot, SnapshotEntry, differences
from interlock.executor.drivers.blobs import Blobs
from interlock.executor.drivers.content import current, discard, part_name, synchronise
from interlock.executor.drivers.places import FOLDER, closing, faults, open_at, rename
from interlock.executor.drivers.snapshot import take
from interlock.executor.drivers.trees import delete
from interlock.executor.work import DriverError, Work

MAX_NAMED = 64


def run(work: Work, restoration: Restoration, blobs: Blobs) -> Json:
    """Put the state before back; raises ``DriverError``."""
    before = restoration.before
    # (0) All of it can be seen.
    _open(work, restoration.after.entries)
    # (1) Nobody else's work is overwritten.
    now = take(work.places, before.roots, None)
    _unchanged(now, restoration)
    wanted, present = _by_path(before), _by_path(now)
    changed = differences(before, now)
    # (2) Remove, then rebuild from the top.
    for path in sorted(changed, key=_depth, reverse=True):
        _clear(work, path, present.get(path), wanted.get(path))
    for path in sorted(changed, key=_depth):
        _rebuild(work, path, wanted.get(path), blobs)
    # (3) Modes of directories.
    for path in sorted(changed, key=_depth, reverse=True):
        _set_mode(work, wanted.get(path))
    # (4) Look again.
    left = differences(before, take(work.places, before.roots, None))
    if left:
        raise DriverError("undo.incomplete", f"{len(left)} paths are not as they were", output=_named(left))
    return {"restored": len(changed), "roots": list(before.roots)}


def _open(work: Work, closed: Iterable[SnapshotEntry]) -> None:
    """Give the owner all rights on what is closed, from the top, and on what is found closed below it."""
    waiting = [entry for entry in closed if entry.closed]
    while waiting:
        work.progress.started = True
        for entry in waiting:
            with work.places.parent(entry.path) as (parent, name), faults():
                status = current(parent, name)
                if status is not None and not stat.S_ISLNK(status.st_mode):
                    os.chmod(name, 0o700, dir_fd=parent)
        folders = [entry.path for entry in waiting if entry.kind == "dir"]
        waiting = [entry for entry in take(work.places, folders, None).entries if entry.closed and entry.kind == "dir"]


def _unchanged(now: Snapshot, restoration: Restoration) -> None:
    before, after, present = (_by_path(state) for state in (restoration.before, restoration.after, now))
    if restoration.before.roots != restoration.after.roots:
        raise DriverError("undo.roots", "the two states are not of the same paths")
    paths = before.keys() | after.keys() | present.keys()
    closed = [entry.path for entry in restoration.after.entries if entry.closed]
    unknown = [path for path in paths if present.get(path) not in (before.get(path), after.get(path))]
    strange = sorted(path for path in unknown if not any(inside(path, one) for one in closed))
    if strange:
        raise DriverError(
            "undo.changed_since",
            f"{len(strange)} paths were changed by somebody else since",
            hint="look at them and undo by hand",
            output=_named(strange),
        )


def _named(paths: Iterable[str]) -> Json:
    found = list(paths)
    return {"count": len(found), "paths": found[:MAX_NAMED]}


def _by_path(state: Snapshot) -> Mapping[str, SnapshotEntry]:
    return {entry.path: entry for entry in state.entries}


def _depth(path: str) -> tuple[int, str]:
    return path.count("/"), path


def _clear(work: Work, path: str, present: SnapshotEntry | None, wanted: SnapshotEntry | None) -> None:
    """Remove what stands there, unless the rebuilding can replace it in one rename or keep it."""
    if present is None or present.kind == "absent":
        return
    if wanted is not None and wanted.kind == present.kind:
        return
    work.progress.started = True
    with work.places.parent(path) as (parent, name):
        delete(parent, name)


def _rebuild(work: Work, path: str, wanted: SnapshotEntry | None, blobs: Blobs) -> None:
    if wanted is None or wanted.kind == "absent":
        return
    work.progress.started = True
    with work.places.parent(path) as (parent, name), faults():
        match wanted.kind:
            case "dir":
                _folder(parent, name)
            case "link":
                _link(work, parent, name, wanted)
            case _:
                _file(work, parent, name, wanted, blobs)


def _folder(parent: int, name: str) -> None:
    if current(parent, name) is None:
        os.mkdir(name, 0o700, dir_fd=parent)
        return
    with closing(open_at(parent, name, FOLDER)) as descriptor:
        os.fchmod(descriptor, 0o700)


def _link(work: Work, parent: int, name: str, wanted: SnapshotEntry) -> None:
    part = part_name(work, name)
    discard(parent, part)
    os.symlink(wanted.target, part, dir_fd=parent)
    rename((parent, part), (parent, name), 0)


def _file(work: Work, parent: int, name: str, wanted: SnapshotEntry, blobs: Blobs) -> None:
    part = part_name(work, name)
    discard(parent, part)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        with closing(open_at(parent, part, flags, 0o600)) as descriptor:
            for data in blobs.fetch(wanted.sha256 or "", wanted.size):
                view = memoryview(data)
                while view:
                    view = view[os.write(descriptor, view) :]
            os.fchmod(descriptor, wanted.mode)
            os.fsync(descriptor)
        rename((parent, part), (parent, name), 0)
    finally:
        discard(parent, part)
    synchronise(parent)


def _set_mode(work: Work, wanted: SnapshotEntry | None) -> None:
    if wanted is None or wanted.kind != "dir":
        return
    with (
        work.places.parent(wanted.path) as (parent, name),
        closing(open_at(parent, name, FOLDER)) as descriptor,
        faults(),
    ):
        os.fchmod(descriptor, wanted.mode)
