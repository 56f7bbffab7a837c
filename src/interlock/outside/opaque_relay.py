"""Carry a step's own TLS to its end point without reading it: an uncontrolled external sink.

Before a byte leaves, the first flight must be a ClientHello that names exactly the granted host in clear.
After that nothing is checked but the number of bytes and the idle time: what is said inside, and to whom the
end point hands it on, is out of sight.
"""

from __future__ import annotations

import asyncio
import contextlib

from interlock.artifact.errors import InterlockError
from interlock.outside.client_hello import HelloError, server_name
from interlock.outside.door import Door
from interlock.outside.http_rules import DeniedError, other_host


async def relay(door: Door, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection of a step until either side ends it."""
    number, first = door.station.number(), b""
    try:
        first = await _first_flight(door, reader)
        if not first:
            return
        sock = await door.connect()
    except InterlockError as error:
        door.deny(number, error)
        return
    out_reader, out_writer = await asyncio.open_connection(sock=sock, limit=door.bounds.chunk)
    before, code = (door.sent, door.received), "proxy.cut"
    door.report(number, "proxy.admitted", allowed=True)
    try:
        code = await _splice(door, first, (reader, writer), (out_reader, out_writer))
    finally:
        out_writer.transport.abort()
        spent = {"sent": door.sent - before[0], "received": door.received - before[1]}
        door.report(number, code, allowed=code == "proxy.done", **spent)


async def _first_flight(door: Door, reader: asyncio.StreamReader) -> bytes:
    """The bytes up to a whole ClientHello for the granted host; empty where the step said nothing."""
    stream, rule = b"", door.access.rule
    try:
        async with asyncio.timeout(door.bounds.head):
            while (name := server_name(stream)) is None:
                part = await reader.read(4096)
                if not part:
                    return _ended(stream)
                stream += part
    except TimeoutError:
        raise DeniedError("proxy.slow", "the first flight did not come in time") from None
    except HelloError as error:
        raise DeniedError(error.code, error.message, violation=error.code != "hello.size") from None
    if name != rule.endpoint.host:
        raise other_host(name, rule)
    return stream


def _ended(stream: bytes) -> bytes:
    if stream:
        raise DeniedError("proxy.malformed", "the first flight ends early")
    return b""


async def _splice(
    door: Door,
    first: bytes,
    inner: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    outer: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> str:
    """Both directions until both have ended; the stable code of how it went."""
    code = "proxy.done"
    try:
        door.spend(sent=len(first))
        outer[1].write(first)
        async with asyncio.timeout(door.bounds.idle) as deadline, asyncio.TaskGroup() as group:
            group.create_task(_pump(door, inner[0], outer[1], deadline, outward=True))
            group.create_task(_pump(door, outer[0], inner[1], deadline, outward=False))
    except* DeniedError:
        code = "proxy.bytes"
    except* TimeoutError:
        code = "reach.timeout"
    except* OSError:
        code = "reach.broken"
    return code


async def _pump(
    door: Door,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    deadline: asyncio.Timeout,
    *,
    outward: bool,
) -> None:
    """One direction; each byte in either puts the deadline of both off."""
    while data := await reader.read(door.bounds.chunk):
        deadline.reschedule(asyncio.get_running_loop().time() + door.bounds.idle)
        door.spend(**({"sent": len(data)} if outward else {"received": len(data)}))
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError):  # The other side may have gone already, which is as good an end.
        writer.write_eof()
