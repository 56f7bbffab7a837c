"""Corpora: labelled items become samples, read by the same analysers that read at work, and none of them is kept.

Only items that may be redistributed enter.  The folder is given by ``--corpora`` or INTERLOCK_CORPORA.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from interlock.analyst import classifier, reading
from interlock.analyst.classifier.features import facts, spread
from interlock.artifact.analysis import Analysis, Content, Question
from interlock.evals import deciding, items
from train.generating import own
from train.rows import OWN, Sample

TEXT_HEAD_BUCKETS = 1 << 15
_ROOT, _HOME = "/home/user/project", "/home/user"


class Judged(NamedTuple):
    """A sample, and what the gate says of its item without the classifier."""

    sample: Sample
    word: str


class _Taking:
    """Answers as the analysers do, without the classifier, and takes the questions down."""

    def __init__(self) -> None:
        self.asked: list[tuple[Question, Analysis]] = []

    def ask(self, task: str, question: Question) -> Analysis:
        del task
        self.asked.append((question, reading.read(question)))
        return self.asked[-1][1]


def actions(folder: Path) -> list[Judged]:
    """Every item of the corpora in which there is code to read."""
    taking = _Taking()
    judge = deciding.Judge(taking)
    found: list[Judged] = []
    for line, item in _items(folder):
        if item["kind"] == "text":
            continue
        taking.asked.clear()
        word = judge.judge(items.read(line)).word
        for question, analysis in taking.asked[:1]:
            if text := classifier.code(question):
                found.append(Judged(_sample(item, text, question, analysis), word))
    return found


def own_actions() -> list[Sample]:
    """The project's own actions, read in an ordinary workspace."""
    found: list[Sample] = []
    for at, one in enumerate(own()):
        if one.language != "text":
            content = Content(argument="command", language=one.language, value=one.text)  # type: ignore[arg-type]
            question = Question(action="run", contents=(content,), root=_ROOT, home=_HOME)
            read = facts(question, reading.read(question))
            found.append(Sample(OWN, one.harmful, not one.harmful, spread(one.text), read, f"{OWN}:{at}"))
    return found


def texts(folder: Path) -> list[Sample]:
    """Texts that tools gave back, and whether they give orders; each once."""
    found: dict[str, Sample] = {}
    for _, item in _items(folder):
        told = [item["action"]["args"]["text"]] if item["kind"] == "text" else []
        told += [one["untrusted_text"] for one in item["context"].get("prior_actions", []) if one.get("untrusted_text")]
        for text in told:
            if text not in found:
                found[text] = _text(item["source"], item["label"] == "attack", text)
    return list(found.values())


def own_texts() -> list[Sample]:
    """The project's own texts; an order stands alone, and once more amid an ordinary text."""
    plain = [one.text for one in own() if one.language == "text" and not one.harmful]
    orders = [one.text for one in own() if one.language == "text" and one.harmful]
    amid = [f"{plain[at % len(plain)]} {order} {plain[(at * 7 + 3) % len(plain)]}" for at, order in enumerate(orders)]
    longer = [f"{text} {plain[(at * 5 + 1) % len(plain)]}" for at, text in enumerate(plain)]
    return [
        _text(OWN, attack, text)
        for attack, several in ((True, orders + amid), (False, plain + longer))
        for text in several
    ]


def _text(source: str, attack: bool, text: str) -> Sample:
    found = spread(text)
    folded = found._replace(indices=found.indices % TEXT_HEAD_BUCKETS)
    return Sample(source, attack, not attack, folded, np.zeros(0, np.int64), text[:40])


def _items(folder: Path) -> Iterator[tuple[str, Any]]:
    for line in (folder / "calls.jsonl").read_text("utf-8").splitlines():
        item = json.loads(line)
        if item["redistribute"] is True:
            yield line, item


def _sample(item: Any, text: str, question: Question, analysis: Analysis) -> Sample:
    strict = item["acceptable"] == ["ALLOW"]
    return Sample(
        item["source"], item["label"] == "attack", strict, spread(text), facts(question, analysis), item["id"]
    )
