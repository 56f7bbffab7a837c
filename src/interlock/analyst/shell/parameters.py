"""Parameter expansion, arithmetic and escapes on known text, after bash(1), EXPANSION and QUOTING.

>>> operate(Data("archive.tar.gz"), "%%", ".*")
Data(text='archive', tags=frozenset())
"""

from __future__ import annotations

import ast
import fnmatch
import re
from collections.abc import Callable

from interlock.analyst.shell.words import UNKNOWN, UNKNOWN_FIELDS, Data, unknown

MAX_PATTERN_TEXT = 256
_ESCAPE = re.compile(
    r"\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|c(.)|([0-7]{1,3})|0([0-7]{1,3})|(.))", re.DOTALL
)
_SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "v": "\v"}
_KEPT = frozenset("\\'\"?")
_ARITHMETIC = re.compile(r"[\d\s()+*/%<>&|^~-]{1,64}\Z")
_OPERATORS: dict[type[ast.AST], Callable[[int, int], int]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.FloorDiv: lambda left, right: left // right,
    ast.Div: lambda left, right: left // right,
    ast.Mod: lambda left, right: left % right,
    ast.BitAnd: lambda left, right: left & right,
    ast.BitOr: lambda left, right: left | right,
    ast.BitXor: lambda left, right: left ^ right,
}


def unescape(text: str) -> str:
    """What ``$'...'``, ``echo -e`` and ``printf`` make of backslashes."""
    return _ESCAPE.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    byte, short, long, control, octal, zero_octal, char = match.groups()
    if control is not None:
        return chr(ord(control) & 0x1F)
    if char is not None:
        return _SIMPLE.get(char, char if char in _KEPT else "\\" + char)
    code = int(byte or short or long, 16) if byte or short or long else int(zero_octal or octal, 8)
    return chr(code) if 0 < code < 0xD800 or 0xF900 <= code < 0x110000 else UNKNOWN


def operate(value: Data, sign: str, argument: str) -> Data:
    """The value under one of ``# ## % %% ^ ^^ , ,,``; what is not known stays so."""
    if not value.known or UNKNOWN in argument or len(value.text) > MAX_PATTERN_TEXT:
        return unknown(value.tags)
    text = value.text
    match sign:
        case "#" | "##":
            cut = _prefix(text, argument, longest=len(sign) == 2)
            text = text[cut:]
        case "%" | "%%":
            cut = _prefix(text[::-1], argument, longest=len(sign) == 2, backwards=True)
            text = text[: len(text) - cut]
        case "^" | "^^":
            text = text.upper() if len(sign) == 2 else text[:1].upper() + text[1:]
        case "," | ",,":
            text = text.lower() if len(sign) == 2 else text[:1].lower() + text[1:]
        case _:
            return unknown(value.tags)
    return Data(text, value.tags)


def _prefix(text: str, pattern: str, *, longest: bool, backwards: bool = False) -> int:
    matches = re.compile(fnmatch.translate(pattern)).match
    sizes = range(len(text), -1, -1) if longest else range(len(text) + 1)
    for size in sizes:
        part = text[:size]
        if matches(part[::-1] if backwards else part):
            return size
    return 0


def substitute(value: Data, sign: str, pattern: str, replacement: str) -> Data:
    """``${value/pattern/replacement}``; ``sign`` is ``/``, ``//``, ``/#`` or ``/%``."""
    if not value.known or UNKNOWN in pattern or len(value.text) > MAX_PATTERN_TEXT:
        return unknown(value.tags)
    core = fnmatch.translate(pattern).removeprefix("(?s:").removesuffix(r")\Z")
    if sign == "/#":
        core = r"\A" + core
    elif sign == "/%":
        core += r"\Z"
    if not pattern:
        return value
    found = re.compile(core, re.DOTALL)
    return Data(found.sub(lambda _: replacement, value.text, count=0 if sign == "//" else 1), value.tags)


def portion(value: Data, offset: str, length: str | None) -> Data:
    """``${value:offset:length}``, also of a text of which only the beginning is known."""
    start, size = number(offset), number(length) if length is not None else None
    if start is None or (length is not None and size is None):
        return unknown(value.tags)
    cut = min((index for index in map(value.text.find, (UNKNOWN, UNKNOWN_FIELDS)) if index >= 0), default=None)
    text = value.text
    if cut is not None and (start < 0 or size is None or size < 0 or start + size > cut):
        return unknown(value.tags)
    if start < 0:
        start = max(0, len(text) + start) if -start <= len(text) else len(text)
    end = len(text) if size is None else (start + size if size >= 0 else len(text) + size)
    return Data(text[start:end], value.tags)


def number(text: str) -> int | None:
    """An arithmetic expression of digits and signs alone; ``None`` for anything else."""
    text = text.strip()
    if text.isdigit() and len(text) < 16:
        return int(text, 8) if text[0] == "0" and set(text) <= set("01234567") else int(text)
    if not _ARITHMETIC.match(text) or "**" in text or "<<" in text or re.search(r"\b0\d|\d{16}", text):
        return None
    try:
        return _evaluate(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError):
        return None


def _evaluate(node: ast.expr) -> int:
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_evaluate(inner)
        case ast.UnaryOp(op=ast.UAdd(), operand=inner):
            return _evaluate(inner)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATORS:
            return _OPERATORS[type(sign)](_evaluate(left), _evaluate(right))
        case _:
            raise ValueError("no integer arithmetic")
