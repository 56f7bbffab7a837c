"""The translation is the engine: random policies and random requests get one answer from both."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlock.artifact.label import Confidentiality
from interlock.decide.evidence import Site
from interlock.decide.policy import PolicySet
from interlock.decide.proof import facts, floor, formula, languages, translate
from interlock.decide.proof.floor import Gate, contradictory, decided, level_of
from interlock.decide.proof.formula import AtMost, Flag, Formula, Holds, OneOf, Reaches, both, either, holds, negate
from interlock.decide.proof.languages import Language, Part, Piece
from interlock.decide.proof.situation import Situation, values
from interlock.decide.proof.translate import DENIED, encode
from support.asking import asking, cedar
from support.random_policies import HOME, ROOT, compiled, policies, situations

SITE = Site(
    id="w", root=ROOT, home=HOME, roots=(ROOT,), own=(f"{ROOT}/.env", "/home/u/.ssh", "/home/u/web/a"),
    protected=("vm:main", "file:a*/**", "file:**/x.pem", "file:/etc/**/y", "file:~/a.tx?", "none:none"),
)  # fmt: skip
_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def differences(found: PolicySet, asked: list[Situation]) -> list[Situation]:
    """The situations for which the formulas and the engine disagree."""
    encoded = encode(found)
    answers = [found.evaluate(one.request) for one in asked]
    actual = [level_of(answer.decision, answer.approvals) for answer in answers]
    said = [
        max([0, *(level for level in encoded.levels if holds(encoded.at_least(level), values(one)))]) for one in asked
    ]
    return [one for one, level, other in zip(asked, actual, said, strict=True) if level != other]


@settings(max_examples=80, deadline=None, suppress_health_check=_QUIET, derandomize=True)
@given(policies(), st.lists(situations(), min_size=6, max_size=6))
def test_formulas_and_engine_agree(found: PolicySet, asked: list[Situation]) -> None:
    assert differences(found, asked) == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(max_examples=2000, deadline=None, suppress_health_check=_QUIET)
@given(policies(), st.lists(situations(), min_size=6, max_size=6))
def test_formulas_and_engine_agree_on_many(found: PolicySet, asked: list[Situation]) -> None:
    assert differences(found, asked) == []


EVERYTHING = compiled([{"allow": "*"}])
UNOWNED: dict[str, object] = {"allow": "flow.endorse", "untrusted": False}
OWNED = {**UNOWNED, "owner": "ann"}
OWNERS = [compiled([{"allow": "*"}, rule]) for rule in (UNOWNED, OWNED, {**OWNED, "allow": "flow.*"})]


def strays(asked: Situation, site: Site = SITE, policies: PolicySet = EVERYTHING) -> bool:
    """Whether the formulas of floor and flow say something else than the real floor and the real flow."""
    given, encoded = values(asked), encode(policies)
    formulas = {DENIED: floor.floor_denies(site), 1: floor.floor_asks(encoded)}
    said = {level for level, formula in formulas.items() if holds(formula, given)}
    gate = Gate(encoded, site)
    level = max([0, *(level for level in gate.levels if holds(gate.at_least(level), given))])
    loose = holds(contradictory(), given) and level != DENIED
    return loose or (said, level) != (floor.objections(asked, policies, site), decided(asked, policies, site))


@settings(max_examples=400, deadline=None, suppress_health_check=_QUIET, derandomize=True)
@given(situations(), st.sampled_from([EVERYTHING, *OWNERS]))
def test_floor_and_flow_are_the_real_checks(asked: Situation, policies: PolicySet) -> None:
    assert not strays(asked, policies=policies)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(max_examples=5000, deadline=None, suppress_health_check=_QUIET)
@given(situations(), st.sampled_from([EVERYTHING, *OWNERS]))
def test_floor_and_flow_are_the_real_checks_in_many_situations(asked: Situation, policies: PolicySet) -> None:
    assert not strays(asked, policies=policies)


_PATH_GLOB, _ORDERED, _STARS = facts.path_glob, translate._ordered, facts._stars


def _unanchored(glob: str, **places: str) -> tuple[str, Language]:
    folder, language = _PATH_GLOB(glob, **places)
    return folder, Language((*language.parts, Piece.ANY))


def _crossing(glob: str, _: Piece) -> list[Part]:
    return _STARS(glob, Piece.ANY)


def _wider(name: str, operator: str, value: object) -> Formula:
    return _ORDERED(name, {"<": "<=", ">": ">="}.get(operator, operator), value)


READ = "permit (principal, action, resource) when {{ {} }};"
PATH = READ.format('context.matched.contains("path /a/*")')
TOUCHED = READ.format('context.matched.contains("touches path /a/b/c")')
MUTANTS: dict[str, tuple[object, str, object, str, dict[str, object]]] = {
    "a glob that is not anchored at its end": (facts, "path_glob", _unanchored, PATH, {"path": "/a/b/c"}),
    "a star that crosses folders": (facts, "_stars", _crossing, PATH.replace("/a/*", "/a/b*"), {"path": "/a/b/c"}),
    "a folder is not what lies in it": (facts, "above", lambda _: False, TOUCHED, {"path": "/a", "effect": "delete"}),
    "an open name is known": (facts, "KNOWN_FILE", facts.IS_FILE, PATH, {"path": "/a/b", "open": True}),
    "no destination is every destination": (
        formula, "_reached", lambda hits, *, every: all(hits) if every else any(hits),
        READ.format('context.matched.contains("destinations a@b")'), {"destinations": ()},
    ),
    "a bound that is off by one": (translate, "_ordered", _wider, READ.format("context.cost < 2"), {"cost": 2}),
    "the host of what has none": (translate, "_ENDPOINT", True, READ.format('context.host == ""'), {"path": "/a"}),
    "all of a set is one of it": (
        translate, "both", lambda *parts: (either if isinstance(parts[0], Holds) else both)(*parts), READ.format('context.roles.containsAll(["a", "b"])'), {"roles": ("a",)},
    ),
    "an entity of any name": (
        translate, "exactly", lambda text: Language((text, Piece.ANY)), READ.format('principal == Principal::"a"'), {"principal": "ab"},
    ),
    "a form that is in force is wanted": (
        translate, "Holds", lambda name, element: Holds(name, element.upper()),
        READ.format("true") + '@id("m") @with("aside") forbid (principal, action, resource);', {"formed": ("aside",)},
    ),
    "one signal is every signal": (
        facts, "Reaches", lambda name, languages, *, every: Reaches(name, languages, every=name == "signals" or every),
        READ.format('context.matched.contains("signals a.*")'), {"signals": ("a.b", "c.d")},
    ),
    "confirmations are not counted": (
        translate, "AtMost", lambda name, bound: AtMost(name, bound + (name == "approvals")),
        READ.format("true") + '@id("v") @approvals("2") forbid (principal, action, resource);', {"approvals": 2},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mistake_of_the_translation_is_noticed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    owner, attribute, mutant, text, changes = MUTANTS[name]
    found, asked = cedar(f'@id("x") {text}'), Situation(request=asking(**changes))
    assert differences(found, [asked]) == []
    monkeypatch.setattr(owner, attribute, mutant)
    assert differences(found, [asked]) == [asked]


_PROTECTED = floor.protected
OWN = f"{ROOT}/.env"
FLOOR: dict[str, tuple[object, str, object, dict[str, object]]] = {
    "a folder that holds the harness's own is read": (floor, "CHANGES", True, {"path": ROOT}),
    "what is the harness's own may be read": (floor, "below", lambda _: False, {"path": OWN}),
    "a folder that holds the harness's own is deleted": (
        floor, "above", lambda _: False, {"path": ROOT, "effect": "delete", "reversibility": "reversible"},
    ),
    "another workspace's files": (
        floor, "_SUFFIXES", (), {"path": f"{ROOT}/x/interlock.toml", "effect": "write", "reversibility": "reversible"},
    ),
    "protected names that are no files": (
        floor, "protected", lambda site: both(_PROTECTED(site), floor.KNOWN_FILE),
        {"kind": "vm", "resource": "main", "effect": "write", "reversibility": "irreversible"},
    ),
    "protected files by their names alone": (
        floor, "site_glob", lambda glob, _: languages.exactly(glob),
        {"path": f"{ROOT}/b/x.pem", "effect": "write", "reversibility": "reversible"},
    ),
    "a limit that is one class too high": (
        floor, "AtMost", lambda name, bound: AtMost(name, bound + (name == "accepts")), {"confidentiality": "private"},
    ),
    "no limit at all": (floor, "exceeds", lambda: False, {"confidentiality": "restricted"}),
    "what contradicts itself": (floor, "contradictory", lambda: False, {"path": "/a", "effect": "delete"}),
    "sending is reversible": (
        floor, "_UNSNAPPABLE", frozenset({"spend"}), {"effect": "send", "reversibility": "reversible"},
    ),
    "what cannot be undone": (floor, "IRREVERSIBLE", False, {"effect": "send", "reversibility": "irreversible"}),
    "what is read is never undone": (floor, "IRREVERSIBLE", OneOf("reversibility", frozenset({"irreversible"})), {
        "reversibility": "irreversible",
    }),
    "what is read acts": (floor, "ACTS", True, {"untrusted": True}),
    "nothing leaves by reading": (floor, "ACTS", negate(floor.READS), {"untrusted": True, "external": True}),
    "reading is risky": (floor, "READS", False, {"tainted": True, "external": True}),
    "a flag that is another": (
        floor, "Flag", lambda name: Flag({"privileged": "broad"}.get(name, name)), {"privileged": True},
    ),
    "a tainted task runs programs": (
        floor, "OneOf", lambda name, members: OneOf(name, members - {"execute"}),
        {"tainted": True, "effect": "execute", "reversibility": "pure"},
    ),
    "a claim contradicts its manifest": (floor, "CLAIMED", False, {"path": "/a", "access": "execute", "claimed": True}),
    "a claim has its manifest's limit": (
        floor, "SEEN", False, {"confidentiality": "restricted", "claimed": True, "whole": True},
    ),
    "what a claim runs is not its manifest's": (
        floor, "SEEN", False, {"tainted": True, "path": "/a", "effect": "write", "claimed": True, "whole": True},
    ),
    "spending": (
        floor, "OneOf", lambda name, members: OneOf(name, members - {"spend"}), {"effect": "spend", "reversibility": "compensable"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FLOOR)
def test_a_mistake_of_the_floors_translation_is_noticed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    owner, attribute, mutant, changes = FLOOR[name]
    besides = {name: bool(changes.get(name)) for name in ("claimed", "whole")}
    request = asking(**{key: value for key, value in changes.items() if key not in besides})
    asked = Situation(request=request, accepts=Confidentiality.PRIVATE, **besides)
    assert not strays(asked)
    monkeypatch.setattr(owner, attribute, mutant)
    assert strays(asked)
