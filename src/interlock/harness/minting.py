"""Sealing (10): the signed plan and the grant that an executor and its steps receive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from interlock.artifact import codec
from interlock.artifact.arguments import is_literal
from interlock.artifact.grant import GrantClaims, GrantedStep, mint
from interlock.artifact.plan import Plan, Step
from interlock.artifact.resources import Touched, touched
from interlock.artifact.signing import sign
from interlock.harness.core import Core


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A plan's digest, its signed envelope, and the grant over it."""

    digest: str
    envelope: bytes
    grant: bytes


def seal(
    core: Core,
    plan: Plan,
    task_id: str,
    *,
    until: int | None = None,
    claimed: Mapping[str, tuple[Touched, ...]] | None = None,
) -> Sealed:
    """Sign the plan and mint its grant, from now until the plan expires (or ``until``, for a rollback).

    ``claimed`` are effects of steps, by their ids, that stand in no manifest, for the snapshots of what they change.
    """
    digest = codec.digest(plan)
    claims = GrantClaims(
        plan=digest,
        task=task_id,
        steps=tuple(_granted(core, step, (claimed or {}).get(step.id, ())) for step in plan.steps),
        not_before=core.clock(),
        expires_at=plan.expires_at if until is None else until,
    )
    return Sealed(
        digest=digest,
        envelope=sign(core.keys.signer, "plan", digest, plan),
        grant=mint(core.keys.grant_seed, claims),
    )


def known_resources(core: Core, step: Step) -> tuple[Touched, ...]:
    """What the step touches, as far as its literals say: nothing, where its action left the catalogue."""
    manifest = core.catalogue.get(step.action)
    if manifest is None:
        return ()
    values = {name: value for name, value in step.arguments.items() if is_literal(value)}
    return touched(manifest, values, step.arguments, root=core.site.root, home=core.site.home)


def _granted(core: Core, step: Step, claimed: tuple[Touched, ...]) -> GrantedStep:
    return GrantedStep(
        step=step.id,
        iterations=step.for_each.at_most if step.for_each else 1,
        action=step.action,
        manifest=step.manifest,
        resources=tuple(dict.fromkeys((*known_resources(core, step), *claimed))),
    )
