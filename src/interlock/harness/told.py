"""What a planner is told of a decision: codes, steps and names of fields, and of denials only so many in detail.

A denial that says why is a question answered about rules and labels.  So each task has ``limits.explainedDenials``
of them, over all its sessions; after that a denied planner hears the decision and nothing else.  What the judge said
is never told: whoever writes plans would learn to please it.
"""

from __future__ import annotations

from interlock.artifact.channel_pb2 import Finding
from interlock.artifact.verdict import Decision
from interlock.harness.proposals import Decided
from interlock.harness.store import Store

MAX_FINDINGS = 32
_UNTOLD = ("judge.", "intent.")
_SCHEMA = "CREATE TABLE IF NOT EXISTS told (task TEXT PRIMARY KEY, denials INTEGER NOT NULL) STRICT"


def untold(code: str) -> bool:
    """Whether a planner never hears of it: what the judge says."""
    return code.startswith(_UNTOLD)


class Told:
    """Counts the denials that each task's planner was told in detail."""

    def __init__(self, store: Store, most: int) -> None:
        self._store = store
        self._most = most
        with store.transaction() as db:
            db.execute(_SCHEMA)

    def findings(self, task: str, decided: Decided) -> list[Finding]:
        """What to tell of a decision on a proposal; nothing of a denial that is one too many."""
        verdict = decided.verdict
        if verdict.decision is Decision.DENY and not self.in_detail(task):
            return []
        earlier = [reason for one in decided.before for reason in one.verdict.reasons]
        changes = [reason for reason in earlier if reason.decision is Decision.MODIFY]
        told = [one for one in (*changes, *verdict.reasons) if not untold(one.code)][:MAX_FINDINGS]
        return [Finding(code=reason.code, step=reason.step, field=reason.field) for reason in told]

    def in_detail(self, task: str) -> bool:
        """Whether one more denial may be told in detail; it counts from here on."""
        with self._store.transaction() as db:
            found = db.execute("SELECT denials FROM told WHERE task = ?", (task,)).fetchone()
            denials = found[0] if found else 0
            if denials >= self._most:
                return False
            db.execute("INSERT OR REPLACE INTO told (task, denials) VALUES (?, ?)", (task, denials + 1))
        return True
