"""Egress: hands a step's listening sockets to the proxy, and hears what the proxy says of each request.

One proxy process serves all steps.  A lease ends with its step, and the proxy drops its connections then.
A request outside the grant is reported as a violation; the caller makes it an incident.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TypeAlias

from interlock.artifact import channel, codec, frames
from interlock.artifact.action import Endpoint
from interlock.artifact.channel_pb2 import ProxyCall, ProxyClose, ProxyEvent, ProxyOpen
from interlock.artifact.errors import StateError
from interlock.harness.sandbox.profiles import JailSpec
from interlock.harness.supervisor import Child, Supervisor

MAX_TRANSFER = 64 * 1024 * 1024
USUAL_PORTS = frozenset({53, 80, 443})
MODEL_HOSTS = (
    "api.openai.com", "api.anthropic.com", "generativelanguage.googleapis.com", "api.mistral.ai", "api.cohere.com",
    "api.groq.com", "api.together.xyz", "openrouter.ai", "api.deepseek.com", "api.x.ai",
)  # fmt: skip

Hear: TypeAlias = Callable[[ProxyEvent], None]


class Egress:
    """The proxy, started with the first lease."""

    def __init__(
        self, supervisor: Supervisor, exceptions: tuple[str, ...], declared: frozenset[int], ca_bundle: bytes
    ) -> None:
        self._supervisor = supervisor
        self._ca_bundle = ca_bundle
        self._exceptions = exceptions
        named = {int(exception.rpartition(":")[2]) for exception in exceptions}
        self._ports = tuple(sorted(USUAL_PORTS | declared | named))
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._listener: threading.Thread | None = None
        self._hears: dict[str, Hear] = {}
        self._injected: dict[str, frozenset[str]] = {}

    def open(
        self, lease: str, endpoints: tuple[Endpoint, ...], child: Child, hear: Hear, secrets: Mapping[str, bytes]
    ) -> None:
        """Serve the child's listeners for ``endpoints`` under ``lease`` until ``close``; raises ``StateError``."""
        strange = [endpoint.port for endpoint in endpoints if endpoint.port not in self._ports]
        if strange:
            raise StateError(
                "egress.port", f"nothing here declares port {strange[0]}", hint="name it in egress.exceptions"
            )
        with self._lock:
            proxy = self._started()
            self._hears[lease] = hear
            self._injected[lease] = frozenset(name for endpoint in endpoints for name in endpoint.inject.values())
            for endpoint in endpoints:
                descriptor = child.listeners.pop((endpoint.host, endpoint.port))
                message = ProxyOpen(
                    lease=lease,
                    endpoint=codec.encode(endpoint),
                    exceptions=self._exceptions,
                    max_bytes=MAX_TRANSFER,
                    inject={header: secrets[name] for header, name in endpoint.inject.items()},
                    model_hosts=MODEL_HOSTS,
                    ca_bundle=self._ca_bundle,
                )
                try:
                    channel.send(proxy.channel, ProxyCall(open=message))
                    frames.send_descriptors(proxy.channel, [descriptor])
                finally:
                    os.close(descriptor)

    @property
    def held(self) -> frozenset[str]:
        """The names of the secrets that the proxy may hold now."""
        return frozenset[str]().union(*list(self._injected.values()))

    def close(self, lease: str) -> None:
        """End a lease: its listeners and connections are gone when the proxy has read this, or has died."""
        with self._lock, suppress(OSError):
            if lease in self._hears and self._child is not None:
                channel.send(self._child.channel, ProxyCall(close=ProxyClose(lease=lease)))

    def shutdown(self) -> None:
        """End the proxy, and with it every connection."""
        if self._child is not None:
            self._child.kill()
        if self._listener is not None:
            self._listener.join()

    def _started(self) -> Child:
        if self._child is None:
            self._child = self._supervisor.start("proxy", JailSpec(connect_ports=self._ports))
            self._listener = threading.Thread(target=self._listen, args=(self._child,), daemon=True)
            self._listener.start()
        return self._child

    def _listen(self, proxy: Child) -> None:
        try:
            while (event := channel.receive(proxy.channel, ProxyEvent)) is not None:
                closed = event.code == "proxy.closed"
                hear = self._hears.pop(event.lease, None) if closed else self._hears.get(event.lease)
                if closed:
                    self._injected.pop(event.lease, None)
                if hear is not None:
                    hear(event)
        except Exception:  # noqa: BLE001 - whatever it is, nobody would hear of the next violation
            proxy.kill()  # Whatever it says next is not believed; steps find their end points closed.
        with self._lock:
            if self._child is proxy:
                self._child = None
                self._hears.clear()
            proxy.close()
