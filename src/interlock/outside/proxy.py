"""The egress proxy: what a step may reach, and nothing else, one door for each granted end point.

A jailed process.  The harness opens doors with ``ProxyOpen``, each followed out of band by one listening
descriptor made inside the step's network namespace, and closes a lease with ``ProxyClose``; the proxy answers
with events only.  Guarantees: an event is queued before a request leaves; one end point a door, resolved once;
credentials go out and never in; a closed lease has no connection left by the time of its ``proxy.closed`` event;
a channel that ends, or that carries anything unexpected, ends the process and with it every connection.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from typing import Final

from interlock.artifact import channel, codec, frames
from interlock.artifact.action import Endpoint
from interlock.artifact.channel_pb2 import ProxyCall, ProxyEvent, ProxyOpen
from interlock.artifact.errors import ChannelError, InterlockError
from interlock.outside import http_relay, opaque_relay, reach
from interlock.outside.addresses import check_name
from interlock.outside.door import Access, Bounds, Door, Station, stop
from interlock.outside.http_rules import Rule, is_model_host

_MAX_CALL: Final = 1 << 20
_MAX_DOORS: Final = 256
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9-]{1,128}")
_HEADER_VALUE: Final = re.compile(rb"[\x21-\x7e]([\x20-\x7e]{0,16382}[\x21-\x7e])?")
_NOT_INJECTED: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade", "expect"})


def serve(channel: socket.socket, directories: dict[str, int]) -> int:
    """Run until the harness closes the channel; 0, or 1 where it spoke out of turn."""
    del directories
    return asyncio.run(Proxy(channel).run())


class Proxy:
    """All doors of one process; ``bounds`` and ``resolver`` differ from the defaults only in tests."""

    def __init__(
        self, channel: socket.socket, *, bounds: Bounds | None = None, resolver: reach.Resolver = reach.resolve
    ) -> None:
        self._channel = channel
        self._station = Station(bounds=bounds or Bounds(), resolver=resolver)
        self._doors: dict[str, list[Door]] = {}
        self._ended: set[str] = set()

    async def run(self) -> int:
        """Serve until the channel ends; then nothing is left open."""
        self._channel.setblocking(False)
        code = 0
        try:
            async with asyncio.TaskGroup() as group:
                telling = group.create_task(self._tell())
                await self._listen()
                telling.cancel()
        except* (InterlockError, OSError):
            code = 1
        finally:
            await self._close(*self._doors)
        return code

    async def _listen(self) -> None:
        while (body := await self._frame()) is not None:
            call = channel.read(body, ProxyCall)
            if call.WhichOneof("body") == "open":
                self._open(call.open, await self._listener())
            else:
                await self._close(call.close.lease)

    async def _frame(self) -> bytes | None:
        header = await self._exactly(4)
        if header is None:
            return None
        (size,) = struct.unpack("!I", header)
        if not 0 < size <= _MAX_CALL:
            raise ChannelError("channel.size", f"a frame that announces {size} bytes")
        body = await self._exactly(size)
        if body is None:
            raise ChannelError("channel.truncated", "the stream ended before a frame's body")
        return body

    async def _exactly(self, size: int) -> bytes | None:
        """Never a byte more than asked for: the next one may carry a descriptor."""
        loop, data = asyncio.get_running_loop(), b""
        while len(data) < size:
            part = await loop.sock_recv(self._channel, size - len(data))
            if not part:
                if data:
                    raise ChannelError("channel.truncated", "the stream ended inside a frame")
                return None
            data += part
        return data

    async def _listener(self) -> socket.socket:
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._channel, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._channel)
        (descriptor,) = frames.receive_descriptors(self._channel, 1)
        return socket.socket(fileno=descriptor)

    async def _tell(self) -> None:
        station, loop = self._station, asyncio.get_running_loop()
        while True:
            body = await station.events.get()
            await loop.sock_sendall(self._channel, struct.pack("!I", len(body)) + body)
            if station.events.empty():
                station.drained.set()

    def _open(self, call: ProxyOpen, listener: socket.socket) -> None:
        """Open one door; where the end point cannot be opened, its listener closes and the event says why."""
        try:
            door = self._door(call)
        except InterlockError as error:
            stop(listener)
            listener.close()
            violation = error.code == "proxy.model_host"
            self._station.report(ProxyEvent(lease=call.lease, code=error.code, violation=violation))
            return
        self._doors.setdefault(call.lease, []).append(door)
        handler = opaque_relay.relay if door.access.rule.endpoint.mode == "opaque" else http_relay.relay
        door.start(listener, handler)
        self._station.report(ProxyEvent(lease=call.lease, allowed=True, code="proxy.opened"))

    def _door(self, call: ProxyOpen) -> Door:
        rule = Rule(
            endpoint=codec.decode(call.endpoint, Endpoint),
            inject=_checked_headers(dict(call.inject)),
            model_hosts=frozenset(call.model_hosts),
        )
        check_name(rule.endpoint.host)
        if is_model_host(rule.endpoint.host, rule.model_hosts):
            raise ChannelError("proxy.model_host", "no step may reach a model's provider")
        if call.lease in self._ended or not call.lease or sum(map(len, self._doors.values())) >= _MAX_DOORS:
            raise ChannelError("proxy.lease", "the lease has ended, or there are too many doors")
        access = Access(lease=call.lease, rule=rule, exceptions=tuple(call.exceptions), max_bytes=call.max_bytes)
        return Door(access, reach.trust(call.ca_bundle), self._station, self._condemn)

    def _condemn(self, lease: str) -> None:
        """Nothing new for this lease, and nothing else that runs; the present denial is still answered."""
        self._ended.add(lease)
        for door in self._doors.get(lease, ()):
            door.close(spare=asyncio.current_task())

    async def _close(self, *leases: str) -> None:
        for lease in leases:
            self._ended.add(lease)
            doors = self._doors.get(lease, [])
            for door in doors:
                door.close()
            for door in doors:
                await door.closed()
            event = ProxyEvent(lease=lease, allowed=True, code="proxy.closed")
            event.sent, event.received = sum(door.sent for door in doors), sum(door.received for door in doors)
            self._station.report(event)
        self._doors = {lease: doors for lease, doors in self._doors.items() if lease not in leases}


def _checked_headers(inject: dict[str, bytes]) -> dict[str, bytes]:
    for name, value in inject.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value) or name.lower() in _NOT_INJECTED:
            raise ChannelError("proxy.inject", "a header that cannot be injected")
    return inject
