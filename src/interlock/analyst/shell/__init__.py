"""The analysis of a command line or script: which files, end points, programs and privileges it would touch.

``analyse`` reads text as bash does, ``analyse_argv`` a list as ``execve`` does.  Neither raises on any input; what
cannot be followed is named by a code of the family ``shell`` and is never guessed.  Work is bounded by counts: of
bytes, of nodes and words, of depth and of nested texts.

>>> from interlock.analyst.claims import Place
>>> claims = analyse("cat notes.txt > copy.txt", Place(argument="command", root="/proj"))
>>> [f"{one.access} {one.name}" for one in claims.touched], list(claims.opaque_codes)
(['read /proj/notes.txt', 'write /proj/copy.txt'], [])
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from interlock.analyst.claims import Claims, Place
from interlock.analyst.shell.grammar import is_spelled
from interlock.analyst.shell.invoke import invoke
from interlock.analyst.shell.state import State
from interlock.analyst.shell.walk import Budget, Exhausted, Walker
from interlock.analyst.shell.words import UNKNOWN, Data, Word, has_marks
from interlock.artifact.analysis import MAX_CONTENT

# A pipeline's expression, which is replaced before a shell reads the line; bash itself refuses the whole command.
_TEMPLATE = re.compile(r"\$\{\{[A-Za-z0-9_. -]*\}\}")
__all__ = ["analyse", "analyse_argv"]


def analyse(text: str, place: Place) -> Claims:
    """Claims of a command line or of a whole script."""
    if len(text.encode("utf-8", "replace")) > MAX_CONTENT:
        return _opaque(place, "shell.too_large")
    if _is_refused(text):
        return _opaque(place, "shell.syntax")
    if "${{" in text:
        text = _TEMPLATE.sub(UNKNOWN, text)
    return _bounded(place, lambda walker: walker.script(text, Data()))


def analyse_argv(argv: Sequence[str], place: Place) -> Claims:
    """Claims of a program with its arguments, which no shell reads."""
    if sum(len(one) + 1 for one in argv) > MAX_CONTENT:
        return _opaque(place, "shell.too_large")
    if not argv or any(_is_refused(one) for one in argv):
        return _opaque(place, "shell.syntax")
    return _bounded(place, lambda walker: walker.runner(walker, [Word(one) for one in argv], Data(), {}))


def _bounded(place: Place, work: Callable[[Walker], Data]) -> Claims:
    claims = Claims(place)
    walker = Walker(claims, State(folders=(place.root,), home=place.home), Budget(place.nesting), invoke)
    try:
        work(walker)
    except Exhausted:
        claims.opaque("shell.too_large")
    except RecursionError:
        claims.opaque("shell.too_deep")
    return claims


def _is_refused(text: str) -> bool:
    """Text that no shell is given, or that holds what this package marks text with."""
    surrogate = not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)
    return surrogate or "\0" in text or has_marks(text) or is_spelled(text)


def _opaque(place: Place, code: str) -> Claims:
    claims = Claims(place)
    claims.opaque(code)
    return claims
