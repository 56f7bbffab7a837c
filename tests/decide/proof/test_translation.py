"""The translation is the engine: random policies and random requests get one answer from both."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
import pytest

from interlock.decide.evidence import Site
from interlock.decide.policy import PolicySet
from interlock.decide.proof.floor import Gate, contradictory, decided, level_of
from interlock.decide.proof.formula import holds
from interlock.decide.proof.situation import Situation, values
from interlock.decide.proof.translate import encode
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
    said = [max([0, *(level for level in encoded.levels if holds(encoded.at_least(level), values(one)))]) for one in asked]
    return [one for one, level, other in zip(asked, actual, said, strict=True) if level != other]


@settings(max_examples=80, deadline=None, suppress_health_check=_QUIET, derandomize=True)
@given(policies(), st.lists(situations(), min_size=6, max_size=6))
def test_formulas_and_engine_agree(found: PolicySet, asked: list[Situation]) -> None:
    assert differences(found, asked) == []


@pytest.mark.slow
@settings(max_examples=2000, deadline=None, suppress_health_check=_QUIET)
@given(policies(), st.lists(situations(), min_size=6, max_size=6))
def test_formulas_and_engine_agree_on_many(found: PolicySet, asked: list[Situation]) -> None:
    assert differences(found, asked) == []


@settings(max_examples=300, deadline=None, suppress_health_check=_QUIET, derandomize=True)
@given(situations())
def test_floor_and_flow_are_the_real_checks(asked: Situation) -> None:
    everything = compiled([{"allow": "*"}])
    gate = Gate(encode(everything), SITE)
    said = max([0, *(level for level in gate.levels if holds(gate.at_least(level), values(asked)))])
    assert said == decided(asked, everything, SITE)
    assert not holds(contradictory(), values(asked)) or said == 17
