"""The frame of a page: no script, nothing from elsewhere, every text escaped, readable without colour and on paper.

A page forbids itself everything but its own style (Content-Security-Policy, by hash), so that whatever names it holds
are text.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

from interlock.surface.evaluation.markup import Markup, element, raw

_STYLE: Final = raw(
    ":root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}"
    "body{max-width:100rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;font-size:.85rem}th,td{padding:.2rem .6rem;border:1px solid;text-align:right;"
    "white-space:nowrap}th[scope=row],td.word{text-align:left}caption{text-align:left;font-weight:600;padding:.3rem 0}"
    ".wide{overflow-x:auto;margin:1rem 0}figure{margin:1.5rem 0}figcaption{font-weight:600}svg{width:100%;height:auto;"
    "font:12px system-ui,sans-serif}code{overflow-wrap:anywhere}"
)


def document(title: str, *parts: Markup) -> str:
    """The page."""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=raw(policy)),
        element("meta", name="viewport", content="width=device-width"),
        element("title", f"Interlock: {title}"),
        element("style", _STYLE),
    )
    body = element("body", element("main", element("h1", title), *parts))
    return "<!DOCTYPE html>\n" + element("html", head, body, lang="en") + "\n"


def table(title: str, heads: Sequence[str], rows: Iterable[Sequence[object]], *, words: int) -> Markup:
    """The first cell of a row is its name, and so many are words."""
    head = element("tr", *(element("th", text, scope="col") for text in heads))
    body = [
        element(
            "tr", element("th", row[0], scope="row"), *(element("td", cell, class_="word") for cell in row[1:words]),
            *(element("td", cell) for cell in row[words:]),
        )
        for row in rows
    ]  # fmt: skip
    shown = element("table", element("caption", title), element("thead", head), element("tbody", *body))
    return element("div", shown, class_="wide")
