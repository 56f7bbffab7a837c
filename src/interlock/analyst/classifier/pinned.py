"""The digests of the models that this package carries; written by ``make train``."""

from __future__ import annotations

from typing import Final

DIGESTS: Final = {
    "action": "1b89095cfca129d558153fb63b603b10f2df1dd9a744a7f3a595e7737c6900bb",
    "text": "c4c7d6b94b2ac88993584cf3a62fee63005ba7271366bc26e0d9bf8a7bca093e",
}
