"""Characters that look like others, or like nothing at all.

``normal`` is NFKC without characters that nobody sees; ``fold`` also writes the Cyrillic, Greek and other letters
that look Latin as the Latin ones.  The table holds the pairs that fonts draw alike (Unicode TR39 lists them all).

>>> fold("раураl"), "".join(sorted(signals("pay\u200bpal")))
('paypal', 'text.hidden')
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from interlock.artifact.codec import hidden

_PAIRS: Final = (
    ("аӑӓɑα", "a"), ("ЬвƄ", "b"), ("сϲⅽᴄ", "c"), ("ԁⅾ", "d"), ("еёєҽ", "e"), ("ҒƑ", "f"), ("ɡց", "g"), ("һհ", "h"),
    ("іїıι", "i"), ("јϳ", "j"), ("кκ", "k"), ("ӏⅼ", "l"), ("мⅿ", "m"), ("ոռп", "n"), ("оοօσ", "o"), ("рρ", "p"),
    ("ԛզ", "q"), ("гᴦ", "r"), ("ѕꜱ", "s"), ("тτ", "t"), ("υսᴜ", "u"), ("νѵᴠ", "v"), ("ԝѡᴡ", "w"), ("хχ", "x"),
    ("уүγ", "y"), ("ᴢʐ", "z"),
    ("АΑ", "A"), ("ВΒ", "B"), ("СϹ", "C"), ("ЕΕ", "E"), ("ԌᏀ", "G"), ("НΗ", "H"), ("ІΙӀ", "I"), ("ЈᎫ", "J"),
    ("КΚ", "K"), ("МΜ", "M"), ("Ν", "N"), ("ОΟ", "O"), ("РΡ", "P"),
    ("ЅᏚ", "S"), ("ТΤ", "T"), ("ԜᎳ", "W"), ("ХΧ", "X"), ("ҮΥ", "Y"),
    ("Ζ", "Z"), ("∕⁄⧸", "/"), ("∖⧵", "\\"), ("‐‑‒–—−", "-"), ("․", "."), ("；", ";"), ("ǀ∣", "|"), ("ː∶", ":"),
)  # fmt: skip
_LATIN: Final = str.maketrans({other: latin for others, latin in _PAIRS for other in others})
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_OVERRIDE = re.compile("[\u202a-\u202e\u2066-\u2069]")
_TAG_BASE = 0xE0000
_TAGS = re.compile("[\U000e0000-\U000e007f]")
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufeff"
    "\uffa0\ufff9-\ufffb\ufe00-\ufe0f\U000e0000-\U000e01ef]"
)
_JOINED = re.compile(
    "(?<=[\u0900-\u0dff\u0600-\u06ff\u2190-\U0001faff\ufe0f])[\u200c\u200d\ufe0f]"
)  # Emoji and scripts.
_WORD = re.compile(r"[^\W\d_]{2,64}")


def normal(text: str) -> str:
    """NFKC without characters that nobody sees."""
    return text if text.isascii() else _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))


def fold(text: str) -> str:
    """What a reader takes the text for."""
    return text if text.isascii() else normal(text.translate(_LATIN)).translate(_LATIN)


def tagged(text: str) -> str:
    """The ASCII text that is written in Unicode's invisible tags."""
    return "".join(char for one in _TAGS.findall(text) if (char := chr(ord(one) - _TAG_BASE)).isprintable())


def signals(text: str) -> frozenset[str]:
    """Which ways of hiding the text uses."""
    if text.isascii():
        return frozenset({"text.control"} if _controls(text) else ())
    found = set[str]()
    seen = _JOINED.sub("", text)
    if _OVERRIDE.search(seen) is not None:
        found.add("text.bidi")
    if _INVISIBLE.search(_BIDI.sub("", seen).lstrip("\ufeff")) is not None:
        found.add("text.hidden")
    if any(_mixed(word) for word in _WORD.findall(text[:16384])):
        found.add("text.lookalike")
    if _controls(text):
        found.add("text.control")
    return frozenset(found)


def _controls(text: str) -> bool:
    return re.search(r"[\x00-\x08\x0b\x0e-\x1f\x7f]", text) is not None or (not text.isascii() and _unprintable(text))


def _unprintable(text: str) -> bool:
    return hidden(text) is not None and re.search("[\x80-\x84\x86-\x9f\ud800-\udfff]", text) is not None


def _mixed(word: str) -> bool:
    """Whether one word mixes Latin letters with others that look Latin."""
    if word.isascii():
        return False
    translated = word.translate(_LATIN)
    return translated != word and translated.isascii() and any(char.isascii() for char in word)
