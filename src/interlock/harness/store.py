"""The harness's state on one machine: SQLite in WAL mode, every change one durable transaction.

Nothing here decides.  Statuses change only by an event that ``decide.life`` admits; a claim is a row that can be
inserted once.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from interlock.artifact import codec
from interlock.artifact.errors import IntegrityError, StateError
from interlock.artifact.label import CLEAN, Label, join
from interlock.artifact.task import Budget, Task
from interlock.decide.life import Event, Status, transition
from interlock.harness.rows import (
    RATE_WINDOW_MS,
    ApprovalRow,
    CarriedRow,
    ClaimRow,
    IncidentRow,
    PlanRow,
    Rate,
    Row,
    SeenRow,
    StoredTask,
    TaskRow,
    charged,
    columns,
    nothing_spent,
    read,
)

_PREFIX = 4
R = TypeVar("R", bound=Row)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS task (
  id TEXT PRIMARY KEY, doc BLOB NOT NULL, received_doc BLOB NOT NULL, spent_doc BLOB NOT NULL,
  loaded_doc BLOB NOT NULL,
  frozen INTEGER NOT NULL DEFAULT 0, answer TEXT) STRICT;
CREATE TABLE IF NOT EXISTS plan (
  digest TEXT PRIMARY KEY, task TEXT NOT NULL, sequence INTEGER NOT NULL UNIQUE, status TEXT NOT NULL,
  doc BLOB NOT NULL, verdict_doc BLOB NOT NULL, policy TEXT NOT NULL, certificate TEXT NOT NULL DEFAULT '',
  manifests TEXT NOT NULL, previews BLOB NOT NULL DEFAULT x'', shown_at INTEGER NOT NULL DEFAULT 0, envelope BLOB,
  grant_token BLOB, context TEXT NOT NULL, created_at INTEGER NOT NULL, stopped TEXT NOT NULL DEFAULT '') STRICT;
CREATE TABLE IF NOT EXISTS approval (
  id TEXT PRIMARY KEY, plan TEXT NOT NULL, approver TEXT NOT NULL, envelope BLOB NOT NULL, expires_at INTEGER NOT NULL,
  used INTEGER NOT NULL DEFAULT 0, UNIQUE (plan, approver)) STRICT;
CREATE TABLE IF NOT EXISTS claim (
  plan TEXT NOT NULL, step TEXT NOT NULL, iteration INTEGER NOT NULL, state TEXT NOT NULL, lease_until INTEGER NOT NULL,
  output BLOB, label_doc BLOB, before BLOB, after BLOB, touched BLOB, code TEXT NOT NULL DEFAULT '',
  arguments BLOB, PRIMARY KEY (plan, step, iteration)) STRICT;
CREATE TABLE IF NOT EXISTS carried (key TEXT PRIMARY KEY, label BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS rate (class TEXT PRIMARY KEY, began INTEGER NOT NULL, used INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS incident (
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, task TEXT NOT NULL, plan TEXT NOT NULL, code TEXT NOT NULL,
  detail TEXT NOT NULL, closed_by TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '') STRICT;
CREATE TABLE IF NOT EXISTS seen (
  id INTEGER PRIMARY KEY, role TEXT NOT NULL, task TEXT NOT NULL, syscall TEXT NOT NULL) STRICT;
"""


@contextmanager
def _faults() -> Generator[None]:
    """Faults of the disk and of what was edited become errors with codes; a broken constraint is the caller's."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except sqlite3.OperationalError as error:
        hint = "free space or mend the disk, then try again"
        raise StateError("store.storage", f"the store failed: {error}", hint=hint) from error
    except (sqlite3.DatabaseError, msgspec.ValidationError) as error:
        raise IntegrityError("store.damaged", f"the store was damaged or edited: {error}") from error


class Store:
    """The database; safe for several processes and threads, one transaction at a time.

    Raises ``StateError`` (``store.storage``) where the disk fails, ``IntegrityError`` for what was edited by hand.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
        self._lock = threading.RLock()
        self._carried: Mapping[str, Label] = {}
        self._carried_at: int = -1
        self._carry_changed = True
        with _faults():
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF"):
                self._db.execute(f"PRAGMA {pragma}")
            self._db.executescript(_SCHEMA)
            if "certificate" not in {row[1] for row in self._db.execute("PRAGMA table_info(plan)")}:
                self._db.execute("ALTER TABLE plan ADD COLUMN certificate TEXT NOT NULL DEFAULT ''")

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """One immediate transaction; nothing of it remains where it raises, its commit included."""
        with self._lock, _faults():
            nested = self._db.in_transaction
            if nested:
                yield self._db
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # SQLite rolls back by itself where the disk fails.
                    self._db.execute("ROLLBACK")
                raise

    # ---- tasks

    def put_task(self, task: Task, loaded: tuple[str, ...] = ()) -> None:
        """Store a task, or its next revision."""
        with self.transaction() as db:
            db.execute(
                "INSERT INTO task (id, doc, received_doc, spent_doc, loaded_doc) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET doc = excluded.doc",
                (task.id, codec.encode(task), codec.encode(CLEAN), codec.encode(nothing_spent()), codec.encode(loaded)),
            )

    def task(self, task_id: str) -> TaskRow:
        """The task; raises ``StateError`` where there is none."""
        rows = self._all(StoredTask, f"SELECT {columns(StoredTask)} FROM task WHERE id = ?", task_id)  # noqa: S608
        if not rows:
            raise StateError("task.unknown", f"no task {task_id}", hint="run: interlock task list")
        stored = rows[0]
        return TaskRow(
            task=read(stored.doc, Task),
            task_digest=hashlib.sha256(stored.doc).hexdigest(),
            received=read(stored.received_doc, Label),
            spent=read(stored.spent_doc, Budget),
            loaded=read(stored.loaded_doc, tuple[str, ...]),
            frozen=stored.frozen,
            answer=stored.answer,
        )

    def tasks(self) -> list[str]:
        """The ids of all tasks, oldest first."""
        return self._texts("SELECT id FROM task ORDER BY rowid")

    def receive(self, task_id: str, label: Label) -> Label:
        """Join a label into what the task's planner has received; it never shrinks."""
        with self.transaction():
            joined = join(self.task(task_id).received, label)
            self._set_task(task_id, "received_doc", codec.encode(joined))
        return joined

    def load_groups(self, task_id: str, groups: tuple[str, ...]) -> None:
        """Add groups to the task's loaded surface."""
        with self.transaction():
            loaded = sorted({*self.task(task_id).loaded, *groups})
            self._set_task(task_id, "loaded_doc", codec.encode(loaded))

    def spend(self, task_id: str, **amounts: int) -> Budget:
        """Add to what the task has used, atomically (gate step 8); raises ``StateError`` over the budget."""
        with self.transaction():
            row = self.task(task_id)
            budget = charged(row.spent, amounts, row.task.budget)
            self.set_spent(task_id, budget)
        return budget

    def set_spent(self, task_id: str, spent: Budget) -> None:
        """Say what the task has used in all; the caller has read the task in the same transaction."""
        self._set_task(task_id, "spent_doc", codec.encode(spent))

    def freeze(self, task_id: str, *, frozen: bool) -> None:
        """Freeze or unfreeze a task."""
        self._set_task(task_id, "frozen", int(frozen))

    def answer(self, task_id: str, text: str) -> None:
        """Store the planner's answer, which is unverified."""
        self._set_task(task_id, "answer", text)

    def _set_task(self, task_id: str, column: str, value: bytes | int | str) -> None:
        with self.transaction() as db:
            db.execute(f"UPDATE task SET {column} = ? WHERE id = ?", (value, task_id))  # noqa: S608 - our own names

    # ---- plans

    def next_sequence(self) -> int:
        """A number that no plan of the workspace has had."""
        return self._number("SELECT coalesce(max(sequence), 0) + 1 FROM plan")

    def put_plan(self, *rows: PlanRow) -> None:
        """Store new plans; their digests and sequences are unique."""
        with self.transaction() as db:
            marks = ", ".join("?" * len(PlanRow.__struct_fields__))
            sql = f"INSERT INTO plan ({columns(PlanRow)}) VALUES ({marks})"  # noqa: S608 - our own names
            db.executemany(sql, map(msgspec.structs.astuple, rows))

    def plan(self, digest: str) -> PlanRow:
        """The plan with that digest, or with that unique prefix of it; raises ``StateError``."""
        sql = f"SELECT {columns(PlanRow)} FROM plan WHERE digest >= ? AND digest < ?"  # noqa: S608
        rows = self._all(PlanRow, sql, digest, digest + "g")
        if len(rows) != 1 or len(digest) < _PREFIX:
            raise StateError(
                "plan.unknown", f"{len(rows)} plans begin with {digest[:64]!r}", hint="run: interlock inbox"
            )
        return rows[0]

    def plans(self, *, task: str = "", status: Status | None = None) -> list[PlanRow]:
        """Plans in the order in which they were proposed."""
        return self._all(
            PlanRow,
            f"SELECT {columns(PlanRow)} FROM plan"  # noqa: S608
            " WHERE (? = '' OR task = ?) AND (? = '' OR status = ?) ORDER BY sequence",
            task, task, status or "", status or "",
        )  # fmt: skip

    def revisions(self, row: PlanRow) -> list[PlanRow]:
        """The plans that revise this one, and those that revise them, in the order of their proposals."""
        found = [row]
        for other in self.plans(task=row.task):
            if other.plan.parent in {one.digest for one in found}:
                found.append(other)
        return found[1:]

    def advance(self, digest: str, event: Event, *, stopped: str = "") -> Status:
        """Let an event happen to a plan; raises ``StateError`` where its life does not admit it."""
        with self.transaction() as db:
            status = transition(self.plan(digest).status, event)
            db.execute(
                "UPDATE plan SET status = ?, stopped = CASE WHEN ? = '' THEN stopped ELSE ? END WHERE digest = ?",
                (status, stopped, stopped, digest),
            )
        return status

    def set_plan(self, digest: str, **columns: bytes | int | str) -> None:
        """Set ``previews``, ``shown_at``, ``envelope``, ``grant_token``, or what a new verdict brings."""
        with self.transaction() as db:
            for column, value in columns.items():
                db.execute(f"UPDATE plan SET {column} = ? WHERE digest = ?", (value, digest))  # noqa: S608

    # ---- approvals

    def put_approval(self, approval: str, plan: str, approver: str, envelope: bytes, expires_at: int) -> None:
        """Store an approval; a second one by the same person for the same plan is a ``StateError``."""
        try:
            with self.transaction() as db:
                db.execute(
                    "INSERT INTO approval (id, plan, approver, envelope, expires_at) VALUES (?, ?, ?, ?, ?)",
                    (approval, plan, approver, envelope, expires_at),
                )
        except sqlite3.IntegrityError:
            raise StateError("approval.repeated", "this person, or this approval, was counted already") from None

    def approvals(self, plan: str, now: int) -> list[ApprovalRow]:
        """The unused approvals of a plan that have not expired."""
        return self._all(
            ApprovalRow,
            f"SELECT {columns(ApprovalRow)} FROM approval WHERE plan = ? AND used = 0 AND expires_at > ?",  # noqa: S608
            plan, now,
        )  # fmt: skip

    def approvals_used(self, plan: str) -> tuple[str, ...]:
        """The ids of the approvals that a plan was sealed with."""
        return tuple(self._texts("SELECT id FROM approval WHERE plan = ? AND used = 1 ORDER BY id", plan))

    def void_approvals(self, plan: str) -> None:
        """Forget the approvals of a plan that is still pending: what they were about has changed."""
        with self.transaction() as db:
            db.execute("DELETE FROM approval WHERE plan = ? AND used = 0", (plan,))

    def use_approvals(self, plan: str) -> None:
        """Mark a plan's approvals as used: each works once."""
        with self.transaction() as db:
            db.execute("UPDATE approval SET used = 1 WHERE plan = ?", (plan,))

    # ---- claims

    def claim(self, plan: str, step: str, iteration: int, lease_until: int) -> None:
        """Claim a step, once and for all (I4); raises ``StateError`` where it was claimed before."""
        try:
            with self.transaction() as db:
                db.execute(
                    "INSERT INTO claim (plan, step, iteration, state, lease_until) VALUES (?, ?, ?, 'claimed', ?)",
                    (plan, step, iteration, lease_until),
                )
        except sqlite3.IntegrityError:
            raise StateError("claim.taken", f"step {step} iteration {iteration} was started before") from None

    def settle(self, plan: str, step: str, iteration: int, state: str, **columns: bytes | str | None) -> None:
        """Say what became of a claim."""
        with self.transaction() as db:
            for column, value in {"state": state, **columns}.items():
                db.execute(
                    f"UPDATE claim SET {column} = ? WHERE plan = ? AND step = ? AND iteration = ?",  # noqa: S608
                    (value, plan, step, iteration),
                )

    def claims(self, plan: str) -> list[ClaimRow]:
        """What was started of a plan, in order."""
        return self._all(ClaimRow, f"SELECT {columns(ClaimRow)} FROM claim WHERE plan = ? ORDER BY rowid", plan)  # noqa: S608

    def unsettled(self) -> list[str]:
        """The plans with a claim of which nobody said yet what became of it."""
        return self._texts("SELECT DISTINCT plan FROM claim WHERE state = 'claimed'")

    # ---- labels that outlive a task, rates

    def carried(self) -> Mapping[str, Label]:
        """The labels that resources carry from earlier tasks; read again only after somebody changed them."""
        with self._lock:
            version = self._numbers("PRAGMA data_version")[0]
            if self._carry_changed or version != self._carried_at:
                rows = self._all(CarriedRow, "SELECT key, label FROM carried")
                self._carried = {row.key: codec.decode_canonical(row.label, Label) for row in rows}
                self._carry_changed, self._carried_at = False, version
            return self._carried

    def carry(self, key: str, label: Label) -> None:
        """Join a label into what a resource carries."""
        with self.transaction() as db:
            rows = self._all(CarriedRow, "SELECT key, label FROM carried WHERE key = ?", key)
            joined = join(label, *(codec.decode_canonical(row.label, Label) for row in rows))
            db.execute("INSERT OR REPLACE INTO carried (key, label) VALUES (?, ?)", (key, codec.encode(joined)))
            self._carry_changed = True

    def rates(self, now: int) -> dict[str, Rate]:
        """The rate classes whose present window has not ended, by name."""
        sql = "SELECT class AS name, began, used FROM rate WHERE began + ? > ?"
        return {rate.name: rate for rate in self._all(Rate, sql, RATE_WINDOW_MS, now)}

    def set_rates(self, *rates: Rate) -> None:
        """Say how far rate classes are used; the caller has read them in the same transaction."""
        with self.transaction() as db:
            sql = "INSERT OR REPLACE INTO rate (class, began, used) VALUES (?, ?, ?)"
            db.executemany(sql, map(msgspec.structs.astuple, rates))

    # ---- incidents

    def see(self, role: str, tasks: Iterable[str], syscall: str) -> None:
        """Remember a violation of a role that worked for these tasks until each has its incident."""
        rows = [(role, task, syscall) for task in tasks]
        with self.transaction() as db:
            db.executemany("INSERT INTO seen (role, task, syscall) VALUES (?, ?, ?)", rows)

    def seen(self) -> list[SeenRow]:
        """The violations that are no incidents yet, oldest first."""
        return self._all(SeenRow, "SELECT role, task, syscall FROM seen ORDER BY id")

    def put_incident(self, at: int, task: str, plan: str, code: str, detail: str, *, role: str = "") -> int:
        """Store an incident, which is that of all that was seen of the role and the task; its number."""
        with self.transaction() as db:
            db.execute("DELETE FROM seen WHERE role = ? AND task = ?", (role, task))
            sql = "INSERT INTO incident (at, task, plan, code, detail) VALUES (?, ?, ?, ?, ?)"
            cursor = db.execute(sql, (at, task, plan, code, detail))
            return int(cursor.lastrowid or 0)

    def incidents(self, *, still_open: bool = False) -> list[IncidentRow]:
        """Incidents, oldest first."""
        return self._all(
            IncidentRow,
            f"SELECT {columns(IncidentRow)} FROM incident WHERE ? = 0 OR closed_by = '' ORDER BY id",  # noqa: S608
            int(still_open),
        )

    def close_incident(self, number: int, by: str, reason: str) -> None:
        """Close an incident, once."""
        with self.transaction() as db:
            changed = db.execute(
                "UPDATE incident SET closed_by = ?, reason = ? WHERE id = ? AND closed_by = ''", (by, reason, number)
            )
            if changed.rowcount != 1:
                raise StateError("incident.unknown", f"no open incident {number}", hint="run: interlock incidents list")

    def _all(self, kind: type[R], sql: str, *values: str | int) -> list[R]:
        with self._lock, _faults():
            cursor = self._db.execute(sql, values)
            names = [column[0] for column in cursor.description]
            return [msgspec.convert(dict(zip(names, row, strict=True)), kind, strict=False) for row in cursor]

    def _texts(self, sql: str, *values: str | int) -> list[str]:
        with self._lock, _faults():
            return [str(row[0]) for row in self._db.execute(sql, values)]

    def _numbers(self, sql: str, *values: str | int) -> list[int]:
        with self._lock, _faults():
            return [int(row[0]) for row in self._db.execute(sql, values)]

    def _number(self, sql: str) -> int:
        return self._numbers(sql)[0]
