"""The one strict codec: bytes become frozen values here and nowhere else.

The domain is I-JSON (RFC 7493) without floats: integers of at most 53 bits, strings in NFC without hidden
characters, keys of the basic plane, bounded depth, size and counts.  ``encode`` writes the canonical form of
RFC 8785 over that domain; ``decode`` reads any spelling of a value (what a model writes), and
``decode_canonical`` only the canonical one (what is signed).  Each refusal has a stable code.

Strings of *data* (what a tool returned) may hold any Unicode text but lone surrogates: such values travel
labelled, and are made visible where a person reads them.

>>> encode({"b": 1, "a": ["x"]})
b'{"a":["x"],"b":1}'
>>> parse(b'{"a": 1, "a": 2}')
Traceback (most recent call last):
interlock.artifact.errors.CodecError: codec.duplicate_key: the key 'a' stands twice in one object
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeAlias, TypeVar, cast

import msgspec

from interlock.artifact.errors import CodecError

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_STRING = 1 << 18
MAX_ITEMS = 4096
MAX_INTEGER = (1 << 53) - 1

if TYPE_CHECKING:
    Json: TypeAlias = bool | int | str | Sequence["Json"] | Mapping[str, "Json"] | None
else:
    Json = Any  # msgspec has no recursive aliases; ``parse`` has already held the value to the domain.

T = TypeVar("T")

Digest: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Identifier: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@+-]{0,127}\Z")]
Millis: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=MAX_INTEGER)]
Natural: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=MAX_INTEGER)]
Text: TypeAlias = Annotated[str, msgspec.Meta(max_length=4096)]

_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Co", "Cn", "Zl", "Zp"})
_HIDDEN_MARKS = frozenset(
    [0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]
)
_ASCII_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_encoder = msgspec.json.Encoder(order="sorted")


class Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Base of every artifact: immutable, keyword-only, unknown keys refused, camelCase on the wire."""


def encode(value: object) -> bytes:
    """Canonical bytes (RFC 8785) of a value of the domain; the value is trusted to be in it."""
    return _encoder.encode(value)


def digest(value: object) -> str:
    """SHA-256 of the canonical bytes, 64 lower-case hexadecimal digits."""
    return hashlib.sha256(_encoder.encode(value)).hexdigest()


def parse(raw: bytes, *, limit: int = MAX_BYTES, data: bool = False) -> Json:
    """Read one JSON value of the domain in any spelling; raises ``CodecError``."""
    _bound(raw, limit)
    try:
        value: Json = json.loads(
            raw.decode("utf-8", "strict"),
            object_pairs_hook=_object,
            parse_float=_no_float,
            parse_int=_integer,
            parse_constant=_no_float,
        )
    except UnicodeDecodeError as error:
        raise CodecError("codec.utf8", f"byte {error.start} is not UTF-8") from None
    except RecursionError:
        raise CodecError("codec.depth", f"nested deeper than {MAX_DEPTH} levels") from None
    except json.JSONDecodeError as error:
        raise CodecError("codec.syntax", f"not JSON at character {error.pos}: {error.msg}") from None
    check(value, data=data)
    return value


def decode(raw: bytes, kind: type[T], *, limit: int = MAX_BYTES, data: bool = False) -> T:
    """Read one value of ``kind`` in any spelling; raises ``CodecError``."""
    return convert(parse(raw, limit=limit, data=data), kind)


def decode_canonical(raw: bytes, kind: type[T], *, limit: int = MAX_BYTES, data: bool = False) -> T:
    """Read one value of ``kind`` whose bytes must be its canonical form; raises ``CodecError``."""
    _bound(raw, limit)
    try:
        value: Json = msgspec.json.decode(raw)
        exact = _encoder.encode(value) == raw
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        exact = False
        value = None
    if not exact:
        parse(raw, limit=limit, data=data)  # A precise reason where there is one.
        raise CodecError(
            "codec.not_canonical", "the bytes are not the canonical form (RFC 8785) of their value"
        )
    check(value, data=data)
    return convert(value, kind)


def convert(value: Json, kind: type[T]) -> T:
    """Turn a checked JSON value into ``kind``; unknown or missing fields and other types are errors."""
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        raise CodecError("codec.schema", f"not a {kind.__name__}: {_without_values(str(error))}") from None


def builtin(value: object) -> Json:
    """The JSON value that ``encode`` would write."""
    plain: Json = msgspec.to_builtins(value)
    return plain


def check(value: Json, *, data: bool = False) -> None:
    """Hold a parsed value to the domain; raises ``CodecError`` with the path of the first offence."""
    _walk(value, "$", 0, data)


def _walk(value: object, path: str, depth: int, data: bool) -> None:
    match value:
        case None | bool():
            return
        case str():
            _text(value, path, data)
        case int():
            if not -MAX_INTEGER <= value <= MAX_INTEGER:
                raise CodecError("codec.integer", f"an integer beyond 53 bits at {path}")
        case dict() | list():
            container = cast("dict[str, object] | list[object]", value)
            if depth >= MAX_DEPTH:
                raise CodecError("codec.depth", f"nested deeper than {MAX_DEPTH} levels")
            _container(container, path, depth + 1, data)
        case _:
            raise CodecError(
                "codec.float", f"a number that is no integer at {path}", hint="use integers of minor units"
            )


def _container(value: dict[str, object] | list[object], path: str, depth: int, data: bool) -> None:
    if len(value) > MAX_ITEMS:
        raise CodecError("codec.count", f"more than {MAX_ITEMS} items at {path}")
    if isinstance(value, list):
        for index, item in enumerate(value):
            _walk(item, f"{path}[{index}]", depth, data)
        return
    for key, item in value.items():
        _text(key, path, data=False)
        if not key.isascii() and max(key) > "\uffff":
            raise CodecError("codec.key", f"a key outside the basic plane at {path}")
        _walk(item, f"{path}.{key}", depth, data)


def _text(value: str, path: str, data: bool) -> None:
    if len(value) > MAX_STRING:
        raise CodecError("codec.string", f"a string of {len(value)} characters at {path[:200]}")
    if not value.isascii() and _SURROGATE.search(value):
        raise CodecError("codec.surrogate", f"a lone surrogate at {path[:200]}")
    if data:
        return
    found = hidden(value)
    if found:
        raise CodecError("codec.hidden", f"the hidden character U+{ord(found):04X} at {path[:200]}")
    if not value.isascii() and not unicodedata.is_normalized("NFC", value):
        raise CodecError("codec.unnormalised", f"text that is not in NFC at {path[:200]}")


def hidden(value: str) -> str | None:
    """The first character that a person would not see (control, format, private, unassigned), or ``None``."""
    if value.isascii():
        match = _ASCII_CONTROL.search(value)
        return match.group() if match else None
    for char in value:
        if char not in "\n\t" and (
            unicodedata.category(char) in _HIDDEN_CATEGORIES or ord(char) in _HIDDEN_MARKS
        ):
            return char
    return None


def _bound(raw: bytes, limit: int) -> None:
    if len(raw) > limit:
        raise CodecError("codec.size", f"{len(raw)} bytes, allowed are {limit}")


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise CodecError("codec.duplicate_key", f"the key {twice[:64]!r} stands twice in one object")
    return found


def _integer(digits: str) -> int:
    if len(digits) > 17:  # noqa: PLR2004 - 53 bits have at most 16 digits and a sign
        raise CodecError("codec.integer", f"an integer of {len(digits)} characters")
    if digits == "-0":
        raise CodecError("codec.integer", "negative zero")
    return int(digits)


def _no_float(spelled: str) -> NoReturn:
    raise CodecError(
        "codec.float", f"the number {spelled[:32]} is no integer", hint="use integers of minor units"
    )


def _without_values(text: str) -> str:
    """msgspec quotes an offending enum value; a message must not carry values."""
    return re.sub(r"Invalid enum value .*? - at", "Invalid enum value - at", text)[:300]
