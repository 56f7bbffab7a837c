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
from msgspec import UNSET

from interlock.artifact import codec
from interlock.artifact.codec import Json
from interlock.artifact.errors import StateError
from interlock.artifact.opinion import Inquiry, Opinion
from interlock.artifact.plan import Plan, Proposal, ProposedStep, Step
from interlock.artifact.receipt import Receipt
from interlock.artifact.task import Task
from interlock.artifact.verdict import Decision, Verdict, strictest
from interlock.decide import gate
from interlock.decide.evidence import Evidence, Policy
from interlock.decide.flow import View
from interlock.decide.judgement import drift
from interlock.decide.life import Event, Status, transition
from interlock.decide.modify import modify
from interlock.decide.policy import PolicyAnswer
from interlock.harness.analysing import Reader, claim, claims
from interlock.harness.core import Core, Record, bytes_digest, manifests_digest
from interlock.harness.facts import finished_labels
from interlock.harness.hearing import Complete, Judges, Outside, Proposed, heard
from interlock.harness.reserving import Tally, released, used_up, worst_case
from interlock.harness.rows import PlanRow, TaskRow
from interlock.harness.shadow import observing
from interlock.harness.strangers import Strangers


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

    def __init__(
        self,
        core: Core,
        *,
        unattended: bool,
        reader: Reader | None = None,
        judge: Judges | None = None,
        strangers: Strangers | None = None,
    ) -> None:
        self._core = core
        self._unattended = unattended
        self._outside = Outside(reader, judge)
        self.strangers = strangers or Strangers()

    def evidence(self, row: TaskRow) -> Evidence:
        """(6) What is known now, collected before the pure decision."""
        certificate = self._core.require_proof()
        return msgspec.structs.replace(self.facts(row, self._core.policy), certificate=certificate)

    def facts(self, row: TaskRow, policy: Policy) -> Evidence:
        """The same, to look at with rules that need not be in force."""
        core = self._core
        judged = core.opinions.distances(row.task.id) if core.site.judge is not UNSET else []
        return Evidence(
            site=core.site, task=row.task, task_digest=row.task_digest, catalogue=core.catalogue, digests=core.digests,
            loaded=frozenset(row.loaded), policy=policy, received=row.received, spent=row.spent,
            carried=core.store.carried(), drift=drift(judged),
            roles=core.workspace.configuration.principal.roles,
            rates_until=used_up(core.store.rates(core.clock()), core.site.limits.uses_per_minute),
            unattended=self._unattended or core.workspace.configuration.unattended,
            frozen=row.frozen,
        )  # fmt: skip

    def analysed(self, evidence: Evidence, plan: Plan) -> Evidence:
        """(6) The same facts with those of finished steps, and with the analyst's claims as far as literals say.

        Without a reader there are no claims.
        """
        if plan.finished and not evidence.finished:
            evidence = evidence.knowing(finished_labels(self._core, plan))
        if self._outside.reader is None:
            return evidence
        told = self.strangers.texts(evidence.task.id)
        return evidence.claiming(claims(self._core, self._outside.reader, evidence, plan, told))

    def analysed_step(self, evidence: Evidence, step: Step, arguments: Mapping[str, Json]) -> Evidence:
        """(6) The same facts with the claim about one step, now that its arguments are known."""
        if self._outside.reader is None:
            return evidence
        return evidence.claiming(claim(self._core, self._outside.reader, evidence, step, arguments))

    def judged_step(self, evidence: Evidence, view: View, asked: gate.AskedStep) -> Evidence:
        """(7) The same facts with the judge's opinion about one step, where what it does was not known before."""
        return self._opined(evidence, gate.inquiry_of_step(view, asked, evidence))

    def _opined(self, evidence: Evidence, inquiry: Inquiry | None) -> Evidence:
        """The same facts with the judge's opinion, unless they hold it already; without a judge, as they are."""
        judging, judge, opinion = evidence.site.judge, self._outside.judge, evidence.opinion
        if inquiry is None or judge is None or judging is UNSET:
            return evidence
        if opinion is not None and opinion.concerns(inquiry, judging.identity):
            return evidence
        return evidence.opining(judge.opinion(evidence.task, inquiry))

    def judge(self, row: TaskRow, raw: bytes, *, previewing: bool = False) -> Judged:
        """(1)-(7) of a proposal's bytes; nothing is stored.

        A preview is the harness's own: it needs no loaded group, and no judge holds it to the goal.
        """
        core, evidence = self._core, self.evidence(row)
        if previewing:
            every = frozenset(manifest.group for manifest in core.catalogue.values())
            evidence = msgspec.structs.replace(evidence.unjudged(), loaded=every)
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
            evidence, verdict = self._decide(examined.plan, evidence, self._core.clock(), examined.verdict)
        return Judged(proposal=bytes_digest(raw), plan=examined.plan, verdict=verdict, evidence=evidence)

    def _decide(
        self, plan: Plan, evidence: Evidence, now: int, earlier: Verdict | None = None
    ) -> tuple[Evidence, Verdict]:
        """(3)-(7) of a plan, with all that is asked outside."""
        evidence = self.analysed(evidence, plan)
        asked = gate.ask(plan, evidence, earlier)
        return self._concluded(asked, evidence.policy.evaluate_many(asked.requests), evidence, now)

    def _concluded(
        self, asked: gate.Asked, answers: Sequence[PolicyAnswer], evidence: Evidence, now: int
    ) -> tuple[Evidence, Verdict]:
        evidence = self._opined(evidence, gate.inquiry_of(asked, answers, evidence, now))
        return evidence, gate.conclude(asked, answers, evidence, now)

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
        return heard(
            self._core.store,
            self._outside,
            lambda outside, complete: self._asking(outside).settle_all(proposals, parent, finished, complete),
        )

    def _asking(self, outside: Outside) -> Proposals:
        return Proposals(
            self._core,
            unattended=self._unattended,
            reader=outside.reader,
            judge=outside.judge,
            strangers=self.strangers,
        )

    def settle_all(
        self,
        proposals: Sequence[tuple[str, bytes]],
        parent: PlanRow | None,
        finished: tuple[str, ...],
        complete: Complete,
    ) -> list[Decided]:
        """``propose_all`` inside its transaction; ``complete`` comes before anything is written."""
        core, store = self._core, self._core.store
        courses, entries, plans = list[list[tuple[Judged, Verdict]]](), list[Record](), list[PlanRow]()
        known = {task_id: self.evidence(store.task(task_id)) for task_id in dict(proposals)}
        tally = Tally(core, known, core.clock())
        hearing = self._hear(proposals, tally, parent, finished)
        complete()
        answers = iter(core.policy.evaluate_many([request for one in hearing for request in one.requests]))
        for one in hearing:
            first = self._first(one, answers, tally.evidence(one.task), tally.now)
            course = self._course(first, tally.sequence)
            tally.sequence += len(course) - 1
            reserved = [tally.reserve(one.task, found.plan, found.verdict) for found in course]
            courses.append(list(zip(course, reserved, strict=True)))
        complete()
        decided = list[Decided]()
        for settling in courses:
            *before, last = [self._settle(found, verdict, entries, plans) for found, verdict in settling]
            decided.append(dataclasses.replace(last, before=tuple(before)) if before else last)
        tally.save()
        store.put_plan(*plans)
        core.record_all(entries)
        return decided

    def _first(self, one: Proposed, answers: Iterator[PolicyAnswer], evidence: Evidence, now: int) -> Judged:
        """The decision on a proposal as it came; takes its own answers from all those of the batch."""
        plan, verdict, evidence = None, one.verdict, evidence.claiming(one.known.claims).knowing(one.known.finished)
        if one.asked is not None:
            own = list(itertools.islice(answers, len(one.requests)))
            plan = one.asked.plan
            evidence, verdict = self._concluded(one.asked, own, evidence, now)
        return Judged(proposal=one.proposal, plan=plan, verdict=verdict, evidence=evidence)

    def _hear(
        self, proposals: Sequence[tuple[str, bytes]], tally: Tally, parent: PlanRow | None, finished: tuple[str, ...]
    ) -> list[Proposed]:
        """(1)-(7) as far as policy and other proposals have no say in it; only what becomes a plan gets a number."""
        found = list[Proposed]()
        for task_id, raw in proposals:
            evidence = tally.evidence(task_id)
            stamp = self._stamp(evidence.task, tally.sequence, tally.now, parent, finished)
            examined = gate.examine(raw, stamp, evidence)
            plan, verdict = examined.plan, examined.verdict
            known = self.analysed(evidence, plan) if plan is not None else evidence
            asked = gate.ask(plan, known, verdict) if plan is not None else None
            digest = bytes_digest(raw)
            found.append(Proposed(task=task_id, proposal=digest, verdict=verdict, asked=asked, known=known))
            tally.sequence += asked is not None
        return found

    def take_up(self, row: PlanRow) -> Status:
        """Decide anew on a deferred plan; its status then.  Raises ``StateError`` while it still has to wait."""
        return heard(
            self._core.store,
            self._outside,
            lambda outside, complete: self._asking(outside).settle_deferred(row, complete),
        )

    def settle_deferred(self, row: PlanRow, complete: Complete) -> Status:
        """``take_up`` inside its transaction; ``complete`` comes before anything is written."""
        core, plan = self._core, row.plan
        waits = used_up(core.store.rates(core.clock()), core.site.limits.uses_per_minute)
        before, drifted = core.contexts.judged(row.context)
        known = before if before is not None and not before.fault else None  # The judge may answer now.
        evidence, verdict = self._anew(row, waits, known, drifted)
        verdict = gate.settled(verdict)
        complete()
        if verdict.decision is Decision.DEFER:
            raise StateError("plan.deferred", f"the plan waits until {verdict.until}", hint="execute it again then")
        judged = Judged(proposal=row.digest, plan=plan, verdict=verdict, evidence=evidence)
        context, proved = evidence.digest(), evidence.certificate or ""
        core.contexts.keep(context, evidence)
        if evidence.opinion != before:
            core.opinions.measure(row.task, row.digest, evidence.opinion, plan.finished)
        core.record_all([self.decision(judged, row.digest, verdict, context)])
        core.store.set_plan(row.digest, verdict_doc=codec.encode(verdict), certificate=proved, context=context)
        if verdict.decision is Decision.DENY:
            core.store.spend(row.task, **released(plan, core.catalogue))
        return core.store.advance(row.digest, _EVENTS[verdict.decision])

    def again(self, row: PlanRow) -> Verdict:
        """(10) What the gate says of a stored plan now; the judge's opinion stands for what it is about."""
        return self._anew(row, {}, *self._core.contexts.judged(row.context))[1]

    def _anew(
        self, row: PlanRow, waits: Mapping[str, int], opinion: Opinion | None, drifted: int | None
    ) -> tuple[Evidence, Verdict]:
        """The decision without what the plan itself has reserved, and on the drift of before it was judged."""
        core, plan = self._core, row.plan
        evidence = self.evidence(core.store.task(row.task))
        amounts = worst_case(plan, core.catalogue)
        spent = {name: max(0, getattr(evidence.spent, name) - amount) for name, amount in amounts.items()}
        evidence = msgspec.structs.replace(
            evidence, spent=msgspec.structs.replace(evidence.spent, **spent), rates_until=waits, opinion=opinion,
            drift=drifted,
        )  # fmt: skip
        return self._decide(plan, evidence, core.clock())

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
        core.opinions.measure(task_id, digest, judged.evidence.opinion, plan.finished)
        plans.append(
            PlanRow(
                digest=digest, task=task_id, sequence=plan.sequence, status=status, doc=raw,
                verdict_doc=codec.encode(verdict), policy=core.policy.digest,
                certificate=judged.evidence.certificate or "",
                manifests=manifests_digest(core.digests, tuple(step.action for step in plan.steps)),
                previews=b"", shown_at=0, context=context, created_at=core.clock(),
            )
        )  # fmt: skip
        return Decided(verdict=verdict, digest=digest, status=status)


_EVENTS = {
    Decision.ALLOW: Event.ALLOW,
    Decision.MODIFY: Event.DENY,
    Decision.STEP_UP: Event.ASK,
    Decision.DEFER: Event.DEFER,
    Decision.DENY: Event.DENY,
}


def intent(task: Task, action: str, arguments: dict[str, Json], *, step: str = "s1") -> bytes:
    """A one-step proposal: the form in which call-by-call agents, observations and previews come in."""
    proposed = ProposedStep(id=step, action=action, arguments=arguments)
    return codec.encode(Proposal(task=codec.digest(task), goal=task.goal[:4096], steps=(proposed,)))
