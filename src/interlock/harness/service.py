"""The harness as a whole: what every surface calls, and nothing that decides.

>>> with Harness(find(Path.cwd())) as harness:  # doctest: +SKIP
...     task = harness.start_task("tidy up notes.txt")
...     outcome = harness.plan(task.id, "file", handed=plan)
...     harness.execute(outcome.decided[-1].digest)
"""

from __future__ import annotations

import os
import re
import secrets
import signal
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from interlock.artifact import codec
from interlock.artifact.channel_pb2 import Result
from interlock.artifact.codec import Json
from interlock.artifact.errors import ConfigurationError, StateError
from interlock.artifact.plan import Plan, Proposal, ProposedStep, Step
from interlock.artifact.task import Attachment, Budget, Task
from interlock.decide.life import Event, Status
from interlock.decide.references import Labelled
from interlock.harness import analysing, operator_models
from interlock.harness.alerts import Alerts
from interlock.harness.analysing import Analyst
from interlock.harness.approvals import Approvals
from interlock.harness.core import Clock, Core, system_clock
from interlock.harness.egress import Egress
from interlock.harness.execution import Execution
from interlock.harness.extracting import Extractor
from interlock.harness.facts import facts, keep_facts
from interlock.harness.judging import Judge, keep_apart
from interlock.harness.models import Gateway
from interlock.harness.observing import Observer, Preview, previews_of
from interlock.harness.proofs import Prover
from interlock.harness.proposals import Decided, Proposals
from interlock.harness.reserving import revoke
from interlock.harness.rows import PlanRow
from interlock.harness.running import OnProgress, Progress, repeatable
from interlock.harness.sandbox.profiles import Violation
from interlock.harness.session import Act, Asker, Outcome, Parts, Session, results_of
from interlock.harness.stepping import Stepper, relabelled
from interlock.harness.supervisor import Supervisor
from interlock.harness.undo import NOTHING_SAID, Undo, Undone, Word
from interlock.harness.watch import Incident, Watch
from interlock.harness.workspace import Workspace

_QUOTED = re.compile(r"[\"'`“”‘’]([^\"'`“”‘’\n]{1,512})[\"'`“”‘’]")
_ENDED = frozenset({Status.DENIED, Status.DONE, Status.EXPIRED, Status.REVOKED, Status.ROLLED_BACK})
_HELPERS = frozenset({"gateway", "proxy", "notifier"})
_WITHOUT_EFFECT = frozenset({"skipped", "failed", "undone"})
TASK_LIFETIME_MS = 7 * 24 * 3600 * 1000


def _quiet(progress: Progress) -> None:
    del progress


def _unheard(text: str) -> None:
    del text


def _nobody(question: str) -> str | None:
    del question
    return None


class Harness:
    """One workspace, opened; a context manager that ends its children.

    Another ``stepper`` than the one that confines each step in a process is for evaluations on simulated tools alone;
    it is named in every receipt.  ``told`` hears that a policy which had changed was proved.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        unattended: bool = False,
        unsafe_reduced: bool = False,
        clock: Clock = system_clock,
        stepper: type[Stepper] = Stepper,
        told: Callable[[str], None] = _unheard,
    ) -> None:
        bypasses = {"UnsafeReducedSandbox": unsafe_reduced, "UnsafeSteps": stepper is not Stepper}
        unsafe = tuple(name for name, taken in bypasses.items() if taken)
        self.core = Core(workspace=workspace, clock=clock, unsafe=unsafe)
        try:
            keep_apart(self.core)
        except ConfigurationError:
            self.core.close()
            raise
        self.core.prover = Prover(self.core, told)
        for name in unsafe:
            self.core.record("unsafe", "", name, b"", code=name)
        config = workspace.configuration
        self._seen: set[int] = set()
        self._busy: list[str] = []
        self._telling: list[threading.Thread] = []
        state = workspace.state
        modules = analysing.modules(state)
        self.supervisor = Supervisor(
            on_violation=self._violation, unsafe_reduced=unsafe_reduced, modules={"analyst": modules}
        )
        alerts = Alerts(self.core, self.supervisor, self._report)
        self.watch = Watch(self.core, alerts.alert)
        declared = {
            endpoint.port for manifest in self.core.catalogue.values() for endpoint in manifest.driver.endpoints
        }
        self._egress = Egress(self.supervisor, config.egress.exceptions, frozenset(declared), workspace.ca_bundle)
        self.stepper = steps = stepper(self.core, self.supervisor, self._egress, self.watch)
        self._analyst = Analyst(
            lambda: self.supervisor, self.watch.report, model=lambda: operator_models.installed(state)
        )
        self._judge = Judge(self.core, config.judge, self.supervisor) if config.judge is not None else None
        self._proposals = Proposals(self.core, unattended=unattended, reader=self._analyst, judge=self._judge)
        self._observer = Observer(self.core, self._proposals, steps)
        self._approvals = Approvals(self.core)
        self._execution = Execution(
            self.core, self.supervisor, self._proposals, self._observer, steps, self.watch, self._approvals
        )
        self._undo = Undo(self.core, self._proposals, steps, self._execution.alone)
        self._gateway = Gateway(self.core, self.supervisor, config.model)
        self._extractor = Extractor(self.core, Gateway(self.core, self.supervisor, config.quarantined))
        steps.own |= {"model": self._extractor.run, "flow": relabelled}
        self.recovered = self._execution.recover()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every child and close the state."""
        for thread in self._telling:
            thread.join()
        self._gateway.shutdown()
        if self._judge is not None:
            self._judge.shutdown()
        self._extractor.shutdown()
        self._analyst.shutdown()
        self._egress.shutdown()
        self.supervisor.close()
        self.core.close()

    # ---- tasks and planning

    def start_task(
        self,
        goal: str,
        *,
        values: tuple[str, ...] = (),
        attachments: Mapping[str, bytes] | None = None,
        groups: tuple[str, ...] = (),
        scope: Mapping[str, str] | None = None,
        budget: Budget | None = None,
    ) -> Task:
        """Record what a principal asks for, before a planner sees anything; quoted parts of the goal are values."""
        core, config = self.core, self.core.workspace.configuration
        core.require_proof()
        now = core.clock()
        documents = {name: core.blobs.put(content) for name, content in (attachments or {}).items()}
        task = codec.decode(
            codec.encode(
                Task(
                    id=f"task-{secrets.token_hex(6)}",
                    revision=0,
                    principal=config.principal.name,
                    goal=goal,
                    values=(*values, *_QUOTED.findall(goal)),
                    scope=scope or {},
                    groups=tuple(group for group in groups or config.actions.groups if group in config.actions.groups),
                    attachments=tuple(Attachment(name=name, digest=digest) for name, digest in documents.items()),
                    budget=budget or core.workspace.budget,
                    created_at=now,
                    expires_at=now + TASK_LIFETIME_MS,
                )
            ),
            Task,
        )
        core.record("task", task.id, codec.digest(task), task)
        core.store.put_task(task)
        return task

    def plan(
        self,
        task_id: str,
        strategy: str,
        *,
        handed: bytes = b"",
        ask: Asker = _nobody,
        act: Act = lambda _: (),
        parent: str = "",
    ) -> Outcome:
        """Run a planner process on a task; its proposals go through the gate, ``act`` may carry out what passed."""
        with self._working(task_id):
            return self._session(task_id, strategy, ask, act).plan(handed, parent)

    def answer(self, task_id: str, strategy: str, digest: str) -> Outcome:
        """Let a planner write the unverified answer from what a plan's steps returned."""
        with self._working(task_id):
            return self._session(task_id, strategy, _nobody, lambda _: ()).answer(self.results(digest))

    def drill(self, task_id: str, source: bytes) -> tuple[Outcome, str]:
        """Play a planner that was taken over: ``source`` runs where its code would; what it tried is an incident."""
        with self._working(task_id):
            return self._session(task_id, "file", _nobody, lambda _: ()).drill(source)

    def results(self, digest: str) -> tuple[Result, ...]:
        """What became of a plan's steps."""
        return results_of(self.core, self.core.store.plan(digest).digest)

    def propose(self, task_id: str, raw: bytes, parent: str | None = None) -> Decided:
        """A proposal handed in by a principal rather than a planner: the same gate, no planner process."""
        groups = self.core.store.task(task_id).task.groups
        self.core.record("load", task_id, "loaded", codec.encode(groups))
        self.core.store.load_groups(task_id, groups)
        found = self.core.store.plan(parent) if parent else None
        return self._proposals.propose(task_id, raw, parent=found)

    def propose_all(self, task_id: str, raws: Sequence[bytes]) -> list[Decided]:
        """Several proposals, recorded in one durable commit."""
        return self._proposals.propose_all([(task_id, raw) for raw in raws])

    def check(self, task_id: str, raw: bytes) -> Decided:
        """The same decision with nothing stored, reserved or recorded but a call to the judge."""
        return Decided.of(self._proposals.course(self.core.store.task(task_id), raw))

    def observe(self, task_id: str, action: str, arguments: Mapping[str, Json]) -> Labelled:
        """One read through the gate."""
        with self._working(task_id):
            return self._observer.observe(task_id, action, arguments)

    # ---- deciding

    def preview(self, digest: str) -> tuple[Preview, ...]:
        """Probe a pending plan's effect now; what an approval signs from here on is this."""
        row = self.core.store.plan(digest)
        if row.status is not Status.PENDING:
            return previews_of(row)
        with self._working(row.task):
            found = self._observer.previews(row)
        with self.core.store.transaction():
            if codec.encode(found) != row.previews:
                self.core.store.void_approvals(row.digest)  # They were about what was shown before.
            self.core.store.set_plan(row.digest, previews=codec.encode(found), shown_at=self.core.clock())
        return found

    def approve(self, envelope: bytes) -> Status:
        """Count a person's signed word: an approval or a denial."""
        return self._approvals.submit(envelope)

    deny = approve

    # ---- running

    def execute(self, digest: str, on_event: OnProgress = _quiet) -> Status:
        """Run an approved plan; one that was deferred is decided on again first."""
        row = self.core.store.plan(digest)
        if row.status is Status.DEFERRED:
            self._proposals.take_up(row)
        with self._working(row.task):
            return self._execution.execute(digest, on_event)

    def halt(self, digest: str | None, reason: str) -> list[str]:
        """Stop a running plan, or all of them, before their next step."""
        if digest:
            return [self._halt(self.core.store.plan(digest), reason)]
        halted: list[str] = []
        for row in self.core.store.plans(status=Status.RUNNING):
            with suppress(StateError):  # It has ended meanwhile; the others have not.
                halted.append(self._halt(row, reason))
        return halted

    def _halt(self, row: PlanRow, reason: str) -> str:
        with self.core.store.transaction():
            self.core.store.advance(row.digest, Event.HALT, stopped="halt.person")
            self.core.record("halt", row.task, row.digest, reason.encode(), code="halt.person")
        return row.digest

    def revoke(self, digest: str, reason: str) -> Status:
        """Take an approval back; a plan that has not ended can no longer start a step."""
        return revoke(self.core, digest, reason, code="revoke.person")

    def resume(self, digest: str, resolved: Mapping[str, str], raw: bytes = b"") -> Decided:
        """A halted plan's revision: finished steps are facts, the rest passes gate and approvals anew.

        ``raw`` is a proposal in which the finished steps stand as they were; without it, the rest stays as it was too.
        ``resolved`` says of each step, or ``STEP/ITERATION``, whose outcome is unknown what a person found out:
        ``happened`` or ``not``.  The iterations of a loop that have happened are facts too.
        """
        with self._execution.alone(digest):
            row = self.core.store.plan(digest)
            if row.status is not Status.HALTED:
                raise StateError("resume.status", f"a plan that is {row.status.value} is not halted")
            standing = next((other for other in self.core.store.revisions(row) if self._stands(other)), None)
            if standing is not None:
                raise StateError(
                    "resume.revision_exists", f"its revision {standing.digest[:12]} is {standing.status.value}",
                    hint=f"go on with that one, or run: interlock revoke {standing.digest[:12]}",
                )  # fmt: skip
            finished = facts(row.plan, self.core.store.claims(row.digest), resolved, self._repeats)
            proposed = raw or reproposed(row)
            keep_facts(row.plan, proposed, finished)
            self.core.record("resume", row.task, row.digest, codec.encode(dict(resolved)))
            return self._proposals.propose(row.task, proposed, parent=row, finished=finished)

    def _stands(self, revision: PlanRow) -> bool:
        """Whether a revision may still run, or has started anything that was not taken back."""
        started = {claim.state for claim in self.core.store.claims(revision.digest)} - _WITHOUT_EFFECT
        return bool(started) or revision.status not in _ENDED

    def rollback(self, digest: str, word: Word = NOTHING_SAID) -> tuple[Undone, ...]:
        """Take back exactly what a plan did; ``word`` says what became of an inverse action that was cut off."""
        row = self.core.store.plan(digest)
        with self._working(row.task):
            return self._undo.rollback(row.digest, word)

    def close_incident(self, number: int, by: str, reason: str) -> None:
        """A person closes an incident and, with the last one, unfreezes the task."""
        self.watch.close(number, by, reason)

    def _repeats(self, step: Step) -> bool:
        manifest = self.core.catalogue.get(step.action)
        return manifest is not None and repeatable(manifest)

    def _session(self, task_id: str, strategy: str, ask: Asker, act: Act) -> Session:
        parts = Parts(
            core=self.core, supervisor=self.supervisor, proposals=self._proposals, observer=self._observer,
            gateway=self._gateway, watch=self.watch, ask=ask, act=act,
        )  # fmt: skip
        return Session(parts, task_id, strategy)

    def _violation(self, violation: Violation) -> None:
        """The kernel saw a forbidden call: on record before the caller is refused.

        Who serves a planner, an executor or a step makes it an incident; a helper's is one at once, for each task
        that is worked for.  A child's first call is enough here, so that a flood of them cannot fill the ledger.
        """
        if violation.pid in self._seen:
            return
        self._seen.add(violation.pid)
        tasks = tuple(dict.fromkeys(self._busy)) or ("",)
        self.core.record("incident", "", violation.role, violation.syscall.encode(), code="separation.seen")
        self.core.store.see(violation.role, tasks, violation.syscall)
        if violation.role in _HELPERS:
            self._helper_violated(violation, tasks)
        if violation.pid > 0 and violation.role in {"step", *_HELPERS}:
            os.kill(violation.pid, signal.SIGKILL)  # It is held in its call, so the number is still its own.

    def _report(self, incident: Incident) -> int:
        return self.watch.report(incident)

    def _helper_violated(self, violation: Violation, tasks: tuple[str, ...]) -> None:
        """Note it now; alert in a thread, as this one must go on for an alert to be delivered."""
        config = self.core.workspace.configuration
        keys = {config.model.key_secret, config.quarantined.key_secret, config.judge.key_secret if config.judge else ""}
        held = {"gateway": frozenset(keys - {""}), "proxy": self._egress.held}.get(violation.role, frozenset())
        for task in tasks:
            incident = Incident(
                code="separation.syscall", role=violation.role, task=task, detail=violation.syscall,
                secrets=tuple(sorted(held)),
            )  # fmt: skip
            self.watch.note(incident)
            self._telling.append(threading.Thread(target=self.watch.tell, args=(incident,)))
            self._telling[-1].start()

    @contextmanager
    def _working(self, task: str) -> Generator[None]:
        """Say for which task the children work meanwhile."""
        self._busy.append(task)
        try:
            yield
        finally:
            self._busy.remove(task)


def reproposed(row: PlanRow) -> bytes:
    """A plan's steps as a new proposal."""
    plan: Plan = row.plan
    steps = tuple(
        ProposedStep(**{name: getattr(step, name) for name in ProposedStep.__struct_fields__}) for step in plan.steps
    )
    return codec.encode(Proposal(task=plan.task, goal=plan.goal, steps=steps, parent=row.digest))
