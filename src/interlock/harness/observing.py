"""Observations and previews: read-only one-step plans that the harness mints, decided by the one gate.

An observation is what a planner asks to see; its label joins what the planner has received, before it is shown.
A preview is what a person is shown of a pending plan's effect; it is probed again right before sealing, and any
difference voids the approvals.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from interlock.artifact import codec
from interlock.artifact.action import Effect, Manifest
from interlock.artifact.arguments import is_literal
from interlock.artifact.channel_pb2 import RunStep
from interlock.artifact.codec import Json, Value
from interlock.artifact.errors import InterlockError, ReferenceEvaluationError, StateError
from interlock.artifact.frames import MAX_FRAME
from interlock.artifact.label import STRICTEST, Confidentiality, Label, join
from interlock.artifact.plan import Plan, Step
from interlock.artifact.verdict import Decision
from interlock.decide.below import Gate, said
from interlock.decide.flow import View, static_view
from interlock.decide.references import Environment, Labelled, evaluate
from interlock.decide.relabel import bound_of, relabels
from interlock.decide.secrets import secret_shaped
from interlock.harness.core import Core
from interlock.harness.facts import finished_outputs
from interlock.harness.minting import known_resources, seal
from interlock.harness.proposals import Judged, Proposals, intent
from interlock.harness.rows import PlanRow
from interlock.harness.shadow import observing
from interlock.harness.stepping import Order, Stepper
from interlock.harness.withholding import withheld

_SECRET = Label(confidentiality=Confidentiality.RESTRICTED, sources=("secret-shaped",))
_SHOWN = 32_768


class GateRefusalError(StateError):
    """The gate does not simply allow a read; its code is that of the first reason."""


class Preview(Value, frozen=True, kw_only=True):
    """What a step would do, as far as it could be probed: ``diff``, ``text``, ``absent`` or ``none``.

    ``whole`` is the digest of all that was found, of which ``text`` may show the beginning; it says so then.
    """

    step: str
    kind: str
    text: str = ""
    whole: str = ""
    label: Label = STRICTEST


class Observer:
    """Runs reads."""

    def __init__(self, core: Core, proposals: Proposals, stepper: Stepper) -> None:
        self._core = core
        self._proposals = proposals
        self._stepper = stepper

    def observe(self, task_id: str, action: str, arguments: Mapping[str, Json]) -> Labelled:
        """One read for the task's planner; raises ``StateError`` where the gate does not simply allow it."""
        cost = self._core.catalogue[action].cost if action in self._core.catalogue else 0
        self._core.store.spend(task_id, observations=1, cost=cost)
        return self._read(task_id, action, arguments)

    def previews(self, row: PlanRow) -> tuple[Preview, ...]:
        """What can be shown of each step's effect, in the plan's order."""
        plan = row.plan
        return tuple(self._preview(row.task, plan, step) for step in plan.steps if step.id not in plan.finished)

    def _preview(self, task_id: str, plan: Plan, step: Step) -> Preview:
        manifest = self._core.catalogue.get(step.action)
        if manifest is not None and relabels(manifest):
            return self._value(task_id, plan, step, manifest)
        arguments = _mapped(manifest, step) if manifest is not None else None
        if manifest is None or manifest.preview is None or arguments is None:
            return Preview(step=step.id, kind="none")
        try:
            seen = self._read(task_id, manifest.preview.action, arguments, previewing=True)
        except InterlockError as error:
            absent = error.code in {"files.absent", "files.not_found"}
            return Preview(
                step=step.id, kind="absent" if absent else "none", text=_added(step) if absent else error.code
            )
        return _compared(step, seen)

    def _value(self, task_id: str, plan: Plan, step: Step, manifest: Manifest) -> Preview:
        """The value whose label would be lowered, where it is known from finished steps."""
        outputs, _ = finished_outputs(self._core, plan)
        received = self._core.store.task(task_id).received
        try:
            value = evaluate(step.arguments.get("value"), Environment(outputs=outputs, literal=lambda _: received))
        except ReferenceEvaluationError:
            return Preview(step=step.id, kind="none")
        return seen_value(step, manifest, {"value": value}) or Preview(step=step.id, kind="none")

    def _read(self, task_id: str, action: str, arguments: Mapping[str, Json], *, previewing: bool = False) -> Labelled:
        core = self._core
        row = core.store.task(task_id)
        judged = self._proposals.judge(row, intent(row.task, action, dict(arguments)), previewing=previewing)
        plan, verdict = judged.plan, judged.verdict
        if plan is None or verdict.decision is not Decision.ALLOW:
            raise GateRefusalError(verdict.reasons[0].code, "the gate does not simply allow this observation")
        manifest = core.catalogue[action]
        if relabels(manifest):
            raise StateError("observe.relabel", f"{action} is no read", hint="propose it as a plan")
        if manifest.effect is not Effect.READ:
            raise StateError("observe.effect", f"{action} is no read", hint="propose it as a plan")
        view = static_view(plan.steps[0], manifest, {}, {}, judged.evidence)
        if not previewing:
            core.store.receive(task_id, view.output)  # Before anything of it, or its failure, can be known.
        seen = self._run(task_id, plan, judged, view)
        if not previewing:
            core.store.receive(task_id, seen.label)
            self._proposals.strangers.hear(task_id, seen.value, seen.label)
        return seen

    def _run(self, task_id: str, plan: Plan, judged: Judged, view: View) -> Labelled:
        core, step = self._core, plan.steps[0]
        manifest, touched = core.catalogue[step.action], known_resources(core, step)
        below = Gate(view, judged.evidence, core.policy, said(judged.verdict.reasons))
        hidden = withheld(touched, below, core.site.roots)
        sealed = seal(core, plan, task_id)
        core.record_all(
            [
                ("plan", task_id, sealed.digest, codec.encode(plan), "observation"),
                self._proposals.decision(judged, sealed.digest, judged.verdict, judged.evidence.digest()),
                ("observation", task_id, sealed.digest, b"", manifest.reference),
                *observing(core, plan, sealed.digest, judged.verdict, judged.evidence),
            ]
        )
        secrets: dict[str, bytes] = {}
        for name in manifest.needed_secrets:
            core.record("secret", task_id, f"{sealed.digest}/{step.id}/0", name.encode(), code=name)
            secrets[name] = core.vault.release(name)
        result = self._stepper.run(
            Order(
                task=task_id, plan=sealed.digest, envelope=sealed.envelope, grant=sealed.grant, step=step.id,
                manifest=manifest, touched=touched, arguments=step.arguments, secrets=secrets, mode=RunStep.READ,
                withheld=hidden,
            )
        )  # fmt: skip
        if not result.ok:
            raise StateError(result.code, "the observation failed")
        return labelled_output(result.output, view.output)


def seen_value(step: Step, manifest: Manifest, arguments: Mapping[str, Labelled]) -> Preview | None:
    """What a person is shown of a value whose label is to be lowered, where neither a literal nor a bound says it."""
    if not relabels(manifest) or is_literal(step.arguments["value"]) or bound_of(step.arguments) is not None:
        return None
    text, label = codec.encode(arguments["value"].value).decode(), arguments["value"].label
    return Preview(step=step.id, kind="value", text=text, whole=codec.digest([text, label]), label=label)


def previews_of(row: PlanRow) -> tuple[Preview, ...]:
    """The previews as they were probed and will be signed."""
    return codec.decode(row.previews, tuple[Preview, ...], limit=MAX_FRAME, data=True) if row.previews else ()


def labelled_output(raw: bytes, label: Label) -> Labelled:
    """A step's output under its label; content of a credential's shape is restricted whatever the manifest says."""
    value = codec.parse(raw, data=True)
    return Labelled(value=value, label=join(label, _SECRET) if secret_shaped(value) else label)


def _mapped(manifest: Manifest, step: Step) -> dict[str, Json] | None:
    """The preview's arguments, where all that it needs is known."""
    if manifest.preview is None:
        return None
    found: dict[str, Json] = {}
    for name, value in manifest.preview.arguments.items():
        if not isinstance(value, Mapping):
            found[name] = value
            continue
        source = str(value.get("$argument", ""))
        if source not in step.arguments or not is_literal(step.arguments[source]):
            return None
        found[name] = step.arguments[source]
    return found


def _compared(step: Step, seen: Labelled) -> Preview:
    now = seen.value.get("text") if isinstance(seen.value, Mapping) else None
    wanted = step.arguments.get("content")
    if isinstance(now, str) and isinstance(wanted, str):
        lines = difflib.unified_diff(now.splitlines(), wanted.splitlines(), "now", "then", lineterm="")
        return _preview(step, "diff", "\n".join(lines), seen)
    text = now if isinstance(now, str) else codec.encode(seen.value).decode()
    return _preview(step, "text", text, seen)


def _preview(step: Step, kind: str, text: str, seen: Labelled) -> Preview:
    whole = codec.digest({"now": seen.value, "then": dict(step.arguments)})
    cut = f"\n… {len(text) - _SHOWN} more characters" if len(text) > _SHOWN else ""
    return Preview(step=step.id, kind=kind, text=text[:_SHOWN] + cut, whole=whole, label=seen.label)


def _added(step: Step) -> str:
    content = step.arguments.get("content")
    return "\n".join(f"+{line}" for line in content.splitlines()) if isinstance(content, str) else ""
