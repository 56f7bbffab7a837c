"""Reservation (gate step 8): what plans may use at most of their task's budget and of rates, taken and given back."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from interlock.artifact.action import Manifest
from interlock.artifact.errors import StateError
from interlock.artifact.plan import Plan
from interlock.artifact.verdict import Decision, Reason, Verdict, strictest
from interlock.decide.evidence import Evidence
from interlock.decide.life import Event, Status
from interlock.harness.core import Core
from interlock.harness.rows import Rate, charged


class Tally:
    """(8) What the proposals of one batch have taken so far, at the moment ``now``: of their tasks, and of rates."""

    def __init__(self, core: Core, evidence: dict[str, Evidence], now: int) -> None:
        self.now = now
        self.sequence = core.store.next_sequence()
        self._core = core
        self._evidence = evidence
        self._rates = core.store.rates(now)

    def evidence(self, task: str) -> Evidence:
        """What is known after the proposals before."""
        used = used_up(self._rates, self._core.site.limits.uses_per_minute)
        return msgspec.structs.replace(self._evidence[task], rates_until=used)

    def reserve(self, task: str, plan: Plan | None, verdict: Verdict) -> Verdict:
        """Budget and rate, and the task with it; what will not run takes but the plan's own count."""
        core, held = self._core, self._evidence[task]
        taken = plan if verdict.decision not in {Decision.DENY, Decision.MODIFY} else None
        amounts = worst_case(taken, core.catalogue) if taken is not None else {}
        try:
            spent = charged(held.spent, {"plans": 1, **amounts}, held.task.budget)
        except StateError as error:
            reason = Reason(decision=Decision.DENY, stage=8, code=error.code)
            return strictest([reason, *verdict.reasons])
        for step in taken.steps if taken is not None else ():
            name = core.catalogue[step.action].rate
            rate = self._rates.get(name, Rate(name=name, began=self.now, used=0))
            self._rates[name] = msgspec.structs.replace(rate, used=rate.used + 1)
        self._evidence[held.task.id] = msgspec.structs.replace(held, spent=spent)
        return verdict

    def save(self) -> None:
        """Write it into the caller's transaction."""
        for task, evidence in self._evidence.items():
            self._core.store.set_spent(task, evidence.spent)
        self._core.store.set_rates(*self._rates.values())


def used_up(rates: Mapping[str, Rate], most: int) -> dict[str, int]:
    """The rate classes with ``most`` uses in their present window, and when that ends."""
    return {name: rate.until for name, rate in rates.items() if rate.used >= most}


def worst_case(plan: Plan, catalogue: Mapping[str, Manifest]) -> dict[str, int]:
    """The cost and the steps that a plan may use at most, without what its parent finished.

    An action that left the catalogue costs nothing any more, so that its plan can still be ended.
    """
    left = [step for step in plan.steps if step.id not in plan.finished]
    times = {step.id: step.for_each.at_most if step.for_each else 1 for step in left}
    cost = sum(catalogue[step.action].cost * times[step.id] for step in left if step.action in catalogue)
    return {"cost": cost, "steps": sum(times.values())}


def released(plan: Plan, catalogue: Mapping[str, Manifest]) -> dict[str, int]:
    """What a plan that will not run gives back of its reservation."""
    return {name: -amount for name, amount in worst_case(plan, catalogue).items()}


def revoke(core: Core, digest: str, reason: str, *, code: str) -> Status:
    """Take back what a plan was allowed, and what it had reserved where it will not run."""
    with core.store.transaction():
        row = core.store.plan(digest)
        status = core.store.advance(row.digest, Event.REVOKE, stopped=code)
        if row.status in {Status.PENDING, Status.APPROVED}:
            core.store.spend(row.task, **released(row.plan, core.catalogue))
        core.record("revoke", row.task, row.digest, reason.encode(), code=code)
    return status
