"""One opened end point of one lease: its listener, its rule, its bounds and what has gone through it.

A door counts bytes each way, connections and their pace, resolves its name once, and reports.  Closing it cuts
every connection at once.  A violation closes it for good; so does a great number of plain denials.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import msgspec

from interlock.artifact.channel_pb2 import ProxyEvent
from interlock.artifact.errors import InterlockError
from interlock.outside import reach
from interlock.outside.http_rules import DeniedError, Rule

Streams: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Handler: TypeAlias = Callable[["Door", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds, counts per door, and the pace: requests a second after a burst of as many."""

    head: float = 15.0
    connect: float = 10.0
    idle: float = 60.0
    connections: int = 32
    pace: float = 50.0
    denials: int = 64
    chunk: int = 1 << 16


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """What the harness opened: the lease, the rule, named exceptions and the bytes that may pass each way."""

    lease: str
    rule: Rule
    exceptions: tuple[str, ...]
    max_bytes: int


class Station:
    """What all doors of one proxy share: the way to report, the count of requests, the bounds, the resolver."""

    def __init__(self, *, bounds: Bounds, resolver: reach.Resolver) -> None:
        self.bounds = bounds
        self.resolver = resolver
        self.events: asyncio.Queue[bytes] = asyncio.Queue()
        self.drained = asyncio.Event()
        self.drained.set()
        self.requests = 0

    def report(self, event: ProxyEvent) -> None:
        """Queue an event for the harness; never waits, so that a cut connection can still be reported."""
        self.events.put_nowait(event.SerializeToString())
        if self.events.qsize() > self.bounds.connections:
            self.drained.clear()

    def number(self) -> int:
        """The next request's number."""
        self.requests += 1
        return self.requests


class Door:
    """One listener and everything behind it; ``condemned`` is called where the lease must end."""

    def __init__(
        self, access: Access, context: ssl.SSLContext, station: Station, condemned: Callable[[str], None]
    ) -> None:
        self.access = access
        self.context = context
        self.station = station
        self.bounds = station.bounds
        self.sent = self.received = self.denials = 0
        self._condemned = condemned
        self._found: Sequence[str] = ()
        self._resolving = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(self.bounds.connections)
        self._next = 0.0
        self._listener: socket.socket | None = None

    def start(self, listener: socket.socket, handler: Handler) -> None:
        """Accept from now on."""
        listener.setblocking(False)
        self._listener = listener
        self._keep(asyncio.create_task(self._accept(listener, handler)))

    def close(self, *, spare: asyncio.Task[None] | None = None) -> None:
        """Cut every connection at once, but the one of the task that still answers its own denial."""
        if self._listener is not None:
            stop(self._listener)
        for task in self._tasks - {spare}:
            task.cancel()

    async def closed(self) -> None:
        """Wait until nothing of this door runs any more, however often that must be said."""
        while self._tasks:
            self.close()
            await asyncio.wait(self._tasks, timeout=0.1)

    def report(self, number: int, code: str, **fields: str | int | bool) -> None:
        """One event about one request."""
        lease, event = self.access.lease, ProxyEvent(code=code, request=number)
        event.lease = lease
        for name, value in fields.items():
            setattr(event, name, value)
        self.station.report(event)

    def deny(self, number: int, error: InterlockError, method: str = "", path: str = "") -> None:
        """Report a denial; a violation, or one denial too many, ends the lease."""
        violation = isinstance(error, DeniedError) and error.violation
        self.report(number, error.code, allowed=False, violation=violation, method=method, path=path[:256])
        self.denials += 1
        if violation or self.denials >= self.bounds.denials:
            self._condemned(self.access.lease)

    def spend(self, *, sent: int = 0, received: int = 0) -> None:
        """Count bytes before they pass on; raises ``DeniedError`` where the bound is reached."""
        if self.sent + sent > self.access.max_bytes or self.received + received > self.access.max_bytes:
            raise DeniedError("proxy.bytes", "more bytes than the grant admits", status=413)
        self.sent += sent
        self.received += received

    def expect(self, size: int) -> None:
        """Raise ``DeniedError`` where a body of this declared size would not pass, before anything is sent."""
        if self.sent + size > self.access.max_bytes:
            raise DeniedError("proxy.bytes", "more bytes than the grant admits", status=413)

    async def turn(self) -> None:
        """Wait for the next request's turn: the pace, and a harness that has read what was reported."""
        now, gap = asyncio.get_running_loop().time(), 1.0 / self.bounds.pace
        self._next = max(self._next, now - 1.0) + gap
        await self.station.drained.wait()
        if self._next > now:
            await asyncio.sleep(self._next - now)

    async def connect(self) -> socket.socket:
        """A connection to the pinned end point; raises ``InterlockError``."""
        endpoint = self.access.rule.endpoint
        async with self._resolving:
            self._found = self._found or await reach.addresses(
                endpoint.host, endpoint.port, self.access.exceptions, self.bounds.connect, self.station.resolver
            )
        local = f"{endpoint.host}:{endpoint.port}" in self.access.exceptions
        return await reach.connect(self._found, endpoint.port, self.bounds.connect, local=local)

    async def connect_http(self) -> Streams:
        """As ``connect``, with TLS that verifies the granted name where the mode says so."""
        sock, endpoint = await self.connect(), self.access.rule.endpoint
        if endpoint.mode == "plain":
            return await asyncio.open_connection(sock=sock)
        try:
            return await asyncio.open_connection(
                sock=sock,
                ssl=self.context,
                server_hostname=endpoint.host,
                ssl_handshake_timeout=self.bounds.connect,
                ssl_shutdown_timeout=1.0,
            )
        except ssl.SSLCertVerificationError:
            raise reach.ReachError("reach.certificate", "the end point does not prove its name") from None
        except OSError:
            raise reach.ReachError("reach.tls", "no TLS connection could be made") from None

    async def _accept(self, listener: socket.socket, handler: Handler) -> None:
        try:
            with listener:
                while True:
                    await self._slots.acquire()
                    await self.turn()
                    sock, _ = await asyncio.get_running_loop().sock_accept(listener)
                    self._keep(asyncio.create_task(self._serve(sock, handler))).add_done_callback(self._free)
        except OSError:
            self.report(0, "proxy.accept", allowed=False)
            self._condemned(self.access.lease)

    def _free(self, _: asyncio.Task[None]) -> None:
        self._slots.release()

    async def _serve(self, sock: socket.socket, handler: Handler) -> None:
        reader, writer = await asyncio.open_connection(sock=sock, limit=self.bounds.chunk)
        try:
            await handler(self, reader, writer)
            await finish(writer, self.bounds.head)
        except (OSError, TimeoutError):
            pass  # The step hung up, or does not read: there is nobody to answer.
        finally:
            writer.transport.abort()

    def _keep(self, task: asyncio.Task[None]) -> asyncio.Task[None]:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def stop(listener: socket.socket) -> None:
    """From now on nobody can connect, whoever else holds the listener."""
    with contextlib.suppress(OSError):  # It has been closed already.
        listener.shutdown(socket.SHUT_RDWR)


async def finish(writer: asyncio.StreamWriter, seconds: float) -> None:
    """Send what is left and close; raises ``OSError`` or ``TimeoutError``."""
    writer.close()
    async with asyncio.timeout(seconds):
        await writer.wait_closed()
