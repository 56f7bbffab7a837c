"""Plan and Step: what is proposed, and what the harness makes of it.

A planner sends a ``Proposal``; the harness stamps it into a ``Plan`` (identity, sequence, manifest digests,
derived privileges), whose digest is what a person approves and an executor receives.  Arguments are literals
or expressions that only the harness evaluates, such as ``{"$ref": "s1.output.rows[0].email"}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeAlias

import msgspec

from interlock.artifact.codec import Digest, Identifier, Json, Millis, Natural, Text, Value

MAX_STEPS = 64
MAX_ITERATIONS = 100

StepId: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_-]{0,31}\Z")]


Fact: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_-]{0,31}(/[1-9][0-9]?)?\Z")]


class ForEach(Value, frozen=True, kw_only=True):
    """Run the step once per item of a list, at most ``at_most`` times; the item is ``{"$ref": "item"}``."""

    items: Json
    at_most: Annotated[int, msgspec.Meta(ge=1, le=MAX_ITERATIONS)]


class Compensation(Value, frozen=True, kw_only=True):
    """The step that takes this one back, where the planner names another than the manifest's inverse."""

    action: Identifier
    arguments: Mapping[str, Json] = {}


class ProposedStep(Value, frozen=True, kw_only=True):
    """One step in a planner's words; ``reason`` is shown as the planner's and never trusted."""

    id: StepId
    action: Identifier
    arguments: Mapping[str, Json] = {}
    when: Json = None
    for_each: ForEach | None = None
    needs: Annotated[tuple[StepId, ...], msgspec.Meta(max_length=MAX_STEPS)] = ()
    expect: Json = None
    rollback: Compensation | None = None
    privileges: Annotated[tuple[Text, ...], msgspec.Meta(max_length=64)] | None = None
    irreversible: bool | None = None
    change: Annotated[str, msgspec.Meta(max_length=64)] = ""
    reason: Text = ""


class Proposal(Value, frozen=True, kw_only=True):
    """What a planner hands in: unsigned, unnumbered, of no force."""

    task: Digest
    goal: Text
    steps: Annotated[tuple[ProposedStep, ...], msgspec.Meta(min_length=1, max_length=MAX_STEPS)]
    parent: Digest | None = None


class Step(ProposedStep, frozen=True, kw_only=True):
    """One step as the harness stamped it: manifest pinned, privileges and irreversibility derived."""

    manifest: Digest
    privileges: Annotated[tuple[Text, ...], msgspec.Meta(max_length=64)] = ()
    irreversible: bool = False


class Plan(Value, frozen=True, kw_only=True):
    """A frozen plan; its digest is what is approved, sealed, executed and undone.

    ``finished`` are facts from the plans that it revises: a step, or ``STEP/COUNT`` for the first iterations of a loop.
    """

    id: Identifier
    revision: Natural
    parent: Digest | None
    task: Digest
    workspace: Identifier
    sequence: Natural
    goal: Text
    steps: Annotated[tuple[Step, ...], msgspec.Meta(min_length=1, max_length=MAX_STEPS)]
    finished: Annotated[tuple[Fact, ...], msgspec.Meta(max_length=MAX_STEPS)] = ()
    expires_at: Millis

    def step(self, step_id: str) -> Step:
        """The step with that id; raises ``KeyError`` where there is none."""
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)

    def begun(self, step_id: str) -> int:
        """How many iterations of a loop are facts, where not all are; the next one is the first that may start."""
        counts = (fact.removeprefix(f"{step_id}/") for fact in self.finished if fact.startswith(f"{step_id}/"))
        return int(next(counts, "0"))
