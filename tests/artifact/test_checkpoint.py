"""Notes, checkpoints, cosignatures and offline proofs against published examples, and strict in each detail."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from interlock.artifact import checkpoint as notes
from interlock.artifact import merkle
from interlock.artifact.checkpoint import COSIGNATURE, Checkpoint, LogProof
from interlock.artifact.errors import IntegrityError

# The signed note that the documentation of Go's golang.org/x/mod/sumdb/note shows, with its verifier key.
PUBLISHED_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PUBLISHED = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
WITNESS = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
ORIGIN = "example.com/log"
LOG = notes.note_key(ORIGIN, KEY)
WITNESS_KEY = notes.note_key("witness.example/w1", WITNESS, COSIGNATURE)
LEAVES = [b"a", b"b", b"c"]


def tree() -> tuple[merkle.Frontier, dict[tuple[int, int], bytes]]:
    frontier = merkle.Frontier()
    nodes = {(n.level, n.place): n.hash for leaf in LEAVES for n in frontier.append(merkle.leaf_hash(leaf))}
    return frontier, nodes


HEAD = Checkpoint(origin=ORIGIN, size=3, root=tree()[0].root())
NOTE = notes.sign_checkpoint(HEAD, KEY)


def code(call: Callable[[], object]) -> str:
    with pytest.raises(IntegrityError) as caught:
        call()
    return caught.value.code


def resigned(text: str) -> bytes:
    """Any text as a note by the log's key."""
    raw = base64.b64encode(LOG.id + KEY.sign(text.encode())).decode()
    return f"{text}\n— {ORIGIN} {raw}\n".encode()


def test_a_published_note_verifies() -> None:
    key = notes.parse_vkey(PUBLISHED_KEY)
    assert key.vkey == PUBLISHED_KEY
    # Its signature holds, so what is wrong with it as a checkpoint is only its text.
    assert code(lambda: notes.open_checkpoint(PUBLISHED, [key])) == "checkpoint.malformed"
    altered = PUBLISHED.replace(b"problem is", b"problem was")
    assert code(lambda: notes.open_checkpoint(altered, [key])) == "note.signature"


def test_round_trip() -> None:
    assert notes.open_checkpoint(NOTE, [LOG]) == HEAD
    assert NOTE.decode().startswith(f"{ORIGIN}\n3\n")
    assert notes.parse_vkey(LOG.vkey) == LOG
    assert notes.parse_vkey(WITNESS_KEY.vkey) == WITNESS_KEY


def test_extension_lines_are_signed_and_carried() -> None:
    assert notes.open_checkpoint(resigned(HEAD.text() + "extension\n"), [LOG]) == HEAD


ROOT = base64.b64encode(HEAD.root).decode()
TEXTS = {
    "no root": f"{ORIGIN}\n3\n",
    "leading zero": f"{ORIGIN}\n03\n{ROOT}\n",
    "negative": f"{ORIGIN}\n-3\n{ROOT}\n",
    "plus": f"{ORIGIN}\n+3\n{ROOT}\n",
    "other digits": f"{ORIGIN}\n٣\n{ROOT}\n",
    "too large": f"{ORIGIN}\n{10**16 - 1}\n{ROOT}\n",
    "short root": f"{ORIGIN}\n3\n{base64.b64encode(HEAD.root[:31]).decode()}\n",
    "root without padding": f"{ORIGIN}\n3\n{ROOT.rstrip('=')}\n",
    "root with loose bits": f"{ORIGIN}\n3\n{ROOT[:-2]}{chr(ord(ROOT[-2]) + 1)}=\n",
    "empty origin": f"\n3\n{ROOT}\n",
    "empty extension": f"{ORIGIN}\n3\n{ROOT}\n\nx\n",
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_signed_text_that_is_no_checkpoint(name: str) -> None:
    assert code(lambda: notes.open_checkpoint(resigned(TEXTS[name]), [LOG])) == "checkpoint.malformed"


OTHER = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
WRONG_NOTES = {
    "empty": (b"", "note.malformed"),
    "no signature": (HEAD.text().encode() + b"\n", "note.malformed"),
    "no blank line": (NOTE.replace(b"\n\n", b"\n"), "note.malformed"),
    "no last newline": (NOTE[:-1], "note.malformed"),
    "carriage return": (NOTE.replace(b"\n3\n", b"\r\n3\n"), "note.malformed"),
    "tab": (NOTE.replace(b"3", b"\t3", 1), "note.malformed"),
    "not UTF-8": (b"\xff" + NOTE, "note.malformed"),
    "hyphen for dash": (NOTE.replace("—".encode(), b"-"), "note.malformed"),
    "plus in a name": (NOTE + "— exa+mple AAAAAAA=\n".encode(), "note.malformed"),
    "key id alone": (NOTE + "— example.com/w AAAAAA==\n".encode(), "note.malformed"),
    "no dash": (NOTE + b"example.com/w AAAAAAA=\n", "note.malformed"),
    "too long": (NOTE + b"x" * notes.MAX_NOTE, "note.size"),
    "too many lines": (NOTE + b"".join(NOTE.splitlines(keepends=True)[-1:]) * 32, "note.malformed"),
    "unknown key": (notes.sign_checkpoint(HEAD, OTHER), "note.untrusted"),
    "known and broken": (NOTE.replace(b"\n3\n", b"\n4\n"), "note.signature"),
    "another origin": (
        notes.sign_checkpoint(Checkpoint(origin="example.com/other", size=3, root=HEAD.root), KEY),
        "note.untrusted",
    ),
    "another origin under our name": (resigned(HEAD.text().replace(ORIGIN, "example.com/other")), "checkpoint.origin"),
}


@pytest.mark.parametrize("name", WRONG_NOTES)
def test_wrong_notes(name: str) -> None:
    raw, expected = WRONG_NOTES[name]
    assert code(lambda: notes.open_checkpoint(raw, [LOG])) == expected


def test_no_key_verifies_nothing() -> None:
    assert code(lambda: notes.open_checkpoint(NOTE, [])) == "note.untrusted"
    assert code(lambda: notes.open_checkpoint(NOTE, [WITNESS_KEY])) == "note.untrusted"


def test_lines_of_unknown_keys_are_passed_over() -> None:
    stranger = notes.sign_checkpoint(HEAD, OTHER).splitlines(keepends=True)[-1]
    assert notes.open_checkpoint(NOTE + stranger, [LOG]) == HEAD


@given(st.integers(0, len(NOTE) - 1), st.integers(0, 7))
def test_every_flipped_bit_is_noticed(position: int, bit: int) -> None:
    raw = bytearray(NOTE)
    raw[position] ^= 1 << bit
    code(lambda: notes.open_checkpoint(bytes(raw), [LOG]))


KEYS = {
    "empty": "",
    "no id": f"{ORIGIN}+{LOG.vkey.rpartition('+')[2]}",
    "another id": LOG.vkey.replace(LOG.id.hex(), "00000000"),
    "short": f"{ORIGIN}+{LOG.id.hex()}+{base64.b64encode(LOG.public).decode()}",
    "another type": f"{ORIGIN}+{LOG.id.hex()}+{base64.b64encode(bytes([2]) + LOG.public).decode()}",
    "a space": LOG.vkey.replace("example", "exa mple"),
}


@pytest.mark.parametrize("name", KEYS)
def test_wrong_verifier_keys(name: str) -> None:
    assert code(lambda: notes.parse_vkey(KEYS[name])) == "note.key"


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "x" * 256])
def test_wrong_key_names(name: str) -> None:
    assert code(lambda: notes.note_key(name, KEY)) == "note.name"


def test_cosignature() -> None:
    line = notes.cosign(NOTE, WITNESS, WITNESS_KEY.name, 1_679_315_147)
    cosigned = NOTE + line.encode()
    assert notes.verify_cosignatures(cosigned, [WITNESS_KEY]) == (WITNESS_KEY.name,)
    assert notes.open_checkpoint(cosigned, [LOG, WITNESS_KEY]) == HEAD
    # An independent reading of the specification's signed message.
    raw = base64.b64decode(line.split(" ")[2])
    assert raw[4:12] == (1_679_315_147).to_bytes(8, "big")
    message = b"cosignature/v1\ntime 1679315147\n" + HEAD.text().encode()
    WITNESS.public_key().verify(raw[12:], message)


def test_cosignatures_are_counted_by_key() -> None:
    line = notes.cosign(NOTE, WITNESS, WITNESS_KEY.name, 1).encode()
    twice = NOTE + line + notes.cosign(NOTE, WITNESS, WITNESS_KEY.name, 2).encode()
    second = notes.note_key("witness.example/w2", OTHER, COSIGNATURE)
    assert code(lambda: notes.verify_cosignatures(twice, [WITNESS_KEY, second], 2)) == "note.cosignatures"
    assert code(lambda: notes.verify_cosignatures(NOTE, [WITNESS_KEY])) == "note.cosignatures"
    assert code(lambda: notes.verify_cosignatures(twice, [WITNESS_KEY], 0)) == "note.cosignatures"
    assert code(lambda: notes.verify_cosignatures(twice, [], 1)) == "note.cosignatures"
    both = twice + notes.cosign(NOTE, OTHER, second.name, 3).encode()
    assert notes.verify_cosignatures(both, [WITNESS_KEY, second], 2) == (WITNESS_KEY.name, second.name)
    moved = NOTE.replace(b"\n3\n", b"\n4\n") + line
    assert code(lambda: notes.verify_cosignatures(moved, [WITNESS_KEY])) == "note.signature"


def proof_text(index: int = 1) -> bytes:
    hashes = tuple(merkle.inclusion_proof(index, 3, lambda level, place: tree()[1][level, place]))
    return notes.format_proof(LogProof(index=index, hashes=hashes, note=NOTE))


def test_offline_proof() -> None:
    assert notes.verify_proof(proof_text(), b"b", [LOG]) == HEAD
    assert proof_text().startswith(b"c2sp.org/tlog-proof@v1\nindex 1\n")
    with_extra = proof_text().replace(b"index", b"extra AAAA\nindex", 1)
    assert notes.verify_proof(with_extra, b"b", [LOG]) == HEAD
    assert code(lambda: notes.verify_proof(proof_text(), b"c", [LOG])) == "proof.root"


PROOFS = {
    "another header": proof_text().replace(b"@v1", b"@v2"),
    "no index": proof_text().replace(b"index 1\n", b""),
    "leading zero": proof_text().replace(b"index 1", b"index 01"),
    "no blank line": proof_text().replace(b"\n\n", b"\n"),
    "bad hash": proof_text().replace(b"index 1\n", b"index 1\n!!!!\n"),
    "too many hashes": proof_text().replace(b"index 1\n", b"index 1\n" + b"AAAA\n" * 64),
}


@pytest.mark.parametrize("name", PROOFS)
def test_wrong_proofs(name: str) -> None:
    assert code(lambda: notes.parse_proof(PROOFS[name])) == "proof.malformed"


def test_a_keys_id_and_text_are_those_of_the_specification() -> None:
    """C2SP signed-note and tlog-cosignature: type 0x01 for a log's key, 0x04 for a witness's."""
    for kind, byte in ((notes.NOTE, b"\x01"), (COSIGNATURE, b"\x04")):
        key = notes.note_key("example.com/log", WITNESS, kind)
        public = WITNESS.public_key().public_bytes_raw()
        assert key.id == hashlib.sha256(b"example.com/log\n" + byte + public).digest()[:4]
        assert key.vkey == f"example.com/log+{key.id.hex()}+{base64.b64encode(byte + public).decode()}"
        assert notes.parse_vkey(key.vkey) == key
