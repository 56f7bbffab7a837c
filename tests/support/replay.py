"""Replay what a ledger says of each plan through the table of its life: no real run may leave the model.

An entry is durable before the move that it announces, so after a crash the announced move may not have been made:
with ``crashes``, each entry leads to the status after its move and leaves the one before it possible.  ``start`` has
no entry of its own, the first intention implies it; an approval may be one of several that are needed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from interlock.artifact.entry import Entry
from interlock.artifact.errors import StateError
from interlock.decide.life import Event, Status, transition
from interlock.harness.core import Core

TABLE = Path(__file__).resolve().parents[2] / "formal" / "life.json"
_VERDICTS = {"ALLOW": Event.ALLOW, "STEP_UP": Event.ASK, "DEFER": Event.DEFER, "DENY": Event.DENY, "MODIFY": Event.DENY}


def event_of(entry: Entry) -> Event | None:
    """The move that an entry about a plan announces."""
    if "/" in entry.subject:
        return Event.START if entry.kind == "intention" else None
    match entry.kind:
        case "decision":
            return _VERDICTS[entry.code]
        case "approval":
            return Event.APPROVE
        case "denial":
            return Event.DENY
        case "grant":
            return None if entry.code == "rollback" else Event.SEAL
        case "halt":
            return Event.HALT
        case "revoke":
            return Event.EXPIRE if entry.code == "plan.expired" else Event.REVOKE
        case "outcome":
            return Event.FINISH if entry.code == "done" else None
        case "undo":
            return Event.UNDO
        case _:
            return None


def moves_of_the_model() -> Mapping[tuple[str, str], str]:
    """The normative table, as the model checker reads it."""
    return {(row["from"], row["event"]): row["to"] for row in json.loads(TABLE.read_text())}


def possible(entries: list[Entry], *, crashes: bool = True) -> set[Status]:
    """The statuses that a plan can have after its entries, by the engine's table and the model's alike."""
    table, statuses = moves_of_the_model(), {Status.PROPOSED}
    for entry in entries:
        event = event_of(entry)
        if event is None:
            continue
        started = {Status.RUNNING} if statuses & {Status.SEALED, Status.RUNNING} else set[Status]()
        if event is Event.START:  # The first intention and every later one: the plan runs.
            statuses = started
            continue
        before = statuses | started
        after = {found for status in before if (found := _engine(status, event)) is not None}
        assert {found.value for found in after} == {
            table[status.value, event.value] for status in before if (status.value, event.value) in table
        }
        statuses = after | (statuses if crashes or event is Event.APPROVE else set[Status]())
    return statuses


def _engine(status: Status, event: Event) -> Status | None:
    try:
        return transition(status, event)
    except StateError:
        return None


def left_the_model(core: Core, *, crashes: bool = True) -> list[str]:
    """The plans whose stored status their entries cannot explain."""
    entries = core.ledger.entries()
    found: list[str] = []
    for row in core.store.plans():
        own = [entry for entry in entries if entry.subject == row.digest or entry.subject.startswith(f"{row.digest}/")]
        if row.status not in possible(own, crashes=crashes):
            found.append(f"{row.digest[:12]} is {row.status.value}, not {possible(own, crashes=crashes)}")
    return found
