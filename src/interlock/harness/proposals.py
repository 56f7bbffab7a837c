"""From a proposal to a decided plan: the gate's steps around the pure decision.

Every way in ends in ``judge``: a planner's proposal, an intent, an observation, a preview, a revision.  ``course``
goes on where rules modify the plan: each successor is judged by the same function, and the last one stands.
``propose`` adds what has effects: the atomic reservation of budget and rate (8), the entries, and the stored plans.
"""

from __future__ import annotations

import dataclasses
import itertools
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import msgspec

from interlock.artifact import codec
from interlock.artifact.action import Manifest
from interlock.artifact.analysis import Analysis
from interlock.artifact.codec import Json
from interlock.artifact.errors import StateError
from interlock.artifact.plan import Plan, Proposal, ProposedStep, Step
from interlock.artifact.receipt import Receipt
from interlock.artifact.task import Task
from interlock.artifact.verdict import Decision, Reason, Verdict, strictest
from interlock.decide import gate
from interlock.decide.evidence import Evidence, Policy
from interlock.decide.life import Event, Status, transition
from interlock.decide.modify import modify
from interlock.decide.policy import PolicyAnswer, PolicyRequest
from interlock.harness.analysing import Reader, claim, claims
from interlock.harness.core import Core, Record, bytes_digest, manifests_digest
from interlock.harness.rows import PlanRow, Rate, TaskRow, charged
from interlock.harness.shadow import observing


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

    def __init__(self, core: Core, *, unattended: bool, reader: Reader | None = None) -> None:
        self._core = core
        self._unattended = unattended
        self._reader = reader

    def evidence(self, row: TaskRow) -> Evidence:
        """(6) What is known now, collected before the pure decision."""
        certificate = self._core.require_proof()
        return msgspec.structs.replace(self.facts(row, self._core.policy), certificate=certificate)

    def facts(self, row: TaskRow, policy: Policy) -> Evidence:
        """The same, to look at with rules that need not be in force."""
        core = self._core
        return Evidence(
            site=core.site, task=row.task, task_digest=row.task_digest, catalogue=core.catalogue, digests=core.digests,
            loaded=frozenset(row.loaded), policy=policy, received=row.received, spent=row.spent,
            carried=core.store.carried(),
            roles=core.workspace.configuration.principal.roles,
            rates_until=used_up(core.store.rates(core.clock()), core.site.limits.uses_per_minute),
            unattended=self._unattended or core.workspace.configuration.unattended,
            frozen=row.frozen,
        )  # fmt: skip

    def analysed(self, evidence: Evidence, plan: Plan) -> Evidence:
        """(6) The same facts with the analyst's claims, as far as the steps' literals say; without a reader, none."""
        if self._reader is None:
            return evidence
        return evidence.claiming(claims(self._core, self._reader, evidence, plan))

    def analysed_step(self, evidence: Evidence, step: Step, arguments: Mapping[str, Json]) -> Evidence:
        """(6) The same facts with the claim about one step, now that its arguments are known."""
        if self._reader is None:
            return evidence
        return evidence.claiming(claim(self._core, self._reader, evidence, step, arguments))

    def judge(self, row: TaskRow, raw: bytes, *, previewing: bool = False) -> Judged:
        """(1)-(7) of a proposal's bytes; nothing is stored.  A preview needs no loaded group."""
        core, evidence = self._core, self.evidence(row)
        if previewing:
            every = frozenset(manifest.group for manifest in core.catalogue.values())
            evidence = msgspec.structs.replace(evidence, loaded=every)
        return self._judged(raw, self._stamp(row.task, core.store.next_sequence(), core.clock()), evidence)

    def course(self, row: TaskRow, raw: bytes) -> list[Judged]:
        """The judgement of a proposal, and of each plan that rules make of it; only the last one may run."""
        return self._course(self.judge(row, raw), self._core.store.next_sequence() + 1)

    def _course(self, first: Judged, sequence: int) -> list[Judged]:
        """A judgement with its successors, which are numbered from ``sequence`` on."""
        course = [first]
        while (last := course[-1]).verdict.decision is Decision.MODIFY and last.plan is not None:
            rounds = len(course) - 1
            course[-1:] = self._modified(last, last.plan, rounds=rounds, sequence=sequence + rounds)
        return course

    def _stamp(
        self, task: Task, sequence: int, now: int, parent: PlanRow | None = None, finished: tuple[str, ...] = ()
    ) -> gate.Stamp:
        lifetime = self._core.workspace.configuration.approvals.lifetime_minutes * 60_000
        return gate.Stamp(
            id=f"plan-{secrets.token_hex(6)}",
            revision=parent.plan.revision + 1 if parent else 0,
            parent=parent.digest if parent else None,
            sequence=sequence,
            finished=finished,
            expires_at=min(now + lifetime, task.expires_at),
        )

    def _modified(self, judged: Judged, plan: Plan, *, rounds: int, sequence: int) -> tuple[Judged, ...]:
        """The judgement with its successor; or alone, as a denial, where none can be made."""
        made = modify(plan, judged.verdict, judged.evidence.catalogue, rounds=rounds)
        if isinstance(made, Verdict):
            return (dataclasses.replace(judged, verdict=made),)
        stamp = gate.Stamp(
            id=f"plan-{secrets.token_hex(6)}", revision=plan.revision + 1, parent=made.parent,
            sequence=sequence, finished=plan.finished, expires_at=plan.expires_at,
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
            evidence = self.analysed(evidence, examined.plan)
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

        Policy is asked about all of them at once; then each is concluded with what those before it have taken.
        (I8) The entries are durable before the transaction that makes the plans visible is committed.
        """
        core, store = self._core, self._core.store
        courses, entries, plans = list[list[tuple[Judged, Verdict]]](), list[Record](), list[PlanRow]()
        with store.transaction():
            known = {task_id: self.evidence(store.task(task_id)) for task_id in dict(proposals)}
            tally = _Tally(core, known, core.clock())
            heard = self._hear(proposals, tally, parent, finished)
            answers = iter(core.policy.evaluate_many([request for one in heard for request in one.requests]))
            for one in heard:
                first = one.judged(answers, tally.evidence(one.task), tally.now)
                course = self._course(first, tally.sequence)
                tally.sequence += len(course) - 1
                courses.append([(found, tally.reserve(found)) for found in course])
            decided = list[Decided]()
            for settling in courses:
                *before, last = [self._settle(found, verdict, entries, plans) for found, verdict in settling]
                decided.append(dataclasses.replace(last, before=tuple(before)) if before else last)
            tally.save()
            store.put_plan(*plans)
            core.record_all(entries)
        return decided

    def _hear(
        self, proposals: Sequence[tuple[str, bytes]], tally: _Tally, parent: PlanRow | None, finished: tuple[str, ...]
    ) -> list[_Heard]:
        """(1)-(7) as far as policy and other proposals have no say in it; only what becomes a plan gets a number."""
        heard = list[_Heard]()
        for task_id, raw in proposals:
            evidence = tally.evidence(task_id)
            stamp = self._stamp(evidence.task, tally.sequence, tally.now, parent, finished)
            found = gate.examine(raw, stamp, evidence)
            known = self.analysed(evidence, found.plan) if found.plan is not None else evidence
            asked = gate.ask(found.plan, known, found.verdict) if found.plan is not None else None
            heard.append(
                _Heard(
                    task=task_id, proposal=bytes_digest(raw), verdict=found.verdict, asked=asked, claims=known.claims
                )
            )  # fmt: skip
            tally.sequence += asked is not None
        return heard

    def take_up(self, row: PlanRow) -> Status:
        """Decide anew on a deferred plan; its status then.  Raises ``StateError`` while it still has to wait."""
        core, plan = self._core, row.plan
        with core.store.transaction():
            evidence = self.analysed(self.evidence(core.store.task(row.task)), plan)
            fresh = self.reserved(evidence, plan)
            waiting = msgspec.structs.replace(fresh, rates_until=evidence.rates_until)
            verdict = gate.settled(gate.decide(plan, waiting, core.clock()))
            if verdict.decision is Decision.DEFER:
                raise StateError("plan.deferred", f"the plan waits until {verdict.until}", hint="execute it again then")
            judged = Judged(proposal=row.digest, plan=plan, verdict=verdict, evidence=evidence)
            core.record_all([self.decision(judged, row.digest, verdict, evidence.digest())])
            proved = evidence.certificate or ""
            core.store.set_plan(row.digest, verdict_doc=codec.encode(verdict), certificate=proved)
            if verdict.decision is Decision.DENY:
                core.store.spend(row.task, **released(plan, core.catalogue))
            return core.store.advance(row.digest, _EVENTS[verdict.decision])

    def reserved(self, evidence: Evidence, plan: Plan) -> Evidence:
        """The evidence without what this plan itself has reserved, to decide on it again."""
        amounts = worst_case(plan, self._core.catalogue)
        spent = {name: max(0, getattr(evidence.spent, name) - amount) for name, amount in amounts.items()}
        left = msgspec.structs.replace(evidence.spent, **spent)
        return msgspec.structs.replace(evidence, spent=left, rates_until={})

    def decision(self, judged: Judged, digest: str | None, verdict: Verdict, context: str) -> Record:
        """The entry of a decision: its payload is the signed receipt."""
        core, evidence = self._core, judged.evidence
        receipt = Receipt(
            id=f"receipt-{secrets.token_hex(6)}", task=evidence.task_digest, proposal=judged.proposal, plan=digest,
            policy=evidence.policy.digest, certificate=evidence.certificate, context=context, verdict=verdict,
            unsafe=core.unsafe, at=core.clock(),
        )  # fmt: skip
        subject = digest or judged.proposal
        return "decision", evidence.task.id, subject, core.receipt(receipt, subject), verdict.decision.value

    def _settle(self, judged: Judged, verdict: Verdict, entries: list[Record], plans: list[PlanRow]) -> Decided:
        core, plan, task_id = self._core, judged.plan, judged.evidence.task.id
        raw = codec.encode(plan) if plan is not None else b"null"
        digest = bytes_digest(raw) if plan is not None else None
        context = judged.evidence.digest()
        core.contexts.keep(context, judged.evidence)
        entries.append(("plan", task_id, digest or judged.proposal, raw, ""))
        entries.append(self.decision(judged, digest, verdict, context))
        if plan is None or digest is None:
            return Decided(verdict=verdict)
        entries += observing(core, plan, digest, judged.verdict, judged.evidence)
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
                certificate=judged.evidence.certificate or "",
                manifests=manifests_digest(core.digests, tuple(step.action for step in plan.steps)),
                previews=b"",
                shown_at=0,
                context=context,
                created_at=core.clock(),
            )
        )
        return Decided(verdict=verdict, digest=digest, status=status)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    """A proposal as far as it was judged without policy; what was no plan is judged already."""

    task: str
    proposal: str
    verdict: Verdict
    asked: gate.Asked | None
    claims: Mapping[str, Analysis]

    @property
    def requests(self) -> tuple[PolicyRequest, ...]:
        return self.asked.requests if self.asked else ()

    def judged(self, answers: Iterator[PolicyAnswer], evidence: Evidence, now: int) -> Judged:
        """The decision; takes its own answers from all those of the batch."""
        plan, verdict, evidence = None, self.verdict, evidence.claiming(self.claims)
        if self.asked is not None:
            own = list(itertools.islice(answers, len(self.requests)))
            plan, verdict = self.asked.plan, gate.conclude(self.asked, own, evidence, now)
        return Judged(proposal=self.proposal, plan=plan, verdict=verdict, evidence=evidence)


class _Tally:
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

    def reserve(self, judged: Judged) -> Verdict:
        """Budget and rate, and the task with it; what will not run takes but the plan's own count."""
        core, plan, held = self._core, judged.plan, self._evidence[judged.evidence.task.id]
        taken = plan if judged.verdict.decision not in {Decision.DENY, Decision.MODIFY} else None
        amounts = worst_case(taken, core.catalogue) if taken is not None else {}
        try:
            spent = charged(held.spent, {"plans": 1, **amounts}, held.task.budget)
        except StateError as error:
            reason = Reason(decision=Decision.DENY, stage=8, code=error.code)
            return strictest([reason, *judged.verdict.reasons])
        for step in taken.steps if taken is not None else ():
            name = core.catalogue[step.action].rate
            rate = self._rates.get(name, Rate(name=name, began=self.now, used=0))
            self._rates[name] = msgspec.structs.replace(rate, used=rate.used + 1)
        self._evidence[held.task.id] = msgspec.structs.replace(held, spent=spent)
        return judged.verdict

    def save(self) -> None:
        """Write it into the caller's transaction."""
        for task, evidence in self._evidence.items():
            self._core.store.set_spent(task, evidence.spent)
        self._core.store.set_rates(*self._rates.values())


def used_up(rates: Mapping[str, Rate], most: int) -> dict[str, int]:
    """The rate classes with ``most`` uses in their present window, and when that ends."""
    return {name: rate.until for name, rate in rates.items() if rate.used >= most}


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
