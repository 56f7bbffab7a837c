"""Expressions made to hurt: to exhaust, to overflow, to shed a label, to leave the language.

Each is refused with its code, or does not get what it wanted; none takes more than the stated time.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from interlock.artifact.codec import MAX_INTEGER, MAX_STRING, Json
from interlock.artifact.errors import ReferenceEvaluationError
from interlock.artifact.label import CLEAN, STRICTEST, Label
from interlock.decide.expression import MAX_DEPTH, MAX_NODES
from interlock.decide.references import Environment, Labelled, evaluate

BIG: Json = "x" * MAX_STRING
LONG: Json = list(range(4096))
WIDE: Json = [{"k": number, "v": "y" * 100} for number in range(4096)]
SECRET = Label(confidentiality=STRICTEST.confidentiality, sources=("secret",))
ENV = Environment(
    outputs={
        "s1": Labelled(value={"big": BIG, "long": LONG, "wide": WIDE, "deep": 0}, label=CLEAN),
        "s2": Labelled(value={"key": "hunter2", "bit": True, "empty": []}, label=SECRET),
    },
    literal=lambda _: CLEAN,
)


def ref(text: str) -> Json:
    return {"$ref": text}


def nested(levels: int, inner: Json, wrap: Callable[[Json], Json]) -> Json:
    for _ in range(levels):
        inner = wrap(inner)
    return inner


def filters(levels: int) -> Json:
    """Filters over the same 4096 elements inside each other's conditions: 4096 to the power of ``levels``."""
    return nested(
        levels,
        True,
        lambda inner: {"$eq": [{"$count": {"$filter": [ref("s1.output.long"), inner]}}, 0]},
    )


EXHAUSTING: dict[str, Json] = {
    "filter_in_filter_in_filter": filters(3),
    "filter_compares_a_big_text_each_time": {"$filter": [ref("s1.output.long"), {"$eq": [ref("s1.output.big"), "x"]}]},
    "filter_searches_a_list_each_time": {
        "$filter": [ref("s1.output.long"), {"$in": [ref("it"), ref("s1.output.long")]}]
    },
    "filter_with_a_long_literal": {"$filter": [ref("s1.output.long"), {"$in": [ref("it"), LONG]}]},
    "template_of_many_big_texts": {"$template": [ref("s1.output.big")] * 400},
    "template_over_the_size_limit": {"$template": [ref("s1.output.big")] * 4},
    "list_of_many_big_texts": [ref("s1.output.big")] * 400,
    "list_over_the_size_limit": [ref("s1.output.big")] * 5,
    "list_of_many_wide_lists": [ref("s1.output.wide")] * 500,
    "equality_of_many_wide_lists": {"$eq": [[ref("s1.output.wide")] * 200, [ref("s1.output.wide")] * 200]},
    "too_many_nodes": [ref("s1.output.deep")] * MAX_NODES,
    "too_many_operands": {"$or": [ref("s1.output.deep")] * MAX_NODES},
    "too_many_keys": {f"k{number}": ref("s1.output.deep") for number in range(MAX_NODES // 2)},
    "too_deep_a_list": nested(MAX_DEPTH, ref("s1.output.deep"), lambda inner: [inner]),
    "too_deep_an_object": nested(MAX_DEPTH, ref("s1.output.deep"), lambda inner: {"a": inner}),
    "too_deep_an_operator": nested(MAX_DEPTH + 1, True, lambda inner: {"$not": inner}),
    "square_and_square_again": nested(6, MAX_INTEGER, lambda inner: {"$mul": [inner, inner]}),
    "integer_beyond_53_bits_below_zero": {"$sub": [-MAX_INTEGER, 1]},
}


@pytest.mark.parametrize("expr", EXHAUSTING.values(), ids=EXHAUSTING)
def test_exhaustion_meets_a_bound(expr: Json) -> None:
    started = time.process_time()
    with pytest.raises(ReferenceEvaluationError, match=r"reference\.bounds"):
        evaluate(expr, ENV)
    assert time.process_time() - started < 5


def test_a_result_deeper_than_the_codec_allows_is_refused() -> None:
    deep = nested(30, 1, lambda inner: [inner])
    env = Environment(outputs={"s1": Labelled(value=deep, label=CLEAN)}, literal=lambda _: CLEAN)
    with pytest.raises(ReferenceEvaluationError, match=r"reference\.bounds"):
        evaluate(nested(3, ref("s1.output"), lambda inner: [inner]), env)
    assert evaluate([ref("s1.output")], env).value == [deep]


SHEDDING: dict[str, Json] = {
    "equality": {"$eq": [ref("s2.output.key"), "hunter2"]},
    "order": {"$lt": [ref("s2.output.key"), "m"]},
    "membership": {"$in": [ref("s2.output.key"), ["hunter2"]]},
    "count": {"$count": ref("s2.output.empty")},
    "condition_of_a_filter": {"$filter": [["yes"], {"$eq": [ref("it"), ref("s2.output.key")]}]},
    "condition_that_is_never_reached": {"$filter": [[], ref("s2.output.bit")]},
    "filter_then_first": {"$first": {"$filter": [["a", "b"], ref("s2.output.bit")]}},
    "connective": {"$or": [True, ref("s2.output.bit")]},
    "negation": {"$not": ref("s2.output.bit")},
    "multiplied_by_zero": {"$mul": [0, {"$count": ref("s2.output.empty")}]},
    "beside_a_clean_value": {"clean": 1, "other": ref("s2.output.key")},
    "select_of_an_empty_list": {"$select": [ref("s2.output.empty"), "x"]},
    "smallest_with_a_constant": {"$min": [0, {"$count": ref("s2.output.empty")}]},
}


@pytest.mark.parametrize("expr", SHEDDING.values(), ids=SHEDDING)
def test_no_operator_sheds_a_label(expr: Json) -> None:
    found = evaluate(expr, ENV).label
    assert found.confidentiality is SECRET.confidentiality
    assert "secret" in found.sources


LEAVING: dict[str, Json] = {
    "python_attribute": ref("s1.output.__class__.__mro__"),
    "method": ref("s1.output.big.upper"),
    "call": ref("s1.output.big()"),
    "wildcard": ref("s1.output.*"),
    "slice": ref("s1.output.long[0:2]"),
    "quoted_key": ref("s1.output['big']"),
    "expression_as_index": ref("s1.output.long[s2.output]"),
    "digits_of_another_script": ref("s1.output.long[١]"),
    "hidden_character": ref("s1.output.big\u200b"),
    "environment": ref("env.HOME"),
    "secret": ref("secrets.db"),
    "task": ref("task.goal"),
    "parent": ref("../s1.output"),
    "upper_case_step": ref("S1.output"),
    "over_long": ref("s1.output" + ".a" * 300),
    "over_long_path": ref("s1.output" + ".a" * 17),
    "select_over_long_path": {"$select": [[{}], ".".join(["a"] * 17)]},
    "operator_of_a_store": {"$where": "1"},
    "reference_to_another_document": {"$ref": "https://example.com/x.json"},
    "reference_within_a_document": {"$ref": "#/definitions/x"},
    "reference_with_a_default": {"$ref": "s9.output", "default": "x"},
    "default_operator": {"$default": [ref("s9.output"), "x"]},
    "if_operator": {"$if": [True, 1, 2]},
    "regular_expression": {"$regex": ["(a+)+$", "aaaa"]},
    "operator_in_another_case": {"$REF": "s1.output"},
    "operator_with_a_space": {"$ref ": "s1.output"},
    "nested_unknown_operator": {"body": [{"x": {"$exec": "id"}}]},
    "condition_that_is_text": {"$filter": [[1], "true"]},
}


@pytest.mark.parametrize("expr", LEAVING.values(), ids=LEAVING)
def test_nothing_beyond_the_language_is_understood(expr: Json) -> None:
    with pytest.raises(ReferenceEvaluationError) as caught:
        evaluate(expr, ENV)
    assert caught.value.code.startswith("reference.")
    assert "hunter2" not in str(caught.value)
