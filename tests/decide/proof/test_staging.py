"""A situation as an action: what the gate is asked is the situation, or there is no action."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from tests.decide.proof.test_translation import EVERYTHING, SITE

from interlock.artifact.label import Confidentiality
from interlock.decide.policy import compile_policies
from interlock.decide.proof import proving, staging
from interlock.decide.proof.floor import decided
from interlock.decide.proof.formula import holds
from interlock.decide.proof.languages import GaveUp
from interlock.decide.proof.situation import Situation, values
from interlock.decide.proof.solver import Finder
from interlock.decide.proof.staging import stageable, staged
from interlock.decide.proof.translate import DENIED
from support.asking import asking
from support.random_policies import FORMS, HOME, ROOT, situations

ODD = "rules:\n  - {allow: '*', id: a}\n  - {deny: '*', external: true, untrusted: false, id: d}\n"


@settings(max_examples=400, deadline=None, derandomize=True)
@given(situations())
def test_the_gate_is_never_looser_than_what_was_staged(asked: Situation) -> None:
    """And where the situation is one of those that a plan makes, and plain, it comes to the same."""
    found = staged(asked, FORMS, ("principal", "roles"), SITE)
    if found is None or not holds(stageable(SITE)[-1], values(asked)):
        return
    wanted, level = decided(asked, EVERYTHING, SITE), staging.level(found, EVERYTHING, SITE)
    assert level >= wanted
    assert level == wanted or not holds(stageable(SITE)[0], values(asked))


@pytest.mark.parametrize("changes", [{"group": "a b"}, {"version": 2_000_000, "group": "g"}, {"group": ""}])
def test_what_no_manifest_says_is_not_staged(changes: dict[str, object]) -> None:
    assert staged(Situation(request=asking(**changes)), (), (), SITE) is None


def test_a_step_of_an_action_that_is_not_there_is_denied() -> None:
    found = staged(Situation(request=asking(group="g", path=f"{ROOT}/b")), (), (), SITE)
    assert found and staging.level(found, EVERYTHING, SITE) == 0
    alone = msgspec.structs.replace(found, supposed=msgspec.structs.replace(found.supposed, manifests=()))
    assert staging.level(alone, EVERYTHING, SITE) == DENIED


def test_what_is_supposed_is_what_matters() -> None:
    asked = Situation(request=asking(group="g", path="/b", roles=("lead",), confidentiality="private", cost=3))
    found = [staged(asked, (), names, SITE) for names in ((), ("principal", "roles"))]
    facts = [one.supposed for one in found if one]
    assert [(one.principal, one.roles) for one in facts] == [("", None), ("tester", ("lead",))]
    assert {(one.roots, one.budget, one.received.confidentiality) for one in facts} == {
        (("/",), 3, Confidentiality.PRIVATE)
    }


def test_a_counterexample_that_the_gate_would_stop_is_not_called_an_action(monkeypatch: pytest.MonkeyPatch) -> None:
    policies = compile_policies({}, {"r.yaml": ODD}, home=HOME, root=ROOT)

    def found() -> proving.Counterexample:
        by_name = {one.name: one.counterexample for one in proving.prove(policies, SITE, {})}
        case = by_name["monotone-integrity"]
        assert case is not None
        return case

    assert len(found().staged) == 2
    with monkeypatch.context() as patch:
        patch.setattr(proving, "played", lambda *_: DENIED)
        assert (found().staged, found().verdict) == ((), "DENY")
    real, asked = Finder.find, list[object]()

    def gives_up(self: Finder, formula: object) -> Situation | None:
        asked.append(formula)
        if len(asked) > 1:
            raise GaveUp
        return real(self, formula)  # type: ignore[arg-type]

    monkeypatch.setattr(Finder, "find", gives_up)
    [invariant] = [
        one for one in proving.shipped(proving.Gate(proving.encode(policies), SITE)) if one.name == "monotone-integrity"
    ]
    result = proving._proved(invariant, policies, SITE, Finder())
    assert (result.outcome, result.counterexample and result.counterexample.staged) == ("refuted", ())
