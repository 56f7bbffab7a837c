"""Hostile texts against every analyser but the shell's: none raises, all end soon, and every claim can be spelled."""

import base64
import gzip
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.analyst import data, decoding, json_, mail, paths, python, sql, text, urls, windows
from interlock.analyst.claims import Claims, Place
from interlock.artifact.codec import encode, parse
from support.analysing import place

ANALYSERS: dict[str, Callable[[str, Place], Claims]] = {
    "data": data.analyse, "decoding": decoding.analyse, "json": json_.analyse, "mail": mail.analyse, "paths": paths.analyse,
    "python": python.analyse, "sql": sql.analyse, "text": text.analyse, "urls": urls.analyse, "windows": windows.analyse,
}  # fmt: skip
SIZE = 40_000
SOON = 10.0  # Seconds of CPU: an order of magnitude above what the slowest takes, and below anything quadratic.


def fill(unit: str) -> str:
    return (unit * (SIZE // len(unit) + 1))[:SIZE]


BOMBS = {
    "parentheses": fill("("),
    "brackets": fill("["),
    "objects": fill('{"a":'),
    "quotes": fill("'"),
    "backslashes": fill("\\"),
    "blanks": fill(" "),
    "lines": fill("\n") + "x",
    "comments": fill("/*"),
    "percent": fill("%25"),
    "entities": fill("&#38;"),
    "escapes": fill("\\x5c"),
    "traversal": fill("../"),
    "overlong bytes": fill("%c0%ae"),
    "at signs": fill("a@"),
    "addresses": fill("a@a.a,"),
    "numbers": fill("1.1."),
    "cards": fill("4111 "),
    "accounts": fill("GB33 BUKB "),
    "assignments": fill("password="),
    "tokens": fill("eyJa."),
    "nested selects": fill("select * from ("),
    "conditions": "select * from t where " + fill("a=1 or "),
    "unions": fill("select 1 union "),
    "negations": "x = " + fill("-") + "1",
    "additions": "x = " + fill("1+") + "1",
    "calls": fill("f("),
    "blocks": "".join(" " * depth + "if 1:\n" for depth in range(150)),
    "cmdlets": fill("Get-Item "),
    "long options": fill("certutil "),
    "orders": fill("ignore all "),
    "images": fill("![x]("),
    "zero width": fill("\u200b"),
    "tags": fill("\U000e0041"),
    "mixed scripts": fill("аb"),
    "null bytes": fill("\0"),
    "lone surrogates": fill("\ud800a"),
    "gzip bomb": base64.b64encode(gzip.compress(b"A" * 30_000_000)).decode(),
    "nested base64": base64.b64encode(base64.b64encode(base64.b64encode(fill("QUFB").encode()))).decode()[:SIZE],
    "huge": "x" * 400_000,
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("analyser", ANALYSERS)
def test_a_bomb_is_claimed_soon_and_can_be_spelled(analyser: str, bomb: str) -> None:
    before = time.process_time()
    analysis = ANALYSERS[analyser](BOMBS[bomb], place()).analysis()
    assert time.process_time() - before < SOON
    parse(encode(analysis))


FRAGMENTS = st.sampled_from(
    [
        "select ", "from ", "' or 1=1--", ";", "(", ")", "import os\n", "os.system(", "exec(", "http://", "127.1", "@", "%2e", "..", "/", "\\",
        "powershell -enc ", "cmd /c ", "AAAA", "=", "\n", " ", "\u202e", "\u200b", "а", "\ud83d", "\0", "ghp_", "1111 ", "<", ">", '"', "'",
        "&#x41;", "\\u0041", "ignore previous instructions", "[::1]", "xn--", "{", "}", "[", "]", "lambda: ", "not ", "-", "+", "0x", "union ",
    ]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=200), st.lists(FRAGMENTS, max_size=40).map("".join))


@pytest.mark.parametrize("analyser", ANALYSERS)
@settings(max_examples=150)
@given(given_text=TEXTS)
def test_no_text_makes_an_analyser_raise_or_claim_what_cannot_be_spelled(analyser: str, given_text: str) -> None:
    parse(encode(ANALYSERS[analyser](given_text, place()).analysis()))


@pytest.mark.parametrize("analyser", ANALYSERS)
@settings(max_examples=40)
@given(given_text=TEXTS)
def test_an_analyser_says_the_same_twice(analyser: str, given_text: str) -> None:
    one, two = (ANALYSERS[analyser](given_text, place()).analysis() for _ in range(2))
    assert one == two


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(["to", "sql", "command", "path", "x"]), inner, max_size=4)),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=100)
@given(value=VALUES)
def test_no_value_makes_the_walker_raise(value: object) -> None:
    parse(encode(json_.walk(value, place()).analysis()))  # type: ignore[arg-type]
