"""A report for a terminal."""

from __future__ import annotations

from interlock.evals.corpus import Row
from interlock.evals.report import Report
from interlock.surface.cli.layout import table
from interlock.surface.cli.visible import visible
from interlock.surface.evaluation.words import NOTES, facts, milliseconds, person, persons, short


def text(report: Report) -> str:
    """Figures by profile, source and category, layers and latency."""
    parts = [visible(fact) for fact in facts(report)]
    for by, head in (("all", "SUITE"), ("source", "SOURCE"), ("category", "CATEGORY")):
        rows = report.of(by)
        if len(rows) > len(report.profiles) or by == "all":
            parts += ["", _rows(head, rows, told=persons(report))]
    if report.decided:
        heads = ("PROFILE", "ITEMS", "WORD", "LAYER", "FIRST", "ALONE")
        decided = [(one.profile, one.label, one.word, one.layer, one.first, one.alone) for one in report.decided]
        parts += ["", table(heads, decided)]
    if report.latencies:
        heads = ("DECISION", "OVER", "ITEMS", "MEDIAN", "95 %", "MOST")
        times = [
            (one.layer, one.over, one.items, *map(milliseconds, (one.median, one.p95, one.most)))
            for one in report.latencies
        ]
        parts += ["", table(heads, times)]
    for bar in report.bars:
        word = "ok" if bar.met else "missed"
        parts.append(f"{word}: {bar.layer}, median {milliseconds(bar.median)} (bar: under {milliseconds(bar.limit)})")
    return "\n".join([*parts, "", *NOTES])


def _rows(head: str, rows: tuple[Row, ...], *, told: bool) -> str:
    heads = [
        head, "PROFILE", "ATTACKS", "BLOCKED %", "ASKED %", "ALLOWED %", "HARMLESS", "BLOCKED %", "ASKED %",
        "ALLOWED %", "NEEDLESS %",
    ]  # fmt: skip
    cells = [[*_cells(row), *([person(row)] if told else [])] for row in rows]
    return table([*heads, *(["STOPPED BY THE PERSON WHO ALWAYS KNOWS"] if told else [])], cells)


def _cells(row: Row) -> list[object]:
    sides = (
        (side.blocked.of, *map(short, (side.blocked, side.asked, side.allowed))) for side in (row.attacks, row.harmless)
    )
    attacks, harmless = sides
    return [row.name, row.profile, *attacks, *harmless, short(row.needless)]
