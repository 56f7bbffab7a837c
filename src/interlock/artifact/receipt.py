"""Receipt: one for every evaluated action, signed: what was decided and on which grounds, and what then happened.

``unsafe`` names every bypass that was in force, so that a receipt cannot look better than the run was.  ``certificate``
is the digest of what was proved of the policy; it is absent where the workspace decides without proofs.
"""

from __future__ import annotations

import enum

from msgspec import UNSET, UnsetType

from interlock.artifact.codec import Digest, Identifier, Millis, Value
from interlock.artifact.verdict import Verdict


class Outcome(enum.StrEnum):
    """What became of an action."""

    DECIDED = "decided"
    INTENDED = "intended"
    OBSERVED = "observed"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNDONE = "undone"
    UNKNOWN = "unknown"


class Receipt(Value, frozen=True, kw_only=True):
    """Subject: the plan's digest (or the proposal's, where no plan came of it)."""

    id: Identifier
    task: Digest
    proposal: Digest
    policy: Digest
    certificate: Digest | UnsetType = UNSET
    context: Digest
    verdict: Verdict
    plan: Digest | None = None
    approvals: tuple[Identifier, ...] = ()
    step: str = ""
    iteration: int = 0
    outcome: Outcome = Outcome.DECIDED
    evidence: Digest | None = None
    unsafe: tuple[str, ...] = ()
    at: Millis
