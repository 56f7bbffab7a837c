"""A situation in which a formula is true, or the proof that there is none.

The boolean part goes to z3; what atoms say of texts and lists is held to the automata: each candidate is made into a
real situation, or the contradiction between its atoms becomes a new clause.  Work is bounded in z3's own units and in
rounds, never in seconds, so that every machine comes to the same result.  Whoever uses the outcome replays it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from interlock.artifact.action import Effect, Reversibility
from interlock.artifact.codec import MAX_INTEGER
from interlock.decide.policy.request import PolicyRequest, objection
from interlock.decide.proof import shapes
from interlock.decide.proof.formula import (
    AtMost,
    Atom,
    Flag,
    Formula,
    Holds,
    Join,
    Matches,
    Not,
    OneOf,
    Reaches,
    atoms,
    both,
    either,
    negate,
)
from interlock.decide.proof.languages import GaveUp, Shape, exactly, witness
from interlock.decide.proof.situation import BESIDES, CHOICES, FLAGS, NUMBERS, RANKS, SETS, Situation

# In units of z3; the baseline takes 300,000 in all.  A round counts besides, for what the automata do in it.
RESOURCES, IN_ALL, ROUND = 20_000_000, 100_000_000, 20_000
ROUNDS = 400
_BOUNDS: Mapping[str, tuple[int, int]] = {"data": (0, 3), "accepts": (0, 3), "version": (1, MAX_INTEGER)}
CHOICES_OF_ELEMENTS = 64


class Finder:
    """Questions about one policy set; what one learns of texts, and how formulas look in z3, serves the next."""

    def __init__(self) -> None:
        import z3  # Heavy, and needed by nobody who only decides.

        self._z3: Any = z3
        self._context: Any = z3.Context()
        self._bounds: list[Any] = []
        self._lessons: list[Any] = []
        self._numbers: dict[str, Any] = {}
        self._atoms: dict[Atom, Any] = {}
        self._named: dict[str, Atom] = {}
        self._spent = 0
        self._rounds = 0
        self._made: dict[int, tuple[Formula, Any]] = {}  # With the formula, so that its id stays its own.

    def find(self, formula: Formula) -> Situation | None:
        """A situation in which the formula is true, or ``None`` where there provably is none; raises ``GaveUp``."""
        question = self._expression(both(formula, *_axioms(formula)))
        for _ in range(ROUNDS):
            model = self._model(question)
            if model is None:
                return None
            try:
                return model.situation()
            except _Conflict as conflict:
                self._lessons.append(self._never(conflict.literals))
        raise GaveUp

    def _model(self, question: Any) -> _Model | None:
        """The next candidate."""
        left = IN_ALL - self._spent - ROUND * self._rounds
        if left <= 0:
            raise GaveUp
        solver = self._z3.SimpleSolver(ctx=self._context)
        solver.set("rlimit", min(RESOURCES, left))
        solver.add(question, *self._bounds, *self._lessons)
        outcome = solver.check()
        self._spent = solver.statistics().get_key_value("rlimit count")  # Of the context, so far.
        self._rounds += 1
        if outcome == self._z3.unsat:
            return None
        if outcome != self._z3.sat:
            raise GaveUp
        found = solver.model()
        numbers = {name: found[one].as_long() for name, one in self._numbers.items() if found[one] is not None}
        told = {name: found[self._atoms[atom]] for name, atom in self._named.items()}
        truths = {self._named[name]: bool(self._z3.is_true(value)) for name, value in told.items() if value is not None}
        return _Model(numbers, truths)

    def _never(self, literals: Iterable[tuple[Atom, bool]]) -> Any:
        parts = [self._atom(atom) if value else self._z3.Not(self._atom(atom)) for atom, value in literals]
        return self._z3.Not(self._z3.And(*parts))

    def _expression(self, formula: Formula) -> Any:
        if isinstance(formula, bool):
            return self._z3.BoolVal(formula, self._context)
        if not isinstance(formula, Not | Join):
            return self._atom(formula)
        if id(formula) not in self._made:
            if isinstance(formula, Not):
                made = self._z3.Not(self._expression(formula.part))
            else:
                join = self._z3.And if formula.every else self._z3.Or
                made = join(*map(self._expression, formula.parts))
            self._made[id(formula)] = formula, made
        return self._made[id(formula)][1]

    def _atom(self, atom: Atom) -> Any:
        if atom not in self._atoms:
            match atom:
                case AtMost():
                    made = self._number(atom.name) <= atom.bound
                case OneOf():
                    places = [place for place, value in enumerate(CHOICES[atom.name]) if value in atom.members]
                    number = self._number(atom.name)
                    made = self._z3.Or(self._z3.BoolVal(False, self._context), *(number == place for place in places))
                case _:
                    name = f"atom{len(self._named)}"
                    self._named[name] = atom
                    made = self._z3.Bool(name, self._context)
            self._atoms[atom] = made
        return self._atoms[atom]

    def _number(self, name: str) -> Any:
        if name not in self._numbers:
            low, high = (0, len(CHOICES[name]) - 1) if name in CHOICES else _BOUNDS.get(name, (0, MAX_INTEGER))
            number = self._numbers[name] = self._z3.Int(name, self._context)
            self._bounds += [number >= low, number <= high]
        return self._numbers[name]


def _axioms(formula: Formula) -> Iterable[Formula]:
    """What the solver must know of a field beyond the atoms: dimensions of scope have one value each."""
    named = {atom.element for atom in atoms(formula) if isinstance(atom, Holds) and atom.name == "scope"}
    valued: dict[str, list[Formula]] = {}
    for element in sorted(named):
        key, given, _ = element.partition("=")
        if given:
            yield either(negate(Holds("scope", element)), Holds("scope", key))
            yield from (either(negate(Holds("scope", element)), negate(other)) for other in valued.get(key, ()))
            valued.setdefault(key, []).append(Holds("scope", element))


class _Conflict(Exception):  # noqa: N818 - carried from the theory to the loop
    """Atoms that cannot have these values together."""

    def __init__(self, literals: Iterable[tuple[Atom, bool]]) -> None:
        self.literals = tuple(literals)
        super().__init__()


class _Model:
    """Values of numbers and atoms, to be made into a situation; raises ``_Conflict`` where they cannot be."""

    def __init__(self, numbers: Mapping[str, int], truths: Mapping[Atom, bool]) -> None:
        self._numbers = numbers
        self._truths = truths

    def situation(self) -> Situation:
        """A situation with these values."""
        flags = {atom.name: value for atom, value in self._truths.items() if isinstance(atom, Flag)}
        sets = {name: self._held(name) for name in (*SETS, "scope")}
        kind = self._text("kind", shapes.WORD, ())
        chosen = {name: CHOICES[name][self._numbers.get(name, 0)] for name in CHOICES}
        fields: dict[str, Any] = {name: flags.get(name, False) for name in FLAGS}
        fields |= {name: self._numbers.get(name, 1 if name == "version" else 0) for name in NUMBERS}
        fields |= {name: tuple(sorted(sets[name])) for name in SETS}
        fields |= {name: self._listed(name, shape) for name, shape in shapes.OF_LIST.items()}
        request = PolicyRequest(
            **fields,
            principal=self._text("principal", shapes.WORD, ()),
            action=self._text("action", shapes.WORD, ()),
            group=self._text("group", shapes.FREE, ()),
            environment=self._text("environment", shapes.FREE, ()),
            kind=kind,
            resource=self._resource(kind, open_=flags.get("open", False)),
            effect=Effect(chosen["effect"]),
            access=Effect(chosen["access"]),
            reversibility=Reversibility(chosen["reversibility"]),
            confidentiality=RANKS[self._numbers.get("data", 0)],
            scope=_dimensions(sets["scope"]),
        )
        if objection(request):
            raise GaveUp
        besides = {name: flags.get(name, False) for name in BESIDES}
        return Situation(request=request, accepts=RANKS[self._numbers.get("accepts", 3)], **besides)

    def _held(self, name: str) -> set[str]:
        return {
            atom.element for atom, value in self._truths.items()
            if value and isinstance(atom, Holds) and atom.name == name
        }  # fmt: skip

    def _text(self, name: str, shape: Shape, given: tuple[tuple[Atom, bool], ...]) -> str:
        told = {atom.language: atom for atom in self._truths if isinstance(atom, Matches) and atom.name == name}
        inside = [language for language, atom in told.items() if self._truths[atom]]
        outside = [language for language, atom in told.items() if not self._truths[atom]]
        found = witness(inside, outside, shape)
        if isinstance(found, str):
            return found
        raise _Conflict(
            [*given, *((told[one], True) for one in found.inside), *((told[one], False) for one in found.outside)]
        )

    def _resource(self, kind: str, *, open_: bool) -> str:
        """The name, of the shape that its kind demands; what is learnt holds for that kind alone."""
        if open_:
            return self._text("resource", shapes.FREE, ((Flag("open"), True),))
        told = tuple((Matches("kind", exactly(one)), kind == one) for one in shapes.OF_KIND)
        given = tuple((atom, value) for atom, value in told if value) or told
        return self._text("resource", shapes.OF_KIND.get(kind, shapes.NAME), ((Flag("open"), False), *given))

    def _listed(self, name: str, shape: Shape) -> tuple[str, ...]:
        told = [(atom, one) for atom, one in self._truths.items() if isinstance(atom, Reaches) and atom.name == name]
        if not any(value for _, value in told):
            return ()
        common = [atom for atom, value in told if value and atom.every]
        barred = [atom for atom, value in told if not value and not atom.every]
        wanted = [(atom, value) for atom, value in told if value or atom.every]
        return tuple(dict.fromkeys(_element(atom, value, common, barred, shape) for atom, value in wanted))


def _element(
    wanted: Reaches, value: bool, common: Sequence[Reaches], barred: Sequence[Reaches], shape: Shape
) -> str:  # fmt: skip
    """An element that makes ``wanted`` true, or false; all of ``common`` stay true and all of ``barred`` false."""
    outside = [one for atom in barred for one in atom.languages] + ([] if value else list(wanted.languages))
    choices = [atom.languages for atom in common] + ([wanted.languages] if value else [])
    for inside in itertools.islice(itertools.product(*choices), CHOICES_OF_ELEMENTS):
        found = witness(tuple(dict.fromkeys(inside)), outside, shape)
        if isinstance(found, str):
            return found
    if math.prod(map(len, choices)) > CHOICES_OF_ELEMENTS:
        raise GaveUp
    raise _Conflict([(wanted, value), *((atom, True) for atom in common), *((atom, False) for atom in barred)])


def _dimensions(elements: set[str]) -> dict[str, str]:
    """The scope that has exactly these elements among those that were asked for."""
    pairs = [element.partition("=") for element in sorted(elements)]
    return {key: value if given else shapes.UNNAMED for key, given, value in sorted(pairs, key=lambda pair: pair[1])}
