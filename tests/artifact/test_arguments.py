"""Arguments are held to their schema; what is not known yet is not looked at, what is unknown is refused."""

from __future__ import annotations

from typing import Any

import pytest

from interlock.artifact.action import Argument, Driver, Effect, Manifest, Reversibility
from interlock.artifact.arguments import ArgumentError, is_literal, validate, validate_known


def manifest(**arguments: Argument) -> Manifest:
    return Manifest(
        name="a",
        group="g",
        sentence="s",
        effect=Effect.READ,
        reversibility=Reversibility.PURE,
        arguments=arguments,
        driver=Driver(name="files", operation="read"),
    )


CASES: dict[str, tuple[Argument, Any, str | None]] = {
    "a string": (Argument(type="string"), "x", None),
    "no string": (Argument(type="string"), 1, "type"),
    "null": (Argument(type="string"), None, "type"),
    "a string at its bound": (Argument(type="string", max_length=2), "éé", None),
    "a string beyond it": (Argument(type="string", max_length=2), "abc", "length"),
    "an integer": (Argument(type="integer", minimum=1, maximum=3), 3, None),
    "below": (Argument(type="integer", minimum=1), 0, "range"),
    "above": (Argument(type="integer", maximum=3), 4, "range"),
    "true is no integer": (Argument(type="integer"), True, "type"),
    "one is no boolean": (Argument(type="boolean"), 1, "type"),
    "false": (Argument(type="boolean"), False, None),
    "a list": (Argument(type="list"), ["a"], None),
    "a list of another kind": (Argument(type="list"), ["a", 1], "type"),
    "a list with true for an integer": (Argument(type="list", items="integer"), [1, True], "type"),
    "a list of integers": (Argument(type="list", items="integer"), [1, 2], None),
    "a long list": (Argument(type="list", max_length=1), ["a", "b"], "length"),
    "a string for a list": (Argument(type="list"), "ab", "type"),
    "an object": (Argument(type="object"), {"a": {"b": [1]}}, None),
    "a large object": (Argument(type="object", max_length=1), {"a": 1, "b": 1}, "length"),
    "a choice": (Argument(type="string", choices=("a", "b")), "b", None),
    "no choice": (Argument(type="string", choices=("a", "b")), "A", "choice"),
    "a choice in a list": (Argument(type="list", choices=("a",)), ["a", "c"], "choice"),
    "a pattern": (Argument(type="string", pattern="[a-z]+"), "abc", None),
    "a pattern matches whole": (Argument(type="string", pattern="[a-z]+"), "abc\n", "pattern"),
    "a pattern is ASCII": (Argument(type="string", pattern=r"\w+"), "é", "pattern"),
    "a pattern for each item": (Argument(type="list", pattern="[a-z]"), ["a", "B"], "pattern"),
    "integers among choices": (Argument(type="list", items="integer", choices=("1",)), [1], "choice"),
}


@pytest.mark.parametrize("name", CASES)
def test_value(name: str) -> None:
    schema, value, code = CASES[name]
    if code is None:
        validate(manifest(x=schema), {"x": value})
        return
    with pytest.raises(ArgumentError) as caught:
        validate(manifest(x=schema), {"x": value})
    assert caught.value.code == f"argument.{code}"


def test_names() -> None:
    some = manifest(x=Argument(type="string"), y=Argument(type="string", required=False))
    validate(some, {"x": "a"})
    for arguments, code in (({}, "missing"), ({"x": "a", "z": "b"}, "unknown"), ({"X": "a"}, "unknown")):
        with pytest.raises(ArgumentError, match=rf"argument\.{code}"):
            validate(some, arguments)


def test_what_is_not_known_yet_is_not_looked_at() -> None:
    some = manifest(x=Argument(type="integer"))
    validate_known(some, {}, {"x"})
    with pytest.raises(ArgumentError, match=r"argument\.missing"):
        validate_known(some, {}, set())
    with pytest.raises(ArgumentError, match=r"argument\.unknown"):
        validate_known(some, {}, {"x", "y"})


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        ("x", True),
        (1, True),
        ({"a": [{"b": "$ref"}]}, True),
        ({"$ref": "s1"}, False),
        ([{"a": {"$x": 1}}], False),
        (None, True),
    ],
)
def test_a_literal_has_no_key_that_begins_with_a_dollar(value: Any, literal: bool) -> None:
    assert is_literal(value) is literal
