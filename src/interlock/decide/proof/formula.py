"""Formulas over the fields of one situation: what rules, floor and invariants are translated into.

Every atom speaks of one field.  ``truth`` evaluates an atom on a value, ``holds`` a formula on all values, ``fixed``
sets some fields; none of them knows a solver, so that the translation is tested without one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

from interlock.decide.proof.languages import Language

Field: TypeAlias = "bool | int | str | frozenset[str] | tuple[str, ...]"


@dataclass(frozen=True, slots=True)
class Flag:
    """The boolean field is true."""

    name: str


@dataclass(frozen=True, slots=True)
class OneOf:
    """The enumerated field has one of these values."""

    name: str
    members: frozenset[str]


@dataclass(frozen=True, slots=True)
class AtMost:
    """The number is at most ``bound``."""

    name: str
    bound: int


@dataclass(frozen=True, slots=True)
class Matches:
    """The text belongs to the language."""

    name: str
    language: Language


@dataclass(frozen=True, slots=True)
class Holds:
    """The set of texts has the element."""

    name: str
    element: str


@dataclass(frozen=True, slots=True)
class Reaches:
    """Some text of the list belongs to one of the languages; with ``every``, all do, and there is one."""

    name: str
    languages: tuple[Language, ...]
    every: bool


Atom: TypeAlias = "Flag | OneOf | AtMost | Matches | Holds | Reaches"


@dataclass(frozen=True, slots=True, eq=False)
class Not:
    """Negation."""

    part: Formula


@dataclass(frozen=True, slots=True, eq=False)
class Join:
    """Conjunction (``every``) or disjunction."""

    parts: tuple[Formula, ...]
    every: bool


Formula: TypeAlias = "bool | Atom | Not | Join"


def negate(part: Formula) -> Formula:
    """The opposite."""
    if isinstance(part, bool):
        return not part
    return part.part if isinstance(part, Not) else Not(part)


def both(*parts: Formula) -> Formula:
    """All of the parts; of none, true."""
    return _join(parts, every=True)


def either(*parts: Formula) -> Formula:
    """One of the parts at least; of none, false."""
    return _join(parts, every=False)


def _join(parts: Iterable[Formula], *, every: bool) -> Formula:
    kept = tuple(part for part in parts if part is not every)
    if any(part is not every and isinstance(part, bool) for part in kept):
        return not every
    return kept[0] if len(kept) == 1 else Join(kept, every) if kept else every


def truth(atom: Atom, value: Field) -> bool:
    """Whether the atom is true of its field's value."""
    match atom:
        case Flag():
            return bool(value)
        case OneOf():
            return value in atom.members
        case AtMost():
            return cast("int", value) <= atom.bound
        case Matches():
            return atom.language.accepts(cast("str", value))
        case Holds():
            return atom.element in cast("frozenset[str]", value)
        case _:
            hits = [any(one.accepts(text) for one in atom.languages) for text in cast("tuple[str, ...]", value)]
            return _reached(hits, every=atom.every)


def _reached(hits: list[bool], *, every: bool) -> bool:
    return any(hits) and (all(hits) or not every)


def mapped(formula: Formula, change: Callable[[Atom], Formula]) -> Formula:
    """The formula with each atom replaced; a part in which nothing changes stays the same object."""
    done: dict[int, Formula] = {}

    def walk(part: Formula) -> Formula:
        if isinstance(part, bool):
            return part
        if not isinstance(part, Not | Join):
            return change(part)
        if id(part) not in done:
            done[id(part)] = _rebuilt(part, walk)
        return done[id(part)]

    return walk(formula)


def _rebuilt(part: Not | Join, walk: Callable[[Formula], Formula]) -> Formula:
    if isinstance(part, Not):
        inner = walk(part.part)
        return part if inner is part.part else negate(inner)
    parts = tuple(map(walk, part.parts))
    same = all(one is other for one, other in zip(parts, part.parts, strict=True))
    return part if same else _join(parts, every=part.every)


def fixed(formula: Formula, values: Mapping[str, Field]) -> Formula:
    """The formula where these fields have these values."""
    return mapped(formula, lambda atom: truth(atom, values[atom.name]) if atom.name in values else atom)


def holds(formula: Formula, values: Mapping[str, Field]) -> bool:
    """Whether the formula is true where every field has its value."""
    return fixed(formula, values) is True


def atoms(formula: Formula) -> Iterator[Atom]:
    """The atoms, each once, in the order in which they stand."""
    found: dict[Atom, None] = {}
    mapped(formula, lambda atom: found.setdefault(atom) or atom)
    return iter(found)
