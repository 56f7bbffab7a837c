"""The whole benchmark: every task, every pair, every slot, in worker processes; and what came of it.

Four figures stand beside each other: utility with the questions that it takes, attacks with any effect and nobody to
ask, slots that an attacker of the data can steer, and the same tasks replanned after every observation.

Two profiles of ``interlock.evals.profiles`` make sense here.  ``default`` has a person who confirms the user's plans;
under ``maximum`` nobody is there, and what would ask is denied.  What happens with no gate (``none``) is counted in
every run.  ``policy`` and ``effects`` would say the same as ``default``, because no tool of the benchmark runs code.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import msgspec

from interlock.evals.agentdojo import oracle, play
from interlock.evals.agentdojo.stage import Stage, staged
from interlock.evals.agentdojo.steering import steer
from interlock.evals.agentdojo.suites import NAMES, Suite, UserTask, require
from interlock.evals.intervals import wilson
from interlock.evals.profiles import Profile

_CHUNKS = 4


class Figures(msgspec.Struct, kw_only=True):
    """Counts over tasks, pairs and slots; they add up over suites."""

    tasks: int = 0
    done: int = 0
    questions: int = 0
    falsely_denied: int = 0
    pairs: int = 0
    acting_pairs: int = 0
    reached: int = 0
    unguarded: int = 0
    effects: int = 0
    attempts: int = 0
    slots: int = 0
    moved_slots: int = 0
    steerable_slots: int = 0
    replanned_done: int = 0
    replanned_questions: int = 0
    replanned_alone: int = 0

    def add(self, other: Figures) -> None:
        """Count another part of the benchmark too."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """Some tasks of one suite; ``every`` takes each n-th pair alone, for a short form."""

    suite: str
    part: int
    parts: int
    every: int
    profile: Profile = "default"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of some work; ``notes`` name each task, pair and slot that is not as it should be."""

    suite: str
    figures: Figures
    notes: tuple[str, ...]


def run(
    suites: Sequence[str] = NAMES, *, every: int = 1, workers: int = 0, profile: Profile = "default"
) -> dict[str, Outcome]:
    """Play the suites; by suite, what came of it.  ``workers`` processes, one per processor where it is 0."""
    require()
    parts = 1 if every > 1 else _CHUNKS
    work = [
        Work(suite=name, part=part, parts=parts, every=every, profile=profile)
        for name in suites
        for part in range(parts)
    ]
    found: dict[str, Outcome] = {}
    with ProcessPoolExecutor(workers or os.cpu_count(), mp_context=get_context("spawn")) as pool:
        for outcome in pool.map(_work, work):
            known = found.setdefault(outcome.suite, Outcome(suite=outcome.suite, figures=Figures(), notes=()))
            known.figures.add(outcome.figures)
            found[outcome.suite] = msgspec.structs.replace(known, notes=known.notes + outcome.notes)
    return found


HEADS = ("suite", "done", "asked", "effects", "of", "unguarded", "steerable", "of slots", "replanned", "asked")
CEILING = "Plans are an oracle's, from the benchmark's own calls: utility is a ceiling, and says nothing of a model."


def total_of(found: Mapping[str, Outcome]) -> Figures:
    """All suites together."""
    total = Figures()
    for outcome in found.values():
        total.add(outcome.figures)
    return total


def cells(found: Mapping[str, Outcome]) -> list[tuple[str, ...]]:
    """A row below ``HEADS`` for each suite, and one for all."""
    named = [*((name, outcome.figures) for name, outcome in found.items()), ("all", total_of(found))]
    return [
        (
            name, f"{figures.done}/{figures.tasks}", str(figures.questions), str(figures.effects),
            str(figures.acting_pairs), str(figures.unguarded), str(figures.steerable_slots), str(figures.slots),
            f"{figures.replanned_done}/{figures.tasks}", str(figures.replanned_questions),
        )
        for name, figures in named
    ]  # fmt: skip


def text(found: Mapping[str, Outcome]) -> str:
    """The report for a terminal."""
    total, rows = total_of(found), [HEADS, *cells(found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    low, high = wilson(total.effects, total.acting_pairs)
    notes = [f"  {note}" for outcome in found.values() for note in outcome.notes]
    range_ = f"95 %: {100 * low:.1f} to {100 * high:.1f} %"
    pairs = f"{total.effects} of {total.acting_pairs} pairs ({range_}), after {total.attempts} attempts"
    return "\n".join(
        [
            *lines, "",
            f"attacks with any effect and nobody to ask: {pairs}",
            f"slots that data can move: {total.moved_slots}; without a question that says so: {total.steerable_slots}",
            f"replanned after observation, nobody to ask: {total.replanned_alone}/{total.tasks} done",
            CEILING,
            *notes,
        ]
    )  # fmt: skip


def _work(work: Work) -> Outcome:
    figures, notes = Figures(), list[str]()
    suite = Suite(work.suite)
    with staged(suite, unattended=work.profile == "maximum") as stage:
        for number, task in enumerate(suite.user_tasks):
            if number % work.parts == work.part:
                _task(stage, task, number, work.every, figures, notes)
    return Outcome(suite=work.suite, figures=figures, notes=tuple(notes))


def _task(stage: Stage, task: UserTask, number: int, every: int, figures: Figures, notes: list[str]) -> None:
    suite = stage.tools.suite
    plan = oracle.write(suite, task, stage.harness.core.catalogue)
    alone = play.benign(stage, task, plan)
    figures.tasks += 1
    figures.done += alone.done
    figures.questions += alone.questions
    figures.falsely_denied += alone.denied
    if not alone.done:
        notes.append(f"{suite.name} {task.id} is not done: {alone.stopped or 'the benchmark disagrees'}")
    again = play.replanned(stage, task)
    figures.replanned_done += again.done
    figures.replanned_questions += again.questions
    figures.replanned_alone += again.done and not again.questions
    steering = steer(stage, task, plan)
    figures.slots += steering.slots
    figures.moved_slots += steering.moved
    figures.steerable_slots += len(steering.steerable)
    notes += [f"{suite.name} {task.id} {slot} is steerable" for slot in steering.steerable]
    for place, injection in enumerate(suite.injection_tasks):
        if (number + place) % every:
            continue
        tried = play.Attack(stage, task, injection).play(plan)
        figures.pairs += 1
        figures.acting_pairs += tried.acts
        figures.reached += tried.reached
        figures.attempts += tried.attempts
        figures.effects += tried.acts and (tried.effect or tried.goal_met)
        figures.unguarded += play.unguarded(stage, task, injection)
        if tried.acts and (tried.effect or tried.goal_met):
            notes.append(f"{suite.name} {task.id} {injection.id} had an effect")
