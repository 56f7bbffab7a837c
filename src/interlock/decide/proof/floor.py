"""What floor and flow say of a situation, twice: as a formula for all situations, and by the real checks for one.

The formula never is stricter than the checks: what it leaves out (roots, blast radius, budgets, evidence of opaque
programs, the trifecta, a missing inverse) could only add to a verdict.  A test holds both to each other.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from interlock.artifact.action import (
    Argument,
    Driver,
    Effect,
    Invocation,
    Manifest,
    Resource,
    Reversibility,
    Role,
)
from interlock.artifact.analysis import Analysis
from interlock.artifact.codec import Json
from interlock.artifact.label import CLEAN, Integrity, Label
from interlock.artifact.plan import Step
from interlock.artifact.resources import Touched
from interlock.artifact.task import Task
from interlock.artifact.verdict import Decision
from interlock.decide.checks import check_floor
from interlock.decide.effects import Part, parts
from interlock.decide.evidence import Evidence, Site
from interlock.decide.flow import View, check_flow
from interlock.decide.policy import PolicySet
from interlock.decide.proof.facts import KNOWN_FILE, above, below, site_glob
from interlock.decide.proof.formula import AtMost, Flag, Formula, Matches, OneOf, both, either, negate
from interlock.decide.proof.languages import Language, Piece, exactly
from interlock.decide.proof.situation import RANKS, Situation
from interlock.decide.proof.translate import DENIED, MODIFIED, Encoded
from interlock.decide.relabel import by_rule, check_relabel

_NOTHING = Matches("kind", exactly("none"))
CHANGES = both(negate(_NOTHING), negate(OneOf("access", frozenset({"read"}))))
_UNSNAPPABLE = frozenset({"send", "spend", "grant-access"})
_FOLDERS = ("/policy/", "/policy/invariants/")
_SUFFIXES = (("/interlock.toml",), *((folder, Piece.WITHIN, end) for folder in _FOLDERS for end in (".yaml", ".cedar")))
READS = OneOf("effect", frozenset({"read"}))
ACTS = either(Flag("external"), negate(READS))
CLAIMED = Flag("claimed")
SEEN = both(CLAIMED, Flag("whole"))
RESTRICTED = negate(AtMost("data", 2))
IRREVERSIBLE = both(OneOf("reversibility", frozenset({"irreversible"})), negate(READS))


def own(site: Site) -> Formula:
    """The resource is one of the harness's own files, or is changed and is a folder that holds one.

    A step that is confined to a claim to write all below such a folder finds nothing where they stand (decision 0045).
    """
    filling = both(SEEN, Flag("recursive"), OneOf("access", frozenset({"write"})))
    held = both(negate(filling), either(*(above(folder) for folder in site.own)))
    elsewhere = either(*(Matches("resource", Language((Piece.ANY, *parts))) for parts in _SUFFIXES))
    return both(KNOWN_FILE, either(*(below(folder) for folder in site.own), both(CHANGES, either(held, elsewhere))))


def protected(site: Site) -> Formula:
    """The resource is protected by the workspace."""
    pairs = [item.partition(":") for item in site.protected]
    globs = (Matches("resource", site_glob(name, site.root)) for kind, _, name in pairs if kind == "file")
    names = (both(Matches("kind", exactly(kind)), Matches("resource", exactly(name))) for kind, _, name in pairs)
    return both(negate(_NOTHING), either(both(KNOWN_FILE, either(*globs)), both(negate(KNOWN_FILE), either(*names))))


def exceeds() -> Formula:
    """The data's class is above the limit: the manifest's, or where a claim takes its place, that of what leaves."""
    limits = (both(AtMost("accepts", one.rank), negate(AtMost("data", one.rank))) for one in RANKS)
    return either(both(negate(SEEN), either(*limits)), both(SEEN, Flag("external"), negate(AtMost("data", 2))))


def contradictory() -> Formula:
    """The manifest says what it may not say at once; no catalogue admits it.  Of what is claimed it says nothing."""
    pure, reversible = (OneOf("reversibility", frozenset({name})) for name in ("pure", "reversible"))
    taken = either(OneOf("effect", _UNSNAPPABLE), both(negate(_NOTHING), OneOf("access", _UNSNAPPABLE)))
    found = either(
        both(pure, either(negate(OneOf("effect", frozenset({"read", "execute"}))), CHANGES)),
        both(reversible, either(taken, both(CHANGES, negate(Matches("kind", exactly("file")))))),
        both(READS, CHANGES),
    )
    return both(negate(CLAIMED), found)


def floor_denies(site: Site) -> Formula:
    """Floor or flow deny."""
    return either(contradictory(), own(site), both(CHANGES, protected(site)), exceeds(), Flag("foreign"))


def relabelling(encoded: Encoded) -> Formula:
    """A label would be lowered, and no rule may or does speak for the person."""
    return both(Flag("relabels"), negate(both(encoded.owned, Flag("bounded"), negate(RESTRICTED))))


def floor_asks(encoded: Encoded) -> Formula:
    """Floor or flow want a person."""
    runs = either(both(negate(CLAIMED), OneOf("effect", frozenset({"execute"}))), both(SEEN, negate(READS)))
    risky = either(runs, both(Flag("external"), negate(READS)), both(Flag("privileged"), READS))
    return either(
        IRREVERSIBLE, Flag("privileged"), OneOf("effect", frozenset({"spend", "grant-access"})),
        both(Flag("untrusted"), Flag("authority"), ACTS), both(Flag("tainted"), risky), relabelling(encoded),
    )  # fmt: skip


class Gate:
    """The gate of one workspace as formulas: ``at_least`` as in ``Encoded``, over policy, floor and flow."""

    def __init__(self, encoded: Encoded, site: Site) -> None:
        self.encoded = encoded
        self.site = site
        self._asks = floor_asks(encoded)
        self._denies = floor_denies(site)

    @property
    def levels(self) -> tuple[int, ...]:
        """Every level above ALLOW that a verdict can have."""
        return self.encoded.levels

    def at_least(self, level: int) -> Formula:
        """The verdict is at least as strict as ``level``."""
        if not level:
            return True
        alone = both(Flag("unattended"), self._asks, negate(self.encoded.changes) if level == DENIED else True)
        return either(self._denies, self.encoded.at_least(level), alone, self._asks if level == 1 else False)


def decided(situation: Situation, policies: PolicySet, site: Site) -> int:
    """The level that the real checks and the real engine come to."""
    request = situation.request
    answer = policies.evaluate(request)
    levels = [level_of(answer.decision, answer.approvals), *objections(situation, policies, site)]
    return DENIED if request.unattended and 0 < max(levels) < MODIFIED else max(levels)


def objections(situation: Situation, policies: PolicySet, site: Site) -> set[int]:
    """The levels of what the real floor and the real flow say against a situation."""
    view, evidence = _view(situation), _evidence(situation, policies, site)
    before = Label(integrity=Integrity.UNTRUSTED) if situation.request.tainted else CLEAN
    asked = by_rule(view, list(check_relabel(view, None, evidence)), [policies.evaluate(situation.request)])
    found = (*check_floor(view, evidence), *check_flow(view, before, evidence), *asked)
    return {level_of(one.decision, 1) for one in found} - {0}


def level_of(decision: Decision, approvals: int) -> int:
    """A decision as a level of ``Encoded.at_least``."""
    known = {Decision.ALLOW: 0, Decision.STEP_UP: max(1, approvals), Decision.MODIFY: MODIFIED}
    return known.get(decision, DENIED)


def _view(situation: Situation) -> View:
    """A step of an action that has exactly the situation's facts."""
    request = situation.request
    resource = Touched(
        kind=request.kind, name=request.resource, access=request.access, open=request.open, recursive=request.recursive
    )
    touched = () if request.kind == "none" else (resource,)
    declared = () if situation.claimed else touched
    integrity = Integrity.UNTRUSTED if request.untrusted else Integrity.TRUSTED
    label = Label(
        confidentiality=request.confidentiality,
        integrity=integrity,
        scopes=("elsewhere=else",) if situation.foreign else (),
    )
    role = Role.TARGET if situation.authority else Role.CONTENT
    broad = situation.whole if situation.claimed else request.broad
    effect, reversibility = request.effect, request.reversibility
    if situation.claimed:  # Then the manifest says something else, and is not asked.
        effect, reversibility = Effect.READ, Reversibility.PURE
    own = Driver(name="flow", operation="endorse")
    arguments: Mapping[str, Json] = {"value": "", "oneOf": [""]} if situation.bounded else {"value": ""}
    manifest = Manifest(
        name=request.action, version=max(1, request.version), group=request.group or "group", sentence="",
        effect=effect, reversibility=reversibility, privileged=request.privileged,
        external=request.external, broad=broad, accepts=situation.accepts, cost=request.cost,
        arguments={"value": Argument(type="string", role=role, required=False)},
        resources=tuple(Resource(kind=one.kind, name=one.name, access=one.access) for one in declared),
        inverse=Invocation(action="inverse@1") if reversibility is Reversibility.COMPENSABLE else None,
        driver=own if situation.relabels else Driver(name="files", operation="read"),
    )  # fmt: skip
    step = Step(
        id="s1", action=manifest.reference, manifest="0" * 64, arguments=arguments, privileges=(), irreversible=True
    )
    claimed = Part(
        resource, request.effect, request.reversibility, request.privileged, request.external, broad=False, claimed=True
    )  # fmt: skip
    return View(
        step=step, manifest=manifest, labels={"value": label}, values={}, guard=CLEAN, declared=declared,
        claim=Analysis(touched=touched) if situation.claimed else None,
        parts=(claimed,) if situation.claimed else parts(manifest, declared, None, ()), held=CLEAN, output=CLEAN,
    )  # fmt: skip


def _evidence(situation: Situation, policies: PolicySet, site: Site) -> Evidence:
    request = situation.request
    inverse = msgspec.structs.replace(_view(situation).manifest, name="inverse", effect=Effect.DELETE)
    task = Task(
        id="t1", revision=0, principal=request.principal, goal="", scope=request.scope, created_at=0, expires_at=1
    )
    return Evidence(
        site=site, task=task, task_digest="", catalogue={"inverse@1": inverse}, digests={}, loaded=frozenset(),
        policy=policies, unattended=request.unattended,
    )  # fmt: skip
