"""in-toto Statements (v1) in DSSE envelopes (v1.0) with Ed25519, and the keyring that says whose word counts.

Sources: DSSE protocol 1.0 (pre-authentication encoding), in-toto Attestation Framework Statement v1, RFC 8032.
``keyid`` says which trusted key to try and nothing more; what counts is that this key, valid at the given time
and holding the role, verifies.  Verification comes before parsing.  Stricter than the frameworks: unknown fields,
an absent or repeated ``keyid``, and every spelling but the canonical one, of base64 too, are refused, so that any
changed byte of a signed artifact is an error.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Annotated, Generic, Literal, TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from interlock.artifact import codec
from interlock.artifact.codec import Digest, Identifier, Json, Millis, Value
from interlock.artifact.errors import CodecError, SignatureError

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATES = "https://interlock.dev/spec"
MAX_SIGNATURES = 8

Role = Literal["harness", "approver", "witness", "executor"]
T = TypeVar("T")


class DigestSet(Value, frozen=True, kw_only=True):
    """in-toto's DigestSet with the one algorithm that counts here."""

    sha256: Digest


class Subject(Value, frozen=True, kw_only=True):
    """What a statement is about."""

    name: str
    digest: DigestSet


class Statement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """in-toto Statement v1 with one subject."""

    type_: Literal["https://in-toto.io/Statement/v1"] = msgspec.field(name="_type")
    subject: Annotated[tuple[Subject, ...], msgspec.Meta(min_length=1, max_length=1)]
    predicate_type: str = msgspec.field(name="predicateType")
    predicate: Mapping[str, Json]


class Signature(Value, frozen=True, kw_only=True):
    """One signature by the key whose id is ``keyid``."""

    keyid: Digest
    sig: Annotated[str, msgspec.Meta(max_length=128)]


class Envelope(Value, frozen=True, kw_only=True):
    """A DSSE envelope."""

    payload: str
    payload_type: Literal["application/vnd.in-toto+json"]
    signatures: Annotated[tuple[Signature, ...], msgspec.Meta(min_length=1, max_length=MAX_SIGNATURES)]

    def __post_init__(self) -> None:
        if len({signature.keyid for signature in self.signatures}) != len(self.signatures):
            raise ValueError("two signatures by one key")


class PublicKey(Value, frozen=True, kw_only=True):
    """A key that may speak in ``roles`` from ``not_before`` until ``not_after`` or ``revoked_from`` (milliseconds)."""

    id: Digest
    owner: Identifier
    public: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    roles: Annotated[tuple[Role, ...], msgspec.Meta(min_length=1, max_length=4)]
    not_before: Millis
    not_after: Millis | None = None
    revoked_from: Millis | None = None

    def __post_init__(self) -> None:
        if self.id != key_id(bytes.fromhex(self.public)):
            raise ValueError("the id is not the SHA-256 of the public key")

    def valid_at(self, at: int) -> bool:
        """Whether a signature made at ``at`` counts; one made before a revocation still does."""
        ends = [end for end in (self.not_after, self.revoked_from) if end is not None]
        return self.not_before <= at and all(at < end for end in ends)


class Keyring(Value, frozen=True, kw_only=True):
    """The keys that somebody trusts."""

    keys: Annotated[tuple[PublicKey, ...], msgspec.Meta(max_length=1024)] = ()

    def __post_init__(self) -> None:
        if len({key.id for key in self.keys}) != len(self.keys):
            raise ValueError("a key stands twice, so that its revocation could be passed by")

    def candidates(self, role: Role, at: int) -> tuple[PublicKey, ...]:
        """The keys that may speak in ``role`` at ``at``."""
        return tuple(key for key in self.keys if role in key.roles and key.valid_at(at))


class Verified(Generic[T]):
    """A predicate whose envelope was verified; only ``verify`` makes one (a habit, not the boundary)."""

    __slots__ = ("keys", "owners", "predicate", "subject")

    def __init__(self, token: object, predicate: T, subject: str, keys: tuple[PublicKey, ...]) -> None:
        if token is not _MINT:
            raise TypeError("Verified values come from interlock.artifact.signing.verify alone")
        self.predicate = predicate
        self.subject = subject
        self.keys = tuple(key.id for key in keys)
        self.owners = tuple(key.owner for key in keys)


_MINT = object()


class Signer:
    """A private key with its id; signs and never shows the key."""

    __slots__ = ("_key", "id", "public")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = key.public_key().public_bytes_raw()
        self.id = key_id(self.public)

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes."""
        return self._key.sign(message)


def key_id(public: bytes) -> str:
    """SHA-256 of the raw public key, in hexadecimal."""
    return hashlib.sha256(public).hexdigest()


def predicate_type(kind: str) -> str:
    """The predicate type URI of one of our artifacts, such as ``plan`` or ``approval``."""
    return f"{PREDICATES}/{kind}/v1"


def pae(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """DSSE pre-authentication encoding."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(signer: Signer, kind: str, subject: str, predicate: Value) -> bytes:
    """An envelope (canonical bytes) by ``signer`` that states ``predicate`` about the digest ``subject``.

    Raises ``CodecError`` where the statement is too large for anybody to verify.
    """
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": kind, "digest": {"sha256": subject}}],
        "predicateType": predicate_type(kind),
        "predicate": predicate,
    }
    payload = codec.encode(statement)
    if len(payload) > codec.MAX_BYTES:
        raise CodecError("codec.size", f"a statement of {len(payload)} bytes, allowed are {codec.MAX_BYTES}")
    signature = {"keyid": signer.id, "sig": _b64(signer.sign(pae(payload)))}
    return codec.encode({"payload": _b64(payload), "payloadType": PAYLOAD_TYPE, "signatures": [signature]})


def verify(
    raw: bytes, keyring: Keyring, role: Role, kind: str, as_type: type[T], *, at: int, threshold: int = 1
) -> Verified[T]:
    """The predicate of an envelope, or ``SignatureError``/``CodecError``.

    1. The envelope is canonical, bounded and of our payload type.
    2. At least ``threshold`` distinct trusted keys that hold ``role`` at ``at`` signed exactly these bytes.
    3. The statement is canonical, has one subject and the predicate type of ``kind``.
    4. The predicate is exactly one ``as_type``.
    """
    # (1) Bounds before anything is believed.
    envelope = codec.decode_canonical(raw, Envelope, limit=2 * codec.MAX_BYTES, data=True)
    payload = _unb64(envelope.payload)
    # (2) Signatures before any parsing of what they cover.
    signed_by = _signers(pae(payload), envelope.signatures, keyring.candidates(role, at))
    if threshold < 1 or len(signed_by) < threshold:
        raise SignatureError(
            "signature.untrusted",
            f"{len(signed_by)} of {max(threshold, 1)} signatures by a trusted {role} key that is valid at that time",
        )
    # (3) One subject, one kind.
    statement = codec.decode_canonical(payload, Statement)
    if statement.predicate_type != predicate_type(kind) or statement.subject[0].name != kind:
        raise SignatureError("signature.kind", f"a statement of another kind than {kind}")
    # (4) Exactly the predicate's type.
    predicate = codec.exactly(statement.predicate, as_type)
    return Verified(_MINT, predicate, statement.subject[0].digest.sha256, signed_by)


def _signers(message: bytes, signatures: tuple[Signature, ...], keys: tuple[PublicKey, ...]) -> tuple[PublicKey, ...]:
    """The distinct trusted keys that signed."""
    trusted = {key.id: key for key in keys}
    raw = {signature.keyid: _unb64(signature.sig) for signature in signatures}
    return tuple(trusted[id_] for id_, sig in raw.items() if id_ in trusted and _verifies(trusted[id_], message, sig))


def _verifies(key: PublicKey, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key.public)).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _unb64(text: str) -> bytes:
    """Standard base64 in its one spelling: padded, without whitespace, unused bits zero (RFC 4648, section 3.5)."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if _b64(raw) != text:
        raise SignatureError("signature.base64", "text that is not base64 in its one spelling")
    return raw
