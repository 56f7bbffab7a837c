"""Read a TLS ClientHello as far as its server name: bytes in, a name out, no I/O.

Follows RFC 8446 section 4.1.2 and RFC 6066 section 3.  Anything but exactly one host name in clear is refused:
no server name, two of them, an encrypted ClientHello (extension 0xfe0d) or its predecessor (0xffce).
"""

from __future__ import annotations

from typing import Final

from interlock.artifact.errors import InterlockError

MAX_HELLO: Final = 16 * 1024
_HANDSHAKE, _CLIENT_HELLO, _SERVER_NAME, _HOST_NAME = 22, 1, 0, 0
_ENCRYPTED: Final = frozenset({0xFE0D, 0xFFCE, 0xFD00})
_RECORD_HEADER: Final = 5
_MESSAGE_HEADER: Final = 4


class HelloError(InterlockError):
    """A first flight that does not name its server in clear."""


def server_name(stream: bytes) -> str | None:
    """The lower-case server name, or ``None`` while more bytes are needed; raises ``HelloError``."""
    message = _message(stream)
    if message is None:
        return None
    try:
        return _name(_extensions(message))
    except (IndexError, UnicodeDecodeError):
        raise HelloError("hello.malformed", "the ClientHello does not parse") from None


def _message(stream: bytes) -> bytes | None:
    """The ClientHello's body, put together from its records; ``None`` while it is not complete."""
    body, at = bytearray(), 0
    while at < len(stream):
        header = stream[at : at + _RECORD_HEADER]
        size = int.from_bytes(header[3:])
        if header[0] != _HANDSHAKE or header[1:2] not in {b"", b"\x03"} or size > MAX_HELLO:
            raise HelloError("hello.not_tls", "the stream does not begin with a TLS handshake")
        body += stream[at + _RECORD_HEADER : at + _RECORD_HEADER + size]
        at += _RECORD_HEADER + size
        if body and body[0] != _CLIENT_HELLO:
            raise HelloError("hello.not_tls", "the handshake does not begin with a ClientHello")
        end = _MESSAGE_HEADER + int.from_bytes(body[1:_MESSAGE_HEADER])
        if end > MAX_HELLO or at > 2 * MAX_HELLO:
            raise HelloError("hello.size", f"a ClientHello over {MAX_HELLO} bytes")
        if len(body) >= max(end, _MESSAGE_HEADER):
            return bytes(body[_MESSAGE_HEADER:end])
    return None


class _Reader:
    """Takes length-prefixed fields; a short one raises ``IndexError``."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, size: int) -> bytes:
        if len(self.data) < size:
            raise IndexError
        part, self.data = self.data[:size], self.data[size:]
        return part

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def vector(self, size: int) -> bytes:
        return self.take(self.number(size))


def _extensions(message: bytes) -> dict[int, bytes]:
    reader = _Reader(message)
    reader.take(2 + 32)
    for width in (1, 2, 1):  # session id, cipher suites, compression methods
        reader.vector(width)
    fields, found = _Reader(reader.vector(2)), dict[int, bytes]()
    while fields.data:
        kind = fields.number(2)
        if kind in found:
            raise HelloError("hello.malformed", "an extension stands twice")
        found[kind] = fields.vector(2)
    if reader.data:
        raise HelloError("hello.malformed", "bytes after the extensions")
    return found


def _name(extensions: dict[int, bytes]) -> str:
    if _ENCRYPTED & extensions.keys():
        raise HelloError("hello.encrypted", "the server name is encrypted")
    if _SERVER_NAME not in extensions:
        raise HelloError("hello.no_name", "the ClientHello names no server")
    outer = _Reader(extensions[_SERVER_NAME])
    names = _Reader(outer.vector(2))
    kind, name = names.number(1), names.vector(2)
    if kind != _HOST_NAME or names.data or outer.data or not name:
        raise HelloError("hello.malformed", "not exactly one host name")
    return name.decode("ascii").lower()
