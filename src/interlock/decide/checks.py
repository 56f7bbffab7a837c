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
from interlock.artifact.thresholds import DENIED_FROM, RAISED_FROM
from interlock.artifact.verdict import Decision, Reason
from interlock.decide.contradictions import contradictions
from interlock.decide.effects import Part, scratch, within
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
    roots = evidence.site.roots
    for resource in dict.fromkeys((*view.declared, *view.touched)):
        outside = resource.kind == "file" and not resource.open and not within(resource, roots)
        if outside and (resource in view.declared or not scratch(resource, roots)):
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
        codes = out_of_reach(resource, evidence, confined=view.seen)
        yield from (_reason(Decision.DENY, 5, code, view) for code in codes)
    asked = [code for part in view.parts for code in _asks(part)]
    yield from (_reason(Decision.STEP_UP, 5, code, view) for code in dict.fromkeys(asked))
    yield from _way_back(view, evidence)


def out_of_reach(resource: Touched, evidence: Evidence, *, confined: bool = False) -> Iterator[str]:
    """(5) The codes of why nobody may touch a resource in this way, or no step that is ``confined`` to its claim."""
    if _own(resource, evidence, confined=confined):
        yield "floor.harness"
    if resource.access is not Effect.READ and _protected(resource, evidence):
        yield "floor.protected"


def _asks(part: Part) -> Iterator[str]:
    if part.reversibility is Reversibility.IRREVERSIBLE and part.effect is not Effect.READ:
        yield "floor.irreversible"
    if part.privileged:
        yield "floor.privileged"
    if part.effect in _PERSON:
        yield f"floor.{part.effect.value}"


def check_sight(view: View) -> Iterator[Reason]:
    """(6) An argument that the analyst cannot see into, and a broad action of which nothing was claimed."""
    if view.claim is None and view.manifest.broad:
        yield _reason(Decision.STEP_UP, 6, "effects.opaque", view)
    for opacity in view.claim.opaque if view.claim is not None else ():
        yield _reason(Decision.STEP_UP, 6, "effects.opaque", view, f"{opacity.argument[:48]}: {opacity.code}")


def check_score(view: View) -> Iterator[Reason]:
    """(7) What executes, is broad or cannot be seen into, and looks like an attack; a score allows nothing."""
    claim, manifest = view.claim, view.manifest
    if claim is None or claim.score is None:
        return
    if claim.known and not manifest.broad and manifest.effect is not Effect.EXECUTE:
        return
    if claim.score >= DENIED_FROM:
        yield _reason(Decision.DENY, 7, "classifier.deny", view)
    elif claim.score >= RAISED_FROM:
        yield _reason(Decision.STEP_UP, 7, "classifier.raise", view)


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
    """(7) One request per part of the step's effects, of which there is at least one."""
    for part in view.parts:
        yield _request(view, part, evidence)


def _request(view: View, part: Part, evidence: Evidence) -> PolicyRequest:
    manifest, carries, resource = view.manifest, view.carries, part.resource
    return PolicyRequest(
        principal=evidence.task.principal,
        roles=evidence.roles,
        scope=evidence.task.scope,
        action=manifest.name,
        version=manifest.version,
        group=manifest.group,
        effect=part.effect,
        reversibility=part.reversibility,
        privileged=part.privileged,
        external=part.external,
        broad=part.broad,
        kind=resource.kind,
        resource=resource.name,
        access=resource.access,
        open=resource.open,
        recursive=resource.recursive,
        destinations=view.destinations,
        signals=view.signals,
        confidentiality=carries.confidentiality,
        untrusted=carries.untrusted,
        tainted=evidence.received.untrusted,
        environment=str(view.values.get("environment", evidence.site.environment)),
        cost=manifest.cost,
        formed=in_force(manifest, view.step.arguments, view.values) if manifest.forms else (),
        unattended=evidence.unattended,
    )


def _way_back(view: View, evidence: Evidence) -> Iterator[Reason]:
    manifest = view.manifest
    if manifest.effect not in _DESTROYING or view.seen:
        return  # What is seen is reversible only where a snapshot can hold it.
    match manifest.reversibility:
        case Reversibility.REVERSIBLE:
            if any(resource.kind != "file" and resource.access in _DESTROYING for resource in view.declared):
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
    return tuple(part.resource for part in _destroying(view))


def _destroying(view: View) -> tuple[Part, ...]:
    """The parts after which something may be gone; of what is claimed, not what stays within the step."""
    found = (part for part in view.parts if part.resource.access in _DESTROYING)
    return tuple(part for part in found if not part.claimed or part.effect in _DESTROYING)


def _recursive(view: View) -> bool:
    """Whether a step may destroy a folder with all below it, of which nobody knows here how much that is.

    Its manifest says so, or the claim about it; of the driver for files it is known that a move keeps all, and that a
    deletion is told.
    """
    asked = "recursive" in view.step.arguments and view.values.get("recursive") is not False
    found = [part for part in _destroying(view) if part.resource.recursive]
    claimed = any(part.claimed and part.effect is Effect.DELETE for part in found)
    declared = view.manifest.driver.name != "files" and any(not part.claimed for part in found)
    return claimed or declared or (asked and bool(_destroying(view)))


def _times(view: View) -> int:
    return view.step.for_each.at_most if view.step.for_each else 1


def _own(resource: Touched, evidence: Evidence, *, confined: bool) -> bool:
    """The harness's own files may not be touched, nor may a folder that holds them, except by a step that finds nothing
    where they stand (decision 0045): one that reads, or that is confined to a claim to write all below the folder.
    """
    if resource.kind != "file" or resource.open:
        return resource.key in evidence.site.own
    reading = resource.access is Effect.READ
    filling = confined and resource.recursive and resource.access is Effect.WRITE
    if not reading and _OPERATORS.search(resource.name):
        return True  # Another workspace's files below these roots.
    if any(inside(resource.name, own) for own in evidence.site.own):
        return True
    below = resource.name.rstrip("/") + "/"
    return not (reading or filling) and any(own.startswith(below) for own in evidence.site.own)


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
