"""Withholding: below a folder that a step reads, nothing stands where it could not read by itself (decision 0074).

Each name below the folder is asked about once, right before the step starts; no link is followed, and what others have
published is not walked through.  What a step is claimed to remove is left to it: a mount could not be removed.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator
from typing import Final

from interlock.artifact.action import Effect
from interlock.artifact.errors import StateError
from interlock.artifact.resources import Touched, inside
from interlock.decide.below import Gate, published
from interlock.decide.effects import within
from interlock.harness.sandbox.profiles import PathGrant

MAX_NAMES: Final = 32_768
MAX_HELD: Final = 256
_MAX_LEVELS: Final = 64


def withheld(
    touched: Iterable[Touched], gate: Gate, roots: tuple[str, ...], *, closed: bool = False
) -> tuple[PathGrant, ...]:
    """What is hidden from a step that touches these; ``closed`` so that it cannot be taken for an empty file.

    In a folder that is written, a file that has another name elsewhere stays as it is.  Raises ``StateError``
    (``step.too_many``) where that is more than can be looked at, or held.
    """
    files = [one for one in touched if one.recursive and within(one, roots)]
    removed = [one.name for one in files if one.access is Effect.DELETE]
    written = [one.name for one in files if one.access is Effect.WRITE]
    folders = sorted({one.name for one in files if one.access is not Effect.DELETE})
    outer = [one for one in folders if not any(inside(one, other) for other in folders if other != one)]
    found = {path: PathGrant(path=path) for folder in written for path in _linked(folder)}
    found |= {path: PathGrant(path=path, hidden=True, closed=closed) for one in outer for path in _below(one, gate)}
    held = [grant for path, grant in found.items() if not any(inside(path, one) for one in removed)]
    if len(held) > MAX_HELD:
        raise _too_many()
    return tuple(held)


def spellable(name: str) -> bool:
    """Whether a name is UTF-8, so that it can be put on record."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _below(folder: str, gate: Gate) -> Iterator[str]:
    """What may not be read; where that is all of a folder, the folder."""
    whole: set[str] = set()
    for at, entries in _walk(folder, whole):
        if entries is None:
            yield at
            continue
        yield from gate.withheld(entry.path for entry in entries if entry.is_file(follow_symlinks=False))
        inner = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        whole.update(path.removesuffix(_ANYTHING) for path in gate.withheld(path + _ANYTHING for path in inner))
        yield from sorted(whole.intersection(inner))


def _linked(folder: str) -> Iterator[str]:
    """The files with more than one name."""
    for _, entries in _walk(folder, ()):
        for entry in entries or ():
            if entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_nlink > 1:
                yield entry.path


def _walk(folder: str, passed: Container[str]) -> Iterator[tuple[str, list[os.DirEntry[str]] | None]]:
    """Folder by folder what stands in each, except in those that are ``passed`` over by then."""
    count, waiting = 0, [(folder, 0)]
    while waiting:
        at, level = waiting.pop()
        entries = _entries(at)
        count += len(entries or ())
        if count > MAX_NAMES or level > _MAX_LEVELS:
            raise _too_many()
        if not all(spellable(entry.name) for entry in entries or ()):
            raise StateError("step.name", "a name below a folder is not UTF-8, so that no rule can speak of it")
        yield at, entries
        inner = [entry.path for entry in entries or () if entry.is_dir(follow_symlinks=False)]
        waiting += [(path, level + 1) for path in inner if path not in passed and not _others(path)]


_ANYTHING: Final = "/-"  # A name that no rule means: where it is withheld, all is.


def _others(path: str) -> bool:
    """Whether names below a folder mean nothing to rules: packages, and what git keeps under digests."""
    return published(path) or path.endswith("/.git/objects")


def _entries(folder: str) -> list[os.DirEntry[str]] | None:
    """What stands in a folder; nothing can be said of one that may not be looked into."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError:
        return None


def _too_many() -> StateError:
    hint = "name the files, or a smaller folder"
    return StateError("step.too_many", "more stands below a folder than can be looked at", hint=hint)
