"""Undo: take back exactly what a plan did, in reverse, and refuse where somebody else has changed things since.

Files go back to their verified snapshots; other drivers' effects are compensated by the manifest's inverse action
(or the step's own rollback).  The rollback was approved together with the plan and has a grant of its own, so it
outlives the plan's expiry and revocation; the gate's floor and policy still decide on every inverse action.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from interlock.artifact import codec, snapshot
from interlock.artifact.action import Manifest, Reversibility
from interlock.artifact.channel_pb2 import RunStep
from interlock.artifact.codec import Json
from interlock.artifact.errors import InterlockError, StateError
from interlock.artifact.plan import Plan, Step
from interlock.artifact.verdict import Decision
from interlock.decide.life import Event, Status
from interlock.decide.references import Environment, Labelled, evaluate
from interlock.harness.core import Core
from interlock.harness.minting import known_resources, seal
from interlock.harness.proposals import Judged, Proposals, intent
from interlock.harness.snapshots import Snapshots
from interlock.harness.stepping import Order, Result, Stepper
from interlock.harness.store import ClaimRow, PlanRow

ROLLBACK_LIFETIME_MS = 10 * 60_000


class Undone(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one step: ``undone``, ``nothing to undo``, or ``refused`` with its code."""

    step: str
    iteration: int
    state: str
    code: str = ""


class Undo:
    """Rolls plans back."""

    def __init__(self, core: Core, proposals: Proposals, stepper: Stepper) -> None:
        self._core = core
        self._proposals = proposals
        self._stepper = stepper
        self._snapshots = Snapshots(core, stepper)

    def rollback(self, digest: str) -> tuple[Undone, ...]:
        """Undo a plan that has ended, newest step first, stopping at the first that refuses."""
        row = self._core.store.plan(digest)
        if row.status not in {Status.DONE, Status.HALTED, Status.EXPIRED, Status.REVOKED}:
            raise StateError(
                "undo.status", f"a plan that is {row.status.value} cannot be rolled back", hint="halt it first"
            )
        if any(
            other.plan.parent == row.digest and other.status is Status.RUNNING
            for other in self._core.store.plans(task=row.task)
        ):
            raise StateError("undo.revision_runs", "a revision of this plan is running", hint="halt it first")
        report: list[Undone] = []
        for claim in reversed(self._core.store.claims(row.digest)):
            report.append(self._undo(row, claim))
            if report[-1].state == "refused":
                return tuple(report)
        self._core.record("undo", row.task, row.digest, b"", code="rolled-back")
        self._core.store.advance(row.digest, Event.UNDO)
        return tuple(report)

    def _undo(self, row: PlanRow, claim: ClaimRow) -> Undone:
        step = row.plan.step(claim.step)
        manifest = self._core.catalogue[step.action]
        untouched = claim.state in {"skipped", "undone"} or manifest.reversibility is Reversibility.PURE
        if untouched or (claim.state == "failed" and claim.before is None and claim.output in {None, b"null"}):
            return Undone(step=claim.step, iteration=claim.iteration, state="nothing to undo")
        if manifest.reversibility is Reversibility.IRREVERSIBLE and step.rollback is None:
            return Undone(step=claim.step, iteration=claim.iteration, state="refused", code="undo.irreversible")
        subject = f"{row.digest}/{claim.step}/{claim.iteration}"
        self._core.record("undo", row.task, subject, b"", code="intended")
        try:
            result = (
                self._restore(row, claim) if claim.before is not None else self._compensate(row, claim, step, manifest)
            )
            code = "" if result.ok else result.code
        except InterlockError as error:
            code = error.code
        self._core.record("undo", row.task, subject, b"", code=code or "undone")
        if code:
            return Undone(step=claim.step, iteration=claim.iteration, state="refused", code=code)
        self._core.store.settle(row.digest, claim.step, claim.iteration, "undone")
        return Undone(step=claim.step, iteration=claim.iteration, state="undone")

    def _restore(self, row: PlanRow, claim: ClaimRow) -> Result:
        before = claim.before or b""
        if claim.after is None:
            raise StateError("undo.unknown", "it is not known what the step left", hint="compare and restore by hand")
        roots = snapshot.decode(before).roots
        lifetime = self._core.clock() + ROLLBACK_LIFETIME_MS
        # A grant of its own, over the approved plan: it outlives the plan's.
        sealed = seal(self._core, row.plan, row.task, until=lifetime)
        self._core.record("grant", row.task, row.digest, sealed.grant, code="rollback")
        return self._snapshots.restore(
            row, sealed, claim.step, claim.iteration, before=before, after=claim.after, paths=roots
        )

    def _compensate(self, row: PlanRow, claim: ClaimRow, step: Step, manifest: Manifest) -> Result:
        action, arguments = self._inverse(claim, step, manifest)
        task = self._core.store.task(row.task)
        raw = intent(task.task, action, arguments)
        judged = self._proposals.judge(task, raw, previewing=True)
        plan = judged.plan
        if plan is None or judged.verdict.decision is Decision.DENY:
            raise StateError(judged.verdict.reasons[0].code, f"the gate denies {action}")
        if judged.verdict.decision is not Decision.ALLOW and row.verdict.decision is not Decision.STEP_UP:
            # (I2) Nobody confirmed this plan and its rollback, so somebody confirms the inverse first.
            asked = self._proposals.propose(row.task, raw)
            hint = f"run: interlock approve {(asked.digest or '')[:12]}, then execute it, then roll back again"
            raise StateError("undo.needs_approval", f"taking this back by {action} cannot be undone itself", hint=hint)
        return self._run(row.task, plan, judged)

    def _run(self, task_id: str, plan: Plan, judged: Judged) -> Result:
        core, step = self._core, plan.steps[0]
        sealed = seal(core, plan, task_id, until=core.clock() + ROLLBACK_LIFETIME_MS)
        core.record_all(
            [
                ("plan", task_id, sealed.digest, codec.encode(plan), "rollback"),
                self._proposals.decision(judged, sealed.digest, judged.verdict, judged.evidence.digest()),
                ("grant", task_id, sealed.digest, sealed.grant, "rollback"),
            ]
        )
        manifest = core.catalogue[step.action]
        secrets: dict[str, bytes] = {}
        for name in manifest.needed_secrets:
            core.record("secret", task_id, f"{sealed.digest}/{step.id}/0", name.encode(), code=name)
            secrets[name] = core.vault.release(name)
        core.record(
            "intention", task_id, f"{sealed.digest}/{step.id}/0", codec.encode(step.arguments), code=step.action
        )
        result = self._stepper.run(
            Order(
                task=task_id, plan=sealed.digest, envelope=sealed.envelope, grant=sealed.grant, step=step.id,
                manifest=manifest, touched=known_resources(core, step), arguments=step.arguments, secrets=secrets,
                mode=RunStep.ACT,
            )
        )  # fmt: skip
        core.record("outcome", task_id, f"{sealed.digest}/{step.id}/0", result.output, code=result.code or "done")
        return result

    def _inverse(self, claim: ClaimRow, step: Step, manifest: Manifest) -> tuple[str, dict[str, Json]]:
        """The action that takes the step back, with its arguments from the step's own and its output."""
        output = claim.labelled
        if step.rollback is not None:
            environment = Environment(outputs={}, literal=lambda _: output.label, output=output)
            found = {name: evaluate(value, environment).value for name, value in step.rollback.arguments.items()}
            return step.rollback.action, found
        if manifest.inverse is None:
            raise StateError("undo.no_inverse", f"{manifest.reference} names no inverse action")
        intended = _arguments(claim)
        values = {name: _source(value, intended, output) for name, value in manifest.inverse.arguments.items()}
        return manifest.inverse.action, values


def _arguments(claim: ClaimRow) -> Mapping[str, Json]:
    """The resolved arguments, as they were recorded with the intention."""
    if claim.arguments is None:
        raise StateError("undo.unknown", "the step's arguments are not on record")
    return codec.decode(claim.arguments, dict[str, Json], data=True)


def _source(value: Json, arguments: Mapping[str, Json], output: Labelled) -> Json:
    if not isinstance(value, Mapping):
        return value
    if "$argument" in value:
        return arguments[str(value["$argument"])]
    found: Json = output.value
    for part in str(value.get("$output", "")).split("."):
        if not isinstance(found, Mapping) or part not in found:
            raise StateError("undo.unknown", "the step's output does not say what its inverse needs")
        found = found[part]
    return found
