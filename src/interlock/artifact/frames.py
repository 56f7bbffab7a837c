"""Length-prefixed frames on a stream socket: four bytes big endian, then the body, nothing else.

One frame holds one protobuf message of the channel's published schema.  A frame over its limit, an empty
one, or an end of stream inside one is a ``ChannelError``; an end of stream between frames is ``None``.  A peer
that is gone is an end of stream for a reader and a ``BrokenPipeError`` for a writer.
"""

from __future__ import annotations

import array
import os
import socket
import struct
from collections.abc import Iterable

from interlock.artifact.errors import ChannelError

MAX_FRAME = 8 * 1024 * 1024
_HEADER = struct.Struct("!I")


def send(sock: socket.socket, body: bytes, *, limit: int = MAX_FRAME) -> None:
    """Send one frame of 1 to ``limit`` bytes; raises ``ChannelError`` for another size."""
    if not 0 < len(body) <= limit:
        raise ChannelError("channel.size", f"a frame of {len(body)} bytes, allowed are 1 to {limit}")
    sock.sendall(_HEADER.pack(len(body)) + body)


def receive(sock: socket.socket, *, limit: int = MAX_FRAME) -> bytes | None:
    """Receive one frame; ``None`` where the peer has closed between frames."""
    header = _exactly(sock, _HEADER.size, may_end=True)
    if header is None:
        return None
    (size,) = _HEADER.unpack(header)
    if not 0 < size <= limit:
        raise ChannelError("channel.size", f"a frame that announces {size} bytes, allowed are 1 to {limit}")
    return _exactly(sock, size, may_end=False)


def send_descriptors(sock: socket.socket, descriptors: list[int]) -> None:
    """Send 1 to 64 file descriptors over a unix socket, out of band of the frames (one marker byte)."""
    rights = array.array("i", descriptors)
    sock.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])


def receive_descriptors(sock: socket.socket, count: int) -> list[int]:
    """Receive exactly ``count`` descriptors, close-on-exec; raises ``ChannelError`` otherwise."""
    data, found = receive_rights(sock, 1, count)
    if len(found) != count or data != b"\0":
        close_all(found)
        raise ChannelError("channel.descriptors", f"{len(found)} descriptors where {count} were expected")
    return found


def receive_rights(sock: socket.socket, size: int, most: int) -> tuple[bytes, list[int]]:
    """Receive up to ``size`` bytes with up to ``most`` descriptors, close-on-exec; more is a ``ChannelError``.

    In the place of ``socket.recv_fds``, which drops its flags, so that what it receives is inherited by every
    program started later.
    """
    found = array.array("i")
    room = socket.CMSG_LEN(most * found.itemsize)
    data, ancillary, flags, _ = sock.recvmsg(size, room, socket.MSG_CMSG_CLOEXEC)
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS)
    found.frombytes(b"".join(body for level, kind, body in ancillary if (level, kind) == rights))
    if flags & socket.MSG_CTRUNC:
        close_all(found)
        raise ChannelError("channel.descriptors", f"more than {most} descriptors")
    return data, list(found)


def close_all(descriptors: Iterable[int]) -> None:
    """Close each of them."""
    for descriptor in descriptors:
        os.close(descriptor)


def _exactly(sock: socket.socket, size: int, *, may_end: bool) -> bytes | None:
    parts = bytearray()
    while len(parts) < size:
        part = _some(sock, min(size - len(parts), 1 << 20))
        if not part:
            if may_end and not parts:
                return None
            raise ChannelError("channel.truncated", f"the stream ended after {len(parts)} of {size} bytes")
        parts += part
    return bytes(parts)


def _some(sock: socket.socket, most: int) -> bytes:
    try:
        return sock.recv(most)
    except ConnectionResetError:  # The peer closed with bytes of ours unread.
        return b""
