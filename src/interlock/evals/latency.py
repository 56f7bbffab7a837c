"""Latency: how long a decision takes with each further layer, as a distribution, and the bars that it is held to.

Each layer's times are those of whole decisions under its profile, over all items and over those that the layer reads:
the analyst is not asked about a call without anything to see into, and the classifier reads code alone.  The bars are
held to the second, which is the harder one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from interlock.evals.corpus import Found, Said
from interlock.evals.profiles import Profile

_STEPS: Final = 10  # Buckets for each power of ten.
_TIMED: Final[tuple[tuple[str, Profile], ...]] = (
    ("structure, flow and policy", "policy"),
    ("with effects", "effects"),
    ("with the classifier", "default"),
)
_BARS: Final[dict[Profile, int]] = {"effects": 1_000, "default": 15_000}


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Decisions of one layer in microseconds.  ``buckets`` are upper bounds with the count at or below each."""

    layer: str
    profile: Profile
    over: str
    items: int
    median: int
    p95: int
    most: int
    buckets: tuple[tuple[int, int], ...]


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """What the median of a layer, over what it reads, should stay below, in microseconds."""

    layer: str
    limit: int
    median: int
    met: bool


def latencies(found: Sequence[Found]) -> list[Latency]:
    """The distributions, of each layer whose profile was run."""
    return [*_latencies(found)]


def bars(found: Sequence[Latency]) -> list[Bar]:
    """The bars of the layers that were measured."""
    return [
        Bar(layer=one.layer, limit=_BARS[one.profile], median=one.median, met=one.median < _BARS[one.profile])
        for one in found
        if one.profile in _BARS and one.over != "all items"
    ]


def _latencies(found: Sequence[Found]) -> Iterator[Latency]:
    for layer, profile in _TIMED:
        every = [one.said[profile] for one in found if profile in one.said]
        read = [said for said in every if (said.scored if profile == "default" else said.asked)]
        for over, group in (("all items", every), ("items that the layer reads", read)):
            times = sorted(_micros(group))
            if times:
                yield Latency(
                    layer=layer, profile=profile, over=over, items=len(times), median=_quantile(times, 0.5),
                    p95=_quantile(times, 0.95), most=times[-1], buckets=tuple(_buckets(times)),
                )  # fmt: skip


def _micros(found: Sequence[Said]) -> Iterator[int]:
    return (math.ceil(one.nanoseconds / 1000) for one in found if one.nanoseconds is not None)


def _quantile(ordered: Sequence[int], part: float) -> int:
    return ordered[min(len(ordered) - 1, math.ceil(part * len(ordered)) - 1)]


def _buckets(ordered: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Bounds in even steps of the logarithm, from below the fastest to the slowest."""
    first, last = (
        math.floor(_STEPS * math.log10(max(1, ordered[0]))),
        math.ceil(_STEPS * math.log10(ordered[-1] or 1)),
    )
    below = 0
    for step in range(first, last + 1):
        bound = math.ceil(10 ** (step / _STEPS))
        while below < len(ordered) and ordered[below] <= bound:
            below += 1
        yield bound, below
