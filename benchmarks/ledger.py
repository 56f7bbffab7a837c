"""The ledger's figures: durable appends, group commit, proofs, checkpoints, verification.

``python benchmarks/ledger.py`` prints a table.  The baseline of each append is SQLite alone: the same bytes in one
table, the same pragmas, the same number of rows per transaction, in the same run.
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlock.artifact import checkpoint as notes
from interlock.artifact import merkle
from interlock.artifact.entry import Entry, leaf_of, seal
from interlock.harness.ledger import Ledger
from interlock.harness.ledger.export import lines
from interlock.verify import verify_bundle

ROUNDS = 3
PAYLOAD = b"p" * 512
GROUP = 50
ORIGIN = "bench.test/log"

Row = dict[str, object]


def draft(number: int) -> tuple[Entry, bytes]:
    """A typical entry: one of a plan's decisions, with half a kilobyte of payload."""
    entry = Entry(kind="load", at=1_800_000_000_000 + number, task=f"t{number % 8}", subject="a" * 64, code="ALLOW")
    return entry, PAYLOAD


def rate(count: int, work: Callable[[], object]) -> float:
    """The median of some rounds, in operations per second."""
    found: list[float] = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        found.append(count / (time.perf_counter() - start))
    return statistics.median(found)


def row(name: str, value: float, unit: str, baseline: float | None = None) -> Row:
    ratio = value / baseline if baseline else None
    return {"name": name, "value": value, "unit": unit, "baseline": baseline, "ratio": ratio}


def plain(path: Path, count: int, group: int) -> float:
    """Rows of the same bytes into one table of SQLite alone."""
    body = leaf_of(seal(draft(0)[0], bytes(16), PAYLOAD)) + PAYLOAD
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE record (idx INTEGER PRIMARY KEY, body BLOB NOT NULL)")

        def work() -> None:
            for _ in range(0, count, group):
                database.execute("BEGIN IMMEDIATE")
                database.executemany("INSERT INTO record (body) VALUES (?)", [(body,)] * group)
                database.execute("COMMIT")

        return rate(count, work)


def threads(ledger: Ledger, workers: int, each: int) -> None:
    """Many threads, one entry a call."""

    def work() -> None:
        for number in range(each):
            ledger.append([draft(number)])

    running = [threading.Thread(target=work) for _ in range(workers)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


def appends(folder: Path, ledger: Ledger) -> list[Row]:
    single = rate(300, lambda: [ledger.append([draft(number)]) for number in range(300)])
    group = [draft(number) for number in range(GROUP)]
    batched = rate(5000, lambda: [ledger.append(group) for _ in range(5000 // GROUP)])
    threaded = rate(6400, lambda: threads(ledger, 64, 100))
    floor_single, floor_group = plain(folder / "single.db", 300, 1), plain(folder / "group.db", 5000, GROUP)
    return [
        row("ledger append, one entry, durable", single, "entries/s", floor_single),
        row(f"ledger append, batches of {GROUP}, durable", batched, "entries/s", floor_group),
        row("ledger append, 64 threads, group commit, durable", threaded, "entries/s", floor_group),
    ]


def proofs(ledger: Ledger, key: Ed25519PrivateKey) -> list[Row]:
    size = ledger.size
    checkpoint = notes.open_checkpoint(ledger.checkpoint(), [ledger.key])
    leaf = ledger.leaves(size // 3, size // 3 + 1)[0]
    proof = ledger.prove_inclusion(size // 3, size)
    head = merkle.leaf_hash(leaf)

    def check() -> None:
        merkle.verify_inclusion(head, size // 3, size, proof, checkpoint.root)

    one = [
        ("ledger checkpoint, signed", lambda: notes.sign_checkpoint(checkpoint, key)),
        (f"ledger inclusion proof, {size} entries", lambda: ledger.prove_inclusion(size // 3, size)),
        ("ledger inclusion proof, verified", check),
        (f"ledger consistency proof, {size} entries", lambda: ledger.prove_consistency(size // 3, size)),
    ]
    return [row(name, 1e6 / rate(500, lambda w=work: [w() for _ in range(500)]), "µs") for name, work in one]


def audits(ledger: Ledger) -> list[Row]:
    size = ledger.size
    bundle = list(lines(ledger))
    return [
        row("ledger verify, everything recomputed", rate(size, ledger.verify), "entries/s"),
        row("offline verifier, exported bundle", rate(size, lambda: verify(bundle, ledger)), "entries/s"),
    ]


def verify(bundle: list[bytes], ledger: Ledger) -> None:
    verify_bundle(bundle, [ledger.key])


def run() -> list[Row]:
    """All rows."""
    key = Ed25519PrivateKey.generate()
    with tempfile.TemporaryDirectory() as name, Ledger(Path(name) / "ledger.db", key, ORIGIN) as ledger:
        ledger.append([(Entry(kind="task", at=0, task=f"t{number}"), b"") for number in range(8)])
        return [*appends(Path(name), ledger), *proofs(ledger, key), *audits(ledger)]


def main() -> int:
    for found in run():
        against = f"{found['ratio']:8.2f} of {found['baseline']:,.0f}" if found["ratio"] else ""
        print(f"{found['name']:52} {found['value']:12,.1f} {found['unit']:10} {against}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
