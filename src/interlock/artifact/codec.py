"""The one strict codec: bytes become frozen values here and nowhere else.

The domain is I-JSON (RFC 7493) without floats: integers of at most 53 bits, strings in NFC without hidden
characters, keys of the basic plane, bounded depth, size and counts.  ``encode`` writes the canonical form of
RFC 8785 over that domain; ``decode`` reads any spelling of a value (what a model writes), and
``decode_canonical`` only the canonical one (what is signed), in which every field is spelled out, so that a
value has one spelling and one digest.  Each refusal has a stable code.

Strings of *data* (what a tool returned) may hold any Unicode text but lone surrogates, as long as the whole
admits: such values travel labelled, and are made visible where a person reads them.

>>> encode({"b": 1, "a": ["x"]})
b'{"a":["x"],"b":1}'
>>> parse(b'{"a": 1, "a": 2}')
Traceback (most recent call last):
interlock.artifact.errors.CodecError: codec.duplicate_key: the key 'a' stands twice in one object
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import unicodedata
from collections.abc import Hashable, Mapping, Sequence
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
_Path: TypeAlias = "tuple[_Path, str | int] | None"

Digest: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Identifier: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@+-]{0,127}\Z")]
Millis: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=MAX_INTEGER)]
Natural: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=MAX_INTEGER)]
Text: TypeAlias = Annotated[str, msgspec.Meta(max_length=4096)]

_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Co", "Cn", "Zl", "Zp"})
_BLANK_MARKS = [0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x2800, 0x3164, 0xFFA0]
_HIDDEN_MARKS = frozenset([*_BLANK_MARKS, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)])
_ASCII_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_DIGITS = bytes(ord("0") if chr(byte).isdigit() else ord(" ") for byte in range(128)).ljust(256)
_LONG_NUMBER = b"0" * len(str(MAX_INTEGER))
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
    found = _plainly(raw, kind, limit)
    return convert(parse(raw, limit=limit, data=data), kind) if found is None else found


def decode_canonical(raw: bytes, kind: type[T], *, limit: int = MAX_BYTES, data: bool = False) -> T:
    """Read one value of ``kind`` whose bytes must be its canonical form; raises ``CodecError``."""
    found = _plainly(raw, kind, limit)
    if found is not None:
        return found
    value = parse(raw, limit=limit, data=data)
    if _encoder.encode(value) != raw:
        raise CodecError("codec.not_canonical", "the bytes are not the canonical form (RFC 8785) of their value")
    return exactly(value, kind)


def exactly(value: Json, kind: type[T]) -> T:
    """As ``convert``, for a value in which every field is spelled out."""
    found = convert(value, kind)
    if _encoder.encode(found) != _encoder.encode(value):
        raise CodecError("codec.not_canonical", f"a {kind.__name__} with a field left out to mean its default")
    return found


def convert(value: Json, kind: type[T]) -> T:
    """Turn a checked JSON value into ``kind``; unknown or missing fields and other types are errors."""
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        raise CodecError("codec.schema", f"not a {kind.__name__}: {_without_values(str(error))}") from None


def builtin(value: object) -> Json:
    """The JSON value that ``encode`` would write."""
    plain: Json = msgspec.json.decode(_encoder.encode(value))
    return plain


def check(value: Json, *, data: bool = False) -> None:
    """Hold a parsed value to the domain; raises ``CodecError`` with the path of the first offence."""
    _walk(value, None, 0, data)


def _walk(value: object, path: _Path, depth: int, data: bool) -> None:
    kind = type(value)
    if kind is str:
        _text(cast("str", value), path, data)
    elif kind is dict or kind is list:
        _container(cast("dict[str, object] | list[object]", value), path, depth + 1, data)
    elif kind is int:
        if not -MAX_INTEGER <= cast("int", value) <= MAX_INTEGER:
            raise CodecError("codec.integer", f"an integer beyond 53 bits at {_spelled(path)}")
    elif value is not None and kind is not bool:
        raise CodecError(
            "codec.float", f"a number that is no integer at {_spelled(path)}", hint="use integers of minor units"
        )


def _container(value: dict[str, object] | list[object], path: _Path, depth: int, data: bool) -> None:
    if depth > MAX_DEPTH:
        raise CodecError("codec.depth", f"nested deeper than {MAX_DEPTH} levels")
    if len(value) > MAX_ITEMS:
        raise CodecError("codec.count", f"more than {MAX_ITEMS} items at {_spelled(path)}")
    if isinstance(value, list):
        for index, item in enumerate(value):
            _walk(item, (path, index), depth, data)
        return
    for key, item in value.items():
        _text(key, path, data=False)
        if not key.isascii() and max(key) > "\uffff":
            raise CodecError("codec.key", f"a key outside the basic plane at {_spelled(path)}")
        _walk(item, (path, key), depth, data)


def _text(value: str, path: _Path, data: bool) -> None:
    if len(value) > MAX_STRING and not data:
        raise CodecError("codec.string", f"a string of {len(value)} characters at {_spelled(path)}")
    if value.isascii() and (data or value.isprintable()):
        return
    if _SURROGATE.search(value):
        raise CodecError("codec.surrogate", f"a lone surrogate at {_spelled(path)}")
    if data:
        return
    found = hidden(value)
    if found:
        raise CodecError("codec.hidden", f"the hidden character U+{ord(found):04X} at {_spelled(path)}")
    if not unicodedata.is_normalized("NFC", value):
        raise CodecError("codec.unnormalised", f"text that is not in NFC at {_spelled(path)}")


def _spelled(path: _Path) -> str:
    """A path such as ``$.steps[0].id``; built only for an error, and cut, because keys are a stranger's words."""
    parts: list[str] = []
    while path is not None:
        path, key = path
        parts.append(f"[{key}]" if isinstance(key, int) else f".{key}")
    return ("$" + "".join(reversed(parts)))[:200]


def hidden(value: str) -> str | None:
    """The first character that a person would not see (control, format, private, unassigned), or ``None``."""
    if value.isascii():
        if value.isprintable():
            return None
        match = _ASCII_CONTROL.search(value)
        return match.group() if match else None
    for char in value:
        if char not in "\n\t" and (unicodedata.category(char) in _HIDDEN_CATEGORIES or ord(char) in _HIDDEN_MARKS):
            return char
    return None


def _plainly(raw: bytes, kind: type[T], limit: int) -> T | None:
    """The value of canonical bytes that are seen at once to lie in the domain; ``None``: look at each part.

    What is encoded to the same bytes again repeats no key, leaves no field out and is spelled in the one way.
    ASCII without escapes has only printable strings (JSON has no bare control characters but U+007F), no number
    has as many digits as the greatest integer, and brackets and commas bound depth and counts from above.
    """
    _bound(raw, limit)
    if (
        not raw.isascii() or b"\\" in raw or b"\x7f" in raw or _LONG_NUMBER in raw.translate(_DIGITS)
        or raw.count(b"{") + raw.count(b"[") > MAX_DEPTH or raw.count(b",") >= MAX_ITEMS or len(raw) > MAX_STRING
    ):  # fmt: skip
        return None
    try:
        found: T = _decoder(cast("Hashable", kind)).decode(raw)
    except (msgspec.MsgspecError, CodecError, RecursionError):
        return None
    return found if _encoder.encode(found) == raw else None


@functools.lru_cache(maxsize=256)
def _decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    return msgspec.json.Decoder(kind, strict=True, float_hook=_no_float)


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
    raise CodecError("codec.float", f"the number {spelled[:32]} is no integer", hint="use integers of minor units")


def _without_values(text: str) -> str:
    """msgspec quotes offending values and a stranger's field names; a message carries neither."""
    text = re.sub(r"^Invalid (enum )?value .*?( - at `\$[^`]*`)?\Z", r"Invalid value\2", text, flags=re.DOTALL)
    return re.sub(r"unknown field `(?!\w{1,64}`).*?`( - at `\$[^`]*`)?\Z", r"unknown field\1", text, flags=re.DOTALL)
