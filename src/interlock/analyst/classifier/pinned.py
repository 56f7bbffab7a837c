"""The digests of the models that this package carries; written by ``make train``."""

from __future__ import annotations

from typing import Final

DIGESTS: Final = {
    "action": "5ce54957441fe9fcda00af9e00e2a4daca23f1303ed206ac8691826ee5333c06",
    "text": "a090caf02fbda0e392e612aded95b1ddb95590a9ec23039880be9abf1c3f9721",
}
