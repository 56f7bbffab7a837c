"""Writes formal/statuses.pml, the model's statuses and moves, from formal/life.json.

The model changes a plan's status only through the macros written here, and tests compare the file with the
table, so the two cannot drift.  Run ``python3 formal/statuses.py`` after an edit of life.json.
"""

from __future__ import annotations

import json
from pathlib import Path

HERE = Path(__file__).resolve().parent
STATUSES = (
    "proposed",
    "denied",
    "deferred",
    "pending",
    "approved",
    "sealed",
    "running",
    "done",
    "halted",
    "expired",
    "revoked",
    "rolled-back",
)


def table() -> list[dict[str, str]]:
    """The transitions, each with ``from``, ``event`` and ``to``."""
    rows: list[dict[str, str]] = json.loads((HERE / "life.json").read_text(encoding="utf-8"))
    return rows


def word(status: str) -> str:
    """A status as Promela can spell it."""
    return status.replace("-", "_")


def header() -> str:
    """The text of statuses.pml: ``MAY_event(p)`` is the guard of an event, ``DO_event(p)`` its move."""
    rows = table()
    lines = ["/* Written by formal/statuses.py from formal/life.json; edit the table, not this file. */"]
    lines.append(f"mtype = {{ absent, {', '.join(word(s) for s in STATUSES)} }};")
    lines.append(f"#define BIRTH(p) status[p] = {STATUSES[0]}")
    for event in dict.fromkeys(row["event"] for row in rows):
        chosen = [row for row in rows if row["event"] == event]
        guard = " || ".join(f"status[p] == {word(row['from'])}" for row in chosen)
        (target,) = {row["to"] for row in chosen}
        lines += [f"#define MAY_{event}(p) ({guard})", f"#define DO_{event}(p) status[p] = {word(target)}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (HERE / "statuses.pml").write_text(header(), encoding="utf-8")
