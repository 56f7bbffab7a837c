"""What a request from a step must be before one byte of it leaves: bytes in, a request to forward out, no I/O.

Numbered, as in docs/egress.md:

 (1) syntax: one request line and header fields of RFC 9112 in their strictest form; no bare CR or LF, no folded
     line, no control character, no name with an underscore (some servers read it as a hyphen);
 (2) framing: a length or ``chunked``, once, never both; no upgrade;
 (3) host: exactly one ``Host``, equal to the grant; no absolute form, no CONNECT;
 (4) method: stands in the end point's list; TRACE, which echoes credentials, never does;
 (5) path: is already normal (no dot segment, no empty one, no encoded delimiter) and stands in the list;
 (6) headers: what belongs to one hop is dropped, what would override (3) to (5) is refused, and a header that
     the proxy injects replaces the step's.

What was matched is what is sent: nothing is rewritten into a match.  An empty list of methods or paths matches
nothing.  ``DeniedError.violation`` tells an attempt to leave the grant from a mere mistake.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeAlias
from urllib.parse import unquote_to_bytes

import msgspec

from interlock.artifact.action import Endpoint
from interlock.artifact.errors import InterlockError

Headers: TypeAlias = list[tuple[bytes, bytes]]

MAX_HEAD: Final = 32 * 1024
_LINE: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ([\x21-\x7e]{1,16384}) HTTP/1\.1")
_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*")
_PATH: Final = re.compile(r"(/([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})+)*/?")
_QUERY: Final = re.compile(r"([A-Za-z0-9._~!$&'()*+,;=:@/?\[\]{}|^`\"<>-]|%[0-9A-Fa-f]{2})*")
_ENCODED: Final = re.compile(r"(?i)%(2[35DEF]|3[0-9BF]|4[1-9A-F]|5[0-9ACF]|6[1-9A-F]|7[0-9AEF]|[01][0-9A-F])")
_HOP: Final = frozenset(
    b"connection keep-alive proxy-connection te trailer transfer-encoding content-length expect host".split()
)
_OVERRIDES: Final = re.compile(
    rb"forwarded|x-forwarded-.*|x-http-method(-override)?|x-method-override|x-original-(url|uri|host)|x-rewrite-url"
    rb"|x-host|x-real-ip|x-override-url|proxy-auth.*|http2-settings|true-client-ip|x-envoy-.*|via"
)
_DEFAULT_PORTS: Final = frozenset({80, 443})
_LENGTH: Final = re.compile(rb"[0-9]{1,15}")


class DeniedError(InterlockError):
    """A request that is not forwarded; ``status`` is what the step sees."""

    def __init__(self, code: str, message: str, *, violation: bool = False, status: int = 403) -> None:
        super().__init__(code, message)
        self.violation = violation
        self.status = status


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What one end point admits, the headers that the proxy adds, and the hosts that no step may name."""

    endpoint: Endpoint
    inject: Mapping[str, bytes] = {}
    model_hosts: frozenset[str] = frozenset()


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """A request head that parsed; ``fields`` have lower-case names."""

    method: str
    target: str
    fields: Headers

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    def all(self, name: bytes) -> list[bytes]:
        """The values of a field, in order."""
        return [value for key, value in self.fields if key == name]


def parse_head(raw: bytes) -> Head:
    """(1) The head, which ends with an empty line; raises ``DeniedError``."""
    lines = raw.removesuffix(b"\r\n\r\n").split(b"\r\n")
    if any(line[:1] in {b" ", b"\t"} for line in lines):
        raise DeniedError("proxy.smuggling", "a folded header line", violation=True)
    if b"\n" in (rest := b"".join(lines)) or b"\r" in rest or b"\0" in rest:
        raise DeniedError("proxy.smuggling", "a bare CR, LF or NUL in the head", violation=True)
    first = _LINE.fullmatch(lines[0])
    fields = [_FIELD.fullmatch(line) for line in lines[1:]]
    if first is None or len(fields) > 100:  # noqa: PLR2004 - ample
        raise DeniedError("proxy.malformed", "not a request line of HTTP/1.1, or too many fields", status=400)
    return Head(
        method=first[1].decode("ascii"),
        target=first[2].decode("ascii"),
        fields=[_field(match) for match in fields],
    )


def _field(match: re.Match[bytes] | None) -> tuple[bytes, bytes]:
    if match is None or b"_" in match[1]:
        raise DeniedError("proxy.malformed", "a header field that is not strictly formed", status=400)
    return match[1].lower(), match[2]


def check(head: Head, rule: Rule) -> Headers:
    """(2) to (6): the header fields to forward, ``Host`` first; raises ``DeniedError``."""
    framing = _framing(head)
    host = _host(head, rule)
    # (4) The method is granted.
    if head.method not in rule.endpoint.methods or head.method in {"TRACE", "CONNECT"}:
        raise DeniedError("proxy.method", "the method is outside the grant", violation=True)
    _check_path(head, rule)
    return [(b"host", host), *_forwarded(head, rule), *framing]


def _framing(head: Head) -> Headers:
    # (2) The framing of the body is stated once.
    lengths, encodings = head.all(b"content-length"), head.all(b"transfer-encoding")
    if len(lengths) + len(encodings) > 1:
        raise DeniedError("proxy.smuggling", "more than one framing of the body", violation=True)
    if any(not _LENGTH.fullmatch(length) for length in lengths):
        raise DeniedError("proxy.smuggling", "a length that is no number", violation=True)
    if any(encoding.lower() != b"chunked" for encoding in encodings):
        raise DeniedError("proxy.smuggling", "a transfer coding other than chunked", violation=True)
    if head.all(b"upgrade"):
        raise DeniedError("proxy.upgrade", "a request to leave HTTP", violation=True)
    if any(value.lower() != b"100-continue" for value in head.all(b"expect")):
        raise DeniedError("proxy.malformed", "an unknown expectation", status=417)
    return [(b"content-length", value) for value in lengths] + [(b"transfer-encoding", b"chunked") for _ in encodings]


def _host(head: Head, rule: Rule) -> bytes:
    # (3) The host is the grant's.
    endpoint = rule.endpoint
    allowed = {f"{endpoint.host}:{endpoint.port}", *([endpoint.host] if endpoint.port in _DEFAULT_PORTS else [])}
    hosts = [host.decode("latin-1") for host in head.all(b"host")]
    if not head.target.startswith("/"):
        hosts = [head.target.rpartition("://")[2].partition("/")[0]]
        if allowed.issuperset(hosts):
            raise DeniedError("proxy.absolute_form", "the target must be a path", status=400)
    if len(hosts) != 1:
        raise DeniedError("proxy.host", "not exactly one Host", violation=bool(hosts), status=400)
    if hosts[0] not in allowed:
        raise other_host(hosts[0].rpartition("@")[2].partition(":")[0], rule)
    return hosts[0].encode("latin-1")


def other_host(named: str, rule: Rule) -> DeniedError:
    """The violation of naming ``named`` where the grant names another host."""
    if is_model_host(named, rule.model_hosts):
        return DeniedError("proxy.model_host", "a request to a model's provider", violation=True)
    return DeniedError("proxy.other_host", "a request to another host than the grant's", violation=True)


def is_model_host(name: str, model_hosts: frozenset[str]) -> bool:
    """Whether a name is, or lies below, one of the providers' hosts."""
    labels = name.lower().rstrip(".").split(".")
    return any(".".join(labels[at:]) in model_hosts for at in range(len(labels)))


def _check_path(head: Head, rule: Rule) -> None:
    # (5) The path is normal and granted.
    path, _, query = head.target.partition("?")
    if _climbs(path):
        raise DeniedError("proxy.path_spelling", "a path that climbs, plainly or encoded", violation=True, status=400)
    if not _PATH.fullmatch(path) or not _QUERY.fullmatch(query):
        raise DeniedError("proxy.path_spelling", "a path or query that is not in normal form", status=400)
    if _ENCODED.search(path) or "." in path.split("/") or not _is_utf8(unquote_to_bytes(path)):
        raise DeniedError("proxy.path_spelling", "a dot segment, or a character encoded without need", status=400)
    if not any(matches(pattern, path) for pattern in rule.endpoint.paths):
        raise DeniedError("proxy.path", "the path is outside the grant", violation=True)


def _climbs(path: str) -> bool:
    """Whether a reader who decodes once or twice, or takes a backslash for a slash, would find ``..`` or NUL."""
    twice = unquote_to_bytes(unquote_to_bytes(path))
    return b"\0" in twice or any(part.partition(b";")[0] == b".." for part in re.split(rb"[/\\]", twice))


def _is_utf8(raw: bytes) -> bool:
    try:
        return bool(raw.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def matches(pattern: str, path: str) -> bool:
    """Whether a normal path matches: ``*`` within a segment, a last ``/**`` for all below; else exact."""
    tail = pattern.endswith("/**")
    parts = pattern.removesuffix("/**").split("*")
    body = "[^/]*".join(re.escape(part) for part in parts)
    return re.fullmatch(body + ("(/.*)?" if tail else ""), path) is not None


def _forwarded(head: Head, rule: Rule) -> Headers:
    # (6) Headers: one hop, overrides, credentials.
    injected = {name.lower().encode("ascii") for name in rule.inject}
    named = {token.strip().lower() for value in head.all(b"connection") for token in value.split(b",")}
    if any(_OVERRIDES.fullmatch(name) for name, _ in head.fields):
        raise DeniedError("proxy.override", "a header that speaks for another host, path or method", violation=True)
    dropped = _HOP | injected | named
    kept = [(name, value) for name, value in head.fields if name not in dropped]
    return kept + [(name.lower().encode("ascii"), value) for name, value in rule.inject.items()]


def returned(fields: Headers) -> Headers:
    """The header fields of an answer that travel on to the step; a redirect is among them, unfollowed."""
    names = {key for key, _ in fields}
    named = {token.strip().lower() for key, value in fields if key == b"connection" for token in value.split(b",")}
    dropped = _HOP | named | {b"upgrade", b"alt-svc", b"proxy-authenticate"}
    if b"transfer-encoding" not in names:
        dropped -= {b"content-length"}
    return [(name, value) for name, value in fields if name not in dropped]
