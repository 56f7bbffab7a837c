"""The digests of the models that this package carries; written by ``make train``."""

from __future__ import annotations

from typing import Final

DIGESTS: Final = {
    "action": "74573d8d3c677f98ebcfb8afd2fbf97084ab9b0a23caef694bc96eba55f570ca",
    "text": "4534bd1f5065e276ed2c6a657de00467ec673111f88cd668d906ee5257469bdf",
}
