"""The offline verifier on whole and on altered bundles, as a function and as a command."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlock.artifact import checkpoint as notes
from interlock.artifact import codec, merkle, signing
from interlock.artifact.bundle import MAX_LINE
from interlock.artifact.checkpoint import COSIGNATURE, Checkpoint
from interlock.artifact.errors import IntegrityError, SignatureError, StateError
from interlock.artifact.signing import Keyring
from interlock.harness.ledger import Ledger
from interlock.harness.ledger.export import export, lines
from interlock.verify import verify_bundle
from interlock.verify.__main__ import main
from support import samples
from support.ledgers import KEY, NOW, ORIGIN, OTHER_KEY, numbered, open_ledger, record, story

LOG = notes.note_key(ORIGIN, KEY)
WITNESS = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
WITNESS_KEY = notes.note_key("witness.test/w1", WITNESS, COSIGNATURE)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """The story, a cosigned head, and a little more."""
    with open_ledger(tmp_path) as opened:
        opened.append(story())
        opened.keep_cosigned(
            opened.checkpoint() + notes.cosign(opened.checkpoint(), WITNESS, WITNESS_KEY.name, 1).encode()
        )
        opened.append(numbered(4))
        yield opened


@pytest.fixture
def bundle(ledger: Ledger) -> list[bytes]:
    return list(lines(ledger, [1, 3]))


def test_a_whole_bundle(ledger: Ledger, bundle: list[bytes]) -> None:
    report = verify_bundle(bundle, [LOG], since=ledger.cosigned(), witnesses=[WITNESS_KEY])
    assert (report.origin, report.size, report.disclosed) == (ORIGIN, 11, 2)
    assert (report.witnesses, report.consistent_with) == (("witness.test/w1",), 7)
    assert bytes.fromhex(report.root) == notes.open_checkpoint(ledger.checkpoint(), [LOG]).root


def test_statements_among_the_payloads(tmp_path: Path) -> None:
    digest = codec.digest(samples.PLAN)
    approval = signing.sign(samples.ANN, "approval", digest, samples.APPROVAL)
    receipt = signing.sign(samples.HARNESS, "receipt", digest, samples.RECEIPT)
    with open_ledger(tmp_path) as ledger:
        ledger.append(
            [
                record("task"),
                record("plan", digest, payload=codec.encode(samples.PLAN)),
                record("decision", digest, "STEP_UP", payload=receipt),
                record("approval", digest, payload=approval),
            ]
        )
        report = verify_bundle(lines(ledger, range(4)), [LOG], keyring=samples.KEYRING)
        assert (report.disclosed, report.statements) == (4, 2)
        with pytest.raises(SignatureError, match=r"signature\.untrusted"):
            verify_bundle(lines(ledger, range(4)), [LOG], keyring=Keyring())


def test_an_empty_ledger(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as empty:
        assert verify_bundle(lines(empty), [LOG]).size == 0


def test_an_erased_payload_cannot_be_disclosed_and_breaks_nothing(ledger: Ledger, tmp_path: Path) -> None:
    before = ledger.checkpoint()
    ledger.erase("t1", NOW, 1)
    assert verify_bundle(lines(ledger), [LOG], since=before).size == 12
    with pytest.raises(StateError, match=r"ledger\.erased"):
        export(ledger, tmp_path / "out.jsonl", [1])
    assert list(tmp_path.glob("out*")) == []


def swapped(bundle: list[bytes], one: int, two: int) -> list[bytes]:
    bundle[one], bundle[two] = bundle[two], bundle[one]
    return bundle


def replaced(bundle: list[bytes], line: int, old: bytes, new: bytes) -> list[bytes]:
    assert old in bundle[line]
    bundle[line] = bundle[line].replace(old, new)
    return bundle


def salts_swapped(bundle: list[bytes]) -> list[bytes]:
    one, two = json.loads(bundle[-2]), json.loads(bundle[-1])
    one["salt"], two["salt"] = two["salt"], one["salt"]
    return [*bundle[:-2], *(json.dumps(line, separators=(",", ":")).encode() for line in (one, two))]


def resigned(bundle: list[bytes], leaves: list[bytes], key: Ed25519PrivateKey) -> list[bytes]:
    tree = merkle.Frontier()
    for leaf in leaves:
        tree.append(merkle.leaf_hash(leaf))
    note = notes.sign_checkpoint(Checkpoint(origin=ORIGIN, size=tree.size, root=tree.root()), key).decode()
    head = {"checkpoint": note, "format": "interlock-ledger/v1"}
    return [json.dumps(head, separators=(",", ":"), ensure_ascii=False).encode(), *leaves]


ATTACKS: dict[str, tuple[str, Callable[[list[bytes]], list[bytes]]]] = {
    "nothing": ("bundle.malformed", lambda _: []),
    "another format": ("bundle.malformed", lambda b: replaced(b, 0, b"/v1", b"/v2")),
    "an unknown field": ("bundle.malformed", lambda b: replaced(b, 0, b'"format"', b'"extra":1,"format"')),
    "a doubled field": ("bundle.malformed", lambda b: replaced(b, 0, b'{"ch', b'{"checkpoint":"","ch')),
    "a head in another spelling": ("bundle.malformed", lambda b: replaced(b, 0, b'":"', b'": "')),
    "an endless line": ("bundle.malformed", lambda b: [*b, b"x" * (MAX_LINE + 1)]),
    "a line too many": ("bundle.malformed", lambda b: [*b[:-2], b[3]]),
    "cut off": ("bundle.truncated", lambda b: b[:9]),
    "an entry left out": ("bundle.entry", lambda b: b[:3] + b[4:]),
    "an edited entry": ("bundle.root", lambda b: replaced(b, 4, b"approval", b"decision")),
    "an edited time": ("bundle.root", lambda b: replaced(b, 4, b"1800000000000", b"1800000000001")),
    "an entry in another spelling": ("bundle.entry", lambda b: replaced(b, 4, b'"at":', b'"at": ')),
    "reordered entries": ("bundle.root", lambda b: swapped(b, 5, 6)),
    "a duplicated entry": ("bundle.root", lambda b: [*b[:5], b[4], *b[6:]]),
    "an edited payload": ("bundle.payload", lambda b: replaced(b, -1, b'"payload":"Y', b'"payload":"Z')),
    "swapped salts": ("bundle.payload", salts_swapped),
    "a payload for another entry": ("bundle.payload", lambda b: replaced(b, -1, b'"index":3', b'"index":4')),
    "a payload for no entry": ("bundle.disclosure", lambda b: replaced(b, -1, b'"index":3', b'"index":99')),
    "a payload twice": ("bundle.disclosure", lambda b: [*b, b[-1]]),
    "a larger size": ("note.signature", lambda b: replaced(b, 0, b"\\n11\\n", b"\\n12\\n")),
    "signed by another key": ("note.untrusted", lambda b: resigned(b, b[1:11], OTHER_KEY)),
    "an older state": ("bundle.rolled_back", lambda b: resigned(b, b[1:5], KEY)),
    "another history by the log's key": ("bundle.forked", lambda b: resigned(b, b[2:12], KEY)),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_tampered_bundles(ledger: Ledger, bundle: list[bytes], name: str) -> None:
    code, deed = ATTACKS[name]
    cosigned = ledger.cosigned()
    with pytest.raises(IntegrityError) as caught:
        verify_bundle(deed(bundle), [LOG], since=cosigned)
    assert caught.value.code == code


def test_the_witnesses_head_counts_even_without_an_older_one(bundle: list[bytes]) -> None:
    """The cosigned head in the bundle itself is an anchor, and it cannot be left out where witnesses are asked for."""
    forged = resigned(bundle, bundle[2:12], KEY)
    head, cosigned = json.loads(forged[0]), json.loads(bundle[0])["cosigned"]
    with_cosigned = json.dumps(
        {"checkpoint": head["checkpoint"], "cosigned": cosigned, "format": head["format"]},
        separators=(",", ":"),
        ensure_ascii=False,
    ).encode()
    with pytest.raises(IntegrityError, match=r"bundle\.forked"):
        verify_bundle([with_cosigned, *forged[1:]], [LOG], witnesses=[WITNESS_KEY])
    with pytest.raises(IntegrityError, match=r"note\.cosignatures"):
        verify_bundle(resigned(bundle, bundle[1:12], KEY), [LOG], witnesses=[WITNESS_KEY])
    with pytest.raises(IntegrityError, match=r"note\.cosignatures"):
        verify_bundle(bundle, [LOG], witnesses=[WITNESS_KEY], threshold=2)
    with pytest.raises(IntegrityError, match=r"note\.cosignatures"):
        verify_bundle(bundle, [LOG], witnesses=[WITNESS_KEY], threshold=0)


def test_an_older_checkpoint_of_another_log(bundle: list[bytes]) -> None:
    other = notes.note_key("other.test/log", OTHER_KEY)
    older = notes.sign_checkpoint(Checkpoint(origin=other.name, size=0, root=merkle.EMPTY_ROOT), OTHER_KEY)
    with pytest.raises(IntegrityError, match=r"checkpoint\.origin"):
        verify_bundle(bundle, [LOG, other], since=older)


def test_no_key_verifies_nothing(bundle: list[bytes]) -> None:
    with pytest.raises(IntegrityError, match=r"note\.untrusted"):
        verify_bundle(bundle, [])


def test_the_command(ledger: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, since, keys = tmp_path / "b.jsonl", tmp_path / "old.note", tmp_path / "keys"
    export(ledger, path, [0])
    assert path.stat().st_mode & 0o077 == 0
    since.write_bytes(ledger.cosigned() or b"")
    keys.write_text(f"{LOG.vkey}\n\n")
    arguments = [str(path), "--key", str(keys), "--since", str(since), "--witness", WITNESS_KEY.vkey]
    assert main(arguments) == 0
    assert "11 entries lead to the signed root" in capsys.readouterr().out
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["consistentWith"] == 7
    assert main([str(path), "--key", LOG.vkey]) == 0
    assert "cosigned by" not in capsys.readouterr().out
    path.write_bytes(path.read_bytes().replace(b"STEP_UP", b"ALLOW", 1))
    assert main(arguments) == 5
    assert "bundle.root" in capsys.readouterr().err
    assert main([str(tmp_path / "nothing"), "--key", LOG.vkey]) == 1
    assert main([str(path), "--key", "a+b+c"]) == 5


def test_the_command_as_a_process_without_the_harness(ledger: Ledger, tmp_path: Path) -> None:
    """The verifier runs where the harness cannot even be imported."""
    export(ledger, tmp_path / "b.jsonl")
    program = (
        "import sys, runpy; sys.modules['interlock.harness'] = None; sys.modules['interlock.decide'] = None;"
        "runpy.run_module('interlock.verify', run_name='__main__', alter_sys=True)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "b.jsonl"), "--key", LOG.vkey],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"OK      {ORIGIN}: 11 entries")
