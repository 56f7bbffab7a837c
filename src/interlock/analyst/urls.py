"""URLs: where one leads, by its spelling alone, and by which tricks it hides that.

The parse is stricter than any client's: whatever two clients could read differently is opaque.  Names are not looked
up; the proxy refuses private addresses when it dials.  What can be said before that is said here: addresses in any
notation, names that stand for or embed one, schemes that are no web, and data that leaves in the query.

>>> claims = analyse("http://0x7f.1/admin", Place(argument="url", root="/"))
>>> [one.key for one in claims.touched], "url.private" in claims.signals
(['endpoint:127.0.0.1:80'], True)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from interlock.analyst import data, hosts
from interlock.analyst.claims import MAX_NESTING, Claims, Place
from interlock.artifact.action import Effect

MAX_CHARACTERS = 8192
MAX_PARAMETERS = 128
MAX_PORT = 65535
_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21, "ssh": 22, "sftp": 22, "git": 9418}
_WEB: Final = frozenset({"http", "https", "ws", "wss"})
_SCRIPT: Final = frozenset({"javascript", "vbscript", "livescript", "mocha", "view-source"})
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,30}):(.*)\Z", re.DOTALL)
_AUTHORITY = re.compile(r"[/\\]{2,}([^/\\?#]*)(.*)\Z", re.DOTALL)
_STRANGE = re.compile(r"[\x00-\x20\x7f\\<>\"^`{|}]|%(?:00|0[ad]|25(?:00|0[ad]))", re.IGNORECASE)
_TEMPLATE = re.compile(r"\$\(|\$\{|\{\{|`|<%|%\{")
_METADATA_PATH = re.compile(
    r"/+(?:latest|\d{4}-\d\d-\d\d)/+(?:meta-data|user-data|dynamic/+instance-identity|api/+token)|/+computemetadata/"
    r"|/+metadata/+(?:instance|identity)\b|/+opc/+v\d/+instance",
    re.IGNORECASE,
)  # fmt: skip
_BLOB = re.compile(r"(?:[A-Za-z0-9+/_-]|%[0-9A-Fa-f]{2}){100,}=*|(?:[0-9a-fA-F]{2}){72,}")
_LABEL_BLOB = re.compile(r"[a-z2-7]{45,63}|[0-9a-f]{40,63}")
_NESTED = re.compile(r"(?:[a-z][a-z0-9+.-]{1,15}:)?[/\\]{2}[^/\\]", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Parts:
    scheme: str
    userinfo: str
    host: str
    port: int
    rest: str


def analyse(text: str, place: Place) -> Claims:
    """Claims about one URL that is at least read; whoever knows of sending says so through ``examine``."""
    claims = Claims(place)
    examine(text, claims, Effect.READ)
    return claims


def examine(text: str, claims: Claims, access: Effect) -> None:
    """Add what is to be said of one URL."""
    text = text.strip()
    if len(text) > MAX_CHARACTERS:
        claims.opaque("url.too_large")
        return
    found = _URL.match(text)
    if found is None or (found[1].lower() not in _PORTS and found[2][:1].isdigit()):
        _without_scheme(text, claims, access)
        return
    _by_scheme(found[1].lower(), found[2], claims, access)


def _without_scheme(text: str, claims: Claims, access: Effect) -> None:
    claims.opaque("url.no_scheme")
    if text.startswith(("//", "\\\\", "/\\")) or hosts.looks_like_one(re.split(r"[/?#:]", text, maxsplit=1)[0]):
        _web("https", text if text[:1] in "/\\" else "//" + text, claims, access)


def _by_scheme(scheme: str, rest: str, claims: Claims, access: Effect) -> None:
    if scheme in _WEB:
        _web(scheme, rest, claims, access)
    elif scheme == "file":
        claims.signal("url.local_file")
        claims.opaque("url.scheme")
        claims.file(Effect.READ, "/" + unquote(rest).split("\0", 1)[0].replace("\\", "/").lstrip("/"))
    elif scheme == "data":
        claims.signal("url.inline_data")
    elif scheme == "mailto":
        claims.inline("email", unquote(rest.split("?", 1)[0]))
        if "%0a" in rest.lower() or "%0d" in rest.lower():
            claims.opaque("email.header_injection")
    else:
        claims.signal("url.script" if scheme in _SCRIPT else "url.scheme")
        claims.opaque("url.scheme")
        if rest.startswith("//"):
            _web(scheme, rest, claims, access)
        elif (nested := _URL.match(rest)) is not None and claims.place.nesting < MAX_NESTING:  # jar:, view-source:
            inner = Claims(claims.place.within())
            examine(nested[0], inner, access)
            claims.merge(inner)


def _web(scheme: str, rest: str, claims: Claims, access: Effect) -> None:
    if _STRANGE.search(rest) is not None or not rest.isascii() or not re.match(r"//[^/\\]", rest):
        claims.opaque("url.ambiguous")
    if _TEMPLATE.search(rest) is not None:
        claims.opaque("url.template")
    parts = _split(scheme, rest, claims)
    if parts is None:
        claims.opaque("url.syntax")
        claims.touch(access, "endpoint", "*", open=True)
        return
    name = hosts.examine(parts.host, claims)
    if name is None:
        claims.opaque("url.host")
        claims.touch(access, "endpoint", "*", open=True)
        return
    if parts.port != _PORTS.get(scheme, parts.port):
        claims.signal("url.port")
    claims.touch(access, "endpoint", f"{name}:{parts.port}")
    _leaves(parts, name, claims)


def _split(scheme: str, rest: str, claims: Claims) -> _Parts | None:
    found = _AUTHORITY.match(rest)
    if found is None:
        return None
    userinfo, at, address = found[1].rpartition("@")
    if at or "@" in found[2].split("/", 1)[0]:
        claims.signal("url.userinfo")
        if "@" in userinfo or found[2].startswith("\\") or hosts.looks_like_one(userinfo.split(":", 1)[0]):
            claims.signal("url.disguised")
            claims.opaque("url.ambiguous")
    split = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::(\d{0,5}))?", address)
    if split is None or not split[1]:
        _salvage(found[1], claims)
        return None
    port = int(split[2]) if split[2] else _PORTS.get(scheme, 0)
    return (
        _Parts(scheme=scheme, userinfo=userinfo, host=split[1], port=port, rest=found[2]) if port <= MAX_PORT else None
    )


def _salvage(authority: str, claims: Claims) -> None:
    """Signals about every host that some client might read in a malformed authority."""
    for one in re.split(r"[@:]", authority)[:8]:
        if one and not one.isdigit():
            hosts.examine(one, claims)


def _leaves(parts: _Parts, name: str, claims: Claims) -> None:
    path, _, query = parts.rest.partition("?")
    if _METADATA_PATH.match(unquote(path)) is not None:
        claims.signal("url.metadata")
    carried = [pair.partition("=")[2] for pair in query.split("#", 1)[0].split("&")[:MAX_PARAMETERS]]
    if any(_BLOB.fullmatch(value) for value in carried) or any(_LABEL_BLOB.fullmatch(one) for one in name.split(".")):
        claims.signal("data.sent")
        claims.touch(Effect.SEND, "endpoint", f"{name}:{parts.port}")
    if ":" in parts.userinfo or any(data.names_secret(pair) for pair in query.split("&")[:MAX_PARAMETERS]):
        claims.find("secret", "secret.in_url")
    if data.secrets(parts.rest):
        claims.find("secret", "secret.in_url")
        claims.signal("data.sent")
    for value in carried:
        decoded = unquote(unquote(value))
        if _NESTED.match(decoded) is not None:
            claims.signal("url.carries_url")
            _nested(decoded, claims)


def _nested(text: str, claims: Claims) -> None:
    """Only what is said against it: the client itself does not go there."""
    if claims.place.nesting >= MAX_NESTING:
        return
    inner = Claims(claims.place.within())
    examine(text, inner, Effect.READ)
    for code in inner.signals:
        claims.signal(code)
