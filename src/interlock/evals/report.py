"""A report: a suite measured under some profiles, with everything that is needed to judge and to repeat it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import msgspec

from interlock.evals import corpus, latency
from interlock.evals.deciding import Judge
from interlock.evals.labelled import Case
from interlock.evals.latency import Bar, Latency
from interlock.evals.profiles import PROFILES, Profile, judges
from interlock.evals.suites import File, cases, files

_TOLD_EACH = 250


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a suite.  ``undecidable`` counts cases without an action, by label; ``left_out`` what was not asked
    for; neither is in any row."""

    version: str
    files: tuple[File, ...]
    without: tuple[str, ...]
    profiles: tuple[Profile, ...]
    items: int
    left_out: int
    undecidable: dict[str, int]
    rows: tuple[corpus.Row, ...]
    decided: tuple[corpus.Decided, ...]
    latencies: tuple[Latency, ...]
    bars: tuple[Bar, ...]

    def of(self, by: str) -> tuple[corpus.Row, ...]:
        """The rows of one way to group."""
        return tuple(row for row in self.rows if row.by == by)


def measured(
    paths: Sequence[Path],
    profiles: Collection[Profile],
    without: Sequence[str] = (),
    told: Callable[[int], object] = lambda _: None,
) -> Report:
    """Judge the suite in these files, but for the kinds and tags of ``without``; raises ``ItemError``."""
    named = files(paths)
    with judges([name for name in PROFILES if name in profiles]) as held:
        return reported(held, cases(paths), named, without, told)


def reported(
    held: Mapping[Profile, Judge | None],
    suite: Iterator[Case],
    named: tuple[File, ...] = (),
    without: Sequence[str] = (),
    told: Callable[[int], object] = lambda _: None,
) -> Report:
    """The same by these judges."""
    left = Counter[str]()
    found: list[corpus.Found] = []
    for one in corpus.judged(held, _but(suite, frozenset(without), left)):
        found.append(one)
        if len(found) % _TOLD_EACH == 0:
            told(len(found))
    undecidable = Counter[str](one.told.label for one in found if not one.said)
    times = tuple(latency.latencies(found))
    return Report(
        version=version("interlock"), files=named, without=tuple(without), profiles=tuple(held),
        items=len(found) - undecidable.total(), left_out=left.total(), undecidable=dict(undecidable),
        rows=tuple(corpus.rows(found)), decided=tuple(corpus.decided(found)),
        latencies=times, bars=tuple(latency.bars(times)),
    )  # fmt: skip


def _but(suite: Iterator[Case], without: frozenset[str], left: Counter[str]) -> Iterator[Case]:
    for case in suite:
        if without.isdisjoint({case.told.kind, *case.told.tags}):
            yield case
        else:
            left[case.told.label] += 1
