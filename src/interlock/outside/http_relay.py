"""Carry HTTP/1.1 between a step and its end point, one request after the other, each checked before it leaves.

The step's bytes are parsed, checked by ``http_rules`` and written anew by a second parser's state, so that
the end point never sees a spelling of the step's.  Answers come back with their status, fields and body, a
redirect unfollowed; the injected headers travel in one direction only.  Nothing is sent twice.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import TypeVar

import h11

from interlock.artifact.errors import InterlockError
from interlock.outside.addresses import AddressError
from interlock.outside.door import Door, Streams
from interlock.outside.http_rules import MAX_HEAD, DeniedError, Head, Headers, check, parse_head, returned
from interlock.outside.reach import ReachError

T = TypeVar("T")


async def relay(door: Door, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection of a step until either side ends it."""
    talk = _Talk(door, reader, writer)
    try:
        while await talk.request():
            await door.turn()
    finally:
        talk.hang_up()


class _Talk:
    """One connection of a step, and the one to the end point that it keeps while requests follow each other."""

    def __init__(self, door: Door, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.door = door
        self.reader = reader
        self.writer = writer
        self.inner = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self.outer = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self.upstream: Streams | None = None
        self.served = 0

    def hang_up(self) -> None:
        """Leave the end point."""
        if self.upstream is not None:
            self.upstream[1].transport.abort()
        self.upstream = None

    async def request(self) -> bool:
        """One request and its answer; whether another may follow."""
        try:
            raw = await self._head()
        except DeniedError as error:
            self.door.deny(self.door.station.number(), error)
            await self._refuse(error.status, error)
            return False
        if raw is None:
            return False
        return await self._answered(raw, self.door.station.number())

    async def _head(self) -> bytes | None:
        try:
            async with asyncio.timeout(self.door.bounds.head):
                return await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if not error.partial:
                return None
            raise DeniedError("proxy.malformed", "the head ends early", status=400) from None
        except asyncio.LimitOverrunError:
            raise DeniedError("proxy.head_size", "a head over its bound", status=431) from None
        except TimeoutError:
            if self.served:
                return None  # A program that keeps a connection for later has done nothing wrong.
            raise DeniedError("proxy.slow", "the head did not come in time", status=408) from None

    async def _answered(self, raw: bytes, number: int) -> bool:
        method, path = "", ""
        try:
            head = parse_head(raw)
            method, path = head.method, head.path
            fields = check(head, self.door.access.rule)
        except DeniedError as error:
            self.door.deny(number, error, method, path)
            await self._refuse(error.status, error)
            return False
        return await self._forwarded(head, fields, raw, number)

    async def _forwarded(self, head: Head, fields: Headers, raw: bytes, number: int) -> bool:
        self.door.report(number, "proxy.admitted", allowed=True, method=head.method, path=head.path[:256])
        before, code, status = (self.door.sent, self.door.received), "proxy.cut", 0
        try:
            self._take(raw)
            self._from_step()
            status, code = await self._exchange(head, fields), "proxy.done"
        except (InterlockError, h11.ProtocolError, OSError, TimeoutError) as error:
            code = _code(error)
            await self._fail(error)
        finally:
            spent = {"sent": self.door.sent - before[0], "received": self.door.received - before[1]}
            self.door.report(number, code, allowed=code == "proxy.done", status=status, **spent)
        return code == "proxy.done" and self._again()

    async def _exchange(self, head: Head, fields: Headers) -> int:
        self.door.expect(sum(int(value) for name, value in fields if name == b"content-length"))
        upstream = await self._connected()
        await self._send(upstream, self.outer.send(h11.Request(method=head.method, target=head.target, headers=fields)))
        await self._body_out(upstream)
        return await self._body_back(upstream)

    async def _connected(self) -> Streams:
        if self.upstream is not None and self.upstream[0].at_eof():
            self.hang_up()
        if self.upstream is None:
            self.outer = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
            self.upstream = await self.door.connect_http()
        return self.upstream

    async def _send(self, upstream: Streams, data: bytes | None) -> None:
        if data:
            self.door.spend(sent=len(data))
            upstream[1].write(data)
            await self._within_idle(upstream[1].drain())

    async def _body_out(self, upstream: Streams) -> None:
        while True:
            match event := self._from_step():
                case h11.NEED_DATA:
                    await self._more()
                case h11.Data():
                    await self._send(upstream, self.outer.send(h11.Data(data=event.data)))
                case h11.EndOfMessage():
                    await self._send(upstream, self.outer.send(h11.EndOfMessage()))
                    return
                case _:
                    raise DeniedError("proxy.malformed", "the body does not follow its framing", status=400)

    def _take(self, data: bytes) -> None:
        """Bytes from the step; what does not parse is the step's doing, not the end point's."""
        try:
            self.inner.receive_data(data)
        except h11.RemoteProtocolError:
            raise DeniedError("proxy.malformed", "the request does not parse", status=400) from None

    def _from_step(self) -> object:
        try:
            return self.inner.next_event()
        except h11.RemoteProtocolError:
            raise DeniedError("proxy.malformed", "the body does not follow its framing", status=400) from None

    async def _more(self) -> None:
        if self.inner.they_are_waiting_for_100_continue:
            await self._back(self.inner.send(h11.InformationalResponse(status_code=100, headers=[])))
        data = await self._within_idle(self.reader.read(self.door.bounds.chunk))
        self._take(data)

    async def _body_back(self, upstream: Streams) -> int:
        status = 0
        while True:
            match event := self.outer.next_event():
                case h11.NEED_DATA:
                    data = await self._within_idle(upstream[0].read(self.door.bounds.chunk))
                    self.door.spend(received=len(data))
                    self.outer.receive_data(data)
                case h11.InformationalResponse():
                    if event.status_code == 101:  # noqa: PLR2004 - switching protocols
                        raise ReachError("reach.protocol", "the end point left HTTP")
                case h11.Response():
                    status = event.status_code
                    fields = returned(list(event.headers.raw_items()))
                    await self._back(self.inner.send(h11.Response(status_code=status, headers=_lower(fields))))
                case h11.Data():
                    await self._back(self.inner.send(h11.Data(data=event.data)))
                case h11.EndOfMessage():
                    await self._back(self.inner.send(h11.EndOfMessage()))
                    return status
                case _:
                    raise ReachError("reach.protocol", "the end point closed before its answer")

    async def _back(self, data: bytes | None) -> None:
        if data:
            self.writer.write(data)
            await self._within_idle(self.writer.drain())

    async def _within_idle(self, doing: Coroutine[None, None, T]) -> T:
        async with asyncio.timeout(self.door.bounds.idle):
            return await doing

    def _again(self) -> bool:
        """Whether both connections are ready for another request; what came unasked is never read as one."""
        self.served += 1
        if self.outer.states != {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE} or self.outer.trailing_data[0]:
            self.hang_up()
        else:
            self.outer.start_next_cycle()
        if self.inner.states != {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE} or self.inner.trailing_data[0]:
            return False
        self.inner.start_next_cycle()
        return True

    async def _fail(self, error: Exception) -> None:
        """Tell the step where nothing was answered yet; else break off, so that half is not taken for whole."""
        if self.inner.our_state is not h11.SEND_RESPONSE:
            self.writer.transport.abort()
            return
        status = error.status if isinstance(error, DeniedError) else 502
        await self._refuse(504 if isinstance(error, TimeoutError) else status, error)

    async def _refuse(self, status: int, error: Exception) -> None:
        body = json.dumps({"error": _code(error)}).encode("ascii")
        head = f"HTTP/1.1 {status} Refused\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self.writer.write(head.encode("ascii") + b"Connection: close\r\n\r\n" + body)


def _lower(fields: Headers) -> Headers:
    return [(name.lower(), value) for name, value in fields]


def _code(error: Exception) -> str:
    match error:
        case DeniedError() | AddressError() | ReachError():
            return error.code
        case TimeoutError():
            return "reach.timeout"
        case h11.LocalProtocolError() | h11.RemoteProtocolError():
            return "reach.protocol"
        case _:
            return "reach.broken"
