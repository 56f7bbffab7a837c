"""Patterns of file names: what is touched is the fixed folder before the first part that is not known.

A part that a pattern or a loop stands for is one component of a path; a claim names the folder with all below it.
"""

from __future__ import annotations

from typing import NamedTuple

from interlock.analyst.shell.words import UNKNOWN, Data, Word
from interlock.artifact.errors import ReferenceEvaluationError
from interlock.artifact.resources import canonical_path

MAX_NAME = 4096
WILD = "*?["


class Place(NamedTuple):
    """A file, or a folder with all below it; ``pattern`` is what the words said, for the classes of paths."""

    name: str
    pattern: str
    recursive: bool = False


def as_value(word: Word) -> Data:
    """The value of a loop's variable: of a pattern, one name that it matches."""
    if not word.glob:
        return Data(word.text, word.tags)
    text = word.text
    start = min(index for index in map(text.find, WILD) if index >= 0)
    folder = text[: text.rfind("/", 0, start) + 1]
    last = text[text.rfind("/") + 1 :]
    ending = last[max(map(last.rfind, WILD + "]")) + 1 :]
    return Data((folder or "./") + UNKNOWN + ending, word.tags)


def places(word: Word | Data, folders: tuple[str, ...], home: str, *, recursive: bool) -> list[Place] | None:
    """Where the word points; ``None`` where not even a folder is known."""
    text = word.text
    if len(text) > MAX_NAME:
        return None
    glob = isinstance(word, Word) and word.glob
    cuts = [index for index in (text.find(UNKNOWN), *(text.find(one) for one in WILD if glob)) if index >= 0]
    cut = min(cuts, default=-1)
    fixed = text if cut < 0 else text[: text.rfind("/", 0, cut) + 1]
    if cut >= 0 and not fixed and (text[cut] == UNKNOWN or not folders):
        return None
    if text.startswith("/"):
        folders = ("/",)
    found: list[Place] = []
    for folder in folders:
        try:
            name = canonical_path(fixed or ".", root=folder, home=home)
            whole = (
                canonical_path(text, root=folder, home=home) if UNKNOWN not in text else name + "/" + text[len(fixed) :]
            )
        except ReferenceEvaluationError:
            return None
        found.append(Place(name, whole, recursive or cut >= 0))
    return found or None
