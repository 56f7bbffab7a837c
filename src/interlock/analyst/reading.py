"""Reading: one question becomes one analysis, each argument read by the analyser of its language.

Every value is also searched for secrets and personal data, whatever its language.  An analyser that fails on hostile
text makes its argument opaque (``analyst.failed``); an answer never holds less than what was found.

>>> from interlock.artifact.analysis import Content
>>> asked = Content(argument="command", language="shell", value="cat notes.txt")
>>> [one.key for one in answer(Question(action="shell.run", contents=(asked,), root="/proj")).touched]
['file:/proj/notes.txt']
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

from interlock.analyst import (
    classifier,
    data,
    json_,
    mail,
    orders,
    paths,
    python,
    scripts,
    shell,
    sql,
    text,
    urls,
    windows,
)
from interlock.analyst.claims import MAX_NOTED, NO_ANALYSER, TOO_MANY, Analyser, Claims, Place
from interlock.analyst.classifier.operated import Operated
from interlock.artifact import codec
from interlock.artifact.analysis import MAX_TOUCHED, Analysis, Content, Opacity, Question, Signal
from interlock.artifact.codec import Json

FAILED: Final = "analyst.failed"
FOLLOWED: Final = "order.followed"
ANALYSERS: Final[Mapping[str, Analyser]] = {
    "shell": shell.analyse,
    "sql": sql.analyse,
    "python": python.analyse,
    "powershell": windows.analyse,
    "cmd": windows.analyse,
    "url": urls.analyse,
    "path": paths.analyse,
    "email": mail.analyse,
    "text": text.analyse,
    "json": json_.analyse,
    **{language: scripts.reader(language) for language in scripts.LANGUAGES},
}
T = TypeVar("T")


def answer(question: Question, operated: Operated | None = None) -> Analysis:
    """What the action would do, as far as its arguments say, and how much it looks like an attack."""
    found = read(question)
    return classifier.judged(question, found, operated) if question.scored else found


def read(question: Question) -> Analysis:
    """What the analysers say alone."""
    found = [_claims(content, question) for content in question.contents]
    return _joined([claims.analysis() for claims in found] + _obedient(question))


def _obedient(question: Question) -> list[Analysis]:
    """That the action follows an order out of a text that its planner has received."""
    named = orders.followed(question.action, question.values, question.goal, question.prior)
    return [] if named is None else [Analysis(touched=(), signals=(Signal(code=FOLLOWED, argument=named),))]


def _claims(content: Content, question: Question) -> Claims:
    place = Place(
        argument=content.argument, root=question.root, home=question.home, dialect=content.dialect,
        scripts=question.scripts, analysers=ANALYSERS,
    )  # fmt: skip
    try:
        claims = _read(content, place)
        data.examine(_spelled(content.value), claims)
    except Exception:  # noqa: BLE001 - whatever hostile text does to a parser, the answer is that nobody knows
        claims = Claims(place)
        claims.opaque(FAILED)
    return claims


def _read(content: Content, place: Place) -> Claims:
    value = content.value
    match content.language:
        case "argv" if isinstance(value, list | tuple):
            words = [_spelled(word) for word in value]
            claims = shell.analyse_argv(words, place)
            for first in words[:1]:
                claims.program(first)  # Also where a shell would do it itself: here no shell is.
            return claims
        case "json":
            return json_.walk({content.argument: value}, place)
        case language if language in ANALYSERS and isinstance(value, str | list | tuple):
            claims = Claims(place)
            for item in [value] if isinstance(value, str) else value:
                claims.merge(ANALYSERS[language](_spelled(item), place))
            return claims
        case _:
            claims = Claims(place)
            claims.opaque(NO_ANALYSER)
            return claims


def _spelled(value: Json) -> str:
    return value if isinstance(value, str) else codec.encode(value).decode()


def _joined(found: list[Analysis]) -> Analysis:
    """All claims in one; what does not fit is said to be missing."""
    touched = _distinct(item for one in found for item in one.touched)
    opaque = _distinct(item for one in found for item in one.opaque)
    signals = _distinct(item for one in found for item in one.signals)
    findings = _distinct(item for one in found for item in one.findings)
    programs = _distinct(item for one in found for item in one.programs)
    noted = (opaque, signals, findings, programs)
    if len(touched) > MAX_TOUCHED or any(len(items) > MAX_NOTED for items in noted):
        opaque = (Opacity(code=TOO_MANY, argument=opaque[0].argument if opaque else "arguments"), *opaque)
    return Analysis(
        touched=touched[:MAX_TOUCHED],
        opaque=opaque[:MAX_NOTED],
        signals=signals[:MAX_NOTED],
        findings=findings[:MAX_NOTED],
        programs=programs[:MAX_NOTED],
    )


def _distinct(items: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(items))
