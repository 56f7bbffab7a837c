"""The digests of the models that this package carries; written by ``make train``."""

from __future__ import annotations

from typing import Final

DIGESTS: Final = {
    "action": "0e7a7ae8a4b932bb8a606c0b41d45e27d2144c1c5ba6db4efe8fa9122067e7ba",
    "text": "386272b2e65cf4716edb64caa9f3f2955723748fdb2a2c236e8ee13a5490f692",
}
