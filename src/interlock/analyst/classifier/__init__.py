"""The trained classifiers: how much an action looks like an attack, and whether a text gives orders.

``judged`` adds to an analysis a calibrated probability in thousandths, which can only raise (gate, step 7), and says of
text that it speaks to the agent, which decides nothing.  Both models are linear, need numpy alone and reckon in
integers, so that every machine says the same.  Weights are package data, pinned by digest; without them the answer
is opaque (``classifier.missing``), and a person is asked.

>>> from interlock.artifact.analysis import Analysis, Content, Question
>>> asked = Content(argument="command", language="shell", value="ls")
>>> judged(Question(action="run", contents=(asked,), root="/proj"), Analysis(touched=())).score is not None
True
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import Literal

import msgspec
import numpy as np

from interlock.analyst.classifier import container, features, linear
from interlock.analyst.classifier.operated import Operated
from interlock.analyst.classifier.pinned import DIGESTS
from interlock.artifact import codec
from interlock.artifact.analysis import MISSING, ORDERS, SCORED, Analysis, Finding, Opacity, Question
from interlock.artifact.thresholds import RAISED_FROM

_TEXTS = frozenset({"text", "email"})


def judged(question: Question, analysis: Analysis, operated: Operated | None = None) -> Analysis:
    """The analysis with the score of its code and a finding for each text that gives orders.

    An operator's model that would ask lifts the score to where the gate asks, and no further.
    """
    analysis = _ordered(question, analysis)
    named = [one.argument for one in question.contents if one.language in SCORED]
    if not named:
        return analysis
    text = code(question)
    try:
        score = linear.thousandths(loaded("action"), features.spread(text), features.facts(question, analysis))
        if operated is not None and operated.raises(text):
            score = max(score, RAISED_FROM)
    except container.ModelError:
        missing = Opacity(code=MISSING, argument=named[0])
        return msgspec.structs.replace(analysis, opaque=(missing, *analysis.opaque[:127]))
    return msgspec.structs.replace(analysis, score=score)


def code(question: Question) -> str:
    """All that is code in the question, or nothing."""
    return "\n".join(_spelled(one.value) for one in question.contents if one.language in SCORED)


def orders(text: str) -> bool:
    """Whether the text gives orders; raises ``ModelError``."""
    model = loaded("text")
    found = linear.thousandths(model, features.spread(text), np.zeros(0, np.int64))
    return found >= model.header.raises


@functools.cache
def loaded(kind: Literal["action", "text"]) -> container.Model:
    """The model that the package carries; raises ``ModelError``."""
    try:
        raw = (resources.files(__name__) / f"{kind}.model").read_bytes()
    except OSError as error:
        raise container.ModelError("no file") from error
    return container.read(raw, DIGESTS[kind])


def _ordered(question: Question, analysis: Analysis) -> Analysis:
    try:
        named = [one.argument for one in question.contents if one.language in _TEXTS and orders(_spelled(one.value))]
    except container.ModelError:
        return analysis  # What decides nothing may be missing.
    found = [Finding(kind="instruction", code=ORDERS, argument=argument) for argument in named]
    return msgspec.structs.replace(analysis, findings=(*analysis.findings, *found)[:128]) if found else analysis


def _spelled(value: codec.Json) -> str:
    if isinstance(value, list):
        return " ".join(_spelled(item) for item in value)
    return value if isinstance(value, str) else codec.encode(value).decode()
