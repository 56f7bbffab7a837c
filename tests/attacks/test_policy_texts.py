"""Attacks by policy texts, and slips of those who write them: none may switch a rule off or stop the harness."""

import time

import pytest

from interlock.decide.policy import PolicyFileError, compile_policies
from support.asking import asking, cedar, said, short

PERMIT = "permit (principal, action, resource)"
FORBID = "forbid (principal, action, resource)"

CEDAR_TEXTS: dict[str, tuple[str, int, str]] = {
    "no id": (f"{FORBID};", 1, "id"),
    "an empty id": (f'@id("") {FORBID};', 1, "id"),
    "an id with a line break": (f'@id("a\\nb") {FORBID};', 1, "id"),
    "no semicolon": (f'@id("a") {FORBID};\n@id("b") {FORBID}', 2, "end of input"),
    "a semicolon too many": (f'@id("a") {FORBID};\n;', 2, ""),
    "a misspelt attribute": (f'@id("a") {FORBID} when {{ context.pricipal == "x" }};', 1, "pricipal"),
    "a comparison of two types": (f'\n@id("a") {FORBID} when {{ context.cost == "5" }};', 2, "type"),
    "like on a number": (f'@id("a") {FORBID} when {{ context.cost like "5*" }};', 1, "type"),
    "an attribute of an entity": (f'@id("a") {FORBID} when {{ resource.owner == principal }};', 1, "owner"),
    "an unknown entity type": (f'@id("a") {FORBID} when {{ principal == User::"x" }};', 1, "User"),
    "an unknown action": ('@id("a") forbid (principal, action == Action::"remove", resource);', 1, "remove"),
    "a template": ('@id("a") forbid (principal == ?principal, action, resource);', 1, "one policy"),
    "a misspelt effect": (f'@id("a") @effect("confrim") {FORBID};', 1, "effect"),
    "a misspelt annotation": (f'@id("a") @aprovals("2") {FORBID};', 1, "aprovals"),
    "a tier that is not": (f'@id("a") @tier("4") {FORBID};', 1, "tier"),
    "approvals in words": (f'@id("a") @approvals("two") {FORBID};', 1, "approvals"),
    "no approvals": (f'@id("a") @approvals("0") {FORBID};', 1, "approvals"),
    "approvals that nobody musters": (f'@id("a") @approvals("17") {FORBID};', 1, "approvals"),
    "approvals without a person's tier": (f'@id("a") @tier("1") @approvals("2") {FORBID};', 1, "tier 3"),
    "a permit that asks": (f'@id("a") @tier("3") {PERMIT};', 1, "belong to a forbid"),
    "a misspelt fact": (f'@id("a") {FORBID} when {{ context.matched.contains("pth /x") }};', 1, "pattern fact"),
    "a fact of no glob": (f'@id("a") {FORBID} when {{ context.matched.contains("path x") }};', 1, "begins with"),
    "a fact that is computed": (
        f'@id("a") {FORBID} when {{ context.matched.contains(context.resource) }};', 1, "literal"),
    "facts compared as a whole": (f'@id("a") {FORBID} when {{ context.matched == ["path /x"] }};', 1, "contains"),
    "the context as a whole": (f'@id("a") {FORBID} when {{ context == context }};', 1, "attribute by attribute"),
    "hidden text": (f'@id("a")\n// \u202e\n{FORBID};', 2, "seen"),
    "a lone surrogate": (f'// \udcff\n@id("a") {FORBID};', 1, "seen"),
    "an open comment": (f'@id("a") /* {FORBID}; */', 1, ""),
    "an open string": (f'@id("a") {FORBID} when {{ context.group == "x }};', 1, ""),
    "depth": (f'@id("a") {FORBID} when {{ {"(" * 5000}true{")" * 5000} }};', 1, "deeply"),
    "depth of lists": (f'@id("a") {FORBID} when {{ {"[" * 5000}1{"]" * 5000} == [] }};', 1, "deeply"),
    "a long chain": (f'@id("a") {FORBID} when {{ {" && ".join(["true"] * 3000)} }};', 1, ""),
    "a long policy": (f'@id("a") {FORBID} when {{ context.group == "{"x" * 40_000}" }};', 1, "too long"),
    "a long file": (f'@id("a") {FORBID};' * 20_000, 1, "more than"),
}  # fmt: skip


@pytest.mark.parametrize("name", CEDAR_TEXTS)
def test_a_cedar_text_that_is_not_understood_shouts(name: str) -> None:
    text, line, word = CEDAR_TEXTS[name]
    with pytest.raises(PolicyFileError) as caught:
        cedar(text)
    assert (caught.value.file, caught.value.line) == ("rules.cedar", line)
    assert word in str(caught.value)
    assert caught.value.hint


def test_a_fact_in_a_text_is_no_structure() -> None:
    """A string that looks like the engine's own form of ``context.matched`` is but a string."""
    inner = '{\\"Var\\": \\"context\\"}, \\"attr\\": \\"cost\\"'
    policies = cedar(f'@id("a") {PERMIT} when {{ context.group == "{inner}" || context.kind == "none" }};')
    assert policies.evaluate(asking()).decision.value == "ALLOW"


@pytest.mark.parametrize(
    "bomb",
    [
        "  - deny: &a [x]\n    path: *a",
        "  - &a {deny: x, scope: &b {p: w}}\n  - *a",
        "  - {<<: {deny: x}}",
        "  - deny: !!python/object/apply:os.system [id]",
        "  - deny: !!binary aGk=",
        "  - " + "[" * 3000,
        "  - " + "{a: " * 3000,
        "  - deny: " + "x" * 300_000,
        "  - deny: x\n    why: \u202e",
        "  - deny: x\n    why: \udcff",
    ],
    ids=lambda text: text[:24],
)
def test_a_yaml_bomb_is_refused_at_once(bomb: str) -> None:
    start = time.process_time()
    with pytest.raises(PolicyFileError):
        short(bomb)
    assert time.process_time() - start < 3


def test_too_many_rules_are_refused() -> None:
    rules = "\n".join(f'@id("r{number}") {FORBID};' for number in range(4096))
    assert len(cedar(rules).ids) == 4096
    with pytest.raises(PolicyFileError, match=r"policy.size: rules.yaml:2: more than 4096 rules"):
        compile_policies({"rules.cedar": rules}, {"rules.yaml": "rules:\n  - deny: x"}, home="/h")


def test_duplicate_ids_are_refused_within_a_file_too() -> None:
    with pytest.raises(PolicyFileError, match=r"rules.cedar:2: the id 'a' stands already at rules.cedar:1"):
        cedar(f'@id("a") {PERMIT};\n@id("a") {FORBID};')


def test_a_denial_of_every_spelling_in_one_list_still_matches_each() -> None:
    globs = ", ".join(f"'/p{number}/**'" for number in range(250))
    policies = short(f"  - {{allow: '*', id: all}}\n  - {{deny: '*', id: nope, path: [{globs}]}}")
    for number in (0, 124, 249):
        assert said(policies.evaluate(asking(path=f"/p{number}/x"))) == ("DENY", "policy.denied nope")
    assert policies.evaluate(asking(path="/p250/x")).decision.value == "ALLOW"


def test_an_argument_with_another_name_does_not_open_a_path_rule() -> None:
    """A rule asks about the resource that the manifest extracts, never about an argument's name."""
    policies = short("  - {allow: '*', id: all}\n  - {deny: '*', path: ~/.ssh/**, id: nope}")
    for action in ("files.read", "files.copy", "archive.add"):
        assert policies.evaluate(asking(action=action, path="/home/u/.ssh/id")).decision.value == "DENY"


def test_no_fast_path_runs_before_the_denials() -> None:
    many = "\n".join(f"  - {{allow: '*', id: p{number}}}" for number in range(100))
    assert said(short(f"{many}\n  - {{deny: files.read, id: nope}}").evaluate(asking())) == (
        "DENY",
        "policy.denied nope",
    )
