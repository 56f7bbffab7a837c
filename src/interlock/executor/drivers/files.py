"""The driver ``files``: read, list, search, write, patch, mkdir, move, copy, delete below what was granted.

Every path goes through ``places``; every change is one rename where the file system admits it.  Outputs are
small objects; contents that are not UTF-8 text come back in base64.

The text of an error never holds a path or a content, its code says which case it is.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from interlock.artifact.codec import Json
from interlock.executor.drivers import content, search, trees
from interlock.executor.drivers.places import FOLDER, READ, closing, faults, names, regular, rename
from interlock.executor.work import DriverError, Work

MAX_READ: Final = 192 * 1024
MAX_LISTED: Final = 4096
MAX_FOLDER: Final = 200_000
MAX_DIGESTED: Final = 64 << 20
_CONTROL: Final = frozenset(range(32)) - frozenset(b"\t\n\r\f\x1b")
_KINDS: Final = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link"}


def run(work: Work) -> Json:
    """Carry out the manifest's operation; raises ``DriverError``."""
    operation = OPERATIONS.get(work.manifest.driver.operation)
    if operation is None:
        raise DriverError("driver.operation", "the files driver has no such operation")
    return operation(work)


def text_or_base64(data: bytes) -> Mapping[str, Json]:
    """``{"text": …}`` where the bytes are UTF-8 text, else ``{"base64": …}``."""
    try:
        if not _CONTROL.intersection(data):
            return {"text": data.decode("utf-8", "strict")}
    except UnicodeDecodeError:
        pass
    return {"base64": base64.b64encode(data).decode("ascii")}


def named(name: str) -> Mapping[str, Json]:
    """``{"name": …}``, or ``{"nameBase64": …}`` for a name that is not UTF-8."""
    raw = os.fsencode(name)
    try:
        return {"name": raw.decode("utf-8", "strict")}
    except UnicodeDecodeError:
        return {"nameBase64": base64.b64encode(raw).decode("ascii")}


def _read(work: Work) -> Json:
    path = work.places.canonical(work.text("path"))
    offset, most = work.number("offset", 0), min(work.number("limit", MAX_READ), MAX_READ)
    with closing(work.places.open(path, READ)) as descriptor, faults():
        size = regular(descriptor).st_size
        data = os.pread(descriptor, most, offset)
        digest = content.digest_of(descriptor)[0] if size <= MAX_DIGESTED else None
    truncated = offset + len(data) < size
    return {
        "path": path,
        "size": size,
        "sha256": digest,
        "truncated": truncated,
        **text_or_base64(_whole_characters(data) if truncated else data),
    }


def _whole_characters(data: bytes) -> bytes:
    """Without the beginning of a UTF-8 character that the bound has cut."""
    for cut in range(1, min(4, len(data)) + 1):
        if data[-cut] >= 0xC0:  # noqa: PLR2004 - the first byte of a character of several
            with suppress(UnicodeDecodeError):
                data[-cut:].decode()
                return data
            return data[:-cut]
    return data


def _list(work: Work) -> Json:
    path = work.places.canonical(work.text("path"))
    most = min(work.number("limit", 1000), MAX_LISTED)
    with closing(work.places.open(path, FOLDER)) as descriptor, faults():
        found = names(descriptor, MAX_FOLDER)
        entries = [_entry(descriptor, name) for name in found[:most]]
    listed: list[Json] = [entry for entry in entries if entry is not None]
    return {"path": path, "count": len(found), "truncated": len(found) > most, "entries": listed}


def _entry(directory: int, name: str) -> Mapping[str, Json] | None:
    status = content.current(directory, name)
    if status is None:
        return None
    kind = _KINDS.get(stat.S_IFMT(status.st_mode), "special")
    return {**named(name), "kind": kind, "size": status.st_size, "mode": mode_text(status.st_mode)}


def mode_text(mode: int) -> str:
    """Permission bits as four octal digits."""
    return f"{stat.S_IMODE(mode):04o}"


def _write(work: Work) -> Json:
    path = work.places.canonical(work.text("path"))
    data = _content(work)
    with work.places.parent(path) as (parent, name):
        former = content.current(parent, name)
        if former is not None:
            _replaceable(former)
            if not work.flag("overwrite", default=True):
                raise DriverError("files.exists", "something stands at this path already")
        mode = content.replace(work, parent, name, data, former)
    return {**_written(path, data, mode), "created": former is None}


def _content(work: Work) -> bytes:
    text = work.text("content")
    if work.text("encoding", "utf-8") != "base64":
        return text.encode()
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise DriverError("files.base64", "the content is not base64") from None


def _replaceable(status: os.stat_result) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise DriverError("files.link", "a symbolic link stands at this path, and none is followed")
    if stat.S_ISDIR(status.st_mode):
        raise DriverError("files.is_directory", "a directory stands at this path")
    if not stat.S_ISREG(status.st_mode):
        raise DriverError("files.special", "no regular file stands at this path")


def _written(path: str, data: bytes, mode: int) -> Mapping[str, Json]:
    digest = hashlib.sha256(data).hexdigest()
    return {"path": path, "bytes": len(data), "sha256": digest, "mode": mode_text(mode)}


def _patch(work: Work) -> Json:
    path = work.places.canonical(work.text("path"))
    old, new = work.text("old").encode(), work.text("new").encode()
    with work.places.parent(path) as (parent, name):
        with closing(content.open_file(parent, name)) as descriptor, faults():
            data = content.read_whole(descriptor)
            former = os.fstat(descriptor)
        data = _patched(data, old, new)
        mode = content.replace(work, parent, name, data, former)
    return _written(path, data, mode)


def _patched(data: bytes, old: bytes, new: bytes) -> bytes:
    at = data.find(old) if old else -1
    if at < 0:
        raise DriverError("files.patch_missing", "the old text does not stand in the file")
    if data.find(old, at + 1) >= 0:
        raise DriverError("files.patch_ambiguous", "the old text stands in the file more than once")
    return data[:at] + new + data[at + len(old) :]


def _mkdir(work: Work) -> Json:
    path = work.places.canonical(work.text("path"))
    with work.places.parent(path) as (parent, name), faults():
        work.progress.started = content.current(parent, name) is None
        os.mkdir(name, 0o777, dir_fd=parent)
        content.synchronise(parent)
    return {"path": path}


def _move(work: Work) -> Json:
    source, target = _ends(work)
    with work.places.parent(source) as old, work.places.parent(target) as new:
        count = _transferable(old, one_name=False)
        work.progress.started = True
        try:
            with faults():
                _rename_or_copy(work, old, new)
        finally:
            work.progress.started = content.current(*new) is not None or content.current(*old) is None
        content.synchronise(old[0])
        content.synchronise(new[0])
    return {"source": source, "destination": target, "entries": count}


def _ends(work: Work) -> tuple[str, str]:
    source, target = (work.places.canonical(work.text(name)) for name in ("source", "destination"))
    if target == source or target.startswith(source + "/"):
        raise DriverError("files.into_itself", "the destination is the source or lies in it")
    return source, target


def _transferable(entry: tuple[int, str], *, one_name: bool) -> int:
    status = content.current(*entry)
    if status is not None and stat.S_ISLNK(status.st_mode):
        raise DriverError("files.link", "a symbolic link stands at this path, and none is followed")
    return trees.inspect(*entry, one_name=one_name)


def _rename_or_copy(work: Work, old: tuple[int, str], new: tuple[int, str]) -> None:
    try:
        rename(old, new)
    except OSError as error:
        if error.errno not in {errno.EXDEV, errno.EINVAL}:
            raise
        trees.inspect(*old, one_name=True)
        _copy_beside(work, old, new)
        trees.delete(*old)


def _copy(work: Work) -> Json:
    source, target = _ends(work)
    with work.places.whole(source) as old, work.places.parent(target) as new:
        count = _transferable(old, one_name=True)
        _copy_beside(work, old, new)
    return {"source": source, "destination": target, "entries": count}


def _copy_beside(work: Work, old: tuple[int, str], new: tuple[int, str]) -> None:
    """Copy under this step's own name first, then to the free target in one rename."""
    if content.current(*new) is not None:
        raise DriverError("files.exists", "something stands at this path already")
    part = (new[0], content.part_name(work, new[1]))
    _discard_tree(part)
    work.progress.started = True
    try:
        trees.copy(old, part)
        with faults():
            try:
                rename(part, new)
            except OSError as error:
                if error.errno != errno.EINVAL or content.current(*new) is not None:
                    raise
                rename(part, new, 0)
    finally:
        _discard_tree(part)
    content.synchronise(new[0])


def _discard_tree(part: tuple[int, str]) -> None:
    if content.current(*part) is not None:
        trees.delete(*part)


def _delete(work: Work) -> Json:
    path = work.places.canonical(work.text("path"))
    with work.places.parent(path) as (parent, name):
        count = trees.inspect(parent, name, one_name=False)
        if count > 1 and not work.flag("recursive"):
            raise DriverError("files.not_empty", "the directory is not empty", hint="set recursive to delete it whole")
        work.progress.started = True
        trees.delete(parent, name)
        content.synchronise(parent)
    return {"path": path, "entries": count}


OPERATIONS: Final[Mapping[str, Callable[[Work], Json]]] = {
    "read": _read,
    "list": _list,
    "search": search.run,
    "write": _write,
    "patch": _patch,
    "mkdir": _mkdir,
    "move": _move,
    "copy": _copy,
    "delete": _delete,
}
