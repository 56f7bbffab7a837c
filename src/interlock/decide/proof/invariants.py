"""What is proved of every policy: the shipped invariants, and the operator's own from ``policy/invariants/*.yaml``.

An invariant is a list of ``Violation``, each a formula and what the real engine and checks must come to where it is
true.  A comparison of two situations that differ in one field is one formula, in which that field is fixed twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal, TypeAlias, cast

import msgspec
from msgspec import UNSET, UnsetType

from interlock.artifact.codec import Identifier
from interlock.decide.policy.compiler import compile_rule
from interlock.decide.policy.short import condition_statement
from interlock.decide.policy.source import Plain, PolicyFileError, yaml_items
from interlock.decide.proof.floor import ACTS, CHANGES, IRREVERSIBLE, RESTRICTED, Gate, contradictory, own, protected
from interlock.decide.proof.formula import (
    AtMost,
    Field,
    Flag,
    Formula,
    atoms,
    both,
    either,
    fixed,
    negate,
)
from interlock.decide.proof.situation import RANKS
from interlock.decide.proof.translate import DENIED, MODIFIED, Places, condition

Answer: TypeAlias = Literal["ALLOW", "MODIFY", "STEP_UP", "DENY"]
Fixed: TypeAlias = Mapping[str, Field]
ANSWERS: Mapping[Answer, range] = {
    "ALLOW": range(1),
    "STEP_UP": range(1, MODIFIED),
    "MODIFY": range(MODIFIED, DENIED),
    "DENY": range(DENIED, DENIED + 1),
}
ALL_BUT_DENY: tuple[Answer, ...] = ("ALLOW", "STEP_UP", "MODIFY")
ALONE = AtMost("approvals", 0)


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """Where ``formula`` is true, the verdict is one of ``levels``, or less strict with ``after`` than with ``before``.

    These two are values of fields.
    """

    formula: Formula
    levels: frozenset[int] = frozenset()
    before: Fixed = {}
    after: Fixed = {}


class Invariant(msgspec.Struct, frozen=True, kw_only=True):
    """A named sentence; ``place`` is file and line of an operator's own."""

    name: str
    sentence: str
    violations: tuple[Violation, ...]
    place: str = ""


class _Claim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    verdict: Annotated[tuple[Answer, ...], msgspec.Meta(min_length=1, max_length=4)]
    when: Mapping[str, object] = {}


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: Identifier
    why: str = ""
    never: _Claim | UnsetType = UNSET
    always: _Claim | UnsetType = UNSET


def shipped(gate: Gate) -> list[Invariant]:
    """The invariants that every workspace's policy must keep; docs/proof.md says them in the same words."""
    external, untrusted = Flag("external"), Flag("untrusted")
    changes = both(CHANGES, either(own(gate.site), protected(gate.site)))
    classes = [({"data": one}, {"data": one + 1}) for one in range(len(RANKS) - 1)]
    persons = sorted({0, *_thresholds(gate, "approvals")})
    prices = sorted({0, *_thresholds(gate, "cost")})
    worst: list[tuple[Fixed, Fixed]] = [
        ({"reversibility": one}, {"reversibility": "irreversible"}) for one in ("reversible", "compensable")
    ]
    return [
        _never("i2-irreversible", "nothing irreversible or privileged is allowed without a person",
               both(ALONE, either(IRREVERSIBLE, Flag("privileged"))), gate, "ALLOW"),
        _never("i5-restricted", "nothing restricted reaches an external sink without a person",
               both(ALONE, external, RESTRICTED), gate, "ALLOW"),
        _never("i5-relabel",
               "no label is lowered without a person, unless a rule that names the action and an owner allows it for"
               " what is bounded and not restricted",
               both(ALONE, Flag("relabels"), either(RESTRICTED, negate(Flag("bounded")), negate(gate.encoded.owned))),
               gate, "ALLOW"),
        _never("i5-authority",
               "nothing of untrusted integrity chooses a destination, a command, a path or a recipient alone",
               both(ALONE, untrusted, Flag("authority"), ACTS), gate, "ALLOW"),
        _never("floor-protected", "protected resources and the harness's own files are never changed, whoever confirms",
               changes, gate, *ALL_BUT_DENY),
        _never("tenancy", "a value of one scope never reaches another, whoever confirms",
               Flag("foreign"), gate, *ALL_BUT_DENY),
        _never("forbid-wins", "where a denial matches, the verdict is DENY, whatever else matches",
               gate.encoded.forbids, gate, *ALL_BUT_DENY),
        _never("default-deny", "where no permission matches, the verdict is DENY",
               negate(gate.encoded.permits), gate, *ALL_BUT_DENY),
        _stricter("monotone-confidentiality", "data of a higher class is never decided less strictly", classes, gate),
        _stricter("monotone-integrity", "untrusted data and a tainted task are never decided less strictly",
                  [({"untrusted": False, "tainted": False}, {"untrusted": True, "tainted": True}),
                   _flag("untrusted"), _flag("tainted")], gate),
        _stricter("monotone-approvals", "one more confirmation never makes the verdict stricter",
                  [({"approvals": one + 1}, {"approvals": one}) for one in persons], gate),
        _stricter("monotone-cost", "a higher cost is never decided less strictly",
                  [({"cost": one}, {"cost": one + 1}) for one in prices], gate),
        _stricter("unknown-strict", "a field of the manifest at its worst is never decided less strictly",
                  [*map(_flag, ("external", "privileged", "broad")), *worst], gate),
        _stricter("unattended-strict", "unattended, nothing is allowed that would ask while somebody is there",
                  [_flag("unattended")], gate),
    ]  # fmt: skip


def operators(file: str, text: str, gate: Gate, places: Places) -> list[Invariant]:
    """The invariants of a file; raises ``PolicyFileError`` with the line of what is not understood."""
    return [_own(file, entry, lines, gate, places) for entry, lines in yaml_items(file, text, "invariants")]


def _own(file: str, entry: Mapping[str, Plain], lines: Mapping[str, int], gate: Gate, places: Places) -> Invariant:
    line = lines[""]
    try:
        found = msgspec.convert({key: _listed(value) for key, value in entry.items()}, _Entry, strict=True)
        _check(found)
    except ValueError as error:
        hint = "the keys are: id, why, and never or always with verdict and when"
        raise PolicyFileError("policy.invariant", file, line, str(error), hint=hint) from None
    kind = "always" if isinstance(found.never, UnsetType) else "never"
    claim = cast("_Claim", getattr(found, kind))
    statement = condition_statement(file, lines.get(kind, line), cast("Mapping[str, Plain]", claim.when))
    when = condition(compile_rule(statement, home=places.home, root=places.root), places)
    wrong: list[Answer] = [name for name in ANSWERS if (name in claim.verdict) == (kind == "never")]
    if "STEP_UP" not in wrong:
        when = both(when, ALONE)  # Where it may ask, it may allow what persons have confirmed.
    sentence = found.why or f"{kind} {' or '.join(claim.verdict)} at {file}:{line}"
    made = _never(found.id, sentence, when, gate, *wrong)
    return msgspec.structs.replace(made, place=f"{file}:{line}")


def _check(entry: _Entry) -> None:
    if (entry.never is UNSET) == (entry.always is UNSET):
        raise ValueError("an invariant has exactly one of never and always")


def _listed(value: Plain) -> Plain:
    """One verdict stands for a list of one."""
    if isinstance(value, dict) and isinstance(value.get("verdict"), str):
        return {**value, "verdict": [value["verdict"]]}
    return value


def _never(name: str, sentence: str, when: Formula, gate: Gate, *answers: Answer) -> Invariant:
    """Where ``when`` holds, none of the answers is given."""
    found = [_between(gate, min(ANSWERS[answer]), max(ANSWERS[answer])) for answer in answers]
    levels = frozenset(level for answer in answers for level in ANSWERS[answer])
    return Invariant(
        name=name, sentence=sentence, violations=(Violation(formula=both(when, either(*found)), levels=levels),)
    )


def _between(gate: Gate, low: int, high: int) -> Formula:
    return both(gate.at_least(low), negate(gate.at_least(high + 1)) if high < DENIED else True)


def _stricter(name: str, sentence: str, pairs: Sequence[tuple[Fixed, Fixed]], gate: Gate) -> Invariant:
    """With the second values of a pair the verdict is at least as strict as with the first."""
    violations = (
        Violation(formula=_looser(before, after, gate), before=before, after=after) for before, after in pairs
    )
    return Invariant(name=name, sentence=sentence, violations=tuple(violations))


def _looser(before: Fixed, after: Fixed, gate: Gate) -> Formula:
    """Of a manifest that a catalogue admits, some level is reached with ``before`` and not with ``after``.

    Of what is denied and of what is modified nothing runs as it was proposed: here the two are one level.
    """
    levels = {min(level, MODIFIED) for level in gate.levels}
    found = (
        both(fixed(gate.at_least(one), before), negate(fixed(gate.at_least(one), after))) for one in sorted(levels)
    )
    return both(negate(fixed(contradictory(), before)), either(*found))


def _flag(name: str) -> tuple[Fixed, Fixed]:
    return {name: False}, {name: True}


def _thresholds(gate: Gate, name: str) -> Iterator[int]:
    """Where the verdict can change with the number: between two of them nothing does."""
    for level in gate.levels:
        yield from (
            atom.bound
            for atom in atoms(gate.at_least(level))
            if isinstance(atom, AtMost) and atom.name == name and atom.bound >= 0
        )
