"""The order rules O1 to O9: a table of stories, each with the rule that it breaks, or none."""

from __future__ import annotations

import pytest

from interlock.artifact.entry import step_subject
from interlock.artifact.errors import IntegrityError
from interlock.verify.order import Order
from support.ledgers import PLAN, STEP, Record, record, story

OTHER = "b" * 64
STEP_2 = step_subject(PLAN, "s2", 0)
STARTED, ENDED = record("intention", STEP), record("outcome", STEP, "observed")
TASK, PLANNED = record("task"), record("plan", PLAN)
ALLOWED, ASKED, DENIED = (record("decision", PLAN, word) for word in ("ALLOW", "STEP_UP", "DENY"))
APPROVED, REJECTED, GRANTED = record("approval", PLAN), record("denial", PLAN), record("grant", PLAN)
CLEAR = [TASK, PLANNED, ALLOWED, GRANTED]
UNDOING, RESTORING = record("undo", STEP, "intended"), record("grant", PLAN, "rollback")
DERIVED = [record("plan", OTHER, "rollback"), record("grant", OTHER, "rollback")]

SOUND: dict[str, list[Record]] = {
    "the whole story": story(),
    "allowed without a person": [*CLEAR, STARTED, ENDED],
    "entries of no task": [record("policy", task=""), record("key", task="")],
    "a denied proposal that is no plan": [TASK, record("decision", OTHER, "DENY")],
    "asked again after a change of policy": [TASK, PLANNED, ASKED, APPROVED, ASKED, APPROVED, GRANTED],
    "a retry of an idempotent step": [*CLEAR, STARTED, record("intention", STEP, "retry"), ENDED],
    "a skipped step": [*CLEAR, record("outcome", STEP_2, "skipped")],
    "an unknown outcome that a person settled": [*CLEAR, STARTED, record("outcome", STEP, "unknown"), ENDED],
    "a secret for a granted step": [*CLEAR, record("secret", STEP)],
    "a secret of the gateway": [TASK, record("secret", "model-key")],
    "undone after a revocation": [*CLEAR, STARTED, ENDED, record("revoke", PLAN), record("undo", STEP)],
    "granted anew after a revocation": [*CLEAR, record("revoke", PLAN), GRANTED, STARTED],
    "a step that was checked again": [*CLEAR, record("decision", STEP, "ALLOW"), STARTED],
    "an observation with a secret": [TASK, record("observation", OTHER), record("secret", f"{OTHER}/s1/0")],
    "a plan's own outcome and undo": [*CLEAR, record("outcome", PLAN, "done"), record("undo", PLAN, "rolled-back")],
    "unknown since a crash before the intention": [*CLEAR, record("outcome", STEP, "unknown"), record("undo", STEP)],
    "undone by restoring": [*CLEAR, STARTED, ENDED, UNDOING, RESTORING, record("undo", STEP, "undone")],
    "undone by an inverse action": [*CLEAR, STARTED, ENDED, UNDOING, *DERIVED, record("intention", f"{OTHER}/s1/0")],
    "another step was denied": [*CLEAR, record("decision", STEP_2, "DENY"), STARTED],
}

BROKEN: dict[str, tuple[str, list[Record]]] = {
    "O1: a plan before its task": ("order.task", [PLANNED]),
    "O1: an observation of another task": ("order.task", [TASK, record("observation", "x", task="t2")]),
    "O2: a decision about no plan": ("order.decision", [TASK, ALLOWED]),
    "O2: a decision about another plan": ("order.decision", [TASK, PLANNED, record("decision", OTHER, "ALLOW")]),
    "O3: an approval before the decision": ("order.approval", [TASK, PLANNED, APPROVED]),
    "O3: a denial of another plan": ("order.approval", [TASK, PLANNED, ASKED, record("denial", OTHER)]),
    "O4: a grant without a decision": ("order.grant", [TASK, PLANNED, GRANTED]),
    "O4: a grant after a denial by the gate": ("order.grant", [TASK, PLANNED, DENIED, GRANTED]),
    "O4: a grant that nobody approved": ("order.grant", [TASK, PLANNED, ASKED, GRANTED]),
    "O4: a grant for another plan": ("order.grant", [TASK, PLANNED, ALLOWED, record("grant", OTHER)]),
    "O4: an approval from before the last decision": ("order.grant", [TASK, PLANNED, ASKED, APPROVED, ASKED, GRANTED]),
    "O4: a person said no": ("order.grant", [TASK, PLANNED, ASKED, APPROVED, REJECTED, GRANTED]),
    "O4: a no is not outvoted": ("order.grant", [TASK, PLANNED, ASKED, REJECTED, APPROVED, GRANTED]),
    "O4: a person said no to what was allowed": ("order.grant", [TASK, PLANNED, ALLOWED, REJECTED, GRANTED]),
    "O4: approved, then denied by the gate": ("order.grant", [TASK, PLANNED, ASKED, APPROVED, DENIED, GRANTED]),
    "O4: deferred": ("order.grant", [TASK, PLANNED, record("decision", PLAN, "DEFER"), GRANTED]),
    "O4: an unknown verdict": ("order.grant", [TASK, PLANNED, record("decision", PLAN, "allow"), GRANTED]),
    "O4: a rollback without an undo": ("order.grant", [*CLEAR, STARTED, ENDED, RESTORING]),
    "O4: a rollback after the undo": (
        "order.grant",
        [*CLEAR, STARTED, ENDED, UNDOING, record("undo", STEP, "undone"), RESTORING],
    ),
    "O4: a rollback in another task": (
        "order.grant",
        [*CLEAR, STARTED, ENDED, UNDOING, record("task", task="t2"), record("grant", OTHER, "rollback", task="t2")],
    ),
    "O6: a start on a grant to restore": (
        "order.intention",
        [*CLEAR, STARTED, ENDED, record("revoke", PLAN), UNDOING, RESTORING, record("intention", STEP_2)],
    ),
    "O5: a secret for an observation of something else": (
        "order.secret",
        [TASK, record("observation", PLAN), record("secret", f"{OTHER}/s1/0")],
    ),
    "O7: started although it is unknown": (
        "order.started_twice",
        [*CLEAR, record("outcome", STEP, "unknown"), STARTED],
    ),
    "O8: an outcome of a plan that was not granted": (
        "order.outcome",
        [TASK, PLANNED, record("outcome", PLAN, "done")],
    ),
    "O8: a failure of what did not start": ("order.outcome", [*CLEAR, record("outcome", STEP, "http.status")]),
    "O9: undoing a plan that was not granted": ("order.undo", [TASK, PLANNED, record("undo", PLAN, "rolled-back")]),
    "O5: a secret before the grant": ("order.secret", [TASK, PLANNED, ALLOWED, record("secret", STEP)]),
    "O5: a secret after a revocation": ("order.secret", [*CLEAR, record("revoke", PLAN), record("secret", STEP)]),
    "O6: a start before the grant": ("order.intention", [TASK, PLANNED, ALLOWED, STARTED]),
    "O6: a start after a revocation": ("order.intention", [*CLEAR, record("revoke", PLAN), STARTED]),
    "O6: a start of another plan": ("order.intention", [*CLEAR, record("intention", step_subject(OTHER, "s1", 0))]),
    "O6: a start that was denied": ("order.intention", [*CLEAR, record("decision", STEP, "DENY"), STARTED]),
    "O7: started twice": ("order.started_twice", [*CLEAR, STARTED, STARTED]),
    "O7: started again after its end": ("order.started_twice", [*CLEAR, STARTED, ENDED, STARTED]),
    "O8: an outcome of nothing": ("order.outcome", [*CLEAR, ENDED]),
    "O8: an outcome of another step": ("order.outcome", [*CLEAR, STARTED, record("outcome", STEP_2, "observed")]),
    "O8: two outcomes": ("order.outcome", [*CLEAR, STARTED, ENDED, ENDED]),
    "O8: skipped after it ended": ("order.outcome", [*CLEAR, STARTED, ENDED, record("outcome", STEP, "skipped")]),
    "O9: undoing what was never done": ("order.undo", [*CLEAR, record("undo", STEP)]),
}


def admit(records: list[Record]) -> None:
    order = Order()
    for index, (entry, _) in enumerate(records):
        order.admit(index, entry)


@pytest.mark.parametrize("name", SOUND)
def test_sound(name: str) -> None:
    admit(SOUND[name])


@pytest.mark.parametrize("name", BROKEN)
def test_broken(name: str) -> None:
    code, records = BROKEN[name]
    admit(records[:-1])  # Only the last entry is out of place.
    with pytest.raises(IntegrityError) as caught:
        admit(records)
    assert caught.value.code == code


def test_every_rule_is_broken_by_a_case() -> None:
    assert {name[:2] for name in BROKEN} == {f"O{number}" for number in range(1, 10)}
