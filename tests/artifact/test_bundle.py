"""A line of an exported ledger has one spelling, a bound, and a kind."""

from __future__ import annotations

import base64

import pytest

from interlock.artifact import bundle, codec
from interlock.artifact.bundle import BundleHead, Disclosure, parse_line
from interlock.artifact.errors import IntegrityError

HEAD = b'{"checkpoint":"x","format":"interlock-ledger/v1"}'
OPENED = codec.encode(Disclosure(index=3, salt=bytes(16), payload=b"p"))


def test_a_line_comes_back_as_it_was() -> None:
    assert parse_line(HEAD, BundleHead).checkpoint == "x"
    assert parse_line(OPENED, Disclosure) == Disclosure(index=3, salt=bytes(16), payload=b"p")


REFUSED = {
    "no JSON": b"{",
    "no UTF-8": b'{"checkpoint":"\xff","format":"interlock-ledger/v1"}',
    "null": b"null",
    "another format": HEAD.replace(b"v1", b"v2"),
    "another spelling": HEAD.replace(b":", b": ", 1),
    "another order": b'{"format":"interlock-ledger/v1","checkpoint":"x"}',
    "a default spelled out": HEAD.replace(b'"x"', b'"x","cosigned":""'),
    "an unknown field": HEAD.replace(b'"x"', b'"x","more":1'),
    "a key twice": HEAD.replace(b'"x"', b'"x","checkpoint":"x"'),
    "a newline": HEAD + b"\n",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_line(name: str) -> None:
    with pytest.raises(IntegrityError, match=r"bundle\.malformed"):
        parse_line(REFUSED[name], BundleHead)


@pytest.mark.parametrize("size", [15, 17])
def test_a_salt_has_one_size(size: int) -> None:
    raw = OPENED.replace(base64.b64encode(bytes(16)), base64.b64encode(bytes(size)))
    assert raw != OPENED
    with pytest.raises(IntegrityError, match=r"bundle\.malformed"):
        parse_line(raw, Disclosure)


def test_a_line_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MAX_LINE", len(HEAD))
    assert parse_line(HEAD, BundleHead)
    monkeypatch.setattr(bundle, "MAX_LINE", len(HEAD) - 1)
    with pytest.raises(IntegrityError, match=r"bundle\.malformed"):
        parse_line(HEAD, BundleHead)
