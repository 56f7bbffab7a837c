"""Bytes that must never become a value: the table is ``tests/vectors/codec-refused.json`` (name → input → code).

Each case is refused by both doors, ``decode`` (any spelling) and ``decode_canonical`` (one spelling), and no
refusal repeats a value.
"""

from __future__ import annotations

from typing import Any

import pytest

from interlock.artifact import codec
from interlock.artifact.errors import CodecError
from interlock.artifact.label import Label
from interlock.artifact.plan import Proposal
from interlock.artifact.verdict import Decision, Verdict
from support.vectors import cases, name, raw

TYPES: dict[str, type] = {"verdict": Verdict, "proposal": Proposal, "label": Label}
REFUSED = cases("codec-refused")
SPELLINGS = cases("codec-spellings")


def test_the_table_is_large_and_its_names_are_unique() -> None:
    assert len(REFUSED) >= 60
    assert len({name(case) for case in REFUSED}) == len(REFUSED)


def _decode(case: dict[str, Any], door: Any) -> object:
    if "type" not in case and door is codec.decode:
        return codec.parse(raw(case), data=case.get("data", False))
    return door(raw(case), TYPES.get(case.get("type", ""), object), data=case.get("data", False))


@pytest.mark.parametrize("case", REFUSED, ids=name)
def test_refused_in_any_spelling(case: dict[str, Any]) -> None:
    with pytest.raises(CodecError) as caught:
        _decode(case, codec.decode)
    assert caught.value.code == case["code"]


@pytest.mark.parametrize("case", REFUSED, ids=name)
def test_refused_as_canonical_bytes(case: dict[str, Any]) -> None:
    with pytest.raises(CodecError) as caught:
        _decode(case, codec.decode_canonical)
    assert caught.value.code in {case["code"], "codec.not_canonical"}


@pytest.mark.parametrize("case", SPELLINGS, ids=name)
def test_another_spelling_is_read_but_is_not_canonical(case: dict[str, Any]) -> None:
    _decode(case, codec.decode)
    with pytest.raises(CodecError) as caught:
        _decode(case, codec.decode_canonical)
    assert caught.value.code == "codec.not_canonical"


SECRET = "hunter2 ` - at `$.x"


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"decision": SECRET}, Verdict),
        ({"decision": "ALLOW", SECRET: 1}, Verdict),
        ({"decision": "ALLOW", "modified": SECRET}, Verdict),
        ({"decision": "ALLOW", "approvals": SECRET}, Verdict),
        (SECRET, Decision),
        ({"task": "0" * 64, "goal": "g", "steps": [{"id": SECRET, "action": "a"}]}, Proposal),
    ],
)
def test_a_refusal_never_repeats_a_value(value: Any, kind: type) -> None:
    with pytest.raises(CodecError) as caught:
        codec.convert(value, kind)
    assert "hunter2" not in str(caught.value)


def test_a_path_in_a_message_is_cut() -> None:
    with pytest.raises(CodecError) as caught:
        codec.check({"k" * 5000: {"x": 1.5}})
    assert len(str(caught.value)) < 400
