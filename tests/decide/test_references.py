"""The language of references: what each form means, and the code of each refusal."""

from __future__ import annotations

import pytest

from interlock.artifact.arguments import is_literal
from interlock.artifact.codec import MAX_INTEGER, Json
from interlock.artifact.errors import ReferenceEvaluationError
from interlock.artifact.label import CLEAN, Confidentiality, Integrity, Label, join
from interlock.decide.references import (
    Environment,
    Labelled,
    Truth,
    check,
    dependencies,
    evaluate,
    gather,
    literals,
    static_label,
    truth,
)

ROWS: Json = [{"id": 3, "mail": "c@x.example"}, {"id": 1, "mail": "a@x.example"}, {"id": 2, "mail": "b@y.example"}]
FIRST = Label(sources=("s1",))
SECOND = Label(confidentiality=Confidentiality.RESTRICTED, sources=("s2",))
WORDS = Label(integrity=Integrity.UNTRUSTED, sources=("planner",))
ENV = Environment(
    outputs={
        "s1": Labelled(value={"rows": ROWS, "Deep": {"a-b": [[7]]}, "ok": True, "none": None}, label=FIRST),
        "s2": gather([Labelled(value={"n": 5}, label=SECOND), Labelled(value={"n": 7}, label=FIRST)], CLEAN),
    },
    item=Labelled(value={"name": "i"}, label=Label(sources=("item",))),
    output=Labelled(value={"status": 200}, label=Label(sources=("output",))),
    literal=lambda _: WORDS,
)


def ref(text: str) -> Json:
    return {"$ref": text}


IDS: Json = {"$select": [ref("s1.output.rows"), "id"]}
NUMBERS: Json = {"$select": [ref("s2.output"), "n"]}

VALUES: dict[str, tuple[Json, Json]] = {
    "literal": ({"a": [1, "x", None, True]}, {"a": [1, "x", None, True]}),
    "path": (ref("s1.output.rows[0].mail"), "c@x.example"),
    "nested_indexes_and_dashes": (ref("s1.output.Deep.a-b[0][0]"), 7),
    "null_is_a_value": (ref("s1.output.none"), None),
    "whole_gathered_output": (ref("s2.output"), [{"n": 5}, {"n": 7}]),
    "element_of_gathered_output": (ref("s2.output[1].n"), 7),
    "item": (ref("item.name"), "i"),
    "whole_item": (ref("item"), {"name": "i"}),
    "output": (ref("output.status"), 200),
    "first": ({"$first": IDS}, 3),
    "last": ({"$last": IDS}, 2),
    "min": ({"$min": IDS}, 1),
    "max": ({"$max": IDS}, 3),
    "max_of_texts": ({"$max": {"$select": [ref("s1.output.rows"), "mail"]}}, "c@x.example"),
    "min_of_a_mixed_list": ({"$min": [ref("s2.output[0].n"), 4]}, 4),
    "count": ({"$count": ref("s1.output.rows")}, 3),
    "count_of_nothing": ({"$count": []}, 0),
    "select_by_index": ({"$select": [ref("s1.output.Deep.a-b"), "[0]"]}, [7]),
    "filter": ({"$filter": [IDS, {"$gt": [ref("it"), 1]}]}, [3, 2]),
    "filter_by_field_and_other_step": (
        {"$filter": [ref("s1.output.rows"), {"$lt": [ref("it.id"), {"$min": [1, ref("s2.output[0].n")]}]}]},
        [],
    ),
    "filter_in_filter": (
        {
            "$filter": [
                ref("s1.output.Deep.a-b"),
                {"$eq": [{"$count": {"$filter": [ref("it"), {"$eq": [ref("it"), 7]}]}}, 1]},
            ]
        },
        [[7]],
    ),
    "template": ({"$template": ["#", ref("s1.output.rows[0].id"), " for ", ref("item.name")]}, "#3 for i"),
    "add": ({"$add": [2, ref("s1.output.rows[0].id")]}, 5),
    "sub": ({"$sub": [2, ref("s1.output.rows[0].id")]}, -1),
    "mul": ({"$mul": [2, ref("s1.output.rows[0].id")]}, 6),
    "div_rounds_down": ({"$div": [-7, {"$count": [1, 2]}]}, -4),
    "eq_of_structures": ({"$eq": [{"b": 1, "a": [2]}, {"a": [2], "b": 1}]}, True),
    "true_is_not_one": ({"$eq": [True, 1]}, False),
    "nested_true_is_not_one": ({"$eq": [[True], [1]]}, False),
    "ne": ({"$ne": [ref("s1.output.ok"), False]}, True),
    "le_of_texts": ({"$le": ["a", "a"]}, True),
    "ge": ({"$ge": [1, 2]}, False),
    "in": ({"$in": [5, NUMBERS]}, True),
    "true_is_not_in": ({"$in": [True, [1]]}, False),
    "and": ({"$and": [ref("s1.output.ok"), True]}, True),
    "or": ({"$or": [False, {"$not": ref("s1.output.ok")}]}, False),
    "object_mixes": ({"to": ref("item.name"), "n": [1, {"$count": IDS}]}, {"to": "i", "n": [1, 3]}),
}


@pytest.mark.parametrize(("expr", "value"), VALUES.values(), ids=VALUES)
def test_each_form_means_what_is_written(expr: Json, value: Json) -> None:
    assert evaluate(expr, ENV).value == value
    assert type(evaluate(expr, ENV).value) is type(value)


REFUSED: dict[str, tuple[Json, str]] = {
    "missing_name": (ref("s1.output.nothing"), "reference.missing"),
    "missing_index": (ref("s1.output.rows[3]"), "reference.missing"),
    "missing_step": (ref("s9.output"), "reference.missing"),
    "name_of_a_list": (ref("s1.output.rows.id"), "reference.type"),
    "index_of_an_object": (ref("s1.output[0]"), "reference.type"),
    "part_of_a_text": (ref("item.name[0]"), "reference.type"),
    "select_misses_one": ({"$select": [[{"a": 1}, {}], "a"]}, "reference.missing"),
    "select_of_no_list": ({"$select": [{"a": 1}, "a"]}, "reference.type"),
    "first_of_nothing": ({"$first": []}, "reference.missing"),
    "min_of_nothing": ({"$min": []}, "reference.missing"),
    "min_of_mixed_types": ({"$min": [1, "a"]}, "reference.type"),
    "max_of_one_boolean": ({"$max": [True]}, "reference.type"),
    "count_of_a_text": ({"$count": "abc"}, "reference.type"),
    "filter_by_no_boolean": ({"$filter": [[1], ref("it")]}, "reference.type"),
    "template_of_a_list": ({"$template": [[1]]}, "reference.type"),
    "template_of_a_boolean": ({"$template": [True]}, "reference.type"),
    "add_texts": ({"$add": ["a", "b"]}, "reference.type"),
    "add_booleans": ({"$add": [True, 1]}, "reference.type"),
    "beyond_53_bits": ({"$add": [MAX_INTEGER, 1]}, "reference.bounds"),
    "div_by_zero": ({"$div": [1, 0]}, "reference.zero"),
    "lt_of_mixed_types": ({"$lt": [1, "2"]}, "reference.type"),
    "in_a_text": ({"$in": ["a", "abc"]}, "reference.type"),
    "and_of_null": ({"$and": [ref("s1.output.none"), False]}, "reference.type"),
    "or_looks_at_all": ({"$or": [True, ref("s1.output.none")]}, "reference.type"),
    "unknown_operator": ({"$eval": "1"}, "reference.operator"),
    "bare_dollar": ({"$": 1}, "reference.operator"),
    "operator_beside_a_key": ({"$count": [], "x": 1}, "reference.shape"),
    "two_operators": ({"$count": [], "$first": []}, "reference.shape"),
    "one_of_two": ({"$add": [1]}, "reference.arity"),
    "three_of_two": ({"$eq": [1, 1, 1]}, "reference.arity"),
    "operands_are_no_list": ({"$eq": ref("s2.output")}, "reference.arity"),
    "empty_template": ({"$template": []}, "reference.arity"),
    "reference_to_a_number": ({"$ref": 1}, "reference.syntax"),
    "step_without_output": (ref("s1"), "reference.syntax"),
    "step_with_another_field": (ref("s1.input"), "reference.syntax"),
    "empty_name": (ref("s1.output..rows"), "reference.syntax"),
    "negative_index": (ref("s1.output.rows[-1]"), "reference.syntax"),
    "leading_zero": (ref("s1.output.rows[00]"), "reference.syntax"),
    "trailing_newline": (ref("s1.output\n"), "reference.syntax"),
    "trailing_newline_after_a_name": (ref("s1.output.ok\n"), "reference.syntax"),
    "select_without_a_path": ({"$select": [[], ""]}, "reference.syntax"),
    "select_by_a_number": ({"$select": [[], 0]}, "reference.syntax"),
    "it_outside_a_filter": (ref("it"), "reference.scope"),
    "it_in_the_source_of_a_filter": ({"$filter": [ref("it"), True]}, "reference.scope"),
    "not_of_a_number": ({"$not": 1}, "reference.condition"),
    "and_of_a_template": ({"$and": [{"$template": ["true"]}]}, "reference.condition"),
    "filter_by_a_count": ({"$filter": [[1], {"$count": [1]}]}, "reference.condition"),
    "filter_by_an_object": ({"$filter": [[1], {"a": ref("it")}]}, "reference.condition"),
}


@pytest.mark.parametrize(("expr", "code"), REFUSED.values(), ids=REFUSED)
def test_each_refusal_has_its_code(expr: Json, code: str) -> None:
    with pytest.raises(ReferenceEvaluationError) as caught:
        evaluate(expr, ENV)
    assert caught.value.code == code


@pytest.mark.parametrize("text", ["item", "output"])
def test_scoped_names_are_missing_where_nothing_gives_them(text: str) -> None:
    with pytest.raises(ReferenceEvaluationError, match=r"reference\.missing"):
        evaluate(ref(text), Environment(outputs={}, literal=lambda _: CLEAN))


def test_a_label_is_the_join_of_what_the_expression_names() -> None:
    assert evaluate("x", ENV).label == WORDS
    assert evaluate(ref("s1.output.ok"), ENV).label == FIRST
    assert evaluate(ref("s2.output[1].n"), ENV).label == join(FIRST, SECOND)
    assert evaluate({"$template": [ref("item.name"), "x"]}, ENV).label == join(WORDS, Label(sources=("item",)))
    assert evaluate({"to": ref("item.name")}, ENV).label.untrusted, "a key is the planner's word"
    inspected: Json = {"$count": {"$filter": [ref("s1.output.rows"), {"$gt": [ref("it.id"), ref("s2.output[0].n")]}]}}
    assert evaluate(inspected, ENV).label == join(FIRST, SECOND)


def test_gathering_joins_the_label_of_the_list() -> None:
    assert gather([], SECOND) == Labelled(value=[], label=SECOND)
    assert gather([Labelled(value=1, label=FIRST)], SECOND).label == join(FIRST, SECOND)


def test_truth_is_of_booleans_only() -> None:
    assert truth({"$eq": [ref("s1.output.ok"), ref("s1.output.ok")]}, ENV) == Truth(holds=True, label=FIRST)
    with pytest.raises(ReferenceEvaluationError, match=r"reference\.type"):
        truth(ref("s1.output.none"), ENV)


def test_dependencies_and_literals() -> None:
    expr: Json = {
        "a": [ref("s1.output"), ref("item"), "x"],
        "b": {"$template": ["t", ref("s2.output[0]")]},
        "c": {"d": 1},
    }
    assert dependencies(expr) == {"s1", "s2"}
    assert list(literals(expr)) == [
        ("$", "a"),
        ("$.a[2]", "x"),
        ("$", "b"),
        ("$.b.$template[0]", "t"),
        ("$", "c"),
        ("$.c", {"d": 1}),
    ]
    assert dependencies({"a": 1}) == frozenset()
    assert is_literal([{"a": "$x"}])
    assert not is_literal([{"a": {"$x": 1}}])


CHECKED: dict[str, tuple[Json, bool, bool, bool, str]] = {
    "step": (ref("s1.output"), False, False, False, ""),
    "item_in_for_each": (ref("item"), True, False, False, ""),
    "output_in_expect": ({"$eq": [ref("output.status"), 200]}, False, True, True, ""),
    "literal_condition": (True, False, False, True, ""),
    "first_as_condition": ({"$first": ref("s1.output")}, False, False, True, ""),
    "filter_uses_it": ({"$filter": [ref("s1.output"), {"$in": [ref("it"), [1]]}]}, False, False, False, ""),
    "later_step": (ref("s2.output"), True, True, False, "reference.unknown"),
    "item_elsewhere": (ref("item"), False, True, False, "reference.scope"),
    "output_elsewhere": (ref("output"), True, False, False, "reference.scope"),
    "text_as_condition": ("true", True, True, True, "reference.condition"),
    "sum_as_condition": ({"$add": [1, 2]}, True, True, True, "reference.condition"),
    "list_as_condition": ([ref("s1.output")], True, True, True, "reference.condition"),
}


@pytest.mark.parametrize(("expr", "item", "output", "condition", "code"), CHECKED.values(), ids=CHECKED)
def test_the_static_check(expr: Json, item: bool, output: bool, condition: bool, code: str) -> None:
    found = ""
    try:
        check(expr, steps=frozenset({"s1"}), item=item, output=output, condition=condition)
    except ReferenceEvaluationError as error:
        found = error.code
    assert found == code


def test_the_static_label_names_what_is_unknown() -> None:
    item, output = Label(sources=("item",)), Label(sources=("output",))
    labels = {"s1": FIRST}
    expr: Json = [ref("s1.output"), ref("item"), ref("output")]
    assert static_label(expr, labels, item, lambda _: CLEAN, output=output) == join(FIRST, item, output)
    for unknown in (ref("s2.output"), ref("item")):
        with pytest.raises(ReferenceEvaluationError, match=r"reference\.unknown"):
            static_label(unknown, labels, None, lambda _: CLEAN)
