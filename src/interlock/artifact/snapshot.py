"""Snapshot: what files and trees were, by content digest, so that an effect on them can be undone.

Each root is a canonical absolute path that the effect may touch, with everything below it; ``absent`` is a
fact too.  Contents travel apart as blobs named by SHA-256.  Entries stand sorted by path, in pages, because
the codec bounds a list.  Names are data: they may hold any text, but must be UTF-8.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Final, Literal

import msgspec

from interlock.artifact import codec
from interlock.artifact.codec import Digest, Natural, Value

MAX_ENTRIES: Final = 32_768
MAX_ROOTS: Final = 64
MAX_ENCODED: Final = 3 << 20  # A restoration carries two of them in one frame.
_PAGE: Final = 2048
_LOOK: Final = 0o500  # An owner's right to read a folder, and to reach what lies in it.

Path = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]


class SnapshotEntry(Value, frozen=True, kw_only=True, omit_defaults=True):
    """One path: ``mode`` holds permission bits, ``size`` and ``sha256`` describe a file, ``target`` a link.

    A file without a digest is one that could not be read, or is no regular file.
    """

    path: Path
    kind: Literal["file", "dir", "link", "absent"]
    mode: Annotated[int, msgspec.Meta(ge=0, le=0o7777)] = 0
    size: Natural = 0
    sha256: Digest | None = None
    target: Annotated[str, msgspec.Meta(max_length=4096)] = ""

    @property
    def closed(self) -> bool:
        """Whether what it holds is not known, because its owner has no right to look."""
        return (self.kind == "file" and self.sha256 is None) or (self.kind == "dir" and self.mode & _LOOK != _LOOK)


class Snapshot(Value, frozen=True, kw_only=True):
    """The state of ``roots`` at one time."""

    roots: Annotated[tuple[Path, ...], msgspec.Meta(min_length=1, max_length=MAX_ROOTS)]
    pages: Annotated[tuple[tuple[SnapshotEntry, ...], ...], msgspec.Meta(max_length=64)]

    @property
    def entries(self) -> Iterator[SnapshotEntry]:
        """All entries in the order of their paths."""
        return (entry for page in self.pages for entry in page)

    @property
    def digests(self) -> frozenset[str]:
        """The contents that a restoration may want."""
        return frozenset(entry.sha256 for entry in self.entries if entry.sha256 is not None)


class Restoration(Value, frozen=True, kw_only=True):
    """What a RESTORE is given: the state to go back to, and the state that the effect left behind."""

    before: Snapshot
    after: Snapshot


def snapshot(roots: Iterable[str], entries: Iterable[SnapshotEntry]) -> Snapshot:
    """A snapshot with its entries sorted and paged."""
    ordered = sorted(entries, key=lambda entry: entry.path)
    pages = tuple(tuple(ordered[start : start + _PAGE]) for start in range(0, len(ordered), _PAGE))
    return Snapshot(roots=tuple(sorted(set(roots))), pages=pages)


def decode(raw: bytes) -> Snapshot:
    """A snapshot from its canonical bytes; raises ``CodecError``."""
    return codec.decode_canonical(raw, Snapshot, limit=MAX_ENCODED, data=True)


def differences(one: Snapshot, other: Snapshot) -> tuple[str, ...]:
    """The paths on which two snapshots disagree, sorted."""
    ours = {entry.path: entry for entry in one.entries}
    theirs = {entry.path: entry for entry in other.entries}
    return tuple(sorted(path for path in ours.keys() | theirs.keys() if ours.get(path) != theirs.get(path)))
