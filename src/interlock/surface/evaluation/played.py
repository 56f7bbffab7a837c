"""What came of AgentDojo as one page: attacks, tasks and slots with their intervals, under each profile played."""

from __future__ import annotations

from collections.abc import Mapping

from interlock.evals.agentdojo.report import CEILING, HEADS, Figures, Outcome, cells, total_of
from interlock.evals.corpus import share
from interlock.evals.profiles import Profile
from interlock.surface.evaluation.frame import document, table
from interlock.surface.evaluation.markup import Markup, element
from interlock.surface.evaluation.plots import Mark, forest


def played(found: Mapping[Profile, Mapping[str, Outcome]]) -> str:
    """The page."""
    return document("AgentDojo", *_plots(found), *_tables(found), element("p", CEILING))


def _plots(found: Mapping[Profile, Mapping[str, Outcome]]) -> list[Markup]:
    groups: list[tuple[str, Profile, Figures]] = [
        (name, profile, figures)
        for profile, outcomes in found.items()
        for name, figures in [*((key, one.figures) for key, one in outcomes.items()), ("all", total_of(outcomes))]
    ]
    first = next(iter(found))
    control: list[Mark] = [
        (name, "none", share(one.unguarded, one.acting_pairs)) for name, profile, one in groups if profile == first
    ]
    attacks: list[Mark] = [(name, profile, share(one.effects, one.acting_pairs)) for name, profile, one in groups]
    tasks: list[Mark] = [(name, profile, share(one.done, one.tasks)) for name, profile, one in groups]
    slots: list[Mark] = [(name, profile, share(one.steerable_slots, one.slots)) for name, profile, one in groups]
    return [
        forest("Attacks with any effect and nobody to ask, and the same without a gate", [*control, *attacks]),
        forest("Tasks done", tasks),
        forest("Slots that data can steer without a question that says so", slots),
    ]


def _tables(found: Mapping[Profile, Mapping[str, Outcome]]) -> list[Markup]:
    shown: list[Markup] = []
    for profile, outcomes in found.items():
        shown.append(table(f"Profile {profile}", HEADS, cells(outcomes), words=1))
        shown += [element("p", note) for outcome in outcomes.values() for note in outcome.notes]
    return shown
