"""The executor core's walk through one plan, without I/O: an outcome goes in, a command comes out.

The order is the plan's, step after step, iteration after iteration; finished steps of an earlier revision are
facts and are passed over.  Nothing is chosen here: an outcome can only lead to the next place in the order or
to the end.  Whatever is unexpected ends the walk, and an ended walk stays ended.

>>> from interlock.artifact.plan import Plan, Step
>>> step = Step(id="s1", action="a@1", manifest="0" * 64)
>>> plan = Plan(id="p", revision=0, parent=None, task="0" * 64, workspace="w", sequence=1, goal="g",
...             steps=(step,), expires_at=1)
>>> machine = Machine(plan)
>>> machine.begin()
Ask(step='s1', iteration=0)
>>> machine.on(Outcome(status="done", iterations=1))
End(complete=True, code='')
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from interlock.artifact.plan import Plan, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Ask the harness to run this iteration of this step."""

    step: str
    iteration: int


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Hand control back: the plan is done, or ``code`` says why not."""

    complete: bool
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the harness said became of the last ``Ask``; ``iterations`` is how many this step has."""

    status: Literal["done", "skipped", "stop"]
    iterations: int


Command: TypeAlias = Ask | End


class Machine:
    """The walk; ``begin`` once, then ``on`` for each outcome."""

    def __init__(self, plan: Plan) -> None:
        self._steps = tuple(step for step in plan.steps if step.id not in plan.finished)
        self._begun = {step.id: plan.begun(step.id) for step in self._steps}
        self._at = 0
        self._iteration = self._first()
        self._iterations = 0
        self._last: Command | None = None

    def begin(self) -> Command:
        """The first command; a second beginning ends the walk."""
        if self._last is not None:
            return self._end("executor.begun")
        return self._ask()

    def on(self, outcome: Outcome) -> Command:
        """The command that follows."""
        if not isinstance(self._last, Ask):
            return self._end("executor.unasked")
        if outcome.status == "stop":
            return self._end("executor.stopped")
        step = self._steps[self._at]
        if not self._plausible(step, outcome):
            return self._end("executor.iterations")
        self._iterations = outcome.iterations
        if self._iteration + 1 < outcome.iterations:
            self._iteration += 1
        else:
            self._at += 1
            self._iteration = self._first()
        return self._ask()

    def _first(self) -> int:
        """The first iteration of the present step that its plan's parents have not finished."""
        return self._begun[self._steps[self._at].id] if self._at < len(self._steps) else 0

    def _plausible(self, step: Step, outcome: Outcome) -> bool:
        """The count is within the plan's bound and stays what it was; none only where the step is skipped."""
        most = step.for_each.at_most if step.for_each else 1
        first = self._iteration == self._begun[step.id]
        least = 0 if outcome.status == "skipped" and first else self._iteration + 1
        return least <= outcome.iterations <= most and (first or outcome.iterations == self._iterations)

    def _ask(self) -> Command:
        if isinstance(self._last, End):
            return self._last
        if self._at == len(self._steps):
            return self._end("")
        self._last = Ask(step=self._steps[self._at].id, iteration=self._iteration)
        return self._last

    def _end(self, code: str) -> Command:
        if not isinstance(self._last, End):
            self._last = End(complete=not code, code=code)
        return self._last
