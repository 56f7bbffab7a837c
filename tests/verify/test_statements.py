"""Signed statements among disclosed payloads: right signer, right subject, right word, right time."""

from __future__ import annotations

import msgspec
import pytest

from interlock.artifact import codec
from interlock.artifact.certificate import Certificate
from interlock.artifact.entry import Entry, Kind
from interlock.artifact.errors import IntegrityError, InterlockError
from interlock.artifact.receipt import Outcome
from interlock.artifact.signing import Keyring, Signer, sign
from interlock.verify.statements import verify_quotes, verify_statement
from support.samples import ANN, APPROVAL, HARNESS, KEYRING, MALLORY, NOW, PLAN, RECEIPT

PLAN_BYTES = codec.encode(PLAN)
DIGEST = codec.digest(PLAN)
APPROVE = msgspec.structs.replace(APPROVAL, word="approve")
POLICY = APPROVAL.policy
CERTIFICATE = Certificate(policy=POLICY, site="1" * 64, proved=("i2-irreversible",), revision=1, solver="z3 4", at=NOW)
REFUSE = msgspec.structs.replace(APPROVAL, word="deny")


def entry(kind: Kind, subject: str = DIGEST, at: int = NOW) -> Entry:
    return Entry(kind=kind, at=at, task="t1", subject=subject)


def proved(subject: str = POLICY) -> Entry:
    return Entry(kind="policy", at=NOW, subject=subject, code="policy.proved")


def approval(signer: Signer = ANN, subject: str = DIGEST, word: codec.Value = APPROVE, kind: str = "approval") -> bytes:
    return sign(signer, kind, subject, word)


def receipt(signer: Signer = HARNESS, subject: str = DIGEST) -> bytes:
    return sign(signer, "receipt", subject, RECEIPT)


def certificate(subject: str = POLICY, **changes: object) -> bytes:
    return sign(HARNESS, "certificate", subject, msgspec.structs.replace(CERTIFICATE, **changes))


def of_step(code: str = "observed", step: str = "s1", **changes: object) -> tuple[Entry, bytes]:
    """An entry about what became of step s1, and a receipt that says so unless ``changes`` say otherwise."""
    fields = {"plan": DIGEST, "step": "s1", "iteration": 0, "outcome": Outcome.OBSERVED} | changes
    about = Entry(kind="receipt", at=NOW, task="t1", subject=f"{DIGEST}/{step}/0", code=code)
    return about, sign(HARNESS, "receipt", DIGEST, msgspec.structs.replace(RECEIPT, **fields))


SOUND = {
    "what became of a step": (*of_step(), True),
    "an approval": (entry("approval"), approval(), True),
    "a refusal": (entry("denial"), approval(word=REFUSE), True),
    "a decision's receipt": (entry("decision"), receipt(), True),
    "a plan's outcome": (entry("outcome"), receipt(), True),
    "a plan": (entry("plan"), PLAN_BYTES, False),
    "a proposal that was no plan": (entry("plan", "f" * 64), b"null", False),
    "a step's output that looks like an envelope": (entry("outcome", f"{DIGEST}/s1/0"), b'{"payload":', False),
    "a certificate": (proved(), certificate(), True),
    "what rules on trial would say": (
        Entry(kind="policy", at=NOW, subject=DIGEST, code="policy.observed"),
        b"[]",
        False,
    ),
    "something else": (entry("load"), b"anything", False),
}


@pytest.mark.parametrize("name", SOUND)
def test_sound(name: str) -> None:
    about, payload, signed = SOUND[name]
    assert (verify_statement(about, payload, KEYRING) is not None) is signed


BROKEN = {
    "a step's receipt under another step": ("statement.subject", *of_step(step="s2")),
    "a step's receipt with another outcome": ("statement.subject", *of_step(code="undone")),
    "a step's receipt of another plan": ("statement.subject", *of_step(plan="e" * 64)),
    "a step's receipt of another iteration": ("statement.subject", *of_step(iteration=1)),
    "an approval by a stranger": ("signature.untrusted", entry("approval"), approval(MALLORY)),
    "an approval by the harness": ("signature.untrusted", entry("approval"), approval(HARNESS)),
    "an approval after the key ended": ("signature.untrusted", entry("approval", at=NOW + 2_000_000), approval()),
    "an approval of another plan": ("statement.subject", entry("approval"), approval(subject="e" * 64)),
    "a refusal recorded as an approval": ("statement.word", entry("approval"), approval(word=REFUSE)),
    "an approval recorded as a refusal": ("statement.word", entry("denial"), approval()),
    "another statement by the approver": ("signature.kind", entry("approval"), approval(kind="receipt", word=RECEIPT)),
    "no statement at all": ("codec.schema", entry("approval"), b"{}"),
    "a receipt by an approver": ("signature.untrusted", entry("decision"), receipt(ANN)),
    "a receipt about another plan": ("statement.subject", entry("decision"), receipt(subject="e" * 64)),
    "a decision without a receipt": ("codec.syntax", entry("decision"), b"ALLOW"),
    "a certificate under another policy": ("statement.subject", proved("e" * 64), certificate()),
    "a certificate that speaks of another policy": ("statement.subject", proved(), certificate(policy="e" * 64)),
    "a certificate by a stranger": ("signature.untrusted", proved(), sign(ANN, "certificate", POLICY, CERTIFICATE)),
    "a plan under another's digest": ("statement.subject", entry("plan", "e" * 64), PLAN_BYTES),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken(name: str) -> None:
    code, about, payload = BROKEN[name]
    with pytest.raises(InterlockError) as caught:
        verify_statement(about, payload, KEYRING)
    assert caught.value.code == code


def test_an_empty_keyring_trusts_nobody() -> None:
    with pytest.raises(InterlockError, match=r"signature\.untrusted"):
        verify_statement(entry("approval"), approval(), Keyring())


QUOTE = codec.digest(CERTIFICATE)
QUOTED = {
    "an approval": (msgspec.structs.replace(APPROVAL, certificate=QUOTE), True),
    "a receipt": (msgspec.structs.replace(RECEIPT, policy=POLICY, certificate=QUOTE), True),
    "a certificate that is not disclosed": (msgspec.structs.replace(RECEIPT, policy="e" * 64, certificate="f" * 64), True),
    "none": (RECEIPT, True),
    "an approval by another policy": (msgspec.structs.replace(APPROVAL, policy="e" * 64, certificate=QUOTE), False),
    "a receipt by another policy": (msgspec.structs.replace(RECEIPT, policy="e" * 64, certificate=QUOTE), False),
}  # fmt: skip


@pytest.mark.parametrize("name", QUOTED)
def test_a_quoted_certificate_is_of_the_policy_and_stands_first(name: str) -> None:
    word, sound = QUOTED[name]
    if sound:
        assert verify_quotes({5: word, 3: CERTIFICATE, 7: CERTIFICATE}) == 1
    late = {3: word, 5: CERTIFICATE}
    if not sound or word.certificate == QUOTE:
        with pytest.raises(IntegrityError, match=r"statement\.certificate"):
            verify_quotes({5: word, 3: CERTIFICATE} if not sound else late)
