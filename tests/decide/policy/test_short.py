"""The short form: what each key means on either side, and that whatever is not understood shouts with its line."""

import pytest

from interlock.decide.policy import PolicyFileError, compile_policies
from support.asking import asking, said, short

QUIET_ALLOW = "  - {allow: '*', id: all}\n"

# A condition, a request that it holds for and one that it does not; ``deny`` and ``allow`` must agree on both.
EXACT = [
    ("path: ~/.ssh/**", {"path": "/home/u/.ssh/id"}, {"path": "/home/u/.sshd"}),
    ("path: [./a.txt, '**/b.txt']", {"path": "/x/b.txt"}, {"path": "/home/u/a.txt"}),
    ("host: api.test", {"host": "api.test:443"}, {"host": "evil-api.test:443"}),
    ("host: '*.test'", {"host": "a.b.test:443"}, {"host": "test:443"}),
    ("host: api.test:8443", {"host": "api.test:8443"}, {"host": "api.test:443"}),
    ("host: '*'", {"host": "any.example:1"}, {"path": "/x"}),
    ("host: '*:22'", {"host": "any.example:22"}, {"host": "any.example:2"}),
    ("resource: rds:eu/*", {"kind": "rds", "resource": "eu/a"}, {"kind": "rds", "resource": "us/a"}),
    ("resource: rds:a", {"kind": "rds", "resource": "a"}, {"kind": "s3", "resource": "a"}),
    ("destination: '*@corp.test'", {"destinations": ["Ann@Corp.test"]}, {"destinations": ["a@corp.test.evil"]}),
    ("principal: ann", {"principal": "ann"}, {"principal": "bob"}),
    ("principal: [bob, role:admin]", {"roles": ["admin"]}, {"roles": ["admins"]}),
    ("scope: {project: web}", {"scope": {"project": "web"}}, {"scope": {"project": "web2"}}),
    ("scope: {project: [web, api]}", {"scope": {"project": "api"}}, {"scope": {"project": "db"}}),
    ("environment: prod", {"environment": "prod"}, {"environment": "dev"}),
    ("effect: [write, delete]", {"effect": "delete"}, {"effect": "send"}),
    ("access: write", {"access": "write"}, {"access": "read"}),
    ("reversibility: irreversible", {"reversibility": "irreversible"}, {"reversibility": "reversible"}),
    ("external: true", {"external": True}, {"external": False}),
    ("untrusted: false", {"untrusted": False}, {"untrusted": True}),
    ("tainted: true", {"tainted": True}, {"tainted": False}),
    ("privileged: true", {"privileged": True}, {"privileged": False}),
    ("broad: true", {"broad": True}, {"broad": False}),
    ("unattended: true", {"unattended": True}, {"unattended": False}),
]


@pytest.mark.parametrize(("condition", "holds", "fails"), EXACT)
def test_a_condition_holds_exactly(condition: str, holds: dict[str, object], fails: dict[str, object]) -> None:
    allow = short(f"  - {{allow: files.read, id: it, {condition}}}")
    deny = short(f"{QUIET_ALLOW}  - {{deny: files.*, id: it, {condition}}}")
    assert said(allow.evaluate(asking(**holds))) == ("ALLOW", "policy.permitted it")
    assert said(allow.evaluate(asking(**fails))) == ("DENY", "policy.no_permit")
    assert said(deny.evaluate(asking(**holds))) == ("DENY", "policy.denied it")
    assert said(deny.evaluate(asking(**fails))) == ("ALLOW", "policy.permitted all")


@pytest.mark.parametrize(
    ("condition", "request_", "allowed", "denied"),
    [
        ("data: private", {"confidentiality": "internal"}, True, False),
        ("data: private", {"confidentiality": "private"}, True, True),
        ("data: private", {"confidentiality": "restricted"}, False, True),
        ("cost: 100", {"cost": 100}, True, False),
        ("cost: 100", {"cost": 101}, False, True),
        ("environment: prod", {"environment": ""}, False, True),
        ("scope: {project: web}", {"scope": {}}, False, True),
        ("path: ~/.ssh/**", {"path": "/home", "access": "delete"}, False, True),
        ("path: ~/.ssh/**", {"path": "/home", "access": "read"}, False, False),
        ("destination: '*@a.test'", {"destinations": ["x@a.test", "y@b.test"]}, False, True),
        ("destination: ['*@a.test', y@b.test]", {"destinations": ["x@a.test", "y@b.test"]}, True, True),
        ("destination: '*'", {"destinations": []}, False, False),
        ("path: ./x", {"kind": "file", "resource": "{p}", "open": True}, True, False),
        ("path: ./x", {"kind": "rds", "resource": "{p}", "open": True}, False, False),
        ("host: a.test", {"kind": "endpoint", "resource": "{p}", "open": True}, True, False),
        ("resource: rds:a", {"kind": "rds", "resource": "{p}", "open": True}, True, False),
        ("resource: rds:a", {"kind": "s3", "resource": "{p}", "open": True}, False, False),
    ],
)
def test_denials_round_up_and_permissions_round_down(
    condition: str, request_: dict[str, object], allowed: bool, denied: bool
) -> None:
    allow = short(f"  - {{allow: '*', id: it, {condition}}}").evaluate(asking(**request_))
    deny = short(f"{QUIET_ALLOW}  - {{deny: '*', id: it, {condition}}}").evaluate(asking(**request_))
    assert (allow.decision.value == "ALLOW", deny.decision.value == "DENY") == (allowed, denied)


@pytest.mark.parametrize(
    ("glob", "matching", "other"),
    [
        ("files.*", "files.read", "filesystem.read"),
        ("*.delete", "cloud.db.delete", "cloud.db.delete_all"),
        ("[a.b, c.d]", "c.d", "c.dd"),
        ("a*z", "a.q.z", "a.q.y"),
    ],
)
def test_an_action_glob_names_actions(glob: str, matching: str, other: str) -> None:
    policies = short(f"  - allow: {glob if glob[0] == '[' else repr(glob)}\n    id: it")
    assert policies.evaluate(asking(action=matching)).decision.value == "ALLOW"
    assert policies.evaluate(asking(action=other)).decision.value == "DENY"


def test_verify_asks_by_tier_and_number() -> None:
    text = QUIET_ALLOW + "  - {verify: a, approvals: 3}\n  - {verify: b, tier: 2}\n  - {verify: c, tier: 1}\n"
    answers = [short(text).evaluate(asking(action=name)) for name in "abc"]
    assert [(answer.decision.value, answer.approvals) for answer in answers] == [
        ("STEP_UP", 3), ("STEP_UP", 1), ("ALLOW", 0),
    ]  # fmt: skip


def test_modify_wants_a_form_and_rounds_as_a_denial_does() -> None:
    policies = short(QUIET_ALLOW + "  - {modify: 'files.*', with: bare, path: /etc/x, data: private, id: m}\n")
    for facts, decision in (
        ({"path": "/etc", "effect": "delete", "access": "delete", "confidentiality": "restricted"}, "MODIFY"),
        ({"path": "/etc/x", "confidentiality": "private", "formed": ["bare"]}, "ALLOW"),
        ({"path": "/etc/y", "confidentiality": "private"}, "ALLOW"),
        ({"path": "/etc/x", "confidentiality": "internal"}, "ALLOW"),
    ):
        assert policies.evaluate(asking(action="files.delete", **facts)).decision.value == decision
    assert '@effect("modify")\n@with("bare")' in policies.explain("m").text


def test_two_hundred_alternatives_are_no_deeper_than_cedar_bears() -> None:
    names = ", ".join(f"a{number}" for number in range(200))
    policies = short(f"  - allow: [{names}]")
    assert policies.evaluate(asking(action="a199")).decision.value == "ALLOW"
    assert policies.evaluate(asking(action="a200")).decision.value == "DENY"


def test_quotes_and_backslashes_stay_inside_their_string() -> None:
    policies = short(
        QUIET_ALLOW + """  - deny: '*'\n    environment: 'a" || true || "\\'\n    why: 'say "no"\\'\n    id: q"""
    )
    assert policies.evaluate(asking(environment="x")).decision.value == "ALLOW"
    assert policies.evaluate(asking(environment='a" || true || "\\')).decision.value == "DENY"
    assert policies.explain("q").why == 'say "no"\\'


# Text, the line that the error names, and a word of what it says.
REFUSED = [
    ("  - deny: x\n    pth: /a", 3, "pth"),
    ("  - deny: x\n    path:", 3, "null"),
    ("  - deny: x\n    path: []", 3, "length"),
    ("  - deny: x\n    path: ['']", 3, "length"),
    ("  - deny: x\n    path: 5", 3, "path"),
    ("  - deny: x\n    tier: 3", 2, "verify"),
    ("  - allow: x\n    approvals: 2", 2, "verify"),
    ("  - verify: x\n    tier: 4", 3, "tier"),
    ("  - verify: x\n    tier: '3'", 3, "tier"),
    ("  - verify: x\n    tier: 2\n    approvals: 2", 2, "tier 3"),
    ("  - verify: x\n    approvals: 0", 3, "approvals"),
    ("  - verify: x\n    approvals: 17", 3, "approvals"),
    ("  - deny: x\n    allow: y", 2, "exactly one"),
    ("  - modify: x", 2, "with"),
    ("  - deny: x\n    with: y", 2, "with"),
    ("  - modify: x\n    with: y\n    allow: z", 2, "exactly one"),
    ("  - modify: x\n    with: [y]", 3, "with"),
    ("  - modify: x\n    with: y\n    tier: 3", 2, "verify"),
    ("  - modify: x\n    form: y", 3, "form"),
    ("  - path: /a", 2, "exactly one"),
    ("  - deny: files read", 2, "deny"),
    ("  - deny: Fíles.*", 2, "deny"),
    ("  - deny: x\n    data: secret", 3, "data"),
    ("  - deny: x\n    effect: remove", 3, "effect"),
    ("  - deny: x\n    external: yes", 3, "bool"),
    ("  - deny: x\n    environment: no", 3, "bool"),
    ("  - deny: x\n    environment: 1.5", 3, "float"),
    ("  - deny: x\n    environment: 2020-01-01", 3, "timestamp"),
    ("  - deny: x\n    cost: -1", 3, "cost"),
    ("  - deny: x\n    cost: 0x10", 3, "int"),
    ("  - deny: x\n    deny: y", 2, "twice"),
    ("  - deny: x\n    scope: {a: b, a: c}", 3, "twice"),
    ("  - deny: x\n    scope: {}", 3, "scope"),
    ("  - deny: x\n    scope: {a: []}", 3, "scope"),
    ("  - deny: x\n    path: /a\n    host: b.test", 2, "nothing"),
    ("  - deny: x\n    path: relative/x", 2, "begins with"),
    ("  - deny: x\n    path: /a/../b", 2, "segment"),
    ("  - deny: x\n    path: /a//b", 2, "segment"),
    ("  - deny: x\n    path: /a/", 2, "segment"),
    ("  - deny: x\n    path: /a**b", 2, "whole segment"),
    ("  - deny: x\n    path: '**/*.{pem,key}'", 2, "wildcards"),
    ("  - deny: x\n    path: /a?b", 2, "wildcards"),
    ("  - deny: x\n    path: /a%2fb", 2, "wildcards"),
    ("  - deny: x\n    host: Example.com", 2, "lower case"),
    ("  - deny: x\n    host: https://a.test", 2, "host"),
    ("  - deny: x\n    host: a.test.", 2, "host"),
    ("  - deny: x\n    host: a*.test", 2, "host"),
    ("  - deny: x\n    host: a.test:99999", 2, "host"),
    ("  - deny: x\n    resource: file:/etc/x", 2, "path"),
    ("  - deny: x\n    resource: nokind", 2, "kind:name"),
    ("  - deny: x\n    destination: A@b.test", 2, "lower case"),
    ("  - deny: x\n    id: 'has space'", 3, "id"),
    ("  - just text", 2, "mapping"),
    ("  - [deny, x]", 2, "mapping"),
    ("  - deny: x,\n  - ", 3, "mapping"),
    ("  - deny: &a x\n", 2, "anchor"),
    ("  - deny: *a\n", 2, "alias"),
    ("  - {deny: x", 2, ","),
    ("  - deny: x\n    1: y", 2, "no plain text"),
]


@pytest.mark.parametrize(("text", "line", "word"), REFUSED)
def test_what_is_not_understood_shouts_with_its_line(text: str, line: int, word: str) -> None:
    with pytest.raises(PolicyFileError) as caught:
        short(text)
    assert (caught.value.file, caught.value.line) == ("rules.yaml", line), str(caught.value)
    assert word in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("text", ["", "rules:", "rules: []", "- deny: x", "rules: {deny: x}", "rules:\n- deny: x\nmore: 1",
                                  "a: [\n", "rules:\n- deny: x\n---\nrules:\n- deny: y", "\x00", "%YAML 3.0\n---\nrules: 1"])  # fmt: skip
def test_a_file_that_is_not_one_list_of_rules_is_refused(text: str) -> None:
    with pytest.raises(PolicyFileError) as caught:
        compile_policies({}, {"f.yaml": text}, home="/h")
    assert caught.value.file == "f.yaml"


def test_a_rule_that_names_no_action_that_exists_is_refused_where_the_names_are_known() -> None:
    known = frozenset({"files.read", "cloud.db.delete"})
    assert short("  - deny: '*.delete'", actions=known).ids == ("rules.yaml:2",)
    with pytest.raises(PolicyFileError, match=r"rules.yaml:3: no action"):
        short("  - deny: files.*\n  - deny: cloud.db.delte", actions=known)
