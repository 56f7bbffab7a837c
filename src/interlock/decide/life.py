"""The life of a plan: statuses, events, and the one table of moves between them (design, section 7).

What is not in the table is not admitted.  formal/life.json holds the same table for the model checker; a test
holds the two to each other.

>>> transition(Status.APPROVED, Event.SEAL)
<Status.SEALED: 'sealed'>
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from interlock.artifact.errors import StateError


class Status(enum.StrEnum):
    """Where a plan stands."""

    PROPOSED = "proposed"
    DENIED = "denied"
    DEFERRED = "deferred"
    PENDING = "pending"
    APPROVED = "approved"
    SEALED = "sealed"
    RUNNING = "running"
    DONE = "done"
    HALTED = "halted"
    EXPIRED = "expired"
    REVOKED = "revoked"
    ROLLED_BACK = "rolled-back"


class Event(enum.StrEnum):
    """What may happen to a plan: the gate's word, a person's, the clock's, or the run's own course."""

    DENY = "deny"
    DEFER = "defer"
    ASK = "ask"
    ALLOW = "allow"
    APPROVE = "approve"
    SEAL = "seal"
    START = "start"
    FINISH = "finish"
    HALT = "halt"
    EXPIRE = "expire"
    REVOKE = "revoke"
    UNDO = "undo"


_UNDECIDED = (Status.PROPOSED, Status.DEFERRED)
_WAITING = (*_UNDECIDED, Status.PENDING)
_LIVE = (Status.APPROVED, Status.SEALED, Status.RUNNING)
_ENDED = (Status.DONE, Status.HALTED, Status.EXPIRED, Status.REVOKED)
_MOVES: Mapping[Event, tuple[tuple[Status, ...], Status]] = {
    Event.DENY: (_WAITING, Status.DENIED),
    Event.DEFER: ((Status.PROPOSED,), Status.DEFERRED),
    Event.ASK: (_UNDECIDED, Status.PENDING),
    Event.ALLOW: (_UNDECIDED, Status.APPROVED),
    Event.APPROVE: ((Status.PENDING,), Status.APPROVED),
    Event.SEAL: ((Status.APPROVED,), Status.SEALED),
    Event.START: ((Status.SEALED,), Status.RUNNING),
    Event.FINISH: ((Status.RUNNING,), Status.DONE),
    Event.HALT: (_LIVE, Status.HALTED),
    Event.EXPIRE: ((*_WAITING, *_LIVE), Status.EXPIRED),
    Event.REVOKE: ((*_WAITING, *_LIVE, Status.HALTED), Status.REVOKED),
    Event.UNDO: (_ENDED, Status.ROLLED_BACK),
}
TRANSITIONS: Mapping[tuple[Status, Event], Status] = {
    (status, event): target for event, (statuses, target) in _MOVES.items() for status in statuses
}


def transition(status: Status, event: Event) -> Status:
    """The status after the event; raises ``StateError`` (``life.not_admitted``)."""
    if (status, event) not in TRANSITIONS:
        raise StateError("life.not_admitted", f"{event} does not happen to a plan that is {status}")
    return TRANSITIONS[status, event]
