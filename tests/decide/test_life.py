"""The life of a plan: the table is the one that the model checker checks, and nothing outside it is admitted."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from interlock.artifact.errors import StateError
from interlock.decide.life import TRANSITIONS, Event, Status, transition

TABLE = Path(__file__).resolve().parents[2] / "formal" / "life.json"
MOVES = sorted((status, event) for status in Status for event in Event)


def test_the_table_is_the_one_that_is_model_checked() -> None:
    rows = json.loads(TABLE.read_text(encoding="utf-8"))
    checked = {(row["from"], row["event"], row["to"]) for row in rows}
    assert checked == {(status.value, event.value, target.value) for (status, event), target in TRANSITIONS.items()}
    assert len(rows) == len(checked) == 32


@pytest.mark.parametrize(("status", "event"), MOVES)
def test_what_the_table_does_not_hold_is_not_admitted(status: Status, event: Event) -> None:
    if (status, event) in TRANSITIONS:
        assert transition(status, event) is TRANSITIONS[status, event]
        return
    with pytest.raises(StateError) as caught:
        transition(status, event)
    assert caught.value.code == "life.not_admitted"


def reached(start: Status, without: frozenset[Event] = frozenset()) -> set[Status]:
    """Every status that some course of events leads to."""
    found = {start}
    waiting = [start]
    while waiting:
        here = waiting.pop()
        after = {target for (status, event), target in TRANSITIONS.items() if status is here and event not in without}
        waiting.extend(after - found)
        found |= after
    return found


def test_every_status_can_be_reached_and_the_last_ones_are_final() -> None:
    assert reached(Status.PROPOSED) == set(Status)
    final = {status for status in Status if not any(here is status for here, _ in TRANSITIONS)}
    assert final == {Status.DENIED, Status.ROLLED_BACK}


@pytest.mark.parametrize(
    ("start", "without", "never"),
    [
        (Status.PROPOSED, frozenset({Event.SEAL}), Status.RUNNING),
        (Status.PROPOSED, frozenset({Event.ALLOW, Event.APPROVE}), Status.SEALED),
        (Status.PENDING, frozenset({Event.APPROVE}), Status.APPROVED),
        (Status.DENIED, frozenset(), Status.APPROVED),
        (Status.HALTED, frozenset(), Status.RUNNING),
        (Status.EXPIRED, frozenset(), Status.RUNNING),
        (Status.REVOKED, frozenset(), Status.RUNNING),
        (Status.DONE, frozenset(), Status.RUNNING),
        (Status.ROLLED_BACK, frozenset(), Status.RUNNING),
        (Status.APPROVED, frozenset(), Status.PENDING),
    ],
)
def test_no_way_around(start: Status, without: frozenset[Event], never: Status) -> None:
    assert never not in reached(start, without)


def test_a_plan_that_may_act_can_always_be_stopped_by_clock_and_person() -> None:
    for status, event in itertools.product(
        (Status.APPROVED, Status.SEALED, Status.RUNNING), (Event.HALT, Event.EXPIRE, Event.REVOKE)
    ):
        assert transition(status, event) in {Status.HALTED, Status.EXPIRED, Status.REVOKED}
