"""Search in files: lines that hold a text or match a regular expression, within bounds of count, size and time.

A regular expression runs under the step's time limit, whose signal interrupts it; a hit is cut to a readable
length.  A file whose name is that of a credential, what is no text (a NUL in its beginning), too large, a link,
or a file with a second name is passed over and counted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from interlock.artifact.codec import Json
from interlock.artifact.credentials import names_credential
from interlock.executor.drivers.content import open_file, read_whole
from interlock.executor.drivers.places import FOLDER, READ, closing, faults
from interlock.executor.drivers.trees import Budget, Node, walk_inside
from interlock.executor.work import DriverError, Work

MAX_HITS: Final = 1000
MAX_PATTERN: Final = 256
MAX_SEARCHED: Final = 4 << 20
MAX_TOTAL: Final = 128 << 20
MAX_LINE: Final = 400
_BEGINNING: Final = 8192


@dataclass(slots=True)
class _Found:
    most: int
    hits: list[Json] = field(default_factory=list["Json"])
    files: int = 0
    passed_over: int = 0
    left: int = MAX_TOTAL

    @property
    def full(self) -> bool:
        return len(self.hits) >= self.most or self.left <= 0


def run(work: Work) -> Json:
    """Lines below ``path`` that hold ``pattern``; raises ``DriverError``."""
    path = work.places.canonical(work.text("path"))
    matches = _matcher(work.text("pattern"), regex=work.flag("regex"))
    found = _Found(most=min(work.number("limit", 200), MAX_HITS))
    with closing(work.places.open(path, READ)) as descriptor, faults():
        if os.path.isdir(descriptor):  # noqa: PTH112 - a descriptor, which pathlib does not take
            _tree(work, path, matches, found)
        else:
            _file(descriptor, "", matches, found)
    return {
        "path": path,
        "files": found.files,
        "passedOver": found.passed_over,
        "truncated": found.full,
        "hits": found.hits,
    }


def _matcher(pattern: str, *, regex: bool) -> Callable[[str], bool]:
    if not 0 < len(pattern) <= MAX_PATTERN:
        raise DriverError("files.pattern", f"a pattern has 1 to {MAX_PATTERN} characters")
    if not regex:
        return lambda line: pattern in line
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        raise DriverError("files.pattern", "not a regular expression") from None
    return lambda line: compiled.search(line) is not None


def _tree(work: Work, path: str, matches: Callable[[str], bool], found: _Found) -> None:
    with closing(work.places.open(path, FOLDER)) as directory:
        for node in walk_inside(directory, Budget(bytes=1 << 50)):
            if not node.is_folder:
                _node(node, matches, found)
            if found.full:
                return


def _node(node: Node, matches: Callable[[str], bool], found: _Found) -> None:
    plain = node.is_file and node.status.st_nlink == 1 and node.status.st_size <= MAX_SEARCHED
    if names_credential(node.path) or not plain:
        found.passed_over += 1
        return
    try:
        with closing(open_file(node.parent, node.name)) as descriptor:
            _file(descriptor, node.path, matches, found)
    except DriverError:
        found.passed_over += 1


def _file(descriptor: int, path: str, matches: Callable[[str], bool], found: _Found) -> None:
    data = read_whole(descriptor, MAX_SEARCHED)
    found.files += 1
    found.left -= len(data)
    if b"\0" in data[:_BEGINNING]:
        found.passed_over += 1
        return
    for number, line in _lines(data):
        if matches(line):
            shown = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            found.hits.append({"path": shown, "line": number, "text": line[:MAX_LINE]})
        if found.full:
            return


def _lines(data: bytes) -> Iterator[tuple[int, str]]:
    return enumerate(data.decode("utf-8", "replace").split("\n"), start=1)
