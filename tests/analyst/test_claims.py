"""Claims stay within their bounds, and say so when they would not."""

import pytest

from interlock.analyst.claims import MAX_NESTING, MAX_TOUCHED, Claims, Place
from interlock.artifact.action import Effect
from interlock.artifact.codec import encode, parse

PLACE = Place(argument="command", root="/proj", home="/home/ada")


@pytest.mark.parametrize("name", ["a\u200bb", "e\u0301", "\ud800", "x" * 5000, "a\x1bb"])
def test_a_name_that_no_artifact_holds_is_open_and_opaque(name: str) -> None:
    claims = Claims(PLACE)
    claims.touch(Effect.READ, "package", name)
    claims.program(name)
    analysis = claims.analysis()
    assert analysis.touched[0].open and not analysis.known and not analysis.programs
    parse(encode(analysis))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/../b", "/proj/b"),
        ("~/x", "/home/ada/x"),
        ("/etc//passwd", "/etc/passwd"),
        ("", "*"),
        ("~bob/x", "*"),
        ("a\0", "*"),
    ],
)
def test_a_path_is_canonical_or_open(path: str, name: str) -> None:
    claims = Claims(PLACE)
    claims.file(Effect.WRITE, path)
    assert [one.name for one in claims.touched] == [name]
    assert claims.analysis().known is (name != "*")


def test_too_many_is_opaque_and_a_repetition_is_not() -> None:
    claims = Claims(PLACE)
    for number in range(MAX_TOUCHED):
        claims.file(Effect.READ, f"f{number}")
    claims.file(Effect.READ, "f0")
    assert claims.analysis().known
    claims.file(Effect.READ, "one-more")
    assert len(claims.touched) == MAX_TOUCHED and not claims.analysis().known


def test_other_languages_are_read_by_their_analysers_to_a_bounded_nesting() -> None:
    def reader(text: str, place: Place) -> Claims:
        claims = Claims(place)
        claims.signal(f"nested.n{place.nesting}")
        claims.find("secret", "secret.key")
        claims.program(text)
        claims.inline("python", text)
        return claims

    claims = Claims(Place(argument="command", root="/proj", analysers={"python": reader}))
    claims.inline("python", "x")
    claims.inline("ruby", "x")
    assert list(claims.signals) == [f"nested.n{level}" for level in range(1, MAX_NESTING + 1)]
    assert list(claims.opaque_codes) == ["analysis.too_nested", "analysis.no_analyser"]
    assert [finding.code for finding in claims.analysis().findings] == ["secret.key"]
