"""Appending, reading, proving and erasing: one thread, many threads, several processes."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.artifact import checkpoint as notes
from interlock.artifact import merkle
from interlock.artifact.entry import Entry, leaf_of
from interlock.artifact.errors import CodecError, IntegrityError, StateError
from interlock.harness.ledger import Ledger
from support.ledgers import KEY, NOW, ORIGIN, OTHER_KEY, numbered, open_ledger, record, story


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path) as opened:
        yield opened


def head(ledger: Ledger) -> notes.Checkpoint:
    return notes.open_checkpoint(ledger.checkpoint(), [ledger.key])


def test_an_empty_ledger_has_a_signed_head(ledger: Ledger) -> None:
    assert (head(ledger).size, head(ledger).root) == (0, merkle.EMPTY_ROOT)
    assert ledger.verify().size == 0
    assert ledger.append([]) == []


def test_append_and_read_back(ledger: Ledger) -> None:
    assert ledger.append(story()) == list(range(7))
    assert ledger.append([record("load", "mail", payload=b"\x00\xff")]) == [7]
    assert [entry.kind for entry in ledger.entries()][:3] == ["task", "plan", "decision"]
    assert ledger.payload(7) == b"\x00\xff"
    assert ledger.entry(7).subject == "mail"
    assert ledger.size == ledger.verify().size == head(ledger).size == 8
    with pytest.raises(StateError, match=r"ledger\.index"):
        ledger.entry(8)


def test_every_batch_has_its_checkpoint_and_proofs(ledger: Ledger) -> None:
    seen = []
    for count in (1, 2, 3, 10, 1, 20):
        ledger.append(numbered(count))
        seen.append(head(ledger))
    last = seen[-1]
    for older in seen:
        proof = ledger.prove_consistency(older.size, last.size)
        merkle.verify_consistency(older.size, last.size, proof, older.root, last.root)
    for index, leaf in enumerate(ledger.leaves()):
        found = notes.verify_proof(ledger.proof(index), leaf, [ledger.key])
        assert found == last


def test_a_ledger_goes_on_where_it_ended(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as first:
        first.append(numbered(5))
    with open_ledger(tmp_path) as second:
        assert second.append(numbered(5)) == [5, 6, 7, 8, 9]
        assert second.verify().size == 10


def test_two_ledgers_on_one_file_take_turns(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as one, open_ledger(tmp_path) as two:
        assert [one.append(numbered(1)), two.append(numbered(2)), one.append(numbered(1))] == [[0], [1, 2], [3]]
        assert two.size == 4
        assert one.verify() == two.verify()


def test_many_threads_share_commits(ledger: Ledger) -> None:
    indices: list[list[int]] = []
    errors: list[BaseException] = []
    start = threading.Barrier(16)

    def work(number: int) -> None:
        try:
            start.wait()
            for turn in range(20):
                records = [record("load", f"{number}.{turn}.{part}", task="") for part in range(1 + turn % 3)]
                indices.append(ledger.append(records))
        except BaseException as error:  # noqa: BLE001 - shown below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(index for batch in indices for index in batch) == list(range(ledger.size))
    subjects = [entry.subject for entry in ledger.entries()]
    for batch in indices:  # Each batch stands together, and in its order.
        assert batch == list(range(batch[0], batch[0] + len(batch)))
        assert [subjects[index].rpartition(".")[2] for index in batch] == [str(n) for n in range(len(batch))]
    assert ledger.verify().size == len(subjects)


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from support.ledgers import numbered, open_ledger
with open_ledger(Path(sys.argv[1])) as ledger:
    print("open", flush=True)
    sys.stdin.readline()
    for start in range(30):
        ledger.append(numbered(2, start))
"""


def test_several_processes_share_one_file(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path), str(Path(__file__).parents[1])]
    writers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
    for writer in writers:
        writer.communicate("\n", timeout=60)
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    with open_ledger(tmp_path) as ledger:
        assert ledger.verify().size == 180


WRONG = {
    "unknown kind": ("kind", "gossip", CodecError),
    "long task": ("task", "t" * 200, CodecError),
    "hidden character": ("subject", "a\u202eb", CodecError),
    "negative time": ("at", -1, CodecError),
    "own commitment": ("commitment", "0" * 64, StateError),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_could_not_be_read_back_is_refused(ledger: Ledger, name: str) -> None:
    field, value, error = WRONG[name]
    fields = {"kind": "load", "at": NOW, "task": "t1"} | {field: value}
    with pytest.raises(error):
        ledger.append([record("task"), (Entry(**fields), b"")])  # type: ignore[arg-type]
    assert ledger.size == 0


def test_an_oversized_payload_is_refused(ledger: Ledger) -> None:
    with pytest.raises(StateError, match=r"ledger\.payload_size"):
        ledger.append([record("task", payload=bytes((8 << 20) + 1))])


def test_erasing_one_payload(ledger: Ledger) -> None:
    ledger.append(story())
    before, proof = head(ledger), ledger.prove_inclusion(1, 7)
    assert ledger.erase("t1", NOW, 1) == 7
    with pytest.raises(StateError) as caught:
        ledger.payload(1)
    assert caught.value.code == "ledger.erased"
    assert ledger.payload(2) == b"decision " + b"a" * 64 + b" STEP_UP"
    merkle.verify_inclusion(merkle.leaf_hash(ledger.leaves()[1]), 1, 7, proof, before.root)
    assert ledger.verify().size == 8


def test_erasing_a_task(ledger: Ledger, tmp_path: Path) -> None:
    secret = b"correct horse battery staple"
    ledger.append([*story(), record("task", task="t2", payload=secret), record("task", task="t3", payload=secret)])
    query = "SELECT wrapped FROM data_key WHERE idx = 7 UNION SELECT wrapped FROM task_key WHERE task = 't2'"
    keys = [wrapped for (wrapped,) in ledger._writer._db.execute(query)]
    before = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert all(key in before for key in keys)
    ledger.erase("t2", NOW)
    after = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not any(key in after for key in keys)
    for index, erased in {7: True, 8: False, 0: False}.items():
        if erased:
            with pytest.raises(StateError, match=r"ledger\.erased"):
                ledger.payload(index)
        else:
            assert ledger.payload(index)
    again = ledger.append([record("load", "more", task="t2", payload=b"kept")])[0]
    assert ledger.payload(again) == b"kept"
    assert ledger.verify().size == again + 1
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert secret not in files


def test_only_the_owning_task_erases(ledger: Ledger) -> None:
    ledger.append(story())
    with pytest.raises(StateError, match=r"ledger\.erase_task"):
        ledger.erase("t2", NOW, 1)
    assert ledger.payload(1)


def test_equal_payloads_have_unequal_commitments(ledger: Ledger) -> None:
    ledger.append([record("task", payload=b"same")] * 2)
    first, second = ledger.entries()
    assert first.commitment != second.commitment
    assert leaf_of(first) != leaf_of(second)


def test_a_reader_that_keeps_old_pages_alive_is_told(ledger: Ledger, tmp_path: Path) -> None:
    ledger.append(story())
    ledger._writer._db.execute("PRAGMA busy_timeout = 0")
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM leaf").fetchone()
        with pytest.raises(StateError, match=r"ledger\.erase_lingers"):
            ledger.erase("t1", NOW, 1)
    ledger.erase("t1", NOW, 1)
    assert ledger.verify().size == 9


def test_a_closed_ledger_says_so(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as ledger:
        ledger.append(numbered(1))
    with pytest.raises(StateError, match=r"ledger\.closed"):
        ledger.checkpoint()
    with pytest.raises(StateError, match=r"ledger\."):
        ledger.append(numbered(1))


def test_files_are_private(ledger: Ledger, tmp_path: Path) -> None:
    ledger.append(story())
    modes = {path.name: path.stat().st_mode & 0o077 for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("ledger.db", *(f"ledger.db{end}" for end in ("-wal", "-shm", ".head", ".lock"))), 0)


def test_a_new_signer_goes_on_where_the_old_one_is_known(tmp_path: Path) -> None:
    shared = b"s" * 32
    with Ledger(tmp_path / "l.db", KEY, ORIGIN, storage_key=shared) as old:
        old.append(story())
        old_key, exported = old.key, old.checkpoint()
    with pytest.raises(IntegrityError, match=r"note\.untrusted"):
        Ledger(tmp_path / "l.db", OTHER_KEY, ORIGIN, storage_key=shared)
    with Ledger(tmp_path / "l.db", OTHER_KEY, ORIGIN, storage_key=shared, earlier=[old_key]) as new:
        assert notes.open_checkpoint(new.checkpoint(), [new.key]).size == 7
        new.append(numbered(1))
        assert new.verify(since=exported).size == 8
        assert new.payload(0) == b"task  "


@settings(max_examples=15)
@given(st.lists(st.integers(0, 9), max_size=8))
def test_the_ledger_only_grows(tmp_path_factory: pytest.TempPathFactory, sizes: list[int]) -> None:
    with open_ledger(tmp_path_factory.mktemp("ledger")) as ledger:
        leaves: list[bytes] = []
        for size in sizes:
            old = head(ledger)
            ledger.append(numbered(size, len(leaves)))
            now = ledger.leaves()
            assert now[: len(leaves)] == leaves
            assert len(now) == len(leaves) + size
            leaves, new = now, head(ledger)
            proof = ledger.prove_consistency(old.size, new.size)
            merkle.verify_consistency(old.size, new.size, proof, old.root, new.root)
        assert ledger.verify().size == len(leaves)
