"""The checks of the gate's steps 3, 4, 5 and 7 that look at one step or at the whole plan.

Each yields reasons and none of them stops the others: a person and a planner see everything that is wrong.
The floor (step 5) reads no policy: no configuration and no override switches it off.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import assert_never

from interlock.artifact.action import Effect, Reversibility
from interlock.artifact.arguments import validate_known
from interlock.artifact.errors import InterlockError
from interlock.artifact.plan import Plan
from interlock.artifact.resources import Touched, inside
from interlock.artifact.verdict import Decision, Reason
from interlock.decide.contradictions import contradictions
from interlock.decide.evidence import Evidence
from interlock.decide.flow import View
from interlock.decide.globs import matches
from interlock.decide.modify import in_force
from interlock.decide.policy import PolicyRequest

_PERSON = frozenset({Effect.GRANT_ACCESS, Effect.SPEND})
_DESTROYING = frozenset({Effect.WRITE, Effect.DELETE})
_OPERATORS = re.compile(r"/interlock\.toml\Z|/policy/(?:invariants/)?[^/]*\.(?:yaml|cedar)\Z")


def check_arguments(view: View) -> Iterator[Reason]:
    """(3) What is known of the arguments fits the manifest's schema."""
    try:
        validate_known(view.manifest, view.values, frozenset(view.step.arguments))
    except InterlockError as error:
        yield _reason(Decision.DENY, 3, error.code, view)


def check_scope(view: View, evidence: Evidence) -> Iterator[Reason]:
    """(4) Files below the workspace's roots; each declared dimension within task and authority."""
    for resource in view.touched:
        if resource.kind == "file" and not resource.open and not _in_roots(resource, evidence):
            yield _reason(Decision.DENY, 4, "scope.path", view)
    for dimension, argument in view.manifest.scope.items():
        if argument not in view.values:
            continue
        value = str(view.values[argument])
        asked = evidence.task.scope.get(dimension)
        if value not in evidence.site.scope.get(dimension, ()) or asked not in {None, value}:
            yield _reason(Decision.DENY, 4, "scope.dimension", view, argument)


def check_floor(view: View, evidence: Evidence) -> Iterator[Reason]:
    """(5) Protected resources, a person for what cannot be undone, a way back for what destroys."""
    if any(contradictions(view.manifest)):
        yield _reason(Decision.DENY, 5, "manifest.contradiction", view)
    for resource in view.touched:
        if _own(resource, evidence):
            yield _reason(Decision.DENY, 5, "floor.harness", view)
        if resource.access is not Effect.READ and _protected(resource, evidence):
            yield _reason(Decision.DENY, 5, "floor.protected", view)
    manifest = view.manifest
    if manifest.reversibility is Reversibility.IRREVERSIBLE and manifest.effect is not Effect.READ:
        yield _reason(Decision.STEP_UP, 5, "floor.irreversible", view)
    if manifest.privileged:
        yield _reason(Decision.STEP_UP, 5, "floor.privileged", view)
    if manifest.effect in _PERSON:
        yield _reason(Decision.STEP_UP, 5, f"floor.{manifest.effect.value}", view)
    yield from _way_back(view, evidence)


def check_plan_floor(plan: Plan, views: Iterable[View], evidence: Evidence, now: int) -> Iterator[Reason]:
    """(5) Bounds of the plan as a whole: expiry, and how much it could destroy."""
    latest = min(evidence.task.expires_at, now + evidence.site.limits.plan_lifetime_ms)
    if not now < plan.expires_at <= latest:
        yield Reason(decision=Decision.DENY, stage=5, code="floor.expiry", field="expiresAt")
    limit = evidence.site.limits.blast_radius
    if sum(_times(view) * (limit + 1 if _recursive(view) else len(_destroyed(view))) for view in views) > limit:
        yield Reason(decision=Decision.STEP_UP, stage=5, code="floor.blast_radius")


def check_budget(plan: Plan, views: Iterable[View], evidence: Evidence, now: int) -> Iterator[Reason]:
    """(7) Cost and steps of the worst case within what the task has left; rates that are used up wait."""
    views = list(views)
    limit, spent = evidence.task.budget, evidence.spent
    cost = sum(view.manifest.cost * _times(view) for view in views)
    steps = sum(_times(view) for view in views) - len(plan.finished)
    for code, needed, left in (("cost", cost, limit.cost - spent.cost), ("steps", steps, limit.steps - spent.steps)):
        if needed > left:
            yield Reason(decision=Decision.DENY, stage=7, code=f"budget.{code}")
    for view in views:
        if evidence.rates_until.get(view.manifest.rate, 0) > now:
            yield _reason(Decision.DEFER, 7, "budget.rate", view)


def policy_requests(view: View, evidence: Evidence) -> Iterator[PolicyRequest]:
    """(7) One request per touched resource, or one for an action that touches none."""
    nothing = Touched(kind="none", name="none", access=view.manifest.effect)
    for resource in view.touched or (nothing,):
        yield _request(view, resource, evidence)


def _request(view: View, resource: Touched, evidence: Evidence) -> PolicyRequest:
    manifest, carries = view.manifest, view.carries
    return PolicyRequest(
        principal=evidence.task.principal,
        roles=evidence.roles,
        scope=evidence.task.scope,
        action=manifest.name,
        version=manifest.version,
        group=manifest.group,
        effect=manifest.effect,
        reversibility=manifest.reversibility,
        privileged=manifest.privileged,
        external=manifest.external,
        broad=manifest.broad,
        kind=resource.kind,
        resource=resource.name,
        access=resource.access,
        open=resource.open,
        recursive=resource.recursive,
        destinations=_destinations(view),
        confidentiality=carries.confidentiality,
        untrusted=carries.untrusted,
        tainted=evidence.received.untrusted,
        environment=str(view.values.get("environment", evidence.site.environment)),
        cost=manifest.cost,
        formed=in_force(manifest, view.step.arguments, view.values) if manifest.forms else (),
        unattended=evidence.unattended,
    )


def _destinations(view: View) -> tuple[str, ...]:
    found = [view.values[name] for name in view.manifest.destinations if name in view.values]
    return tuple(str(item) for value in found for item in (value if isinstance(value, list) else [value]))


def _way_back(view: View, evidence: Evidence) -> Iterator[Reason]:
    manifest = view.manifest
    if manifest.effect not in _DESTROYING:
        return
    match manifest.reversibility:
        case Reversibility.REVERSIBLE:
            if any(resource.kind != "file" for resource in _destroyed(view)):
                yield _reason(Decision.DENY, 5, "floor.no_snapshot", view)
        case Reversibility.COMPENSABLE:
            inverse = (
                view.step.rollback.action if view.step.rollback else (manifest.inverse and manifest.inverse.action)
            )
            if not inverse or inverse not in evidence.catalogue:
                yield _reason(Decision.DENY, 5, "floor.no_inverse", view)
        case Reversibility.PURE | Reversibility.IRREVERSIBLE:
            return  # The one is a contradiction, for the other a person was asked, both above.
        case _:
            assert_never(manifest.reversibility)


def _destroyed(view: View) -> tuple[Touched, ...]:
    return tuple(resource for resource in view.touched if resource.access in _DESTROYING)


def _recursive(view: View) -> bool:
    """Whether a step may destroy a folder with all below it, of which nobody knows here how much that is.

    Its manifest says so; of the driver for files it is known that a move keeps all, and that a deletion is told.
    """
    asked = "recursive" in view.step.arguments and view.values.get("recursive") is not False
    declared = view.manifest.driver.name != "files" and any(resource.recursive for resource in _destroyed(view))
    return declared or (asked and bool(_destroyed(view)))


def _times(view: View) -> int:
    return view.step.for_each.at_most if view.step.for_each else 1


def _in_roots(resource: Touched, evidence: Evidence) -> bool:
    return any(inside(resource.name, root) for root in evidence.site.roots)


def _own(resource: Touched, evidence: Evidence) -> bool:
    """The harness's own files may not be touched, nor may a folder that holds them, except by reading.

    A step that reads such a folder finds nothing where they stand (decision 0045).
    """
    if resource.kind != "file" or resource.open:
        return resource.key in evidence.site.own
    reading = resource.access is Effect.READ
    if not reading and _OPERATORS.search(resource.name):
        return True  # Another workspace's files below these roots.
    below = resource.name.rstrip("/") + "/"
    return any(inside(resource.name, own) or (not reading and own.startswith(below)) for own in evidence.site.own)


def _protected(resource: Touched, evidence: Evidence) -> bool:
    if resource.kind == "file" and not resource.open:
        return any(
            matches(glob.removeprefix("file:"), resource.name, evidence.site.root)
            for glob in evidence.site.protected
            if glob.startswith("file:")
        )
    return resource.key in evidence.site.protected


def _reason(decision: Decision, stage: int, code: str, view: View, field: str = "") -> Reason:
    return Reason(decision=decision, stage=stage, code=code, step=view.step.id, field=field)
