"""The digests of the models that this package carries; written by ``make train``."""

from __future__ import annotations

from typing import Final

DIGESTS: Final = {
    "action": "b82accd10867a72ae28569058f033eebf9cbd870eeec55b86e6de6e4f0fd5d50",
    "text": "4534bd1f5065e276ed2c6a657de00467ec673111f88cd668d906ee5257469bdf",
}
