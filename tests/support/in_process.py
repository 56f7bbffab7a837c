"""The analyst without its jail, so that tables of items are read in seconds."""

from __future__ import annotations

from interlock.analyst import main, reading
from interlock.artifact.analysis import Analysis, Question


class InProcess:
    """Answers in this process."""

    def __init__(self) -> None:
        main.rehearse()

    def ask(self, task: str, question: Question) -> Analysis:
        """What the action would do."""
        del task
        return reading.answer(question)
