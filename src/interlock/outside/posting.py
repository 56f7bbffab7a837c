"""Post bytes to one address that the operator configured, and read a bounded answer.

HTTP/1.1 over ``httpx2``'s transport alone: no redirect is followed, no cookie kept, no variable of the environment
read, no content encoding accepted, so that an answer's size on the wire is its size.  The name is resolved and
held to the address rule each time, and the connection goes to the address that was checked.  Plain ``http`` is
for private addresses, and those are only for whom the operator named them.
"""

from __future__ import annotations

import re
from typing import Final, Literal, cast
from urllib.parse import urlsplit

import httpx2
import msgspec

from interlock.outside import reach
from interlock.outside.addresses import check_name, refusal
from interlock.outside.reach import ReachError

_VISIBLE: Final = re.compile(r"[\x21-\x7e]{1,2048}")
_CONNECT_SECONDS: Final = 10.0


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed URL without user, query or fragment; ``path`` has no trailing slash."""

    scheme: Literal["http", "https"]
    host: str
    port: int
    path: str


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer's status, its ``Retry-After`` and its whole body."""

    status: int
    retry_after: str
    body: bytes


def target_of(url: str, *, allow_private: bool) -> Target:
    """Parse a URL strictly; raises ``ReachError`` or ``AddressError``."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ReachError("reach.url", "a URL that does not parse") from None
    strange = not _VISIBLE.fullmatch(url) or "\\" in url or "@" in parts.netloc or "?" in url or "#" in url
    if strange or parts.scheme not in {"http", "https"} or port == 0:
        raise ReachError("reach.url", "not a plain http or https URL without user, query and fragment")
    if parts.scheme == "http" and not allow_private:
        raise ReachError("reach.plaintext", "plain http is for private addresses that the operator named")
    scheme = cast("Literal['http', 'https']", parts.scheme)
    host = check_name(parts.hostname or "")
    return Target(
        scheme=scheme, host=host, port=port or (443 if scheme == "https" else 80), path=parts.path.rstrip("/")
    )


class Poster:
    """A connection to one target that is kept between posts; not for use from two tasks at once."""

    def __init__(
        self, target: Target, *, allow_private: bool, ca_bundle: bytes = b"", resolver: reach.Resolver = reach.resolve
    ) -> None:
        self.target = target
        self._exceptions = (f"{target.host}:{target.port}",) if allow_private else ()
        self._resolver = resolver
        self._transport = httpx2.AsyncHTTPTransport(
            verify=reach.trust(ca_bundle),
            trust_env=False,
            http1=True,
            http2=False,
            retries=0,
            limits=httpx2.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=30.0),
        )

    async def close(self) -> None:
        """Drop the connection."""
        await self._transport.aclose()

    async def post(self, path: str, headers: dict[str, str], body: bytes, *, limit: int) -> Reply:
        """One POST; the caller bounds the time. Raises ``ReachError``, ``AddressError``."""
        target = self.target
        found = await reach.addresses(target.host, target.port, self._exceptions, _CONNECT_SECONDS, self._resolver)
        if target.scheme == "http" and not all(map(refusal, found)):
            raise ReachError("reach.plaintext", "plain http to a public address")
        for address in found[:-1]:
            try:
                return await self._to(address, path, headers, body, limit)
            except ReachError as error:
                if error.code != "reach.refused":
                    raise
        return await self._to(found[-1], path, headers, body, limit)

    async def _to(self, address: str, path: str, headers: dict[str, str], body: bytes, limit: int) -> Reply:
        target = self.target
        request = httpx2.Request(
            "POST",
            httpx2.URL(scheme=target.scheme, host=address, port=target.port, path=(target.path + path) or "/"),
            headers={"Host": _authority(target), "Accept-Encoding": "identity", "User-Agent": "interlock", **headers},
            content=body,
            extensions={"sni_hostname": target.host, "timeout": {"connect": _CONNECT_SECONDS}},
        )
        try:
            response = await self._transport.handle_async_request(request)
            return await _read(response, limit)
        except httpx2.ConnectTimeout:
            raise ReachError("reach.refused", "the end point does not answer") from None
        except httpx2.ConnectError as error:
            raise _unconnected(error) from None
        except (httpx2.HTTPError, ValueError):
            raise ReachError("reach.broken", "the exchange broke off") from None


def _unconnected(error: httpx2.ConnectError) -> ReachError:
    if "CERTIFICATE" in str(error).upper():
        return ReachError("reach.certificate", "the end point does not prove its name")
    return ReachError("reach.refused", "the end point refuses connections")


async def _read(response: httpx2.Response, limit: int) -> Reply:
    try:
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise ReachError("reach.encoding", "an answer in an encoding that was not asked for")
        body = bytearray()
        async for part in cast("httpx2.AsyncByteStream", response.stream):
            body += part
            if len(body) > limit:
                raise ReachError("reach.size", f"an answer over {limit} bytes")
    finally:
        await response.aclose()
    return Reply(status=response.status_code, retry_after=response.headers.get("retry-after", ""), body=bytes(body))


def _authority(target: Target) -> str:
    default = 443 if target.scheme == "https" else 80
    return target.host if target.port == default else f"{target.host}:{target.port}"
