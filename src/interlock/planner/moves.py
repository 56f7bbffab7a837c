"""What a language model may answer: exactly one move, as JSON of a published shape.

The schema that a provider sees and the types that its answer is held to say the same; the answer is parsed by
the strict codec, because a provider's word that it kept to a schema is only its word.

>>> read('{"move": {"do": "load", "groups": ["files"]}}').groups
('files',)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, TypeAlias, cast

import msgspec

from interlock.artifact import codec
from interlock.artifact.codec import Identifier, Json, Value

Words: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=16_384)]


class Load(Value, frozen=True, kw_only=True, tag_field="do", tag="load"):
    """Learn the actions of these groups."""

    groups: Annotated[tuple[Identifier, ...], msgspec.Meta(min_length=1, max_length=64)]


class Look(Value, frozen=True, kw_only=True, tag_field="do", tag="observe"):
    """Run one read-only action now."""

    action: Identifier
    arguments: Mapping[str, Json] = {}


class Inquire(Value, frozen=True, kw_only=True, tag_field="do", tag="ask"):
    """Ask the person."""

    question: Words


class Put(Value, frozen=True, kw_only=True, tag_field="do", tag="propose"):
    """Hand in a plan; what it lacks of a ``Proposal`` (task and parent) the planner fills in."""

    proposal: Mapping[str, Json]


class Say(Value, frozen=True, kw_only=True, tag_field="do", tag="answer"):
    """Answer without (further) actions."""

    text: Words


Move: TypeAlias = Load | Look | Inquire | Put | Say


class Turn(Value, frozen=True, kw_only=True):
    """One answer of the model; the object around the union is what providers' strict modes ask for."""

    move: Move


def read(text: str) -> Move:
    """The move in a model's text, which may have words or a code fence around it; raises ``CodecError``."""
    start, end = text.find("{"), text.rfind("}")
    raw = text[start : end + 1] if 0 <= start < end else text
    return codec.decode(raw.encode(), Turn).move


def schema(proposal: bytes, moves: Collection[str]) -> bytes:
    """The JSON Schema of one turn restricted to ``moves``; ``proposal`` is the schema of a Proposal."""
    published = cast("dict[str, Json]", codec.parse(proposal, data=True)) if proposal else {}
    definitions = dict(cast("Mapping[str, Json]", published.get("$defs", {})))
    definitions["Proposal"] = _writable(definitions.get("Proposal", {"type": "object"}))
    shapes = [_object(name, _FIELDS[name]) for name in _FIELDS if name in moves]
    turn = {
        "type": "object",
        "properties": {"move": {"anyOf": shapes}},
        "required": ["move"],
        "additionalProperties": False,
        "$defs": definitions,
    }
    return codec.encode(turn)


def _writable(proposal: Json) -> Json:
    """A Proposal's schema without the fields that the planner fills in."""
    fields = cast("Mapping[str, Json]", proposal)
    properties = cast("Mapping[str, Json]", fields.get("properties", {}))
    required = cast("list[Json]", fields.get("required", []))
    kept = {name: shape for name, shape in properties.items() if name not in _FILLED_IN}
    return {**fields, "properties": kept, "required": [name for name in required if name not in _FILLED_IN]}


def _object(tag: str, fields: Mapping[str, Json]) -> Json:
    return {
        "type": "object",
        "properties": {"do": {"const": tag}, **fields},
        "required": ["do", *fields],
        "additionalProperties": False,
    }


_FILLED_IN = ("task", "parent")
_STRING: Json = {"type": "string"}
_FIELDS: Mapping[str, Mapping[str, Json]] = {
    "load": {"groups": {"type": "array", "items": _STRING, "minItems": 1}},
    "observe": {"action": _STRING, "arguments": {"type": "object"}},
    "ask": {"question": _STRING},
    "propose": {"proposal": {"$ref": "#/$defs/Proposal"}},
    "answer": {"text": _STRING},
}
ALL = frozenset(_FIELDS)
