"""Alerts: incidents reach a person through the log, and through jailed processes where the operator says so.

Every incident is a line in ``alerts.log``; from ``alerts.after`` open incidents on, the webhook and the command are
told as well: the webhook by the notifier, which has a network and nothing else, the command in a step's confinement,
which has that one program and no network.  An alert that fails, or is slow, never holds the harness up and never
hides an incident: what could not be delivered is on record.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from interlock.artifact import channel, codec
from interlock.artifact.channel_pb2 import Notified, Notify
from interlock.artifact.errors import InterlockError
from interlock.harness.confining import program
from interlock.harness.core import Core
from interlock.harness.models import port_of
from interlock.harness.sandbox.profiles import JailSpec
from interlock.harness.supervisor import Supervisor
from interlock.harness.supervisor_script import hand_over
from interlock.harness.watch import Incident

TIMEOUT_MS = 5_000
_OWN = "alert.violation"
_RUNNER = (
    b"import subprocess, sys\n"
    b"sys.exit(subprocess.run(sys.argv[2:], input=sys.argv[1].encode(), env={}, timeout=5, check=False).returncode)\n"
)


class Alerts:
    """Tells people."""

    def __init__(self, core: Core, supervisor: Supervisor, report: Callable[[Incident], object]) -> None:
        self._core = core
        self._supervisor = supervisor
        self._report = report

    def alert(self, incident: Incident, still_open: int) -> None:
        """Tell of one incident; ``still_open`` counts the open ones, this one included."""
        config = self._core.workspace.configuration.alerts
        body = codec.encode({"incident": incident, "open": still_open, "workspace": self._core.site.id})
        with (self._core.workspace.state / "alerts.log").open("ab") as log:
            log.write(body + b"\n")
        if still_open < config.after or incident.role == "notifier" or incident.code == _OWN:
            return  # What an alert itself brought about would bring it about again.
        for kind in [*(["webhook"] if config.webhook else []), *(["command"] if config.command else [])]:
            try:
                code = self._webhook(body) if kind == "webhook" else self._command(body)
            except (InterlockError, OSError, ValueError) as error:
                code = getattr(error, "code", "notifier.lost")
            self._core.record("alert", incident.task, kind, incident.code.encode(), code=code or "delivered")

    def _webhook(self, body: bytes) -> str:
        config = self._core.workspace.configuration.alerts
        child = self._supervisor.start("notifier", JailSpec(connect_ports=(53, port_of(config.webhook))))
        message = Notify(
            id=secrets.token_hex(8), kind="webhook", target=config.webhook, body=body, timeout_ms=TIMEOUT_MS,
            allow_private=config.allow_private, ca_bundle=self._core.workspace.ca_bundle,
        )  # fmt: skip
        try:
            child.channel.settimeout(3 * TIMEOUT_MS / 1000)
            found = channel.call(child.channel, message, Notified)
        finally:
            child.close()
        return "" if found.ok else found.code

    def _command(self, body: bytes) -> str:
        name, *arguments = self._core.workspace.configuration.alerts.command
        path = program(name)
        child = self._supervisor.start("step", JailSpec(programs=(path,), mode="script"))
        try:
            hand_over(child, ["alert", body.decode(), path, *arguments], _RUNNER)
            status = child.wait(2 * TIMEOUT_MS / 1000)
        finally:
            tried = ", ".join(sorted({violation.syscall for violation in child.violations}))
            child.close()
        if tried:
            self._report(Incident(code=_OWN, role="step", task="", detail=f"the alert's command tried {tried}"))
        return "" if status == 0 else "alert.command_failed"
