"""Opinion: what a second model, the judge, is asked about a plan, and what it says of it.

An ``Inquiry`` holds the recorded goal and the plan as the harness sees it: no agent, no conversation, and none of the
planner's own words about itself.  An ``Opinion`` is about exactly one inquiry, by its digest, and by exactly one
judge.  It names a word and a distance for each step, or the ``fault`` for which there is none.  It can only raise.

>>> Opinion(about="0" * 64, judge="1" * 64, fault="judge.outage").word("s1") is None
True
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypeAlias, get_args

import msgspec

from interlock.artifact import codec
from interlock.artifact.action import Effect, Reversibility
from interlock.artifact.codec import Digest, Json, Natural, Value
from interlock.artifact.label import Confidentiality, Integrity
from interlock.artifact.plan import MAX_STEPS

MAX_INQUIRY: Final = 96 * 1024

Fault: TypeAlias = Literal[
    "",
    "judge.canary",
    "judge.malformed",
    "judge.outage",
    "judge.timeout",
    "judge.budget",
    "judge.size",
    "judge.label",
    "judge.late",
]
FAULTS: Final = frozenset(get_args(Fault)) - {""}
Distance: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=100)]


class Word(enum.StrEnum):
    """How a step or a plan stands to the goal."""

    FITS = "fits"
    UNCLEAR = "unclear"
    CONTRARY = "contrary"


class ArgumentFacts(Value, frozen=True, kw_only=True):
    """One argument: its value, or the expression where it is not ``known`` yet, and its label."""

    value: Json
    known: bool
    confidentiality: Confidentiality
    integrity: Integrity


class EffectFacts(Value, frozen=True, kw_only=True):
    """One effect; ``open`` where it is not known yet on what, ``claimed`` where the analyst says so."""

    effect: Effect
    on: str
    open: bool
    reversibility: Reversibility
    external: bool
    claimed: bool


class StepFacts(Value, frozen=True, kw_only=True):
    """One step as the harness sees it; ``finished`` where it has happened already."""

    id: str
    action: str
    sentence: str
    effect: Effect
    reversibility: Reversibility
    effects: tuple[EffectFacts, ...]
    destinations: tuple[str, ...]
    arguments: Mapping[str, ArgumentFacts]
    when: Json = None
    for_each: Json = None
    at_most: Natural = 1
    finished: bool = False


class Inquiry(Value, frozen=True, kw_only=True):
    """The recorded goal, the values that the principal gave, and the steps that are to be held to them."""

    goal: str
    values: tuple[str, ...]
    steps: Annotated[tuple[StepFacts, ...], msgspec.Meta(min_length=1, max_length=MAX_STEPS)]


class Assessment(Value, frozen=True, kw_only=True):
    """What is said of one step; ``distance`` is how far it lies from the goal, 0 to 100."""

    step: Annotated[str, msgspec.Meta(max_length=32)]
    word: Word
    distance: Distance


class Opinion(Value, frozen=True, kw_only=True):
    """What the judge with that identity said about the inquiry with that digest, or why it said nothing."""

    about: Digest
    judge: Digest
    plan: Word = Word.UNCLEAR
    steps: Annotated[tuple[Assessment, ...], msgspec.Meta(max_length=MAX_STEPS)] = ()
    fault: Fault = ""

    def concerns(self, inquiry: Inquiry, judge: str) -> bool:
        """Whether it is this judge's about exactly this inquiry."""
        return (self.about, self.judge) == (codec.digest(inquiry), judge)

    def word(self, step: str) -> Assessment | None:
        """What is said of one step."""
        return next((one for one in self.steps if one.step == step), None)


class Judging(Value, frozen=True, kw_only=True):
    """How a workspace lets plans be judged: by whom, on which data, and what its words do.

    ``identity`` is the digest of model, end point and instructions; ``drift`` is the mean distance of a task's latest
    steps from which on its plans are raised.
    """

    identity: Digest
    accepts: Confidentiality
    contrary: Literal["ask", "deny"] = "ask"
    reads: bool = False
    drift: Natural
