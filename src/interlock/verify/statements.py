"""Signed statements among disclosed payloads: whose word an entry rests on.

An approval or a denial is a statement by an approver; a decision, a plan's outcome and what became of a step are
receipts by the harness.
A plan itself is named by its digest, and is ``null`` where a proposal was none.
"""

from __future__ import annotations

import hashlib

from interlock.artifact.approval import Approval
from interlock.artifact.codec import Value
from interlock.artifact.entry import Entry, step_subject
from interlock.artifact.errors import IntegrityError
from interlock.artifact.receipt import Receipt
from interlock.artifact.signing import Keyring, Role, verify

_WORDS = {"approval": "approve", "denial": "deny"}
_BY: dict[str, tuple[Role, str, type[Value]]] = {
    "approval": ("approver", "approval", Approval),
    "denial": ("approver", "approval", Approval),
    "decision": ("harness", "receipt", Receipt),
    "outcome": ("harness", "receipt", Receipt),
    "receipt": ("harness", "receipt", Receipt),
}


def verify_statement(entry: Entry, payload: bytes, keyring: Keyring) -> bool:
    """Whether the payload is a statement, which then verified; raises ``InterlockError`` where it does not."""
    if entry.kind == "plan" and payload != b"null" and hashlib.sha256(payload).hexdigest() != entry.plan:
        raise IntegrityError("statement.subject", "a plan that is not the one its entry names")
    data = entry.kind != "receipt" and "/" in entry.subject  # What a step put out, whatever it looks like.
    if entry.kind not in _BY or data:
        return False
    role, kind, shape = _BY[entry.kind]
    verified = verify(payload, keyring, role, kind, shape, at=entry.at)
    if verified.subject != entry.plan:
        raise IntegrityError("statement.subject", f"a {kind} about another subject than its entry's")
    word = verified.predicate
    if isinstance(word, Approval) and (word.word, word.plan) != (_WORDS[entry.kind], entry.plan):
        raise IntegrityError("statement.word", "a person's word that is not the one recorded")
    if entry.kind == "receipt" and isinstance(word, Receipt):
        place = step_subject(word.plan or "", word.step, word.iteration)
        if (place, word.outcome.value) != (entry.subject, entry.code):
            raise IntegrityError(
                "statement.subject", "a receipt about another step, or another outcome, than its entry's"
            )
    return True
