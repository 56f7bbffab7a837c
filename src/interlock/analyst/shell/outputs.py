"""What pure commands write, where all they read is known: text that is built, decoded or translated.

A command that would decode makes the tag ``decoded`` whether or not the text is known, because code that was decoded
before it runs was hidden from whoever read the line.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from collections.abc import Sequence

from interlock.analyst.shell.parameters import unescape
from interlock.analyst.shell.words import NONE, UNKNOWN, Data, Word, unknown, unmarked

DECODED = frozenset(("decoded",))
_FORMAT = re.compile(r"%(?:%|[-+ #0]*\d*(?:\.\d+)?[bcdiouxXeEfgGsq])")
_RANGE = re.compile(r"(.)-(.)", re.DOTALL)
_CLASSES = {
    "[:lower:]": "abcdefghijklmnopqrstuvwxyz",
    "[:upper:]": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "[:digit:]": "0123456789",
}


def echo(words: Sequence[Word]) -> Data:
    """``echo`` of bash."""
    texts = [word.text for word in words]
    interpret = newline = False
    while texts and re.fullmatch(r"-[neE]+", texts[0]):
        option = texts.pop(0)
        newline = newline or "n" in option
        interpret = "e" in option or interpret
    text = " ".join(texts)
    tags = NONE.union(*(word.tags for word in words))
    if interpret or ("\\" in text and re.search(r"\\x[0-9a-fA-F]{2}|\\0[0-7]{2}", text)):
        text = unescape(text)
    return Data(text if newline else text + "\n", tags)


def printf(words: Sequence[Word]) -> Data:
    """``printf`` with ``%s``, ``%b``, ``%c`` and numbers; the format is used again while arguments remain."""
    tags = NONE.union(*(word.tags for word in words))
    if not words:
        return Data()
    template, values = words[0].text, [word.text for word in words[1:]]
    done = list[str]()
    for _ in range(64):
        before = len(values)
        done.append(unescape(_FORMAT.sub(lambda match: _filled(match.group(), values), template)))
        if not values or len(values) == before:
            break
    return Data("".join(done), tags)


def _filled(spec: str, values: list[str]) -> str:
    """One conversion, which uses up a value."""
    if spec == "%%":
        return "%"
    value = values.pop(0) if values else ""
    if spec[-1] == "b":
        return unescape(value)
    return _number(spec, value) if spec[-1] in "diouxXc" else value


def _number(spec: str, value: str) -> str:
    if spec[-1] == "c":
        return value[:1]
    try:
        return spec % int(value or "0", 0)
    except (ValueError, TypeError, OverflowError):
        return UNKNOWN


def decoded(data: Data, raw: bytes | None) -> Data:
    """Bytes that a decoder wrote."""
    if raw is None:
        return unknown(data.tags | DECODED)
    return Data(unmarked(raw.decode("utf-8", "replace").replace("\0", "")), data.tags | DECODED)


def unbase(data: Data, size: int = 64) -> Data:
    """``base64 -d`` and ``base32 -d``."""
    if not data.known:
        return decoded(data, None)
    text = re.sub(r"\s+", "", data.text)
    try:
        if size == 64:
            return decoded(data, base64.b64decode(text + "=" * (-len(text) % 4)))
        return decoded(data, base64.b32decode(text + "=" * (-len(text) % 8)))
    except (ValueError, binascii.Error):
        return decoded(data, None)


def unhex(data: Data) -> Data:
    """``xxd -r -p``."""
    text = re.sub(r"\s+|\\x|0x", "", data.text) if data.known else "?"
    return decoded(data, bytes.fromhex(text) if re.fullmatch(r"(?:[0-9a-fA-F]{2})*", text) else None)


def translate(data: Data, words: Sequence[Word]) -> Data:
    """``tr SET1 SET2`` and ``tr -d SET``."""
    texts = [word.text for word in words]
    deletes = "-d" in texts
    sets = [text for text in texts if not (text.startswith("-") and len(text) > 1)]
    if not data.known or not sets or any(UNKNOWN in text for text in sets):
        return unknown(data.tags | DECODED)
    first = _set(sets[0])
    if deletes:
        return Data("".join(char for char in data.text if char not in first), data.tags | DECODED)
    second = _set(sets[1]) if len(sets) > 1 else ""
    if not second or len(texts) != len(sets):
        return unknown(data.tags | DECODED)
    table = str.maketrans({char: second[min(index, len(second) - 1)] for index, char in enumerate(first)})
    return Data(data.text.translate(table), data.tags | DECODED)


def _set(text: str) -> str:
    for name, letters in _CLASSES.items():
        text = text.replace(name, letters)
    text = unescape(text)
    return _RANGE.sub(
        lambda found: "".join(map(chr, range(ord(found.group(1)), min(ord(found.group(2)), 0x17F) + 1))), text
    )


def reverse(data: Data) -> Data:
    """``rev``."""
    if not data.known:
        return unknown(data.tags | DECODED)
    return Data("\n".join(line[::-1] for line in data.text.split("\n")), data.tags | DECODED)


def rot13(data: Data) -> Data:
    """What ``tr`` with the halves swapped makes."""
    return Data(codecs.encode(data.text, "rot13"), data.tags | DECODED)


def filtered(data: Data) -> Data:
    """Some of the lines that were read: if all are of one shape, still that shape."""
    lines = data.text.strip("\n")
    return Data(lines, data.tags) if UNKNOWN in lines and "\n" not in lines else unknown(data.tags)
