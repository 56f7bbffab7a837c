"""Labels are a bounded join semilattice; the strictest reason wins; nothing said is a denial."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.artifact.label import (
    CLEAN,
    MAX_SCOPES,
    MAX_SOURCES,
    STRICTEST,
    Confidentiality,
    Integrity,
    Label,
    flows_to,
    join,
    join_all,
)
from interlock.artifact.verdict import Decision, Reason, Verdict, strictest
from support.samples import PLAN

names = st.lists(st.text(alphabet="abcdef", min_size=1, max_size=2), max_size=40).map(tuple)
labels = st.builds(
    Label,
    confidentiality=st.sampled_from(Confidentiality),
    integrity=st.sampled_from(Integrity),
    scopes=names,
    sources=names,
)
reasons = st.builds(
    Reason, decision=st.sampled_from(Decision), stage=st.integers(1, 10), code=st.sampled_from(["a", "b"])
)


def at_least(one: Label, other: Label) -> bool:
    """Whether ``one`` is at least as strict as ``other``, as far as names are kept."""
    kept = len(one.scopes) == MAX_SCOPES or set(other.scopes) <= set(one.scopes)
    named = len(one.sources) == MAX_SOURCES or set(other.sources) <= set(one.sources)
    return (
        one.confidentiality.rank >= other.confidentiality.rank and one.untrusted >= other.untrusted and kept and named
    )


@given(labels, labels, labels)
def test_join_is_associative_commutative_and_idempotent(a: Label, b: Label, c: Label) -> None:
    assert join(join(a, b), c) == join(a, join(b, c)) == join_all([a, b, c])
    assert join(a, b) == join(b, a)
    assert join(a, a) == join(a) == join(join(a))


@given(labels, labels)
def test_join_never_lowers_a_side_and_is_bounded(a: Label, b: Label) -> None:
    joined = join(a, b)
    assert at_least(joined, a)
    assert at_least(joined, b)
    assert len(joined.scopes) <= MAX_SCOPES
    assert len(joined.sources) <= MAX_SOURCES


@given(labels, labels, labels)
def test_join_is_monotone_and_the_least_upper_bound(a: Label, b: Label, c: Label) -> None:
    upper = join(a, b, c)
    assert at_least(join(upper, c), join(a, c))
    assert join(upper, join(a, b)) == upper


@given(labels)
def test_clean_is_neutral_and_the_strictest_absorbs(a: Label) -> None:
    assert join(a, CLEAN) == join(a)
    joined = join(a, STRICTEST)
    assert (joined.confidentiality, joined.integrity) == (Confidentiality.RESTRICTED, Integrity.UNTRUSTED)
    assert join() == CLEAN


@given(labels, labels, st.sampled_from(Confidentiality))
def test_what_a_join_may_flow_to_each_part_may(a: Label, b: Label, limit: Confidentiality) -> None:
    if flows_to(join(a, b), limit):
        assert flows_to(a, limit)
        assert flows_to(b, limit)


def test_nothing_restricted_flows_below_restricted() -> None:
    assert [limit for limit in Confidentiality if flows_to(STRICTEST, limit)] == [Confidentiality.RESTRICTED]


@given(st.lists(reasons, min_size=1, max_size=80), reasons)
def test_another_reason_never_loosens(found: list[Reason], more: Reason) -> None:
    before, after = strictest(found), strictest([*found, more])
    assert after.decision.rank == max(before.decision.rank, more.decision.rank)
    assert after.decision.rank == max(reason.decision.rank for reason in [*found, more])
    assert after.reasons[0].decision is after.decision
    assert len(after.reasons) <= 64


@given(st.permutations([Reason(decision=decision, stage=1, code="x") for decision in Decision]))
def test_the_order_of_reasons_does_not_matter(found: list[Reason]) -> None:
    assert strictest(found).decision is Decision.DENY


def test_nothing_said_is_a_denial() -> None:
    assert strictest([]) == Verdict(
        decision=Decision.DENY, reasons=(Reason(decision=Decision.DENY, stage=7, code="gate.no_reason"),)
    )


@pytest.mark.parametrize(("decision", "asked", "needed"), [
    (Decision.STEP_UP, 0, 1), (Decision.STEP_UP, 3, 3), (Decision.ALLOW, 3, 0), (Decision.DENY, 3, 0),
])  # fmt: skip
def test_only_a_step_up_needs_persons_and_at_least_one(decision: Decision, asked: int, needed: int) -> None:
    found = strictest([Reason(decision=decision, stage=9, code="x")], approvals=asked)
    assert found.approvals == needed


def test_decisions_are_ordered_as_written() -> None:
    ranks = [decision.rank for decision in Decision]
    assert all(one < other for one, other in itertools.pairwise(ranks))
    assert [decision.value for decision in Decision] == ["ALLOW", "MODIFY", "STEP_UP", "DEFER", "DENY"]


def test_a_plan_finds_its_steps_and_no_other() -> None:
    assert PLAN.step("s1") is PLAN.steps[0]
    with pytest.raises(KeyError):
        PLAN.step("s2")
