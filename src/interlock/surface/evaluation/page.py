"""A report as one page: no script, nothing from elsewhere, every text escaped, readable without colour and on paper.

The page forbids itself everything but its own style (Content-Security-Policy, by hash), so that whatever a suite's
names may hold is text.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

from interlock.evals.corpus import Row
from interlock.evals.report import Report
from interlock.surface.evaluation.markup import Markup, element, raw
from interlock.surface.evaluation.plots import distribution, forest, three
from interlock.surface.evaluation.words import NOTES, PROFILES, facts, milliseconds, percent, person, persons

_STYLE: Final = raw(
    ":root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}"
    "body{max-width:100rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;font-size:.85rem}th,td{padding:.2rem .6rem;border:1px solid;text-align:right;"
    "white-space:nowrap}th[scope=row],td.word{text-align:left}caption{text-align:left;font-weight:600;padding:.3rem 0}"
    ".wide{overflow-x:auto;margin:1rem 0}figure{margin:1.5rem 0}figcaption{font-weight:600}svg{width:100%;height:auto;"
    "font:12px system-ui,sans-serif}code{overflow-wrap:anywhere}"
)
_HEADS: Final = ("Blocked", "Asked", "Allowed")
_BY: Final = (("all", "The whole suite"), ("source", "By source"), ("category", "By category"))


def page(report: Report) -> str:
    """The page."""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=raw(policy)),
        element("meta", name="viewport", content="width=device-width"),
        element("title", "Interlock: evaluation"),
        element("style", _STYLE),
    )
    body = element(
        "main", element("h1", "Evaluation"), *_facts(report), *_figures(report), *_layers(report), *_times(report)
    )
    return "<!DOCTYPE html>\n" + element("html", head, element("body", body), lang="en") + "\n"


def _facts(report: Report) -> list[Markup]:
    profiles = [(name, PROFILES[name]) for name in report.profiles]
    return [
        *(element("p", element("code", fact)) for fact in facts(report)),
        _table("Profiles", ("Profile", "What it is"), profiles, words=2),
        *(element("p", note) for note in NOTES),
    ]


def _figures(report: Report) -> list[Markup]:
    shown = [three(report.of("all"))]
    for by, title in _BY:
        rows = report.of(by)
        shown += [element("h2", title)]
        if by != "all":
            shown.append(forest(f"Attacks blocked or asked about, {title.lower()}", rows, lambda row: row.stopped))
            shown.append(
                forest(f"Questions about harmless items, {title.lower()}", rows, lambda row: row.harmless.asked)
            )
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
    return _table(title, heads, cells, words=2)


def _layers(report: Report) -> list[Markup]:
    heads = ("Profile", "Items", "Word", "Layer", "First", "Alone")
    cells = [(one.profile, one.label, one.word, one.layer, one.first, one.alone) for one in report.decided]
    return [element("h2", "Which layer decided"), _table("Layers", heads, cells, words=4)] if cells else []


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
    return [element("h2", "Latency"), plot, _table("Times", heads, cells, words=2), *bars]


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[object]], *, words: int) -> Markup:
    """The first cell of a row is its name, and so many are words."""
    head = element("tr", *(element("th", text, scope="col") for text in heads))
    body = [
        element(
            "tr", element("th", row[0], scope="row"), *(element("td", cell, class_="word") for cell in row[1:words]),
            *(element("td", cell) for cell in row[words:]),
        )
        for row in rows
    ]  # fmt: skip
    shown = element("table", element("caption", title), element("thead", head), element("tbody", *body))
    return element("div", shown, class_="wide")
