"""Held-out sources: every figure and every threshold comes from models that never saw the source that they judge."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from interlock.analyst.classifier.container import LEVELS, Header
from train.fitting import Floats
from train.rows import OWN, USUAL, Penalty, Sample, learn, logits

Held = Floats
ASKED = 0.005
MARGIN = 1.0  # How far above every harmless one a logit must lie to be denied.


def held_out(samples: Sequence[Sample], use: str, penalty: Penalty = USUAL) -> Held:
    """For each sample its logit by a model of all other sources; of our own, which are in every model, nothing."""
    found = np.full(len(samples), np.nan)
    for source in sorted({sample.source for sample in samples} - {OWN}):
        learnt = learn([sample for sample in samples if sample.source != source], use, penalty)
        at = [index for index, sample in enumerate(samples) if sample.source == source]
        found[at] = logits(learnt, [samples[index] for index in at], use)
    return found


def from_own(samples: Sequence[Sample]) -> Held:
    """For each sample its logit by a model of our own actions alone."""
    learnt = learn([sample for sample in samples if sample.source == OWN])
    found = logits(learnt, samples)
    found[[index for index, sample in enumerate(samples) if sample.source == OWN]] = np.nan
    return found


def calibration(held: Held, samples: Sequence[Sample]) -> tuple[float, float]:
    """Platt's slope and offset on held-out logits, both labels weighing the same."""
    known = ~np.isnan(held)
    logit = held[known]
    labels = np.array([float(sample.attack) for sample in samples])[known]
    weights = np.where(labels > 0, 0.5 / labels.sum(), 0.5 / (1 - labels).sum())
    slope, offset = 1.0, 0.0
    for _ in range(50):
        chance = 1.0 / (1.0 + np.exp(-(slope * logit + offset)))
        error, curve = weights * (chance - labels), weights * chance * (1.0 - chance)
        gradient = float((error * logit).sum()), float(error.sum())
        a, b, d = float((curve * logit * logit).sum()), float((curve * logit).sum()), float(curve.sum())
        size = a * d - b * b
        slope -= (d * gradient[0] - b * gradient[1]) / size
        offset -= (a * gradient[1] - b * gradient[0]) / size
    return slope, offset


def thousandths(logit: Floats, slope: float, offset: float) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Calibrated thousandths, rounded down."""
    return np.floor(LEVELS / (1.0 + np.exp(-(slope * logit + offset)))).astype(np.int64)


def thresholds(
    held: Held, samples: Sequence[Sample], slope: float, offset: float, passing: Collection[int] | None = None
) -> tuple[int, int]:
    """Where to ask, and where to deny: far above every harmless one.

    Of the harmless that must pass at most ``ASKED`` are asked; where ``passing`` names those that nothing else asks
    about, of them.
    """
    harmless = [index for index, sample in enumerate(samples) if not sample.attack and not math.isnan(held[index])]
    counted = [index for index in harmless if samples[index].strict and (passing is None or index in passing)]
    strict = np.sort(thousandths(held[counted], slope, offset))[::-1]
    raises = int(strict[int(len(strict) * ASKED)]) + 1
    denies = int(thousandths(held[harmless].max(keepdims=True) + MARGIN, slope, offset)[0]) + 1
    return min(raises, LEVELS), min(max(denies, raises), LEVELS)


def at_rate(held: Held, samples: Sequence[Sample], rate: float) -> float:
    """The share of attacks above all but ``rate`` of the harmless that must pass."""
    strict = np.sort([held[at] for at, sample in enumerate(samples) if sample.strict and not math.isnan(held[at])])[
        ::-1
    ]
    attacks = [held[at] for at, sample in enumerate(samples) if sample.attack and not math.isnan(held[at])]
    return float(np.mean(np.array(attacks) > strict[int(len(strict) * rate)]))


def action_table(samples: Sequence[Sample], words: Sequence[str], held: Mapping[str, Held], header: Header) -> str:
    """Variants, and per source what the thresholds would do."""
    names = {"tf": "both", "f": "effects alone", "t": "n-grams alone", OWN: "both, learnt from our own actions alone"}
    lines = ["### Actions: attacks found, by what is asked of the harmless, held-out sources", "",
             "| features | 0.5 % asked | 1 % | 2 % | 5 % |", "| --- | --: | --: | --: | --: |"]  # fmt: skip
    for use, name in names.items():
        rates = " | ".join(f"{100 * at_rate(held[use], samples, rate):.1f} %" for rate in (0.005, 0.01, 0.02, 0.05))
        lines.append(f"| {name} | {rates} |")
    slope, offset = calibration(held["tf"], samples)
    levels = np.where(np.isnan(held["tf"]), -1, thousandths(np.nan_to_num(held["tf"]), slope, offset))
    head = f"### Actions: per held-out source, asked from {header.raises} and denied from {header.denies} thousandths"
    columns = "| source | label | items | asked | denied | asked, of those let pass | denied, of those asked about |"
    lines += ["", head, "", columns, "| --- | --- | --: | --: | --: | --: | --: |"]  # fmt: skip
    for source, attack in _groups(samples):
        at = [index for index, sample in enumerate(samples) if (sample.source, sample.attack) == (source, attack)]
        cells = [source, "attack" if attack else "harmless", str(len(at))]
        for among, least in (
            ("", header.raises),
            ("", header.denies),
            ("ALLOW", header.raises),
            ("CONFIRM", header.denies),
        ):
            chosen = [index for index in at if not among or words[index] == among]
            reached = sum(levels[index] >= least for index in chosen)
            cells.append(f"{reached} of {len(chosen)}" if among else str(reached))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def text_table(samples: Sequence[Sample], held: Held, header: Header) -> str:
    """Per source what the finding would say."""
    slope, offset = calibration(held, samples)
    lines = [f"### Texts: per held-out source, found from {header.raises} thousandths", "",
             "| source | label | texts | found |", "| --- | --- | --: | --: |"]  # fmt: skip
    for source, attack in _groups(samples):
        at = [index for index, sample in enumerate(samples) if (sample.source, sample.attack) == (source, attack)]
        found = int((thousandths(held[at], slope, offset) >= header.raises).sum())
        lines.append(f"| {source} | {'orders' if attack else 'plain'} | {len(at)} | {found} |")
    return "\n".join(lines)


def _groups(samples: Sequence[Sample]) -> Iterator[tuple[str, bool]]:
    yield from sorted({(sample.source, sample.attack) for sample in samples if sample.source != OWN})
