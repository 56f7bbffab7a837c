"""Approval: one person's signed word about one plan, bound to the digests of everything that was shown.

It names plan, policy, manifests and previews by digest, expires, and works once.  ``certificate`` is the digest of what
was proved of the policy; it is absent where the workspace decides without proofs.
"""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from interlock.artifact.codec import Digest, Identifier, Millis, Text, Value


class Approval(Value, frozen=True, kw_only=True):
    """Signed by the approver's own key; the subject of its Statement is the plan's digest."""

    id: Identifier
    word: Literal["approve", "deny"]
    plan: Digest
    policy: Digest
    manifests: Digest
    preview: Digest
    certificate: Digest | UnsetType = UNSET
    approver: Identifier
    authentication: Literal["key", "passkey"] = "key"
    reason: Text = ""
    issued_at: Millis
    expires_at: Millis
