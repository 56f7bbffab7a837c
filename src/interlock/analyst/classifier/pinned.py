"""The digests of the models that this package carries; written by ``make train``."""

from __future__ import annotations

from typing import Final

DIGESTS: Final = {
    "action": "01aafb53005be94e46ba1b60f4e098806bffd9feb98cdc3d85ec1a2545ffa49f",
    "text": "4534bd1f5065e276ed2c6a657de00467ec673111f88cd668d906ee5257469bdf",
}
