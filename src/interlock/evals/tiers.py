"""Tiers: which layer of the gate decided, by the stage and the code of its reasons.

Of several layers that say the same, the cheapest comes first, in the order of ``TIERS``: those that need no analyst,
then what nobody can see into, then the trained classifier.  What a layer alone says is counted beside it.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

from interlock.artifact.verdict import Decision, Reason, Verdict

Tier: TypeAlias = Literal["structure", "manifest", "scope", "floor", "flow", "policy", "effects", "classifier"]
TIERS: Final[tuple[Tier, ...]] = get_args(Tier)
_STAGES: Final[dict[int, Tier]] = {
    1: "structure", 2: "structure", 3: "manifest", 4: "scope", 5: "floor", 6: "effects",
}  # fmt: skip
_NOBODY: Final = 9  # That nobody is there to ask is no layer's view.


def tiers(verdict: Verdict) -> tuple[Tier, ...]:
    """The layers that said what the verdict is, the cheapest first; of an ALLOW, none."""
    reasons = [one for one in verdict.reasons if one.stage != _NOBODY and one.decision is not Decision.ALLOW]
    most = max((one.decision.rank for one in reasons), default=0)
    found = {_tier(one) for one in reasons if one.decision.rank == most}
    return tuple(tier for tier in TIERS if tier in found)


def _tier(reason: Reason) -> Tier:
    family = reason.code.partition(".")[0]
    if family == "classifier":
        return "classifier"
    return "flow" if family == "flow" else _STAGES.get(reason.stage, "policy")
