"""Unfolding: the one order in which a plan's (step, iteration) pairs may start, as an immutable state machine.

Steps come in the plan's order, one at a time; a parent's finished steps, and iterations, count as done.  Before a
step starts, its *shape* is found from values (``when``, ``for_each``) by ``evaluate_shape`` and told to the machine;
then each iteration is admitted and completed.  Nothing else moves it: what is admitted is a prefix of the unique
unfolding (I3), each pair at most once (I4), and every other request raises ``StateError`` (``unfolding.not_next``).
The machine does no I/O; the same plan and the same calls give the same state, so a ledger's entries replay it.

>>> def advance(run: Unfolding, shape: Shape) -> Unfolding:
...     match run.expected():
...         case Shaping(step=step):
...             return run.shaped(step, shape)
...         case Next(step=step, iteration=iteration):
...             return run.admit(step, iteration).complete(step, iteration, Outcome.OBSERVED)
...         case InFlight() | Complete() | Stopped():
...             return run
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from interlock.artifact.errors import ReferenceEvaluationError, StateError
from interlock.artifact.label import CLEAN, Label, join_all
from interlock.artifact.plan import Plan, Step
from interlock.artifact.receipt import Outcome
from interlock.decide.references import (
    Environment,
    Labelled,
    LiteralLabel,
    Truth,
    dependencies,
    evaluate,
    static_label,
    truth,
)


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """How often a step runs, over which items, and the label of that fact; ``items`` only with ``for_each``."""

    skip: bool
    iterations: int
    items: tuple[Labelled, ...] = ()
    label: Label


class Shaping(msgspec.Struct, frozen=True, kw_only=True):
    """The step's shape is to be found next."""

    step: str


class Next(msgspec.Struct, frozen=True, kw_only=True):
    """Exactly this may start."""

    step: str
    iteration: int


class InFlight(msgspec.Struct, frozen=True, kw_only=True):
    """This has been admitted and is not complete; nothing may start."""

    step: str
    iteration: int


class Complete(msgspec.Struct, frozen=True, kw_only=True):
    """The whole unfolding has run."""


class Stopped(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing starts any more; ``code`` says why."""

    code: str


Expected: TypeAlias = Shaping | Next | InFlight | Complete | Stopped


def requires(step: Step) -> frozenset[str]:
    """The steps that it needs: those that it says, and those whose outputs it takes."""
    expressions = [step.when, step.expect, *step.arguments.values()]
    expressions += [step.for_each.items] if step.for_each else []
    return frozenset(step.needs).union(*map(dependencies, expressions))


def evaluate_shape(step: Step, env: Environment, *, skipped: Mapping[str, Label]) -> Shape:
    """The shape of a step; one that requires a skipped step is skipped (its label: why the other was).

    Raises ``ReferenceEvaluationError``: a condition or list that does not evaluate, or more items than approved
    (``reference.bounds``); the plan then stops.
    """
    absent = sorted(requires(step) & skipped.keys())
    if absent:
        return Shape(skip=True, iterations=0, label=join_all(skipped[one] for one in absent))
    guard = Truth(holds=True, label=CLEAN) if step.when is None else truth(step.when, env)
    if not guard.holds or step.for_each is None:
        return Shape(skip=not guard.holds, iterations=int(guard.holds), label=guard.label)
    found = evaluate(step.for_each.items, env)
    if not isinstance(found.value, list):
        raise ReferenceEvaluationError("reference.type", f"for_each of {step.id} over what is no list")
    if len(found.value) > step.for_each.at_most:
        raise ReferenceEvaluationError("reference.bounds", f"more items for {step.id} than were approved")
    items = tuple(Labelled(value=item, label=found.label) for item in found.value)
    return Shape(skip=False, iterations=len(items), items=items, label=join_all([guard.label, found.label]))


def static_shape(step: Step, labels: Mapping[str, Label], shapes: Mapping[str, Label], literal: LiteralLabel) -> Label:
    """At least the label of the step's shape; ``shapes`` are the static ones of the steps before it."""
    guards = ([] if step.when is None else [step.when]) + ([step.for_each.items] if step.for_each else [])
    inherited = [shapes[one] for one in requires(step) if one in shapes] if shapes else []
    return join_all([*inherited, *(static_label(guard, labels, None, literal) for guard in guards)])


class Unfolding(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run stands.  ``Unfolding(plan=plan)`` is its beginning; ``skipped`` maps skipped steps to why."""

    plan: Plan
    position: int = 0
    shape: Shape | None = None
    iteration: int = 0
    running: bool = False
    skipped: Mapping[str, Label] = {}
    stopped: str = ""

    def expected(self) -> Expected:
        """The one thing that may happen next."""
        step = self._current()
        if self.stopped:
            return Stopped(code=self.stopped)
        if step is None:
            return Complete()
        if self.shape is None:
            return Shaping(step=step.id)
        kind = InFlight if self.running else Next
        return kind(step=step.id, iteration=self.iteration)

    def shaped(self, step: str, shape: Shape) -> Unfolding:
        """Take the shape of the current step; raises ``StateError``."""
        current = self._current()
        if current is None or self.expected() != Shaping(step=step):
            raise _not_next(step)
        most = current.for_each.at_most if current.for_each else 1
        items = len(shape.items) if current.for_each else shape.iterations
        begun = 0 if shape.skip else self.plan.begun(step)
        whole = 0 <= shape.iterations <= most and shape.iterations == items and shape.skip <= (items == 0)
        if not (whole and begun <= items):
            raise StateError("unfolding.shape", f"a shape that the plan does not give to {step}")
        if shape.skip:
            return self._passed({**self.skipped, step: shape.label})
        left = items > begun
        return msgspec.structs.replace(self, shape=shape, iteration=begun) if left else self._passed(self.skipped)

    def admit(self, step: str, iteration: int) -> Unfolding:
        """Start exactly the next pair; raises ``StateError`` for any other."""
        if self.expected() != Next(step=step, iteration=iteration):
            raise _not_next(step)
        return msgspec.structs.replace(self, running=True)

    def complete(self, step: str, iteration: int, outcome: Outcome) -> Unfolding:
        """Take what became of the pair in flight; anything but an observed effect stops the plan."""
        if self.expected() != InFlight(step=step, iteration=iteration) or self.shape is None:
            raise _not_next(step)
        if outcome is not Outcome.OBSERVED:
            return self.stop(f"step.{outcome}")
        if iteration + 1 == self.shape.iterations:
            return self._passed(self.skipped)
        return msgspec.structs.replace(self, running=False, iteration=iteration + 1)

    def stop(self, code: str) -> Unfolding:
        """Let nothing start any more; the first reason stays."""
        return msgspec.structs.replace(self, stopped=self.stopped or code)

    def _current(self) -> Step | None:
        todo = [step for step in self.plan.steps if step.id not in self.plan.finished]
        return todo[self.position] if self.position < len(todo) else None

    def _passed(self, skipped: Mapping[str, Label]) -> Unfolding:
        return Unfolding(plan=self.plan, position=self.position + 1, skipped=skipped)


def _not_next(step: str) -> StateError:
    return StateError("unfolding.not_next", f"{step[:32]} is not what comes next")
