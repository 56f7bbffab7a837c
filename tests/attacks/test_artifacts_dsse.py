"""Traps of signed envelopes, by name: each must be refused with its code.

Sources: DSSE protocol 1.0 and its test notes, in-toto Attestation Framework, RFC 8032 section 5.1.7, and the
traps of field reports (a token that verifies under the attacker's own key, a key revoked too late).
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from interlock.artifact import codec, signing
from interlock.artifact.approval import Approval
from interlock.artifact.errors import InterlockError
from interlock.artifact.plan import Plan
from interlock.artifact.signing import Keyring, Signer
from support.samples import ANN, APPROVAL, HARNESS, KEYRING, MALLORY, NOW, PLAN, public

SUBJECT = codec.digest(PLAN)
ORDER = 2**252 + 27742317777372353535851937790883648493


def sealed(signer: Signer = HARNESS, kind: str = "plan", value: Any = PLAN, subject: str = SUBJECT) -> Any:
    return codec.parse(signing.sign(signer, kind, subject, value))


def resigned(signer: Signer = HARNESS, payload_type: str = signing.PAYLOAD_TYPE, **statement: Any) -> Any:
    """An envelope properly signed over a statement that differs from ours in ``statement``."""
    honest = codec.parse(base64.b64decode(sealed()["payload"]))
    payload = codec.encode({**honest, **statement})
    return signed_bytes(signer, payload, payload_type)


def signed_bytes(signer: Signer, payload: bytes, payload_type: str = signing.PAYLOAD_TYPE) -> Any:
    signature = base64.b64encode(signer.sign(signing.pae(payload, payload_type))).decode()
    encoded = base64.b64encode(payload).decode()
    signatures = [{"keyid": signer.id, "sig": signature}]
    return {"payload": encoded, "payloadType": payload_type, "signatures": signatures}


def with_signatures(*signatures: Any) -> Any:
    return {**sealed(), "signatures": list(signatures)}


def of(signer: Signer) -> Any:
    return sealed(signer)["signatures"][0]


def unused_bits(text: str) -> str:
    """The same bytes in another spelling: the unused bits of the last character set."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    body = text.rstrip("=")
    return body[:-1] + alphabet[alphabet.index(body[-1]) | 1] + text[len(body) :]


def malleable(signature: str) -> str:
    """S + L in place of S, which RFC 8032 tells verifiers to refuse."""
    raw = base64.b64decode(signature)
    s = int.from_bytes(raw[32:], "little") + ORDER
    return base64.b64encode(raw[:32] + s.to_bytes(32, "little")).decode()


UNTRUSTED, KIND, SCHEMA, BASE64 = "signature.untrusted", "signature.kind", "codec.schema", "signature.base64"
TRAPS: dict[str, tuple[Callable[[], Any], str]] = {
    "another payload type over the same bytes": (lambda: {**sealed(), "payloadType": "application/json"}, SCHEMA),
    "another payload type, honestly signed": (lambda: resigned(payload_type="application/json"), SCHEMA),
    "signed as another payload type, sent as ours": (
        lambda: {**resigned(payload_type="text/plain"), "payloadType": signing.PAYLOAD_TYPE},
        UNTRUSTED,
    ),
    "signed over the bare payload": (
        lambda: with_signatures(
            {
                "keyid": HARNESS.id,
                "sig": base64.b64encode(HARNESS.sign(base64.b64decode(sealed()["payload"]))).decode(),
            }
        ),
        UNTRUSTED,
    ),
    "the attacker's own key": (lambda: sealed(MALLORY), UNTRUSTED),
    "the attacker's signature under a trusted key id": (
        lambda: with_signatures({"keyid": HARNESS.id, "sig": of(MALLORY)["sig"]}),
        UNTRUSTED,
    ),
    "a trusted signature under the attacker's key id": (
        lambda: with_signatures({"keyid": MALLORY.id, "sig": of(HARNESS)["sig"]}),
        UNTRUSTED,
    ),
    "a trusted signature under another trusted key's id": (
        lambda: with_signatures({"keyid": ANN.id, "sig": of(HARNESS)["sig"]}),
        UNTRUSTED,
    ),
    "a trusted key in another role": (lambda: sealed(ANN), UNTRUSTED),
    "no key id": (lambda: with_signatures({"keyid": "", "sig": of(HARNESS)["sig"]}), SCHEMA),
    "a missing key id": (lambda: with_signatures({"sig": of(HARNESS)["sig"]}), SCHEMA),
    "no signature": (with_signatures, SCHEMA),
    "an empty signature": (lambda: with_signatures({"keyid": HARNESS.id, "sig": ""}), UNTRUSTED),
    "a signature of zeros": (
        lambda: with_signatures({"keyid": HARNESS.id, "sig": base64.b64encode(bytes(64)).decode()}),
        UNTRUSTED,
    ),
    "a signature with S + L": (
        lambda: with_signatures({"keyid": HARNESS.id, "sig": malleable(of(HARNESS)["sig"])}),
        UNTRUSTED,
    ),
    "one signature twice": (lambda: with_signatures(of(HARNESS), of(HARNESS)), SCHEMA),
    "two signatures by one key": (
        lambda: with_signatures(of(HARNESS), {"keyid": HARNESS.id, "sig": of(MALLORY)["sig"]}),
        SCHEMA,
    ),
    "nine signatures": (lambda: with_signatures(*[of(HARNESS)] * 9), SCHEMA),
    "a certificate smuggled into a signature": (
        lambda: with_signatures({**of(HARNESS), "cert": "x"}),
        SCHEMA,
    ),
    "an unknown field in the envelope": (lambda: {**sealed(), "note": "x"}, SCHEMA),
    "an approval replayed as a plan": (lambda: sealed(HARNESS, "approval", APPROVAL), KIND),
    "a plan under an approval's type": (
        lambda: resigned(predicateType=signing.predicate_type("approval")),
        KIND,
    ),
    "a plan of another version": (lambda: resigned(predicateType=f"{signing.PREDICATES}/plan/v2"), KIND),
    "a plan under a foreign type": (lambda: resigned(predicateType="https://slsa.dev/provenance/v1"), KIND),
    "a subject of another name": (
        lambda: resigned(subject=[{"name": "task", "digest": {"sha256": SUBJECT}}]),
        KIND,
    ),
    "an approval's predicate in a plan's statement": (lambda: resigned(predicate=codec.builtin(APPROVAL)), SCHEMA),
    "no subject": (lambda: resigned(subject=[]), SCHEMA),
    "two subjects": (lambda: resigned(subject=[{"name": "plan", "digest": {"sha256": SUBJECT}}] * 2), SCHEMA),
    "a subject without a digest": (lambda: resigned(subject=[{"name": "plan", "digest": {}}]), SCHEMA),
    "a subject with a weaker digest too": (
        lambda: resigned(subject=[{"name": "plan", "digest": {"sha256": SUBJECT, "md5": "0"}}]),
        SCHEMA,
    ),
    "a subject with another digest alone": (
        lambda: resigned(subject=[{"name": "plan", "digest": {"sha512": SUBJECT}}]),
        SCHEMA,
    ),
    "an old statement type": (lambda: resigned(_type="https://in-toto.io/Statement/v0.1"), SCHEMA),
    "an unknown field in the statement": (lambda: resigned(note="x"), SCHEMA),
    "an unknown field in the predicate": (lambda: resigned(predicate={**codec.builtin(PLAN), "x": 1}), SCHEMA),  # type: ignore[dict-item]
    "a payload that leaves a default out": (
        lambda: resigned(predicate={k: v for k, v in codec.builtin(PLAN).items() if k != "finished"}),  # type: ignore[union-attr]
        "codec.not_canonical",
    ),
    "a payload in another spelling": (lambda: signed_bytes(HARNESS, b'{"_type": 1}'), "codec.not_canonical"),
    "a payload with a duplicate key": (lambda: signed_bytes(HARNESS, b'{"a":1,"a":2}'), "codec.duplicate_key"),
    "a payload with a hidden character": (
        lambda: resigned(predicate={**codec.builtin(PLAN), "goal": "a\u202eb"}),  # type: ignore[dict-item]
        "codec.hidden",
    ),
    "a payload that is no JSON": (lambda: signed_bytes(HARNESS, b"plan"), "codec.syntax"),
    "an empty payload": (lambda: signed_bytes(HARNESS, b""), "codec.syntax"),
    "url-safe base64": (
        lambda: with_signatures(
            {"keyid": HARNESS.id, "sig": "-_" + of(HARNESS)["sig"][2:]},
        ),
        BASE64,
    ),
    "white space in base64": (lambda: {**sealed(), "payload": sealed()["payload"].replace("A", "A\n", 1)}, BASE64),
    "white space after base64": (lambda: {**sealed(), "payload": sealed()["payload"] + " "}, BASE64),
    "base64 without its padding": (
        lambda: with_signatures({"keyid": HARNESS.id, "sig": of(HARNESS)["sig"].rstrip("=")}),
        BASE64,
    ),
    "base64 with more padding": (
        lambda: with_signatures({"keyid": HARNESS.id, "sig": of(HARNESS)["sig"] + "="}),
        BASE64,
    ),
    "base64 with unused bits set": (
        lambda: with_signatures({"keyid": HARNESS.id, "sig": unused_bits(of(HARNESS)["sig"])}),
        BASE64,
    ),
    "base64 beyond ASCII": (lambda: {**sealed(), "payload": "\u00e9"}, BASE64),
    "hexadecimal for base64": (
        lambda: with_signatures({"keyid": HARNESS.id, "sig": base64.b64decode(of(HARNESS)["sig"]).hex()}),
        UNTRUSTED,
    ),
}


def verify(envelope: Any, **more: Any) -> signing.Verified[Plan]:
    wanted = {"keyring": KEYRING, "role": "harness", "kind": "plan", "as_type": Plan, "at": NOW, **more}
    raw = envelope if isinstance(envelope, bytes) else codec.encode(envelope)
    return signing.verify(raw, **wanted)


@pytest.mark.parametrize("trap", TRAPS)
def test_trap(trap: str) -> None:
    make, code = TRAPS[trap]
    with pytest.raises(InterlockError) as caught:
        verify(make())
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "codec.syntax"),
        (b"null", SCHEMA),
        (b"[]", SCHEMA),
        (b" " + codec.encode(sealed()), "codec.not_canonical"),
        (codec.encode(sealed()) * 2, "codec.syntax"),
        (codec.encode({**sealed(), "payload": "A" * (2 << 20)}), "codec.size"),
        (b'{"payload":"","payload":"","payloadType":"","signatures":[]}', "codec.duplicate_key"),
    ],
)
def test_bytes_that_are_no_envelope(raw: bytes, code: str) -> None:
    with pytest.raises(InterlockError) as caught:
        verify(raw)
    assert caught.value.code == code


# ---- thresholds ---------------------------------------------------------------------------------------

BOTH = Keyring(keys=(public(HARNESS, "harness", "harness"), public(ANN, "ann", "harness")))


def test_two_keys_make_a_threshold_of_two() -> None:
    found = verify(with_signatures(of(HARNESS), of(ANN)), keyring=BOTH, threshold=2)
    assert set(found.owners) == {"harness", "ann"}


@pytest.mark.parametrize(
    ("signatures", "threshold"),
    [
        ([of(HARNESS)], 2),
        ([of(HARNESS), of(MALLORY)], 2),
        ([of(HARNESS), {"keyid": ANN.id, "sig": of(HARNESS)["sig"]}], 2),
        ([of(HARNESS), of(ANN)], 3),
        ([of(HARNESS)], 0),
        ([of(HARNESS)], -1),
    ],
    ids=["one", "one and a stranger", "one under two ids", "two of three", "zero", "negative"],
)
def test_a_threshold_that_is_not_met(signatures: list[Any], threshold: int) -> None:
    with pytest.raises(InterlockError, match=r"signature\.untrusted"):
        verify(with_signatures(*signatures), keyring=BOTH, threshold=threshold)


def test_a_signature_of_a_stranger_beside_a_trusted_one_does_no_harm() -> None:
    assert verify(with_signatures(of(MALLORY), of(HARNESS))).owners == ("harness",)


# ---- time ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "at", "counts"),
    [
        ({"not_before": 10}, 9, False),
        ({"not_before": 10}, 10, True),
        ({"not_after": 10}, 9, True),
        ({"not_after": 10}, 10, False),
        ({"revoked_from": 10}, 9, True),
        ({"revoked_from": 10}, 10, False),
        ({"not_after": 20, "revoked_from": 10}, 15, False),
        ({"not_after": 10, "revoked_from": 20}, 15, False),
        ({"revoked_from": 0}, 0, False),
    ],
)
def test_a_key_counts_only_in_its_time(window: dict[str, int], at: int, counts: bool) -> None:
    keyring = Keyring(keys=(public(HARNESS, "harness", "harness", **window),))
    if counts:
        assert verify(sealed(), keyring=keyring, at=at).subject == SUBJECT
    else:
        with pytest.raises(InterlockError, match=r"signature\.untrusted"):
            verify(sealed(), keyring=keyring, at=at)


def test_an_empty_keyring_trusts_nobody() -> None:
    with pytest.raises(InterlockError, match=r"signature\.untrusted"):
        verify(sealed(), keyring=Keyring())


# ---- keyrings -----------------------------------------------------------------------------------------


def test_a_revoked_key_cannot_come_back_as_a_second_entry() -> None:
    revoked = public(HARNESS, "harness", "harness", revoked_from=1)
    keys = codec.builtin([revoked, public(HARNESS, "harness", "harness")])
    with pytest.raises(InterlockError, match=r"codec\.schema.*twice"):
        codec.convert({"keys": keys}, Keyring)


def test_a_key_cannot_take_another_keys_id() -> None:
    fields = {**codec.builtin(public(MALLORY, "harness", "harness")), "id": HARNESS.id}  # type: ignore[dict-item]
    with pytest.raises(InterlockError, match=r"codec\.schema.*SHA-256"):
        codec.convert({"keys": [fields]}, Keyring)


def test_a_verified_value_cannot_be_made_by_hand() -> None:
    with pytest.raises(TypeError):
        signing.Verified(object(), PLAN, SUBJECT, ())


def test_what_nobody_could_verify_is_not_signed() -> None:
    large = msgspec.structs.replace(APPROVAL, reason="x" * codec.MAX_BYTES)
    with pytest.raises(InterlockError, match=r"codec\.size"):
        signing.sign(ANN, "approval", SUBJECT, large)


def test_a_large_plan_verifies() -> None:
    step = msgspec.structs.replace(PLAN.steps[0], arguments={"text": "x" * 200_000})
    large = msgspec.structs.replace(PLAN, steps=(step, step, step))
    assert verify(signing.sign(HARNESS, "plan", SUBJECT, large)).predicate == large


def test_an_approvers_word_is_read_in_the_approvers_role() -> None:
    raw = signing.sign(ANN, "approval", SUBJECT, APPROVAL)
    found = signing.verify(raw, KEYRING, "approver", "approval", Approval, at=NOW)
    assert (found.predicate.word, found.keys, found.owners) == ("approve", (ANN.id,), ("ann",))
