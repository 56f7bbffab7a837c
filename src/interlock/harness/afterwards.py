"""Afterwards: what a confined step has changed beyond what was decided on is put back (decision 0074).

A claim names files, and folders with all below them.  Beside a file that is made, removed or replaced nothing else may
change (``Fence``); the kernel holds what stood there, and what is new is found by its name.  In a folder that is
claimed as a whole the gate is asked about each path that changed.  Names alone are looked at here; what they hold is
compared, and put back, by steps of their own.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from interlock.artifact import snapshot
from interlock.artifact.errors import StateError
from interlock.artifact.resources import Touched
from interlock.artifact.snapshot import MAX_ROOTS, Snapshot, SnapshotEntry, differences
from interlock.decide.below import Change, Gate
from interlock.decide.effects import undoable
from interlock.harness.learning import UNASKED
from interlock.harness.minting import Sealed
from interlock.harness.rows import PlanRow
from interlock.harness.sandbox.profiles import PathGrant
from interlock.harness.snapshots import Snapshots
from interlock.harness.stepping import Result
from interlock.harness.withholding import spellable

CLOSED: Final = "step.closed"
UNCLAIMED: Final = "step.unclaimed"
MAX_TOLD: Final = 16


@dataclass(frozen=True, slots=True)
class Fence:
    """A folder of which only some names may change: the mode, the other names and where links among them lead."""

    grant: PathGrant
    mode: int
    names: frozenset[str]
    links: Mapping[str, str]

    def strays(self) -> list[SnapshotEntry]:
        """What stood, or did not stand, where now something else does; the folder's own mode is put back.

        Raises ``StateError`` for a name that cannot be put on record.
        """
        now = _fence(self.grant)
        if now.mode != self.mode:
            Path(self.grant.path).chmod(self.mode)
            now = _fence(self.grant)
        changed = {name for name in self.links.keys() | now.links.keys() if self.links.get(name) != now.links.get(name)}
        return [self._before(name) for name in sorted((now.names - self.names) | changed)]

    def _before(self, name: str) -> SnapshotEntry:
        if not spellable(name):
            raise StateError("step.name", "the step made a name that is not UTF-8, which cannot be put on record")
        path, target = f"{self.grant.path}/{name}", self.links.get(name)
        if target is None:
            return SnapshotEntry(path=path, kind="absent")
        return SnapshotEntry(path=path, kind="link", target=target)


def fences(grants: Iterable[PathGrant]) -> tuple[Fence, ...]:
    """The present state of the folders that a step may change in part; raises ``StateError``."""
    return tuple(_fence(grant) for grant in grants if grant.only is not None)


def _fence(grant: PathGrant) -> Fence:
    mode = 0
    try:
        mode = stat.S_IMODE(Path(grant.path).stat().st_mode)
        with os.scandir(grant.path) as entries:
            found = [entry for entry in entries if not grant.reaches(entry.path)]
        links = {entry.name: str(Path(entry.path).readlink()) for entry in found if entry.is_symlink()}
    except PermissionError:
        return Fence(grant, mode, frozenset(), {})
    except OSError:
        raise StateError("step.looking", "the folder that the step works in is not there any more") from None
    return Fence(grant, mode, frozenset(entry.name for entry in found), links)


def changes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    """The files and links on which the two differ; folders are as they are for what lies in them."""
    old = {entry.path: entry.kind for entry in before.entries}
    new = {entry.path: entry.kind for entry in after.entries}
    for path in differences(before, after):
        was, now = old.get(path, "absent"), new.get(path, "absent")
        if {was, now} & {"file", "link"} or (now == "dir" and path.endswith("/.git")):
            yield Change(path, made=was == "absent", gone=now == "absent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Where to look after one step: what confined it, and what was there before."""

    step: str
    iteration: int
    sealed: Sealed
    touched: tuple[Touched, ...]
    before: Snapshot | None
    fences: tuple[Fence, ...]
    gate: Gate | None


def looked_at(row: PlanRow, snapshots: Snapshots, roots: tuple[str, ...], look: Look, result: Result) -> Result:
    """The step's result, once it is known what it left: of what goes beyond what was decided on, nothing stays."""
    place = look.step, look.iteration
    unasked, closed = tuple[str, ...](), False
    strays = [entry for fence in look.fences for entry in fence.strays()]
    left: list[tuple[Snapshot, bytes | None]] = []
    for at in range(0, len(strays), MAX_ROOTS):
        part = strays[at : at + MAX_ROOTS]
        left.append((snapshot.snapshot([entry.path for entry in part], part), None))
    if look.before is not None:
        after = snapshots.after(row, look.sealed, *place, look.before.roots)
        if look.gate is not None:
            state = snapshot.decode(after)
            unasked = tuple(itertools.islice(look.gate.unasked(changes(look.before, state)), MAX_TOLD))
            closed = any(entry.closed and entry.kind == "dir" for entry in state.entries)
        left.append((look.before, after))
    code = UNASKED if unasked else CLOSED if closed else UNCLAIMED if strays else ""
    if not code:
        return result
    for before, reached in left:
        if refusal := snapshots.put_back(row, *place, before, reached):
            return dataclasses.replace(result, ok=False, code=refusal)
    gone = undoable(look.touched, roots)  # Then nothing of the step is left.
    return dataclasses.replace(result, ok=False, started=not gone, code=code, output=b"null", unasked=unasked)
