"""Inference: the highest thousandth that any window of the text reaches, in integers alone.

>>> from interlock.analyst.classifier.features import spread
>>> import numpy as np
>>> nothing = np.zeros(0, np.int64)
>>> thousandths(empty_model(bias=0), spread("ls"), nothing)
500
"""

from __future__ import annotations

import math

import numpy as np

from interlock.analyst.classifier.container import LEVELS, Header, Model
from interlock.analyst.classifier.features import Indices, Spread, windows

ONE = 1 << 16
_ROOT = 20


def thousandths(model: Model, text: Spread, facts: Indices) -> int:
    """How likely an attack the model says it is."""
    return int(np.searchsorted(model.cuts, highest(model, text, facts), "right"))


def highest(model: Model, text: Spread, facts: Indices) -> int:
    """The highest logit of any window, in 2^-16."""
    header = model.header
    base = header.bias + header.fact_scale * int(model.fact[facts].astype(np.int64).sum())
    sums = _summed(text, model.text[text.indices % header.text_buckets].astype(np.int64))
    counts = _summed(text, np.ones(len(text.indices), np.int64))
    found = base if not len(text.indices) else -(1 << 62)
    for start, end in windows(text.length):
        last = min(end, text.length)
        count = int(counts[last] - counts[start])
        total = int(sums[last] - sums[start])
        share = header.text_scale * total * (1 << (_ROOT // 2)) // math.isqrt(count << _ROOT) if count else 0
        found = max(found, base + share)
    return found


def _summed(text: Spread, values: Indices) -> Indices:
    """Sums of the values that start before each byte."""
    at = np.bincount(text.starts, weights=values, minlength=text.length + 1).astype(np.int64)
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(at)])


def empty_model(bias: int) -> Model:
    """A model that has learnt nothing; its thousandths are those of the logistic function."""
    header = Header(kind="action", text_buckets=1 << 17, fact_buckets=1 << 13, text_scale=0, fact_scale=0, bias=bias,
                    raises=LEVELS, denies=LEVELS)  # fmt: skip
    return Model(header, np.zeros(1 << 17, np.int8), np.zeros(1 << 13, np.int8), logistic_cuts(1.0, 0.0))


def logistic_cuts(slope: float, offset: float) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    """Where each thousandth of ``1 / (1 + exp(-(slope * logit + offset)))`` begins, in 2^-16."""
    found = [round((math.log(level / (LEVELS - level)) - offset) / slope * ONE) for level in range(1, LEVELS)]
    return np.array(found, np.int64).clip(-(1 << 31) + 1, (1 << 31) - 1).astype(np.int32)
