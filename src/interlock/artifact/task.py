"""Task: what a principal asked for, recorded before a planner sees anything.

The goal and the principal's values are trusted text; attachments are separate from the goal and untrusted.
An answer to a planner's question is a recorded revision of the task.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from interlock.artifact.codec import Digest, Identifier, Millis, Natural, Text, Value
from interlock.artifact.label import Confidentiality, Integrity, Label


class Budget(Value, frozen=True, kw_only=True):
    """What a task may use in all; ``cost`` in the workspace's minor unit of money."""

    cost: Natural = 0
    steps: Natural = 256
    plans: Natural = 16
    completions: Natural = 32
    tokens: Natural = 200_000
    observations: Natural = 64
    questions: Natural = 8


class Attachment(Value, frozen=True, kw_only=True):
    """A document that came with the task; it may inform a plan and may never direct one."""

    name: Text
    digest: Digest
    label: Label = Label(confidentiality=Confidentiality.INTERNAL, integrity=Integrity.UNTRUSTED)


class Task(Value, frozen=True, kw_only=True):
    """One task revision; ``values`` are strings that a principal supplied beside the goal."""

    id: Identifier
    revision: Natural
    principal: Identifier
    goal: Annotated[str, msgspec.Meta(min_length=1, max_length=16_384)]
    values: Annotated[tuple[Text, ...], msgspec.Meta(max_length=256)] = ()
    scope: Mapping[Identifier, Text] = {}
    groups: Annotated[tuple[Identifier, ...], msgspec.Meta(max_length=64)] = ()
    attachments: Annotated[tuple[Attachment, ...], msgspec.Meta(max_length=64)] = ()
    budget: Budget = Budget()
    created_at: Millis
    expires_at: Millis
