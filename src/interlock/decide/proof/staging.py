"""A counterexample as an action: a manifest, a step of it, and what is supposed of its task, decided on by the gate.

What ``staged`` makes is not trusted to be the situation that it was made from: ``level`` says what the gate comes to.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from msgspec import UNSET

from interlock.artifact import codec
from interlock.artifact.action import (
    Argument,
    Driver,
    Invocation,
    Manifest,
    Resource,
    Reversibility,
    Role,
    Transformation,
)
from interlock.artifact.codec import Json
from interlock.artifact.errors import CodecError
from interlock.artifact.label import Integrity, Label
from interlock.artifact.plan import Proposal, ProposedStep
from interlock.artifact.resources import inside
from interlock.artifact.task import Task
from interlock.decide import gate
from interlock.decide.evidence import Evidence, Site
from interlock.decide.policy import PolicySet
from interlock.decide.proof.facts import IS_FILE, below
from interlock.decide.proof.floor import READS, contradictory, level_of
from interlock.decide.proof.formula import AtMost, Flag, Formula, Matches, Reaches, both, either, negate
from interlock.decide.proof.languages import Language, Piece, exactly
from interlock.decide.proof.situation import BESIDES, Situation
from interlock.decide.proof.translate import DENIED
from interlock.decide.supposing import Supposed

GOAL = "counterexample"
_LIFETIME_MS = 60_000
_MOST_VERSIONS = 1_000_000
_PRIVATE = negate(AtMost("data", 1))
_NO_KINDS = either(*(Matches("kind", exactly(kind)) for kind in ("none", "url")))


class Staged(msgspec.Struct, frozen=True, kw_only=True):
    """One step, and what has to be supposed for it; ``supposed`` has its manifest."""

    step: ProposedStep
    supposed: Supposed
    unattended: bool = False


def stageable(site: Site) -> tuple[Formula, ...]:
    """What holds of situations that a plan of one step makes, the plainest first: little is supposed for those.

    What a planner has seen is in all that it writes, so that data and task are untrusted together; and where the gate
    asks for a cause that is not translated, nothing is staged.
    """
    untrusted, authority = Flag("untrusted"), Flag("authority")
    others = [Flag(name) for name in BESIDES if name != "authority"]
    named = Matches("environment", exactly(site.environment))
    sound = both(
        either(both(untrusted, Flag("tainted")), negate(either(untrusted, Flag("tainted")))),
        negate(either(*others, Flag("open"), _NO_KINDS, Matches("group", exactly("")), contradictory())),
        either(negate(untrusted), authority, both(READS, named)),
        negate(both(untrusted, Flag("external"), _PRIVATE)),
        AtMost("version", _MOST_VERSIONS),
    )
    seen = Reaches("signals", (Language((Piece.ANY,)),), every=False)
    plain = both(sound, AtMost("cost", 0), AtMost("approvals", 0), negate(either(Flag("broad"), seen)))
    within = either(negate(IS_FILE), *map(below, site.roots))
    return both(plain, within), plain, both(sound, within), sound


def staged(situation: Situation, forms: Collection[str], asked: Collection[str], site: Site) -> Staged | None:
    """The situation as an action; nothing where no manifest can say it.

    ``forms`` are those that rules want, ``asked`` the fields that matter: who asks is supposed only where it does.
    """
    request = situation.request
    arguments: dict[str, Argument] = {"target": _listed(situation)}
    values: dict[str, Json] = {"target": [request.resource]}
    if request.destinations:
        arguments["to"], values["to"] = _listed(situation), list(request.destinations)
    if request.environment != site.environment:
        arguments["environment"], values["environment"] = _TEXT, request.environment
    for form in forms:
        arguments[f"form-{form}"], values[f"form-{form}"] = Argument(type="boolean"), form in request.formed
    inverse = Invocation(action=f"{request.action}@{request.version}")
    manifest = Manifest(
        name=request.action, version=request.version, group=request.group, sentence="a counterexample",
        effect=request.effect, reversibility=request.reversibility, privileged=request.privileged,
        external=request.external, broad=request.broad, accepts=situation.accepts, cost=request.cost,
        arguments=arguments, destinations=("to",) if request.destinations else (),
        resources=(Resource(kind=request.kind, name="{target}", access=request.access, recursive=request.recursive),),
        inverse=inverse if request.reversibility is Reversibility.COMPENSABLE else None,
        transformations={form: Transformation(fix={f"form-{form}": True}) for form in forms} or UNSET,
        driver=Driver(name="files", operation="read"),
    )  # fmt: skip
    try:
        manifest = codec.decode(codec.encode(manifest), Manifest)
    except CodecError:
        return None
    step = ProposedStep(id="s1", action=manifest.reference, arguments=values)
    return Staged(step=step, supposed=_supposed(situation, manifest, asked, site), unattended=request.unattended)


def level(found: Staged, policies: PolicySet, site: Site) -> int:
    """What the gate comes to, as a level of ``Encoded.at_least``; DENY where there is no plan."""
    task = Task(id="t1", revision=0, principal="owner", goal=GOAL, created_at=0, expires_at=_LIFETIME_MS)
    proposal = Proposal(task=codec.digest(task), goal=GOAL, steps=(found.step,))
    evidence = found.supposed.applied(
        Evidence(
            site=site, task=task, task_digest=proposal.task, catalogue={}, digests={}, loaded=frozenset(),
            policy=policies, unattended=found.unattended,
        )
    )  # fmt: skip
    stamp = gate.Stamp(id="p1", sequence=1, expires_at=_LIFETIME_MS)
    examined = gate.examine(codec.encode(proposal), stamp, evidence)
    if examined.plan is None:
        return DENIED
    verdict = gate.decide(examined.plan, evidence, 0, examined.verdict)
    return level_of(verdict.decision, verdict.approvals)


_TEXT = Argument(type="string", role=Role.TARGET)


def _listed(situation: Situation) -> Argument:
    """A list, since the analyst reads none: what it says of texts is no part of a situation."""
    return Argument(type="list", role=Role.TARGET if situation.authority else Role.CONTENT)


def _supposed(situation: Situation, manifest: Manifest, asked: Collection[str], site: Site) -> Supposed:
    request = situation.request
    integrity = Integrity.UNTRUSTED if request.untrusted else Integrity.TRUSTED
    away = request.kind == "file" and not any(inside(request.resource, root) for root in site.roots)
    return Supposed(
        principal=request.principal if "principal" in asked else "",
        roles=request.roles if "roles" in asked else None, scope=request.scope, roots=("/",) if away else (),
        received=Label(confidentiality=request.confidentiality, integrity=integrity), signals=request.signals,
        confirmed=request.approvals, budget=request.cost, manifests=(manifest,),
    )  # fmt: skip
