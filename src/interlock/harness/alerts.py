"""Alerts: incidents reach a person through the log, and through the jailed notifier where the operator says so.

Every incident is a line in ``alerts.log``; from ``alerts.after`` open incidents on, the webhook and the command are
told as well.  A notifier that fails, or is slow, never holds the harness up and never hides an incident: what could
not be delivered is on record.
"""

from __future__ import annotations

import secrets

from interlock.artifact import channel, codec
from interlock.artifact.channel_pb2 import Notified, Notify
from interlock.artifact.errors import ChannelError, SandboxError, StateError
from interlock.harness.core import Core
from interlock.harness.models import port_of
from interlock.harness.sandbox.profiles import JailSpec
from interlock.harness.stepping import program
from interlock.harness.supervisor import Supervisor
from interlock.harness.watch import Incident

TIMEOUT_MS = 5_000


class Alerts:
    """Tells people."""

    def __init__(self, core: Core, supervisor: Supervisor) -> None:
        self._core = core
        self._supervisor = supervisor

    def alert(self, incident: Incident, still_open: int) -> None:
        """Tell of one incident; ``still_open`` counts the open ones, this one included."""
        config = self._core.workspace.configuration.alerts
        body = codec.encode({"incident": incident, "open": still_open, "workspace": self._core.site.id})
        with (self._core.workspace.state / "alerts.log").open("ab") as log:
            log.write(body + b"\n")
        if still_open < config.after:
            return
        private = config.allow_private
        if config.webhook:
            self._deliver(incident, Notify(kind="webhook", target=config.webhook, body=body, allow_private=private))
        if config.command:
            self._deliver(incident, Notify(kind="command", argv=config.command, body=body))

    def _deliver(self, incident: Incident, message: Notify) -> None:
        message.id, message.timeout_ms = secrets.token_hex(8), TIMEOUT_MS
        try:
            code = self._send(message)
        except (ChannelError, SandboxError, StateError, OSError) as error:
            code = getattr(error, "code", "notifier.lost")
        self._core.record("alert", incident.task, message.kind, message.id.encode(), code=code or "delivered")

    def _send(self, message: Notify) -> str:
        programs = (program(message.argv[0]),) if message.kind == "command" else ()
        ports = (53, port_of(message.target)) if message.kind == "webhook" else ()
        child = self._supervisor.start("notifier", JailSpec(connect_ports=ports, programs=programs))
        try:
            child.channel.settimeout(3 * TIMEOUT_MS / 1000)
            found = channel.call(child.channel, message, Notified)
        finally:
            child.close()
        return "" if found.ok else found.code
