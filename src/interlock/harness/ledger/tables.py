"""The ledger's tables: SQL and nothing else.  Nodes are named as in ``interlock.artifact.merkle``.

``leaf`` holds the entries, ``node`` the hashes of all complete subtrees, ``checkpoint`` the latest signed head (and
the latest cosigned one), ``payload`` sealed bytes, ``data_key`` and ``task_key`` the wrapped keys.  Erasing deletes
rows of the last two; ``secure_delete`` overwrites them.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple, cast

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from interlock.artifact.errors import IntegrityError, StateError
from interlock.artifact.merkle import Node
from interlock.harness.ledger import payloads
from interlock.harness.ledger.payloads import Sealed

_SCHEMA = """
CREATE TABLE IF NOT EXISTS leaf (idx INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS node
  (level INTEGER, idx INTEGER, hash BLOB NOT NULL, PRIMARY KEY (level, idx)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checkpoint (cosigned INTEGER PRIMARY KEY, note BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS payload (idx INTEGER PRIMARY KEY, box BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS data_key (idx INTEGER PRIMARY KEY, task_key INTEGER, wrapped BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS task_key
  (id INTEGER PRIMARY KEY AUTOINCREMENT, task TEXT NOT NULL UNIQUE, wrapped BLOB NOT NULL) STRICT;
"""

_STORED = """
SELECT leaf.idx, leaf.body, payload.box, data_key.wrapped, task_key.task, task_key.wrapped FROM leaf
  LEFT JOIN payload ON payload.idx = leaf.idx LEFT JOIN data_key ON data_key.idx = leaf.idx
  LEFT JOIN task_key ON task_key.id = data_key.task_key WHERE leaf.idx >= ? AND leaf.idx < ? ORDER BY leaf.idx
"""


class Stored(NamedTuple):
    """One entry with what is left of its payload."""

    number: int
    leaf: bytes
    box: bytes | None
    data_key: bytes | None
    task: str | None
    task_key: bytes | None


@contextmanager
def storage_faults() -> Generator[None]:
    """Turn the faults of disk and database into errors with codes."""
    try:
        yield
    except sqlite3.ProgrammingError as error:
        raise StateError("ledger.closed", f"the ledger is closed: {error}") from error
    except (sqlite3.OperationalError, OSError) as error:
        hint = "free space or mend the disk, look at the tail, then try again"
        raise StateError("ledger.storage", f"the store failed: {error}", hint=hint) from error
    except sqlite3.DatabaseError as error:
        raise IntegrityError("ledger.database", f"the database is damaged: {error}") from error


class Tables:
    """One connection; ``key`` is the ledger's storage key.  Not safe for two threads at once."""

    def __init__(self, path: Path, key: bytes) -> None:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        self._key = key
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "trusted_schema=OFF"):
            self._db.execute(f"PRAGMA {pragma}")

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def create(self) -> None:
        """Make the tables where there are none."""
        self._db.executescript(_SCHEMA)

    @contextmanager
    def transaction(self, mode: str = "IMMEDIATE") -> Generator[None]:
        """All or nothing; ``DEFERRED`` reads one snapshot."""
        self._db.execute(f"BEGIN {mode}")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def check_schema(self) -> None:
        """The database defines our tables, word for word, and no trigger or view; else ``IntegrityError``."""
        with closing(sqlite3.connect(":memory:")) as fresh:
            fresh.executescript(_SCHEMA)
            query = "SELECT type, name, sql FROM sqlite_master ORDER BY name"
            if fresh.execute(query).fetchall() != self._db.execute(query).fetchall():
                raise IntegrityError("ledger.schema", "the database defines what this software did not")

    def size(self) -> int:
        """One more than the last entry's index."""
        found = self._db.execute("SELECT coalesce(max(idx) + 1, 0) FROM leaf").fetchone()
        return cast("tuple[int]", found)[0]

    def checkpoint(self, *, cosigned: bool = False) -> bytes | None:
        """The latest signed, or cosigned, note."""
        found = self._db.execute("SELECT note FROM checkpoint WHERE cosigned = ?", (cosigned,)).fetchone()
        return cast("tuple[bytes]", found)[0] if found else None

    def put_checkpoint(self, note: bytes, *, cosigned: bool = False) -> None:
        """Replace the latest note."""
        self._db.execute("INSERT OR REPLACE INTO checkpoint VALUES (?, ?)", (cosigned, note))

    def node(self, level: int, index: int) -> bytes:
        """A stored hash; raises ``IntegrityError`` where there is none."""
        found = self._db.execute("SELECT hash FROM node WHERE level = ? AND idx = ?", (level, index)).fetchone()
        if not found:
            raise IntegrityError("ledger.node", f"no hash is stored for node {index} of level {level}")
        return cast("tuple[bytes]", found)[0]

    def nodes(self, level: int) -> Iterator[tuple[int, bytes]]:
        """Index and hash of all nodes of a level."""
        return self._db.execute("SELECT idx, hash FROM node WHERE level = ? ORDER BY idx", (level,))

    def count_nodes(self) -> int:
        """How many nodes there are in all."""
        return cast("tuple[int]", self._db.execute("SELECT count(*) FROM node").fetchone())[0]

    def stored(self, start: int, stop: int) -> Iterator[Stored]:
        """The entries of a range, in order."""
        return map(Stored._make, self._db.execute(_STORED, (start, stop)))

    def leaves(self, start: int, stop: int) -> list[tuple[bytes, bytes]]:
        """Leaf bytes of a range with their stored hashes."""
        query = (
            "SELECT body, hash FROM leaf JOIN node USING (idx) WHERE level = 0 AND idx >= ? AND idx < ? ORDER BY idx"
        )
        return self._db.execute(query, (start, stop)).fetchall()

    def add(self, first: int, records: Sequence[Sealed], nodes: Sequence[Node]) -> None:
        """Insert entries, payloads, keys and hashes, within the caller's transaction."""
        numbered = list(enumerate(records, first))
        tasks = {task: self._task_key(task) for task in {record.task for record in records}}
        self._db.executemany("INSERT INTO leaf VALUES (?, ?)", [(i, r.leaf) for i, r in numbered])
        self._db.executemany("INSERT INTO node VALUES (?, ?, ?)", nodes)
        self._db.executemany("INSERT INTO payload VALUES (?, ?)", [(i, r.box) for i, r in numbered])
        keys = [(i, tasks[r.task][0], payloads.wrap(tasks[r.task][1], r.key, r.commitment)) for i, r in numbered]
        self._db.executemany("INSERT INTO data_key VALUES (?, ?, ?)", keys)

    def erase(self, task: str, index: int | None) -> None:
        """Delete one payload's key, or those of a task, within the caller's transaction."""
        if index is None:
            owned = "task_key IN (SELECT id FROM task_key WHERE task = ?)"
            self._db.execute(f"DELETE FROM data_key WHERE {owned}", (task,))  # noqa: S608 - a constant
            self._db.execute("DELETE FROM task_key WHERE task = ?", (task,))
        else:
            self._db.execute("DELETE FROM data_key WHERE idx = ?", (index,))

    def forget_deleted(self) -> None:
        """Empty the write-ahead log, whose old frames may hold what was deleted; ``StateError`` while it is read."""
        busy = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if cast("tuple[int, int, int]", busy)[0]:
            raise StateError("ledger.erase_lingers", "readers keep old pages alive", hint="erase once more")

    def open_task_key(self, task: str, wrapped: bytes) -> bytes:
        """A task's key in the clear."""
        return payloads.unwrap(self._key, wrapped, task.encode())

    def _task_key(self, task: str) -> tuple[int, AESGCM]:
        found = self._db.execute("SELECT id, wrapped FROM task_key WHERE task = ?", (task,)).fetchone()
        if found:
            number, wrapped = cast("tuple[int, bytes]", found)
            return number, AESGCM(self.open_task_key(task, wrapped))
        key = os.urandom(payloads.KEY_BYTES)
        wrapped = payloads.wrap(AESGCM(self._key), key, task.encode())
        made = self._db.execute("INSERT INTO task_key (task, wrapped) VALUES (?, ?)", (task, wrapped))
        return cast("int", made.lastrowid), AESGCM(key)
