"""Properties of references over random programs: a second interpreter agrees, labels bound what a value tells.

The model below knows nothing of the module's parser or bounds; it carries a label through each operator, so it
also shows that the flat join over the leaves is never below the fine-grained label.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.artifact.codec import Json, encode
from interlock.artifact.errors import ReferenceEvaluationError
from interlock.artifact.label import Confidentiality, Integrity, Label, join, join_all
from interlock.decide.references import Environment, Labelled, check, dependencies, evaluate, static_label

STEPS = ("s1", "s2", "s3")
WORDS = Label(integrity=Integrity.UNTRUSTED, sources=("planner",))
LABELS = {
    "s1": Label(sources=("s1",), confidentiality=Confidentiality.INTERNAL),
    "s2": Label(sources=("s2",), confidentiality=Confidentiality.RESTRICTED),
    "s3": Label(sources=("s3",), integrity=Integrity.UNTRUSTED, scopes=("acme",)),
}


def ref(text: str) -> Json:
    return {"$ref": text}


small = st.integers(-5, 5)
rows = st.lists(st.fixed_dictionaries({"k": small, "t": st.sampled_from(["a", "b", "ab"])}), max_size=4)
outputs = st.fixed_dictionaries(
    {"n": small, "t": st.sampled_from(["", "a", "b"]), "b": st.booleans(), "l": st.lists(small, max_size=4), "r": rows}
)
worlds = st.fixed_dictionaries(dict.fromkeys(STEPS, outputs))
step = st.sampled_from(STEPS)


def field(name: str) -> st.SearchStrategy[Json]:
    return step.map(lambda one: ref(f"{one}.output.{name}"))


def pair(operators: Sequence[str], operand: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return st.builds(
        lambda operator, one, other: {operator: [one, other]}, st.sampled_from(operators), operand, operand
    )


ORDERS = ("$eq", "$ne", "$lt", "$le", "$gt", "$ge")
leaf_integer = st.one_of(small, field("n"), field("r[0].k"))
leaf_condition: st.SearchStrategy[Json] = st.one_of(st.booleans(), field("b"), pair(ORDERS, leaf_integer))
element = pair(ORDERS, st.one_of(leaf_integer, st.just(ref("it.k"))))
lists = st.one_of(
    st.lists(leaf_integer, max_size=3),
    field("l"),
    field("r").map(lambda source: {"$select": [source, "k"]}),
    st.builds(lambda source, condition: {"$select": [{"$filter": [source, condition]}, "k"]}, field("r"), element),
)
integers = st.recursive(
    st.one_of(
        leaf_integer,
        st.builds(lambda op, one: {op: one}, st.sampled_from(["$first", "$last", "$min", "$max", "$count"]), lists),
    ),
    lambda inner: pair(("$add", "$sub", "$mul", "$div"), inner),
    max_leaves=6,
)
conditions = st.recursive(
    st.one_of(
        leaf_condition, pair(ORDERS, integers), st.builds(lambda one, many: {"$in": [one, many]}, integers, lists)
    ),
    lambda inner: st.one_of(
        inner.map(lambda one: {"$not": one}),
        st.builds(
            lambda op, some: {op: some}, st.sampled_from(["$and", "$or"]), st.lists(inner, min_size=1, max_size=3)
        ),
    ),
    max_leaves=5,
)
texts = st.lists(st.one_of(st.sampled_from(["x", "-"]), integers, field("t")), min_size=1, max_size=4).map(
    lambda parts: {"$template": parts}
)
programs = st.recursive(
    st.one_of(integers, conditions, lists, texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
    ),
    max_leaves=4,
)


class RefusedError(Exception):
    """The model's one way to refuse."""


def model(expr: Any, world: Any, it: tuple[Any, Label] | None = None) -> tuple[Any, Label]:
    """A naive interpreter that labels each intermediate value; ``RefusedError`` where there is no value."""
    try:
        return interpret(expr, world, it)
    except (KeyError, IndexError, TypeError, ValueError, ZeroDivisionError):
        raise RefusedError from None


def interpret(expr: Any, world: Any, it: tuple[Any, Label] | None) -> tuple[Any, Label]:
    if isinstance(expr, list):
        parts = [model(one, world, it) for one in expr]
        return [value for value, _ in parts], join_all(label for _, label in parts)
    if not isinstance(expr, dict):
        return expr, WORDS
    if not any(key.startswith("$") for key in expr):
        fields = {key: model(one, world, it) for key, one in expr.items()}
        return {key: value for key, (value, _) in fields.items()}, join_all(
            [WORDS, *(label for _, label in fields.values())]
        )
    ((operator, operand),) = expr.items()
    if operator == "$ref":
        return read(operand, world, it)
    if operator == "$select":
        (source, label) = model(operand[0], world, it)
        return [one[operand[1]] for one in source], label
    if operator == "$filter":
        (source, label) = model(operand[0], world, it)
        kept = [(one, model(operand[1], world, (one, label))) for one in source]
        return [one for one, (holds, _) in kept if holds], join_all([label, *(seen for _, (_, seen) in kept)])
    value, label = model(operand, world, it)
    return OPERATORS[operator](value), label


def read(text: str, world: Any, it: tuple[Any, Label] | None) -> tuple[Any, Label]:
    root, *path = text.replace("[0]", ".0").split(".")
    value, label = it if root == "it" and it else (world[root], LABELS[root])
    for name in path[0 if root == "it" else 1 :]:
        value = value[int(name) if name.isdigit() else name]
    return value, label


OPERATORS: dict[str, Any] = {
    "$first": lambda v: v[0],
    "$last": lambda v: v[-1],
    "$min": min,
    "$max": max,
    "$count": len,
    "$not": lambda v: not v,
    "$add": lambda v: v[0] + v[1],
    "$sub": lambda v: v[0] - v[1],
    "$mul": lambda v: v[0] * v[1],
    "$div": lambda v: v[0] // v[1],
    "$eq": lambda v: v[0] == v[1],
    "$ne": lambda v: v[0] != v[1],
    "$lt": lambda v: v[0] < v[1],
    "$le": lambda v: v[0] <= v[1],
    "$gt": lambda v: v[0] > v[1],
    "$ge": lambda v: v[0] >= v[1],
    "$in": lambda v: v[0] in v[1],
    "$and": all,
    "$or": any,
    "$template": lambda v: "".join(map(str, v)),
}


def environment(world: Any) -> Environment:
    found = {one: Labelled(value=world[one], label=LABELS[one]) for one in STEPS}
    return Environment(outputs=found, literal=lambda _: WORDS)


def below(lower: Label, upper: Label) -> bool:
    return join(lower, upper) == upper


def outcome(expr: Json, world: Any) -> Labelled | str:
    try:
        return evaluate(expr, environment(world))
    except ReferenceEvaluationError as error:
        return error.code


@given(programs, worlds)
@settings(max_examples=300, deadline=None)
def test_a_second_interpreter_agrees(program: Json, world: Any) -> None:
    found = outcome(program, world)
    try:
        value, label = model(program, world)
    except RefusedError:
        assert isinstance(found, str)
        return
    assert isinstance(found, Labelled)
    assert encode(found.value) == encode(value)
    assert below(label, found.label)


@given(programs, worlds)
@settings(max_examples=200, deadline=None)
def test_the_static_label_bounds_the_label(program: Json, world: Any) -> None:
    found = outcome(program, world)
    stricter = {one: join(label, Label(scopes=("more",))) for one, label in LABELS.items()}
    if isinstance(found, Labelled):
        assert below(found.label, static_label(program, LABELS, None, lambda _: WORDS))
        assert below(found.label, static_label(program, stricter, None, lambda _: WORDS))
    assert outcome(program, world) == found, "evaluation is deterministic"


@given(programs, worlds, worlds, step)
@settings(max_examples=300, deadline=None)
def test_a_source_outside_the_label_has_no_influence(program: Json, world: Any, other: Any, changed: str) -> None:
    found = outcome(program, world)
    after = outcome(program, {**world, changed: other[changed]})
    if isinstance(found, Labelled) and changed not in found.label.sources:
        assert after == found
    if changed not in dependencies(program):
        assert after == found


@given(programs)
@settings(max_examples=100, deadline=None)
def test_what_the_static_check_passes_names_only_what_it_may(program: Json) -> None:
    check(program, steps=frozenset(STEPS), item=False, output=False, condition=False)
    needed = dependencies(program)
    for missing in needed:
        with pytest.raises(ReferenceEvaluationError, match=r"reference\.unknown"):
            check(program, steps=needed - {missing}, item=True, output=True, condition=False)


keys = st.sampled_from(["$ref", "$first", "$filter", "$select", "$and", "$eq", "$template", "$nope", "$", "a", "it"])
scalars = st.one_of(
    st.none(), st.booleans(), small, st.sampled_from(["s1.output", "it", "item.x", "a", "s1.output.r[0]", "[0]", ""])
)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=2)),
    max_leaves=12,
)


@given(anything, worlds)
@settings(max_examples=400, deadline=None)
def test_any_json_evaluates_or_is_refused_with_a_code(expr: Json, world: Any) -> None:
    found = outcome(expr, world)
    assert isinstance(found, Labelled) or found.startswith("reference.")
