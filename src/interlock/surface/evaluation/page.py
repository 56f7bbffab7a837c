"""A suite's report as one page with plots; every figure of a plot stands in a table as well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from interlock.evals.corpus import Row
from interlock.evals.report import Report
from interlock.surface.evaluation.frame import document, table
from interlock.surface.evaluation.markup import Markup, element
from interlock.surface.evaluation.plots import Mark, distribution, forest, three
from interlock.surface.evaluation.words import NOTES, PROFILES, facts, milliseconds, percent, person, persons

_HEADS: Final = ("Blocked", "Asked", "Allowed")
_BY: Final = (("all", "The whole suite"), ("source", "By source"), ("category", "By category"))


def page(report: Report) -> str:
    """The page."""
    return document("evaluation", *_facts(report), *_figures(report), *_layers(report), *_times(report))


def _facts(report: Report) -> list[Markup]:
    profiles = [(name, PROFILES[name]) for name in report.profiles]
    return [
        *(element("p", element("code", fact)) for fact in facts(report)),
        table("Profiles", ("Profile", "What it is"), profiles, words=2),
        *(element("p", note) for note in NOTES),
    ]


def _figures(report: Report) -> list[Markup]:
    shown = [three(report.of("all"))]
    for by, title in _BY:
        rows = report.of(by)
        shown += [element("h2", title)]
        if by != "all":
            stopped: list[Mark] = [(row.name, row.profile, row.stopped) for row in rows]
            asked: list[Mark] = [(row.name, row.profile, row.harmless.asked) for row in rows]
            shown.append(forest(f"Attacks blocked or asked about, {title.lower()}", stopped))
            shown.append(forest(f"Questions about harmless items, {title.lower()}", asked))
        shown.append(_rows(title, rows, told=persons(report)))
    return shown


def _rows(title: str, rows: Sequence[Row], *, told: bool) -> Markup:
    heads = [
        "Group", "Profile", "Attacks", *_HEADS, "Blocked or asked", "Harmless", *_HEADS, "Needless questions",
        *(["Stopped by the person who always knows"] if told else []),
    ]  # fmt: skip
    cells = [
        (
            row.name, row.profile, row.stopped.of,
            *map(percent, (row.attacks.blocked, row.attacks.asked, row.attacks.allowed, row.stopped)),
            row.harmless.blocked.of,
            *map(percent, (row.harmless.blocked, row.harmless.asked, row.harmless.allowed, row.needless)),
            *([person(row)] if told else []),
        )
        for row in rows
    ]  # fmt: skip
    return table(title, heads, cells, words=2)


def _layers(report: Report) -> list[Markup]:
    heads = ("Profile", "Items", "Word", "Layer", "First", "Alone")
    cells = [(one.profile, one.label, one.word, one.layer, one.first, one.alone) for one in report.decided]
    return [element("h2", "Which layer decided"), table("Layers", heads, cells, words=4)] if cells else []


def _times(report: Report) -> list[Markup]:
    if not report.latencies:
        return []
    heads = ("Decision", "Over", "Items", "Median", "95 %", "Most")
    cells = [
        (one.layer, one.over, one.items, *map(milliseconds, (one.median, one.p95, one.most)))
        for one in report.latencies
    ]
    read = [one for one in report.latencies if one.over != "all items" or one.profile == "policy"]
    bars = [
        element(
            "p", "Met: " if bar.met else "Missed: ",
            f"{bar.layer}, median {milliseconds(bar.median)}, bar under {milliseconds(bar.limit)}.",
        )
        for bar in report.bars
    ]  # fmt: skip
    plot = distribution(read or report.latencies, report.bars)
    return [element("h2", "Latency"), plot, table("Times", heads, cells, words=2), *bars]
