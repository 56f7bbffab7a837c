"""Suites: labelled items from a file, one after the other, in either of two forms.

JSON Lines: one object a line, an item (``interlock.evals.items``) with ``label`` (attack or benign), ``source``,
``category``, ``acceptable`` and ``tags``.  YAML: a list of cases (``interlock.evals.cases``).  A file is hostile input:
lines, files and suites are bounded, and the first line that cannot be read ends the suite (``eval.item`` and where it
stands), because figures over a part of a suite would be figures of another suite.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from interlock.evals import items
from interlock.evals.cases import of_yaml
from interlock.evals.items import ItemError
from interlock.evals.labelled import Case, of_line

MAX_ITEMS: Final = 200_000
MAX_FILE: Final = 1 << 30


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was measured on, with the digest of its bytes."""

    name: str
    sha256: str


def files(paths: Iterable[Path]) -> tuple[File, ...]:
    """What a report says of where it is from; raises ``ItemError`` for a file that is too large."""
    found: list[File] = []
    for path in paths:
        if path.stat().st_size > MAX_FILE:
            raise ItemError("eval.size", f"{path.name}: more than {MAX_FILE} bytes", hint="split the file")
        with path.open("rb") as stream:
            found.append(File(name=path.name, sha256=hashlib.file_digest(stream, "sha256").hexdigest()))
    return tuple(found)


def cases(paths: Iterable[Path]) -> Iterator[Case]:
    """The cases of all files, in order; raises ``ItemError``."""
    count = 0
    for path in paths:
        for case in of_yaml(path) if path.suffix in {".yaml", ".yml"} else of_lines(path):
            count += 1
            if count > MAX_ITEMS:
                raise ItemError("eval.size", f"more than {MAX_ITEMS} items", hint="measure them in parts")
            yield case


def of_lines(path: Path) -> Iterator[Case]:
    """The cases of JSON Lines; empty lines count as lines and are no items."""
    number = 0
    with path.open("rb") as lines:
        while line := lines.readline(items.MAX_LINE + 1):
            number += 1
            try:
                text = _text(line)
                if text.strip():
                    yield of_line(text, path.stem)
            except ItemError as error:
                hint = "correct the line; docs/evaluation.md has the form"
                raise ItemError("eval.item", f"{path.name}:{number}: {error.message}", hint=hint) from None


def _text(line: bytes) -> str:
    if len(line) > items.MAX_LINE:
        raise ItemError("eval.item", f"a line of more than {items.MAX_LINE} bytes")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        raise ItemError("eval.item", "not UTF-8") from None
