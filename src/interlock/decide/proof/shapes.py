"""What each field of a request admits, as far as a search must know it; ``admits`` has the last word."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from interlock.artifact.analysis import Code
from interlock.artifact.codec import hidden
from interlock.decide.policy.request import canonical, one_destination
from interlock.decide.proof.languages import Shape

_PORT_DIGITS = 5
UNNAMED = "zq-any-other"
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+-]{0,127}")
_PATH = {("", "/"): "root", ("root", "."): ".", ("/", "."): ".", (".", "."): "..", ("name", "/"): "/"}


def _word(state: str, char: str) -> str | None:
    return "x" if _IDENTIFIER.fullmatch(char if not state else f"x{char}") else None


def _free(_: str, char: str) -> str | None:
    return None if hidden(char) else "x"


def _path(state: str, char: str) -> str | None:
    if (state, char) in _PATH:
        return _PATH[state, char]
    return None if char in "/\\" or not state or hidden(char) else "name"


def _endpoint(state: str, char: str) -> str | None:
    if state.startswith(":"):
        first = state == ":"
        return state + "0" if len(state) <= _PORT_DIGITS and char in ("123456789" if first else "0123456789") else None
    if re.fullmatch("[a-z0-9]", char):
        return "in"
    ended = {".": "dot", ":": ":"} if state == "in" else {}
    return "dash" if char == "-" and state in {"in", "dash"} else ended.get(char)


def _signal(state: str, char: str) -> str | None:
    if char == ".":
        return f"{state}/" if state in {"a", "a/a"} else None
    if state.endswith("a"):
        return state if re.fullmatch("[a-z0-9_]", char) else None
    return f"{state}a" if re.fullmatch("[a-z]", char) else None


def _code(text: str) -> bool:
    try:
        msgspec.convert(text, Code)
    except msgspec.ValidationError:
        return False
    return True


def _name(state: str, char: str) -> str | None:
    if char in "\n\t" or hidden(char) or (not state and char.isspace()):
        return None
    return "blank" if char.isspace() else "x"


def _of(kind: str) -> Callable[[str], bool]:
    return lambda text: canonical(kind, text)


WORD = Shape(("zq", "qz"), "z0", _word, bool, lambda text: bool(_IDENTIFIER.fullmatch(text)))
FREE = Shape(("", "zq"), "z", _free, lambda _: True, lambda text: not hidden(text))
NAME = Shape(("zq", "qz"), "z", _name, lambda state: state == "x", _of("other"))
OF_LIST = {
    "destinations": Shape(("zq@zq.zq",), "z", _free, bool, one_destination),
    "signals": Shape(("zq.zq",), "z.", _signal, lambda state: state.endswith("/a"), _code),
}
OF_KIND = {
    "file": Shape(("/zq", "/zq/zq"), "/z", _path, lambda state: state in {"root", "name"}, _of("file")),
    "endpoint": Shape(("zq.zq:443",), "z.:4", _endpoint, lambda state: state.startswith(":0"), _of("endpoint")),
}
