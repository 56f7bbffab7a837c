"""How payloads are sealed: AES-256-GCM, one key per payload, wrapped under its task's key, that under the ledger's.

The salt is sealed with its payload, so that a commitment tells nothing once the key is gone.  A payload key is used
once, hence its constant nonce; wrapping keys use random ones.  The commitment is bound to both as associated data.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from interlock.artifact import entry as entries
from interlock.artifact.codec import Value
from interlock.artifact.entry import SALT_BYTES, Entry
from interlock.artifact.errors import IntegrityError, StateError

MAX_PAYLOAD = 8 << 20
KEY_BYTES = 32
NONCE_BYTES = 12
_ONCE = bytes(NONCE_BYTES)
_RANDOM = SALT_BYTES + KEY_BYTES  # What each record takes for itself alone.


class Sealed(Value, frozen=True, kw_only=True):
    """A record on its way into the ledger: leaf bytes, sealed payload, and the key that opens it."""

    task: str
    leaf: bytes
    commitment: bytes
    box: bytes
    key: bytes


def seal_all(records: Iterable[tuple[Entry, bytes]]) -> list[Sealed]:
    """Salt, commit and encrypt; raises ``CodecError`` or ``StateError`` for what could not be read back."""
    drafts = list(records)
    random = os.urandom(len(drafts) * _RANDOM)
    return [
        _seal(draft, payload, random[at : at + _RANDOM])
        for at, (draft, payload) in zip(range(0, len(random), _RANDOM), drafts, strict=True)
    ]


def _seal(draft: Entry, payload: bytes, random: bytes) -> Sealed:
    if len(payload) > MAX_PAYLOAD:
        raise StateError("ledger.payload_size", f"{len(payload)} bytes, allowed are {MAX_PAYLOAD}")
    if draft.commitment:
        raise StateError("ledger.draft", "a draft's commitment is the ledger's to fill in")
    salt, key = random[:SALT_BYTES], random[SALT_BYTES:]
    entry = entries.seal(draft, salt, payload)
    commitment = bytes.fromhex(entry.commitment)
    box = AESGCM(key).encrypt(_ONCE, salt + payload, commitment)
    return Sealed(task=entry.task, leaf=entries.leaf_of(entry), commitment=commitment, box=box, key=key)


def unseal(entry: Entry, box: bytes, key: bytes) -> tuple[bytes, bytes]:
    """Salt and payload, checked against the entry's commitment; raises ``IntegrityError``."""
    try:
        plain = AESGCM(key).decrypt(_ONCE, box, bytes.fromhex(entry.commitment))
    except (InvalidTag, ValueError):
        raise _altered() from None
    salt, payload = plain[:SALT_BYTES], plain[SALT_BYTES:]
    if entries.commitment(salt, payload) != entry.commitment:
        raise _altered()
    return salt, payload


def wrap(under: AESGCM, key: bytes, context: bytes) -> bytes:
    """A key sealed under another, bound to its context."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + under.encrypt(nonce, key, context)


def unwrap(under: bytes, wrapped: bytes, context: bytes) -> bytes:
    """The key again; raises ``IntegrityError``."""
    try:
        return AESGCM(under).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], context)
    except (InvalidTag, ValueError):
        raise _altered() from None


def storage_key(signer: Ed25519PrivateKey, origin: str) -> bytes:
    """The ledger's own key, derived from the signer's (HKDF-SHA-256), for whoever gives no other."""
    info = b"interlock ledger storage v1\n" + origin.encode()
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(signer.private_bytes_raw())


def _altered() -> IntegrityError:
    return IntegrityError("ledger.payload_altered", "a payload, salt or key that does not fit its entry")
