"""Tables of cases: what the policies shall answer, written beside them and run before they are used.

A file holds a list ``cases``; each case has a ``name``, what it expects (``expect``: ALLOW, MODIFY, STEP_UP or
DENY, and where it matters ``needs``, a number of persons, and ``rule``, one of the answer's), and fields of
``PolicyRequest``.  A field that is not written has its value in ``QUIET``, so that a case shows what it is about.
Cases may stand as rows: a list that begins with ``name`` names the columns, and each list after it is a case.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from interlock.decide.policy.engine import PolicySet
from interlock.decide.policy.request import PolicyAnswer, PolicyRequest
from interlock.decide.policy.source import Plain, PolicyFileError, yaml_table

QUIET: Mapping[str, Plain] = {
    "principal": "tester", "effect": "read", "reversibility": "pure", "privileged": False, "external": False,
    "broad": False, "kind": "none", "resource": "none", "confidentiality": "public", "untrusted": False,
    "tainted": False, "unattended": False, "cost": 0,
}  # fmt: skip


class Expectation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a case's author expects; ``needs`` 0 and an empty ``rule`` leave it open."""

    name: str
    expect: Literal["ALLOW", "MODIFY", "STEP_UP", "DENY"]
    needs: int = 0
    rule: str = ""

    def met(self, answer: PolicyAnswer) -> bool:
        """Whether the answer is the expected one."""
        rule = not self.rule or self.rule in {reason.rule for reason in answer.reasons}
        return answer.decision.value == self.expect and self.needs in {0, answer.approvals} and rule


class CaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """One case, the line where it begins, and whether its expectation was met."""

    line: int
    expected: Expectation
    answer: PolicyAnswer
    passed: bool


def run_cases(policies: PolicySet, text: str, *, file: str = "cases.yaml") -> list[CaseResult]:
    """Run a table; raises ``PolicyFileError`` for one that cannot be read or names a rule that is not there."""
    return [_run(policies, file, case, lines[""]) for case, lines in yaml_table(file, text, "cases")]


def _run(policies: PolicySet, file: str, case: Mapping[str, Plain], line: int) -> CaseResult:
    said = {key: value for key, value in case.items() if key in Expectation.__struct_fields__}
    fields = {**QUIET, "access": case.get("effect", "read"), **{key: case[key] for key in case if key not in said}}
    try:
        expected = msgspec.convert(said, Expectation, strict=True)
        request = msgspec.convert(fields, PolicyRequest, strict=True)
    except msgspec.ValidationError as error:
        hint = f"the keys are: name, expect, needs, rule, {', '.join(PolicyRequest.__struct_fields__)}"
        raise PolicyFileError("policy.case", file, line, str(error), hint=hint) from None
    if expected.rule and expected.rule not in policies.ids:
        hint = "list the ids of the policies"
        raise PolicyFileError("policy.case", file, line, f"there is no rule {expected.rule!r}", hint=hint)
    answer = policies.evaluate(request)
    return CaseResult(line=line, expected=expected, answer=answer, passed=expected.met(answer))
