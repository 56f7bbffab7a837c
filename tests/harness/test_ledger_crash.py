"""kill -9 at any point and a full disk: what was promised is there, nothing half-written is, and it verifies."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from interlock.artifact.errors import StateError
from interlock.harness.ledger.head import Head
from support.ledgers import numbered, open_ledger

# The child stops itself at the Nth system-level step of its store (an SQL statement, a head staged or shown).
CHILD = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from interlock.harness.ledger.head import Head
from support.ledgers import numbered, open_ledger

left = int(sys.argv[3])

def step(*_):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def counted(method):
    def run(*arguments):
        step()
        result = method(*arguments)
        step()
        return result
    return run

with open_ledger(Path(sys.argv[1])) as ledger:
    ledger._writer._db.set_trace_callback(step)
    Head.stage, Head.publish = counted(Head.stage), counted(Head.publish)
    for turn in range(3):
        done = ledger.append(numbered(3, 3 * turn))
        print(done[-1], flush=True)
"""


def killed_at(folder: Path, step: int) -> tuple[int, int]:
    """Exit code, and how many entries the child was promised before it died."""
    command = [sys.executable, "-c", CHILD, str(folder), str(Path(__file__).parents[1]), str(step)]
    child = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    promised = [int(line) + 1 for line in child.stdout.split()]
    return child.returncode, promised[-1] if promised else 0


@pytest.mark.parametrize("step", [1, 2, 3, 5, 8, 11, 14, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 29, 33, 40])
def test_killed_between_any_two_writes(tmp_path: Path, step: int) -> None:
    code, promised = killed_at(tmp_path, step)
    assert code == -signal.SIGKILL
    with open_ledger(tmp_path) as ledger:
        assert ledger.verify().size in {promised, promised + 3}
        assert ledger.append(numbered(1)) == [ledger.size - 1]
        assert ledger.verify().size == ledger.size


def test_the_steps_reach_from_begin_to_end(tmp_path: Path) -> None:
    assert killed_at(tmp_path, 100_000) == (0, 9)


def test_killed_at_no_chosen_point(tmp_path: Path) -> None:
    """The child appends for ever and is killed as soon as it has promised a few."""
    endless = CHILD.replace("range(3)", "range(10**9)")
    command = [sys.executable, "-c", endless, str(tmp_path), str(Path(__file__).parents[1]), str(10**9)]
    for lines in (1, 4, 9):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            promised = [int(child.stdout.readline()) for _ in range(lines)][-1] + 1
            child.kill()
            promised = max([promised, *(int(line) + 1 for line in child.stdout.read().split())])
        with open_ledger(tmp_path) as ledger:
            assert ledger.verify().size >= promised


FULL = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from interlock.artifact.errors import StateError
from support.ledgers import open_ledger, record
with open_ledger(Path(sys.argv[1])) as ledger:
    limit = 300_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    for turn in range(10_000):
        try:
            ledger.append([record("load", str(turn), task="", payload=bytes(3000))])
        except StateError as error:
            print(error.code, turn, ledger.size)
            break
"""


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL, str(tmp_path), str(Path(__file__).parents[1])]
    child = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    code, turn, size = child.stdout.split()
    assert (code, size) == ("ledger.storage", turn)
    assert int(turn) > 0
    with open_ledger(tmp_path) as ledger:
        assert ledger.verify().size == int(turn)


def test_a_full_database_takes_nothing_and_goes_on_later(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as ledger:
        ledger.append(numbered(3))
        database = ledger._writer._db
        [pages] = database.execute("PRAGMA page_count").fetchone()
        database.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StateError) as caught:
            ledger.append(numbered(500))
        assert caught.value.code == "ledger.storage"
        assert ledger.verify().size == 3
        database.execute("PRAGMA max_page_count = 100000")
        assert ledger.append(numbered(500))[0] == 3
        assert ledger.verify().size == 503


def test_a_head_that_cannot_be_written_fails_the_append_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Head, __: bytes) -> None:
        raise OSError(28, "No space left on device")

    with open_ledger(tmp_path) as ledger:
        ledger.append(numbered(2))
        with monkeypatch.context() as patch:
            patch.setattr(Head, "stage", full)
            with pytest.raises(StateError, match=r"ledger\.storage"):
                ledger.append(numbered(2))
        assert ledger.verify().size == 2
        assert ledger.append(numbered(2)) == [2, 3]


def test_an_interrupted_commit_leaves_nothing_and_passes_the_lead_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_ledger(tmp_path) as ledger:
        with monkeypatch.context() as patch:
            patch.setattr(Head, "stage", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                ledger.append(numbered(2))
        assert ledger.append(numbered(1)) == [0]


def test_a_locked_database_is_a_storage_fault(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as ledger:
        ledger.append(numbered(1))
        ledger._writer._db.execute("PRAGMA busy_timeout = 0")
        other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateError, match=r"ledger\.storage"):
            ledger.append(numbered(1))
        other.execute("ROLLBACK")
        other.close()
        assert ledger.append(numbered(1)) == [1]
