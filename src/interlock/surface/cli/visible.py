r"""Text that cannot deceive the person who reads it on a terminal.

``visible`` guarantees that its result is one line (or, with ``lines``, lines) of printable characters: no control
or escape sequence, no bidirectional or zero-width character, no strange space, and no letter or sign that looks like
an ASCII one where ASCII is what a reader would take it for.  Each such character stands as ``\u{…}``.  It never
drops a character.  Sources: Unicode UAX #9 (bidi), UAX #31 and UTS #39 (mixed scripts, confusables; only the part that
imitates ASCII is kept, as a table of our own).

>>> visible("pay\u202elap.\u0430pk\n\x1b[2J")
'pay\\u{202E}lap.\\u{0430}pk\\u{000A}\\u{001B}[2J'
"""

from __future__ import annotations

import re
import unicodedata

from interlock.artifact.codec import hidden

_WORD = re.compile(r"\w+")
_IMITATING = frozenset({"CYRILLIC", "GREEK", "COPTIC", "ARMENIAN", "CHEROKEE", "LISU", "GEORGIAN", "DESERET", "OLD"})
_LETTERS = frozenset(
    "авеѕіјԁеһκӏмнорԛгѕтυսսνԝхуӱαοσιкрсаАВЕЅІЈКМНОРСТԜХУΑΒΕΖΗΙΚΜΝΟΡΤΥΧоօզցհոռտլյաքԛԚьѵѴЬҮүѠω"
)  # Cyrillic, Greek and Armenian letters that pass for Latin ones.
_LATIN = frozenset("ıɑɡɩʏʟʀǀǃƖꓲ")
_SIGNS = frozenset(
    "\u2010\u2011\u2012\u2043\u2212\u2044\u2215\u29f8\u2216\u29f5\u2236\ua789\u02d0\u0589\u05c3\u2219\u00b7\u02b9"
    "\u02bb\u02bc\u02c8\u2032\u2758\u01c0\u2223\u2024\u2027\u0660\u06d4\u2500\u2502\u250c\u2510\u2514\u2518\u2713\u2717\u2716\u26a0"
)  # Signs that pass for ``- / \ : . ' |``, and those with which the card itself is drawn.


def visible(text: str, *, lines: bool = False) -> str:
    """The text with every deceiving character spelled out; with ``lines``, line feeds stay."""
    if text.isascii() and text.isprintable():
        return text
    suspects = {place for word in _WORD.finditer(text) for place in _foreign(word)}
    return "".join(_spelled(text, place, suspects, lines) for place in range(len(text)))


def _spelled(text: str, place: int, suspects: set[int], lines: bool) -> str:
    char = text[place]
    if char == "\n" and lines:
        return char
    unseen = char in "\n\t" or hidden(char) is not None or unicodedata.category(char) == "Cs"
    return f"\\u{{{ord(char):04X}}}" if unseen or place in suspects or _imitates(text, place) else char


def _imitates(text: str, place: int) -> bool:
    """Whether one character by itself passes for ASCII, or hides in what stands before it."""
    char = text[place]
    if char.isascii():
        return False
    if char in _SIGNS or char in _LATIN or unicodedata.category(char) == "Zs":
        return True
    if unicodedata.combining(char) or unicodedata.category(char) in {"Mn", "Me"}:
        return place == 0 or text[place - 1].isascii() or _script(text[place - 1]) == "LATIN" or _stacked(text, place)
    return unicodedata.normalize("NFKC", char).isascii()


def _stacked(text: str, place: int) -> bool:
    return place > 2 and all(unicodedata.combining(char) for char in text[place - 3 : place])  # noqa: PLR2004


def _foreign(word: re.Match[str]) -> set[int]:
    """The places of letters that pass for Latin: in a word with Latin ones, or in one made of such letters alone."""
    text = word.group()
    if text.isascii():
        return set()
    places = {word.start() + index for index, char in enumerate(text) if _script(char) in _IMITATING}
    latin = any(char.isascii() and char.isalpha() for char in text)
    alone = all(char in _LETTERS or not char.isalpha() for char in text)
    return places if latin or alone else set()


def _script(char: str) -> str:
    return unicodedata.name(char, "").partition(" ")[0]
