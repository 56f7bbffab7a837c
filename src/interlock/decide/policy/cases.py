"""Tables of cases: what the policies shall answer, written beside them and run before they are used.

A file holds a list ``cases``; each case names a request by the fields of ``PolicyRequest`` and what it expects:
``expect`` (ALLOW, STEP_UP or DENY), and where it matters ``needs`` (persons) and ``rule`` (one of the answer's).
A field that is not written has the quiet value of ``QUIET``, so that a case shows what it is about.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from interlock.artifact.verdict import Decision
from interlock.decide.policy.engine import PolicySet
from interlock.decide.policy.request import PolicyAnswer, PolicyRequest
from interlock.decide.policy.source import Plain, PolicyFileError, yaml_items

QUIET: Mapping[str, Plain] = {
    "principal": "tester", "effect": "read", "reversibility": "pure", "privileged": False, "external": False,
    "broad": False, "kind": "none", "resource": "none", "confidentiality": "public", "untrusted": False,
    "tainted": False, "unattended": False, "cost": 0,
}  # fmt: skip


class _Expected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    expect: Literal["ALLOW", "STEP_UP", "DENY"]
    needs: int = 0
    rule: str = ""


class CaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """One case: whether the answer was what its author expected."""

    name: str
    line: int
    passed: bool
    expected: Decision
    answer: PolicyAnswer


def run_cases(policies: PolicySet, text: str, *, file: str = "cases.yaml") -> list[CaseResult]:
    """Run a table; raises ``PolicyFileError`` for a table that cannot be read or names a rule that is not there."""
    return [_run(policies, file, case, lines) for case, lines in yaml_items(file, text, "cases")]


def _run(policies: PolicySet, file: str, case: Mapping[str, Plain], lines: Mapping[str, int]) -> CaseResult:
    said = {key: value for key, value in case.items() if key in _Expected.__struct_fields__}
    fields = {**QUIET, **{key: value for key, value in case.items() if key not in said}}
    fields.setdefault("access", fields["effect"])
    try:
        expected = msgspec.convert(said, _Expected, strict=True)
        request = msgspec.convert(fields, PolicyRequest, strict=True)
    except msgspec.ValidationError as error:
        hint = "the keys are: name, expect, needs, rule, " + ", ".join(PolicyRequest.__struct_fields__)
        raise PolicyFileError("policy.case", file, lines[""], str(error), hint=hint) from None
    if expected.rule and expected.rule not in policies.ids:
        raise PolicyFileError("policy.case", file, lines[""], f"no rule {expected.rule!r}", hint="see policy check")
    answer = policies.evaluate(request)
    return CaseResult(
        name=expected.name,
        line=lines[""],
        passed=_meets(answer, expected),
        expected=Decision(expected.expect),
        answer=answer,
    )


def _meets(answer: PolicyAnswer, expected: _Expected) -> bool:
    return (
        answer.decision.value == expected.expect
        and expected.needs in {0, answer.approvals}
        and (not expected.rule or any(reason.rule == expected.rule for reason in answer.reasons))
    )
