"""Markup that escapes by default: whatever is not made here is text, made visible and escaped.

>>> element("p", "a < b", class_="note")
'<p class="note">a &lt; b</p>'
>>> element("p", element("b", "x"), "\\u202e")
'<p><b>x</b>\\\\u{202E}</p>'
"""

from __future__ import annotations

import html
from typing import Final

from interlock.surface.cli.visible import visible

_VOID: Final = frozenset({"meta", "link", "br", "hr"})


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def escaped(text: object) -> Markup:
    """Text that no reader can take for markup or for other text."""
    return text if isinstance(text, Markup) else Markup(html.escape(visible(str(text))))


def element(name: str, /, *children: object, **attributes: object) -> Markup:
    """An element; ``class_`` and ``stroke_width`` stand for ``class`` and ``stroke-width``."""
    given = "".join(f' {key.rstrip("_").replace("_", "-")}="{escaped(value)}"' for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{''.join(map(escaped, children))}</{name}>")


def raw(text: str) -> Markup:
    """Constant text of our own that is markup."""
    return Markup(text)
