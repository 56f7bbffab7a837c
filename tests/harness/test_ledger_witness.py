"""The witness: it cosigns what grows, remembers over restarts, and refuses everything else by the protocol's codes."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlock.artifact import checkpoint as notes
from interlock.artifact import merkle
from interlock.artifact.checkpoint import COSIGNATURE, Checkpoint
from interlock.artifact.errors import IntegrityError, StateError
from interlock.harness.ledger import Ledger
from interlock.harness.ledger.witness import cosign
from interlock.verify.witness import MAX_BODY, Witness, server
from support.ledgers import KEY, ORIGIN, OTHER_KEY, numbered, open_ledger

NAME = "witness.test/w1"
WITNESS = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
WITNESS_KEY = notes.note_key(NAME, WITNESS, COSIGNATURE)
SECONDS = 1_800_000_000


def witness(folder: Path) -> Witness:
    folder.mkdir(exist_ok=True)
    return Witness(folder, WITNESS, NAME, [notes.note_key(ORIGIN, KEY)])


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path) as opened:
        opened.append(numbered(5))
        yield opened


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with server(witness(tmp_path / "witness")) as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


def request(ledger: Ledger, old: int) -> bytes:
    new = notes.open_checkpoint(ledger.checkpoint(), [ledger.key]).size
    return notes.format_hashes("old", old, ledger.prove_consistency(old, new)) + ledger.checkpoint()


def test_a_growing_log_is_cosigned_again_and_again(ledger: Ledger, url: str) -> None:
    for count in (0, 1, 0, 7):
        ledger.append(numbered(count))
        note = cosign(ledger, url, WITNESS_KEY)
        assert notes.verify_cosignatures(note, [WITNESS_KEY]) == (NAME,)
        assert notes.open_checkpoint(note, [ledger.key]).size == ledger.size
        assert ledger.cosigned() == note
    ledger.append(numbered(1))
    assert ledger.verify().size == 14


def test_a_cosigned_head_anchors_the_log(ledger: Ledger, url: str, tmp_path: Path) -> None:
    cosigned = cosign(ledger, url, WITNESS_KEY)
    (tmp_path / "other").mkdir()
    with open_ledger(tmp_path / "other") as shorter:
        shorter.append(numbered(3))
        with pytest.raises(IntegrityError, match=r"ledger\.truncated"):
            cosign(shorter, url, WITNESS_KEY)
        with pytest.raises(IntegrityError, match=r"ledger\.truncated"):
            shorter.keep_cosigned(cosigned)
        for count in (2, 1):  # As long as what was seen, then longer: another history all the same.
            shorter.append(numbered(count, 50))
            with pytest.raises(IntegrityError) as caught:
                cosign(shorter, url, WITNESS_KEY)
            assert caught.value.code == "ledger.forked"


def test_the_client_believes_only_the_witness_it_knows(ledger: Ledger, url: str) -> None:
    stranger = notes.note_key(NAME, OTHER_KEY, COSIGNATURE)
    with pytest.raises(IntegrityError, match=r"note\.cosignatures"):
        cosign(ledger, url, stranger)
    assert ledger.cosigned() is None


def test_a_witness_of_other_logs_refuses(url: str, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with open_ledger(tmp_path / "other", origin="other.test/log") as stranger, pytest.raises(StateError) as caught:
        cosign(stranger, url, WITNESS_KEY)
    assert caught.value.code == "witness.refused"


def test_no_witness_is_a_fault_and_not_a_cosignature(ledger: Ledger) -> None:
    with pytest.raises(StateError, match=r"witness\.unreachable"):
        cosign(ledger, "http://127.0.0.1:1", WITNESS_KEY)


def test_a_restarted_witness_remembers(ledger: Ledger, tmp_path: Path) -> None:
    first = witness(tmp_path / "witness")
    assert first.add_checkpoint(request(ledger, 0), SECONDS)[0] is HTTPStatus.OK
    again = witness(tmp_path / "witness")
    assert again.add_checkpoint(request(ledger, 0), SECONDS) == (HTTPStatus.CONFLICT, "5\n")
    assert again.add_checkpoint(request(ledger, 5), SECONDS)[0] is HTTPStatus.OK


def test_a_damaged_memory_stops_the_witness(ledger: Ledger, tmp_path: Path) -> None:
    known = witness(tmp_path / "witness")
    known.add_checkpoint(request(ledger, 0), SECONDS)
    [memory] = (tmp_path / "witness").iterdir()
    memory.write_bytes(b"")
    with pytest.raises(IntegrityError, match=r"checkpoint\.malformed"):
        known.add_checkpoint(request(ledger, 0), SECONDS)


def signed(size: int, root: bytes, key: Ed25519PrivateKey = KEY, origin: str = ORIGIN) -> bytes:
    return notes.sign_checkpoint(Checkpoint(origin=origin, size=size, root=root), key)


ROOT = bytes(31) + b"\1"
REFUSED = {
    "nothing": (b"", HTTPStatus.BAD_REQUEST),
    "no note": (b"old 0\n\n", HTTPStatus.BAD_REQUEST),
    "no old size": (b"\n\n" + signed(9, ROOT), HTTPStatus.BAD_REQUEST),
    "leading zero": (b"old 05\n\n" + signed(9, ROOT), HTTPStatus.BAD_REQUEST),
    "old size too large": (b"old 9\n\n" + signed(6, ROOT), HTTPStatus.BAD_REQUEST),
    "too many hashes": (b"old 5\n" + b"AAAA\n" * 64 + b"\n" + signed(9, ROOT), HTTPStatus.BAD_REQUEST),
    "unknown log": (b"old 0\n\n" + signed(9, ROOT, origin="other.test/log"), HTTPStatus.NOT_FOUND),
    "another's key": (b"old 5\n\n" + signed(9, ROOT, OTHER_KEY), HTTPStatus.FORBIDDEN),
    "from nothing again": (b"old 0\n\n" + signed(9, ROOT), HTTPStatus.CONFLICT),
    "from elsewhere": (b"old 4\n\n" + signed(9, ROOT), HTTPStatus.CONFLICT),
    "another root of that size": (b"old 5\n\n" + signed(5, ROOT), HTTPStatus.CONFLICT),
    "no proof": (b"old 5\n\n" + signed(9, ROOT), HTTPStatus.UNPROCESSABLE_ENTITY),
    "wrong proof": (notes.format_hashes("old", 5, [ROOT] * 3) + signed(9, ROOT), HTTPStatus.UNPROCESSABLE_ENTITY),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(ledger: Ledger, tmp_path: Path, name: str) -> None:
    body, expected = REFUSED[name]
    known = witness(tmp_path / "witness")
    assert known.add_checkpoint(request(ledger, 0), SECONDS)[0] is HTTPStatus.OK
    status, answer = known.add_checkpoint(body, SECONDS)
    assert (status, answer) == (expected, "5\n" if expected is HTTPStatus.CONFLICT else "")
    assert known.add_checkpoint(request(ledger, 5), SECONDS)[0] is HTTPStatus.OK


def test_an_empty_log_can_be_cosigned(tmp_path: Path) -> None:
    body = b"old 0\n\n" + signed(0, merkle.EMPTY_ROOT)
    assert witness(tmp_path / "w").add_checkpoint(body, SECONDS)[0] is HTTPStatus.OK
    forged = b"old 0\n\n" + signed(0, ROOT)
    assert witness(tmp_path / "w").add_checkpoint(forged, SECONDS) == (HTTPStatus.CONFLICT, "0\n")


@pytest.mark.parametrize(
    ("path", "length"),
    [("/", "5"), ("/add-checkpoint", str(MAX_BODY + 1)), ("/add-checkpoint", "x"), ("/add-checkpoint", "9" * 5000)],
)
def test_the_server_reads_no_more_than_it_must(url: str, path: str, length: str) -> None:
    connection = HTTPConnection(url.removeprefix("http://"), timeout=10)
    connection.putrequest("POST", path)
    connection.putheader("Content-Length", length)
    connection.endheaders()
    assert connection.getresponse().status == HTTPStatus.BAD_REQUEST
    connection.close()


def test_the_conflict_names_its_media_type(url: str, ledger: Ledger) -> None:
    cosign(ledger, url, WITNESS_KEY)
    connection = HTTPConnection(url.removeprefix("http://"), timeout=10)
    connection.request("POST", "/add-checkpoint", request(ledger, 0))
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Content-Type"], answer.read()) == (409, "text/x.tlog.size", b"5\n")
    connection.close()


def test_as_a_process_of_its_own(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"w" * 32)
    command = [sys.executable, "-m", "interlock.verify.witness", str(tmp_path / "memory")]
    command += ["--key", str(tmp_path / "key"), "--name", NAME, "--log", ledger.key.vkey]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        key, url = process.stdout.readline().strip(), process.stdout.readline().strip()
        assert notes.parse_vkey(key) == WITNESS_KEY
        assert notes.verify_cosignatures(cosign(ledger, url, WITNESS_KEY), [WITNESS_KEY]) == (NAME,)
        process.terminate()
