"""Plots as SVG: shares three ways, shares with their intervals, and latency as a distribution.

Nothing is told by colour alone: areas are solid, hatched or empty, marks have shapes, lines have dashes, and each
figure stands beside its mark.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from interlock.evals.corpus import Row, Share, Three
from interlock.evals.latency import Bar, Latency
from interlock.evals.profiles import Profile
from interlock.surface.evaluation.markup import Markup, element, raw
from interlock.surface.evaluation.words import milliseconds, percent

Mark: TypeAlias = tuple[str, Profile, Share]
_NAME, _PLOT, _FIGURE = 230, 420, 330
_WIDTH: Final = _NAME + _PLOT + _FIGURE
_LINE: Final = 18
_SHAPES: Final[dict[Profile, str]] = {
    "none": "M-4-4L4 4M-4 4L4-4", "policy": "M-4-4H4V4H-4Z", "effects": "M0-5L5 4H-5Z",
    "default": "M-5 0A5 5 0 1 0 5 0A5 5 0 1 0-5 0",
    "maximum": "M0-6L5 0L0 6L-5 0Z",
}  # fmt: skip
_DASHES: Final[dict[Profile, str]] = {"policy": "2 3", "effects": "7 4", "default": "none"}
_HATCH: Final = raw(
    '<defs><pattern id="asked" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<line x1="0" y1="0" x2="0" y2="6" stroke="currentColor" stroke-width="2"/></pattern></defs>'
)


def three(rows: Sequence[Row]) -> Markup:
    """For each profile how much is blocked (solid), asked about (hatched) and allowed (empty)."""
    sides = [
        (f"{name}, {row.profile}", side) for name, pick in _SIDES for row in rows if (side := pick(row)).blocked.of
    ]
    lines = [_stack(name, side, at * (_LINE + 8)) for at, (name, side) in enumerate(sides)]
    return _figure("Blocked, asked and allowed under each profile", len(lines) * (_LINE + 8), _HATCH, *lines)


def forest(title: str, rows: Sequence[Mark]) -> Markup:
    """For each group and profile the share with its interval."""
    kept = [row for row in rows if row[2].of]
    lines = [_interval(*row, (at + 1.5) * _LINE) for at, row in enumerate(kept)]
    return _figure(title, (len(kept) + 2) * _LINE, _axis((len(kept) + 1) * _LINE), *lines)


def distribution(found: Sequence[Latency], bars: Sequence[Bar]) -> Markup:
    """The share of decisions that took at most so long, on a logarithmic axis."""
    bounds = [bound for one in found for bound, _ in one.buckets]
    low, high = math.floor(math.log10(min(bounds))), math.ceil(math.log10(max([*bounds, *(bar.limit for bar in bars)])))
    width, height = _WIDTH - 120, 260

    def across(micros: int) -> float:
        return 60 + width * (math.log10(max(1, micros)) - low) / max(1, high - low)

    drawn: list[Markup] = []
    for power in range(low, high + 1):
        drawn += _line(across(10**power), 10, across(10**power), height, stroke_opacity="0.25")
        drawn.append(_text(across(10**power), height + 16, f"{10**power / 1000:g} ms", text_anchor="middle"))
    for part in (0, 25, 50, 75, 100):
        at = height - (height - 10) * part / 100
        drawn += [
            *_line(60, at, 60 + width, at, stroke_opacity="0.25"),
            _text(54, at + 4, f"{part} %", text_anchor="end"),
        ]
    for bar in bars:
        drawn += _line(across(bar.limit), 10, across(bar.limit), height, stroke_width="3", stroke_dasharray="1 3")
        drawn.append(_text(across(bar.limit) + 5, height - 8, f"bar: {bar.layer}"))
    for one in found:
        points = [(across(bound), height - (height - 10) * below / one.items) for bound, below in one.buckets]
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        dash = _DASHES.get(one.profile, "none")
        drawn.append(
            element("path", d=path, fill="none", stroke="currentColor", stroke_width="2", stroke_dasharray=dash)
        )
    for at, one in enumerate(found):
        y = height + 38 + at * _LINE
        drawn += _line(60, y - 4, 110, y - 4, stroke_width="2", stroke_dasharray=_DASHES.get(one.profile, "none"))
        said = f"{one.layer}: median {milliseconds(one.median)}, 95 % {milliseconds(one.p95)}, {one.items} items"
        drawn.append(_text(118, y, said))
    return _figure("How long a decision takes", height + 44 + len(found) * _LINE, *drawn)


_SIDES: Final[tuple[tuple[str, Callable[[Row], Three]], ...]] = (
    ("attacks", lambda row: row.attacks),
    ("harmless", lambda row: row.harmless),
)


def _stack(name: str, side: Three, top: int) -> Markup:
    at, parts = float(_NAME), list[Markup]()
    for share, fill in ((side.blocked, "currentColor"), (side.asked, "url(#asked)"), (side.allowed, "none")):
        width = _PLOT * share.count / share.of
        parts.append(
            element(
                "rect", x=f"{at:.1f}", y=top + 2, width=f"{width:.1f}", height=_LINE, fill=fill, stroke="currentColor"
            )
        )
        at += width
    said = ", ".join(
        f"{100 * share.count / share.of:.1f} {word}"
        for share, word in ((side.blocked, "blocked"), (side.asked, "asked"), (side.allowed, "allowed"))
    )
    middle = top + 2 + _LINE - 4
    return element(
        "g", _text(_NAME - 8, middle, name, text_anchor="end"), *parts, _text(_NAME + _PLOT + 8, middle, said)
    )


def _interval(name: str, profile: Profile, share: Share, y: float) -> Markup:
    at = _NAME + _PLOT * share.count / share.of
    low, high = (_NAME + _PLOT * bound / 1000 for bound in (share.low, share.high))
    mark = element(
        "path", d=_SHAPES[profile], transform=f"translate({at:.1f} {y})", fill="none", stroke="currentColor",
        stroke_width="2",
    )  # fmt: skip
    figure = f"{percent(share)} of {share.of}"
    return element(
        "g", _text(_NAME - 8, y + 4, f"{name[:28]}, {profile}", text_anchor="end"), *_line(low, y, high, y), mark,
        _text(_NAME + _PLOT + 8, y + 4, figure),
    )  # fmt: skip


def _axis(height: int) -> Markup:
    lines: list[Markup] = []
    for part in (0, 25, 50, 75, 100):
        at = _NAME + _PLOT * part / 100
        lines += [*_line(at, 12, at, height, stroke_opacity="0.25"), _text(at, 9, f"{part} %", text_anchor="middle")]
    return element("g", *lines)


def _line(x1: float, y1: float, x2: float, y2: float, **more: str) -> list[Markup]:
    return [
        element("line", x1=f"{x1:.1f}", y1=f"{y1:.1f}", x2=f"{x2:.1f}", y2=f"{y2:.1f}", stroke="currentColor", **more)
    ]


def _text(x: float, y: float, said: str, **more: str) -> Markup:
    return element("text", said, x=f"{x:.1f}", y=f"{y:.1f}", fill="currentColor", **more)


def _figure(title: str, height: int, *drawn: Markup) -> Markup:
    box = f"0 0 {_WIDTH} {height}"
    shown = element("svg", element("title", title), *drawn, viewBox=box, role="img", xmlns="http://www.w3.org/2000/svg")
    return element("figure", shown, element("figcaption", title))
