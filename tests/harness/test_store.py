"""The store: rows as they were put, changes that happen once, nothing half done, no value from an edited row."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from interlock.artifact.errors import IntegrityError, InterlockError, StateError
from interlock.artifact.label import CLEAN, Confidentiality, Integrity, Label
from interlock.artifact.task import Budget
from interlock.decide.life import Event, Status
from interlock.harness.rows import RATE_WINDOW_MS, Rate
from interlock.harness.store import Store
from support.rows import NOW, plan_row, task

SECRET = Label(confidentiality=Confidentiality.RESTRICTED)
STRANGE = Label(integrity=Integrity.UNTRUSTED)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "harness.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    opened = Store(path)
    opened.put_task(task())
    yield opened
    opened.close()


def test_a_task_comes_back_as_it_was(store: Store, path: Path) -> None:
    store.load_groups("t1", ("files",))
    store.load_groups("t1", ("http", "files"))
    store.receive("t1", SECRET)
    assert store.receive("t1", STRANGE) == Label(
        confidentiality=Confidentiality.RESTRICTED, integrity=Integrity.UNTRUSTED
    )
    store.answer("t1", "done")
    store.freeze("t1", frozen=True)
    other = Store(path)
    row = other.task("t1")
    other.close()
    assert (row.task, row.loaded, row.answer, row.frozen) == (task(), ("files", "http"), "done", True)
    assert row.received.untrusted and row.received.confidentiality is Confidentiality.RESTRICTED
    store.freeze("t1", frozen=False)
    assert not store.task("t1").frozen


def test_a_new_revision_of_a_task_keeps_what_it_has_received_and_spent(store: Store) -> None:
    store.receive("t1", SECRET)
    store.spend("t1", plans=1)
    store.put_task(task(budget=Budget(plans=3)))
    row = store.task("t1")
    assert (row.received, row.spent.plans, row.task.budget.plans) == (SECRET, 1, 3)


def test_tasks_and_plans_are_listed_in_order(store: Store) -> None:
    store.put_task(task("t0"))
    assert store.tasks() == ["t1", "t0"]
    rows = [plan_row(store.next_sequence()) for _ in range(1)]
    store.put_plan(rows[0])
    rows.append(plan_row(store.next_sequence(), Status.PENDING, task_id="t0"))
    store.put_plan(rows[1])
    assert [row.sequence for row in store.plans()] == [1, 2]
    assert store.plans(task="t0") == [rows[1]] == store.plans(status=Status.PENDING)
    assert store.plans(task="t0", status=Status.APPROVED) == []


def test_what_is_spent_stays_within_the_budget_and_never_below_nothing(store: Store) -> None:
    assert store.spend("t1", steps=256).steps == 256
    with pytest.raises(StateError, match=r"budget\.steps"):
        store.spend("t1", steps=1, plans=1)
    assert store.task("t1").spent.plans == 0
    assert store.spend("t1", steps=-300).steps == 0
    assert store.spend("t1", plans=16, steps=0).plans == 16


def test_two_threads_cannot_spend_the_same(path: Path, store: Store) -> None:
    del store
    done: list[bool] = []

    def spend() -> None:
        mine = Store(path)
        for _ in range(8):
            try:
                mine.spend("t1", plans=1)
                done.append(True)
            except StateError:
                done.append(False)
        mine.close()

    threads = [threading.Thread(target=spend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (done.count(True), done.count(False)) == (16, 16)


def test_a_plan_is_found_by_its_digest_or_a_unique_beginning(store: Store) -> None:
    row = plan_row(1)
    store.put_plan(row)
    assert store.plan(row.digest) == store.plan(row.digest[:8]) == row
    for wrong in ("", row.digest[:3], "f" * 64, row.digest + "0", "%"):
        with pytest.raises(StateError, match=r"plan\.unknown"):
            store.plan(wrong)
    with pytest.raises(sqlite3.IntegrityError):
        store.put_plan(row)


def test_a_plan_moves_only_as_its_life_admits(store: Store) -> None:
    store.put_plan(plan_row(1))
    digest = store.plans()[0].digest
    assert store.advance(digest, Event.SEAL) is Status.SEALED
    with pytest.raises(StateError, match=r"life\.not_admitted"):
        store.advance(digest, Event.FINISH)
    assert store.advance(digest, Event.REVOKE, stopped="why") is Status.REVOKED
    assert store.advance(digest, Event.UNDO) is Status.ROLLED_BACK
    assert store.plan(digest).stopped == "why"
    store.set_plan(digest, previews=b"p", shown_at=NOW, envelope=b"e", grant_token=b"g")
    row = store.plan(digest)
    assert (row.previews, row.shown_at, row.envelope, row.grant_token) == (b"p", NOW, b"e", b"g")
    assert row.preview_digest != plan_row(1).preview_digest


def test_an_approval_counts_once_until_it_expires_or_is_used(store: Store) -> None:
    store.put_approval("a1", "p", "alice", b"e", NOW + 10)
    for again in (("a1", "p", "bob"), ("a2", "p", "alice")):
        with pytest.raises(StateError, match=r"approval\.repeated"):
            store.put_approval(*again, b"e", NOW + 10)
    store.put_approval("a2", "p", "bob", b"e", NOW)
    assert [row.approver for row in store.approvals("p", NOW)] == ["alice"]
    assert [row.approver for row in store.approvals("p", NOW - 1)] == ["alice", "bob"]
    assert store.approvals("p", NOW + 10) == store.approvals("q", NOW) == []
    store.use_approvals("p")
    assert store.approvals("p", NOW) == []


def test_a_step_is_claimed_once(store: Store) -> None:
    store.claim("p", "s1", 0, NOW)
    store.claim("p", "s1", 1, NOW)
    with pytest.raises(StateError, match=r"claim\.taken"):
        store.claim("p", "s1", 0, NOW + 1)
    store.settle("p", "s1", 0, "done", output=b'{"x":1}', label_doc=b"", code="c", before=b"b", after=b"a")
    first, second = store.claims("p")
    assert (first.state, first.code, first.before, first.after, first.lease_until) == ("done", "c", b"b", b"a", NOW)
    assert (first.labelled.value, first.labelled.label) == ({"x": 1}, CLEAN)
    assert (second.state, second.labelled.value) == ("claimed", None)


def test_nothing_of_a_transaction_that_raises_remains(store: Store) -> None:
    with pytest.raises(KeyError), store.transaction():  # noqa: PT012 - all of it is one transaction
        store.spend("t1", plans=1)
        store.claim("p", "s1", 0, NOW)
        raise KeyError
    assert store.claims("p") == []
    assert store.task("t1").spent.plans == 0


def test_labels_stay_with_resources_and_only_grow(store: Store, path: Path) -> None:
    assert store.carried() == {}
    store.carry("file:/a", STRANGE)
    store.carry("file:/a", SECRET)
    assert store.carried()["file:/a"].untrusted
    assert store.carried() is store.carried()
    other = Store(path)
    other.carry("file:/b", SECRET)
    other.close()
    assert set(store.carried()) == {"file:/a", "file:/b"}
    assert store.carried()["file:/a"].confidentiality is Confidentiality.RESTRICTED


def test_rates_are_counted_in_windows(store: Store) -> None:
    earlier, later = (Rate(name="mail", began=NOW + after, used=2) for after in (0, RATE_WINDOW_MS))
    store.set_rates(earlier)
    assert store.rates(earlier.until - 1) == {"mail": earlier}
    assert store.rates(earlier.until) == {}
    store.set_rates(later)
    assert store.rates(earlier.until) == {"mail": later}


def test_an_incident_is_closed_once(store: Store) -> None:
    number = store.put_incident(NOW, "t1", "p", "code", "detail")
    store.put_incident(NOW, "t1", "p", "other", "")
    store.close_incident(number, "alice", "a drill")
    with pytest.raises(StateError, match=r"incident\.unknown"):
        store.close_incident(number, "alice", "again")
    assert [row.code for row in store.incidents(still_open=True)] == ["other"]
    assert [(row.closed_by, row.reason) for row in store.incidents()] == [("alice", "a drill"), ("", "")]


EDITS = {
    "a label that is none": ("UPDATE task SET received_doc = x'7b7d00'", "task"),
    "another spelling": ("UPDATE task SET doc = CAST(doc || x'20' AS BLOB)", "task"),
    "a status that there is not": ("UPDATE plan SET status = 'allowed'", "plan"),
    "a verdict that is none": ("UPDATE plan SET verdict_doc = x'7b226465636973'", "verdict"),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_row_is_an_error_and_never_a_value(store: Store, path: Path, name: str) -> None:
    sql, what = EDITS[name]
    store.put_plan(plan_row(1))
    with sqlite3.connect(path) as editor:
        editor.execute(sql)
    editor.close()
    with pytest.raises(InterlockError) as caught:
        store.task("t1") if what == "task" else store.plans()[0].verdict
    assert caught.value.code.startswith(("store.", "codec."))


def test_a_full_disk_changes_nothing_and_a_later_try_succeeds(store: Store) -> None:
    [pages] = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StateError, match=r"store\.storage"):
        store.put_incident(NOW, "t1", "p", "c", "x" * 100_000)
    assert store.incidents() == []
    store._db.execute("PRAGMA max_page_count = 100000")
    store.put_incident(NOW, "t1", "p", "c", "x" * 100_000)
    assert len(store.incidents()) == 1


def test_a_commit_that_fails_leaves_no_transaction_open(store: Store, path: Path) -> None:
    reader = sqlite3.connect(path, isolation_level=None)
    store._db.execute("PRAGMA busy_timeout = 0")
    reader.execute("BEGIN IMMEDIATE")
    with pytest.raises(StateError, match=r"store\.storage"):
        store.spend("t1", plans=1)
    reader.execute("ROLLBACK")
    reader.close()
    store.spend("t1", plans=2)
    assert not store._db.in_transaction
    other = Store(path)
    assert other.task("t1").spent.plans == 2
    other.close()


def test_what_is_no_database_is_an_integrity_fault(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(IntegrityError, match=r"store\.damaged"):
        Store(path)


def test_an_unknown_task_and_private_files(store: Store, path: Path) -> None:
    with pytest.raises(StateError, match=r"task\.unknown"):
        store.task("t2")
    assert path.parent.stat().st_mode & 0o077 == 0
