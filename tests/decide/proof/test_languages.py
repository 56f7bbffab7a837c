"""Languages are the globs that the engine and the floor match, and a witness is what it says."""

from __future__ import annotations

import dataclasses
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.decide.globs import matches
from interlock.decide.policy.patterns import Facts
from interlock.decide.policy.request import canonical
from interlock.decide.proof import facts, languages, shapes
from interlock.decide.proof.facts import path_glob, site_glob, starred
from interlock.decide.proof.languages import (
    Automaton,
    Contradiction,
    GaveUp,
    Language,
    Piece,
    States,
    automaton,
    exactly,
    witness,
)

_PATHS = st.lists(st.text("ab.", min_size=1, max_size=3).filter(lambda part: part not in {".", ".."}), max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)
_SEGMENTS = st.lists(st.sampled_from(("**", "*", "a", "b*", "*.a", "a*b", "ab")), min_size=1, max_size=4)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(_SEGMENTS, _PATHS)
def test_path_globs_are_those_of_the_rules(segments: list[str], path: str) -> None:
    glob = "/" + "/".join(segments)
    facts = Facts({f"path {glob}"}, home="/h", root="/r")
    assert path_glob(glob, home="/h", root="/r")[1].accepts(path) == bool(facts.of_path(path, folder=False))


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    st.lists(st.sampled_from(("**", "*", "a", "b?", "*.a", "**.a", "a**", "ab")), min_size=1, max_size=4),
    _PATHS,
    st.sampled_from(("", "/", "~/")),
)
def test_site_globs_are_those_of_the_workspace(segments: list[str], path: str, head: str) -> None:
    glob = head + "/".join(segments)
    assert site_glob(glob, "/a").accepts(path) == matches(glob, path, "/a")


@pytest.mark.parametrize(
    ("shape", "kind", "good", "bad"),
    [
        ("file", "file", ("/", "/a", "/a/.b", "/..a", "/a/..b.", "/.a"), ("", "a", "//", "/a/", "/.", "/a/..", "/a\\b", "/a/./b", "/a\u200b")),
        ("endpoint", "endpoint", ("a:1", "a-b.c:65535", "a--b:80"), ("a", "a:", "a:0", "-a:1", "a-:1", "a..b:1", "a:123456", ".a:1", "A:1", "a:1:2")),
        ("", "vm", ("a", "a b", "/x/"), (" a", "a ", "", "a\tb", "\u200b")),
    ],
)  # fmt: skip
def test_shapes_are_the_canonical_names(shape: str, kind: str, good: tuple[str, ...], bad: tuple[str, ...]) -> None:
    found = shapes.OF_KIND.get(shape, shapes.NAME)

    def walks(text: str) -> bool:
        state: str | None = ""
        for char in text:
            state = found.step(state, char) if state is not None else None
        return state is not None and found.ends(state)

    for text, is_good in [*((text, True) for text in good), *((text, False) for text in bad)]:
        assert (walks(text), canonical(kind, text), found.admits(text)) == (is_good, is_good, is_good), text


def test_signals_have_two_or_three_parts() -> None:
    shape = shapes.OF_LIST["signals"]
    told = {
        "a.b": True,
        "a1_.b2.c": True,
        **dict.fromkeys(("a", "a.", "a.b.", "a.b.c.d", "1.a", "a.1", "A.b", ".a", "a..b"), False),
    }
    for text, good in told.items():
        state: str | None = ""
        for char in text:
            state = shape.step(state, char) if state is not None else None
        assert (state is not None and shape.ends(state), shape.admits(text)) == (good, good), text


def test_words_begin_with_a_letter_or_digit() -> None:
    assert shapes.WORD.step("", ".") is None
    assert shapes.WORD.step("x", ".") == "x"
    assert shapes.FREE.step("", "\u200b") is None


def test_a_witness_is_in_all_and_in_none() -> None:
    found = witness([starred("a*"), starred("*b")], [exactly("ab"), exactly("azqb")], shapes.WORD)
    assert isinstance(found, str) and found[0] == "a" and found[-1] == "b" and found not in {"ab", "azqb"}


def test_a_contradiction_names_what_contradicts() -> None:
    long, wide, other = starred("abc*"), starred("ab*"), starred("*z")
    assert witness([long, other], [exactly("q"), wide], shapes.WORD) == Contradiction((long,), (wide,))
    assert witness([exactly("q"), wide], [], shapes.WORD) == Contradiction((exactly("q"), wide), ())


def test_work_is_bounded_and_refused_texts_are_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    strange = dataclasses.replace(shapes.WORD, admits=lambda text: len(text) > 3, tries=())
    with pytest.raises(GaveUp):
        witness([exactly("ab")], [], strange)
    assert witness([exactly("ab"), exactly("cd")], [], strange) == Contradiction((exactly("ab"), exactly("cd")), ())
    monkeypatch.setattr(languages, "MAX_STATES", 3)
    with pytest.raises(GaveUp):
        witness([starred("*abcdefg")], [starred("*zqabcdefg"), exactly("abcdefg")], shapes.WORD)


def test_text_is_compared_in_lower_case_where_it_is_folded() -> None:
    assert starred("*@A.b".lower(), folded=True).accepts("X@A.B")
    assert not starred("*@a.b").accepts("x@A.b")
    assert Language((Piece.ONE, Piece.DIGITS)).accepts("x09") and not Language((Piece.ONE,)).accepts("/")


def odd(text: str, glob: str) -> bool:
    """Whether a text is in a glob's language, and the real matcher says otherwise, or the other way round."""
    if glob.startswith("site "):
        return site_glob(glob[5:], "/a").accepts(text) != matches(glob[5:], text, "/a")
    if glob.startswith("to "):
        real = Facts({f"destinations {glob[3:]}"}, home="/h", root="/r").of_destinations((text,))
        return starred(glob[3:], folded=True).accepts(text) != bool(real)
    real_path = Facts({f"path {glob}"}, home="/h", root="/r").of_path(text, folder=False)
    return path_glob(glob, home="/h", root="/r")[1].accepts(text) != bool(real_path)


def _optional(self: Automaton, test: str) -> None:
    last = len(self._edges) - 1
    self._edges[last].append((test, last))
    self._skip()


def _once(self: Automaton, *, slash_first: bool) -> None:
    del slash_first
    self._link("/")
    self._repeated("no slash")


def _unclosed(_: Automaton, states: set[int]) -> States:
    return frozenset(states)


AUTOMATA: dict[str, tuple[object, str, object, str, str]] = {
    "a star crosses folders": (languages, "_passes", lambda test, char: test in {"any", "no slash", char}, "/a*", "/ab/c"),
    "a segment may be empty": (Automaton, "_repeated", _optional, "/a/*", "/a/"),
    "folders between are no choice": (Automaton, "_folders", _once, "/a/**/b", "/a/b"),
    "what may be nothing is something": (Automaton, "_closed", _unclosed, "/a*", "/a"),
    "any text ends at a slash": (languages, "_LOOPS", {Piece.ANY: "no slash", Piece.WITHIN: "no slash"}, "to *", "a/b"),
    "letters of another case": (facts, "Language", lambda parts, _folded=False: Language(parts), "to a@b", "A@b"),
    "a question mark is a letter": (facts, "_SITE_GLOB", re.compile(r"(\*\*/|\*\*|\*)"), "site /a/?", "/a/b"),
}  # fmt: skip


@pytest.mark.parametrize("name", AUTOMATA)
def test_a_mistake_of_the_automata_is_noticed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    owner, attribute, mutant, glob, text = AUTOMATA[name]
    assert not odd(text, glob)
    automaton.cache_clear()
    monkeypatch.setattr(owner, attribute, mutant)
    assert odd(text, glob)
    automaton.cache_clear()
