"""What all benchmarks share: rows, and medians of interleaved rounds, so that a noisy neighbour disturbs all alike.

A row compares within one run: ``ratio`` is ``value`` divided by ``baseline``, both in ``unit``.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from typing import TypedDict


class Row(TypedDict):
    """One figure; without a baseline, ``ratio`` is none either."""

    name: str
    value: float
    unit: str
    baseline: float | None
    ratio: float | None


def row(name: str, value: float, unit: str, baseline: float | None = None) -> Row:
    """A rounded row."""
    ratio = round(value / baseline, 3) if baseline else None
    return {"name": name, "value": round(value, 3), "unit": unit, "baseline": baseline, "ratio": ratio}


def medians(*calls: tuple[Callable[[], object], int], rounds: int) -> list[float]:
    """Seconds per unit of work of each call, which does that many units at once; each is called once before."""
    samples: list[list[float]] = [[] for _ in calls]
    for call, _ in calls:
        call()
    gc.collect()
    for _ in range(rounds):
        for (call, units), times in zip(calls, samples, strict=True):
            start = time.perf_counter()
            call()
            times.append((time.perf_counter() - start) / units)
    return [statistics.median(times) for times in samples]


def repeated(call: Callable[[], object], times: int) -> Callable[[], None]:
    """A call that calls several times."""

    def work() -> None:
        for _ in range(times):
            call()

    return work


def table(rows: list[Row]) -> str:
    """The rows as aligned text."""
    lines = [f"{'':58}{'value':>12} {'unit':10}{'baseline':>12}{'ratio':>8}"]
    for one in rows:
        against = f"{one['baseline']:>12,.2f}{one['ratio']:>8.2f}" if one["baseline"] and one["ratio"] else ""
        lines.append(f"{one['name']:58}{one['value']:>12,.2f} {one['unit']:10}{against}")
    return "\n".join(lines)
