"""The order that invariant I8 demands of a ledger's entries, as numbered rules; a breach raises ``IntegrityError``.

O1 ``order.task``: an entry that names a task stands after that task's own entry.
O2 ``order.decision``: a decision about a plan other than DENY stands after the plan's entry.
O3 ``order.approval``: an approval or a denial by a person stands after a decision about its plan.
O4 ``order.grant``: a grant stands after a decision about its plan, the latest of which is ALLOW, or is STEP_UP with
   an approval and no denial since.  A grant to undo (``rollback``) stands within an undo that is ``intended``; it
   lets no step start but those of a plan that was derived for it.
O5 ``order.secret``: a secret is released to a step only after a grant for its plan, or its observation's entry.
O6 ``order.intention``: a step starts after a grant for its plan that was not revoked, and if a decision was made
   about this very start, the latest is not DENY.
O7 ``order.started_twice``: a step and iteration starts again only as a declared ``retry``.
O8 ``order.outcome``: an outcome answers one intention about the same step and iteration, unless the step was
   ``skipped`` or a crash leaves it ``unknown``; only that may be followed by another one.  A plan's was granted.
O9 ``order.undo``: what is undone was started; a plan's undo, granted.

Subjects are as in ``interlock.artifact.entry``: a plan's digest, or ``PLAN/STEP/ITERATION``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from interlock.artifact.entry import Entry
from interlock.artifact.errors import IntegrityError

RETRY = "retry"
SKIPPED = "skipped"
UNKNOWN = "unknown"
ROLLBACK = "rollback"
INTENDED = "intended"


class Order:
    """What has been seen so far; ``admit`` takes the entries one by one."""

    def __init__(self) -> None:
        self._tasks: set[str] = set()
        self._plans: set[str] = set()
        self._decisions: dict[str, str] = {}
        self._persons: dict[str, str] = {}
        self._derived: set[str] = set()
        self._observed: set[str] = set()
        self._undoing: set[str] = set()
        self._granted: set[str] = set()
        self._ever_granted: set[str] = set()
        self._started: set[str] = set()
        self._open: set[str] = set()
        self._rules: Mapping[str, Callable[[Entry], str]] = {
            "task": self._task,
            "plan": self._plan,
            "observation": self._observation,
            "decision": self._decision,
            "approval": self._person,
            "denial": self._person,
            "grant": self._grant,
            "revoke": self._revoke,
            "secret": self._secret,
            "intention": self._intention,
            "outcome": self._outcome,
            "undo": self._undo,
        }

    def admit(self, index: int, entry: Entry) -> None:
        """Hold one entry to the rules; raises ``IntegrityError`` with the rule's code."""
        broken = ""
        if entry.kind != "task" and entry.task and entry.task not in self._tasks:
            broken = "order.task"
        elif entry.kind in self._rules:
            broken = self._rules[entry.kind](entry)
        if broken:
            raise IntegrityError(broken, f"entry {index} ({entry.kind}) stands where it must not")

    def _task(self, entry: Entry) -> str:
        self._tasks.add(entry.task)
        return ""

    def _plan(self, entry: Entry) -> str:
        self._plans.add(entry.plan)
        if entry.code == ROLLBACK:
            self._derived.add(entry.plan)
        return ""

    def _observation(self, entry: Entry) -> str:
        self._observed.add(entry.plan)
        return ""

    def _decision(self, entry: Entry) -> str:
        if entry.code != "DENY" and entry.plan not in self._plans:
            return "order.decision"
        self._decisions[entry.subject] = entry.code
        self._persons.pop(entry.subject, None)
        return ""

    def _person(self, entry: Entry) -> str:
        if self._persons.get(entry.plan) != "denial":
            self._persons[entry.plan] = entry.kind
        return "" if entry.plan in self._decisions else "order.approval"

    def _grant(self, entry: Entry) -> str:
        self._ever_granted.add(entry.plan)
        if entry.code == ROLLBACK:
            if entry.plan in self._derived:
                self._granted.add(entry.plan)
            return "" if entry.task in self._undoing else "order.grant"
        self._granted.add(entry.plan)
        decided, word = self._decisions.get(entry.plan), self._persons.get(entry.plan)
        free = decided == "ALLOW" and word != "denial"
        return "" if free or (decided == "STEP_UP" and word == "approval") else "order.grant"

    def _revoke(self, entry: Entry) -> str:
        self._granted.discard(entry.plan)
        return ""

    def _secret(self, entry: Entry) -> str:
        stepwise = "/" in entry.subject
        return "order.secret" if stepwise and entry.plan not in self._granted | self._observed else ""

    def _intention(self, entry: Entry) -> str:
        if entry.plan not in self._granted or self._decisions.get(entry.subject) == "DENY":
            return "order.intention"
        if entry.subject in self._started and entry.code != RETRY:
            return "order.started_twice"
        self._started.add(entry.subject)
        self._open.add(entry.subject)
        return ""

    def _outcome(self, entry: Entry) -> str:
        if "/" not in entry.subject:
            return "" if entry.plan in self._ever_granted else "order.outcome"
        unstarted = entry.code in {SKIPPED, UNKNOWN} and entry.subject not in self._started
        if entry.subject not in self._open and not unstarted:
            return "order.outcome"
        if entry.code == UNKNOWN:
            self._started.add(entry.subject)
            self._open.add(entry.subject)
        else:
            self._open.discard(entry.subject)
        return ""

    def _undo(self, entry: Entry) -> str:
        (self._undoing.add if entry.code == INTENDED else self._undoing.discard)(entry.task)
        known = self._started if "/" in entry.subject else self._ever_granted
        return "" if entry.subject in known else "order.undo"
