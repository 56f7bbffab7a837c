"""Signed statements among disclosed payloads: whose word an entry rests on.

An approval or a denial is always a statement by an approver.  A plan, a decision or an outcome may be stored as one
by the harness, or as plain data; what looks like an envelope must verify.
"""

from __future__ import annotations

from interlock.artifact.approval import Approval
from interlock.artifact.codec import Value
from interlock.artifact.entry import Entry
from interlock.artifact.errors import IntegrityError
from interlock.artifact.plan import Plan
from interlock.artifact.receipt import Receipt
from interlock.artifact.signing import Keyring, Role, verify

_ENVELOPE = b'{"payload":'
_BY: dict[str, tuple[Role, str, type[Value]]] = {
    "approval": ("approver", "approval", Approval),
    "denial": ("approver", "approval", Approval),
    "plan": ("harness", "plan", Plan),
    "decision": ("harness", "receipt", Receipt),
    "outcome": ("harness", "receipt", Receipt),
}


def verify_statement(entry: Entry, payload: bytes, keyring: Keyring) -> bool:
    """Whether the payload is a statement, which then verified; raises ``InterlockError`` where it does not."""
    if entry.kind not in _BY or not (payload.startswith(_ENVELOPE) or entry.kind in {"approval", "denial"}):
        return False
    role, kind, shape = _BY[entry.kind]
    verified = verify(payload, keyring, role, kind, shape, at=entry.at)
    if verified.subject != entry.plan:
        raise IntegrityError("statement.subject", f"a {kind} about another subject than its entry's")
    predicate = verified.predicate
    if isinstance(predicate, Approval) and predicate.word != {"approval": "approve", "denial": "deny"}[entry.kind]:
        raise IntegrityError("statement.word", "a person's word that is not the one recorded")
    return True
