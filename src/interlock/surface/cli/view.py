"""What the card shows, as values: gathered by ``gather``, drawn by ``card``, written out by ``--json``.

The texts in here are as they came, hostile ones included; only ``card`` makes them visible.
"""

from __future__ import annotations

import msgspec

from interlock.artifact.action import Reversibility
from interlock.artifact.label import CLEAN, Label


class View(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of the values."""


class ArgumentView(View, frozen=True, kw_only=True):
    """One argument: its value or expression in full, where it comes from, and its label."""

    name: str
    text: str
    origin: str
    known: bool = True
    label: Label = CLEAN


class StepView(View, frozen=True, kw_only=True):
    """One step; ``sentence`` alternates harness words (even places) and values (odd places).

    ``judge`` is the judge's word, and ``distance`` how far it finds the step from the goal, where it was asked.
    """

    id: str
    action: str
    sentence: tuple[str, ...]
    reversibility: Reversibility
    undo: str
    target: str = ""
    asks: bool = False
    finished: bool = False
    notes: tuple[str, ...] = ()
    arguments: tuple[ArgumentView, ...] = ()
    judge: str = ""
    distance: int | None = None
    reason: str = ""


class Risk(View, frozen=True, kw_only=True):
    """The strip: how bad it could be, in counts."""

    reversibility: Reversibility
    environment: str = ""
    touches: tuple[tuple[str, str, int], ...] = ()
    leaving: tuple[tuple[str, str], ...] = ()
    cost: int = 0
    secrets: tuple[tuple[str, int], ...] = ()


class Effect(View, frozen=True, kw_only=True):
    """What the harness probed of a step's effect: ``diff``, ``text``, ``absent``, ``value`` or ``none``.

    ``relabel`` is what the harness knows by itself of a label that would be lowered.
    """

    step: str
    kind: str
    text: str = ""
    label: Label = CLEAN


class Cause(View, frozen=True, kw_only=True):
    """One reason with the rule's place and owner."""

    decision: str
    code: str
    step: str = ""
    field: str = ""
    rule: str = ""
    place: str = ""
    owner: str = ""
    why: str = ""


class Past(View, frozen=True, kw_only=True):
    """One earlier decision on the same action and target."""

    at: int
    plan: str
    decision: str
    outcome: str
    same: str


class Card(View, frozen=True, kw_only=True):
    """Everything on the page of one decision; times in milliseconds since the epoch, UTC."""

    digest: str
    status: str
    task: str
    goal: str
    requester: str
    viewer: str = ""
    separate_duties: bool = False
    now: int
    expires_at: int
    shown_at: int = 0
    steps: tuple[StepView, ...]
    risk: Risk
    effects: tuple[Effect, ...] = ()
    causes: tuple[Cause, ...] = ()
    approvals: tuple[str, ...] = ()
    needed: int = 1
    changes: tuple[str, ...] = ()
    precedents: tuple[Past, ...] = ()
    planner_goal: str = ""
    policy: str = ""
    certificate: str = ""
    manifests: str = ""
    preview: str = ""

    @property
    def asking(self) -> tuple[StepView, ...]:
        """The steps that a person is asked about; all of them where none stands out."""
        return tuple(step for step in self.steps if step.asks) or self.steps

    @property
    def irreversible(self) -> bool:
        return self.risk.reversibility is Reversibility.IRREVERSIBLE

    @property
    def challenge(self) -> str:
        """What a person types to approve: the resource's name for what cannot be undone, else the word."""
        steps = [step for step in self.steps if step.reversibility is Reversibility.IRREVERSIBLE and not step.finished]
        name = next((step.target for step in steps if step.target), "") or ("irreversible" if steps else "approve")
        return f"approve {name}" if steps and name in {"approve", "deny"} else name
