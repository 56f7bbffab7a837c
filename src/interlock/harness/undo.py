"""Undo: take back exactly what a plan did, in reverse, and refuse where somebody else has changed things since.

Files go back to their verified snapshots; other drivers' effects are compensated by the manifest's inverse action
(or the step's own rollback).  The rollback was approved together with the plan and has a grant of its own, so it
outlives the plan's expiry and revocation; the gate's floor and policy still decide on every inverse action.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TypeAlias

import msgspec

from interlock.artifact import codec, snapshot
from interlock.artifact.action import Effect, Manifest, Reversibility
from interlock.artifact.channel_pb2 import RunStep
from interlock.artifact.codec import Json
from interlock.artifact.errors import InterlockError, StateError
from interlock.artifact.label import STRICTEST, join_all
from interlock.artifact.plan import Plan, Step
from interlock.artifact.receipt import Outcome
from interlock.artifact.resources import Touched, inside
from interlock.artifact.verdict import Decision, strictest
from interlock.decide import gate
from interlock.decide.effects import undoable
from interlock.decide.flow import View
from interlock.decide.life import TRANSITIONS, Event, Status
from interlock.decide.references import Environment, Labelled, evaluate
from interlock.harness.core import Core
from interlock.harness.minting import seal
from interlock.harness.proposals import Judged, Proposals, intent
from interlock.harness.reserving import revoke
from interlock.harness.rows import ClaimRow, PlanRow
from interlock.harness.running import repeatable
from interlock.harness.snapshots import Snapshots
from interlock.harness.stepping import Order, Result, Stepper

ROLLBACK_LIFETIME_MS = 10 * 60_000
_ASKED = "undo:"
Alone: TypeAlias = Callable[[str], AbstractContextManager[None]]


class Undone(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one step: ``undone``, ``nothing to undo``, or ``refused`` with its code."""

    step: str
    iteration: int
    state: str
    code: str = ""


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says of inverse actions that were started and not seen to end: ``happened`` or ``not``, by step."""

    said: Mapping[str, str] = {}
    by: str = ""
    reason: str = ""


NOTHING_SAID = Word()


class Undo:
    """Rolls plans back."""

    def __init__(self, core: Core, proposals: Proposals, stepper: Stepper, alone: Alone) -> None:
        self._core = core
        self._proposals = proposals
        self._stepper = stepper
        self._alone = alone
        self._snapshots = Snapshots(core, stepper)

    def rollback(self, digest: str, word: Word = NOTHING_SAID) -> tuple[Undone, ...]:
        """Undo a plan that has ended, newest step first, stopping at the first that refuses."""
        self._ended(digest)
        with self._alone(digest):
            return self._rollback(self._ended(digest), word)

    def _ended(self, digest: str) -> PlanRow:
        row = self._core.store.plan(digest)
        if row.status not in {Status.DONE, Status.HALTED, Status.EXPIRED, Status.REVOKED}:
            raise StateError(
                "undo.status", f"a plan that is {row.status.value} cannot be rolled back", hint="halt it first"
            )
        return row

    def _rollback(self, row: PlanRow, word: Word) -> tuple[Undone, ...]:
        core = self._core
        self._check(row, word)
        with core.store.transaction():  # No revision goes on from facts that are about to be taken back.
            revisions = core.store.revisions(row)
            if any(revision.status is Status.RUNNING for revision in revisions):
                raise StateError("undo.revision_runs", "a revision of this plan is running", hint="halt it first")
            for revision in revisions:
                if (revision.status, Event.REVOKE) in TRANSITIONS:
                    revoke(core, revision.digest, "", code="undo.parent")
        report: list[Undone] = []
        for claim in reversed(self._core.store.claims(row.digest)):
            report.append(self._undo(row, claim, word))
            if report[-1].state == "refused":
                return tuple(report)
        self._core.record("undo", row.task, row.digest, b"", code="rolled-back")
        self._core.store.advance(row.digest, Event.UNDO)
        return tuple(report)

    def _check(self, row: PlanRow, word: Word) -> None:
        """A person speaks with a reason, and of nothing but what nobody knows."""
        if word.said and not word.reason.strip():
            raise StateError("undo.reason", "saying what happened needs a reason", hint="add --reason TEXT")
        open_ones = [claim for claim in self._core.store.claims(row.digest) if claim.state == "undoing"]
        for name in word.said:
            if not any(name in _names(claim) for claim in open_ones):
                raise StateError("undo.not_asked", f"it is not unknown whether {name[:64]} was taken back")

    def _heard(self, row: PlanRow, claim: ClaimRow, word: Word) -> str:
        """What the person said of this claim's inverse, on record from now on; nothing where nobody did."""
        said = next((word.said[name] for name in _names(claim) if name in word.said), "")
        if said:
            code = "undo.happened" if said == "happened" else "undo.not_happened"
            body = codec.encode({"by": word.by, "reason": word.reason})
            self._core.record("undo", row.task, f"{row.digest}/{claim.step}/{claim.iteration}", body, code=code)
        return said

    def _undo(self, row: PlanRow, claim: ClaimRow, word: Word) -> Undone:
        step = row.plan.step(claim.step)
        manifest = self._core.catalogue.get(step.action)
        untouched = claim.state in {"skipped", "undone"} or (manifest and _only_read(manifest, claim))
        if untouched or (claim.state == "failed" and claim.before is None and claim.output in {None, b"null"}):
            return Undone(step=claim.step, iteration=claim.iteration, state="nothing to undo")
        if manifest is None or self._core.digests[step.action] != step.manifest:
            return Undone(step=claim.step, iteration=claim.iteration, state="refused", code="undo.manifest_changed")
        if manifest.reversibility is Reversibility.IRREVERSIBLE and step.rollback is None and not self._held(claim):
            return Undone(step=claim.step, iteration=claim.iteration, state="refused", code="undo.irreversible")
        subject = f"{row.digest}/{claim.step}/{claim.iteration}"
        said = self._heard(row, claim, word)
        self._core.record("undo", row.task, subject, b"", code="intended")
        try:
            if claim.before is not None:
                result = self._restore(row, claim)
                code = "" if result.ok else result.code
            elif said == "happened" or self._inverse_was_done(claim):
                code = ""
            else:
                code = self._compensate(row, claim, step, manifest, again=said == "not")
        except InterlockError as error:
            code = error.code
        if code:
            self._core.record("undo", row.task, subject, b"", code=code)
            return Undone(step=claim.step, iteration=claim.iteration, state="refused", code=code)
        receipt = self._core.step_receipt(
            row, claim.step, claim.iteration, Outcome.UNDONE, row.verdict, claim.output or b"null"
        )
        self._core.record_all([("undo", row.task, subject, b"", "undone"), receipt])
        self._core.store.settle(row.digest, claim.step, claim.iteration, "undone")
        return Undone(step=claim.step, iteration=claim.iteration, state="undone")

    def _held(self, claim: ClaimRow) -> bool:
        """Whether all that the step was claimed and confined to do is held by its snapshot."""
        return claim.before is not None and undoable(_touched(claim), self._core.site.roots)

    def _restore(self, row: PlanRow, claim: ClaimRow) -> Result:
        before = claim.before or b""
        if claim.after is None:
            raise StateError("undo.unknown", "it is not known what the step left", hint="compare and restore by hand")
        roots = snapshot.decode(before).roots
        changed = _changed_files(claim)
        if not all(_made_for(root, changed) for root in {*roots, *snapshot.decode(claim.after).roots}):
            raise StateError("undo.roots", "the snapshot holds paths that the step did not touch")
        lifetime = self._core.clock() + ROLLBACK_LIFETIME_MS
        # A grant of its own, over the approved plan: it outlives the plan's.
        claimed = {claim.step: tuple(Touched(kind="file", name=root, access=Effect.WRITE) for root in roots)}
        sealed = seal(self._core, row.plan, row.task, until=lifetime, claimed=claimed)
        self._core.record("grant", row.task, row.digest, sealed.grant, code="rollback")
        return self._snapshots.restore(
            row, sealed, claim.step, claim.iteration, before=before, after=claim.after, paths=roots
        )

    def _compensate(self, row: PlanRow, claim: ClaimRow, step: Step, manifest: Manifest, *, again: bool) -> str:
        """Run the inverse action, once unless a person wants it ``again``; the code of why not, or nothing."""
        action, arguments = self._inverse(claim, step, manifest)
        inverse = self._core.catalogue.get(action)
        if claim.state == "undoing" and not again and not (inverse and repeatable(inverse)):
            raise StateError("undo.unknown", "the inverse was started before, and nobody knows what came of it")
        judged, view = self._judge(row, action, arguments)
        decision = judged.verdict.decision
        # (I2) A person who approved the plan saw the manifest's inverse, and not what a planner put in its place.
        confirmed = step.rollback is None and row.verdict.decision is Decision.STEP_UP
        if decision is Decision.STEP_UP and not confirmed:
            return self._ask(row, claim, action, arguments)
        if decision not in {Decision.ALLOW, Decision.STEP_UP} or judged.plan is None or view is None:
            raise StateError(judged.verdict.reasons[0].code, f"the gate does not allow {action}")
        result = self._run(row.task, judged.plan, judged, view, claim)
        if not result.started:
            self._core.store.settle(row.digest, claim.step, claim.iteration, claim.state)
        return "" if result.ok else result.code

    def _judge(self, row: PlanRow, action: str, arguments: Mapping[str, Labelled]) -> tuple[Judged, View | None]:
        """The gate's word on the inverse: as on any plan, and with the labels that its values really carry."""
        task = self._core.store.task(row.task)
        raw = intent(task.task, action, _values(arguments))
        judged = self._proposals.judge(task, raw, previewing=True)
        if judged.plan is None:
            return judged, None
        evidence = self._proposals.evidence(task).unjudged()
        label = join_all([evidence.received, *(argument.label for argument in arguments.values())])
        view, verdict = gate.recheck(judged.plan.steps[0], arguments, label, label, evidence)
        reasons = sorted([*verdict.reasons, *judged.verdict.reasons], key=lambda reason: -reason.decision.rank)
        approvals = max(verdict.approvals, judged.verdict.approvals)
        return dataclasses.replace(judged, verdict=strictest(reasons, approvals=approvals), evidence=evidence), view

    def _ask(self, row: PlanRow, claim: ClaimRow, action: str, arguments: Mapping[str, Labelled]) -> str:
        """Propose the inverse as a plan of its own, remembered at the claim; its code."""
        store = self._core.store
        # Its values become literals: who judges them must know what they carry.
        store.receive(row.task, join_all(argument.label for argument in arguments.values()))
        asked = self._proposals.propose(row.task, intent(store.task(row.task).task, action, _values(arguments)))
        if asked.digest is None or asked.verdict.decision is Decision.DENY:
            return asked.verdict.reasons[0].code
        store.settle(row.digest, claim.step, claim.iteration, claim.state, code=f"{_ASKED}{asked.digest}")
        return "undo.needs_approval"

    def _inverse_was_done(self, claim: ClaimRow) -> bool:
        """Whether the inverse that was proposed for the claim has run; raises ``StateError`` while it may still run."""
        if not claim.code.startswith(_ASKED):
            return False
        asked = self._core.store.plan(claim.code.removeprefix(_ASKED))
        latest = [asked, *self._core.store.revisions(asked)][-1]
        started = {claim.state for claim in self._core.store.claims(latest.digest)} - {"failed", "skipped", "undone"}
        if latest.status is Status.DONE:
            return True
        if latest.status in {Status.DENIED, Status.EXPIRED, Status.REVOKED, Status.ROLLED_BACK} and not started:
            return False
        hint = f"run: interlock plan show {latest.digest[:12]}; when it is done, roll back again"
        raise StateError("undo.needs_approval", f"the plan that takes this back is {latest.status.value}", hint=hint)

    def _run(self, task_id: str, plan: Plan, judged: Judged, view: View, claim: ClaimRow) -> Result:
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
        for resource in view.touched:
            if resource.access is not Effect.READ and not resource.open:
                core.store.carry(resource.key, view.output)
        core.store.settle(claim.plan, claim.step, claim.iteration, "undoing")  # A crash from here on shows.
        result = self._stepper.run(
            Order(
                task=task_id, plan=sealed.digest, envelope=sealed.envelope, grant=sealed.grant, step=step.id,
                manifest=manifest, touched=view.declared, arguments=step.arguments, secrets=secrets,
                mode=RunStep.ACT,
            )
        )  # fmt: skip
        core.record("outcome", task_id, f"{sealed.digest}/{step.id}/0", result.output, code=result.code or "done")
        return result

    def _inverse(self, claim: ClaimRow, step: Step, manifest: Manifest) -> tuple[str, dict[str, Labelled]]:
        """The action that takes the step back, with its arguments from the step's own and its output.

        The label on record joins the step's arguments, its condition and its output; each argument carries all of it.
        """
        label = claim.labelled.label if claim.label_doc else STRICTEST
        output = Labelled(value=claim.labelled.value, label=label)
        if step.rollback is not None:
            environment = Environment(outputs={}, literal=lambda _: label, output=output)
            return step.rollback.action, {
                name: evaluate(value, environment) for name, value in step.rollback.arguments.items()
            }
        if manifest.inverse is None:
            raise StateError("undo.no_inverse", f"{manifest.reference} names no inverse action")
        intended = _arguments(claim)
        return manifest.inverse.action, {
            name: Labelled(value=_source(value, intended, output), label=label)
            for name, value in manifest.inverse.arguments.items()
        }


def _names(claim: ClaimRow) -> tuple[str, str]:
    """How a person may name what was started."""
    return claim.step, f"{claim.step}/{claim.iteration}"


def _values(arguments: Mapping[str, Labelled]) -> dict[str, Json]:
    return {name: argument.value for name, argument in arguments.items()}


def _changed_files(claim: ClaimRow) -> frozenset[str]:
    """The files that the step was decided to change."""
    return frozenset(one.name for one in _touched(claim) if one.kind == "file" and one.access is not Effect.READ)


def _made_for(root: str, changed: frozenset[str]) -> bool:
    """Whether a path is one that the step was to change, or a folder around it."""
    return any(inside(name, root) for name in changed)


def _only_read(manifest: Manifest, claim: ClaimRow) -> bool:
    """Whether there is nothing to take back: by its manifest, or by all that it was confined to."""
    accesses = {one.access for one in _touched(claim)}
    return manifest.reversibility is Reversibility.PURE or (manifest.broad and accesses == {Effect.READ})


def _touched(claim: ClaimRow) -> tuple[Touched, ...]:
    return codec.decode(claim.touched, tuple[Touched, ...], data=True) if claim.touched else ()


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
