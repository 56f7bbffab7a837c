"""Fitting: logistic regression with L2 by L-BFGS over sparse rows, in numpy alone.

Sums run in one thread and in one order, so that the same rows give the same weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_FLAT = 1e-12
Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


class Rows(NamedTuple):
    """Sparse rows: cell ``i`` adds ``values[i]`` at ``columns[i]`` of row ``rows[i]``."""

    rows: Indices
    columns: Indices
    values: Floats
    height: int
    width: int

    def times(self, weights: Floats) -> Floats:
        return np.bincount(self.rows, self.values * weights[self.columns], self.height)

    def back(self, errors: Floats) -> Floats:
        return np.bincount(self.columns, self.values * errors[self.rows], self.width)


def fit(rows: Rows, labels: Floats, importance: Floats, penalty: Floats, rounds: int = 120) -> Floats:
    """Weights, the last one being the bias; ``penalty`` is the strength of L2 for each weight but that."""
    penalties = np.append(penalty, 1e-6)

    def loss(weights: Floats) -> tuple[float, Floats]:
        logits = rows.times(weights[:-1]) + weights[-1]
        signed = np.where(labels > 0, logits, -logits)
        value = float((importance * np.logaddexp(0.0, -signed)).sum() + 0.5 * (penalties * weights * weights).sum())
        errors = importance * (1.0 / (1.0 + np.exp(-logits)) - labels)
        return value, np.append(rows.back(errors), errors.sum()) + penalties * weights

    return _lbfgs(loss, np.zeros(rows.width + 1), rounds)


def _lbfgs(loss: Callable[[Floats], tuple[float, Floats]], start: Floats, rounds: int, memory: int = 8) -> Floats:
    weights = start
    value, gradient = loss(weights)
    steps: list[tuple[Floats, Floats, float]] = []
    for _ in range(rounds):
        direction = _direction(gradient, steps)
        slope = float((direction * gradient).sum())
        size = 1.0 if steps else min(1.0, 1.0 / float(np.sqrt((gradient * gradient).sum()) + 1e-12))
        for _ in range(30):
            moved = weights + size * direction
            new_value, new_gradient = loss(moved)
            if new_value <= value + 1e-4 * size * slope:
                break
            size *= 0.5
        else:
            return weights
        step, change = moved - weights, new_gradient - gradient
        curve = float((step * change).sum())
        if curve > _FLAT:
            steps = [*steps[-(memory - 1) :], (step, change, curve)]
        done = value - new_value < 1e-7 * abs(value)
        weights, value, gradient = moved, new_value, new_gradient
        if done:
            break
    return weights


def _direction(gradient: Floats, steps: list[tuple[Floats, Floats, float]]) -> Floats:
    found = gradient.copy()
    kept: list[float] = []
    for step, change, curve in reversed(steps):
        share = float((step * found).sum()) / curve
        kept.append(share)
        found -= share * change
    if steps:
        step, change, curve = steps[-1]
        found *= curve / float((change * change).sum())
    for (step, change, curve), share in zip(steps, reversed(kept), strict=True):
        found += step * (share - float((change * found).sum()) / curve)
    return -found
