"""Reach one end point: resolve it once, hold it to the address rule, connect to what was checked, verify TLS.

The trust store is read when this module is imported, which is before lock-down.  A bundle that is handed in
replaces it.  There is no way to connect without verification, and no proxy, file or variable of the
environment changes where a connection goes.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from interlock.artifact.errors import InterlockError
from interlock.outside.addresses import AddressError, check_name, pinned

Resolver: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]

_STORES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


class ReachError(InterlockError):
    """An end point that cannot be reached, or does not prove its name."""


def _machine_store() -> str:
    for path in (str(ssl.get_default_verify_paths().cafile), *_STORES):
        if Path(path).is_file():
            return Path(path).read_text("ascii", "replace")
    return ""


_MACHINE_STORE: Final = _machine_store()


@functools.lru_cache(maxsize=16)
def trust(ca_bundle: bytes = b"") -> ssl.SSLContext:
    """A client context, TLS 1.2 or later, that verifies against the bundle, or else the machine's store.

    Without any authority every connection fails.  Raises ``ReachError`` for a bundle that is not PEM.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    store = ca_bundle.decode("ascii", "replace") or _MACHINE_STORE
    if store:
        try:
            context.load_verify_locations(cadata=store)
        except (ssl.SSLError, ValueError):
            raise ReachError("reach.authority", "the bundle of authorities is not PEM") from None
    return context


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a name by the system's resolver, numerals included; empty where there is none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    return tuple(str(entry[4][0]) for entry in found)


async def addresses(
    host: str, port: int, exceptions: Sequence[str], seconds: float, resolver: Resolver = resolve
) -> tuple[str, ...]:
    """Resolve once and hold the answer to the rule; raises ``AddressError``."""
    check_name(host)
    try:
        async with asyncio.timeout(seconds):
            found = await resolver(host, port)
    except TimeoutError:
        raise AddressError("address.unresolved", "the resolver did not answer in time") from None
    return pinned(host, port, found, exceptions)


async def connect(found: Sequence[str], port: int, seconds: float, *, local: bool) -> socket.socket:
    """A connected socket to the first address that answers; raises ``ReachError``.

    Unless ``local``, a connection whose two ends have one address is refused: it came back to this machine.
    """
    deadline = asyncio.timeout(seconds)
    try:
        async with deadline:
            for address in found:
                sock = await _try(address, port, max(seconds / len(found), 1.0))
                if sock is not None:
                    return _outward(sock, local=local)
    except TimeoutError:
        raise ReachError("reach.timeout", "the end point did not answer in time") from None
    raise ReachError("reach.refused", "the end point refuses connections")


async def _try(address: str, port: int, seconds: float) -> socket.socket | None:
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().sock_connect(sock, (address, port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:  # A time-out is one, too: the next address has its turn.
        sock.close()
        return None
    except BaseException:
        sock.close()
        raise
    return sock


def _outward(sock: socket.socket, *, local: bool) -> socket.socket:
    if not local and sock.getsockname()[0] == sock.getpeername()[0]:
        sock.close()
        raise AddressError("address.this_machine", "the name leads to this very machine")
    return sock
