"""Confining: which paths and programs a step process is given, by its manifest or by what was claimed of it.

Everything is a path of this machine as it is now; a path that leads through a link, or that cannot be one here, raises
``StateError``.  Where the harness's own files stand a step finds nothing (decision 0045).
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from interlock.artifact.action import Effect, Manifest
from interlock.artifact.errors import StateError
from interlock.artifact.resources import Touched, inside
from interlock.decide.effects import scratch
from interlock.harness.sandbox.profiles import PathGrant, overlaps
from interlock.harness.sandbox.runtime import runtime_paths
from interlock.harness.workspace import FILE_NAME

MAX_BESIDE = 1024
_FEW_BESIDE = 128
_RUN_LATER = ("hooks", "config")
_CHANGING = frozenset({Effect.WRITE, Effect.DELETE})
PROGRAM_FOLDERS = "/usr/local/bin:/usr/bin:/bin"  # not the PATH of whoever started the harness
PROGRAM_PLACES = (*PROGRAM_FOLDERS.split(":"), "/usr/libexec")
HELPERS: Final = {  # what some programs start, and what is of no use without them
    **dict.fromkeys(("gcc", "g++", "cc", "c++", "clang", "clang++"), ("as", "ld")),
    **dict.fromkeys(("tar", "bsdtar", "rsync"), ("sh", "gzip", "bzip2", "xz", "zstd", "lz4", "lzip")),
    **dict.fromkeys(("zcat", "gunzip", "zgrep", "zless", "zdiff"), ("gzip", "grep", "sh", "less", "diff")),
}
PROGRAM_DATA = ("/usr/include", "/usr/share")  # what programs of the machine look into, and everybody may read


def path_grants(touched: Iterable[Touched], manifest: Manifest, own: Iterable[str] = ()) -> tuple[PathGrant, ...]:
    """What a step reaches: what it reads, and the folder of what it writes; ``own`` paths in them are hidden.

    Raises ``StateError`` where a path leads through a link, or cannot be one here.
    """
    grants: dict[str, PathGrant] = {}
    for resource in touched:
        if resource.kind != "file" or resource.open:
            continue
        existing, writes = _reached(resource, manifest), resource.access is not Effect.READ
        known = grants.get(existing)
        writable = writes or (known is not None and known.write)
        grants[existing] = PathGrant(
            path=existing, write=writable, execute=writable and manifest.driver.executable_writes
        )
    return _covered(grants, own)


def _covered(
    grants: Mapping[str, PathGrant], own: Iterable[str], standing: Iterable[str] = ()
) -> tuple[PathGrant, ...]:
    """The grants, with nothing where ``own`` paths stand in them; ``standing`` ones stay as they are."""
    own = set(own)
    own = {one for one in own if not any(inside(one, other) for other in own - {one})}
    kept = [one for grant in grants.values() for one in (*_hidden(grant, own), *_kept(grant, own.union(standing)))]
    covers = {one.path: one for one in sorted(kept, key=lambda one: (not one.write, one.hidden))}
    needed = {path: grant for path, grant in grants.items() if not _again(grant, grants.values())}
    return tuple(sorted({**needed, **covers}.values()))


def _again(grant: PathGrant, grants: Iterable[PathGrant]) -> bool:
    """Whether a wider grant gives the same: a mount of its own could not be removed."""
    return grant.write and any(
        other.write and other.execute == grant.execute and other.path != grant.path and inside(grant.path, other.path)
        for other in grants
        if other.only is None
    )


def _reached(resource: Touched, manifest: Manifest) -> str:
    """The nearest folder of a resource that exists; for a package or program that reads one file, that file."""
    path, writes = Path(resource.name), resource.access is not Effect.READ
    try:
        alone = manifest.driver.name != "files" and not writes and path.is_file()
        itself = alone or (path.is_dir() and (not writes or resource.access is Effect.EXECUTE))
        folder = path if itself else path.parent
        existing = next(parent for parent in (folder, *folder.parents) if alone or parent.is_dir())
        linked = existing.resolve() != existing
    except OSError:
        raise StateError("resource.path", "the operating system knows no such path") from None
    if linked:
        hint = "name the real path"
        raise StateError("resource.link", f"the folder of {path.name} is reached through a link", hint=hint)
    return str(existing)


def _hidden(grant: PathGrant, own: Iterable[str]) -> Iterator[PathGrant]:
    """Nothing over the harness's own paths in a granted folder, but over code that the process itself runs.

    A link in a folder that is only read leads to what is hidden where it stands.
    """
    runtime = runtime_paths("step")
    for name in own:
        path = Path(name) if grant.write else Path(name).resolve()
        code = any(overlaps(name, part) for part in runtime)
        held = grant.listing and grant.only is not None and not grant.reaches(name)
        if inside(str(path), grant.path) and path.exists() and not code and not held:
            yield PathGrant(path=str(path), hidden=True)


def _kept(grant: PathGrant, own: Iterable[str]) -> Iterator[PathGrant]:
    """Binds over the harness's own paths below a writable folder, and over those of another workspace in it.

    The folders between are bound as they are: what is mounted upon can be neither renamed nor removed.
    """
    if not grant.write:
        return
    top = Path(grant.path)
    beside = (top / FILE_NAME, top / "policy") if (top / FILE_NAME).exists() else ()
    for path in {*beside, *(Path(name) for name in own if inside(name, grant.path))}:
        if not grant.reaches(str(path)):
            continue
        if path.is_symlink():
            raise StateError("resource.link", f"{path.name} is a link, which a step could replace")
        if path.exists():
            yield PathGrant(path=str(path))
            between = path.parents[: len(path.parts) - len(top.parts) - 1]
            yield from (PathGrant(path=str(one), write=True, execute=grant.execute) for one in between)


def program(name: str) -> str:
    """The real path of a program, or of a folder of them; raises ``StateError`` where it is not installed."""
    return str(Path(_found(name)).resolve())


def helpers(names: Iterable[str]) -> tuple[str, ...]:
    """The programs that these start by themselves, as far as they are installed."""
    wanted = dict.fromkeys(one for name in names for one in HELPERS.get(name, ()))
    return tuple(one for one in wanted if shutil.which(one, path=PROGRAM_FOLDERS))


def runnable(name: str) -> Mapping[str, str]:
    """What is needed to run a program: it and, where it is a script, what reads it, by their names' paths.

    Each path leads to the real one, which differs from it where a link stands there.
    """
    found = _found(name)
    path = str(Path(found).resolve())
    if Path(path).is_dir():
        return {found: path}
    with Path(path).open("rb") as file:
        first = file.readline(256)
    words = first[2:].decode("utf-8", "replace").split() if first.startswith(b"#!") else []
    readers = [_found(Path(word).name) for word in words[:2] if not word.startswith("-")]
    return {one: str(Path(one).resolve()) for one in (found, *readers)}


def _found(name: str) -> str:
    found = name if Path(name).is_dir() and Path(name).is_absolute() else shutil.which(name, path=PROGRAM_FOLDERS)
    if found is None:
        raise StateError("step.program", f"the program {name} is not installed here")
    return found


def claimed_grants(
    touched: Iterable[Touched], folders: Iterable[str], own: Iterable[str], roots: tuple[str, ...]
) -> tuple[PathGrant, ...]:
    """What a step that is confined to its claim reaches: these files, and the names in the folders that it works in.

    What is made, removed or replaced needs its folder, of which nothing else may change, and nothing can be read but
    what is claimed.  ``own`` paths are hidden.  What a step does below a temporary folder stays in one of its own.
    """
    grants: dict[str, PathGrant] = {}
    wanted = [one for one in touched if one.kind == "file" and not one.open and not scratch(one, roots)]
    listed = [Touched(kind="file", name=folder, access=Effect.READ) for folder in folders]
    for resource in (*listed, *wanted):
        try:
            grant = _claimed_grant(resource)
        except OSError:
            raise StateError("resource.path", "the operating system knows no such path") from None
        if grant is not None:
            grants[grant.path] = _both(grants.get(grant.path), grant)
    grants |= {path: _unread(grant, wanted) for path, grant in grants.items() if grant.only is not None}
    kept = {path: grant for path, grant in grants.items() if not _free(grant, grants.values())}
    return _covered(kept, own, _standing(kept.values(), wanted))


def shut(grants: Iterable[PathGrant]) -> tuple[PathGrant, ...]:
    """The same, but that what is hidden cannot be opened: nobody takes it for something empty, or for gone."""
    return tuple(msgspec.structs.replace(grant, closed=True) if grant.hidden else grant for grant in grants)


def runs_in(grants: Iterable[PathGrant]) -> tuple[PathGrant, ...]:
    """The same, but that what lies below a folder that is written as a whole may be run: code of the workspace does."""
    return tuple(
        msgspec.structs.replace(grant, execute=True) if grant.write and grant.only is None and Path(grant.path).is_dir()
        else grant
        for grant in grants
    )  # fmt: skip


def first_missing(name: str) -> str:
    """The path, or the first folder above it that is not there either and would be made with it."""
    path = Path(name)
    return next((str(one) for one in (*reversed(path.parents), path) if not os.path.lexists(one)), name)


def _both(one: PathGrant | None, other: PathGrant) -> PathGrant:
    """What two claims about one path need together."""
    if one is None:
        return other
    write = one.write or other.write
    limits = [grant.only for grant in (one, other) if grant.write]
    only = None if None in limits else tuple(sorted({name for names in limits for name in names or ()}))
    listing = one.listing and other.listing and not write
    return PathGrant(path=one.path, write=write, listing=listing, only=only if write else None)


def _unread(grant: PathGrant, wanted: Iterable[Touched]) -> PathGrant:
    """The grant of a folder in which something is made or removed; what else it holds is read only where claimed."""
    reading = [one for one in wanted if one.access not in _CHANGING]
    read = any(one.name == grant.path or (one.recursive and inside(grant.path, one.name)) for one in reading)
    return msgspec.structs.replace(grant, listing=not read)


def _free(grant: PathGrant, others: Iterable[PathGrant]) -> bool:
    """Whether the path may change as what lies in a folder: a mount of its own could be neither moved nor removed."""
    return any(
        one.write and one.path != grant.path and inside(grant.path, one.path) and one.reaches(grant.path)
        for one in others
    )  # fmt: skip


def _standing(grants: Iterable[PathGrant], wanted: Iterable[Touched]) -> Iterator[str]:
    """What a repository runs by itself, in a folder that is changed: only a claim that names it may change it."""
    named = [one.name for one in wanted if one.access is not Effect.READ]
    for grant in [one for one in grants if one.write]:
        top = Path(grant.path)
        around = [one for one in (top, *top.parents) if one.name == ".git"]
        for repository in (*around, top / ".git", *top.glob("*/.git")):
            found = [str(repository / name) for name in _RUN_LATER] if not repository.is_symlink() else []
            reached = [one for one in found if grant.reaches(one)]
            yield from (one for one in reached if not any(inside(name, one) for name in named))


def _claimed_grant(resource: Touched) -> PathGrant | None:
    path, changes = Path(resource.name), resource.access in _CHANGING
    there = path.exists() or path.is_symlink()
    if not there and not changes:
        return None
    if there and resource.access is not Effect.DELETE and changes and path.is_file() and path.stat().st_nlink > 1:
        hint = "write a copy of it"
        raise StateError(
            "resource.link", f"{path.name} has another name, under which it would change as well", hint=hint
        )
    alone = there and (not changes or _changed_alone(resource, path))
    chosen = path if alone else next(parent for parent in path.parents if parent.is_dir())
    if chosen.resolve() != chosen:
        hint = "name the real path"
        raise StateError("resource.link", f"{path.name} is reached through a link", hint=hint)
    if alone:
        listing = not changes and path.is_dir() and not resource.recursive
        return PathGrant(path=str(chosen), write=changes, listing=listing)
    if _crowded(chosen, MAX_BESIDE):
        hint = "work in a folder of its own"
        raise StateError("step.crowded", f"more than {MAX_BESIDE} names stand beside {path.name}", hint=hint)
    return PathGrant(path=str(chosen), write=True, only=(path.relative_to(chosen).parts[0],))


def _changed_alone(resource: Touched, path: Path) -> bool:
    """Whether a change of what is there needs no folder: of a file, programs may put another in its place."""
    if resource.access is Effect.DELETE:
        return False
    return not path.is_file() or path.is_symlink() or _crowded(path.parent, _FEW_BESIDE)


def _crowded(folder: Path, most: int) -> bool:
    """Whether so much stands in a folder that it takes too long to keep all but some of it as it is."""
    with os.scandir(folder) as entries:
        return sum(1 for _ in itertools.islice(entries, most + 1)) > most
