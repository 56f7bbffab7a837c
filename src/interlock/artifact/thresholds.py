"""From how many thousandths of a score the gate asks, and denies; written by ``make train``."""

from __future__ import annotations

from typing import Final

RAISED_FROM: Final = 721
DENIED_FROM: Final = 997
