"""The digests of the models that this package carries; written by ``make train``."""

from __future__ import annotations

from typing import Final

DIGESTS: Final = {
    "action": "086c238c11b9b3f7bccbc22fe50fc2dd9446944041176f88a8cdc703611d41f7",
    "text": "4534bd1f5065e276ed2c6a657de00467ec673111f88cd668d906ee5257469bdf",
}
