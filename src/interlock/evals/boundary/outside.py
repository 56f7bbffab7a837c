"""The outside, as this world has it: names that all lead here, and listeners that keep whatever arrives.

It answers HTTP, plainly and over TLS under an authority that is made here, and reads everything else.  Nobody but it
writes ``arrived``; whoever reads a part of it notes how long it was.
"""

from __future__ import annotations

import datetime as dt
import functools
import os
import socket
import ssl
import struct
import tempfile
import threading
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ADDRESS: Final = "93.184.215.14"  # What every name leads to; public, as the proxy reaches no other.
_SECONDS: Final = 2.0
_KEPT: Final = 1 << 16
_TLS: Final = frozenset({443, 8443})
_TLS_FIRST: Final = 0x16
_ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n"
_HEAD: Final = 12


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A name that was asked for (port 53), or what one connection brought."""

    port: int
    data: bytes = b""


class Authority:
    """Who signs for every name in this world; ``pem`` is what a workspace trusts."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "closed world")])
        made = self._made(self._name, self._key.public_key())
        self.pem: Final = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(
            self._key, hashes.SHA256()
        ).public_bytes(serialization.Encoding.PEM)  # fmt: skip

    def _made(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder(self._name, subject, key, x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1)).not_valid_after(now + dt.timedelta(days=2))
        )  # fmt: skip

    @functools.lru_cache(maxsize=256)  # noqa: B019 - there is one authority for as long as its process lives
    def context(self, name: str) -> ssl.SSLContext:
        """What serves ``name``."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName(name)])
        made = self._made(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "outside")]), key.public_key()
        ).add_extension(names, critical=True)
        signed = made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile(dir="/var/lib/interlock") as chain:
            Path(chain.name).write_bytes(signed + private)
            context.load_cert_chain(chain.name)
        return context


class Outside:
    """Serves the sockets that ``closed.enter`` made, in threads that end with the process."""

    def __init__(self, names: socket.socket, listeners: list[socket.socket], authority: Authority) -> None:
        self.arrived: list[Arrival] = []
        self._authority = authority
        self._busy = 0
        self._changed = threading.Condition()
        threading.Thread(target=self._answer_names, args=(names,), daemon=True).start()
        for listener in listeners:
            threading.Thread(target=self.accept, args=(listener, listener.getsockname()[1]), daemon=True).start()

    def settle(self) -> int:
        """Wait until no connection is being read; how much has arrived."""
        with self._changed:
            self._changed.wait_for(lambda: not self._busy, 2 * _SECONDS)
            return len(self.arrived)

    def accept(self, listener: socket.socket, port: int) -> None:
        """Take connections until the listener is closed; ``port`` is how they are noted."""
        while True:
            try:
                found, _ = listener.accept()
            except OSError:
                return
            with self._changed:
                self._busy += 1
            threading.Thread(target=self._take, args=(found, port), daemon=True).start()

    def _take(self, found: socket.socket, port: int) -> None:
        data = b""
        try:
            found.settimeout(_SECONDS)
            first = found.recv(1, socket.MSG_PEEK)
            stream = self._secured(found) if port in _TLS and first[:1] == bytes([_TLS_FIRST]) else found
            with stream:
                data = _read(stream)
                stream.sendall(_ANSWER)
        except OSError:
            data = data or b"(nothing that could be read)"
        finally:
            found.close()
            with self._changed:
                self.arrived.append(Arrival(port=port, data=data))
                self._busy -= 1
                self._changed.notify_all()

    def _secured(self, found: socket.socket) -> ssl.SSLSocket:
        def named(stream: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
            stream.context = self._authority.context(name or "none")

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.sni_callback = named
        return context.wrap_socket(found, server_side=True)

    def _answer_names(self, names: socket.socket) -> None:
        """One address for every name; of any other kind there is nothing."""
        while True:
            question, sender = names.recvfrom(1 << 12)
            name, end = _name(question)
            self.arrived.append(Arrival(port=53, data=name))
            kind = question[end : end + 2]
            found = kind == b"\0\1"
            answer = b"\xc0\x0c\0\1\0\1" + struct.pack(">IH", 60, 4) + socket.inet_aton(ADDRESS) if found else b""
            head = question[:2] + b"\x81\x80" + struct.pack(">HHHH", 1, int(found), 0, 0)
            names.sendto(head + question[_HEAD : end + 4] + answer, sender)


def _name(question: bytes) -> tuple[bytes, int]:
    """The name that a question of RFC 1035 asks for, and where it ends."""
    parts: list[bytes] = []
    at = _HEAD
    while at < len(question) and question[at]:
        parts.append(question[at + 1 : at + 1 + question[at]])
        at += 1 + question[at]
    return b".".join(parts), at + 1


def _read(stream: socket.socket) -> bytes:
    """A request with its body, or whatever else comes until it falls silent."""
    data = b""
    while len(data) < _KEPT and not _whole(data):
        try:
            part = stream.recv(_KEPT)
        except TimeoutError:
            break
        if not part:
            break
        data += part
    return data


def _whole(data: bytes) -> bool:
    head, found, body = data.partition(b"\r\n\r\n")
    fields = head.lower().split(b"\r\n")
    length = next((field[15:].strip() for field in fields if field.startswith(b"content-length:")), b"0")
    chunked = b"transfer-encoding: chunked" in fields
    return bool(found) and (body.endswith(b"0\r\n\r\n") if chunked else len(body) >= int(length or 0))


def received(sockets: list[int]) -> tuple[socket.socket, list[socket.socket]]:
    """The sockets that were kept over exec, as they are called again."""
    names, *listeners = (socket.socket(fileno=one) for one in sockets)
    for one in (names, *listeners):
        os.set_inheritable(one.fileno(), False)
    return names, listeners
