"""Our envelopes, verified without a line of ours: by a verifier of a few lines, and by securesystemslib."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from interlock.artifact import codec, signing
from interlock.artifact.errors import InterlockError
from interlock.artifact.signing import Keyring
from support.samples import ANN, HARNESS, NOW, SIGNED, public
from support.vectors import cases, name


def independent_verifier(raw: bytes, public_key: bytes, kind: str) -> Any:
    """DSSE 1.0 and in-toto Statement v1 from their specifications: cryptography, json and hashlib alone."""
    envelope = json.loads(raw)
    payload = base64.b64decode(envelope["payload"])
    header = f"DSSEv1 {len(envelope['payloadType'])} {envelope['payloadType']} {len(payload)} ".encode()
    signature = base64.b64decode(envelope["signatures"][0]["sig"])
    Ed25519PublicKey.from_public_bytes(public_key).verify(signature, header + payload)
    statement = json.loads(payload)
    canonical = json.dumps(statement["predicate"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == f"https://interlock.dev/spec/{kind}/v1"
    assert statement["subject"] == [{"name": kind, "digest": {"sha256": hashlib.sha256(canonical).hexdigest()}}]
    return statement["predicate"]


@pytest.mark.parametrize("kind", SIGNED)
def test_a_verifier_of_a_few_lines_agrees(kind: str) -> None:
    raw = signing.sign(HARNESS, kind, codec.digest(SIGNED[kind]), SIGNED[kind])
    assert independent_verifier(raw, HARNESS.public, kind) == codec.builtin(SIGNED[kind])
    with pytest.raises(InvalidSignature):
        independent_verifier(raw, ANN.public, kind)


@pytest.mark.parametrize("kind", SIGNED)
def test_securesystemslib_agrees(kind: str) -> None:
    raw = signing.sign(HARNESS, kind, codec.digest(SIGNED[kind]), SIGNED[kind])
    envelope = Envelope.from_dict(json.loads(raw))
    theirs = {owner: SSlibKey(s.id, "ed25519", "ed25519", {"public": s.public.hex()}) for owner, s in KEYS.items()}
    assert [key.keyid for key in envelope.verify([theirs["harness"]], 1).values()] == [HARNESS.id]
    assert envelope.pae() == signing.pae(base64.b64decode(json.loads(raw)["payload"]))
    with pytest.raises(VerificationError):
        envelope.verify([theirs["ann"]], 1)


KEYS = {"harness": HARNESS, "ann": ANN}


def test_an_envelope_of_securesystemslib_is_accepted_in_canonical_form() -> None:
    payload = base64.b64decode(json.loads(signing.sign(HARNESS, "task", TASK_DIGEST, SIGNED["task"]))["payload"])
    theirs = Envelope(payload, signing.PAYLOAD_TYPE, {})
    signature = {"keyid": HARNESS.id, "sig": base64.b64encode(HARNESS.sign(theirs.pae())).decode()}
    raw = codec.encode({**theirs.to_dict(), "signatures": [signature]})
    keyring = Keyring(keys=(public(HARNESS, "harness", "harness"),))
    found = signing.verify(raw, keyring, "harness", "task", type(SIGNED["task"]), at=NOW)
    assert found.predicate == SIGNED["task"]


TASK_DIGEST = codec.digest(SIGNED["task"])


@pytest.mark.parametrize("case", cases("envelopes"), ids=name)
def test_golden_envelopes(case: dict[str, Any]) -> None:
    keyring = codec.convert(case["keyring"], Keyring)
    kind = type(SIGNED[case["kind"]])
    raw = case["envelope"].encode()
    if case["code"]:
        with pytest.raises(InterlockError) as caught:
            signing.verify(raw, keyring, case["role"], case["kind"], kind, at=case["at"], threshold=case["threshold"])
        assert caught.value.code == case["code"]
        return
    found = signing.verify(raw, keyring, case["role"], case["kind"], kind, at=case["at"], threshold=case["threshold"])
    assert found.subject == case["subject"] == codec.digest(found.predicate)
    assert independent_verifier(raw, bytes.fromhex(case["public"]), case["kind"]) == case["predicate"]


@pytest.mark.parametrize("kind", SIGNED)
def test_signing_is_deterministic_and_equals_the_golden_bytes(kind: str) -> None:
    golden = {case["kind"]: case["envelope"].encode() for case in cases("envelopes") if not case["code"]}
    assert signing.sign(HARNESS, kind, codec.digest(SIGNED[kind]), SIGNED[kind]) == golden[kind]
