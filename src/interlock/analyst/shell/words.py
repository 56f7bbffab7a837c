"""Words of a shell as far as they are known: text with marks for what is not, and where its parts come from.

A half-expanded word is one string in which private code points carry what bash keeps in flags: a character that was
quoted (``QUOTED`` plus its code), a place where an unquoted expansion may split, and text that is not known.  Input
that holds such code points itself is refused before (``has_marks``).

>>> [one.text for one in fields("a{b,c}" + quote("{d,e}"), NONE)]
['ab{d,e}', 'ac{d,e}']
"""

from __future__ import annotations

import re
from typing import NamedTuple

UNKNOWN = "\ue000"  # Text that is not known, inside one word.
UNKNOWN_FIELDS = "\ue001"  # Text that is not known and may be several words, or none.
SPLIT = "\ue002"  # Where an unquoted expansion is split.
EMPTY = "\ue003"  # A quoted empty string, which makes a word of nothing.
_QUOTED = 0xF000
_SPECIAL = frozenset(" \t\n{},*?[]~")
_TO_QUOTED = {ord(char): chr(_QUOTED + ord(char)) for char in _SPECIAL}
_FROM_QUOTED = {_QUOTED + ord(char): char for char in _SPECIAL}
_TO_SPLIT = {
    **{ord(char): SPLIT for char in " \t\n"},
    **{ord(char): chr(_QUOTED + ord(char)) for char in "{},~"},
    ord(UNKNOWN): UNKNOWN_FIELDS,
}
_MARKS = re.compile("[\ue000-\uf8ff]")
_GLOB = re.compile(r"[*?]|\[[^]]+\]")
_SEQUENCE = re.compile(r"\{(-?\d{1,6})\.\.(-?\d{1,6})(?:\.\.(-?\d{1,6}))?\}|\{([A-Za-z])\.\.([A-Za-z])\}")
_PAST_UNKNOWN = re.compile(f"[{UNKNOWN}{UNKNOWN_FIELDS}]")
MAX_WORDS = 512
MAX_TEXT = 64 * 1024
CHARACTERS = 64  # As much text as costs one unit of work.

NONE: frozenset[str] = frozenset()


class Data(NamedTuple):
    """A text as far as it is known, and the origins of what it holds."""

    text: str = ""
    tags: frozenset[str] = NONE

    @property
    def known(self) -> bool:
        """Whether no part of the text is unknown."""
        return UNKNOWN not in self.text and UNKNOWN_FIELDS not in self.text


NOTHING = Data()


def combine(left: Data, right: Data) -> Data:
    """The output of one statement after another."""
    if not left.text:
        return Data(right.text, left.tags | right.tags)
    if not right.text:
        return Data(left.text, left.tags | right.tags)
    return Data((left.text + right.text)[:MAX_TEXT], left.tags | right.tags)


class Word(NamedTuple):
    """One argument.  ``glob`` while it is a pattern of file names; ``fields`` where it may be several words or none."""

    text: str
    tags: frozenset[str] = NONE
    glob: bool = False
    fields: bool = False

    @property
    def known(self) -> bool:
        """Whether no part of the text is unknown."""
        return UNKNOWN not in self.text and not self.fields

    @property
    def fixed(self) -> str:
        """The text before the first part that is unknown or a pattern."""
        cut = _PAST_UNKNOWN.search(self.text)
        text = self.text[: cut.start()] if cut else self.text
        if self.glob and (found := _GLOB.search(text)):
            text = text[: found.start()]
        return text


def unknown(tags: frozenset[str] = NONE) -> Data:
    """Text of which only the origins are known."""
    return Data(UNKNOWN, tags)


def has_marks(text: str) -> bool:
    """Whether the input itself holds code points of the private area."""
    return _MARKS.search(text) is not None


def unmarked(text: str) -> str:
    """Text from outside, in which such code points count as not known."""
    return text if text.isascii() else _MARKS.sub(UNKNOWN, text)


def quote(text: str) -> str:
    """Text that stands in quotes: nothing in it splits, expands or matches."""
    return text.translate(_TO_QUOTED) or EMPTY


def splitting(text: str) -> str:
    """Text that comes from an expansion outside quotes: it splits and matches, but neither braces nor tildes act."""
    return text.translate(_TO_SPLIT)


def splitting_at(text: str, separators: str) -> str:
    """As ``splitting`` where the script has set ``IFS``."""
    table = {**{ord(char): SPLIT for char in separators}, **{ord(char): chr(_QUOTED + ord(char)) for char in "{},~"}}
    table.update({ord(char): chr(_QUOTED + ord(char)) for char in " \t\n" if char not in separators})
    table.update({ord(char): SPLIT for char in separators})
    table[ord(UNKNOWN)] = UNKNOWN_FIELDS
    return text.translate(table)


def plain(text: str) -> str:
    """The text without the marks of quoting; unknown parts stay."""
    if text.isascii():
        return text
    text = text.translate(_FROM_QUOTED).replace(EMPTY, "").replace(SPLIT, " ")
    return text.replace(UNKNOWN_FIELDS, UNKNOWN)


def fields(marked: str, tags: frozenset[str], home: str = "") -> list[Word]:
    """Brace expansion, tilde expansion and splitting, in bash's order."""
    found: list[Word] = []
    for one in _braces(marked) if "{" in marked else [marked]:
        found.extend(_word(part, tags, home) for part in one.split(SPLIT) if part)
    return found


def _word(part: str, tags: frozenset[str], home: str) -> Word:
    if home and part[0] == "~" and (len(part) == 1 or part[1] == "/"):
        part = quote(home) + part[1:]
    if part.isascii():
        return Word(part, tags, _GLOB.search(part) is not None)
    glob = _GLOB.search(part) is not None
    return Word(plain(part), tags, glob, UNKNOWN_FIELDS in part)


def _braces(text: str) -> list[str]:
    """Brace expansion of what is not quoted; beyond a bound the rest stays as it stands."""
    done: list[str] = []
    waiting = [text]
    while waiting:
        one = waiting.pop()
        several = _first_brace(one) if len(done) + len(waiting) < MAX_WORDS else None
        if several is None:
            done.append(one)
        else:
            waiting.extend(reversed(several))
    return done


def _first_brace(text: str) -> list[str] | None:
    start = text.find("{")
    while start >= 0:
        sequence = _SEQUENCE.match(text, start)
        if sequence:
            return [text[:start] + one + text[sequence.end() :] for one in _sequence(sequence)]
        parts, end = _alternatives(text, start)
        if len(parts) > 1:
            return [text[:start] + part + text[end:] for part in parts]
        start = text.find("{", start + 1)
    return None


def _alternatives(text: str, start: int) -> tuple[list[str], int]:
    depth, begin, parts = 0, start + 1, list[str]()
    for index in range(start, len(text)):
        char = text[index]
        if char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
            if depth == 0:
                return [*parts, text[begin:index]], index + 1
        elif char == "," and depth == 1:
            parts.append(text[begin:index])
            begin = index + 1
    return [], start


def _sequence(match: re.Match[str]) -> list[str]:
    low, high, step, first, last = match.groups()
    if first is not None:
        ends, make = (ord(first), ord(last)), chr
    else:
        ends, make = (int(low), int(high)), str
    stride = abs(int(step or 1)) or 1
    way = stride if ends[0] <= ends[1] else -stride
    return [make(value) for value in range(ends[0], ends[1] + (1 if way > 0 else -1), way)][:MAX_WORDS]
