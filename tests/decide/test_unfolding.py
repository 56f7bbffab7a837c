"""The unfolding: shapes from values, and the one order in which pairs may start."""

from __future__ import annotations

import pytest

from interlock.artifact.codec import Json
from interlock.artifact.errors import ReferenceEvaluationError, StateError
from interlock.artifact.label import CLEAN, Confidentiality, Integrity, Label, join
from interlock.artifact.plan import ForEach, Plan, Step
from interlock.artifact.receipt import Outcome
from interlock.decide.references import Environment, Labelled
from interlock.decide.unfolding import (
    Complete,
    InFlight,
    Next,
    Shape,
    Shaping,
    Stopped,
    Unfolding,
    evaluate_shape,
    requires,
    static_shape,
)

LIST = Label(integrity=Integrity.UNTRUSTED, sources=("s1",))
FLAG = Label(confidentiality=Confidentiality.PRIVATE, sources=("s2",))
WORDS = Label(sources=("planner",))
ONCE = Shape(skip=False, iterations=1, label=CLEAN)
SKIPPED = Shape(skip=True, iterations=0, label=FLAG)
ENV = Environment(
    outputs={
        "s1": Labelled(value=[1, 2, 3], label=LIST),
        "s2": Labelled(value={"yes": True, "no": False, "text": "true", "none": []}, label=FLAG),
    },
    literal=lambda _: WORDS,
)


def ref(text: str) -> Json:
    return {"$ref": text}


def step(name: str, **fields: object) -> Step:
    return Step(id=name, action="echo@1", manifest="0" * 64, **fields)  # type: ignore[arg-type]


def over(items: Json, at_most: int = 3) -> ForEach:
    return ForEach(items=items, at_most=at_most)


def plan(*steps: Step, finished: tuple[str, ...] = ()) -> Plan:
    return Plan(
        id="p",
        revision=0,
        parent=None,
        task="1" * 64,
        workspace="w",
        sequence=0,
        goal="g",
        steps=steps,
        finished=finished,
        expires_at=1,
    )


def test_the_shape_of_a_plain_step() -> None:
    assert evaluate_shape(step("s3"), ENV, skipped={}) == ONCE


def test_a_condition_decides_and_labels() -> None:
    holds = evaluate_shape(step("s3", when=ref("s2.output.yes")), ENV, skipped={})
    assert holds == Shape(skip=False, iterations=1, label=FLAG)
    assert evaluate_shape(step("s3", when=ref("s2.output.no")), ENV, skipped={}) == SKIPPED
    never = step("s3", when=ref("s2.output.no"), for_each=over(ref("s9.output")))
    assert evaluate_shape(never, ENV, skipped={}) == SKIPPED, "the list of a skipped step is not looked at"


def test_a_list_gives_one_iteration_an_item() -> None:
    found = evaluate_shape(step("s3", when=ref("s2.output.yes"), for_each=over(ref("s1.output"))), ENV, skipped={})
    assert [item.value for item in found.items] == [1, 2, 3]
    assert {item.label for item in found.items} == {LIST}
    assert (found.skip, found.iterations, found.label) == (False, 3, join(FLAG, LIST))
    empty = evaluate_shape(step("s3", for_each=over(ref("s2.output.none"))), ENV, skipped={})
    assert empty == Shape(skip=False, iterations=0, label=FLAG)


REFUSED = {
    "more_items_than_approved": (step("s3", for_each=over(ref("s1.output"), 2)), "reference.bounds"),
    "over_no_list": (step("s3", for_each=over(ref("s2.output"))), "reference.type"),
    "condition_is_text": (step("s3", when=ref("s2.output.text")), "reference.type"),
    "condition_is_missing": (step("s3", when=ref("s2.output.other")), "reference.missing"),
    "condition_on_its_own_item": (step("s3", when=ref("item"), for_each=over([True])), "reference.missing"),
}


@pytest.mark.parametrize(("one", "code"), REFUSED.values(), ids=REFUSED)
def test_a_shape_that_does_not_evaluate_is_an_error(one: Step, code: str) -> None:
    with pytest.raises(ReferenceEvaluationError) as caught:
        evaluate_shape(one, ENV, skipped={})
    assert caught.value.code == code


NEEDING = {
    "needs": step("s3", needs=("s0",)),
    "argument": step("s3", arguments={"x": [ref("s0.output")]}),
    "when": step("s3", when={"$not": ref("s0.output")}),
    "for_each": step("s3", for_each=over(ref("s0.output"))),
    "expect": step("s3", expect={"$eq": [ref("output"), ref("s0.output")]}),
}


@pytest.mark.parametrize("one", NEEDING.values(), ids=NEEDING)
def test_what_requires_a_skipped_step_is_skipped_for_its_reason(one: Step) -> None:
    assert requires(one) == {"s0"}
    assert evaluate_shape(one, ENV, skipped={"s0": FLAG, "other": LIST}) == SKIPPED


def test_the_static_shape_bounds_the_label() -> None:
    labels = {"s1": LIST, "s2": FLAG}
    both = step("s3", when=ref("s2.output.yes"), for_each=over(ref("s1.output")), needs=("s0", "s1"))
    expected = join(FLAG, LIST, Label(scopes=("acme",)))
    assert static_shape(both, labels, {"s0": Label(scopes=("acme",))}, lambda _: WORDS) == expected
    assert static_shape(step("s3"), labels, {}, lambda _: WORDS) == CLEAN


def code_of(run: Unfolding, call: str, *arguments: object) -> str:
    with pytest.raises(StateError) as caught:
        getattr(run, call)(*arguments)
    return caught.value.code


def test_one_run_from_beginning_to_end() -> None:
    run = Unfolding(plan=plan(step("s1"), step("s2"), step("s3", for_each=over(ref("s1.output")))))
    assert run.expected() == Shaping(step="s1")
    run = run.shaped("s1", ONCE)
    assert run.expected() == Next(step="s1", iteration=0)
    run = run.admit("s1", 0)
    assert run.expected() == InFlight(step="s1", iteration=0)
    run = run.complete("s1", 0, Outcome.OBSERVED).shaped("s2", SKIPPED)
    assert (run.expected(), run.skipped) == (Shaping(step="s3"), {"s2": FLAG})
    items = (Labelled(value=1, label=LIST), Labelled(value=2, label=LIST))
    run = run.shaped("s3", Shape(skip=False, iterations=2, items=items, label=LIST))
    run = run.admit("s3", 0).complete("s3", 0, Outcome.OBSERVED)
    assert run.expected() == Next(step="s3", iteration=1)
    run = run.admit("s3", 1).complete("s3", 1, Outcome.OBSERVED)
    assert run.expected() == Complete()
    assert code_of(run, "admit", "s3", 1) == code_of(run, "shaped", "s3", ONCE) == "unfolding.not_next"


def test_finished_steps_count_as_done() -> None:
    run = Unfolding(plan=plan(step("s1"), step("s2"), step("s3"), finished=("s1", "s3", "s0")))
    assert run.expected() == Shaping(step="s2")
    assert code_of(run, "shaped", "s1", ONCE) == "unfolding.not_next"
    assert run.shaped("s2", SKIPPED).expected() == Complete()
    assert Unfolding(plan=plan(step("s1"), finished=("s1",))).expected() == Complete()


def test_finished_iterations_count_as_done() -> None:
    looped = plan(step("s1", for_each=over([1, 2, 3])), step("s11"), finished=("s1/2",))

    def shape(count: int) -> Shape:
        items = tuple(Labelled(value=item, label=CLEAN) for item in range(count))
        return Shape(skip=False, iterations=count, items=items, label=CLEAN)

    run = Unfolding(plan=looped).shaped("s1", shape(3))
    assert run.expected() == Next(step="s1", iteration=2)
    for iteration in (0, 1, 3):
        with pytest.raises(StateError, match=r"unfolding\.not_next"):
            run.admit("s1", iteration)
    run = run.admit("s1", 2).complete("s1", 2, Outcome.OBSERVED)
    assert run.expected() == Shaping(step="s11")
    assert Unfolding(plan=looped).shaped("s1", shape(2)).expected() == Shaping(step="s11")
    assert Unfolding(plan=looped).shaped("s1", SKIPPED).expected() == Shaping(step="s11")
    for count in (0, 1):
        with pytest.raises(StateError, match=r"unfolding\.shape"):
            Unfolding(plan=looped).shaped("s1", shape(count))


def test_an_empty_list_runs_nothing_and_is_not_skipped() -> None:
    run = Unfolding(plan=plan(step("s1", for_each=over([]))))
    run = run.shaped("s1", Shape(skip=False, iterations=0, label=LIST))
    assert (run.expected(), run.skipped) == (Complete(), {})


BEFORE, AFTER = Unfolding(plan=plan(step("s1"), step("s2"))), Shape(skip=False, iterations=1, label=LIST)
HOSTILE = {
    "admit_before_the_shape": (BEFORE, "admit", ("s1", 0)),
    "complete_before_the_start": (BEFORE, "complete", ("s1", 0, Outcome.OBSERVED)),
    "shape_of_the_second": (BEFORE, "shaped", ("s2", ONCE)),
    "shape_of_another": (BEFORE, "shaped", ("s9", ONCE)),
    "second_shape": (BEFORE.shaped("s1", ONCE), "shaped", ("s1", AFTER)),
    "second_step_first": (BEFORE.shaped("s1", ONCE), "admit", ("s2", 0)),
    "iteration_beyond": (BEFORE.shaped("s1", ONCE), "admit", ("s1", 1)),
    "negative_iteration": (BEFORE.shaped("s1", ONCE), "admit", ("s1", -1)),
    "twice": (BEFORE.shaped("s1", ONCE).admit("s1", 0), "admit", ("s1", 0)),
    "complete_another": (BEFORE.shaped("s1", ONCE).admit("s1", 0), "complete", ("s1", 1, Outcome.OBSERVED)),
    "shape_in_flight": (BEFORE.shaped("s1", ONCE).admit("s1", 0), "shaped", ("s1", ONCE)),
    "after_a_stop": (BEFORE.shaped("s1", ONCE).stop("x"), "admit", ("s1", 0)),
    "complete_after_a_stop": (
        BEFORE.shaped("s1", ONCE).admit("s1", 0).stop("x"),
        "complete",
        ("s1", 0, Outcome.OBSERVED),
    ),
    "shape_after_a_stop": (BEFORE.stop("x"), "shaped", ("s1", ONCE)),
}


@pytest.mark.parametrize(("run", "call", "arguments"), HOSTILE.values(), ids=HOSTILE)
def test_every_other_request_is_refused(run: Unfolding, call: str, arguments: tuple[object, ...]) -> None:
    assert code_of(run, call, *arguments) == "unfolding.not_next"


MISSHAPEN = {
    "twice_without_for_each": (step("s1"), Shape(skip=False, iterations=2, label=CLEAN)),
    "negative": (step("s1"), Shape(skip=False, iterations=-1, label=CLEAN)),
    "skipped_yet_run": (step("s1"), Shape(skip=True, iterations=1, label=CLEAN)),
    "more_than_approved": (
        step("s1", for_each=over([], 1)),
        Shape(skip=False, iterations=2, items=(Labelled(value=1, label=CLEAN),) * 2, label=CLEAN),
    ),
    "iterations_without_items": (step("s1", for_each=over([])), ONCE),
}


@pytest.mark.parametrize(("one", "shape"), MISSHAPEN.values(), ids=MISSHAPEN)
def test_a_shape_that_the_plan_does_not_give_is_refused(one: Step, shape: Shape) -> None:
    assert code_of(Unfolding(plan=plan(one)), "shaped", "s1", shape) == "unfolding.shape"


@pytest.mark.parametrize("outcome", [one for one in Outcome if one is not Outcome.OBSERVED])
def test_anything_but_an_observed_effect_stops(outcome: Outcome) -> None:
    run = BEFORE.shaped("s1", ONCE).admit("s1", 0).complete("s1", 0, outcome)
    assert run.expected() == Stopped(code=f"step.{outcome.value}")
    assert run.stop("later").expected() == run.expected(), "the first reason stays"


def test_a_run_that_is_complete_can_still_be_stopped() -> None:
    assert Unfolding(plan=plan(step("s1"), finished=("s1",))).stop("x").expected() == Stopped(code="x")
