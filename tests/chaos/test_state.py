"""State that is full, read-only, gone or tampered with: the harness refuses with a code, and exit code 5 or 1."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.chaos.tally import propose
from tests.support.crash_points import ROOT
from tests.support.replay import left_the_model
from tests.support.world import World, proposal, write

from interlock.artifact.errors import InterlockError
from interlock.decide.life import Status
from interlock.harness.service import Harness
from interlock.harness.workspace import load

FAULT, BROKEN = 1, 5


def interlock(world: World, *arguments: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """The command itself, as a person would call it."""
    command = [*prefix, sys.executable, "-B", "-m", "tests.chaos.command", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        command, cwd=world.files, env=environment, capture_output=True, text=True, timeout=100, check=False
    )


def executed(sql: str) -> Callable[[Path], None]:
    """Tampering by a statement on the ledger's database."""

    def tamper(state: Path) -> None:
        with sqlite3.connect(state / "ledger.db") as database:
            database.execute(sql)
        database.close()

    return tamper


def emptied(state: Path) -> None:
    (state / "ledger.db").write_bytes(b"")


def truncated(state: Path) -> None:
    """The database's file is cut in half (after its journal was folded in)."""
    database = sqlite3.connect(state / "ledger.db")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    content = (state / "ledger.db").read_bytes()
    (state / "ledger.db").write_bytes(content[: len(content) // 2])


def deleted(state: Path) -> None:
    for path in state.glob("ledger.db*"):
        if path.name in {"ledger.db", "ledger.db-wal", "ledger.db-shm"}:
            path.unlink()


TAMPERINGS: dict[str, Callable[[Path], None]] = {
    "the tail is cut off": executed("DELETE FROM leaf WHERE idx = (SELECT max(idx) FROM leaf)"),
    "all entries are gone": executed("DELETE FROM leaf"),
    "an entry is edited": executed("UPDATE leaf SET body = CAST(replace(body, 'ALLOW', 'DENY') AS BLOB)"),
    "two entries are swapped": executed("UPDATE leaf SET idx = CASE idx WHEN 0 THEN -1 ELSE idx END"),
    "the file is deleted": deleted,
    "the file is emptied": emptied,
    "the file is cut in half": truncated,
    "the head is deleted": lambda state: (state / "ledger.db.head").unlink(),
    "the head is emptied": lambda state: (state / "ledger.db.head").write_bytes(b""),
}


@pytest.mark.sandbox
@pytest.mark.parametrize("name", TAMPERINGS)
def test_state_that_was_tampered_with_between_runs(world: World, name: str) -> None:
    world.harness.execute(propose(world, write("s1", "a.txt", "x")))
    world.harness.close()
    TAMPERINGS[name](world.workspace.state)
    found = interlock(world, "ledger", "verify")
    assert found.returncode == BROKEN, (found.returncode, found.stderr)
    assert any(code in found.stderr for code in ("[ledger.", "[note.")), found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.sandbox
def test_nothing_runs_on_a_ledger_that_was_deleted(world: World) -> None:
    digest = propose(world, write("s1", "a.txt", "x"))
    world.harness.close()
    deleted(world.workspace.state)
    found = interlock(world, "execute", digest)
    assert (found.returncode, "ledger." in found.stderr) == (BROKEN, True), found.stderr
    assert not (world.files / "a.txt").exists()


@pytest.mark.sandbox
def test_a_store_that_was_deleted_while_the_ledger_stays(world: World) -> None:
    """What is not stored cannot run; what was recorded is still proved; new work goes on."""
    digest = propose(world, write("s1", "a.txt", "x"))
    before = world.harness.core.ledger.size
    world.harness.close()
    for path in world.workspace.state.glob("harness.db*"):
        path.unlink()
    world.reopen()
    with pytest.raises(InterlockError, match=r"plan\.unknown"):
        world.harness.execute(digest)
    assert not (world.files / "a.txt").exists()
    assert world.harness.core.ledger.verify().size == before
    again = propose(world, write("s1", "a.txt", "x"))
    assert world.harness.execute(again) is Status.DONE


FULL = """
import resource, sys
from pathlib import Path
from interlock.artifact.errors import InterlockError
from interlock.harness.service import Harness
from interlock.harness.workspace import load
with Harness(load(Path(sys.argv[1]))) as harness:
    largest = max(path.stat().st_size for path in harness.core.workspace.state.rglob("*") if path.is_file())
    room = largest + int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    try:
        print(harness.execute(sys.argv[2]).value)
    except InterlockError as error:
        print("refused", error.code)
"""


@pytest.mark.sandbox
@pytest.mark.parametrize("room", [0, 2000, 20_000, 60_000])
def test_a_disk_that_is_full_stops_before_the_effect(world: World, room: int) -> None:
    """Wherever the room ends: no effect without its entry, and after a restart everything verifies and goes on."""
    steps = [write(f"s{n}", f"{n}.txt", "x" * 900) for n in range(1, 13)]
    digest = propose(world, *steps)
    world.harness.close()
    done = subprocess.run(
        [sys.executable, "-B", "-c", FULL, str(world.files), digest, str(room)],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == 0
    world.reopen()
    core = world.harness.core
    assert core.ledger.verify().size == core.ledger.size
    assert left_the_model(core) == []
    intended = {entry.subject.split("/")[1] for entry in core.ledger.entries() if entry.kind == "intention"}
    assert {f"s{path.stem}" for path in world.files.glob("*.txt")} <= intended
    row = core.store.plan(digest)
    if row.status is Status.APPROVED:
        assert world.harness.execute(digest) is Status.DONE
    elif row.status is Status.HALTED:
        unknown = [claim.step for claim in core.store.claims(digest) if claim.state == "unknown"]
        revised = world.harness.resume(digest, dict.fromkeys(unknown, "not"))
        assert world.harness.execute(revised.digest or "") is Status.DONE
    if row.status is not Status.REVOKED:
        assert len(list(world.files.glob("*.txt"))) == len(steps)


def test_a_state_folder_that_cannot_be_written(world: World) -> None:
    """As an ordinary user, whom modes bind; root becomes one."""
    world.harness.close()
    state = world.workspace.state
    folders = [state, *(path for path in state.rglob("*") if path.is_dir())]
    if os.geteuid() == 0:
        for path in (world.files.parent, *world.files.parent.rglob("*"), world.workspace.state.parent):
            shutil.chown(path, 65534, 65534)
    for path in folders:
        path.chmod(0o500)
    for path in state.glob("*.db*"):
        path.chmod(0o400)
    try:
        found = as_ordinary_user(world)
    finally:
        for path in folders:
            path.chmod(0o700)
        for path in state.glob("*.db*"):
            path.chmod(0o600)
    assert found.startswith("refused "), found


READ_ONLY = """
import os, sys
from pathlib import Path
from interlock.artifact.errors import InterlockError
from interlock.harness.service import Harness
from interlock.harness.workspace import load
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    Harness(load(Path(sys.argv[1])))
    print("opened")
except InterlockError as error:
    print("refused", error.code)
"""


def as_ordinary_user(world: World) -> str:
    for parent in world.files.parents:
        if parent.stat().st_uid == os.geteuid() and parent != Path("/") and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    done = subprocess.run(
        [sys.executable, "-B", "-c", READ_ONLY, str(world.files)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout.strip()


def test_the_same_workspace_opens_when_it_may_be_written(world: World) -> None:
    world.harness.close()
    world.harness = Harness(load(world.files))
    task = world.task()
    assert world.harness.check(task.id, proposal(task, write("s1", "a.txt", "x"))).verdict.reasons
