"""Hearing: what the analyst and the judge say of one batch, looked up inside the transaction and asked outside of it.

Nobody outside of the harness may hold the store.  So inside a transaction nothing is asked: what is not known yet is
noted, ``complete`` ends the attempt before anything was written, and ``heard`` asks outside and begins again.  What is
still missing after ``MAX_ROUNDS`` (rows that change meanwhile ask for ever new things) is opaque (``analyst.late``) or
a fault (``judge.late``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from interlock.artifact import codec
from interlock.artifact.analysis import Analysis, Question
from interlock.artifact.opinion import Inquiry, Opinion
from interlock.artifact.task import Task
from interlock.artifact.verdict import Verdict
from interlock.decide import gate
from interlock.decide.evidence import Evidence
from interlock.decide.modify import MAX_ROUNDS as MODIFICATIONS
from interlock.decide.policy import PolicyRequest
from interlock.harness.analysing import Reader, opaque
from interlock.harness.store import Store

MAX_ROUNDS: Final = 2 * (MODIFICATIONS + 1) + 1  # The analyst and the judge on each plan that rules make.
T = TypeVar("T")


class Judges(Protocol):
    """Whoever has opinions about plans."""

    def opinion(self, task: Task, inquiry: Inquiry) -> Opinion | None: ...


@dataclass(frozen=True, slots=True)
class Outside:
    """Whom the gate's evidence is asked of: the analyst and the judge, or nobody."""

    reader: Reader | None = None
    judge: Judges | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """A proposal as far as it was judged without policy; what was no plan is judged already."""

    task: str
    proposal: str
    verdict: Verdict
    asked: gate.Asked | None
    known: Evidence

    @property
    def requests(self) -> tuple[PolicyRequest, ...]:
        return self.asked.requests if self.asked else ()


class UnheardError(Exception):
    """Something is to be asked before the attempt can be finished."""


class _Hearing:
    """The answers of one batch, and what is not answered yet."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._rounds = 0
        self._claims: dict[tuple[str, str], Analysis] = {}
        self._opinions: dict[str, Opinion | None] = {}
        self._missing: list[Callable[[], None]] = []

    @property
    def inside(self) -> Outside:
        """The same two, who answer from what was heard."""
        asked = self._outside
        return Outside(self if asked.reader is not None else None, self if asked.judge is not None else None)

    def ask(self, task: str, question: Question) -> Analysis:
        key = task, codec.digest(question)
        if key not in self._claims:
            self._missing.append(lambda: self._read(key, question))
        return self._claims.get(key) or opaque(question, "analyst.late")

    def opinion(self, task: Task, inquiry: Inquiry) -> Opinion | None:
        about = codec.digest(inquiry)
        if about not in self._opinions:
            self._missing.append(lambda: self._judge(about, task, inquiry))
        return self._opinions.get(about)

    def complete(self) -> None:
        """Nothing is missing, or it is too late to ask; raises ``UnheardError``."""
        if self._missing and self._rounds < MAX_ROUNDS:
            raise UnheardError

    def fetch(self) -> None:
        """Ask for what is missing."""
        self._rounds += 1
        missing, self._missing = self._missing, []
        for asked in missing:
            asked()

    def _read(self, key: tuple[str, str], question: Question) -> None:
        if key not in self._claims and self._outside.reader is not None:
            self._claims[key] = self._outside.reader.ask(key[0], question)

    def _judge(self, about: str, task: Task, inquiry: Inquiry) -> None:
        if about not in self._opinions and self._outside.judge is not None:
            self._opinions[about] = self._outside.judge.opinion(task, inquiry)


Complete = Callable[[], None]


def heard(store: Store, outside: Outside, work: Callable[[Outside, Complete], T]) -> T:
    """Do ``work`` in one transaction in which nobody outside is asked.

    It is handed whom to ask and what to call before it writes anything; it may be begun several times.
    """
    hearing = _Hearing(outside)
    while True:
        try:
            with store.transaction():
                return work(hearing.inside, hearing.complete)
        except UnheardError:
            hearing.fetch()
