"""Characters that deceive, and ordinary text of several languages that must stay readable."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.surface.cli.layout import box, cells, clip, cut, table, wrap
from interlock.surface.cli.visible import visible

DECEIVING = {
    "escape": ("\x1b[31m", "\\u{001B}[31m"),
    "c1": ("\x9b1m", "\\u{009B}1m"),
    "newline": ("a\nb\tc\rd", "a\\u{000A}b\\u{0009}c\\u{000D}d"),
    "bidi": ("a\u202eb\u2066c\u200e", "a\\u{202E}b\\u{2066}c\\u{200E}"),
    "zero width": ("ro\u200bot\u2060\ufeff\u00ad", "ro\\u{200B}ot\\u{2060}\\u{FEFF}\\u{00AD}"),
    "spaces": ("a\u00a0b\u3000c\u2003", "a\\u{00A0}b\\u{3000}c\\u{2003}"),
    "mixed script": ("p\u0430ypal", "p\\u{0430}ypal"),
    "greek in latin": ("\u03bfpen", "\\u{03BF}pen"),
    "whole word of look-alikes": (
        "\u0430\u0440\u0440\u04cf\u0435.com",
        "\\u{0430}\\u{0440}\\u{0440}\\u{04CF}\\u{0435}.com",
    ),
    "fullwidth": ("\uff41\uff0fb", "\\u{FF41}\\u{FF0F}b"),
    "mathematical": ("\U0001d41a", "\\u{1D41A}"),
    "slashes": ("a\u2044b\u2215c\u29f8d", "a\\u{2044}b\\u{2215}c\\u{29F8}d"),
    "dots": ("a\u2024\u2025\u2026", "a\\u{2024}\\u{2025}\\u{2026}"),
    "minus": ("\u2212rf \u2010x", "\\u{2212}rf \\u{2010}x"),
    "dotless i": ("adm\u0131n", "adm\\u{0131}n"),
    "combining on ascii": ("a\u0336b", "a\\u{0336}b"),
    "variation selector": ("a\ufe0f", "a\\u{FE0F}"),
    "tag characters": ("\U000e0041", "\\u{E0041}"),
    "lone surrogate": ("\ud800", "\\u{D800}"),
    "private use": ("\ue000", "\\u{E000}"),
    "drawing": ("\u2502 \u2500 \u2713", "\\u{2502} \\u{2500} \\u{2713}"),
    "line separator": ("a\u2028b", "a\\u{2028}b"),
}
HONEST = (
    "plain ASCII, with 'signs' and \\ too",
    "naïve café Ærøskøbing",
    "Привет, мир",
    "Ελληνικά",
    "日本語のテスト",
    "한국어",
    "price 5 € — “fine”",
    "🙂",
)


@pytest.mark.parametrize("name", DECEIVING)
def test_deceiving_character_is_spelled_out(name: str) -> None:
    text, expected = DECEIVING[name]
    assert visible(text) == expected


@pytest.mark.parametrize("text", HONEST)
def test_honest_text_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


def test_line_feeds_stay_only_where_lines_are_asked_for() -> None:
    assert visible("a\nb\r\n", lines=True) == "a\nb\\u{000D}\n"


@given(st.text(max_size=80))
def test_nothing_invisible_is_left_and_nothing_is_dropped(text: str) -> None:
    shown = visible(text)
    assert all(unicodedata.category(char)[0] != "C" for char in shown)
    assert visible(shown) == shown
    assert len(shown) >= len(text)


@given(st.text(max_size=200), st.integers(min_value=12, max_value=60))
def test_layout_fits_its_width_and_keeps_every_character(text: str, width: int) -> None:
    shown = visible(text)
    assert all(cells(line) <= width for line in (*wrap(shown, width), *cut(shown, width), clip(shown, width)))
    assert "".join(cut(shown, width)) == shown
    assert "".join(wrap(shown, width)).replace(" ", "") == shown.replace(" ", "")


@given(st.text(max_size=300))
def test_box_is_closed_on_every_line(text: str) -> None:
    lines = box("written by the planner, unverified", wrap(visible(text), 40), 44)
    assert {cells(line) for line in lines} == {44}
    assert all(line.startswith("│ ") and line.endswith(" │") for line in lines[1:-1])


def test_escape_is_never_cut_in_two() -> None:
    assert cut("ab\\u{202E}cd", 10) == ["ab\\u{202E}", "cd"]
    assert cut("abc\\u{202E}cd", 10) == ["abc", "\\u{202E}cd"]


def test_table_makes_its_cells_visible() -> None:
    assert table(("A", "B"), [("x\n", "\x1b"), (1, "y")]).split("\n") == [
        "A          B",
        "x\\u{000A}  \\u{001B}",
        "1          y",
    ]
