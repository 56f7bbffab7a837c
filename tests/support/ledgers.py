"""Small ledgers for tests: one key, one origin, and the entries of one plan from goal to outcome."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlock.artifact.entry import Entry, Kind, step_subject
from interlock.harness.ledger import Ledger

KEY = Ed25519PrivateKey.from_private_bytes(b"ledger" + b"\0" * 26)
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"another" + b"\0" * 25)
ORIGIN = "interlock.test/log"
NOW = 1_800_000_000_000
PLAN = "a" * 64
STEP = step_subject(PLAN, "s1", 0)

Record = tuple[Entry, bytes]


def record(kind: Kind, subject: str = "", code: str = "", *, task: str = "t1", payload: bytes = b"") -> Record:
    """A draft with a payload that names it."""
    draft = Entry(kind=kind, at=NOW, task=task, subject=subject, code=code)
    return draft, payload or f"{kind} {subject} {code}".encode()


def story() -> list[Record]:
    """One plan, in the order that I8 demands."""
    return [
        record("task"),
        record("plan", PLAN),
        record("decision", PLAN, "STEP_UP"),
        record("approval", PLAN),
        record("grant", PLAN),
        record("intention", STEP),
        record("outcome", STEP, "observed"),
    ]


def numbered(count: int, start: int = 0) -> list[Record]:
    """So many small entries that belong to no task."""
    return [record("load", str(number), task="") for number in range(start, start + count)]


def open_ledger(folder: Path, key: Ed25519PrivateKey = KEY, origin: str = ORIGIN) -> Ledger:
    """The ledger of a folder."""
    return Ledger(folder / "ledger.db", key, origin)
