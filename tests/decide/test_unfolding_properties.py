"""Properties of the unfolding over random plans and values, against a model that lists the whole order at once."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.artifact.codec import Json
from interlock.artifact.errors import ReferenceEvaluationError, StateError
from interlock.artifact.label import Label, join
from interlock.artifact.plan import ForEach, Plan, Step
from interlock.artifact.receipt import Outcome
from interlock.decide.references import Environment, Labelled, gather
from interlock.decide.unfolding import (
    Complete,
    InFlight,
    Next,
    Shape,
    Shaping,
    Stopped,
    Unfolding,
    evaluate_shape,
    static_shape,
)

COUNT = 5
WORDS = Label(sources=("planner",))


def label_of(step: str) -> Label:
    return Label(sources=(step,))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Up to five steps whose guards, lists, needs and arguments name earlier steps; some are finished."""
    steps: list[Step] = []
    for index in range(draw(st.integers(1, COUNT))):
        earlier = [step.id for step in steps]
        one_of = st.sampled_from(earlier) if earlier else st.nothing()
        guard = st.none() | st.booleans() | one_of.map(lambda name: {"$ref": f"{name}.output.yes"})
        items = st.integers(0, 3).map(lambda most: list(range(most))) | one_of.map(
            lambda name: {"$ref": f"{name}.output.list"}
        )
        looped = st.none() | st.builds(
            lambda source, most: ForEach(items=source, at_most=most), items, st.integers(1, 3)
        )
        given_arguments = one_of.map(lambda name: {"x": {"$ref": f"{name}.output"}}) | st.just({})
        steps.append(
            Step(
                id=f"s{index}",
                action="echo@1",
                manifest="0" * 64,
                when=draw(guard),
                for_each=draw(looped),
                needs=tuple(draw(st.lists(one_of, max_size=min(2, len(earlier))))),
                arguments=draw(given_arguments),
            )
        )
    finished = draw(st.sets(st.sampled_from([step.id for step in steps]), max_size=2))
    loops = [step.id for step in steps if step.for_each and step.id not in finished]
    begun = draw(st.dictionaries(st.sampled_from(loops), st.integers(1, 3), max_size=2)) if loops else {}
    finished |= {f"{name}/{count}" for name, count in begun.items()}
    return Plan(
        id="p",
        revision=1,
        parent=None,
        task="1" * 64,
        workspace="w",
        sequence=0,
        goal="g",
        steps=tuple(steps),
        finished=tuple(sorted(finished)),
        expires_at=1,
    )


outputs = st.fixed_dictionaries({"yes": st.booleans(), "list": st.lists(st.integers(0, 9), max_size=4)})
worlds = st.fixed_dictionaries({f"s{index}": outputs for index in range(COUNT)})


def named(expr: Json) -> tuple[str, str] | None:
    """The step and field of the one form of reference that ``plans`` draws."""
    if not isinstance(expr, dict):
        return None
    step, _, field = str(expr["$ref"]).partition(".output")
    return step, field.lstrip(".")


def whole(plan: Plan, world: Any) -> list[tuple[str, int]] | None:
    """The model: the whole order, or ``None`` where some guard or list has no value within its bound."""
    order: list[tuple[str, int]] = []
    skipped: set[str] = set()
    looped = {step.id for step in plan.steps if step.for_each}
    for step in plan.steps:
        if step.id in plan.finished:
            continue
        expressions = [step.when, step.for_each.items if step.for_each else None, step.arguments.get("x")]
        sources = [found for found in map(named, expressions) if found]
        if skipped & {*step.needs, *(name for name, _ in sources)}:
            skipped.add(step.id)
            continue
        guard = named(step.when)
        if guard and guard[0] in looped:
            return None
        if not (world[guard[0]]["yes"] if guard else step.when in {None, True}):
            skipped.add(step.id)
            continue
        if step.for_each is None:
            order.append((step.id, 0))
            continue
        source = named(step.for_each.items)
        if source and source[0] in looped:
            return None
        found = world[source[0]]["list"] if source else step.for_each.items
        if len(found) > step.for_each.at_most:
            return None
        if plan.begun(step.id) > len(found):
            return None
        order += [(step.id, index) for index in range(plan.begun(step.id), len(found))]
    return order


def environment(run: Unfolding, world: Any, done: list[tuple[str, int]]) -> Environment:
    """What the harness would know: outputs of finished and completed steps."""
    known: dict[str, Labelled] = {}
    passed = [step for step in run.plan.steps if step.id not in run.skipped]
    for step in passed:
        one = Labelled(value=world[step.id], label=label_of(step.id))
        times = sum(name == step.id for name, _ in done)
        known[step.id] = gather([one] * times, label_of(step.id)) if step.for_each else one
    return Environment(outputs=known, literal=lambda _: WORDS)


def drive(plan: Plan, world: Any, noise: random.Random | None = None) -> tuple[list[tuple[str, int]], Unfolding]:
    """Run to the end; with ``noise``, throw every kind of wrong request at each state first."""
    run = Unfolding(plan=plan)
    admitted: list[tuple[str, int]] = []
    while True:
        if noise:
            pester(run, noise)
        match run.expected():
            case Shaping(step=name):
                try:
                    shape = evaluate_shape(plan.step(name), environment(run, world, admitted), skipped=run.skipped)
                    run = run.shaped(name, shape)
                except (ReferenceEvaluationError, StateError) as error:
                    run = run.stop(error.code)
            case Next(step=name, iteration=iteration):
                run = run.admit(name, iteration)
                admitted.append((name, iteration))
            case InFlight(step=name, iteration=iteration):
                run = run.complete(name, iteration, Outcome.OBSERVED)
            case Complete() | Stopped():
                return admitted, run


def pester(run: Unfolding, noise: random.Random) -> None:
    """Every request that is not the expected one is refused."""
    for _ in range(4):
        name, iteration = f"s{noise.randrange(COUNT + 1)}", noise.randrange(-1, 4)
        shape = Shape(skip=False, iterations=1, label=WORDS)
        if run.expected() != Next(step=name, iteration=iteration):
            with pytest.raises(StateError, match=r"unfolding\.not_next"):
                run.admit(name, iteration)
        if run.expected() != InFlight(step=name, iteration=iteration):
            with pytest.raises(StateError, match=r"unfolding\.not_next"):
                run.complete(name, iteration, Outcome.OBSERVED)
        if run.expected() != Shaping(step=name):
            with pytest.raises(StateError, match=r"unfolding\.not_next"):
                run.shaped(name, shape)


@given(plans(), worlds)
@settings(max_examples=300, deadline=None)
def test_what_is_admitted_is_the_unique_unfolding(plan: Plan, world: Any) -> None:
    order = whole(plan, world)
    admitted, run = drive(plan, world)
    if order is None:
        assert isinstance(run.expected(), Stopped)
    else:
        assert admitted == order
        assert run.expected() == Complete()
    assert len(set(admitted)) == len(admitted), "no pair starts twice"


@given(plans(), worlds, st.integers(0, 1 << 32))
@settings(max_examples=100, deadline=None)
def test_hostile_requests_change_nothing(plan: Plan, world: Any, seed: int) -> None:
    assert drive(plan, world, random.Random(seed)) == drive(plan, world)


@given(plans(), worlds, st.integers(0, 12))
@settings(max_examples=100, deadline=None)
def test_a_run_that_fails_has_admitted_a_prefix(plan: Plan, world: Any, after: int) -> None:
    order, _ = drive(plan, world)
    run = Unfolding(plan=plan)
    admitted: list[tuple[str, int]] = []
    while len(admitted) <= after:
        match run.expected():
            case Shaping(step=name):
                try:
                    shape = evaluate_shape(plan.step(name), environment(run, world, admitted), skipped=run.skipped)
                    run = run.shaped(name, shape)
                except (ReferenceEvaluationError, StateError):
                    break
            case Next(step=name, iteration=iteration):
                last = len(admitted) == after
                admitted.append((name, iteration))
                run = run.admit(name, iteration).complete(
                    name, iteration, Outcome.UNKNOWN if last else Outcome.OBSERVED
                )
            case _:
                break
    assert admitted == order[: after + 1]
    if len(admitted) == after + 1:
        assert run.expected() == Stopped(code="step.unknown")


@given(plans(), worlds)
@settings(max_examples=100, deadline=None)
def test_the_static_shape_bounds_every_shape(plan: Plan, world: Any) -> None:
    labels = {step.id: label_of(step.id) for step in plan.steps}
    shapes: dict[str, Label] = {}
    admitted, run = drive(plan, world)
    for step in plan.steps:
        shapes[step.id] = static_shape(step, labels, shapes, lambda _: WORDS)
        if step.id in run.skipped:
            assert join(run.skipped[step.id], shapes[step.id]) == shapes[step.id]
        elif step.id in {name for name, _ in admitted}:
            found = evaluate_shape(step, environment(run, world, admitted), skipped=run.skipped).label
            assert join(found, shapes[step.id]) == shapes[step.id]
