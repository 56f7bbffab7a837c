"""What is kept of the judge: its opinions by digest, what it has used of each day, and how far steps lay from goals.

An opinion is found again only by the same inquiry and the same judge; a fault is never kept.  What a call may use is
taken before it is made, in one transaction, so that calls at the same time cannot exceed the day together.
"""

from __future__ import annotations

from collections.abc import Collection

from interlock.artifact import codec
from interlock.artifact.errors import CodecError
from interlock.artifact.opinion import Opinion
from interlock.decide.judgement import WINDOW
from interlock.harness.store import Store

DAY_MS = 24 * 3600 * 1000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS opinion (about TEXT, judge TEXT, doc BLOB NOT NULL, PRIMARY KEY (about, judge)) STRICT;
CREATE TABLE IF NOT EXISTS judge_day (
  day INTEGER, tenant TEXT, used INTEGER NOT NULL, PRIMARY KEY (day, tenant)) STRICT;
CREATE TABLE IF NOT EXISTS distance (
  id INTEGER PRIMARY KEY, task TEXT NOT NULL, plan TEXT NOT NULL, step TEXT NOT NULL, distance INTEGER NOT NULL) STRICT;
"""


class Opinions:
    """The store of one workspace."""

    def __init__(self, store: Store) -> None:
        self._store = store
        with store.transaction() as db:
            for statement in _SCHEMA.split(";"):
                db.execute(statement)

    def known(self, about: str, judge: str) -> Opinion | None:
        """The opinion of that judge about that inquiry; nothing where there is none, or it is not one any more."""
        with self._store.transaction() as db:
            row = db.execute("SELECT doc FROM opinion WHERE about = ? AND judge = ?", (about, judge)).fetchone()
        try:
            found = codec.decode_canonical(row[0], Opinion) if row is not None else None
        except CodecError:
            return None
        return found if found is not None and (found.about, found.judge, found.fault) == (about, judge, "") else None

    def keep(self, opinion: Opinion) -> None:
        """Remember an opinion that is no fault."""
        with self._store.transaction() as db:
            row = opinion.about, opinion.judge, codec.encode(opinion)
            db.execute("INSERT OR REPLACE INTO opinion (about, judge, doc) VALUES (?, ?, ?)", row)

    def charge(self, now: int, tenant: str, tokens: int, most: int) -> bool:
        """Take tokens of the tenant's day (UTC) before a call; whether there were as many left."""
        with self._store.transaction() as db:
            if self.used(now, tenant) + tokens > most:
                return False
            db.execute(
                "INSERT INTO judge_day (day, tenant, used) VALUES (?, ?, ?)"
                " ON CONFLICT (day, tenant) DO UPDATE SET used = used + excluded.used",
                (now // DAY_MS, tenant, tokens),
            )
        return True

    def settle(self, taken_at: int, tenant: str, difference: int) -> None:
        """Add what a call has used beyond what was taken for it at that time, or give back what it has not."""
        with self._store.transaction() as db:
            sql = "UPDATE judge_day SET used = max(0, used + ?) WHERE day = ? AND tenant = ?"
            db.execute(sql, (difference, taken_at // DAY_MS, tenant))

    def used(self, now: int, tenant: str) -> int:
        """The tokens that the tenant has used of this day."""
        with self._store.transaction() as db:
            row = db.execute(
                "SELECT used FROM judge_day WHERE day = ? AND tenant = ?", (now // DAY_MS, tenant)
            ).fetchone()
        return int(row[0]) if row is not None else 0

    def measure(self, task: str, plan: str, opinion: Opinion | None, finished: Collection[str]) -> None:
        """Record how far each judged step of a plan that is still to run lies from the task's goal."""
        judged = [one for one in opinion.steps if one.step not in finished] if opinion is not None else []
        if judged:
            with self._store.transaction() as db:
                sql = "INSERT INTO distance (task, plan, step, distance) VALUES (?, ?, ?, ?)"
                db.executemany(sql, [(task, plan, one.step, one.distance) for one in judged])

    def distances(self, task: str) -> list[int]:
        """Those of the task's latest judged steps, oldest first."""
        with self._store.transaction() as db:
            sql = "SELECT distance FROM distance WHERE task = ? ORDER BY id DESC LIMIT ?"
            return [int(row[0]) for row in db.execute(sql, (task, WINDOW))][::-1]
