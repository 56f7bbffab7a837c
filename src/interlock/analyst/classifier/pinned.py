"""The digests of the models that this package carries; written by ``make train``."""

from __future__ import annotations

from typing import Final

DIGESTS: Final = {
    "action": "2ae334dbf5213eb5d09397e09aecc4d9d4d05f71f4cdad68a1a7f6a937a1d152",
    "text": "4534bd1f5065e276ed2c6a657de00467ec673111f88cd668d906ee5257469bdf",
}
