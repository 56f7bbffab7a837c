"""Sets of texts that rules name by globs, as automata: whether a text belongs, and a text of some and not of others.

Guarantees: ``witness`` is exact.  It returns a text, or says which of the demands contradict each other, or raises
``GaveUp`` where its bound of work is reached or only texts that ``admits`` refuses were found.  It reads no clock:
the same question has the same answer on every machine.
"""

from __future__ import annotations

import enum
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

MAX_STATES = 4000
_FILL = "zq"


class GaveUp(Exception):  # noqa: N818 - an outcome that callers turn into a refusal
    """The question was not answered within its bounds."""


@enum.unique
class Piece(enum.Enum):
    """What is no fixed text: its least and next expansion, which together are enough for a first try."""

    ANY = ("", _FILL, f"/{_FILL}")
    WITHIN = ("", _FILL)
    SEGMENT = (_FILL, f"{_FILL}{_FILL}")
    ONE = ("z", "q")
    FOLDERS = ("", f"/{_FILL}")
    PREFIXES = ("", f"{_FILL}/")
    BELOW = ("", f"/{_FILL}", f"/{_FILL}/{_FILL}")
    DIGITS = ("443", "8")


Part: TypeAlias = "str | Piece"
States: TypeAlias = frozenset[int]
Edge: TypeAlias = tuple[str, int]
_ANY, _NO_SLASH, _DIGIT = "any", "no slash", "digit"
_LOOPS = {Piece.ANY: _ANY, Piece.WITHIN: _NO_SLASH}


@dataclass(frozen=True, slots=True)
class Language:
    """A sequence of fixed texts and pieces; ``folded`` compares the text in lower case."""

    parts: tuple[Part, ...]
    folded: bool = False

    def accepts(self, text: str) -> bool:
        """Whether the whole text belongs."""
        machine = automaton(self)
        states = machine.start
        for char in text.lower() if self.folded else text:
            states = machine.step(states, char)
        return machine.end in states

    @property
    def chars(self) -> set[str]:
        """The characters that the language tells apart."""
        found = {char for part in self.parts if isinstance(part, str) for char in part}
        return found | ({char.upper() for char in found if len(char.upper()) == 1} if self.folded else set())


def exactly(text: str) -> Language:
    """The language of one text."""
    return Language((text,))


class Automaton:
    """A nondeterministic automaton, stepped on sets of states."""

    def __init__(self, language: Language) -> None:
        self._edges: list[list[Edge]] = [[]]
        self._silent: dict[int, list[int]] = {}
        for part in language.parts:
            self._append(part)
        self.end = len(self._edges) - 1
        self._folded = language.folded
        self._known: dict[tuple[States, str], States] = {}
        self.start = self._closed({0})

    def step(self, states: States, char: str) -> States:
        """The states after one more character."""
        if self._folded:
            char = char.lower()
        found = self._known.get((states, char))
        if found is None:
            reached = {target for state in states for test, target in self._edges[state] if _passes(test, char)}
            found = self._known[states, char] = self._closed(reached)
        return found

    def _append(self, part: Part) -> None:
        if isinstance(part, str):
            for char in part:
                self._link(char)
        elif part in _LOOPS:
            last = len(self._edges) - 1
            self._edges[last].append((_LOOPS[part], last))
            self._skip()
        elif part in {Piece.SEGMENT, Piece.DIGITS}:
            self._repeated(_NO_SLASH if part is Piece.SEGMENT else _DIGIT)
        elif part is Piece.ONE:
            self._link(_NO_SLASH)
        elif part is Piece.BELOW:
            first = len(self._edges) - 1
            self._link("/")
            last = len(self._edges) - 1
            self._edges[last].append((_ANY, last))
            self._skip()
            self._silent.setdefault(first, []).append(len(self._edges) - 1)
        else:
            self._folders(slash_first=part is Piece.FOLDERS)

    def _folders(self, *, slash_first: bool) -> None:
        first = len(self._edges) - 1
        if slash_first:
            self._link("/")
        self._repeated(_NO_SLASH)
        if not slash_first:
            self._link("/")
        self._silent.setdefault(len(self._edges) - 1, []).append(first)
        self._edges.append([])
        self._silent.setdefault(first, []).append(len(self._edges) - 1)

    def _link(self, test: str) -> None:
        self._edges[-1].append((test, len(self._edges)))
        self._edges.append([])

    def _repeated(self, test: str) -> None:
        self._link(test)
        self._edges[-1].append((test, len(self._edges) - 1))
        self._skip()

    def _skip(self) -> None:
        self._silent.setdefault(len(self._edges) - 1, []).append(len(self._edges))
        self._edges.append([])

    def _closed(self, states: set[int]) -> States:
        waiting = list(states)
        while waiting:
            for target in self._silent.get(waiting.pop(), ()):
                if target not in states:
                    states.add(target)
                    waiting.append(target)
        return frozenset(states)


@functools.lru_cache(maxsize=8192)
def automaton(language: Language) -> Automaton:
    """The automaton of a language, made once."""
    return Automaton(language)


def _passes(test: str, char: str) -> bool:
    match test:
        case "any":
            return True
        case "no slash":
            return char != "/"
        case "digit":
            return char in "0123456789"
        case _:
            return test == char


@dataclass(frozen=True, slots=True)
class Shape:
    """What a field admits: texts to try first, characters that always count, prefixes that may go on, whole texts."""

    tries: tuple[str, ...]
    chars: str
    step: Callable[[str, str], str | None]
    ends: Callable[[str], bool]
    admits: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Contradiction:
    """No text is in all of ``inside`` and in none of ``outside``."""

    inside: tuple[Language, ...]
    outside: tuple[Language, ...]


def witness(inside: Sequence[Language], outside: Sequence[Language], shape: Shape) -> str | Contradiction:
    """A text of ``shape`` in each of ``inside`` and none of ``outside``, or a contradiction; raises ``GaveUp``."""
    for text in _tries(inside, shape):
        if all(one.accepts(text) for one in inside) and not any(one.accepts(text) for one in outside):
            return text
    # Few of the many texts to avoid matter: each joins the search when a text that was found turns out to be in it.
    avoided: list[Language] = []
    while (found := _search(inside, avoided, shape)) is not None:
        met = [one for one in outside if one.accepts(found)]
        if not met:
            return found
        avoided += met
    needed = list(inside)
    for one in inside:
        rest = [other for other in needed if other != one]
        if rest and _impossible(rest, avoided, shape):
            needed = rest
    return Contradiction(tuple(needed), tuple(avoided))


def _impossible(inside: Sequence[Language], outside: Sequence[Language], shape: Shape) -> bool:
    try:
        return _search(inside, outside, shape) is None
    except GaveUp:
        return False


def _tries(inside: Sequence[Language], shape: Shape) -> Iterator[str]:
    options = [[(part,) if isinstance(part, str) else part.value for part in one.parts] for one in inside]
    made = ("".join(parts) for option in options for parts in itertools.islice(itertools.product(*option), 64))
    return (text for text in itertools.chain(shape.tries, made) if shape.admits(text))


def _search(inside: Sequence[Language], outside: Sequence[Language], shape: Shape) -> str | None:
    """Breadth first over the product of all automata: the shortest text, or ``None`` where there is none."""
    machines = [automaton(one) for one in (*inside, *outside)]
    chars = sorted({char for one in (*inside, *outside) for char in one.chars} | set(shape.chars))
    start: tuple[str, tuple[States, ...]] = ("", tuple(machine.start for machine in machines))
    seen: set[tuple[str, tuple[States, ...]]] = {start}
    level, refused = [("", start)], False
    while level:
        following: list[tuple[str, tuple[str, tuple[States, ...]]]] = []
        for text, (state, sets) in level:
            if _accepted(machines, sets, len(inside)) and shape.ends(state):
                if shape.admits(text):
                    return text
                refused = True
            for char in chars:
                stepped = shape.step(state, char)
                if stepped is None:
                    continue
                reached = (stepped, tuple(one.step(now, char) for one, now in zip(machines, sets, strict=True)))
                if reached not in seen and all(reached[1][: len(inside)]):
                    seen.add(reached)
                    following.append((text + char, reached))
            if len(seen) > MAX_STATES:
                raise GaveUp
        level = following
    if refused:
        raise GaveUp
    return None


def _accepted(machines: Sequence[Automaton], sets: Sequence[States], inside: int) -> bool:
    ends = [machine.end in states for machine, states in zip(machines, sets, strict=True)]
    return all(ends[:inside]) and not any(ends[inside:])
