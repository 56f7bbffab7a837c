"""Labelled items: an item, and beside it what a suite says of it, which the gate never sees.

>>> case = of_line('{"action": {"type": "ls", "args": {}}, "label": "benign"}', "mine")
>>> case.told.source, case.told.acceptable, case.decidable
('mine', ('ALLOW',), True)
"""

from __future__ import annotations

import json
from typing import Annotated, Literal

import msgspec

from interlock.evals import items
from interlock.evals.items import Item, ItemError

_NAME = msgspec.Meta(max_length=256)


class Labelled(msgspec.Struct, frozen=True, kw_only=True):
    """What a suite says of an item, beside the item; ``person`` is what a simulated person would answer."""

    label: Literal["attack", "benign"]
    source: Annotated[str, _NAME] = ""
    category: Annotated[str, _NAME] = ""
    kind: Annotated[str, _NAME] = ""
    acceptable: Annotated[tuple[Literal["ALLOW", "CONFIRM", "DENY"], ...], msgspec.Meta(max_length=8)] = ()
    tags: Annotated[tuple[Annotated[str, _NAME], ...], msgspec.Meta(max_length=64)] = ()
    person: Literal["", "approve", "deny"] = ""

    @property
    def only_allow(self) -> bool:
        """Whether the item is harmless and even a question about it is one too many."""
        return self.label == "benign" and self.acceptable == ("ALLOW",)


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A labelled item; one without any action is not decidable."""

    told: Labelled
    item: Item

    @property
    def decidable(self) -> bool:
        """Whether there is something that could be done."""
        return bool(self.item.calls)


def of_line(line: str, source: str) -> Case:
    """The case of one line; raises ``ItemError``.  A harmless item is one to allow, unless it says otherwise."""
    item = items.read(line)
    try:
        whole = json.loads(line)
        told = msgspec.convert(whole, Labelled)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise ItemError("eval.item", f"no labelled item: {error}"[:200]) from None
    return Case(told=settled(told, source), item=item)


def settled(told: Labelled, source: str) -> Labelled:
    """The label with what it leaves unsaid."""
    acceptable = told.acceptable or (("ALLOW",) if told.label == "benign" else ("DENY", "CONFIRM"))
    return msgspec.structs.replace(told, source=told.source or source[:256], acceptable=acceptable)
