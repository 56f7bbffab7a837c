"""Scripts of languages without a parser here: Perl, Ruby, PHP, Lua, JavaScript and their like, mostly one-liners.

Code in which every name is one that only computes and prints (``scripts.json``) claims no effect; all other code is
opaque, as if nobody had looked.  What can be seen in it still makes signals: a shell that is started, a connection
that commands come from, a file of credentials that is read; and a command that stands there is read as one.

>>> sorted(reader("ruby")('exec "/bin/sh"', Place(argument="code", root="/proj")).signals)
['shell.escape']
"""

from __future__ import annotations

import functools
import importlib.resources
import re
from typing import Final

import msgspec

from interlock.analyst import paths
from interlock.analyst.claims import NO_ANALYSER, Analyser, Claims, Place
from interlock.artifact.codec import Value

LANGUAGES: Final = ("perl", "ruby", "php", "lua", "javascript", "other")
MAX_CHARACTERS: Final = 16_384
MAX_COMMANDS: Final = 16
_QUOTED = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'", re.DOTALL)
_INTERPOLATED = re.compile(r"[@$#]\{|\{\$|\$\(")
_REPLACING = re.compile(
    r"(?<![\w$@%.])(?:s|tr|y)([/|,#!])(?:\\.|(?!\1).)*\1(?:\\.|(?!\1).)*\1([a-z]*)|"
    r"(?:(?<=[(~,;{!&|])|(?:^|(?<=\s)))\s*(?:m|qr)?/((?:\\.|[^/\\\n])+)/([a-z]*)",
    re.DOTALL,
)
_NAME = re.compile(r"(?<![\w$@%])[A-Za-z_]\w*")
_BACKTICK = re.compile(r"`([^`]*)`|%x\W|\bqx\W")
_SHELL = re.compile(r"(?:/(?:usr/)?bin/)?(?:ba|z|da|k|a|c|tc)?sh(?:\s+-[ilp]+)*(?:\s+[<>&%\d].*)?\Z", re.DOTALL)
_HIDDEN = re.compile(r"\(\?\??\{|[\"'\])}]\s*\(|\$\w+\s*\(|/\*|--\[|\[\[|\n[^\n]*(?:#|//|--)")


class Words(Value, frozen=True, kw_only=True):
    """What the names of a language do."""

    runs: str
    connects: str
    reads: str
    changes: str
    pure: str


class _Table(Value, frozen=True, kw_only=True):
    source: str
    languages: dict[str, Words]


class _Known(Value, frozen=True, kw_only=True):
    runs: frozenset[str]
    connects: frozenset[str]
    reads: frozenset[str]
    matters: frozenset[str]
    pure: frozenset[str]


@functools.cache
def _known(language: str) -> _Known:
    raw = (importlib.resources.files("interlock.analyst") / "scripts.json").read_bytes()
    words = msgspec.json.decode(raw, type=_Table).languages[language]
    return _Known(
        runs=frozenset(words.runs.split()),
        connects=frozenset(words.connects.split()),
        reads=frozenset(words.reads.split()),
        matters=frozenset(f"{words.runs} {words.connects} {words.reads} {words.changes}".split()),
        pure=frozenset(words.pure.split()),
    )


def reader(language: str) -> Analyser:
    """The analyser of one language."""
    return functools.partial(_analyse, language)


def _analyse(language: str, text: str, place: Place) -> Claims:
    claims, known = Claims(place), _known(language)
    if len(text) > MAX_CHARACTERS or not _computes(text, known):
        claims.opaque(NO_ANALYSER)
        _look(text[:MAX_CHARACTERS], known, claims)
    return claims


def _computes(text: str, known: _Known) -> bool:
    """Whether nothing but names that compute and print is left, once texts and patterns are off.

    No name that does more may stand anywhere, also not in a text: where texts begin and end is not certain.
    """
    if _HIDDEN.search(text) or _BACKTICK.search(text) or known.matters & set(re.findall(r"\w+", text)):
        return False
    if any("e" in (found[2] or "") for found in _REPLACING.finditer(text)):
        return False
    bare = _QUOTED.sub(lambda found: found[0] if _INTERPOLATED.search(found[0]) else '""', text)
    bare = _REPLACING.sub(" ", bare)
    return set(_NAME.findall(bare)) <= known.pure


def bare_shell(text: str) -> bool:
    """Whether a command is a shell that gets its commands from whoever started it."""
    return _SHELL.match(text.strip()) is not None


def _look(text: str, known: _Known, claims: Claims) -> None:
    names = set(_NAME.findall(_QUOTED.sub(" ", text))) | {part for found in _QUOTED.findall(text) for part in found}
    literals = [first or second for first, second in _QUOTED.findall(text)]
    commands = [found for found in _BACKTICK.findall(text) if found]
    runs = bool(names & known.runs) or bool(commands) or _BACKTICK.search(text) is not None
    connects = bool(names & known.connects)
    shells = [one for one in literals if bare_shell(one)]
    if runs and connects:
        claims.signal("shell.reverse")
    elif runs and shells:
        claims.signal("shell.escape")
    for one in literals if names & known.reads else []:
        if "/" in one or one.startswith("."):
            paths.note(one, claims, reads=True)
    for one in [*commands, *(literals if runs else [])][:MAX_COMMANDS]:
        if one not in shells and (" " in one or one in commands):
            claims.inline("shell", one)
