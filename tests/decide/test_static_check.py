"""The static check of a plan (docs/proof.md): references, both branches, loops, confirmations, and where values come from."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.judging import CATALOGUE, NOW, PRIVATE, TASK, UNTRUSTED, evidence, judge, step

from interlock.artifact import codec
from interlock.artifact.action import Effect, Reversibility, Role
from interlock.artifact.codec import Json
from interlock.artifact.label import CLEAN
from interlock.artifact.plan import ForEach, Proposal, ProposedStep
from interlock.artifact.verdict import Decision, Verdict
from interlock.decide import gate
from interlock.decide.evidence import Evidence

ACTIONS = ("read@1", "write@1", "send@1", "mail@1", "page@1", "private@1", "run@1", "pay@1", "make@1", "unmake@1")
LITERALS = {"path": "notes.txt", "url": "https://known.example/", "to": "ann@example.org", "command": "ls", "name": "x"}
FINAL = {"send@1", "mail@1", "run@1", "pay@1", "unmake@1"}  # Cannot be undone.


@st.composite
def steps(draw: st.DrawFn) -> tuple[ProposedStep, ...]:
    """A plan with references, conditions and loops."""
    found: list[ProposedStep] = []
    for number in range(draw(st.integers(1, 5))):
        action = draw(st.sampled_from(ACTIONS))

        def value(name: str, earlier: int = number) -> Json:
            before = draw(st.none() | st.integers(0, earlier - 1)) if earlier else None
            return LITERALS.get(name, "x") if before is None else {"$ref": f"s{before}.output"}

        arguments = {name: value(name) for name in CATALOGUE[action].arguments}
        condition: Json = {"$eq": [value("condition"), "x"]} if draw(st.booleans()) else None
        items: Json = value("items") if number and draw(st.booleans()) else ["a", "b"]
        loop = ForEach(items=items, at_most=draw(st.integers(1, 9))) if draw(st.booleans()) else None
        found.append(step(f"s{number}", action, arguments=arguments, when=condition, for_each=loop))
    return tuple(found)


RECEIVED = st.sampled_from((CLEAN, PRIVATE, UNTRUSTED))


def plainly(found: tuple[ProposedStep, ...]) -> tuple[ProposedStep, ...]:
    """The same steps without their conditions."""
    return tuple(msgspec.structs.replace(one, when=None) for one in found)


def whats(verdict: Verdict) -> set[tuple[str, str, str, str]]:
    """Every objection with its place."""
    return {(one.decision.value, one.code, one.step, one.field) for one in verdict.reasons if one.decision.rank}


@settings(max_examples=300, deadline=None, derandomize=True)
@given(steps(), RECEIVED)
def test_no_irreversible_step_in_any_branch_or_loop_is_reached_without_a_person(
    found: tuple[ProposedStep, ...], received: object
) -> None:
    verdict = judge(*found, known=evidence(received=received))
    final = {one.id for one in found if one.action in FINAL}
    assert not final or verdict.decision in {Decision.STEP_UP, Decision.DENY}
    if any(one.stage > 3 for one in verdict.reasons):
        assert {one.step for one in verdict.reasons if one.code == "floor.irreversible"} == final
    alone = judge(*found, known=evidence(received=received, unattended=True))
    assert not final or alone.decision is Decision.DENY


@settings(max_examples=300, deadline=None, derandomize=True)
@given(steps(), RECEIVED)
def test_a_condition_excuses_nothing(found: tuple[ProposedStep, ...], received: object) -> None:
    """Both branches are decided on: what is only perhaps done is held to all that is said of doing it."""
    known = evidence(received=received)
    assert whats(judge(*plainly(found), known=known)) <= whats(judge(*found, known=known))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(steps(), st.integers(0, 400), st.integers(0, 40))
def test_a_loop_counts_as_often_as_it_may_run(found: tuple[ProposedStep, ...], cost: int, count: int) -> None:
    """Loops do not nest: what a plan may take at most is the sum over its steps."""
    task = msgspec.structs.replace(TASK, budget=msgspec.structs.replace(TASK.budget, cost=cost, steps=count))
    times = {one.id: one.for_each.at_most if one.for_each else 1 for one in found}
    most = sum(CATALOGUE[one.action].cost * times[one.id] for one in found)
    codes = {one.code for one in judge(*found, known=evidence(task=task)).reasons}
    if any(code.startswith(("floor.", "policy.", "flow.")) for code in codes):
        assert ("budget.cost" in codes, "budget.steps" in codes) == (most > cost, sum(times.values()) > count)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(steps(), RECEIVED)
def test_every_argument_has_its_provenance_and_one_with_authority_is_held_to_it(
    found: tuple[ProposedStep, ...], received: object
) -> None:
    known = evidence(received=received)
    plan = examined(known, *found)
    for asked in gate.ask(plan, known).steps or () if plan else ():
        view = asked.view
        if view is None:
            continue
        assert view.labels.keys() == view.step.arguments.keys()
        roles = {name: one.role for name, one in view.manifest.arguments.items()}
        strangers = {name for name, label in view.labels.items() if label.untrusted and roles[name] is not Role.CONTENT}
        assert all(view.labels[name].sources for name in strangers)
        acts = view.external or view.manifest.effect is not Effect.READ
        named = {one.field for one in asked.reasons if one.code == "flow.untrusted_authority"}
        assert named == (strangers if acts else set())


def examined(known: Evidence, *found: ProposedStep) -> gate.Plan | None:
    raw = codec.encode(Proposal(task=known.task_digest, goal="do it", steps=found))
    return gate.examine(raw, gate.Stamp(id="p1", sequence=1, expires_at=NOW + 1), known).plan


def test_the_actions_above_are_those_that_cannot_be_undone() -> None:
    kinds = {name: CATALOGUE[name] for name in ACTIONS}
    assert {n for n, one in kinds.items() if one.reversibility is Reversibility.IRREVERSIBLE} == FINAL


@pytest.mark.parametrize("depth", [1, 3, 6])
def test_a_label_goes_through_any_chain_of_references(depth: int) -> None:
    chain = [step(f"s{n}", "read@1", arguments={"path": {"$ref": f"s{n - 1}.output"}}) for n in range(1, depth + 1)]
    last = step("end", "write@1", arguments={"path": {"$ref": f"s{depth}.output"}, "content": "x"})
    verdict = judge(step("s0", "page@1", arguments={"url": LITERALS["url"]}), *chain, last)
    assert ("STEP_UP", "flow.untrusted_authority", "end", "path") in whats(verdict)
