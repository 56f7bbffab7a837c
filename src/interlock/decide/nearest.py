"""The smallest change with which a plan would have been decided more kindly: searched by the gate, never guessed.

One edit at a time is tried, in the order of ``Kind`` and at most ``MAX_TRIES`` of them, and each result goes through
``examine`` and ``decide`` like any proposal.  What is named was decided: a change that is not found may exist all the
same, one that is found does hold for these facts.  A step that was analysed keeps its arguments, because the claim is
about these.  ``value`` of a change may quote the plan; it is for persons alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Final, Literal, TypeAlias

import msgspec

from interlock.artifact import codec
from interlock.artifact.action import Manifest, Role
from interlock.artifact.arguments import is_literal
from interlock.artifact.codec import Json, Value
from interlock.artifact.label import CLEAN
from interlock.artifact.plan import Plan, Proposal, ProposedStep, Step
from interlock.artifact.task import Budget
from interlock.artifact.verdict import Decision, Reason, Verdict
from interlock.decide import gate
from interlock.decide.evidence import Evidence
from interlock.decide.modify import modify

MAX_TRIES: Final = 64
_MAX_VALUES: Final = 4

Kind: TypeAlias = Literal[
    "person", "wait", "path", "scope", "argument", "form", "value", "load", "budget", "unobserved", "step"
]


class Change(Value, frozen=True, kw_only=True):
    """One edit of a plan or of what it is decided on.

    ``person``: somebody is there to be asked; ``wait``: until the rate is free; ``path``, ``scope``: an argument with
    another ``value``; ``argument``: an optional one left out; ``form``: a declared form of the step; ``value``: the
    principal supplies the argument; ``load``: the group is loaded first; ``budget``: nothing of it is used yet;
    ``unobserved``: the plan is made before its planner has received anything; ``step``: the step is left out.
    """

    kind: Kind
    step: str = ""
    field: str = ""
    value: str = ""


class Tried(Value, frozen=True, kw_only=True):
    """A change, and what the gate says with it."""

    change: Change
    verdict: Verdict


class Nearest(Value, frozen=True, kw_only=True):
    """The first change with which a person may allow it, and the first with which nobody need be asked."""

    allowed: Tried | None = None
    automatic: Tried | None = None
    tries: int = 0


Attempt: TypeAlias = tuple[Change, Proposal, Evidence]


def nearest(plan: Plan, verdict: Verdict, evidence: Evidence, now: int) -> Nearest:
    """Try changes until one passes without a question; ``verdict`` is the one on the plan as it is."""
    allowed, tries = None, 0
    if verdict.decision is Decision.ALLOW:
        return Nearest()
    for change, proposal, facts in itertools.islice(_attempts(plan, verdict, evidence), MAX_TRIES):
        tries += 1
        found = _decided(proposal, plan, facts, now)
        if found.decision is Decision.ALLOW:
            automatic = Tried(change=change, verdict=found)
            return Nearest(allowed=allowed or automatic, automatic=automatic, tries=tries)
        if found.decision is Decision.STEP_UP and allowed is None:
            allowed = Tried(change=change, verdict=found)
    return Nearest(allowed=allowed, tries=tries)


def redecided(plan: Plan, evidence: Evidence, now: int) -> Verdict:
    """What the gate says of a plan from its beginning on, as if its steps had just been proposed with these facts."""
    return _decided(_proposal(plan, plan.steps, evidence), plan, evidence, now)


def _decided(proposal: Proposal, plan: Plan, evidence: Evidence, now: int) -> Verdict:
    stamp = gate.Stamp(
        id=plan.id, revision=plan.revision, parent=plan.parent, sequence=plan.sequence, finished=plan.finished,
        expires_at=plan.expires_at,
    )  # fmt: skip
    examined = gate.examine(codec.encode(proposal), stamp, evidence)
    if examined.plan is None:
        return examined.verdict
    return gate.decide(examined.plan, evidence, now, examined.verdict)


def _attempts(plan: Plan, verdict: Verdict, evidence: Evidence) -> Iterator[Attempt]:
    as_it_is = _proposal(plan, plan.steps, evidence)
    yield Change(kind="person"), as_it_is, _but(evidence, unattended=False)
    if evidence.rates_until:
        yield Change(kind="wait"), as_it_is, _but(evidence, rates_until={})
    against = [reason for reason in verdict.reasons if reason.decision is not Decision.ALLOW]
    named = {reason.step for reason in against}
    blamed = [step for step in plan.steps if step.id in named and step.action in evidence.catalogue]
    for step in blamed:
        manifest = evidence.catalogue[step.action]
        if step.id not in evidence.claims:  # A claim is about these arguments and no others.
            for change, arguments in _arguments(step, manifest, against, evidence):
                steps = [_with(one, arguments) if one is step else one for one in plan.steps]
                yield change, _proposal(plan, steps, evidence), evidence
            yield from _forms(step, manifest, plan, evidence)
        yield from _supplied(step, against, as_it_is, evidence)
        if manifest.group in set(evidence.task.groups) - evidence.loaded:
            yield (
                Change(kind="load", step=step.id, field=manifest.group),
                as_it_is,
                _but(evidence, loaded=evidence.loaded | {manifest.group}),
            )
    if any(reason.code.startswith("budget.") for reason in against):
        nothing = Budget(**dict.fromkeys(Budget.__struct_fields__, 0))
        yield Change(kind="budget"), as_it_is, _but(evidence, spent=nothing)
    if evidence.received != CLEAN:
        yield Change(kind="unobserved"), as_it_is, _but(evidence, received=CLEAN)
    for step in blamed:
        left = [one for one in plan.steps if one is not step]
        if left and step.id not in plan.finished:
            yield Change(kind="step", step=step.id), _proposal(plan, left, evidence), evidence


def _arguments(
    step: Step, manifest: Manifest, against: list[Reason], evidence: Evidence
) -> Iterator[tuple[Change, dict[str, Json]]]:
    """The step's arguments with another value for one, or with one left out."""
    for name, value in step.arguments.items():
        argument = manifest.arguments.get(name)
        if argument is not None and argument.role is Role.PATH and isinstance(value, str):
            for other in _inside(value, evidence):
                yield Change(kind="path", step=step.id, field=name, value=other), {**step.arguments, name: other}
    fields = {reason.field for reason in against if reason.step == step.id and reason.code == "scope.dimension"}
    for dimension, name in manifest.scope.items():
        if name in fields:
            for other in _in_scope(dimension, evidence):
                yield Change(kind="scope", step=step.id, field=name, value=other), {**step.arguments, name: other}
    for name in step.arguments:
        argument = manifest.arguments.get(name)
        if argument is None or not argument.required:
            left = {key: value for key, value in step.arguments.items() if key != name}
            yield Change(kind="argument", step=step.id, field=name), left


def _inside(path: str, evidence: Evidence) -> Iterator[str]:
    """The same file name directly below each root."""
    name = path.rstrip("/").rpartition("/")[2]
    for root in evidence.site.roots[:_MAX_VALUES] if name else ():
        other = f"{root.rstrip('/')}/{name}"
        if path not in {other, name}:
            yield other


def _in_scope(dimension: str, evidence: Evidence) -> tuple[str, ...]:
    asked = evidence.task.scope.get(dimension)
    return (asked,) if asked is not None else evidence.site.scope.get(dimension, ())[:_MAX_VALUES]


def _forms(step: Step, manifest: Manifest, plan: Plan, evidence: Evidence) -> Iterator[Attempt]:
    for name in manifest.forms:
        wanted = Reason(decision=Decision.MODIFY, stage=7, code="policy.modified", step=step.id, field=name)
        verdict = Verdict(decision=Decision.MODIFY, reasons=(wanted,))
        made = modify(plan, verdict, evidence.catalogue, rounds=0)
        if isinstance(made, Proposal):
            steps = msgspec.structs.replace(made, task=evidence.task_digest)
            yield Change(kind="form", step=step.id, field=name), steps, evidence


def _supplied(step: Step, against: list[Reason], as_it_is: Proposal, evidence: Evidence) -> Iterator[Attempt]:
    """The principal says what the planner said: its literal regains integrity."""
    named = {one.field for one in against if one.step == step.id and one.code == "flow.untrusted_authority"}
    for name in sorted(named & step.arguments.keys()):
        value = step.arguments[name]
        if is_literal(value):
            text = value if isinstance(value, str) else codec.encode(value).decode()
            task = msgspec.structs.replace(evidence.task, values=(*evidence.task.values, text))
            yield Change(kind="value", step=step.id, field=name), as_it_is, _but(evidence, task=task)


def _with(step: Step, arguments: Mapping[str, Json]) -> Step:
    return msgspec.structs.replace(step, arguments=arguments)


def _proposal(plan: Plan, steps: list[Step] | tuple[Step, ...], evidence: Evidence) -> Proposal:
    """The steps as if they had just been proposed, without what the gate derives and derives anew."""
    fields = [name for name in ProposedStep.__struct_fields__ if name not in {"privileges", "irreversible"}]
    bare = tuple(ProposedStep(**{name: getattr(step, name) for name in fields}) for step in steps)
    return Proposal(task=evidence.task_digest, goal=plan.goal, steps=bare, parent=plan.parent)


def _but(evidence: Evidence, **changes: object) -> Evidence:
    return msgspec.structs.replace(evidence, **changes)
