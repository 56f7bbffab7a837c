"""Real servers on loopback, and a proxy that runs in a thread behind a real channel."""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from interlock.artifact import codec, frames
from interlock.artifact.action import Endpoint
from interlock.artifact.channel_pb2 import ProxyCall, ProxyClose, ProxyEvent, ProxyOpen
from interlock.outside.door import Bounds
from interlock.outside.proxy import Proxy

HOST = "service.test"
MACHINE = socket.gethostname().lower()
Reply = tuple[int, dict[str, str], bytes]


@functools.lru_cache(maxsize=1)
def certificate() -> tuple[bytes, bytes]:
    """A self-signed certificate for ``HOST`` and ``MACHINE``, made here, and its key; both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a private authority")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST), x509.DNSName(MACHINE)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM), private


def server_context() -> ssl.SSLContext:
    """A server's context with ``certificate``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as chain:
        Path(chain.name).write_bytes(b"".join(certificate()))
        context.load_cert_chain(chain.name)
    return context


class _Service(ThreadingHTTPServer):
    daemon_threads = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is expected here."""


class Service:
    """An HTTP/1.1 server that records each request and answers what ``reply`` says, plain or over TLS."""

    def __init__(
        self, reply: Callable[[str, str, bytes], Reply] | None = None, *, tls: bool = False, bind: str = "127.0.0.1"
    ) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.connections = 0
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 20

            def setup(self) -> None:
                super().setup()
                service.connections += 1

            def answer(self) -> None:
                size = int(self.headers.get("content-length", 0))
                body = self.rfile.read(size) if size else self.chunks()
                service.requests.append(
                    (self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                )
                status, headers, content = reply(self.command, self.path, body) if reply else (200, {}, b"hello")
                self.send_response_only(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                if "Content-Length" not in headers:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(b"" if self.command == "HEAD" else content)

            def chunks(self) -> bytes:
                body = b""
                while self.headers.get("transfer-encoding") == "chunked":
                    size = int(self.rfile.readline(), 16)
                    body += self.rfile.read(size)
                    self.rfile.readline()
                    if not size:
                        break
                return body

            do_GET = do_POST = do_DELETE = do_HEAD = do_PUT = answer

            def log_message(self, *_: object) -> None: ...

        self.server = _Service((bind, 0), Handler)
        if tls:
            self.server.socket = server_context().wrap_socket(
                self.server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port: int = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Egress:
    """The harness's side of a proxy's channel."""

    def __init__(self, found: Sequence[str] = ("127.0.0.1",), **bounds: float) -> None:
        self.found = [list(found)]
        self.asked: list[str] = []
        self.channel, inner = socket.socketpair()
        self.channel.settimeout(20)
        self.code: int | None = None
        self.seen: list[ProxyEvent] = []
        self._inner = inner
        self._bounds = Bounds(**{"pace": 1000.0, **bounds})
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        with self._inner:
            self.code = asyncio.run(Proxy(self._inner, bounds=self._bounds, resolver=self._resolve).run())

    async def _resolve(self, host: str, _: int) -> Sequence[str]:
        self.asked.append(host)
        return self.found[min(len(self.asked), len(self.found)) - 1]

    def open(self, port: int, **fields: Any) -> int:
        """Open a door to ``HOST:port``; returns the port on which a step would find it."""
        listener = socket.create_server(("127.0.0.1", 0))
        endpoint = {"host": HOST, "mode": "plain", "methods": ("GET", "POST"), "paths": ("/v1/**",)}
        for name in ("host", "mode", "methods", "paths"):
            endpoint[name] = fields.pop(name, endpoint[name])
        call = ProxyOpen(
            lease=fields.pop("lease", "lease-1"),
            endpoint=codec.encode(Endpoint(port=port, **endpoint)),  # type: ignore[arg-type]
            exceptions=fields.pop("exceptions", [f"{endpoint['host']}:{port}"]),
            max_bytes=fields.pop("max_bytes", 1 << 20),
            **fields,
        )
        frames.send(self.channel, ProxyCall(open=call).SerializeToString())
        frames.send_descriptors(self.channel, [listener.fileno()])
        with listener:
            return int(listener.getsockname()[1])

    def end(self, lease: str = "lease-1") -> ProxyEvent:
        frames.send(self.channel, ProxyCall(close=ProxyClose(lease=lease)).SerializeToString())
        return self.until("proxy.closed")

    def until(self, code: str) -> ProxyEvent:
        """Read events up to the first with this code."""
        while True:
            body = frames.receive(self.channel)
            assert body is not None, f"the proxy ended before {code}: {[event.code for event in self.seen]}"
            self.seen.append(event := ProxyEvent.FromString(body))
            if event.code == code:
                return event

    def close(self) -> None:
        self.channel.close()
        self.thread.join(20)
        assert not self.thread.is_alive()


def say(port: int, raw: bytes, *, ends: bool = False) -> bytes:
    """Send bytes as a step would, and read until the other side closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        try:
            sock.sendall(raw)
            if ends:
                sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # Refused before it had taken everything.
        return read_all(sock)


def read_all(sock: socket.socket) -> bytes:
    """Everything up to the end of the stream, or to its breaking off."""
    parts = b""
    try:
        while part := sock.recv(1 << 16):
            parts += part
    except ConnectionError:
        pass
    return parts


def get(path: str, port: int, *, method: str = "GET", headers: str = "", body: bytes = b"") -> bytes:
    """A well-formed request for ``HOST:port`` that closes."""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    head = f"{method} {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n{headers}{length}\r\n"
    return head.encode("latin-1") + body
