"""Plain-text layout in terminal cells: wrapping, boxes, tables.  Values in, lines out; every line fits its width."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from interlock.surface.cli.visible import visible

_PARTS = re.compile(r"\\u\{[0-9A-F]{4,6}\}|.", re.DOTALL)


def cells(text: str) -> int:
    """How many columns a terminal gives to the text."""
    if text.isascii():
        return len(text)
    return sum(_width(char) for char in text)


def wrap(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` cells, broken at spaces where there are any; never an empty list."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if cells(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        *full, line = cut(word, width)
        lines += full
    return [*lines, line]


def cut(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` cells, broken anywhere but inside ``\\u{…}``; never an empty list."""
    if text.isascii() and "\\u{" not in text:
        return [text[start : start + width] for start in range(0, len(text), width)] or [""]
    lines: list[str] = []
    line, used = "", 0
    for part in _PARTS.findall(text):
        needed = cells(part)
        if used + needed > width:
            lines.append(line)
            line, used = "", 0
        line, used = line + part, used + needed
    return [*lines, line]


def clip(text: str, width: int) -> str:
    """The text, or its beginning and an ellipsis."""
    return text if cells(text) <= width else cut(text, width - 1)[0] + "…"


def pad(text: str, width: int, fill: str = " ") -> str:
    """The text with ``fill`` up to ``width`` cells."""
    return text + fill * max(0, width - cells(text))


def box(title: str, lines: Iterable[str], width: int) -> list[str]:
    """A drawn box around lines that fit ``width - 4`` cells."""
    head = clip(title, width - 6)
    top = f"┌─ {head} " + "─" * (width - 5 - cells(head)) + "┐"
    return [top, *(f"│ {pad(line, width - 4)} │" for line in lines), "└" + "─" * (width - 2) + "┘"]


def rule(title: str, width: int) -> str:
    """A section's head."""
    return pad(clip(f"── {title} ", width), width, "─")


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Aligned columns, every cell made visible; the last column is not padded."""
    texts = [list(headers), *[[visible(str(cell)) for cell in row] for row in rows]]
    widths = [max(cells(row[column]) for row in texts) for column in range(len(headers))]
    lines = ["  ".join(pad(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in texts]
    return "\n".join(lines)


def _width(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1
