"""The digests of the models that this package carries; written by ``make train``."""

from __future__ import annotations

from typing import Final

DIGESTS: Final = {
    "action": "d7199828880d6e5a6bc952309a8cbe753fd94605ffa30a034c0caf5161002e29",
    "text": "ad5562581a6712ff76a27b29084b1fae63718330ce19328794623569347c62c3",
}
