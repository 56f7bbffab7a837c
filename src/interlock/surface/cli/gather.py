"""From the store to a ``Card``: everything that the page shows is derived here by the harness's own code.

The plan, its manifests and its previews are held to the digests that an approval will name, so that what is shown
is what is signed.  Nothing is decided: labels and resources come from the gate's own pure functions.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from interlock.artifact import codec
from interlock.artifact.action import Effect, Manifest, Reversibility
from interlock.artifact.arguments import is_literal
from interlock.artifact.codec import Json
from interlock.artifact.errors import IntegrityError, InterlockError
from interlock.artifact.label import CLEAN, STRICTEST, Label, join
from interlock.artifact.plan import Plan, Step
from interlock.artifact.resources import Touched
from interlock.artifact.verdict import Decision, Reason
from interlock.decide.evidence import Evidence
from interlock.decide.flow import View as FlowView
from interlock.decide.flow import static_view
from interlock.decide.life import Status
from interlock.decide.policy import RuleOrigin
from interlock.decide.references import dependencies
from interlock.decide.relabel import relabels
from interlock.harness import observing
from interlock.harness.core import Core
from interlock.harness.facts import finished_labels
from interlock.harness.minting import known_resources
from interlock.harness.proposals import Proposals
from interlock.harness.rows import PlanRow
from interlock.surface.cli import view
from interlock.surface.cli.relabelled import relabelled
from interlock.surface.cli.words import DOES

_FIELD = re.compile(r"\{([A-Za-z0-9_]+)\}")
_PRECEDENTS = 5
_SHOWN = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """One step with what the gate's functions say of it; ``flow`` is ``None`` where they cannot."""

    step: Step
    manifest: Manifest | None
    flow: FlowView | None
    touched: tuple[Touched, ...] = field(default=())

    @property
    def times(self) -> int:
        return self.step.for_each.at_most if self.step.for_each else 1

    @property
    def reversibility(self) -> Reversibility:
        return self.manifest.reversibility if self.manifest else Reversibility.IRREVERSIBLE


def card_of(core: Core, row: PlanRow, *, viewer: str = "") -> view.Card:
    """The page of one plan; raises ``IntegrityError`` where the stored plan is not the one its digest names."""
    if hashlib.sha256(row.doc).hexdigest() != row.digest:
        raise IntegrityError(
            "plan.altered", "the stored plan is not the one its digest names", hint="interlock ledger verify"
        )
    plan, task, now = row.plan, core.store.task(row.task).task, core.clock()
    evidence = Proposals(core, unattended=False).evidence(core.store.task(row.task))
    evidence = evidence.knowing(finished_labels(core, plan)).opining(core.contexts.judged(row.context)[0])
    seen = list(_seen(plan, evidence))
    left = [item for item in seen if item.step.id not in plan.finished]
    asked = {reason.step for reason in row.verdict.reasons if reason.decision is not Decision.ALLOW}
    return view.Card(
        digest=row.digest,
        status=row.status.value,
        task=task.id,
        goal=task.goal,
        requester=task.principal,
        viewer=viewer,
        separate_duties=core.workspace.configuration.approvals.separate_duties,
        now=now,
        expires_at=plan.expires_at,
        shown_at=row.shown_at,
        steps=tuple(_step(item, asked, plan, evidence) for item in seen),
        risk=_risk(left, evidence),
        effects=tuple(_effects(row, left)),
        causes=tuple(_cause(core, reason) for reason in row.verdict.reasons if reason.decision is not Decision.ALLOW),
        approvals=tuple(approval.approver for approval in core.store.approvals(row.digest, now)),
        needed=row.verdict.approvals,
        changes=tuple(_changes(core, plan)),
        precedents=tuple(_precedents(core, row, left, asked)),
        planner_goal=plan.goal,
        policy=row.policy,
        certificate=row.certificate,
        manifests=row.manifests,
        preview=hashlib.sha256(row.previews).hexdigest(),
    )


def steps_of(plan: Plan, evidence: Evidence, asked: set[str]) -> tuple[view.StepView, ...]:
    """Each step as the card shows it; ``asked`` are the steps that a decision was about."""
    return tuple(_step(item, asked, plan, evidence) for item in _seen(plan, evidence))


def previews_of(row: PlanRow) -> tuple[view.Effect, ...]:
    """The previews as they were probed and will be signed."""
    found = observing.previews_of(row)
    return tuple(view.Effect(step=one.step, kind=one.kind, text=one.text, label=one.label) for one in found)


def _effects(row: PlanRow, left: Iterable[_Seen]) -> Iterator[view.Effect]:
    """Labels that would be lowered, then what was probed."""
    probed = previews_of(row)
    shown = {one.step: one.text for one in probed if one.kind == "value"}
    for seen in left:
        if seen.flow is not None:
            yield from relabelled(seen.flow, shown, row.plan.finished)
    yield from (one for one in probed if one.kind != "value")


def _seen(plan: Plan, evidence: Evidence) -> Iterator[_Seen]:
    outputs: dict[str, Label] = {}
    shapes: dict[str, Label] = {}
    for step in plan.steps:
        manifest = evidence.catalogue.get(step.action)
        if manifest is None or codec.digest(manifest) != step.manifest:
            outputs[step.id] = shapes[step.id] = STRICTEST
            yield _Seen(step=step, manifest=None, flow=None)
            continue
        try:
            flow = static_view(step, manifest, outputs, shapes, evidence)
        except InterlockError:
            outputs[step.id] = shapes[step.id] = STRICTEST
            yield _Seen(step=step, manifest=manifest, flow=None)
            continue
        known = evidence.finished.get(step.id, CLEAN) if step.id in plan.finished else CLEAN
        outputs[step.id], shapes[step.id] = join(flow.output, known), flow.guard
        yield _Seen(step=step, manifest=manifest, flow=flow, touched=flow.touched)


# ---- one step


def _step(seen: _Seen, asked: set[str], plan: Plan, evidence: Evidence) -> view.StepView:
    step = seen.step
    judged = evidence.opinion.word(step.id) if evidence.opinion is not None else None
    return view.StepView(
        id=step.id,
        action=step.action,
        sentence=_sentence(seen),
        reversibility=seen.reversibility,
        undo=_undo(seen),
        target=_target(seen, evidence),
        asks=step.id in asked and step.id not in plan.finished,
        finished=step.id in plan.finished,
        notes=tuple(_notes(seen)),
        arguments=tuple(_argument(name, value, seen, evidence) for name, value in step.arguments.items()),
        judge=judged.word.value if judged is not None else "",
        distance=judged.distance if judged is not None else None,
        reason=step.reason,
    )


def _sentence(seen: _Seen) -> tuple[str, ...]:
    """Words of the manifest at even places, values at odd ones."""
    if seen.manifest is None:
        return ("Run ", seen.step.action, ", whose manifest is not (or no longer) the one that the plan names")
    parts = _FIELD.split(seen.manifest.sentence.rstrip(" ."))
    return tuple(_filled(seen.step, part) if index % 2 else part for index, part in enumerate(parts))


def _filled(step: Step, name: str) -> str:
    if name not in step.arguments:
        return f"(no {name})"
    value = step.arguments[name]
    return _text(value) if is_literal(value) else f"(not known yet: {_from(value)})"


def _text(value: Json) -> str:
    return value if isinstance(value, str) else codec.encode(value).decode()


def _from(value: Json) -> str:
    try:
        steps = sorted(dependencies(value))
    except InterlockError:
        steps = []
    return f"from {', '.join(steps)}" if steps else "an expression"


def _undo(seen: _Seen) -> str:
    if seen.step.rollback is not None:
        return f"by {seen.step.rollback.action}"
    inverse = seen.manifest.inverse.action if seen.manifest and seen.manifest.inverse else ""
    match seen.reversibility:
        case Reversibility.PURE:
            return "nothing to undo"
        case Reversibility.REVERSIBLE:
            return "from a snapshot"
        case _:
            return f"by {inverse}" if inverse else "none"


def _target(seen: _Seen, evidence: Evidence) -> str:
    """The name of the first thing that the step changes: what a person types."""
    changed = [resource for resource in seen.touched if resource.access is not Effect.READ] or list(seen.touched)
    names = [resource.name for resource in changed if not resource.open]
    return names[0].removeprefix(evidence.site.root.rstrip("/") + "/") if names else ""


def _notes(seen: _Seen) -> Iterator[str]:
    step = seen.step
    if step.needs:
        yield f"after {', '.join(step.needs)}"
    if step.when is not None:
        yield "only if its condition holds"
    if step.for_each is not None:
        yield f"for each item, at most {step.for_each.at_most} times"
    if step.expect is not None:
        yield "its outcome is checked"
    if seen.manifest is not None and seen.manifest.privileged:
        yield "privileged"


def _argument(name: str, value: Json, seen: _Seen, evidence: Evidence) -> view.ArgumentView:
    label = seen.flow.labels.get(name, STRICTEST) if seen.flow else STRICTEST
    known = is_literal(value)
    origin = "in the task's own words" if known and _own_words(value, evidence) else "written by the planner"
    if not known:
        origin = f"computed when it runs, {_from(value)}"
    return view.ArgumentView(name=name, text=_text(value), origin=origin, known=known, label=label)


def _own_words(value: Json, evidence: Evidence) -> bool:
    return _text(value) in {evidence.task.goal, *evidence.task.values}


# ---- the plan as a whole


_WORST = (
    Effect.DELETE, Effect.GRANT_ACCESS, Effect.SPEND, Effect.EXECUTE, Effect.SEND, Effect.WRITE, Effect.READ,
)  # fmt: skip
_ORDER = list(Reversibility)


def _risk(left: list[_Seen], evidence: Evidence) -> view.Risk:
    counts: dict[tuple[str, str], int] = {}
    worst_first = sorted({resource.access for seen in left for resource in seen.touched}, key=_WORST.index)
    for access in worst_first:
        for seen in left:
            for resource in seen.touched:
                if resource.access is access and not (resource.kind == "endpoint" and _leaves(seen)):
                    lowers = seen.manifest is not None and relabels(seen.manifest)
                    key = ("lowers", "label") if lowers else (DOES[access], resource.kind)
                    counts[key] = counts.get(key, 0) + seen.times
    worst = max((seen.reversibility for seen in left), key=_ORDER.index, default=Reversibility.PURE)
    named = [seen.step.arguments.get("environment") for seen in left]
    environments = sorted({value for value in named if isinstance(value, str)} | {evidence.site.environment} - {""})
    manifests = [(seen, seen.manifest) for seen in left if seen.manifest is not None]
    return view.Risk(
        reversibility=worst,
        environment=", ".join(environments),
        touches=tuple((does, kind, number) for (does, kind), number in counts.items()),
        leaving=tuple(dict.fromkeys(leaving for seen in left for leaving in _leaving(seen))),
        cost=sum(manifest.cost * seen.times for seen, manifest in manifests),
        secrets=tuple(_secrets(manifest for _, manifest in manifests).items()),
    )


def _secrets(manifests: Iterable[Manifest]) -> dict[str, int]:
    """Each secret with the longest time for which a step holds it."""
    found: dict[str, int] = {}
    for manifest in manifests:
        for name in manifest.needed_secrets:
            found[name] = max(manifest.timeout_ms, found.get(name, 0))
    return found


def _leaves(seen: _Seen) -> bool:
    return seen.flow is not None and seen.flow.leaves


def _leaving(seen: _Seen) -> Iterator[tuple[str, str]]:
    """What confidentiality would go where, for a step that takes something out."""
    if seen.flow is None or not seen.flow.leaves:
        return
    values = seen.flow.values
    manifest = seen.flow.manifest
    named = [str(values[name]) for name in manifest.destinations if name in values]
    ends = [resource.name for resource in seen.touched if resource.kind == "endpoint" and not resource.open]
    label = join(seen.flow.guard, *seen.flow.labels.values()).confidentiality.value
    for where in dict.fromkeys(named or ends or ["a place that is not known yet"]):
        yield label, where


def _cause(core: Core, reason: Reason) -> view.Cause:
    origin = _origin(core, reason.rule)
    return view.Cause(
        decision=reason.decision.value,
        code=reason.code,
        step=reason.step,
        field=reason.field,
        rule=reason.rule,
        place=f"policy/{origin.file}:{origin.line}" if origin else "",
        owner=origin.owner if origin else "",
        why=origin.why if origin else "",
    )


def _origin(core: Core, rule: str) -> RuleOrigin | None:
    try:
        return core.policy.explain(rule) if rule else None
    except KeyError:  # The policy has changed since; the rule's id is all that is left.
        return None


def _changes(core: Core, plan: Plan) -> Iterator[str]:
    """What is not as in the plan that this one revises."""
    if plan.parent is None:
        return
    parent = core.store.plan(plan.parent)
    rules = _modifiers(parent, plan)
    before = {step.id: step for step in parent.plan.steps}
    after = {step.id: step for step in plan.steps}
    yield from (f"{name} is new" for name in after.keys() - before.keys())
    yield from (f"{name} is gone" for name in before.keys() - after.keys())
    for name in sorted(before.keys() & after.keys()):
        fields = [
            field for field in Step.__struct_fields__ if getattr(before[name], field) != getattr(after[name], field)
        ]
        if fields:
            yield f"{name} has another {', '.join(fields)}{rules.get(name, '')}"
        if name in rules:
            yield from _reformed(before[name], after[name])


def _modifiers(parent: PlanRow, plan: Plan) -> dict[str, str]:
    """By which rule, and in which form, the harness itself changed each step of the parent."""
    if parent.verdict.modified != codec.digest(plan):
        return {}
    found = [reason for reason in parent.verdict.reasons if reason.decision is Decision.MODIFY]
    return {reason.step: f", by the harness, for rule {reason.rule} ({reason.field})" for reason in found}


def _reformed(old: Step, new: Step) -> Iterator[str]:
    if old.action != new.action:
        yield f"{new.id} was {old.action} as proposed, and is {new.action} now"
    for name, value in old.arguments.items():
        if new.arguments.get(name) != value or name not in new.arguments:
            yield f"{new.id} had the argument {name} as proposed: {_cut(_text(value))}"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text):,} characters)"


def _precedents(core: Core, row: PlanRow, left: list[_Seen], asked: set[str]) -> Iterator[view.Past]:
    """The latest decisions on the same action with the same target."""
    wanted = {
        (seen.manifest.name, resource.key)
        for seen in left
        if seen.manifest is not None and (seen.step.id in asked or not asked)
        for resource in seen.touched
    }
    found = 0
    for other in reversed(core.store.plans()):
        same = sorted(wanted & set(_targets(core, other.plan))) if other.digest != row.digest else []
        if same and other.status is not Status.PENDING and found < _PRECEDENTS:
            found += 1
            action, key = same[0]
            yield view.Past(
                at=other.created_at, plan=other.digest, decision=other.verdict.decision.value,
                outcome=other.status.value, same=f"{action} {key}",
            )  # fmt: skip


def _targets(core: Core, plan: Plan) -> Iterator[tuple[str, str]]:
    for step in plan.steps:
        manifest = core.catalogue.get(step.action)
        if manifest is not None:
            yield from ((manifest.name, resource.key) for resource in _known(core, step))


def _known(core: Core, step: Step) -> tuple[Touched, ...]:
    try:
        return known_resources(core, step)
    except InterlockError:
        return ()
