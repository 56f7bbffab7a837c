"""Tables of cases, and the examples of the documentation."""

import re
from pathlib import Path

import pytest

from interlock.decide.policy import PolicyFileError, compile_policies, run_cases
from interlock.decide.policy.schema import TEXT
from support.asking import HOME, ROOT, asking, short

DOCS = Path(__file__).parents[3] / "docs" / "policy.md"
POLICIES = "  - {allow: files.*, id: ok}\n  - {verify: files.write, approvals: 2, id: ask}\n"
POLICIES += "  - {modify: files.delete, with: single, id: aside}\n"


def test_a_table_says_which_expectations_are_met() -> None:
    table = """cases:
  - {name: reads, action: files.read, expect: ALLOW, rule: ok}
  - {name: writes, action: files.write, effect: write, expect: STEP_UP, needs: 2}
  - {name: formed, action: files.delete, effect: delete, expect: MODIFY, rule: aside}
  - {name: in form, action: files.delete, effect: delete, formed: [single], expect: ALLOW}
  - {name: wrong decision, action: files.read, expect: DENY}
  - {name: wrong rule, action: files.read, expect: ALLOW, rule: ask}
  - {name: wrong number, action: files.write, effect: write, expect: STEP_UP, needs: 1}
"""
    results = run_cases(short(POLICIES), table)
    assert [found.passed for found in results] == [True] * 4 + [False] * 3
    assert [found.line for found in results] == [2, 3, 4, 5, 6, 7, 8]
    assert results[4].answer.decision.value == "ALLOW"
    assert results[4].expected.name == "wrong decision"


def test_rows_are_cases_under_their_columns() -> None:
    table = """cases:
  - [name, action, effect, expect, rule]
  - [reads, files.read, read, ALLOW, ok]
  - [reads anything, files.read, "", ALLOW, ""]
  - {name: in between, action: files.read, expect: ALLOW}
  - [name, expect, action, needs, effect]
  - [writes, STEP_UP, files.write, 2, write]
"""
    results = run_cases(short(POLICIES), table)
    assert [(found.passed, found.line) for found in results] == [(True, 3), (True, 4), (True, 5), (True, 7)]
    assert [found.expected.needs for found in results] == [0, 0, 0, 2]


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ("[a, files.read, ALLOW]", 2), ("[name, expect, expect]", 2), ("[]", 2),
        ("[name, action, expect]\n  - [a, files.read, ALLOW, ok]", 3), ("[name, action]\n  - [a, files.read]", 3),
        ("[name, action, expect]\n  - [a, files.read, [ALLOW]]", 3), ("[name, [action], expect]\n  - [a, files.read, ALLOW]", 3),
        ("[name, action, expect]\n  - [a, files.read, no]", 3), ("[name, action, expect]\n  - [a, files.read, ]", 3),
        ("[name, action, expect, true]\n  - [a, files.read, ALLOW, 1]", 3), ("files.read", 2),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_read_is_refused_with_its_line(rows: str, line: int) -> None:
    with pytest.raises(PolicyFileError) as caught:
        run_cases(short(POLICIES), f"cases:\n  - {rows}\n", file="t.yaml")
    assert (caught.value.file, caught.value.line) == ("t.yaml", line)


@pytest.mark.parametrize(
    ("case", "word"),
    [
        ("{name: a, action: x, expect: MAYBE}", "expect"), ("{name: a, action: x, expect: allow}", "expect"),
        ("{name: a, action: x}", "expect"), ("{name: a, expect: DENY}", "action"),
        ("{action: x, expect: DENY}", "name"), ("{name: a, action: x, expect: DENY, pth: /a}", "pth"),
        ("{name: a, action: x, expect: DENY, cost: 'x'}", "cost"), ("{name: a, action: x, expect: DENY, cost: '5'}", "cost"),
        ("{name: a, action: x, expect: DENY, needs: '2'}", "needs"), ("{name: a, action: x, expect: DENY, rule: no}", "bool"),
        ("{name: a, action: x, expect: DENY, rule: gone}", "gone"),
    ],
)  # fmt: skip
def test_a_case_that_cannot_be_read_is_refused(case: str, word: str) -> None:
    with pytest.raises(PolicyFileError) as caught:
        run_cases(short(POLICIES), f"cases:\n  - {case}", file="t.yaml")
    assert caught.value.file == "t.yaml"
    assert word in str(caught.value) or caught.value.code == "policy.yaml"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCS.read_text(), re.DOTALL)


def test_the_documentation_s_rules_answer_its_cases() -> None:
    rules = {f"{number}.yaml": text for number, text in enumerate(blocks("yaml")) if text.startswith("rules:")}
    tables = [text for text in blocks("yaml") if text.startswith("cases:")]
    cedar = {f"{number}.cedar": text for number, text in enumerate(blocks("cedar"))}
    policies = compile_policies(cedar, rules, home=HOME, root=ROOT)
    results = [found for table in tables for found in run_cases(policies, table)]
    assert len(rules) >= 1
    assert len(results) >= 5
    assert [found for found in results if not found.passed] == []


def test_the_documentation_names_every_key_annotation_code_and_attribute() -> None:
    from interlock.decide.policy.short import Rule

    text = DOCS.read_text()
    attributes = re.findall(r"(\w+): (?:String|Bool|Long|Set)", TEXT)
    codes = ("policy.no_permit", "policy.denied", "policy.confirm", "policy.modified", "policy.unattended", "policy.error",
             "policy.malformed", "policy.resource_not_canonical", "policy.permitted", "policy.permitted_open",
             "policy.evidence")  # fmt: skip
    missing = [name for name in (*Rule.__struct_encode_fields__, *attributes, *codes) if f"`{name}`" not in text]
    assert missing == []


def test_the_context_has_the_schema_s_types() -> None:
    import cedarpy

    from interlock.decide.policy.schema import NO_ENTITIES, SCHEMA

    names = re.findall(r"(\w+): (?:String|Bool|Long|Set)", TEXT)
    sets = {"destinations", "matched", "roles", "scope"}
    conditions = " && ".join(f"context.{name} == context.{name}" for name in names if name not in sets)
    sizes = " && ".join(f'!context.{name}.contains("-")' for name in sets - {"matched"})
    text = f'@id("all") permit (principal, action, resource) when {{ {conditions} && {sizes} && !context.matched.contains("path /x") }};'
    policies = compile_policies({"all.cedar": text}, {}, home=HOME)
    asked = policies._ask(asking(host="a.test:443", scope={"a": "b"}, roles=["r"], destinations=["d"]))
    assert isinstance(asked, tuple)
    assert cedarpy.is_authorized(asked[1].request, policies._all.policies, NO_ENTITIES, SCHEMA).allowed
