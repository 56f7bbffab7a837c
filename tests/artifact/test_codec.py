"""The codec's laws, with an independent implementation of RFC 8785 as the oracle."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from interlock.artifact import codec
from interlock.artifact.errors import CodecError
from support.vectors import cases, name, raw


def visible(text: str) -> bool:
    return codec.hidden(text) is None and unicodedata.is_normalized("NFC", text)


characters = st.characters(exclude_categories=["Cs", "Cc", "Cf", "Co", "Cn", "Zl", "Zp"])
strings = st.text(characters, max_size=20).filter(visible)
keys = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=8).filter(visible)
integers = st.integers(-codec.MAX_INTEGER, codec.MAX_INTEGER)
atoms = st.none() | st.booleans() | integers | strings


def values(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(leaves, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=5))


data_strings = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
data_values = values(st.none() | st.booleans() | integers | data_strings)


@given(values(atoms))
def test_round_trip(value: Any) -> None:
    encoded = codec.encode(value)
    assert codec.parse(encoded) == value
    assert codec.decode_canonical(encoded, object) == value
    assert codec.encode(codec.parse(encoded)) == encoded


@given(data_values)
def test_canonical_bytes_are_those_of_rfc_8785(value: Any) -> None:
    encoded = codec.encode(value)
    assert encoded == rfc8785.dumps(value)
    assert codec.digest(value) == hashlib.sha256(rfc8785.dumps(value)).hexdigest()
    assert codec.decode_canonical(encoded, object, data=True) == value


@given(values(atoms), st.sampled_from([{"indent": 1}, {"separators": (", ", ": ")}, {"ensure_ascii": True}]))
def test_any_spelling_is_read_and_only_one_is_canonical(value: Any, style: dict[str, Any]) -> None:
    spelled = json.dumps(value, **{"ensure_ascii": False, **style}).encode()
    assert codec.parse(spelled) == value
    if spelled != codec.encode(value):
        with pytest.raises(CodecError, match="not_canonical"):
            codec.decode_canonical(spelled, object)


@given(st.binary(max_size=64) | st.text(max_size=64).map(str.encode))
def test_arbitrary_bytes_are_a_value_or_a_codec_error(noise: bytes) -> None:
    try:
        value = codec.parse(noise)
    except CodecError:
        return
    assert codec.parse(codec.encode(value)) == value


@given(values(atoms), st.data())
def test_what_is_read_as_canonical_has_no_other_spelling(value: Any, data: st.DataObject) -> None:
    encoded = codec.encode(value)
    at = data.draw(st.integers(0, len(encoded) - 1))
    changed = encoded[:at] + bytes([data.draw(st.integers(0, 255))]) + encoded[at + 1 :]
    try:
        found = codec.decode_canonical(changed, object, data=True)
    except CodecError:
        return
    assert codec.encode(found) == changed


@pytest.mark.parametrize("case", cases("codec-accepted"), ids=name)
def test_golden_vectors(case: dict[str, Any]) -> None:
    data = case.get("data", False)
    value = codec.parse(raw(case), data=data)
    assert codec.encode(value) == case["canonical"].encode()
    assert codec.digest(value) == case["sha256"]
    assert codec.decode_canonical(case["canonical"].encode(), object, data=data) == value


def test_only_what_json_has_is_in_the_domain() -> None:
    with pytest.raises(CodecError, match=r"codec\.float"):
        codec.check((1, 2))  # type: ignore[arg-type]


def test_builtin_is_what_encode_writes() -> None:
    assert codec.builtin((1, "a")) == [1, "a"]


def test_a_string_of_data_may_be_as_long_as_the_whole() -> None:
    long = codec.encode("a" * (codec.MAX_STRING + 1))
    assert len(codec.decode_canonical(long, str, data=True)) == codec.MAX_STRING + 1


@pytest.mark.parametrize("text", ["a\u202eb", "e\u0301", "\x7f", "x" * (codec.MAX_STRING + 1)])
def test_what_a_person_would_not_see_is_an_error_unless_it_is_called_data(text: str) -> None:
    raw_ = json.dumps(text, ensure_ascii=False).encode()
    with pytest.raises(CodecError):
        codec.parse(raw_)
    with pytest.raises(CodecError):
        codec.check([text])
    assert codec.parse(raw_, data=True) == text
    codec.check([text], data=True)


BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\ufe00\ufe0f\U000e0100\U000e01ef"
SEEN = "\u034e\u0350\u115e\u1161\u17b3\u17b6\u180a\u1810\u27ff\u2801\u3163\u3165\uffa1\ufe10"


@pytest.mark.parametrize(("marks", "is_hidden"), [(BLANK, True), (SEEN, False)])
def test_marks_that_show_nothing_are_hidden_and_their_neighbours_are_not(marks: str, is_hidden: bool) -> None:
    assert [hex(ord(mark)) for mark in marks if (codec.hidden(mark) == mark) is not is_hidden] == []


@pytest.mark.parametrize(
    "value", [[[]] * 31, [0] * 4096, "a" * ((1 << 18) - 2), 10**15 - 1], ids=("brackets", "commas", "bytes", "digits")
)
def test_the_shortcut_is_taken_up_to_its_bounds(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(codec, "check")
    assert codec.decode_canonical(codec.encode(value), object) == value
