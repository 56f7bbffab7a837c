"""Rows: labelled actions as sparse rows, each window of a long text one, its importance shared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from interlock.analyst.classifier.features import FACT_BUCKETS, TEXT_BUCKETS, Indices, Spread, windows
from train.fitting import Floats, Rows, fit

WIDTH = TEXT_BUCKETS + FACT_BUCKETS
OWN = "own"


class Sample(NamedTuple):
    """One labelled action; ``strict`` where nothing but letting it pass is right."""

    source: str
    attack: bool
    strict: bool
    text: Spread
    facts: Indices
    key: str = ""


class Penalty(NamedTuple):
    """How strongly weights of texts and of facts are held down."""

    text: float = 1.0
    fact: float = 0.3


USUAL: Final = Penalty()


class Learnt(NamedTuple):
    """Weights over all buckets, zero where nothing was learnt."""

    weights: Floats
    bias: float


def table(samples: Sequence[Sample], use: str) -> tuple[Rows, Indices]:
    """All windows of all samples, and whose each is; ``use`` names text, facts, or both, by their first letters."""
    rows: list[Indices] = []
    columns: list[Indices] = []
    values: list[Floats] = []
    whose: list[int] = []
    for at, sample in enumerate(samples):
        for start, end in windows(sample.text.length):
            found = sample.text.indices[(sample.text.starts >= start) & (sample.text.starts < end)]
            if "t" in use and len(found):
                held, counts = np.unique(found, return_counts=True)
                rows.append(np.full(len(held), len(whose)))
                columns.append(held)
                values.append(counts / np.sqrt(len(found)))
            if "f" in use and len(sample.facts):
                held = np.unique(sample.facts)
                rows.append(np.full(len(held), len(whose)))
                columns.append(held + TEXT_BUCKETS)
                values.append(np.ones(len(held)))
            whose.append(at)
    all_rows = Rows(np.concatenate(rows), np.concatenate(columns), np.concatenate(values), len(whose), WIDTH)
    return all_rows, np.array(whose)


def learn(samples: Sequence[Sample], use: str = "tf", penalty: Penalty = USUAL) -> Learnt:
    """Weights from these samples.

    A feature that only one source of attacks knows is left out: it would tell the source.  Each source and label
    weighs by the root of its size, and attacks as much as the rest.
    """
    rows, whose = table(samples, use)
    chosen = np.flatnonzero(_shared(samples, rows, whose))
    place = np.full(WIDTH, -1)
    place[chosen] = np.arange(len(chosen))
    kept = place[rows.columns] >= 0
    small = Rows(rows.rows[kept], place[rows.columns[kept]], rows.values[kept], rows.height, len(chosen))
    labels = np.array([float(sample.attack) for sample in samples])
    penalties = np.where(chosen < TEXT_BUCKETS, penalty.text, penalty.fact)
    found = fit(small, labels[whose], _importance(samples, whose), penalties)
    weights = np.zeros(WIDTH)
    weights[chosen] = found[:-1]
    return Learnt(weights, float(found[-1]))


def logits(learnt: Learnt, samples: Sequence[Sample], use: str = "tf") -> Floats:
    """The highest logit of any window of each sample."""
    rows, whose = table(samples, use)
    found = np.full(len(samples), -np.inf)
    np.maximum.at(found, whose, rows.times(learnt.weights) + learnt.bias)
    return found


def _shared(samples: Sequence[Sample], rows: Rows, whose: Indices) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Which features occur in two sources, in ours, or in anything harmless."""
    names = sorted({sample.source for sample in samples})
    source = np.array([names.index(sample.source) for sample in samples])[whose]
    trusted = np.array([sample.source == OWN or not sample.attack for sample in samples])[whose]
    pairs = np.unique(rows.columns * len(names) + source[rows.rows])
    several = np.bincount(pairs // len(names), minlength=WIDTH) >= 2  # noqa: PLR2004 - two is several
    told = np.bincount(rows.columns[trusted[rows.rows]], minlength=WIDTH) > 0
    return several | told


def _importance(samples: Sequence[Sample], whose: Indices) -> Floats:
    groups: dict[tuple[str, bool], int] = {}
    for sample in samples:
        groups[sample.source, sample.attack] = groups.get((sample.source, sample.attack), 0) + 1
    each = np.array([1.0 / np.sqrt(groups[sample.source, sample.attack]) for sample in samples])
    attacks = np.array([sample.attack for sample in samples])
    for side in (attacks, ~attacks):
        each[side] *= 1000.0 / max(float(each[side].sum()), 1e-9)
    return (each / np.bincount(whose, minlength=len(samples)))[whose]
