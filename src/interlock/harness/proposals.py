"""From a proposal to a decided plan: the gate's steps around the pure decision.

Every way in ends in ``judge``: a planner's proposal, an intent, an observation, a preview, a revision.  ``course``
goes on where rules modify the plan: each successor is judged by the same function, and the last one stands.
``propose`` adds what has effects: the atomic reservation of budget and rate (8), the entries, and the stored plans.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import msgspec

from interlock.artifact import codec
from interlock.artifact.action import Manifest
from interlock.artifact.codec import Json
from interlock.artifact.errors import StateError
from interlock.artifact.plan import Plan, Proposal, ProposedStep
from interlock.artifact.receipt import Receipt
from interlock.artifact.task import Task
from interlock.artifact.verdict import Decision, Reason, Verdict, strictest
from interlock.decide import gate
from interlock.decide.evidence import Evidence
from interlock.decide.life import Event, Status, transition
from interlock.decide.modify import modify
from interlock.harness.core import Core, Record, bytes_digest, manifests_digest
from interlock.harness.rows import PlanRow, TaskRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What the gate said of a proposal; ``digest`` and ``status`` where a plan came of it.

    Where rules modified it, all three are the last successor's, and ``before`` is what was said of the plan as it was
    proposed and of each successor but the last.
    """

    verdict: Verdict
    digest: str | None = None
    status: Status | None = None
    before: tuple[Decided, ...] = ()

    @classmethod
    def of(cls, course: Sequence[Judged]) -> Self:
        """A course that nothing was done with."""
        *before, last = (cls(verdict=judged.verdict) for judged in course)
        return dataclasses.replace(last, before=tuple(before))


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A decision that nothing was done with yet."""

    proposal: str
    plan: Plan | None
    verdict: Verdict
    evidence: Evidence


class Proposals:
    """Judges and stores proposals."""

    def __init__(self, core: Core, *, unattended: bool) -> None:
        self._core = core
        self._unattended = unattended

    def evidence(self, row: TaskRow) -> Evidence:
        """(6) What is known now, collected before the pure decision."""
        core = self._core
        now = core.clock()
        return Evidence(
            site=core.site,
            task=row.task,
            task_digest=row.task_digest,
            catalogue=core.catalogue,
            digests=core.digests,
            loaded=frozenset(row.loaded),
            policy=core.policy,
            received=row.received,
            spent=row.spent,
            carried=core.store.carried(),
            roles=core.workspace.configuration.principal.roles,
            rates_until=core.store.rates_used(now, core.site.limits.uses_per_minute),
            unattended=self._unattended or core.workspace.configuration.unattended,
            frozen=row.frozen,
        )

    def judge(
        self,
        row: TaskRow,
        raw: bytes,
        *,
        parent: PlanRow | None = None,
        finished: tuple[str, ...] = (),
        previewing: bool = False,
        sequence: int | None = None,
    ) -> Judged:
        """(1)-(7) of a proposal's bytes; nothing is stored.  A preview needs no loaded group."""
        core = self._core
        evidence = self.evidence(row)
        if previewing:
            every = frozenset(manifest.group for manifest in core.catalogue.values())
            evidence = dataclasses.replace(evidence, loaded=every)
        lifetime = core.workspace.configuration.approvals.lifetime_minutes * 60_000
        stamp = gate.Stamp(
            id=f"plan-{secrets.token_hex(6)}",
            revision=parent.plan.revision + 1 if parent else 0,
            parent=parent.digest if parent else None,
            sequence=core.store.next_sequence() if sequence is None else sequence,
            finished=finished,
            expires_at=min(core.clock() + lifetime, row.task.expires_at),
        )
        return self._judged(raw, stamp, evidence)

    def course(
        self,
        row: TaskRow,
        raw: bytes,
        *,
        parent: PlanRow | None = None,
        finished: tuple[str, ...] = (),
        sequence: int | None = None,
    ) -> list[Judged]:
        """The judgement of a proposal, and of each plan that rules make of it; only the last one may run."""
        course = [self.judge(row, raw, parent=parent, finished=finished, sequence=sequence)]
        while (last := course[-1]).verdict.decision is Decision.MODIFY and last.plan is not None:
            course[-1:] = self._modified(last, last.plan, rounds=len(course) - 1)
        return course

    def _modified(self, judged: Judged, plan: Plan, *, rounds: int) -> tuple[Judged, ...]:
        """The judgement with its successor; or alone, as a denial, where none can be made."""
        made = modify(plan, judged.verdict, judged.evidence.catalogue, rounds=rounds)
        if isinstance(made, Verdict):
            return (dataclasses.replace(judged, verdict=made),)
        stamp = gate.Stamp(
            id=f"plan-{secrets.token_hex(6)}", revision=plan.revision + 1, parent=made.parent,
            sequence=plan.sequence + 1, finished=plan.finished, expires_at=plan.expires_at,
        )  # fmt: skip
        successor = self._judged(codec.encode(made), stamp, judged.evidence)
        if successor.plan is None:
            why = strictest([*successor.verdict.reasons, *judged.verdict.reasons])
            return (dataclasses.replace(judged, verdict=why),)
        verdict = msgspec.structs.replace(judged.verdict, modified=codec.digest(successor.plan))
        return dataclasses.replace(judged, verdict=verdict), successor

    def _judged(self, raw: bytes, stamp: gate.Stamp, evidence: Evidence) -> Judged:
        examined = gate.examine(raw, stamp, evidence)
        verdict = examined.verdict
        if examined.plan is not None:
            verdict = gate.decide(examined.plan, evidence, self._core.clock(), examined.verdict)
        return Judged(proposal=bytes_digest(raw), plan=examined.plan, verdict=verdict, evidence=evidence)

    def propose(
        self, task_id: str, raw: bytes, *, parent: PlanRow | None = None, finished: tuple[str, ...] = ()
    ) -> Decided:
        """Judge, reserve, record and store; what is allowed is approved, what is raised is pending."""
        return self.propose_all([(task_id, raw)], parent=parent, finished=finished)[0]

    def propose_all(
        self, proposals: Sequence[tuple[str, bytes]], *, parent: PlanRow | None = None, finished: tuple[str, ...] = ()
    ) -> list[Decided]:
        """Several proposals in one durable commit: all are recorded, or none exists.

        (I8) The entries are durable before the transaction that makes the plans visible is committed.
        """
        store, rows = self._core.store, dict[str, TaskRow]()
        courses, entries, plans = list[list[tuple[Judged, Verdict]]](), list[Record](), list[PlanRow]()
        with store.transaction():
            sequence = store.next_sequence()
            for task_id, raw in proposals:
                row = rows.get(task_id) or store.task(task_id)
                course = list[tuple[Judged, Verdict]]()
                for found in self.course(row, raw, parent=parent, finished=finished, sequence=sequence):
                    sequence += found.plan is not None
                    verdict, row = self._reserve(row, found)
                    course.append((found, verdict))
                rows[task_id] = row
                courses.append(course)
            decided = list[Decided]()
            for course in courses:
                *before, last = [self._settle(found, verdict, entries, plans) for found, verdict in course]
                decided.append(dataclasses.replace(last, before=tuple(before)) if before else last)
            for task_id, row in rows.items():
                store.set_spent(task_id, row.spent)
            store.put_plan(*plans)
            self._core.record_all(entries)
        return decided

    def take_up(self, row: PlanRow) -> Status:
        """Decide anew on a deferred plan; its status then.  Raises ``StateError`` while it still has to wait."""
        core, plan = self._core, row.plan
        with core.store.transaction():
            evidence = self.evidence(core.store.task(row.task))
            fresh = self.reserved(evidence, plan)
            waiting = dataclasses.replace(fresh, rates_until=evidence.rates_until)
            verdict = gate.settled(gate.decide(plan, waiting, core.clock()))
            if verdict.decision is Decision.DEFER:
                raise StateError("plan.deferred", f"the plan waits until {verdict.until}", hint="execute it again then")
            judged = Judged(proposal=row.digest, plan=plan, verdict=verdict, evidence=evidence)
            core.record_all([self.decision(judged, row.digest, verdict, evidence.digest())])
            core.store.set_plan(row.digest, verdict_doc=codec.encode(verdict))
            if verdict.decision is Decision.DENY:
                core.store.spend(row.task, **released(plan, core.catalogue))
            return core.store.advance(row.digest, _EVENTS[verdict.decision])

    def reserved(self, evidence: Evidence, plan: Plan) -> Evidence:
        """The evidence without what this plan itself has reserved, to decide on it again."""
        amounts = worst_case(plan, self._core.catalogue)
        spent = {name: max(0, getattr(evidence.spent, name) - amount) for name, amount in amounts.items()}
        return dataclasses.replace(evidence, spent=msgspec.structs.replace(evidence.spent, **spent), rates_until={})

    def decision(self, judged: Judged, digest: str | None, verdict: Verdict, context: str) -> Record:
        """The entry of a decision: its payload is the signed receipt."""
        core, evidence = self._core, judged.evidence
        receipt = Receipt(
            id=f"receipt-{secrets.token_hex(6)}",
            task=evidence.task_digest,
            proposal=judged.proposal,
            plan=digest,
            policy=evidence.policy.digest,
            context=context,
            verdict=verdict,
            unsafe=core.unsafe,
            at=core.clock(),
        )
        subject = digest or judged.proposal
        return "decision", evidence.task.id, subject, core.receipt(receipt, subject), verdict.decision.value

    def _settle(self, judged: Judged, verdict: Verdict, entries: list[Record], plans: list[PlanRow]) -> Decided:
        core, plan, task_id = self._core, judged.plan, judged.evidence.task.id
        raw = codec.encode(plan) if plan is not None else b"null"
        digest = bytes_digest(raw) if plan is not None else None
        context = judged.evidence.digest()
        entries.append(("plan", task_id, digest or judged.proposal, raw, ""))
        entries.append(self.decision(judged, digest, verdict, context))
        if plan is None or digest is None:
            return Decided(verdict=verdict)
        status = transition(Status.PROPOSED, _EVENTS[verdict.decision])
        plans.append(
            PlanRow(
                digest=digest,
                task=task_id,
                sequence=plan.sequence,
                status=status,
                doc=raw,
                verdict_doc=codec.encode(verdict),
                policy=core.policy.digest,
                manifests=manifests_digest(core.digests, tuple(step.action for step in plan.steps)),
                previews=b"",
                shown_at=0,
                context=context,
                created_at=core.clock(),
            )
        )
        return Decided(verdict=verdict, digest=digest, status=status)

    def _reserve(self, row: TaskRow, judged: Judged) -> tuple[Verdict, TaskRow]:
        """(8) Budget and rate, atomically, and the task with it; what will not run takes but the plan's own count."""
        core, plan = self._core, judged.plan
        taken = plan if judged.verdict.decision not in {Decision.DENY, Decision.MODIFY} else None
        amounts = worst_case(taken, core.catalogue) if taken is not None else {}
        try:
            spent = row.charged({"plans": 1, **amounts})
        except StateError as error:
            reason = Reason(decision=Decision.DENY, stage=8, code=error.code)
            return strictest([reason, *judged.verdict.reasons]), row
        rates = Counter(core.catalogue[step.action].rate for step in (taken.steps if taken is not None else ()))
        for rate, uses in rates.items():
            core.store.hit_rate(rate, core.clock(), uses)
        return judged.verdict, msgspec.structs.replace(row, spent=spent)


def revoke(core: Core, digest: str, reason: str, *, code: str) -> Status:
    """Take back what a plan was allowed, and what it had reserved where it will not run."""
    with core.store.transaction():
        row = core.store.plan(digest)
        status = core.store.advance(row.digest, Event.REVOKE, stopped=code)
        if row.status in {Status.PENDING, Status.APPROVED}:
            core.store.spend(row.task, **released(row.plan, core.catalogue))
        core.record("revoke", row.task, row.digest, reason.encode(), code=code)
    return status


_EVENTS = {
    Decision.ALLOW: Event.ALLOW,
    Decision.MODIFY: Event.DENY,
    Decision.STEP_UP: Event.ASK,
    Decision.DEFER: Event.DEFER,
    Decision.DENY: Event.DENY,
}


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


def intent(task: Task, action: str, arguments: dict[str, Json], *, step: str = "s1") -> bytes:
    """A one-step proposal: the form in which call-by-call agents, observations and previews come in."""
    proposed = ProposedStep(id=step, action=action, arguments=arguments)
    return codec.encode(Proposal(task=codec.digest(task), goal=task.goal[:4096], steps=(proposed,)))
