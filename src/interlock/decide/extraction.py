"""Extraction: what a quarantined model may answer about a text, declared beforehand and held to afterwards.

Fields are literals of the plan: a name and a type each, and every type is bounded.  The answer is one JSON object of
the strict codec with exactly these fields; anything else has a code and is no answer.  Values of a text's author stay
values of its author: nothing in here says a word about labels, which the manifest makes untrusted.

>>> fields = declared({"paid": {"type": "boolean"}, "total": {"type": "integer", "minimum": 0, "maximum": 9}})
>>> admitted(fields, '{"paid": true, "total": 3}')
{'paid': True, 'total': 3}
>>> admitted(fields, '{"paid": true, "total": 30}')
Traceback (most recent call last):
interlock.decide.extraction.ExtractionError: extract.bounds: the answer's field 'total' is outside its bounds
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Final, TypeAlias, cast

import msgspec

from interlock.artifact import codec
from interlock.artifact.action import Manifest
from interlock.artifact.arguments import is_literal
from interlock.artifact.codec import MAX_INTEGER, Json, Value
from interlock.artifact.errors import CodecError, InterlockError
from interlock.artifact.verdict import Decision, Reason
from interlock.decide.flow import View

DRIVER: Final = "model"
MAX_FIELDS: Final = 16
MAX_CHARACTERS: Final = 8192
_INTEGER: Final = len(str(-MAX_INTEGER))

Name: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[a-z][A-Za-z0-9_]{0,31}\Z")]
Number: TypeAlias = Annotated[int, msgspec.Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)]


class ExtractionError(InterlockError):
    """Fields that cannot be asked for, or an answer that is not what was asked for; never quotes a value."""


class TextField(Value, frozen=True, kw_only=True, tag_field="type", tag="string"):
    """A text of at most ``max_length`` characters."""

    max_length: Annotated[int, msgspec.Meta(ge=1, le=1024)]


class NumberField(Value, frozen=True, kw_only=True, tag_field="type", tag="integer"):
    """A whole number within its range."""

    minimum: Number
    maximum: Number


class FlagField(Value, frozen=True, kw_only=True, tag_field="type", tag="boolean"):
    """True or false."""


class ChoiceField(Value, frozen=True, kw_only=True, tag_field="type", tag="enum"):
    """One of a few literals."""

    choices: Annotated[
        tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=128)], ...],
        msgspec.Meta(min_length=1, max_length=32),
    ]


Single: TypeAlias = TextField | NumberField | FlagField | ChoiceField


class ListField(Value, frozen=True, kw_only=True, tag_field="type", tag="list"):
    """At most ``max_items`` values of one of the single types."""

    items: Single
    max_items: Annotated[int, msgspec.Meta(ge=1, le=32)]


Field: TypeAlias = Single | ListField
Fields: TypeAlias = Mapping[str, Field]
_Declared: TypeAlias = Annotated[dict[Name, Field], msgspec.Meta(min_length=1, max_length=MAX_FIELDS)]


def extracts(manifest: Manifest) -> bool:
    """Whether the action is carried out by the quarantined model."""
    return manifest.driver.name == DRIVER


def declared(value: Json) -> Fields:
    """The fields that a plan asks for; raises ``ExtractionError``."""
    try:
        found = codec.convert(value, cast("type[dict[str, Field]]", _Declared))
    except CodecError as error:
        raise ExtractionError("extract.fields", error.message) from None
    empty = [name for name, field in found.items() if _contradicts(field)]
    if empty:
        raise ExtractionError("extract.fields", f"no value can be in the field {empty[0]!r}")
    if sum(map(_characters, found.values())) > MAX_CHARACTERS:
        raise ExtractionError("extract.fields", f"the answer could hold more than {MAX_CHARACTERS} characters")
    return found


def admitted(fields: Fields, text: str) -> dict[str, Json]:
    """The answer, where it is exactly what was asked for; raises ``ExtractionError``."""
    try:
        found = codec.parse(text.encode("utf-8", "surrogatepass"), limit=8 * MAX_CHARACTERS)
    except CodecError as error:
        raise ExtractionError("extract.answer", f"the model's answer is no value of the codec ({error.code})") from None
    if not isinstance(found, dict) or found.keys() != fields.keys():
        raise ExtractionError(
            "extract.shape", "the model's answer does not have exactly the fields that were asked for"
        )
    for name, field in fields.items():
        _hold(name, field, found[name])
    return found


def wanted(fields: Fields) -> bytes:
    """The JSON Schema of an answer."""
    properties = {name: _schema(field) for name, field in fields.items()}
    return codec.encode({**_OBJECT, "properties": properties, "required": sorted(properties)})


def capacity(fields: Fields) -> int:
    """How many characters an answer holds at most."""
    return sum(map(_characters, fields.values()))


def check_extraction(view: View) -> Iterator[Reason]:
    """(3) Which fields are asked for stands in the plan, and each of them is bounded."""
    if not extracts(view.manifest):
        return
    fields = view.step.arguments.get("fields")
    try:
        declared(fields if is_literal(fields) else None)
    except ExtractionError as error:
        yield Reason(decision=Decision.DENY, stage=3, code=error.code, step=view.step.id, field="fields")


_OBJECT: Final[Mapping[str, Json]] = {"type": "object", "additionalProperties": False}


def _contradicts(field: Field) -> bool:
    match field:
        case ListField(items=items):
            return _contradicts(items)
        case NumberField(minimum=low, maximum=high):
            return low > high
        case ChoiceField(choices=choices):
            return len(set(choices)) < len(choices)
        case _:
            return False


def _characters(field: Field) -> int:
    match field:
        case ListField(items=items, max_items=most):
            return most * _characters(items)
        case TextField(max_length=most):
            return most
        case ChoiceField(choices=choices):
            return max(map(len, choices))
        case _:
            return _INTEGER


def _hold(name: str, field: Field, value: Json) -> None:
    if isinstance(field, ListField):
        if not isinstance(value, list):
            raise _refused("extract.shape", name, "of another type")
        if len(value) > field.max_items:
            raise _refused("extract.bounds", name, "outside its bounds")
        for item in value:
            _hold(name, field.items, item)
        return
    if type(value) is not _TYPES[type(field)]:
        raise _refused("extract.shape", name, "of another type")
    if not _within(field, value):
        raise _refused("extract.bounds", name, "outside its bounds")


_TYPES: Final[Mapping[type, type]] = {TextField: str, NumberField: int, FlagField: bool, ChoiceField: str}


def _within(field: Single, value: Json) -> bool:
    match field, value:
        case TextField(max_length=most), str():
            return len(value) <= most
        case NumberField(minimum=low, maximum=high), int():
            return low <= value <= high
        case ChoiceField(choices=choices), _:
            return value in choices
        case _:
            return True


def _refused(code: str, name: str, what: str) -> ExtractionError:
    return ExtractionError(code, f"the answer's field {name[:64]!r} is {what}")


def _schema(field: Field) -> Json:
    match field:
        case ListField(items=items, max_items=most):
            return {"type": "array", "items": _schema(items), "maxItems": most}
        case TextField(max_length=most):
            return {"type": "string", "maxLength": most}
        case NumberField(minimum=low, maximum=high):
            return {"type": "integer", "minimum": low, "maximum": high}
        case ChoiceField(choices=choices):
            return {"type": "string", "enum": list(choices)}
        case _:
            return {"type": "boolean"}
