"""Path globs against a plain reference matcher, the folder rule, and time."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.decide.policy.patterns import Facts

SEGMENT = st.text("ab.", min_size=1, max_size=3).filter(lambda text: text not in {".", ".."})
PATH = st.lists(SEGMENT, min_size=1, max_size=5).map(lambda parts: "/" + "/".join(parts))
GLOB_SEGMENT = st.one_of(
    st.just("**"), st.text("ab.*", min_size=1, max_size=4).filter(lambda t: t not in {".", ".."} and "**" not in t)
)
GLOB = st.lists(GLOB_SEGMENT, min_size=1, max_size=5).map(lambda parts: "/" + "/".join(parts))


def reference(glob: list[str], path: list[str]) -> bool:
    """The definition, by plain recursion."""
    if not glob:
        return not path
    if glob[0] == "**":
        return any(reference(glob[1:], path[start:]) for start in range(len(path) + 1))
    return bool(path) and star(glob[0], path[0]) and reference(glob[1:], path[1:])


def star(glob: str, text: str) -> bool:
    if not glob:
        return not text
    if glob[0] == "*":
        return any(star(glob[1:], text[start:]) for start in range(len(text) + 1))
    return bool(text) and glob[0] == text[0] and star(glob[1:], text[1:])


@settings(max_examples=600, deadline=None)
@given(globs=st.lists(GLOB, min_size=1, max_size=4, unique=True), path=PATH)
def test_globs_match_exactly_what_the_definition_says(globs: list[str], path: str) -> None:
    facts = Facts({f"path {glob}" for glob in globs}, home="/h", root="/r")
    expected = {f"path {glob}" for glob in globs if reference(glob.split("/")[1:], path.split("/")[1:])}
    assert facts.of_path(path, folder=False) == expected


@settings(max_examples=300, deadline=None)
@given(glob=GLOB, path=PATH)
def test_touching_is_never_narrower_than_matching(glob: str, path: str) -> None:
    facts = Facts({f"path {glob}", f"touches path {glob}"}, home="/h", root="/r")
    for folder in (False, True):
        found = facts.of_path(path, folder=folder)
        assert f"path {glob}" not in found or f"touches path {glob}" in found
        assert facts.of_path(path, folder=False) <= found


@pytest.mark.parametrize(
    ("glob", "folder", "touched"),
    [
        ("/a/b/**", "/a", True), ("/a/b/**", "/", True), ("/a/b/**", "/a/b", True), ("/a/b/**", "/a/bc", False),
        ("/a/b/c*", "/a/b", True), ("/a/b/c", "/a/b", True), ("/a/b/c", "/a/b/d", False), ("**/x", "/a", False),
    ],
)  # fmt: skip
def test_a_folder_touches_what_lies_fixed_in_it(glob: str, folder: str, touched: bool) -> None:
    facts = Facts({f"path {glob}", f"touches path {glob}"}, home="/h", root="/r")
    assert (f"touches path {glob}" in facts.of_path(folder, folder=True)) is touched
    assert f"path {glob}" not in facts.of_path(folder, folder=True) or glob == "/a/b/**"


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("~/x", "/h/x", True), ("./x", "/r/x", True), ("**", "/", True), ("/**", "/", True), ("/a/*", "/a", False),
        ("/a/**", "/a", True), ("/a/**/*", "/a", False), ("**/.env", "/.env", True), ("**/.env", "/a/.ENV", False),
        ("**/*.pem", "/a/.pem", True), ("/a/*", "/a/b/c", False), ("/a*b", "/a\nb", True), ("**/a b", "/x/a b", True),
    ],
)  # fmt: skip
def test_globs_by_hand(glob: str, path: str, matches: bool) -> None:
    assert bool(Facts({f"path {glob}"}, home="/h", root="/r").of_path(path, folder=False)) is matches


@pytest.mark.parametrize(
    ("glob", "path"),
    [
        ("/" + "*a" * 300, "/" + "a" * 4000),
        ("/" + "*a" * 300 + "b", "/" + "a" * 4000),
        ("/" + "**/a/" * 150 + "b", "/a" * 2000),
        ("/" + "**/*a*/*a*/" * 40 + "b", "/" + "aaaa/" * 800 + "a"),
    ],
)
def test_no_glob_makes_matching_explode(glob: str, path: str) -> None:
    facts = Facts({f"touches path {glob}"}, home="/h", root="/r")
    start = time.process_time()
    facts.of_path(path, folder=True)
    assert time.process_time() - start < 2


def test_no_destination_glob_makes_matching_explode() -> None:
    facts = Facts({"destinations " + "*a" * 300 + "b"}, home="/h", root="/r")
    start = time.process_time()
    assert facts.of_destinations(["a" * 20_000]) == set()
    assert time.process_time() - start < 2
