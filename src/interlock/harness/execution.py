"""Execution: seal an approved plan, start an executor core for it, and serve its channel until it ends.

(10) Sealing checks once more what the approval was bound to: the plan has not expired, policy and manifests are the
same, the gate says no more than it said then, and the previews show what they showed.  Then the core walks the plan;
it sees neither arguments nor outputs, and whatever it asks but the next step is a separation violation.
"""

from __future__ import annotations

import fcntl
from collections.abc import Generator
from contextlib import contextmanager

from interlock.artifact import channel, codec
from interlock.artifact.channel_pb2 import (
    Accepted,
    ExecutorCall,
    ExecutorReturn,
    StartExecution,
    StepOutcome,
)
from interlock.artifact.errors import ChannelError, IntegrityError, SandboxError, StateError
from interlock.artifact.grant import public_key
from interlock.artifact.label import STRICTEST
from interlock.artifact.receipt import Outcome, Receipt
from interlock.artifact.verdict import Decision
from interlock.decide.life import Event, Status
from interlock.decide.unfolding import Complete
from interlock.harness.approvals import Approvals
from interlock.harness.core import Core, manifests_digest
from interlock.harness.minting import Sealed, seal
from interlock.harness.observing import Observer
from interlock.harness.proposals import Proposals
from interlock.harness.rows import PlanRow
from interlock.harness.running import OnProgress, Run
from interlock.harness.stepping import Stepper
from interlock.harness.supervisor import Child, Supervisor
from interlock.harness.watch import Incident, Watch

EXECUTOR_SILENCE_SECONDS = 30.0
_RESTARTED = "harness.restarted"


class Execution:
    """Runs approved plans, one process of this class at a time per plan."""

    def __init__(
        self,
        core: Core,
        supervisor: Supervisor,
        proposals: Proposals,
        observer: Observer,
        stepper: Stepper,
        watch: Watch,
        approvals: Approvals,
    ) -> None:
        self._core = core
        self._approvals = approvals
        self._supervisor = supervisor
        self._proposals = proposals
        self._observer = observer
        self._stepper = stepper
        self._watch = watch

    def execute(self, digest: str, on_progress: OnProgress) -> Status:
        """Run an approved plan to its end or its stop; its status then."""
        with self.alone(digest):
            row = self._core.store.plan(digest)
            sealed = self._seal(row)
            self._core.store.advance(row.digest, Event.START)
            run = Run(
                self._core, self._core.store.plan(row.digest), sealed, self._proposals, self._stepper, on_progress
            )
            code = self._drive(row, sealed, run)
            complete = not code and run.unfolding.expected() == Complete()
            if self._core.store.plan(row.digest).status is not Status.RUNNING:
                return self._core.store.plan(row.digest).status
            if not complete:
                self._receipt(row, Outcome.FAILED)
                self._core.record("halt", row.task, row.digest, b"", code=code or "executor.incomplete")
                return self._core.store.advance(row.digest, Event.HALT, stopped=code or "executor.incomplete")
            self._receipt(row, Outcome.OBSERVED)
            return self._core.store.advance(row.digest, Event.FINISH)

    def recover(self) -> list[str]:
        """Settle what a crash left: a running plan that nobody runs is halted, its started step is unknown (I4).

        A plan that was halted or revoked before the crash may have left a started step too.  A violation that was
        seen and is no incident yet becomes one, for each task that was worked for (I11).
        """
        found: list[str] = []
        store = self._core.store
        for seen in store.seen():
            detail = f"{seen.syscall}, before a restart"
            self._watch.report(Incident(code="separation.syscall", role=seen.role, task=seen.task, detail=detail))
        live = [row.digest for status in (Status.RUNNING, Status.SEALED) for row in store.plans(status=status)]
        for digest in dict.fromkeys([*live, *store.unsettled()]):
            try:
                with self.alone(digest):
                    row = store.plan(digest)  # Whoever held the lock may have ended it.
                    self._settle_claims(row)
                    if row.status in {Status.RUNNING, Status.SEALED}:
                        self._interrupt(row)
                        found.append(row.digest)
            except StateError as error:
                if error.code != "run.elsewhere":
                    raise
        return found

    def _interrupt(self, row: PlanRow) -> None:
        """Halt what ran; what was sealed and had not started is revoked, for its approval is used up."""
        running = row.status is Status.RUNNING
        event = Event.HALT if running else Event.REVOKE
        self._core.record("halt" if running else "revoke", row.task, row.digest, b"", code=_RESTARTED)
        self._core.store.advance(row.digest, event, stopped=_RESTARTED)

    def _settle_claims(self, row: PlanRow) -> None:
        """What the ledger says of a started step holds; where it says nothing, it is unknown what happened."""
        claimed = [claim for claim in self._core.store.claims(row.digest) if claim.state == "claimed"]
        outcomes = self._outcomes(row.digest) if claimed else {}
        for claim in claimed:
            place = row.digest, claim.step, claim.iteration
            subject = "/".join(map(str, place))
            if subject not in outcomes:
                self._core.record("outcome", row.task, subject, b"null", code="unknown")
            state, index = outcomes.get(subject, ("unknown", -1))
            if state in {"done", "skipped"}:  # Recorded, but not settled: the label is lost, so it is the strictest.
                output, label = self._core.ledger.payload(index), codec.encode(STRICTEST)
                self._core.store.settle(*place, state, code=_RESTARTED, output=output, label_doc=label)
            else:
                self._core.store.settle(*place, "unknown", code=_RESTARTED)

    def _outcomes(self, digest: str) -> dict[str, tuple[str, int]]:
        """Code and index of the recorded outcome of each start of a plan."""
        entries = enumerate(self._core.ledger.entries())
        return {entry.subject: (entry.code, index) for index, entry in entries
                if entry.kind == "outcome" and entry.subject.startswith(f"{digest}/")}  # fmt: skip

    def _seal(self, row: PlanRow) -> Sealed:
        core = self._core
        if row.status is not Status.APPROVED:
            raise StateError(
                f"plan.{row.status.value}", f"the plan is {row.status.value}, not approved", hint=_next(row)
            )
        code = self._changed(row)
        if code:
            event = Event.EXPIRE if code == "plan.expired" else Event.REVOKE
            core.record("revoke", row.task, row.digest, b"", code=code)
            core.store.advance(row.digest, event, stopped=code)
            if code == "plan.altered":
                self._incident(row, code, "the stored plan is not the one that was approved")
                raise IntegrityError(
                    code, "the plan is no longer what was approved", hint="run: interlock incidents list"
                )
            raise StateError(code, "the plan is no longer what was approved", hint="propose it again")
        sealed = seal(core, row.plan, row.task)
        core.record("grant", row.task, row.digest, sealed.grant)
        with core.store.transaction():  # An approval is used up by the seal, or by nothing.
            core.store.use_approvals(row.digest)
            core.store.set_plan(row.digest, envelope=sealed.envelope, grant_token=sealed.grant)
            core.store.advance(row.digest, Event.SEAL)
        return sealed

    def _changed(self, row: PlanRow) -> str:
        """The code of what is not as it was when the plan was approved, or nothing."""
        core, plan, now = self._core, row.plan, self._core.clock()
        core.refresh()
        if now >= plan.expires_at:
            return "plan.expired"
        if codec.digest(plan) != row.digest:
            return "plan.altered"
        if row.policy != core.policy.digest:
            return "policy.changed"
        if not row.certificate and core.require_proof():
            return "policy.unproved"  # It was decided on before proofs were demanded.
        if row.manifests != manifests_digest(core.digests, tuple(step.action for step in plan.steps)):
            return "manifest.changed"
        needed = row.verdict.approvals
        if needed and self._approvals.standing(row) < needed:
            return "approval.expired"
        again = self._proposals.again(row)
        if again.decision is Decision.MODIFY or again.decision.rank > row.verdict.decision.rank:
            return again.reasons[0].code
        if row.previews and codec.encode(self._observer.previews(row)) != row.previews:
            return "preview.drift"
        return ""

    def _drive(self, row: PlanRow, sealed: Sealed, run: Run) -> str:
        """Serve the core's channel; the code of what stopped the run, or nothing."""
        try:
            child = self._supervisor.start("executor")
        except SandboxError as error:
            return error.code
        try:
            self._start(child, sealed)
            code = self._serve(child, run)
        except ChannelError as error:
            code = error.code
            self._incident(row, code, "outside its protocol")
        except TimeoutError:  # An outage stops the plan; it is no attack.
            code = "executor.silent"
        except OSError:
            code = "executor.died"
        except StateError as error:
            if error.code.endswith(".storage"):  # The disk failed, and nobody crossed anything.
                raise
            code = error.code
            self._incident(row, code, error.message)
        finally:
            tried = sorted({violation.syscall for violation in child.violations})
            child.close()
        if tried:
            self._incident(row, "separation.syscall", ", ".join(tried))
            return "separation.syscall"
        return code

    def _start(self, child: Child, sealed: Sealed) -> None:
        core = self._core
        start = StartExecution(
            plan=sealed.envelope,
            grant=sealed.grant,
            keyring=codec.encode(core.keys.keyring),
            grant_key=public_key(core.keys.grant_seed),
            now=core.clock(),
        )
        child.channel.settimeout(EXECUTOR_SILENCE_SECONDS)
        channel.send(child.channel, start)

    def _serve(self, child: Child, run: Run) -> str:
        while True:
            call = channel.receive(child.channel, ExecutorCall)
            if call is None:
                return "executor.died"
            if call.WhichOneof("body") == "finish":
                channel.send(child.channel, ExecutorReturn(accepted=Accepted()))
                return "" if call.finish.complete else (run.unfolding.stopped or call.finish.code or "executor.stopped")
            shape = run.next(call.next.step, call.next.iteration)
            if shape is None:
                outcome = StepOutcome(status=StepOutcome.STOP)
            elif shape.skip or shape.iterations == 0:
                outcome = StepOutcome(status=StepOutcome.SKIPPED)
            else:
                outcome = StepOutcome(status=StepOutcome.DONE, iterations=shape.iterations)
            channel.send(child.channel, ExecutorReturn(outcome=outcome))

    def _incident(self, row: PlanRow, code: str, detail: str) -> None:
        self._watch.report(
            Incident(
                code=code,
                role="store" if code == "plan.altered" else "executor",
                task=row.task,
                plan=row.digest,
                detail=detail,
            )
        )

    def _receipt(self, row: PlanRow, outcome: Outcome) -> None:
        core = self._core
        receipt = Receipt(
            id=f"receipt-{row.digest[:12]}-end", task=row.plan.task, proposal=row.digest, plan=row.digest,
            policy=row.policy, certificate=row.certified, context=row.context, verdict=row.verdict,
            outcome=outcome, unsafe=core.unsafe,
            approvals=core.store.approvals_used(row.digest), at=core.clock(),
        )  # fmt: skip
        code = "done" if outcome is Outcome.OBSERVED else "halted"
        core.record("outcome", row.task, row.digest, core.receipt(receipt, row.digest), code=code)

    @contextmanager
    def alone(self, digest: str) -> Generator[None]:
        """Hold the plan's lock, which the kernel lets go of when this process dies."""
        folder = self._core.workspace.state / "locks"
        folder.mkdir(mode=0o700, exist_ok=True)
        with (folder / self._core.store.plan(digest).digest).open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StateError("run.elsewhere", "another process runs this plan") from None
            yield


def _next(row: PlanRow) -> str:
    if row.verdict.decision is Decision.STEP_UP and row.status is Status.PENDING:
        return f"run: interlock approve {row.digest[:12]}"
    return f"run: interlock plan show {row.digest[:12]}"
