"""Prove a policy set, compare two, and replay every counterexample on the real engine and the real checks.

A counterexample that does not replay is an error of this program, never a result: ``policy.replay``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from interlock.artifact.errors import IntegrityError
from interlock.decide.evidence import Site
from interlock.decide.policy import PolicySet
from interlock.decide.policy.request import PolicyRequest
from interlock.decide.proof.floor import Gate, decided, level_of
from interlock.decide.proof.formula import AtMost, Field, Flag, Formula, atoms, both, either, fixed, negate
from interlock.decide.proof.invariants import ANSWERS, Invariant, Violation, operators, shipped
from interlock.decide.proof.languages import GaveUp
from interlock.decide.proof.situation import RANKS, Situation
from interlock.decide.proof.solver import Finder
from interlock.decide.proof.staging import Staged, stageable, staged
from interlock.decide.proof.staging import level as played
from interlock.decide.proof.translate import DENIED, MODIFIED, Encoded, Places, condition, encode

Outcome = Literal["proved", "refuted", "gave-up"]


class Counterexample(msgspec.Struct, frozen=True, kw_only=True):
    """A situation and its verdict; where two are compared, the second, which is decided less strictly, as well.

    ``staged`` are the same as actions for which the gate breaks the invariant; none where no plan of one step does.
    """

    situation: Situation
    verdict: str
    other: Situation | None = None
    other_verdict: str = ""
    staged: tuple[Staged, ...] = ()


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one invariant."""

    name: str
    sentence: str
    outcome: Outcome
    place: str = ""
    counterexample: Counterexample | None = None


class Possible(msgspec.Struct, frozen=True, kw_only=True):
    """A request with its answers before and after, and the rules that gave each; of a default denial there are none."""

    request: PolicyRequest
    old: str
    new: str
    rules: tuple[str, ...]
    by: tuple[str, ...]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the new policy is nowhere more permissive than the old one; a request for which it is."""

    outcome: Outcome
    request: PolicyRequest | None = None
    old: str = ""
    new: str = ""


def prove(policies: PolicySet, site: Site, invariants: Mapping[str, str]) -> list[Result]:
    """A result for each shipped invariant and each of ``invariants`` (file to text); raises ``PolicyFileError``."""
    gate, places = Gate(encode(policies), site), Places(policies.home, policies.root)
    mine = [one for file, text in sorted(invariants.items()) for one in operators(file, text, gate, places)]
    finder = Finder()
    return [_proved(one, policies, site, finder) for one in (*shipped(gate), *mine)]


def _proved(invariant: Invariant, policies: PolicySet, site: Site, finder: Finder) -> Result:
    """One invariant: the first violation that is found decides."""
    outcome: Outcome = "proved"
    found = None
    for violation in invariant.violations:
        try:
            situation = finder.find(violation.formula)
        except GaveUp:
            outcome = "gave-up"
            continue
        if situation is not None:
            outcome, found = "refuted", _shown(violation, situation, policies, site, finder)
            break
    return Result(
        name=invariant.name, sentence=invariant.sentence, place=invariant.place, outcome=outcome, counterexample=found
    )


def _shown(
    violation: Violation, situation: Situation, policies: PolicySet, site: Site, finder: Finder
) -> Counterexample:
    """A counterexample that a plan can make, if there is one; else the one that was found."""
    for limits in stageable(site):
        within = both(violation.formula, fixed(limits, violation.before), fixed(limits, violation.after))
        try:
            nearer = finder.find(within)
        except GaveUp:
            break
        found = _staged(violation, nearer, policies, site) if nearer is not None else None
        if found is not None:
            return found
    return _replayed(violation, situation, policies, site)


def _staged(violation: Violation, situation: Situation, policies: PolicySet, site: Site) -> Counterexample | None:
    """The counterexample with its actions, if the gate breaks the invariant for them too."""
    case = _replayed(violation, situation, policies, site)
    forms = sorted({rule.form for rule in policies.rules if rule.form})
    asked = {atom.name for atom in atoms(violation.formula)}
    acts = [staged(one, forms, asked, site) for one in (case.situation, case.other) if one is not None]
    known = tuple(one for one in acts if one is not None)
    levels = [played(one, policies, site) for one in known]
    if len(known) < len(acts) or not (levels[0] in violation.levels or levels[-1] < levels[0]):
        return None
    return msgspec.structs.replace(case, staged=known)


def compare(old: PolicySet, new: PolicySet) -> Difference:
    """Whether every request gets at least as strict an answer (and as many persons) as before.

    A permission that speaks for the person where a label is lowered is less strict than one that does not.
    """
    before, after = encode(old), encode(new)
    try:
        found = Finder().find(_loosened(before, after))
    except GaveUp:
        return Difference(outcome="gave-up")
    if found is None:
        return Difference(outcome="proved")
    answers = [_answered(found.request, policies) for policies in (old, new)]
    if answers[1] >= answers[0]:
        raise _unreplayed()
    return Difference(outcome="refuted", request=found.request, old=_words(answers[0]), new=_words(answers[1]))


def possible(old: PolicySet, new: PolicySet) -> list[Possible]:
    """What became possible: an example for each rule that went or was changed, and one for what nothing had allowed.

    Of a policy that is nowhere more permissive there is none; nor is there where the solver gives up.
    """
    before, after, places = encode(old), encode(new), Places(old.home, old.root)
    kept = {rule.id: rule.policy for rule in new.rules}
    above = {"confirm": before.at_least(MODIFIED), "modify": before.at_least(DENIED), "forbid": False}
    gone = [rule for rule in old.rules if rule.effect in above and kept.get(rule.id) != rule.policy]
    ways = [both(condition(rule, places), negate(above[rule.effect])) for rule in gone]
    looser, finder = _loosened(before, after), Finder()
    found: dict[tuple[str, ...], Possible] = {}
    for where in (*ways, negate(either(before.permits, before.forbids)), True):
        request = _plainest(both(looser, where), finder) if where is not True or not found else None
        if request is not None:
            (was, rules), (now, by) = (_told(request, policies) for policies in (old, new))
            found.setdefault(rules, Possible(request=request, old=was, new=now, rules=rules, by=by))
    return list(found.values())


def _plainest(formula: Formula, finder: Finder) -> PolicyRequest | None:
    """A request for which the formula is true, if possible one that somebody attends to and nobody has confirmed."""
    strange = either(Flag("unattended"), Flag("open"), negate(AtMost("approvals", 0)))
    for limits in (negate(strange), True):
        try:
            found = finder.find(both(formula, limits))
        except GaveUp:
            return None
        if found is not None:
            return found.request
    return None


def _told(request: PolicyRequest, policies: PolicySet) -> tuple[str, tuple[str, ...]]:
    """The answer in words, and the rules that gave it."""
    answer = policies.evaluate(request)
    rules = {reason.rule for reason in answer.reasons if reason.rule and reason.decision is answer.decision}
    return _words((level_of(answer.decision, answer.approvals), not answer.owned)), tuple(sorted(rules))


def said(level: int) -> str:
    """A level in words."""
    answer = next(name for name, levels in ANSWERS.items() if level in levels)
    return f"{answer} ({level} {'person' if level == 1 else 'persons'})" if answer == "STEP_UP" else answer


def replay(situation: Situation, policies: PolicySet, site: Site) -> str:
    """What the real engine and the real checks say of a situation."""
    return said(decided(situation, policies, site))


def _loosened(before: Encoded, after: Encoded) -> Formula:
    levels = sorted({*before.levels, *after.levels})
    stricter = (both(before.at_least(level), negate(after.at_least(level))) for level in levels)
    return either(*stricter, both(negate(_spoken_for(before)), _spoken_for(after)))


def _spoken_for(encoded: Encoded) -> Formula:
    return both(encoded.owned, negate(encoded.at_least(1)))


def _replayed(violation: Violation, situation: Situation, policies: PolicySet, site: Site) -> Counterexample:
    first, second = (_set(situation, values) for values in (violation.before, violation.after))
    level, other = decided(first, policies, site), decided(second, policies, site)
    if violation.levels:
        if level not in violation.levels:
            raise _unreplayed()
        return Counterexample(situation=first, verdict=said(level))
    if other >= level:
        raise _unreplayed()
    return Counterexample(situation=first, verdict=said(level), other=second, other_verdict=said(other))


def _set(situation: Situation, values: Mapping[str, Field]) -> Situation:
    """The situation with these fields changed."""
    changes = {("confidentiality" if name == "data" else name): value for name, value in values.items()}
    if "data" in values:
        changes["confidentiality"] = RANKS[int(str(values["data"]))]
    fields = {**msgspec.to_builtins(situation.request), **msgspec.to_builtins(changes)}
    return msgspec.structs.replace(situation, request=msgspec.convert(fields, PolicyRequest, strict=True))


def _answered(request: PolicyRequest, policies: PolicySet) -> tuple[int, bool]:
    """The level, and whether no rule would speak for a person."""
    answer = policies.evaluate(request)
    return level_of(answer.decision, answer.approvals), not answer.owned


def _words(answered: tuple[int, bool]) -> str:
    level, asks = answered
    return said(level) if asks else f"{said(level)} also to lower a label"


def _unreplayed() -> IntegrityError:
    return IntegrityError(
        "policy.replay",
        "a counterexample of the proof is decided otherwise by the engine",
        hint="report it; do not load this policy",
    )
