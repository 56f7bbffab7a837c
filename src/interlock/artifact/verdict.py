"""Verdict: what the gate says, ordered from ALLOW to DENY; the strictest of all tiers and steps wins.

A reason is a stable code, a rule and the names of fields, never a value (guide 12): a denial is no channel.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Annotated

import msgspec

from interlock.artifact.codec import Digest, Millis, Value


class Decision(enum.StrEnum):
    """ALLOW < MODIFY < STEP_UP < DEFER < DENY."""

    ALLOW = "ALLOW"
    MODIFY = "MODIFY"
    STEP_UP = "STEP_UP"
    DEFER = "DEFER"
    DENY = "DENY"

    @property
    def rank(self) -> int:
        return _RANK[self]


_RANK = {decision: rank for rank, decision in enumerate(Decision)}


class Reason(Value, frozen=True, kw_only=True):
    """Why: the gate's step number, a code, and where it applies."""

    decision: Decision
    stage: Annotated[int, msgspec.Meta(ge=1, le=10)]
    code: Annotated[str, msgspec.Meta(max_length=96)]
    step: Annotated[str, msgspec.Meta(max_length=32)] = ""
    field: Annotated[str, msgspec.Meta(max_length=128)] = ""
    rule: Annotated[str, msgspec.Meta(max_length=128)] = ""


class Verdict(Value, frozen=True, kw_only=True):
    """The decision, its reasons (strictest first), and how many persons a STEP_UP needs."""

    decision: Decision
    reasons: tuple[Reason, ...] = ()
    approvals: Annotated[int, msgspec.Meta(ge=0, le=16)] = 0
    modified: Digest | None = None
    until: Millis | None = None


def strictest(reasons: Iterable[Reason], *, approvals: int = 0) -> Verdict:
    """The verdict that the reasons add up to; none of them means DENY, because empty is deny."""
    ordered = sorted(reasons, key=lambda reason: -reason.decision.rank)
    if not ordered:
        nothing = Reason(decision=Decision.DENY, stage=7, code="gate.no_reason")
        return Verdict(decision=Decision.DENY, reasons=(nothing,))
    decision = ordered[0].decision
    needed = max(1, approvals) if decision is Decision.STEP_UP else 0
    return Verdict(decision=decision, reasons=tuple(ordered[:64]), approvals=needed)
