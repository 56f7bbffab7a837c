"""The gate: one decision function, in which every way in ends (I6).

The numbers are the design's, and stand in reasons, documents and tests:

1. parse strictly; 2. structure; 3. manifests; 4. scope; 5. floor, which nothing switches off; 6. evidence;
7. policy, flow, trifecta, budget; then, by the harness, 8. reservation, 9. a person, 10. sealing.

``examine`` takes a planner's bytes through 1 and 2 and stamps a plan; ``decide`` takes a plan through 3 to 7;
``recheck`` takes one step with its resolved values through the same checks right before it runs.  ``decide`` is
``ask``, the policy's answers, and ``conclude``, so that whoever has many plans can ask policy about all at once.
``inquiry_of`` is what the judge is to be asked in between: nothing, where its word could change nothing.
A reason never holds a value.  No reason at all is a denial.

Where a rule modifies a step and nothing denies, the verdict is MODIFY whatever else would ask or wait: the plan as it
is proposed never runs, and its successor (``interlock.decide.modify``) meets every check itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec import UNSET

from interlock.artifact import codec
from interlock.artifact.action import Manifest, Reversibility
from interlock.artifact.arguments import is_literal, validate
from interlock.artifact.codec import Digest, Identifier, Millis, Natural, Value
from interlock.artifact.errors import CodecError, ReferenceEvaluationError
from interlock.artifact.label import CLEAN, Label, join
from interlock.artifact.opinion import Inquiry
from interlock.artifact.plan import Plan, Proposal, ProposedStep, Step
from interlock.artifact.resources import touched
from interlock.artifact.verdict import Decision, Reason, Verdict, strictest
from interlock.decide.checks import (
    check_arguments,
    check_budget,
    check_floor,
    check_plan_floor,
    check_scope,
    check_score,
    check_sight,
    policy_requests,
)
from interlock.decide.evidence import Evidence
from interlock.decide.extraction import check_extraction
from interlock.decide.flow import View, actual_view, check_flow, static_view
from interlock.decide.judgement import check_judgement, inquiry, known_late
from interlock.decide.policy import PolicyAnswer, PolicyRequest
from interlock.decide.references import Labelled
from interlock.decide.relabel import by_rule, check_relabel
from interlock.decide.structure import check_structure

_SETTLED = frozenset({Decision.DENY, Decision.MODIFY})  # No judge could make it stricter, or it never runs.


class Stamp(Value, frozen=True, kw_only=True):
    """What the harness, and nobody else, says of a plan."""

    id: Identifier
    revision: Natural = 0
    parent: Digest | None = None
    sequence: Natural
    finished: tuple[str, ...] = ()
    expires_at: Millis


class Examined(msgspec.Struct, frozen=True):
    """A plan, or the verdict that says why there is none."""

    plan: Plan | None
    verdict: Verdict


def examine(raw: bytes, stamp: Stamp, evidence: Evidence) -> Examined:
    """Steps 1 and 2: from a planner's bytes to a stamped plan, not yet decided on."""
    # (1) Parse strictly.
    try:
        proposal = codec.decode(raw, Proposal)
    except CodecError as error:
        return Examined(None, strictest([_deny(1, error.code)]))
    # (2) Structure, and the plan's tie to the goal as it was recorded.
    own = frozenset({evidence.task.goal, *evidence.task.values})
    most, finished = evidence.site.limits.steps, frozenset(stamp.finished)
    found = list(check_structure(proposal, max_steps=most, finished=finished, own=own))
    if proposal.task != evidence.task_digest:
        found.append(_deny(2, "goal.task_digest", field="task"))
    if any(reason.decision is Decision.DENY for reason in found):
        return Examined(None, strictest(found))
    steps = [_stamped(step, evidence, found) for step in proposal.steps]
    if any(reason.decision is Decision.DENY for reason in found):
        return Examined(None, strictest(found))
    plan = Plan(
        id=stamp.id, revision=stamp.revision, parent=stamp.parent, task=proposal.task, workspace=evidence.site.id,
        sequence=stamp.sequence, goal=proposal.goal, finished=stamp.finished, expires_at=stamp.expires_at,
        steps=tuple(step for step in steps if step is not None),
    )  # fmt: skip
    return Examined(plan, strictest([*found, Reason(decision=Decision.ALLOW, stage=2, code="structure.sound")]))


class AskedStep(msgspec.Struct, frozen=True):
    """What the checks without policy say of one step, and what policy is to be asked; no view where it has none."""

    id: str
    reasons: tuple[Reason, ...]
    view: View | None = None
    requests: tuple[PolicyRequest, ...] = ()


class Asked(msgspec.Struct, frozen=True):
    """A plan on its way through 3 to 7, before policy has answered; without ``steps`` it goes no further."""

    plan: Plan
    earlier: tuple[Reason, ...]
    steps: tuple[AskedStep, ...] | None = None

    @property
    def requests(self) -> tuple[PolicyRequest, ...]:
        """What policy is to be asked, in the plan's order."""
        return tuple(request for step in self.steps or () for request in step.requests)

    @property
    def views(self) -> tuple[View, ...]:
        """The steps as they are seen, in the plan's order."""
        return tuple(step.view for step in self.steps or () if step.view is not None)


def decide(plan: Plan, evidence: Evidence, now: int, earlier: Verdict | None = None) -> Verdict:
    """Steps 3 to 7 for a whole plan; ``earlier`` is what steps 1 and 2 said of it."""
    asked = ask(plan, evidence, earlier)
    return conclude(asked, evidence.policy.evaluate_many(asked.requests), evidence, now)


def ask(plan: Plan, evidence: Evidence, earlier: Verdict | None = None) -> Asked:
    """Steps 3 to 7 as far as they need no policy, no clock, and nothing that other plans use up."""
    found: list[Reason] = list(earlier.reasons) if earlier else []
    # (3) Manifests; without them nothing else can be said.
    manifests = _manifests(plan, evidence, found)
    if manifests is None:
        return Asked(plan, tuple(found))
    # (4)-(7) step by step, in the plan's order, with what earlier steps would have brought.
    outputs: dict[str, Label] = {}
    shapes: dict[str, Label] = {}
    before = evidence.received
    steps: list[AskedStep] = []
    for step, manifest in zip(plan.steps, manifests, strict=True):
        try:
            view = static_view(step, manifest, outputs, shapes, evidence)
        except ReferenceEvaluationError as error:
            steps.append(AskedStep(step.id, (_deny(3, error.code, step=step.id),)))
            continue
        steps.append(_ask_step(view, before, evidence, plan.finished))
        known = evidence.finished.get(step.id, CLEAN) if step.id in plan.finished else CLEAN
        outputs[step.id], shapes[step.id] = join(view.output, known), view.guard
        before = join(before, view.output)
    return Asked(plan, tuple(found), tuple(steps))


def inquiry_of(asked: Asked, answers: Sequence[PolicyAnswer], evidence: Evidence, now: int) -> Inquiry | None:
    """What to ask the judge about a plan before ``conclude``; its answer is ``evidence.opinion`` then."""
    if evidence.site.judge is UNSET or _unjudged(asked, answers, evidence, now).decision in _SETTLED:
        return None
    return inquiry(asked.views, evidence, asked.plan.finished)


def conclude(asked: Asked, answers: Sequence[PolicyAnswer], evidence: Evidence, now: int) -> Verdict:
    """The verdict on a plan; ``answers`` are policy's to ``asked.requests``, in that order."""
    verdict = _unjudged(asked, answers, evidence, now)
    if evidence.site.judge is UNSET or verdict.decision in _SETTLED:
        return verdict
    return _raised(verdict, check_judgement(asked.views, evidence, asked.plan.finished), evidence)


def _unjudged(asked: Asked, answers: Sequence[PolicyAnswer], evidence: Evidence, now: int) -> Verdict:
    """The verdict on a plan but for the judge's part in it."""
    if asked.steps is None:
        return _attended(strictest(asked.earlier), evidence)
    found = [*asked.earlier, *_answered(asked.steps, answers)]
    views = asked.views
    found += check_plan_floor(asked.plan, views, evidence, now)
    found += check_budget(asked.plan, views, evidence, now)
    verdict = _concluded(found, _approvals(answers), asked.plan.finished)
    if verdict.decision is Decision.DEFER:
        waits = [evidence.rates_until.get(view.manifest.rate, 0) for view in views]
        verdict = msgspec.structs.replace(verdict, until=max(waits))
    return _attended(verdict, evidence)


def recheck(
    step: Step, arguments: Mapping[str, Labelled], guard: Label, before: Label, evidence: Evidence
) -> tuple[View, Verdict]:
    """Steps 3 to 7 for one step with resolved arguments; raises ``InterlockError`` where they do not fit."""
    view, asked = resolve(step, arguments, guard, before, evidence)
    return view, conclude_step(view, asked, evidence)


def resolve(
    step: Step, arguments: Mapping[str, Labelled], guard: Label, before: Label, evidence: Evidence
) -> tuple[View, AskedStep]:
    """``recheck`` as far as it needs neither policy nor the judge."""
    manifest = evidence.catalogue.get(step.action)
    if manifest is None or evidence.digests.get(step.action) != step.manifest:
        raise ReferenceEvaluationError("manifest.changed", f"the manifest of step {step.id} is not the approved one")
    validate(manifest, {name: argument.value for name, argument in arguments.items()})
    view = actual_view(step, manifest, arguments, guard, evidence)
    return view, _ask_step(view, before, evidence, None)


def inquiry_of_step(view: View, asked: AskedStep, evidence: Evidence) -> Inquiry | None:
    """What to ask the judge right before a step runs: about an action whose effects were not known before."""
    if evidence.site.judge is UNSET or not known_late(view) or _unjudged_step(asked, evidence).decision in _SETTLED:
        return None
    return inquiry([view], evidence)


def conclude_step(view: View, asked: AskedStep, evidence: Evidence) -> Verdict:
    """The verdict on a step with its resolved arguments."""
    verdict = _unjudged_step(asked, evidence)
    if evidence.site.judge is UNSET or verdict.decision in _SETTLED or not known_late(view):
        return verdict
    return _raised(verdict, check_judgement([view], evidence, step=view.step.id), evidence)


def _unjudged_step(asked: AskedStep, evidence: Evidence) -> Verdict:
    answers = evidence.policy.evaluate_many(asked.requests)
    return _attended(settled(_concluded(list(_answered([asked], answers)), _approvals(answers))), evidence)


def _raised(verdict: Verdict, reasons: Iterable[Reason], evidence: Evidence) -> Verdict:
    """The verdict with reasons that can only make it stricter."""
    raised = strictest([*verdict.reasons, *reasons], approvals=verdict.approvals)
    until = verdict.until if raised.decision is Decision.DEFER else None
    return _attended(msgspec.structs.replace(raised, until=until), evidence)


def settled(verdict: Verdict) -> Verdict:
    """The verdict on a plan that was decided on before: it is not changed any more, so what would change it denies."""
    if verdict.decision is not Decision.MODIFY:
        return verdict
    return strictest([_deny(7, "modify.late"), *verdict.reasons])


def _stamped(step: ProposedStep, evidence: Evidence, found: list[Reason]) -> Step | None:
    """The step with what the gate derives; a planner's own declaration that differs is denied."""
    manifest = evidence.catalogue.get(step.action)
    if manifest is None:
        found.append(_deny(3, "manifest.unknown", step=step.id, field="action"))
        return None
    try:
        derived = privileges(step, manifest, evidence)
    except ReferenceEvaluationError as error:
        found.append(_deny(3, error.code, step=step.id))
        return None
    irreversible = manifest.reversibility is Reversibility.IRREVERSIBLE
    if step.privileges is not None and tuple(sorted(step.privileges)) != derived:
        found.append(_deny(3, "privileges.differ", step=step.id, field="privileges"))
    if step.irreversible is not None and step.irreversible != irreversible:
        found.append(_deny(3, "irreversible.differs", step=step.id, field="irreversible"))
    fields = {name: getattr(step, name) for name in ProposedStep.__struct_fields__}
    fields |= {"privileges": derived, "irreversible": irreversible}
    return Step(**fields, manifest=evidence.digests[step.action])


def privileges(step: ProposedStep, manifest: Manifest, evidence: Evidence) -> tuple[str, ...]:
    """What the step may do, derived: ``access kind:name``, and the secrets by name."""
    known = {name: value for name, value in step.arguments.items() if is_literal(value)}
    resources = touched(manifest, known, step.arguments, root=evidence.site.root, home=evidence.site.home)
    found = {f"{resource.access.value} {resource.key}" for resource in resources}
    return tuple(sorted(found | {f"secret {name}" for name in manifest.needed_secrets}))


def _manifests(plan: Plan, evidence: Evidence, found: list[Reason]) -> list[Manifest] | None:
    manifests: list[Manifest] = []
    for step in plan.steps:
        manifest = evidence.catalogue.get(step.action)
        if manifest is None:
            found.append(_deny(3, "manifest.unknown", step=step.id, field="action"))
        elif evidence.digests.get(step.action) != step.manifest:
            found.append(_deny(3, "manifest.changed", step=step.id, field="action"))
        elif manifest.group not in evidence.loaded:
            found.append(_deny(3, "manifest.group_not_loaded", step=step.id, field="action"))
        else:
            manifests.append(manifest)
    return manifests if len(manifests) == len(plan.steps) else None


def _ask_step(view: View, before: Label, evidence: Evidence, known: Collection[str] | None) -> AskedStep:
    found = [
        *check_arguments(view),
        *check_extraction(view),
        *check_scope(view, evidence),
        *check_floor(view, evidence),
    ]
    found += check_relabel(view, known, evidence)
    # (6) What nobody can see into is raised.
    found += check_sight(view)
    # (7) The classifier, flow, then policy: one request per part of the effects, and every answer counts.
    found += check_score(view)
    found += check_flow(view, before, evidence)
    return AskedStep(view.step.id, tuple(found), view, tuple(policy_requests(view, evidence)))


def _answered(steps: Sequence[AskedStep], answers: Sequence[PolicyAnswer]) -> Iterator[Reason]:
    """What checks and policy say, step by step; raises ``ValueError`` unless each request has its answer."""
    if len(answers) != sum(len(step.requests) for step in steps):
        raise ValueError("policy gives each request one answer")
    waiting = iter(answers)
    for step in steps:
        own = list(itertools.islice(waiting, len(step.requests)))
        yield from by_rule(step.view, step.reasons, own)
        for answer in own:
            yield from (msgspec.structs.replace(reason, step=step.id) for reason in answer.reasons)


def _approvals(answers: Sequence[PolicyAnswer]) -> int:
    return max((answer.approvals for answer in answers), default=0)


def _concluded(found: list[Reason], approvals: int, finished: Collection[str] = ()) -> Verdict:
    """What the reasons add up to; a change comes before a question, and after a denial.  What is finished stays."""
    changes = {(one.step, one.field, one.rule): one for one in found if one.decision is Decision.MODIFY}
    if not changes:
        return strictest(found, approvals=approvals)
    others = [reason for reason in found if reason.decision is not Decision.MODIFY]
    kept = [reason for reason in changes.values() if reason.step not in finished]
    if not kept or any(reason.decision is Decision.DENY for reason in others):
        return strictest(others, approvals=approvals)
    return strictest([*kept, *(reason for reason in others if reason.decision is Decision.ALLOW)])


def _attended(verdict: Verdict, evidence: Evidence) -> Verdict:
    """Where nobody is there to ask, what would ask is denied; a frozen task gets nothing at all."""
    if evidence.frozen:
        return strictest([_deny(5, "task.frozen"), *verdict.reasons])
    if evidence.unattended and verdict.decision in {Decision.STEP_UP, Decision.DEFER}:
        return strictest([_deny(9, "gate.unattended"), *verdict.reasons])
    return verdict


def _deny(stage: int, code: str, *, step: str = "", field: str = "") -> Reason:
    return Reason(decision=Decision.DENY, stage=stage, code=code, step=step, field=field)
