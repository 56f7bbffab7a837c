"""What an extraction asks for, as the gate and the provider see it; ``tests/attacks/test_extract.py`` has the rest."""

from __future__ import annotations

import json

import jsonschema
import pytest
from tests.decide.test_relabel import FLOW, known
from tests.support.judging import CATALOGUE, codes, evidence, judge, step

from interlock.artifact.codec import Json
from interlock.artifact.label import Confidentiality, Integrity, Label
from interlock.artifact.plan import ProposedStep
from interlock.artifact.verdict import Decision
from interlock.decide.extraction import admitted, declared, wanted
from support.extracting import ANSWER, FIELDS


def extract(fields: Json, text: Json = "a letter") -> ProposedStep:
    return step("s1", "model.extract@1", arguments={"text": text, "question": "Which kind?", "fields": fields})


def test_what_is_admitted_is_what_the_schema_says() -> None:
    fields = declared(FIELDS)
    validator = jsonschema.Draft202012Validator(json.loads(wanted(fields)))
    assert admitted(fields, json.dumps(ANSWER)) == ANSWER
    assert validator.is_valid(ANSWER)
    for name, bad in {"total": 101, "kind": "order", "paid": 1, "tags": ["a"] * 3, "name": "a" * 17, "more": 1}.items():
        assert not validator.is_valid({**ANSWER, name: bad})


DENIED: dict[str, Json] = {
    "no fields": {},
    "fields that are computed": {"a": {"$ref": "s0.output"}},
    "fields without a bound": {"a": {"type": "string"}},
}


@pytest.mark.parametrize("name", DENIED)
def test_3_fields_that_are_not_bounded_or_do_not_stand_in_the_plan_are_denied(name: str) -> None:
    verdict = judge(step("s0", "read@1", arguments={"path": "a"}), extract(DENIED[name]), known=known())
    assert verdict.decision is Decision.DENY
    assert codes(verdict) == {"extract.fields"}


def test_it_is_allowed_and_its_output_is_never_trusted() -> None:
    verdict = judge(
        extract(FIELDS), step("s2", "write@1", arguments={"path": {"$ref": "s1.output.name"}}), known=known()
    )
    assert codes(verdict) == {"flow.untrusted_authority"}
    assert FLOW["model.extract@1"].output.label == Label(integrity=Integrity.UNTRUSTED)


def test_what_the_provider_may_not_know_is_denied() -> None:
    private, secret = step("s0", "private@1"), step("s0", "secret@1")
    text: Json = {"$ref": "s0.output.text"}
    assert judge(private, extract(FIELDS, text), known=known()).decision is Decision.ALLOW
    assert "flow.sink_limit" in codes(judge(secret, extract(FIELDS, text), known=known()))


def test_a_workspace_without_the_group_has_none() -> None:
    assert FLOW["model.extract@1"].accepts is Confidentiality.PRIVATE
    assert codes(judge(extract(FIELDS), known=evidence(catalogue={**CATALOGUE, **FLOW}))) == {
        "manifest.group_not_loaded"
    }
