"""Layers: which layer of the gate decided, by the stage and the code of its reasons.

Of several layers that say the same, the cheapest comes first, in the order of ``LAYERS``: those that need no analyst,
then what nobody can see into, then the trained classifier.  What a layer alone says is counted beside it.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

from interlock.artifact.verdict import Decision, Reason, Verdict

Layer: TypeAlias = Literal["structure", "manifest", "scope", "floor", "flow", "policy", "effects", "classifier"]
LAYERS: Final[tuple[Layer, ...]] = get_args(Layer)
_STAGES: Final[dict[int, Layer]] = {
    1: "structure", 2: "structure", 3: "manifest", 4: "scope", 5: "floor", 6: "effects",
}  # fmt: skip
_NOBODY: Final = 9  # That nobody is there to ask is no layer's view.


def layers(verdict: Verdict) -> tuple[Layer, ...]:
    """The layers that said what the verdict is, the cheapest first; of an ALLOW, none."""
    reasons = [one for one in verdict.reasons if one.stage != _NOBODY and one.decision is not Decision.ALLOW]
    most = max((one.decision.rank for one in reasons), default=0)
    found = {_layer(one) for one in reasons if one.decision.rank == most}
    return tuple(layer for layer in LAYERS if layer in found)


def _layer(reason: Reason) -> Layer:
    family = reason.code.partition(".")[0]
    if family == "classifier":
        return "classifier"
    return "flow" if family == "flow" else _STAGES.get(reason.stage, "policy")
