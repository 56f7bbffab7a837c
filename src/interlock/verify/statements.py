"""Signed statements among disclosed payloads: whose word an entry rests on.

An approval or a denial is a statement by an approver; a decision, a plan's outcome and what became of a step are
receipts by the harness.  What was proved of a policy is a certificate by the harness, which approvals and receipts
quote.
A plan itself is named by its digest, and is ``null`` where a proposal was none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from interlock.artifact import codec
from interlock.artifact.approval import Approval
from interlock.artifact.certificate import Certificate
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
    "policy": ("harness", "certificate", Certificate),
}
PROVED = "policy.proved"


def verify_statement(entry: Entry, payload: bytes, keyring: Keyring) -> Value | None:
    """What the payload states, verified, or nothing where it is no statement; raises ``InterlockError``."""
    if entry.kind == "plan" and payload != b"null" and hashlib.sha256(payload).hexdigest() != entry.plan:
        raise IntegrityError("statement.subject", "a plan that is not the one its entry names")
    data = entry.kind != "receipt" and "/" in entry.subject  # What a step put out, whatever it looks like.
    if entry.kind not in _BY or data or (entry.kind == "policy" and entry.code != PROVED):
        return None
    role, kind, shape = _BY[entry.kind]
    verified = verify(payload, keyring, role, kind, shape, at=entry.at)
    if verified.subject != entry.plan:
        raise IntegrityError("statement.subject", f"a {kind} about another subject than its entry's")
    word = verified.predicate
    if isinstance(word, Certificate) and word.policy != entry.plan:
        raise IntegrityError("statement.subject", "a certificate of another policy than its entry's")
    if isinstance(word, Approval) and (word.word, word.plan) != (_WORDS[entry.kind], entry.plan):
        raise IntegrityError("statement.word", "a person's word that is not the one recorded")
    if entry.kind == "receipt" and isinstance(word, Receipt):
        place = step_subject(word.plan or "", word.step, word.iteration)
        if (place, word.outcome.value) != (entry.subject, entry.code):
            raise IntegrityError(
                "statement.subject", "a receipt about another step, or another outcome, than its entry's"
            )
    return word


def verify_quotes(said: Mapping[int, Value]) -> int:
    """Hold each quoted certificate that is among the statements to its policy; how many certificates there are.

    ``said`` are the statements by the index of their entry.  A certificate stands before the first word that quotes it.
    """
    latest_first = sorted(said.items(), key=lambda item: -item[0])
    known = {codec.digest(word): (index, word.policy) for index, word in latest_first if isinstance(word, Certificate)}
    for index, word in said.items():
        if isinstance(word, Approval | Receipt) and word.certificate and word.certificate in known:
            proved, policy = known[word.certificate]
            if policy != word.policy or proved > index:
                text = f"entry {index} quotes a certificate of another policy, or one that did not exist yet"
                raise IntegrityError("statement.certificate", text)
    return len(known)
