"""A model gateway as the harness uses it: one jailed process that alone holds one API key and the network.

Each section of ``interlock.toml`` that names a model has a gateway of its own, with its own key.  The provider is a
sink: what is sent to it must be within what the model is declared to accept (I5).
"""

from __future__ import annotations

from collections.abc import Sequence

from interlock.artifact import channel
from interlock.artifact.channel_pb2 import GatewayStart, Generate, Generated, Message
from interlock.artifact.errors import ChannelError, ConfigurationError, StateError
from interlock.artifact.resources import canonical_host
from interlock.harness.core import Core
from interlock.harness.sandbox.profiles import JailSpec
from interlock.harness.supervisor import Child, Supervisor
from interlock.harness.workspace import Model

MAX_MESSAGES = 256
MAX_TEXT = 1 << 20
SLACK_SECONDS = 10


def port_of(url: str) -> int:
    """The TCP port that an http or https URL means; raises ``ReferenceEvaluationError``."""
    return int(canonical_host(url).rpartition(":")[2])


class Gateway:
    """The gateway process of one model, started with the first completion and restarted after it died."""

    def __init__(self, core: Core, supervisor: Supervisor, model: Model) -> None:
        self._core = core
        self._supervisor = supervisor
        self._model = model
        self._child: Child | None = None

    def generate(self, messages: Sequence[Message], schema: bytes, max_tokens: int) -> Generated:
        """One completion; raises ``StateError`` with the gateway's code where there is none."""
        found = self.ask(messages, schema, max_tokens)
        if found.code:
            raise StateError(found.code, found.message[:200])
        return found

    def ask(self, messages: Sequence[Message], schema: bytes, max_tokens: int) -> Generated:
        """What came of one call, with what it used; raises ``StateError`` where the gateway itself is lost."""
        if not 0 < len(messages) <= MAX_MESSAGES or sum(len(message.text) for message in messages) > MAX_TEXT:
            raise StateError("completion.size", "a conversation beyond its bounds")
        child = self._started()
        try:
            request = Generate(messages=messages, schema=schema, max_tokens=max_tokens)
            return channel.call(child.channel, request, Generated)
        except (ChannelError, OSError):
            child.close()
            self._child = None
            raise StateError("gateway.lost", "the model gateway ended or was silent") from None

    def shutdown(self) -> None:
        """End the gateway."""
        if self._child is not None:
            self._child.close()
            self._child = None

    def _started(self) -> Child:
        if self._child is None:
            model = self._model
            if not model.base_url:
                raise ConfigurationError("model.none", "no model is configured", hint="set [model] in interlock.toml")
            key = self._core.vault.release(model.key_secret) if model.key_secret else b""
            self._child = self._supervisor.start("gateway", JailSpec(connect_ports=(53, port_of(model.base_url))))
            self._child.channel.settimeout(model.timeout_ms * model.attempts / 1000 + SLACK_SECONDS)
            channel.send(
                self._child.channel,
                GatewayStart(
                    dialect=model.dialect, base_url=model.base_url, model=model.name, api_key=key,
                    timeout_ms=model.timeout_ms, attempts=model.attempts, allow_private=model.allow_private,
                    ca_bundle=self._core.workspace.ca_bundle,
                ),
            )  # fmt: skip
        return self._child


def metered(
    core: Core, gateway: Gateway, task_id: str, messages: Sequence[Message], schema: bytes, max_tokens: int
) -> Generated:
    """One completion on a task's account: charged at its bound, then settled and on record; raises ``StateError``."""
    core.store.spend(task_id, completions=1, tokens=max_tokens)
    found = gateway.generate(messages, schema, max_tokens)
    used = int(found.input_tokens + found.output_tokens)
    core.record("completion", task_id, found.request_digest, found.response_digest.encode(), code=str(used))
    core.store.spend(task_id, tokens=used - max_tokens)
    return found
