"""The codec under random and mutated bytes: it raises nothing but its own error, and what it reads others read alike.

Oracles: the standard library's parser for values, rfc8785 for canonical bytes, and the slow way through the codec
(parse, check, convert) for its quick one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import rfc8785

from interlock.artifact import codec
from interlock.artifact.action import Manifest
from interlock.artifact.approval import Approval
from interlock.artifact.entry import Entry
from interlock.artifact.errors import CodecError
from interlock.artifact.label import Label
from interlock.artifact.plan import Plan, Proposal
from interlock.artifact.receipt import Receipt
from interlock.artifact.signing import Envelope, Keyring
from interlock.artifact.task import Task
from interlock.artifact.verdict import Verdict
from support.mutating import SHORT_SECONDS, hold, seconds
from support.samples import SIGNED
from support.vectors import cases, raw

KINDS = (
    Approval,
    Entry,
    Envelope,
    Keyring,
    Label,
    Manifest,
    Plan,
    Proposal,
    Receipt,
    Task,
    Verdict,
    dict[str, codec.Json],
)
VALUES = [raw(case) for name in ("codec-accepted", "codec-refused", "codec-spellings") for case in cases(name)]
ARTIFACTS = [codec.encode(value) for value in SIGNED.values()]


def outcome(deed: Callable[[], object]) -> tuple[str, object]:
    """The value, or the code of the codec's error; anything else passes through and fails the test."""
    try:
        return "", deed()
    except CodecError as error:
        return error.code, None


def one_value(raw_: bytes) -> None:
    code, value = outcome(lambda: codec.parse(raw_))
    if code:
        return
    assert json.loads(raw_) == value
    canonical = codec.encode(value)
    assert canonical == rfc8785.dumps(value)  # type: ignore[arg-type]
    assert codec.parse(canonical) == value
    assert codec.parse(raw_, data=True) == value


def slowly(raw_: bytes, kind: Any) -> object:
    return codec.convert(codec.parse(raw_), kind)


def slowly_canonical(raw_: bytes, kind: Any) -> object:
    value = codec.parse(raw_)
    if codec.encode(value) != raw_:
        raise CodecError("codec.not_canonical", "")
    return codec.exactly(value, kind)


def one_artifact(raw_: bytes) -> None:
    """Each kind reads it as the slow way does, to the same value or the same code."""
    for kind in KINDS:
        found = outcome(lambda kind=kind: codec.decode(raw_, kind))
        assert found == outcome(lambda kind=kind: slowly(raw_, kind)), kind
        exact = outcome(lambda kind=kind: codec.decode_canonical(raw_, kind))
        assert exact == outcome(lambda kind=kind: slowly_canonical(raw_, kind)), kind
        if not exact[0]:
            assert codec.encode(exact[1]) == raw_


FUZZED = {"values": (one_value, VALUES), "artifacts": (one_artifact, [*ARTIFACTS, *VALUES])}


@pytest.mark.parametrize("name", FUZZED)
def test_a_moment_of_fuzzing(name: str) -> None:
    deed, seeds = FUZZED[name]
    assert hold(deed, [seed for seed in seeds if len(seed) < 20_000], SHORT_SECONDS) > len(seeds) // 2


@pytest.mark.slow
@pytest.mark.parametrize("name", FUZZED)
def test_a_long_fuzzing(name: str) -> None:
    deed, seeds = FUZZED[name]
    assert hold(deed, seeds, seconds()) > len(seeds)


def test_the_oracle_notices_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """A codec that dropped a key on the quick way would be found by the first artifact."""
    monkeypatch.setattr(codec, "_plainly", lambda _raw, _kind, _limit: {})
    with pytest.raises(AssertionError):
        one_artifact(ARTIFACTS[0])
