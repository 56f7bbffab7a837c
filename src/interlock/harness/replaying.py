"""Replay: other rules over the plans that were decided, on the facts of their decisions; nothing is stored.

Exact where the stored context's digest shows that the facts are those of the decision; what is today's instead is
named for each plan.  A plan whose manifests have changed is not replayed, nor one that rules could not modify, since
what stood in its place is not known.  Budgets and rates count as they were, and the successor of a plan that would
newly be modified is not made up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from interlock.artifact.verdict import Decision, Reason, Verdict, strictest
from interlock.decide.evidence import Policy
from interlock.decide.nearest import redecided
from interlock.decide.policy import PolicyAnswer, PolicyRequest
from interlock.harness.core import Core
from interlock.harness.proposals import Proposals
from interlock.harness.rows import PlanRow

_RESERVATION = 8


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """One plan with both verdicts; ``differs`` names the facts that are not those of the decision."""

    plan: str
    at: int
    old: Verdict
    new: Verdict
    differs: tuple[str, ...]
    actions: tuple[tuple[str, str], ...]

    @property
    def flips(self) -> bool:
        """Whether the decision is another."""
        return self.old.decision is not self.new.decision


@dataclass(slots=True)
class Replay:
    """All plans that were replayed, the digests of those that could not be, and the rules that had a say."""

    plans: list[Replayed] = field(default_factory=list[Replayed])
    left_out: dict[str, str] = field(default_factory=dict[str, str])
    spoke: set[str] = field(default_factory=set[str])


@dataclass(frozen=True, slots=True)
class _Heard:
    """A policy of which it is noted which rules its answers name."""

    policy: Policy
    spoke: set[str]

    @property
    def digest(self) -> str:
        return self.policy.digest

    def evaluate_many(self, requests: Sequence[PolicyRequest]) -> tuple[PolicyAnswer, ...]:
        answers = self.policy.evaluate_many(requests)
        self.spoke.update(reason.rule for answer in answers for reason in answer.reasons if reason.rule)
        return answers


def replay(core: Core, policy: Policy, since: int) -> Replay:
    """Decide again, with ``policy``, on every plan that was decided from ``since`` on."""
    found = Replay()
    for row in core.store.plans():
        if row.created_at >= since:
            why = _unfit(core, row)
            if why:
                found.left_out[row.digest] = why
            else:
                found.plans.append(_replayed(core, row, _Heard(policy, found.spoke)))
    return found


def spoken_of(replayed: Replayed) -> Iterator[tuple[str, str]]:
    """Action and rule of each reason that makes up a flip: of the new verdict, or of the old one's objections."""
    actions = dict(replayed.actions)
    allowed = replayed.new.decision is Decision.ALLOW
    verdict = replayed.old if allowed else replayed.new
    for reason in verdict.reasons:
        if reason.decision is verdict.decision:
            yield actions.get(reason.step, ""), reason.rule or reason.code


def _unfit(core: Core, row: PlanRow) -> str:
    if any(core.digests.get(step.action) != step.manifest for step in row.plan.steps):
        return "manifests"
    return "modified" if any(reason.code.startswith("modify.") for reason in row.verdict.reasons) else ""


def _replayed(core: Core, row: PlanRow, policy: Policy) -> Replayed:
    today = Proposals(core, unattended=False).facts(core.store.task(row.task), policy)
    recalled = core.contexts.recalled(row.context, row.policy, today)
    # A plan that waited has been decided on again, once the rate was free.
    waits: Mapping[str, int] = recalled.evidence.rates_until if row.verdict.decision is Decision.DEFER else {}
    facts = msgspec.structs.replace(recalled.evidence, policy=policy, rates_until=waits)
    new = _reserved(redecided(row.plan, facts, row.created_at), row.verdict.reasons)
    return Replayed(
        plan=row.digest, at=row.created_at, old=row.verdict, new=new, differs=recalled.differs,
        actions=tuple((step.id, step.action) for step in row.plan.steps),
    )  # fmt: skip


def _reserved(verdict: Verdict, before: Sequence[Reason]) -> Verdict:
    """The verdict with what the reservation said then: no rule has a part in it."""
    kept = [reason for reason in before if reason.stage == _RESERVATION]
    return strictest([*kept, *verdict.reasons]) if kept else verdict
