"""A planner's session: the harness's side of its one channel, call by call.

A planner process holds nothing, so everything that it wants is asked for here: completions through the gateway,
manifests group by group, observations through the gate, a question to the person, a proposal, an answer.  Each is
bounded by the task's budget and recorded before it is answered; what the planner is shown joins the labels that it
has received first.  A refusal carries a code and the names of fields, never a value.  A message outside the
protocol, or a forbidden system call, is a separation violation and ends the session.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from interlock.artifact import channel, codec
from interlock.artifact.channel_pb2 import (
    Accepted,
    Actions,
    Attachment,
    Begin,
    Completion,
    Judgement,
    PlannerCall,
    PlannerReturn,
    Refusal,
    Reply,
    Result,
    Results,
)
from interlock.artifact.errors import ChannelError, InterlockError, StateError
from interlock.artifact.label import Label, flows_to, join_all
from interlock.artifact.plan import Proposal
from interlock.artifact.schema import schema
from interlock.artifact.task import Task
from interlock.decide.references import Labelled
from interlock.harness.core import Core, bytes_digest
from interlock.harness.models import Gateway, metered
from interlock.harness.observing import GateRefusalError, Observer
from interlock.harness.proposals import Decided, Proposals
from interlock.harness.sandbox.profiles import JailSpec
from interlock.harness.supervisor import Child, Supervisor
from interlock.harness.supervisor_script import hand_over
from interlock.harness.told import Told, untold
from interlock.harness.watch import Incident, Watch

PLANNER_SILENCE_SECONDS = 60.0
MAX_PROPOSAL = 1 << 19
MAX_ANSWER = 1 << 16
MAX_CALLS = 128
REPAIR_ROUNDS = 4

Asker = Callable[[str], str | None]
Act = Callable[[Decided], tuple[Result, ...]]


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a session came to."""

    decided: list[Decided] = field(default_factory=list[Decided])
    answer: str | None = None
    violated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a session works with; ``ask`` reaches the person, ``act`` carries out what was allowed, if it should."""

    core: Core
    supervisor: Supervisor
    proposals: Proposals
    observer: Observer
    gateway: Gateway
    watch: Watch
    ask: Asker
    act: Act


class Session:
    """One planner process, from ``Begin`` to its end."""

    def __init__(self, parts: Parts, task_id: str, strategy: str) -> None:
        self._parts = parts
        self._core = parts.core
        self._task_id = task_id
        self._strategy = strategy
        self._outcome = Outcome()
        self._told = Told(parts.core.store, parts.core.site.limits.explained_denials)
        self._calls: Counter[str] = Counter()

    def plan(self, handed: bytes, parent: str = "", finished: tuple[str, ...] = ()) -> Outcome:
        """Let the planner make a plan, or act call by call."""
        task = self._task()
        attachments = [(item.name, self._core.blobs.get(item.digest)) for item in task.attachments]
        self._core.store.receive(self._task_id, join_all(item.label for item in task.attachments))
        begin = Begin(
            phase=Begin.PLAN, task=codec.encode(task), strategy=self._strategy, handed_plan=handed, groups=task.groups,
            attachments=[Attachment(name=name, text=text) for name, text in attachments],
            proposal_schema=schema(Proposal), repair_rounds=REPAIR_ROUNDS, parent=parent,
            finished=codec.encode(finished),
        )  # fmt: skip
        return self._run(begin)

    def answer(self, results: tuple[Result, ...]) -> Outcome:
        """Show the planner what happened, and let it write the answer, which nobody believes."""
        labels = [codec.decode(result.label, Label) for result in results]
        self._core.store.receive(self._task_id, join_all(labels))
        begin = Begin(phase=Begin.ANSWER, task=codec.encode(self._task()), strategy=self._strategy, results=results)
        return self._run(begin)

    def drill(self, source: bytes) -> tuple[Outcome, str]:
        """Run a script where the planner's code would run, as a planner that was taken over; what it printed."""
        child = self._parts.supervisor.start("planner", JailSpec(mode="script"), pipes=True)
        try:
            hand_over(child, ["drill"], source)
            printed = b"".join(_drain(pipe) for pipe in (child.stdout, child.stderr))
            child.wait(PLANNER_SILENCE_SECONDS)
            tried = self._tried(child)
        finally:
            child.close()
        if tried:
            self._violated("separation.syscall", tried)
        return self._outcome, printed.decode("utf-8", "replace")

    def _run(self, begin: Begin) -> Outcome:
        child = self._parts.supervisor.start("planner")
        try:
            child.channel.settimeout(PLANNER_SILENCE_SECONDS)
            channel.send(child.channel, begin)
            while (call := channel.receive(child.channel, PlannerCall)) is not None and not child.violations:
                channel.send(child.channel, self._serve(call))
        except ChannelError as error:
            self._violated(error.code, "a message outside its protocol")
        except TimeoutError:  # An outage is on record; it is no attack.
            self._core.record("halt", self._task_id, "planner", b"", code="planner.silent")
        except (BrokenPipeError, ConnectionResetError):
            pass  # It ended; what it had proposed stands on record.
        finally:
            tried = self._tried(child)
            child.close()
        if tried:
            self._violated("separation.syscall", tried)
        return self._outcome

    def _tried(self, child: Child) -> str:
        return ", ".join(sorted({violation.syscall for violation in child.violations}))

    def _serve(self, call: PlannerCall) -> PlannerReturn:
        try:
            self._bounded(call)
            match call.WhichOneof("body"):
                case "complete":
                    return PlannerReturn(completion=self._complete(call))
                case "load_actions":
                    return PlannerReturn(actions=self._load(tuple(call.load_actions.groups)))
                case "observe":
                    return PlannerReturn(results=self._observe(call))
                case "ask":
                    return PlannerReturn(reply=self._ask(call.ask.question))
                case "propose":
                    return PlannerReturn(judgement=self._propose(call.propose.proposal))
                case _:
                    return PlannerReturn(accepted=self._answer(call.answer.text))
        except ChannelError:
            raise
        except InterlockError as error:
            return PlannerReturn(refusal=Refusal(code=error.code, message="refused; see docs/codes.md"))

    def _bounded(self, call: PlannerCall) -> None:
        """Hold every kind of call to its count, and a frozen task to silence."""
        kind = call.WhichOneof("body") or ""
        self._calls[kind] += 1
        if self._core.store.task(self._task_id).frozen:
            raise StateError("task.frozen", "the task is frozen")
        if self._calls[kind] > MAX_CALLS:
            raise StateError("budget.calls", "more calls of this kind than one session may make")

    def _complete(self, call: PlannerCall) -> Completion:
        core, wanted = self._core, call.complete
        received = core.store.task(self._task_id).received
        if not flows_to(received, core.workspace.configuration.model.accepts):
            raise StateError("flow.model", "what the planner has received may not go to the model's provider")
        gateway, messages = self._parts.gateway, list(wanted.messages)
        found = metered(core, gateway, self._task_id, messages, wanted.schema, wanted.max_tokens)
        return Completion(text=found.text, input_tokens=found.input_tokens, output_tokens=found.output_tokens)

    def _load(self, groups: tuple[str, ...]) -> Actions:
        """Names first; then the manifests of groups inside the task's scope, each load on record."""
        task = self._task()
        outside = [group for group in groups if group not in task.groups]
        if outside:
            self._core.record("load", self._task_id, "refused", codec.encode(list(outside)), code="load.scope")
            raise StateError("load.scope", "a group outside the task's scope")
        if groups:
            self._core.record("load", self._task_id, "loaded", codec.encode(list(groups)))
            self._core.store.load_groups(self._task_id, groups)
        found = [manifest for manifest in self._core.catalogue.values() if manifest.group in groups]
        return Actions(groups=task.groups, manifests=[codec.encode(manifest) for manifest in found])

    def _observe(self, call: PlannerCall) -> Results:
        arguments = codec.decode(call.observe.arguments or b"{}", dict[str, codec.Json])
        try:
            seen = self._parts.observer.observe(self._task_id, call.observe.action, arguments)
        except GateRefusalError as error:
            if not untold(error.code) and self._told.in_detail(self._task_id):
                raise
            raise StateError("gate.denied", "denied, and not explained") from error
        return Results(results=[as_result("observed", 0, "observed", seen)])

    def _ask(self, question: str) -> Reply:
        core = self._core
        core.store.spend(self._task_id, questions=1)
        if len(question) > codec.MAX_STRING // 64 or codec.hidden(question):
            raise StateError("ask.text", "a question that is too long, or with hidden characters")
        core.record("question", self._task_id, bytes_digest(question.encode()), question.encode())
        said = self._parts.ask(question)
        if said is None:
            raise StateError("ask.nobody", "nobody is there to answer")
        task = self._task()
        revised = revise(task, said)
        core.record("task", self._task_id, codec.digest(revised), codec.encode(revised), code="revised")
        core.store.put_task(revised)
        return Reply(text=said, task=codec.encode(revised))

    def _propose(self, raw: bytes) -> Judgement:
        if len(raw) > MAX_PROPOSAL:
            raise StateError("codec.size", "a proposal beyond its bound")
        decided = self._parts.proposals.propose(self._task_id, raw)
        self._outcome.decided.append(decided)
        results = self._parts.act(decided)
        labels = [codec.decode(result.label, Label) for result in results]
        self._core.store.receive(self._task_id, join_all(labels))
        for result, label in zip(results, labels, strict=True):
            self._parts.proposals.strangers.hear(self._task_id, codec.parse(result.output, data=True), label)
        status = decided.status
        if decided.digest is not None:
            status = self._core.store.plan(decided.digest).status
        return Judgement(
            decision=decided.verdict.decision.value,
            findings=self._told.findings(self._task_id, decided),
            plan=decided.digest or "",
            results=results,
            state=status.value if status else "",
        )

    def _answer(self, text: str) -> Accepted:
        if len(text) > MAX_ANSWER:
            raise StateError("answer.size", "an answer beyond its bound")
        self._core.record("answer", self._task_id, bytes_digest(text.encode()), text.encode())
        self._core.store.answer(self._task_id, text)
        self._outcome.answer = text
        return Accepted()

    def _task(self) -> Task:
        return self._core.store.task(self._task_id).task

    def _violated(self, code: str, detail: str) -> None:
        self._outcome.violated = True
        self._parts.watch.report(Incident(code=code, role="planner", task=self._task_id, detail=detail))


def _drain(pipe: int) -> bytes:
    """What comes out of a pipe, up to ``MAX_ANSWER`` bytes; the rest is read and dropped."""
    kept = b""
    while part := os.read(pipe, MAX_ANSWER):
        kept = (kept + part)[:MAX_ANSWER]
    return kept


def as_result(step: str, iteration: int, outcome: str, value: Labelled) -> Result:
    """A labelled value as the channel carries it."""
    return Result(
        step=step,
        iteration=iteration,
        outcome=outcome,
        label=codec.encode(value.label),
        output=codec.encode(value.value),
    )


def results_of(core: Core, digest: str) -> tuple[Result, ...]:
    """What became of a plan's steps, with their labelled outputs."""
    return tuple(as_result(row.step, row.iteration, row.state, row.labelled) for row in core.store.claims(digest))


def revise(task: Task, answer: str) -> Task:
    """The task's next revision: the answer's words are the principal's own."""
    return msgspec.structs.replace(task, revision=task.revision + 1, values=(*task.values, answer.strip()))
