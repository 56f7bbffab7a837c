"""The watch (I11): an attempt to cross the separation is an incident, recorded before anything else happens.

An incident freezes its task, revokes what the task was granted, marks the secrets that were released to it for
rotation, and alerts.  Only an authenticated person, with a reason, closes it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from interlock.artifact.codec import Identifier, Text, Value
from interlock.artifact.errors import StateError
from interlock.decide.life import Event, Status
from interlock.harness.core import Core


class Incident(Value, frozen=True, kw_only=True):
    """What was seen: a stable code, who did it, and which call or message it was."""

    code: Identifier
    role: str
    task: str
    plan: str = ""
    step: str = ""
    detail: Text = ""
    secrets: tuple[str, ...] = ()


class Watch:
    """Receives what the supervisor, the channels, the proxy and the grants report; thread-safe."""

    def __init__(self, core: Core, alert: Callable[[Incident, int], None]) -> None:
        self._core = core
        self._alert = alert
        self._lock = threading.Lock()

    def report(self, incident: Incident) -> int:
        """Mark, record, freeze, revoke and alert, in this order; the incident's number."""
        number = self.note(incident)
        self.tell(incident)
        return number

    def note(self, incident: Incident) -> int:
        """All of it but the alert, for a caller that may not wait."""
        with self._lock:
            core = self._core
            core.vault.mark(frozenset(incident.secrets))
            core.record("incident", incident.task, incident.plan or incident.role, incident, code=incident.code)
            number = core.store.put_incident(
                core.clock(), incident.task, incident.plan, incident.code, f"{incident.role}: {incident.detail}"[:500],
                role=incident.role,
            )  # fmt: skip
            if incident.task:
                core.store.freeze(incident.task, frozen=True)
                self._revoke_all(incident)
        return number

    def tell(self, incident: Incident) -> None:
        """Alert of an incident that was noted."""
        self._alert(incident, len(self._core.store.incidents(still_open=True)))

    def close(self, number: int, by: str, reason: str) -> None:
        """A person closes an incident; the task thaws when it was the task's last one."""
        if not reason.strip():
            raise StateError("incident.reason", "closing an incident needs a reason", hint="add --reason TEXT")
        found = [row for row in self._core.store.incidents(still_open=True) if row.id == number]
        if not found:
            raise StateError("incident.unknown", f"no open incident {number}", hint="run: interlock incidents list")
        task = found[0].task
        self._core.record("incident", task, f"{number} closed by {by}", reason.encode(), code="incident.closed")
        self._core.store.close_incident(number, by, reason)
        if task and not any(row.task == task for row in self._core.store.incidents(still_open=True)):
            self._core.store.freeze(task, frozen=False)

    def _revoke_all(self, incident: Incident) -> None:
        for row in self._core.store.plans(task=incident.task):
            if row.status in {Status.PENDING, Status.APPROVED, Status.SEALED}:
                with self._core.store.transaction():
                    self._core.store.advance(row.digest, Event.REVOKE, stopped=incident.code)
                    self._core.record("revoke", incident.task, row.digest, b"", code=incident.code)
