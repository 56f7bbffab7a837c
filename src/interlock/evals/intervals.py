"""Wilson's interval for a share (E. B. Wilson, 1927), at 95 %.

>>> low, high = wilson(0, 929)
>>> round(low, 4), round(high, 4)
(0.0, 0.0041)
"""

from __future__ import annotations

import math

_Z = 1.959964


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The bounds of the share ``hits / of``; the whole range where nothing was counted."""
    if not of:
        return 0.0, 1.0
    share, square = hits / of, _Z * _Z
    middle, scale = share + square / (2 * of), 1 + square / of
    half = _Z * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)
