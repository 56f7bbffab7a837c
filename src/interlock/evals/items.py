"""Items: one labelled action or plan in the form in which it is judged, without anything that tells its label.

Values that no proposal could hold are written in the nearest form that one can: a fraction as text, a list of things as
an object.  What cannot be read at all raises ``ItemError``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import cast

import msgspec

from interlock.artifact.codec import Json
from interlock.artifact.errors import InterlockError

MAX_LINE = 4 << 20
_EMOJI = re.compile("(?<=[\u2190-\u2bff\U0001f000-\U0001faff])\ufe0f")  # Shown in colour: the same character.
_PLAIN_NAME = re.compile(r"[^A-Za-z0-9._:@+-]")


class ItemError(InterlockError):
    """A line that is no item."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One action with its arguments; what it brought is told where it lies in the past."""

    type: str
    args: dict[str, object] = {}
    result_labels: list[str] = []
    untrusted_text: str = ""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What was known before the action."""

    prior_actions: list[Call] = []
    data_labels: list[str] = []
    user_goal: str | None = None
    scope: dict[str, object] = {}


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """An action in its context, or a goal with the steps of a plan; ``kind`` may be empty."""

    id: str = ""
    kind: str = ""
    action: Call | None = None
    context: Context = Context()
    goal: str = ""
    steps: list[Call] = []

    @property
    def calls(self) -> tuple[Call, ...]:
        """What is to be decided on."""
        return (self.action,) if self.action is not None else tuple(self.steps)


def read(line: str) -> Item:
    """The item of one line; raises ``ItemError``."""
    if len(line) > MAX_LINE:
        raise ItemError("eval.item", "an item of too many characters")
    try:
        return msgspec.convert(json.loads(line), Item)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise ItemError("eval.item", f"a line that is no item: {type(error).__name__}") from None


def name_of(text: str) -> str:
    """The text as an identifier."""
    return _PLAIN_NAME.sub("-", text).lstrip("._:@+-")[:96] or "unnamed"


def value_of(value: object) -> Json:
    """The value as a proposal can hold it."""
    match value:
        case float():
            return str(value)
        case list():
            items = [value_of(item) for item in cast("list[object]", value)]
            kinds = {type(item) for item in items}
            return items if kinds <= {str} or kinds == {int} else {str(at): item for at, item in enumerate(items)}
        case dict():
            found = cast("Mapping[str, object]", value)
            return {str(key): value_of(item) for key, item in found.items()}
        case str():
            return _EMOJI.sub("", value)
        case bool() | int() | None:
            return value
        case _:
            return str(value)
