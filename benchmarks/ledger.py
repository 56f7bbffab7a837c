"""The ledger's figures: durable appends, group commit, proofs, checkpoints, verification.

The baseline of each append is SQLite alone: the same bytes in one
table, the same pragmas, the same number of rows per transaction, in the same run.
"""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.measuring import Row, repeated, row, table
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


def appends(folder: Path, ledger: Ledger, ones: int, many: int) -> list[Row]:
    single = rate(ones, lambda: [ledger.append([draft(number)]) for number in range(ones)])
    group = [draft(number) for number in range(GROUP)]
    batched = rate(many, lambda: [ledger.append(group) for _ in range(many // GROUP)])
    threaded = rate(64 * (many // 50), lambda: threads(ledger, 64, many // 50))
    floor_single, floor_group = plain(folder / "single.db", ones, 1), plain(folder / "group.db", many, GROUP)
    return [
        row("ledger append, one entry, durable", single, "entries/s", floor_single),
        row(f"ledger append, batches of {GROUP}, durable", batched, "entries/s", floor_group),
        row("ledger append, 64 threads, group commit, durable", threaded, "entries/s", floor_group),
    ]


def proofs(ledger: Ledger, key: Ed25519PrivateKey, times: int) -> list[Row]:
    size = ledger.size
    checkpoint = notes.open_checkpoint(ledger.checkpoint(), [ledger.key])
    leaf = ledger.leaves(size // 3, size // 3 + 1)[0]
    proof = ledger.prove_inclusion(size // 3, size)
    head = merkle.leaf_hash(leaf)

    def check() -> None:
        merkle.verify_inclusion(head, size // 3, size, proof, checkpoint.root)

    one = [
        ("ledger checkpoint, signed", lambda: notes.sign_checkpoint(checkpoint, key)),
        ("ledger inclusion proof, made", lambda: ledger.prove_inclusion(size // 3, size)),
        ("ledger inclusion proof, verified", check),
        ("ledger consistency proof, made", lambda: ledger.prove_consistency(size // 3, size)),
    ]
    return [row(name, 1e6 / rate(times, repeated(work, times)), "us") for name, work in one]


def audits(ledger: Ledger) -> list[Row]:
    size = ledger.size
    bundle = list(lines(ledger))
    return [
        row("ledger verify, everything recomputed", rate(size, ledger.verify), "entries/s"),
        row("offline verifier, exported bundle", rate(size, lambda: verify(bundle, ledger)), "entries/s"),
    ]


def verify(bundle: list[bytes], ledger: Ledger) -> None:
    verify_bundle(bundle, [ledger.key])


def run(*, tiny: bool = False) -> list[Row]:
    """All rows."""
    key = Ed25519PrivateKey.generate()
    ones, many, times = (2, GROUP, 2) if tiny else (300, 5000, 500)
    with tempfile.TemporaryDirectory() as name, Ledger(Path(name) / "ledger.db", key, ORIGIN) as ledger:
        ledger.append([(Entry(kind="task", at=0, task=f"t{number}"), b"") for number in range(8)])
        return [*appends(Path(name), ledger, ones, many), *proofs(ledger, key, times), *audits(ledger)]


if __name__ == "__main__":
    print(table(run()))
