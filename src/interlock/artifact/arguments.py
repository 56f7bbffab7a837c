"""Arguments held to their manifest's schema: names, types, bounds, choices, pattern. Unknown names are refused.

The gate checks what is known when a plan is decided, the step checks all of it before it acts.  A pattern is
an ASCII regular expression of the manifest's author, bounded in length and matched against the whole value.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import assert_never

from interlock.artifact.action import Argument, Manifest
from interlock.artifact.codec import Json
from interlock.artifact.errors import InterlockError


class ArgumentError(InterlockError):
    """An argument outside its manifest's schema; the message names the argument, never its value."""


def is_literal(value: Json) -> bool:
    """Whether a value is a literal: no object in it has a key that starts with ``$``.  Gate and step ask this alike."""
    match value:
        case str():
            return True
        case Mapping():
            return all(not key.startswith("$") and is_literal(item) for key, item in value.items())
        case list() | tuple():
            return all(is_literal(item) for item in value)
        case _:
            return True


def validate(manifest: Manifest, arguments: Mapping[str, Json]) -> None:
    """Raise ``ArgumentError`` for the first argument that the manifest does not admit."""
    validate_known(manifest, arguments, arguments.keys())


def validate_known(manifest: Manifest, known: Mapping[str, Json], names: Collection[str]) -> None:
    """As ``validate`` for the arguments ``names``, of which only those in ``known`` have a value yet."""
    for name in names:
        if name not in manifest.arguments:
            raise ArgumentError("argument.unknown", f"{manifest.reference} has no argument {name[:64]!r}")
    for name, schema in manifest.arguments.items():
        if name in known:
            _value(name, schema, known[name])
        elif name not in names and schema.required:
            raise ArgumentError("argument.missing", f"{manifest.reference} needs the argument {name!r}")


def _value(name: str, schema: Argument, value: Json) -> None:
    if not _has_type(schema, value):
        raise ArgumentError("argument.type", f"the argument {name!r} is not of type {schema.type}")
    if isinstance(value, str | list | dict) and len(value) > schema.max_length:
        raise ArgumentError("argument.length", f"the argument {name!r} is longer than {schema.max_length}")
    if isinstance(value, int) and not _in_range(schema, value):
        raise ArgumentError("argument.range", f"the argument {name!r} is out of its range")
    items: list[Json] = value if isinstance(value, list) else [value]
    if schema.choices and not all(isinstance(item, str) and item in schema.choices for item in items):
        raise ArgumentError("argument.choice", f"the argument {name!r} is none of its choices")
    if schema.pattern and not all(isinstance(item, str) and _matches(schema.pattern, item) for item in items):
        raise ArgumentError("argument.pattern", f"the argument {name!r} does not have its pattern")


def _has_type(schema: Argument, value: Json) -> bool:
    match schema.type:
        case "string":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "scalar":
            return isinstance(value, str | int)
        case "list":
            kind = str if schema.items == "string" else int
            return isinstance(value, list) and all(type(item) is kind for item in value)
        case "object":
            return isinstance(value, dict)
        case _:
            assert_never(schema.type)


def _in_range(schema: Argument, value: int) -> bool:
    low, high = schema.minimum, schema.maximum
    return (low is None or value >= low) and (high is None or value <= high)


def _matches(pattern: str, value: str) -> bool:
    return re.fullmatch(pattern, value, re.ASCII) is not None
