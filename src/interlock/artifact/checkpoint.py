"""Signed tree heads: C2SP tlog-checkpoint, signed-note, tlog-cosignature v1 and tlog-proof v1, strictly bounded.

A note counts only when a *given* key signed it; lines of unknown keys are ignored, and a line of a given key that
does not verify rejects the whole note.  No key given means no note verifies.  Everything raises
``IntegrityError`` (``note.*``, ``checkpoint.*``, ``proof.*``).

>>> key = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
>>> log = note_key("example.com/log", key)
>>> note = sign_checkpoint(Checkpoint(origin="example.com/log", size=0, root=merkle.EMPTY_ROOT), key)
>>> open_checkpoint(note, [log]).size
0
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from interlock.artifact import merkle
from interlock.artifact.codec import MAX_INTEGER, Value
from interlock.artifact.errors import IntegrityError

NOTE = 0x01
COSIGNATURE = 0x04
MAX_NOTE = 1 << 17
MAX_SIGNATURES = 32
MAX_PROOF = 63
PROOF_HEADER = "c2sp.org/tlog-proof@v1"

_DASH = "\N{EM DASH} "
_NAME = re.compile(r"[^\s+\x00-\x1f]{1,255}")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,15}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


class NoteKey(Value, frozen=True, kw_only=True):
    """A public key that may sign notes: a log's (type ``NOTE``) or a witness's (type ``COSIGNATURE``)."""

    name: str
    kind: int = NOTE
    public: bytes

    @property
    def id(self) -> bytes:
        """The first four bytes of SHA-256(name || 0x0A || type || key)."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    @property
    def vkey(self) -> str:
        """``NAME+HEXID+BASE64(type || key)``, the usual text of a verifier key."""
        return f"{self.name}+{self.id.hex()}+{_b64(bytes([self.kind]) + self.public)}"


class NoteSignature(Value, frozen=True, kw_only=True):
    """One signature line."""

    name: str
    key_id: bytes
    value: bytes


class Note(Value, frozen=True, kw_only=True):
    """A parsed and still unverified note; ``text`` ends in a newline."""

    text: str
    signatures: tuple[NoteSignature, ...]


class Checkpoint(Value, frozen=True, kw_only=True):
    """The head of a log: so many leaves with that root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The body that is signed."""
        return f"{self.origin}\n{self.size}\n{_b64(self.root)}\n"


class LogProof(Value, frozen=True, kw_only=True):
    """An offline proof: the leaf ``index`` stands in the log whose checkpoint ``note`` is."""

    index: int
    hashes: tuple[bytes, ...]
    note: bytes


def note_key(name: str, key: Ed25519PrivateKey | Ed25519PublicKey, kind: int = NOTE) -> NoteKey:
    """The verifier key of a private or public key."""
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    if not _NAME.fullmatch(name):
        raise IntegrityError("note.name", "a key name is 1 to 255 characters without spaces or '+'")
    return NoteKey(name=name, kind=kind, public=public.public_bytes_raw())


def parse_vkey(text: str) -> NoteKey:
    """Read ``NAME+HEXID+BASE64``; raises ``IntegrityError`` with ``note.key``."""
    name, _, rest = text.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    raw = _unb64(encoded, "note.key")
    if len(raw) != 33 or raw[0] not in {NOTE, COSIGNATURE} or not _NAME.fullmatch(name):  # noqa: PLR2004
        raise IntegrityError("note.key", "not an Ed25519 verifier key (NAME+ID+BASE64)")
    key = NoteKey(name=name, kind=raw[0], public=raw[1:])
    if key.id.hex() != key_id:
        raise IntegrityError("note.key", "a verifier key whose id is not its own")
    return key


def parse_note(raw: bytes) -> Note:
    """Split a note into text and signature lines; raises ``IntegrityError`` with ``note.malformed``."""
    text, blank, signed = _text(raw).rpartition("\n\n")
    lines = signed.split("\n")
    if not blank or lines.pop() or not 0 < len(lines) <= MAX_SIGNATURES:
        raise IntegrityError("note.malformed", "no text, blank line and 1 to 32 signature lines")
    return Note(text=text + "\n", signatures=tuple(_signature(line) for line in lines))


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a note's text as a checkpoint (extension lines are carried, not read)."""
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() or not all(lines) or not _DECIMAL.fullmatch(lines[1]):  # noqa: PLR2004
        raise IntegrityError("checkpoint.malformed", "not an origin, a size and a root on three lines")
    root = _unb64(lines[2], "checkpoint.malformed")
    size = int(lines[1])
    if len(root) != merkle.HASH_BYTES or size > MAX_INTEGER:
        raise IntegrityError("checkpoint.malformed", "a root that is no SHA-256, or a size beyond 53 bits")
    return Checkpoint(origin=lines[0], size=size, root=root)


def sign_checkpoint(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> bytes:
    """The signed note of a checkpoint; the key's name is the origin."""
    text = checkpoint.text()
    line = _line(note_key(checkpoint.origin, key), key.sign(text.encode()))
    return f"{text}\n{line}".encode()


def open_checkpoint(raw: bytes, keys: Sequence[NoteKey]) -> Checkpoint:
    """The checkpoint of a note that one of the log's ``keys`` signed; raises ``IntegrityError``.

    1. The note is well-formed and bounded.  2. Each line of a given key verifies, and there is one.
    3. The text is a checkpoint.  4. Its origin is the name of the key that signed it.
    """
    note = parse_note(raw)  # (1)
    signed_by = _signed_by(note, [key for key in keys if key.kind == NOTE])  # (2)
    if not signed_by:
        raise IntegrityError("note.untrusted", "no signature by a key of this log")
    checkpoint = parse_checkpoint(note.text)  # (3)
    if not any(key.name == checkpoint.origin for key in signed_by):  # (4)
        raise IntegrityError("checkpoint.origin", "signed under another origin's key")
    return checkpoint


def cosign(raw: bytes, key: Ed25519PrivateKey, name: str, seconds: int) -> str:
    """A witness's signature line over a note's text at a time in seconds; the caller has checked the note."""
    signature = key.sign(_cosigned(parse_note(raw).text, seconds))
    return _line(note_key(name, key, COSIGNATURE), seconds.to_bytes(8, "big") + signature)


def verify_cosignatures(raw: bytes, witnesses: Sequence[NoteKey], threshold: int = 1) -> tuple[str, ...]:
    """The names of the distinct witnesses that cosigned a note; fewer than ``threshold`` is ``note.cosignatures``."""
    note = parse_note(raw)
    signed = {key.public: key.name for key in _signed_by(note, [k for k in witnesses if k.kind == COSIGNATURE])}
    if threshold < 1 or len(signed) < threshold:
        raise IntegrityError("note.cosignatures", f"{len(signed)} of {max(threshold, 1)} witnesses cosigned")
    return tuple(signed.values())


def format_proof(proof: LogProof) -> bytes:
    """The text of a ``.tlog-proof`` file."""
    return format_hashes(f"{PROOF_HEADER}\nindex", proof.index, proof.hashes) + proof.note


def parse_proof(raw: bytes) -> LogProof:
    """Read a ``.tlog-proof`` file; raises ``IntegrityError`` with ``proof.malformed``.  Extra data is passed over."""
    header, _, rest = raw.partition(b"\n")
    if header != PROOF_HEADER.encode():
        raise IntegrityError("proof.malformed", "not a tlog-proof of version 1")
    if rest.startswith(b"extra "):
        rest = rest.partition(b"\n")[2]
    index, hashes, note = parse_hashes("index", rest)
    return LogProof(index=index, hashes=hashes, note=note)


def format_hashes(word: str, number: int, hashes: Sequence[bytes]) -> bytes:
    """``WORD NUMBER``, then hashes line by line, then an empty line: what stands before a note in proofs."""
    return "\n".join([f"{word} {number}", *map(_b64, hashes), "", ""]).encode()


def parse_hashes(word: str, raw: bytes) -> tuple[int, tuple[bytes, ...], bytes]:
    """The number, the hashes and the note after them; raises ``IntegrityError`` with ``proof.malformed``."""
    head, blank, note = _text(raw).partition("\n\n")
    first, *lines = head.split("\n")
    found, _, number = first.partition(" ")
    if not blank or found != word or not _DECIMAL.fullmatch(number) or len(lines) > MAX_PROOF:
        raise IntegrityError("proof.malformed", f"not '{word}', a number, and at most {MAX_PROOF} hashes")
    return int(number), tuple(_unb64(line, "proof.malformed") for line in lines), note.encode()


def verify_proof(raw: bytes, leaf: bytes, keys: Sequence[NoteKey]) -> Checkpoint:
    """Check that ``leaf`` (its bytes) stands in the log of ``keys``; raises ``IntegrityError``."""
    proof = parse_proof(raw)
    checkpoint = open_checkpoint(proof.note, keys)
    merkle.verify_inclusion(merkle.leaf_hash(leaf), proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    return checkpoint


def _signed_by(note: Note, keys: Sequence[NoteKey]) -> list[NoteKey]:
    found: list[NoteKey] = []
    for signature in note.signatures:
        for key in keys:
            if (key.name, key.id) == (signature.name, signature.key_id):
                _check(key, note.text, signature.value)
                found.append(key)
    return found


def _check(key: NoteKey, text: str, value: bytes) -> None:
    message = text.encode()
    if key.kind == COSIGNATURE:
        stamp, value = value[:8], value[8:]
        message = _cosigned(text, int.from_bytes(stamp, "big"))
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(value, message)
    except InvalidSignature:
        raise IntegrityError("note.signature", f"a signature in the name of {key.name} does not verify") from None


def _cosigned(text: str, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


def _line(key: NoteKey, signature: bytes) -> str:
    return f"{_DASH}{key.name} {_b64(key.id + signature)}\n"


def _signature(line: str) -> NoteSignature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    raw = _unb64(encoded, "note.malformed")
    if not line.startswith(_DASH) or not _NAME.fullmatch(name) or len(raw) < 5:  # noqa: PLR2004
        raise IntegrityError("note.malformed", "a line that is no signature")
    return NoteSignature(name=name, key_id=raw[:4], value=raw[4:])


def _text(raw: bytes) -> str:
    if len(raw) > MAX_NOTE:
        raise IntegrityError("note.size", f"{len(raw)} bytes, allowed are {MAX_NOTE}")
    try:
        text = raw.decode("utf-8", "strict")
    except UnicodeDecodeError:
        raise IntegrityError("note.malformed", "not UTF-8") from None
    if _CONTROL.search(text):
        raise IntegrityError("note.malformed", "a control character")
    return text


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _unb64(text: str, code: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not raw or _b64(raw) != text:  # One spelling only: a note must not be malleable.
        raise IntegrityError(code, "not standard base64")
    return raw
