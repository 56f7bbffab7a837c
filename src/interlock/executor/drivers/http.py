"""The driver ``http``: one plaintext HTTP/1.1 request to the egress proxy, which stands at the granted host and port.

The step's own network namespace has nothing else at that name.  The proxy originates TLS, adds the credential
and checks method and path again.  No redirect is followed; the response is read within the output's bound; a
status from 400 on is ``http.status``, and what came back stands in the output all the same.

Source: RFC 9110, RFC 9112; Idempotency-Key: draft-ietf-httpapi-idempotency-key-header.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Mapping
from contextlib import closing
from typing import Final
from urllib.parse import quote, unquote, urlencode, urlsplit

from interlock.artifact import codec
from interlock.artifact.codec import Json
from interlock.artifact.errors import CodecError
from interlock.artifact.resources import canonical_host
from interlock.executor.drivers.files import text_or_base64
from interlock.executor.drivers.template import fill
from interlock.executor.work import DriverError, Work

METHODS: Final = frozenset({"get", "head", "post", "put", "patch", "delete"})
SENT: Final = frozenset({"accept", "accept-language", "content-type", "if-match", "if-none-match"})
RECEIVED: Final = ("content-type", "content-length", "location", "etag", "last-modified", "retry-after")
_SAFE: Final = frozenset({"get", "head"})
_FAILED: Final = 400
_PATH_SAFE: Final = "/%:@!$&'()*+,;=~-._"
_NO_BODY: Final = 4096
_DEFAULT_PORT: Final = {80, 443}


def run(work: Work) -> Json:
    """Send the request; raises ``DriverError``."""
    method = work.manifest.driver.operation
    if method not in METHODS:
        raise DriverError("driver.operation", "the http driver has no such operation")
    host, port, target = _target(work)
    headers, body = _headers(work, method, host, port), _body(work)
    connection = http.client.HTTPConnection(host, port, timeout=max(work.remaining(), 0.001))
    connection.sock = _connect(host, port, work.remaining())
    with closing(connection):
        try:
            work.progress.started = method not in _SAFE
            connection.request(method.upper(), target, body=body, headers=headers)
            response = connection.getresponse()
            output = _output(response, _room(work))
        except TimeoutError:
            raise DriverError("http.timeout", "no whole response in time") from None
        except (OSError, http.client.HTTPException) as error:
            raise DriverError("http.failed", f"the exchange failed ({type(error).__name__})") from None
    if response.status >= _FAILED:
        raise DriverError("http.status", f"the response's status is {response.status}", output=output)
    return output


def _target(work: Work) -> tuple[str, int, str]:
    """Host, port and request target: from the argument ``url``, or the one end point and a path."""
    query = _query(work)
    if "url" in work.arguments:
        url = work.text("url")
        host, _, port = canonical_host(url).rpartition(":")
        parts = urlsplit(url)
        joined = "&".join(part for part in (parts.query, query) if part)
        return host, int(port), _rooted(quote(parts.path or "/", safe=_PATH_SAFE)) + (f"?{joined}" if joined else "")
    endpoints = work.manifest.driver.endpoints
    if len(endpoints) != 1:
        raise DriverError("http.target", "neither a URL nor exactly one end point")
    template = work.manifest.driver.argv or ("{path}",)
    escaped = {name: quote(str(value), safe="") for name, value in work.arguments.items() if name != "path"}
    path = "".join(fill(template, {**escaped, "path": quote(work.text("path"), safe=_PATH_SAFE)}, set(work.arguments)))
    return endpoints[0].host, endpoints[0].port, _rooted(path) + (f"?{query}" if query else "")


def _rooted(path: str) -> str:
    if not path.startswith("/") or ".." in unquote(path).replace("\\", "/").split("/"):
        raise DriverError("http.target", "a path that does not start at the root or climbs")
    return path


def _query(work: Work) -> str:
    value = work.arguments.get("query")
    if not isinstance(value, Mapping):
        return ""
    return urlencode({name: str(item) for name, item in value.items()}, quote_via=quote)


def _headers(work: Work, method: str, host: str, port: int) -> dict[str, str]:
    """The closed set of headers; a name outside of it is refused."""
    found = {
        "Host": host if port in _DEFAULT_PORT else f"{host}:{port}",
        "User-Agent": "interlock",
        "Connection": "close",
    }
    found["Accept-Encoding"] = "identity"
    if method not in _SAFE:
        found["Idempotency-Key"] = work.key
    given = work.arguments.get("headers")
    for name, value in given.items() if isinstance(given, Mapping) else ():
        if name.lower() not in SENT or not isinstance(value, str) or not value.isascii() or not value.isprintable():
            raise DriverError("http.header", "a header that is not in the closed set, or has no plain value")
        found[name.title()] = value
    if "json" in work.arguments:
        found.setdefault("Content-Type", "application/json")
    elif "body" in work.arguments:
        found.setdefault("Content-Type", "text/plain; charset=utf-8")
    return found


def _body(work: Work) -> bytes | None:
    if "json" in work.arguments:
        return codec.encode(work.arguments["json"])
    return work.text("body").encode() if "body" in work.arguments else None


def _connect(host: str, port: int, seconds: float) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)
        return socket.create_connection((str(found[0][4][0]), port), timeout=max(seconds, 0.001))
    except (OSError, UnicodeError) as error:
        raise DriverError(
            "http.unreachable", f"nothing granted answers at this host ({type(error).__name__})"
        ) from None


def _room(work: Work) -> int:
    """Bytes of a body that are read: escaping can make six of one, and base64 four of three."""
    return min(max((work.manifest.output.max_bytes - _NO_BODY) // 2, 0), 3 * codec.MAX_STRING // 4)


def _output(response: http.client.HTTPResponse, most: int) -> Json:
    data = response.read(most + 1)
    truncated = len(data) > most
    headers: dict[str, Json] = {}
    for name in RECEIVED:
        value = response.headers.get(name)
        if value is not None:
            headers[name] = value[:1024].encode("latin-1", "replace").decode("ascii", "replace")
    whole: Mapping[str, Json] = {} if truncated else _json(response, data)
    return {
        "status": response.status,
        "headers": headers,
        "truncated": truncated,
        **(whole or text_or_base64(data[:most])),
    }


def _json(response: http.client.HTTPResponse, data: bytes) -> Mapping[str, Json]:
    """``{"json": …}`` where the response says so and its value lies in the codec's domain."""
    if "json" not in (response.headers.get("content-type") or "").lower():
        return {}
    try:
        return {"json": codec.parse(data, data=True)}
    except CodecError:
        return {}
