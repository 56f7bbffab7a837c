"""One run of one sealed plan: the harness's side of the executor's channel, sans processes.

The executor core asks for the next step; this decides whether that is the next step of the unfolding, evaluates its
condition, list and arguments, decides on the resolved values again, records the intention, takes the snapshot,
releases the secrets, and only then lets a step process start.  Everything that is not as approved stops the run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from interlock.artifact import codec
from interlock.artifact.action import Effect, Manifest, Reversibility
from interlock.artifact.channel_pb2 import RunStep
from interlock.artifact.codec import Json
from interlock.artifact.errors import InterlockError, StateError
from interlock.artifact.label import Label, join, join_all
from interlock.artifact.plan import Plan, Step
from interlock.artifact.receipt import Outcome
from interlock.artifact.resources import Touched, inside
from interlock.artifact.verdict import Decision, Verdict
from interlock.decide import gate
from interlock.decide.below import Gate, said
from interlock.decide.effects import kept
from interlock.decide.evidence import Evidence
from interlock.decide.flow import View, literal_label
from interlock.decide.life import Status
from interlock.decide.references import Environment, Labelled, evaluate, gather, truth
from interlock.decide.relabel import covered
from interlock.decide.unfolding import Next, Shape, Shaping, Unfolding, evaluate_shape
from interlock.harness.afterwards import Look, fences, looked_at
from interlock.harness.confining import claimed_grants, first_missing, runs_in, shut
from interlock.harness.core import Core
from interlock.harness.facts import finished_outputs
from interlock.harness.minting import Sealed, seal
from interlock.harness.observing import labelled_output, previews_of, seen_value
from interlock.harness.proposals import Proposals
from interlock.harness.rows import PlanRow
from interlock.harness.snapshots import Snapshots
from interlock.harness.stepping import Order, Result, Seen, Stepper
from interlock.harness.withholding import withheld

LEASE_GRACE_MS = 10_000
_WORKSPACE = "program.workspace"
_OUTCOMES = {"done": Outcome.OBSERVED, "failed": Outcome.FAILED, "unknown": Outcome.UNKNOWN}


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What just became of a step."""

    step: str
    iteration: int
    state: str
    code: str = ""


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A step with its values, decided on again."""

    step: Step
    iteration: int
    manifest: Manifest
    arguments: Mapping[str, Labelled]
    view: View
    verdict: Verdict

    @property
    def place(self) -> str:
        return f"{self.step.id}/{self.iteration}"


class Run:
    """The run of one plan, step by step."""

    def __init__(
        self, core: Core, row: PlanRow, sealed: Sealed, proposals: Proposals, stepper: Stepper, on_progress: OnProgress
    ) -> None:
        self._core = core
        self._row = row
        self._sealed = sealed
        self._proposals = proposals
        self._stepper = stepper
        self._snapshots = Snapshots(core, stepper)
        self._on_progress = on_progress
        self._plan: Plan = row.plan
        self._evidence: Evidence = proposals.evidence(core.store.task(row.task))
        self._outputs, self._facts = finished_outputs(core, self._plan)
        self._current: list[Labelled] = []
        self.unfolding = Unfolding(plan=self._plan)

    def next(self, step_id: str, iteration: int) -> Shape | None:
        """Run exactly this pair if it is the next one; its shape, or ``None`` where the run must stop.

        Raises ``StateError`` (``unfolding.not_next``) for any other pair: the executor left its plan.
        """
        first = iteration == self._plan.begun(step_id)
        wanted = Shaping(step=step_id) if first else Next(step=step_id, iteration=iteration)
        if self.unfolding.expected() != wanted:
            raise StateError("unfolding.not_next", f"the executor asked for {step_id[:32]}, which is not next")
        try:
            if first:
                self._find_shape(step_id)
        except InterlockError as error:
            self._stop(step_id, iteration, error.code)
            return None
        shape = self.unfolding.shape
        if shape is None:  # Skipped, or an empty list: nothing runs.
            return Shape(skip=True, iterations=0, label=self._evidence.received)
        self.unfolding = self.unfolding.admit(step_id, iteration)
        try:
            resolved = self._resolve(step_id, iteration, shape)
            self._claim(resolved)
        except InterlockError as error:
            self._stop(step_id, iteration, error.code)
            return None
        return shape if self._act(resolved, shape) else None

    def _find_shape(self, step_id: str) -> None:
        step = self._plan.step(step_id)
        shape = evaluate_shape(step, self._environment(), skipped=self.unfolding.skipped)
        self.unfolding = self.unfolding.shaped(step_id, shape)
        self._current = list(self._facts.get(step_id, ()))
        if self.unfolding.shape is None and self._current and not shape.skip:  # A loop with nothing left to do.
            self._outputs[step_id] = gather(self._current, shape.label)
        elif self.unfolding.shape is None:
            self._outputs[step_id] = gather((), shape.label)
            self._core.store.claim(self._row.digest, step_id, 0, 0)
            self._core.record("outcome", self._row.task, f"{self._row.digest}/{step_id}/0", b"", code="skipped")
            label = codec.encode(join(shape.label, self._evidence.received))
            self._core.store.settle(self._row.digest, step_id, 0, "skipped", label_doc=label)
            self._on_progress(Progress(step=step_id, iteration=0, state="skipped"))

    def _resolve(self, step_id: str, iteration: int, shape: Shape) -> Resolved:
        step = self._plan.step(step_id)
        item = shape.items[iteration] if shape.items else None
        environment = self._environment(item)
        arguments = {name: evaluate(value, environment) for name, value in step.arguments.items()}
        before = join_all([self._evidence.received, *(output.label for output in self._outputs.values())])
        # What earlier steps have written carries labels that were not known when the run began.
        self._evidence = msgspec.structs.replace(self._evidence, carried=self._core.store.carried())
        values = {name: value.value for name, value in arguments.items()}
        evidence = self._proposals.analysed_step(self._evidence, step, values)
        view, asked = gate.resolve(step, arguments, shape.label, before, evidence)
        verdict = gate.conclude_step(view, asked, self._proposals.judged_step(evidence, view, asked))
        self._admissible(step, verdict)
        self._as_shown(step, arguments)
        return Resolved(
            step=step,
            iteration=iteration,
            manifest=self._core.catalogue[step.action],
            arguments=arguments,
            view=view,
            verdict=verdict,
        )

    def _admissible(self, step: Step, verdict: Verdict) -> None:
        """What was not said to the approver for this step cannot have been approved."""
        if verdict.decision is Decision.ALLOW:
            return
        said = {
            (reason.code, reason.rule, reason.field) for reason in self._row.verdict.reasons if reason.step == step.id
        }
        raised = [reason for reason in verdict.reasons if reason.decision is not Decision.ALLOW]
        new = [reason for reason in raised if (reason.code, reason.rule, reason.field) not in said]
        fresh = [reason for reason in new if not covered(reason, self._row.verdict.reasons)]
        if verdict.decision is not Decision.STEP_UP or fresh:
            code = (fresh or raised)[0].code
            raise StateError(code, f"step {step.id} is not what was approved, now that its values are known")

    def _as_shown(self, step: Step, arguments: Mapping[str, Labelled]) -> None:
        """A value whose label a person agreed to lower is the one that the person was shown."""
        shown = seen_value(step, self._core.catalogue[step.action], arguments)
        if shown is not None and shown.whole not in {
            one.whole for one in previews_of(self._row) if one.step == step.id
        }:
            raise StateError("relabel.unseen", f"the value of step {step.id} is not the one that was shown")

    def _claim(self, resolved: Resolved) -> None:
        """Look once more, claim, and record the intention, in one transaction: no revocation comes in between."""
        core, step, digest = self._core, resolved.step, self._row.digest
        arguments = codec.encode({name: value.value for name, value in resolved.arguments.items()})
        with core.store.transaction():
            self._still_approved(resolved)
            lease = core.clock() + resolved.manifest.timeout_ms + LEASE_GRACE_MS
            core.store.claim(digest, step.id, resolved.iteration, lease)
            core.store.settle(
                digest, step.id, resolved.iteration, "claimed", arguments=arguments,
                label_doc=codec.encode(resolved.view.output), touched=codec.encode(_decided(resolved)),
            )  # fmt: skip
            core.record("intention", self._row.task, f"{digest}/{resolved.place}", arguments, code=step.action)
            self._carry(resolved)

    def _still_approved(self, resolved: Resolved) -> None:
        """Right before anything is released: the status, the freeze, the expiry, the policy."""
        core = self._core
        now = core.clock()
        if core.store.plan(self._row.digest).status is not Status.RUNNING:
            raise StateError("run.stopped", "the plan was halted or revoked")
        if core.store.task(self._row.task).frozen:
            raise StateError("task.frozen", "the task is frozen")
        if now >= self._plan.expires_at:
            raise StateError("plan.expired", f"the plan expired before step {resolved.step.id}")

    def _act(self, resolved: Resolved, shape: Shape) -> bool:
        step, place = resolved.step, (resolved.step.id, resolved.iteration)
        self._on_progress(Progress(step=step.id, iteration=resolved.iteration, state="started"))
        result, before = Result(ok=False, started=False), None
        try:
            paths = destroyed_files(resolved)
            made = tuple(Touched(kind="file", name=path, access=Effect.WRITE) for path in paths)
            sealed = self._resealed(resolved, made) if resolved.view.seen else self._sealed
            below = self._below(resolved)
            if paths:
                before = self._snapshots.before(self._row, sealed, *place, paths)
            order = self._order(resolved, below, self._release(resolved))
            look = Look(
                step=step.id, iteration=resolved.iteration, sealed=sealed, touched=resolved.view.touched,
                before=before, fences=fences(order.paths or ()), gate=below if resolved.view.seen else None,
            )  # fmt: skip
            result = Result(ok=False)  # From here on it counts as started, whatever is raised.
            result = self._stepper.run(order)
            if result.started:
                result = looked_at(self._row, self._snapshots, self._core.site.roots, look, result)
        except InterlockError as error:
            result = dataclasses.replace(result, ok=False, code=error.code, output=b"null")
        return self._conclude(resolved, shape, result)

    def _resealed(self, resolved: Resolved, made: tuple[Touched, ...]) -> Sealed:
        """A grant of the same plan that holds what was claimed of this step too, for its snapshots."""
        claimed = {resolved.step.id: (*resolved.view.touched, *made)}
        sealed = seal(self._core, self._plan, self._row.task, claimed=claimed)
        subject = f"{self._row.digest}/{resolved.place}"
        self._core.record("grant", self._row.task, subject, sealed.grant, code="claimed")
        return sealed

    def _below(self, resolved: Resolved) -> Gate:
        """The gate's word on single paths of the step, beside what was said of the step itself."""
        reasons = [one for one in self._row.verdict.reasons if one.step == resolved.step.id]
        heard = said([*reasons, *resolved.verdict.reasons])
        return Gate(resolved.view, self._evidence, self._core.policy, heard)

    def _without(self, resolved: Resolved, result: Result) -> str:
        """What is known of a step that is not done: once started, only a person can tell, whatever it said itself."""
        return "unknown" if result.started and not repeatable(resolved.manifest) else "failed"

    def _order(self, resolved: Resolved, below: Gate, secrets: Mapping[str, bytes]) -> Order:
        site, view = self._core.site, resolved.view
        folders = [one.name for one in view.declared if one.kind == "file"]
        writes_git = view.seen and view.changes and view.claim is not None and "git" in view.claim.programs
        paths = claimed_grants(view.touched, folders, site.own, site.roots) if view.seen else None
        if paths is not None:
            paths = runs_in(paths) if _WORKSPACE in view.signals else paths
            paths = shut(paths) if writes_git else paths
        return Order(
            task=self._row.task, plan=self._row.digest, envelope=self._sealed.envelope, grant=self._sealed.grant,
            step=resolved.step.id, iteration=resolved.iteration, manifest=resolved.manifest,
            touched=confined(view), declared=view.declared, seen=_seen(resolved), secrets=secrets,
            arguments={name: value.value for name, value in resolved.arguments.items()}, mode=RunStep.ACT,
            paths=paths,
            withheld=withheld(confined(view), below, site.roots, closed=writes_git),
        )  # fmt: skip

    def _release(self, resolved: Resolved) -> dict[str, bytes]:
        """Secrets, each recorded before it leaves the vault, for this step alone."""
        found: dict[str, bytes] = {}
        for name in resolved.manifest.needed_secrets:
            self._core.record(
                "secret", self._row.task, f"{self._row.digest}/{resolved.place}", name.encode(), code=name
            )
            found[name] = self._core.vault.release(name)
        return found

    def _conclude(self, resolved: Resolved, shape: Shape, result: Result) -> bool:
        if not result.ok:
            state = self._without(resolved, result)
            if not result.started:  # Nothing happened, so there is nothing to put back.
                self._core.store.settle(self._row.digest, resolved.step.id, resolved.iteration, "claimed", before=None)
            self._settle(resolved, state, result.code, result.output, resolved.view.output, result.unasked)
            return False
        output = labelled_output(result.output, resolved.view.output)
        code = self._unexpected(resolved, output)
        self._settle(resolved, self._without(resolved, result) if code else "done", code, result.output, output.label)
        if code:
            return False
        self._current.append(output)
        step = resolved.step
        self._outputs[step.id] = gather(self._current, shape.label) if step.for_each else output
        self.unfolding = self.unfolding.complete(step.id, resolved.iteration, Outcome.OBSERVED)
        return True

    def _unexpected(self, resolved: Resolved, output: Labelled) -> str:
        """The code of what is not as the step's postcondition says, or nothing."""
        if resolved.step.expect is None:
            return ""
        try:
            holds = truth(resolved.step.expect, self._environment(None, output)).holds
        except InterlockError as error:
            return error.code
        return "" if holds else "step.unexpected_outcome"

    def _settle(
        self, resolved: Resolved, state: str, code: str, output: bytes, label: Label, unasked: tuple[str, ...] = ()
    ) -> None:
        step, iteration = resolved.step.id, resolved.iteration
        found = tuple(Touched(kind="file", name=path, access=Effect.WRITE) for path in unasked)
        touched = codec.encode((*_decided(resolved), *found))
        said = state if code in {"", "done", "skipped"} else code  # A step's own code cannot make it done.
        output = output or b"null"
        self._core.record_all(
            [
                ("outcome", self._row.task, f"{self._row.digest}/{resolved.place}", output, said),
                self._core.step_receipt(self._row, step, iteration, _OUTCOMES[state], resolved.verdict, output),
            ]
        )
        self._core.store.settle(
            self._row.digest, step, iteration, state,
            code=code, output=output, label_doc=codec.encode(label), touched=touched,
        )  # fmt: skip
        self._on_progress(Progress(step=step, iteration=iteration, state=state, code=code))
        if state != "done":
            self.unfolding = self.unfolding.stop(code or state)

    def _carry(self, resolved: Resolved) -> None:
        """What is written carries the labels of all that may go into it, into later tasks, however the step ends."""
        for resource in resolved.view.touched:
            if resource.access is not Effect.READ and not resource.open:
                self._core.store.carry(resource.key, resolved.view.output)

    def _stop(self, step: str, iteration: int, code: str) -> None:
        # A decision and no outcome: nothing was started, so no intention stands before it.
        subject = f"{self._row.digest}/{step[:32]}/{iteration}"
        self._core.record("decision", self._row.task, subject, code.encode(), code=Decision.DENY.value)
        self._on_progress(Progress(step=step, iteration=iteration, state="stopped", code=code))
        self.unfolding = self.unfolding.stop(code)

    def _environment(self, item: Labelled | None = None, output: Labelled | None = None) -> Environment:
        def literal(value: Json) -> Label:
            return literal_label(value, self._evidence)

        return Environment(outputs=self._outputs, literal=literal, item=item, output=output)


def repeatable(manifest: Manifest) -> bool:
    """Whether running the action again does no more than running it once."""
    return manifest.idempotent or manifest.effect is Effect.READ


def destroyed_files(resolved: Resolved) -> tuple[str, ...]:
    """The files whose present content a reversible step may destroy, or one of which all effects are claimed.

    Where a file is made with folders around it, they are kept as absent, and where a folder is, so is what lies in it.
    """
    if resolved.view.seen:
        found = {first_missing(resource.name) for resource in kept(resolved.view.parts)}
        return tuple(sorted(one for one in found if not any(inside(one, other) for other in found if other != one)))
    if resolved.manifest.reversibility is not Reversibility.REVERSIBLE:
        return ()
    return tuple(resource.name for resource in resolved.view.declared if _changed_file(resource))


def confined(view: View) -> tuple[Touched, ...]:
    """What the step process is given: what its manifest declares, or exactly what was claimed where that is all."""
    return view.touched if view.seen else view.declared


def _decided(resolved: Resolved) -> tuple[Touched, ...]:
    """What is kept of what was decided on: of a step that is seen to do nothing, that it touches nothing."""
    if not resolved.view.seen:
        return resolved.view.touched
    return tuple(part.resource for part in resolved.view.parts)


def _seen(resolved: Resolved) -> Seen | None:
    claim = resolved.view.claim
    if claim is None or not resolved.view.seen:
        return None
    return Seen(programs=claim.programs, workspace=_WORKSPACE in resolved.view.signals)


def _changed_file(resource: Touched) -> bool:
    return resource.kind == "file" and resource.access is not Effect.READ
