"""Every field of every artifact, changed after it was signed: nothing verifies, and every digest differs.

The cases are derived from full samples (each field away from its default), so a new field is a new case.
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.artifact import codec, signing
from interlock.artifact.approval import Approval
from interlock.artifact.errors import InterlockError, SignatureError
from interlock.artifact.plan import Plan
from support.samples import ANN, APPROVAL, HARNESS, KEYRING, NOW, PLAN, SIGNED

Path = tuple[str | int, ...]


def spots(value: Any, path: Path = ()) -> Iterator[Path]:
    """The path of every leaf, key and container below the root."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from spots(item, (*path, key))


def changes(value: Any) -> Iterator[Any]:
    """Other values in the place of one: the nearest neighbour and nothing at all."""
    match value:
        case bool():
            yield not value
        case int():
            yield value + 1
        case str():
            yield value[:-1] + ("0" if value[-1:] != "0" else "1")
        case list():
            yield value[:-1]
            yield [*value, *value[-1:]]
        case dict():
            yield {**value, "added": 1}
    yield None


def changed(document: Any, path: Path) -> Iterator[Any]:
    for replacement in [*changes(_at(document, path)), _DROP]:
        copied = copy.deepcopy(document)
        holder = _at(copied, path[:-1])
        if replacement is _DROP:
            del holder[path[-1]]
        else:
            holder[path[-1]] = replacement
        yield copied


_DROP = object()


def _at(document: Any, path: Path) -> Any:
    for key in path:
        document = document[key]
    return document


def statement(kind: str) -> Any:
    value = SIGNED[kind]
    envelope = json.loads(signing.sign(HARNESS, kind, codec.digest(value), value))
    return envelope, json.loads(base64.b64decode(envelope["payload"]))


def verify(raw: bytes, kind: str) -> None:
    signing.verify(raw, KEYRING, "harness", kind, type(SIGNED[kind]), at=NOW)


def named(case: tuple[str, Path]) -> str:
    kind, path = case
    return f"{kind}: " + "/".join(map(str, path))


FIELDS = [(kind, path) for kind, value in SIGNED.items() for path in spots(codec.builtin(value))]
STATEMENT = [(kind, path) for kind in SIGNED for path in spots(statement(kind)[1]) if path[0] != "predicate"]
ENVELOPE = [(kind, path) for kind in SIGNED for path in spots(statement(kind)[0])]


@pytest.mark.parametrize("kind", SIGNED)
def test_untouched_it_verifies(kind: str) -> None:
    value = SIGNED[kind]
    raw = signing.sign(HARNESS, kind, codec.digest(value), value)
    found = signing.verify(raw, KEYRING, "harness", kind, type(value), at=NOW)
    assert (found.predicate, found.subject, found.owners) == (value, codec.digest(value), ("harness",))


@pytest.mark.parametrize("case", FIELDS, ids=named)
def test_a_changed_field_breaks_signature_and_digest(case: tuple[str, Path]) -> None:
    kind, path = case
    envelope, said = statement(kind)
    for predicate in changed(said["predicate"], path):
        payload = base64.b64encode(codec.encode({**said, "predicate": predicate})).decode()
        with pytest.raises(SignatureError, match=r"signature\.untrusted"):
            verify(codec.encode({**envelope, "payload": payload}), kind)
        assert codec.digest(predicate) != codec.digest(SIGNED[kind])


@pytest.mark.parametrize("case", STATEMENT, ids=named)
def test_a_changed_statement_breaks_the_signature(case: tuple[str, Path]) -> None:
    kind, path = case
    envelope, said = statement(kind)
    for other in changed(said, path):
        payload = base64.b64encode(codec.encode(other)).decode()
        with pytest.raises(SignatureError, match=r"signature\.untrusted"):
            verify(codec.encode({**envelope, "payload": payload}), kind)


@pytest.mark.parametrize("case", ENVELOPE, ids=named)
def test_a_changed_envelope_is_refused(case: tuple[str, Path]) -> None:
    kind, path = case
    for other in changed(statement(kind)[0], path):
        with pytest.raises(InterlockError, match=r"^(signature\.(untrusted|base64)|codec\.schema)"):
            verify(codec.encode(other), kind)


@given(kind=st.sampled_from(sorted(SIGNED)), data=st.data())
def test_no_changed_byte_verifies(kind: str, data: st.DataObject) -> None:
    raw = codec.encode(statement(kind)[0])
    at = data.draw(st.integers(0, len(raw) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != raw[at]))
    with pytest.raises(InterlockError):
        verify(raw[:at] + bytes([byte]) + raw[at + 1 :], kind)


@given(kind=st.sampled_from(sorted(SIGNED)), data=st.data())
def test_no_cut_or_stretched_envelope_verifies(kind: str, data: st.DataObject) -> None:
    raw = codec.encode(statement(kind)[0])
    at = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(InterlockError):
        verify(raw[:at], kind)
    with pytest.raises(InterlockError):
        verify(raw[:at] + data.draw(st.binary(min_size=1, max_size=4)) + raw[at:], kind)


@pytest.mark.parametrize("path", list(spots(codec.builtin(PLAN))), ids=lambda path: "/".join(map(str, path)))
def test_an_approval_is_of_exactly_one_plan(path: Path) -> None:
    raw = signing.sign(ANN, "approval", APPROVAL.plan, APPROVAL)
    approved = signing.verify(raw, KEYRING, "approver", "approval", Approval, at=NOW).predicate.plan
    assert approved == codec.digest(PLAN)
    for other in changed(codec.builtin(PLAN), path):
        try:
            plan = codec.convert(other, Plan)
        except InterlockError:
            continue
        if codec.encode(plan) != codec.encode(PLAN):
            assert codec.digest(plan) != approved
