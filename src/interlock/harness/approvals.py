"""Approvals (9): a person's signed word, bound to everything that was shown, counted once.

1. The envelope verifies under a key that holds the role ``approver`` now, and the signer is who the word names.
2. The plan is pending, and the word names its digest, its policy's, its manifests', its previews' and, where the policy
   has one, its certificate's.
3. It was issued just now, and it ends before the plan does.
4. Where duties are separated, the requester cannot approve.
5. It is recorded before it counts; M of N are needed where a rule says so.

Silence is denial: what is pending when the plan expires is expired.
"""

from __future__ import annotations

from interlock.artifact.approval import Approval
from interlock.artifact.entry import Kind
from interlock.artifact.errors import InterlockError, StateError
from interlock.artifact.signing import Verified, verify
from interlock.decide.life import Event, Status
from interlock.harness.core import Core
from interlock.harness.reserving import released
from interlock.harness.rows import PlanRow

SKEW_MS = 5 * 60_000


class Approvals:
    """Receives persons' words."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def submit(self, envelope: bytes) -> Status:
        """Count one word; the plan's status after it.  Raises what is wrong with it."""
        core = self._core
        core.refresh()
        # (1) Whose word it is.
        said = verify(envelope, core.keys.keyring, "approver", "approval", Approval, at=core.clock())
        word = said.predicate
        if word.approver not in said.owners:
            raise StateError("approval.owner", "the signing key is not that of the person whom the approval names")
        row = core.store.plan(word.plan)
        self._check(row, said)
        # (5) The entry first, then the count.
        with core.store.transaction():
            kind: Kind = "approval" if word.word == "approve" else "denial"
            core.record(kind, row.task, row.digest, envelope, code=word.approver)
            if word.word == "deny":
                core.store.spend(row.task, **released(row.plan, core.catalogue))
                return core.store.advance(row.digest, Event.DENY, stopped="approval.denied")
            core.store.put_approval(word.id, row.digest, word.approver, envelope, word.expires_at)
            if self.standing(row) < row.verdict.approvals:
                return row.status
            return core.store.advance(row.digest, Event.APPROVE)

    def standing(self, row: PlanRow) -> int:
        """How many of a plan's stored approvals still count: signed by a key that is trusted now, about what is now."""
        counted: set[str] = set()
        for stored in self._core.store.approvals(row.digest, self._core.clock()):
            try:
                said = verify(
                    stored.envelope, self._core.keys.keyring, "approver", "approval", Approval, at=self._core.clock()
                )
                self._same(row, said)
            except InterlockError:
                continue
            if said.predicate.approver in said.owners:
                counted.add(said.predicate.approver)
        return len(counted)

    def _check(self, row: PlanRow, said: Verified[Approval]) -> None:
        word, now = said.predicate, self._core.clock()
        # (2) What it is about.
        if row.status is not Status.PENDING:
            raise StateError("approval.not_pending", f"the plan is {row.status.value}", hint="run: interlock inbox")
        self._same(row, said)
        if row.policy != self._core.policy.digest:
            raise StateError(
                "approval.policy", "the policy has changed since the plan was judged", hint="propose it again"
            )
        # (3) When it counts.
        fresh = now - SKEW_MS <= word.issued_at <= now + SKEW_MS
        if not fresh or not now < word.expires_at <= row.plan.expires_at:
            raise StateError("approval.time", "the approval is not of now, or outlives its plan")
        # (4) By whom.
        separate = self._core.workspace.configuration.approvals.separate_duties
        requester = self._core.store.task(row.task).task.principal
        if word.word == "approve" and separate and word.approver == requester:
            raise StateError("approval.self", "you are the requester: you cannot approve", hint="ask another approver")

    def _same(self, row: PlanRow, said: Verified[Approval]) -> None:
        """Hold what was signed to what is stored; raises ``StateError`` with the name of what differs."""
        word = said.predicate
        if said.subject != row.digest or word.plan != row.digest:
            raise StateError("approval.plan", "the approval is not about the plan that it names")
        shown = {
            "policy": (word.policy, row.policy),
            "manifests": (word.manifests, row.manifests),
            "preview": (word.preview, row.preview_digest),
            "certificate": (word.certificate or "", row.certificate),
        }
        for name, (signed, present) in shown.items():
            if signed != present:
                raise StateError(f"approval.{name}", f"the {name} is not what was approved", hint="look at it again")
