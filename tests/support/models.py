"""A small model with weights by a rule, and what is reckoned with it: golden figures for every machine."""

from __future__ import annotations

from typing import Final

import numpy as np

from interlock.analyst.classifier import container, linear

SMALL: Final[dict[str, object]] = {"indices": "d280568427a3be4d", "highest": -155346, "thousandths": 85}


def small() -> container.Model:
    header = container.Header(
        kind="action",
        text_buckets=1 << 10,
        fact_buckets=16,
        text_scale=900,
        fact_scale=2100,
        bias=-1234,
        raises=700,
        denies=990,
    )
    text = (np.arange(1 << 10) * 37 % 255 - 127).astype(np.int8)
    fact = (np.arange(16) * 11 % 255 - 60).astype(np.int8)
    return container.Model(header, text, fact, linear.logistic_cuts(1.0, 0.0))
