"""Rules on trial: what the rules of ``policy/observe/`` would have done, on record, and without any effect.

They are compiled together with those in force, and each plan is decided with both once more, after the real decision
and on its facts.  The result is an entry of the ledger, kind ``policy``, and nothing reads it to decide.
"""

from __future__ import annotations

import msgspec

from interlock.artifact import codec
from interlock.artifact.codec import Digest, Value
from interlock.artifact.errors import StateError
from interlock.artifact.plan import Plan
from interlock.artifact.verdict import Decision, Verdict
from interlock.decide.evidence import Evidence
from interlock.decide.nearest import redecided
from interlock.harness.core import Core, Record

OBSERVED = "policy.observed"


class Observed(Value, frozen=True, kw_only=True):
    """What was decided, and the verdict with the rules on trial; ``policy`` names both sets together."""

    policy: Digest
    decision: Decision
    verdict: Verdict

    @property
    def flips(self) -> bool:
        """Whether the decision would have been another."""
        return self.decision is not self.verdict.decision


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the ledger, read."""

    at: int
    plan: str
    observed: Observed


def observing(core: Core, plan: Plan, digest: str, verdict: Verdict, evidence: Evidence) -> list[Record]:
    """The entry about a plan that was decided just now; none where no rule is on trial."""
    policy = core.on_trial
    if policy is None:
        return []
    tried = redecided(plan, msgspec.structs.replace(evidence, policy=policy), core.clock())
    found = Observed(policy=policy.digest, decision=verdict.decision, verdict=tried)
    return [("policy", evidence.task.id, digest, codec.encode(found), OBSERVED)]


def sightings(core: Core) -> tuple[list[Sighting], int]:
    """What is on record, oldest first, and the number of entries whose payload was erased."""
    found, erased = list[Sighting](), 0
    for index, entry in enumerate(core.ledger.entries()):
        if (entry.kind, entry.code) != ("policy", OBSERVED):
            continue
        try:
            observed = codec.decode(core.ledger.payload(index), Observed)
        except StateError:
            erased += 1
            continue
        found.append(Sighting(at=entry.at, plan=entry.subject, observed=observed))
    return found, erased
