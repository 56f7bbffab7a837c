"""Attacks on a policy decision: spellings, types, words and errors, each with the answer that it must get."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.artifact.verdict import Decision
from interlock.decide.policy import PolicyFileError, compile_policies, run_cases
from support.asking import HOME, ROOT, asking, cedar, said, short

# Everything is allowed that is not denied, so that a name which slips past a rule would show.
OPEN = short("""\
  - {allow: '*', id: all}
  - {deny: '*', path: [~/.ssh/**, '**/.env'], id: files}
  - {deny: '*', host: [evil.test, '*.evil.test', 169.254.169.254], id: hosts}
  - {deny: '*', destination: '*@evil.test', id: people}
  - {deny: '*', resource: 'rds:prod-*', id: bases}
""")
REFUSED = "policy.resource_not_canonical"

SPELLINGS: dict[str, tuple[dict[str, Any], str]] = {
    "dot segments": ({"path": "/home/u/web/../.ssh/id"}, REFUSED),
    "a single dot": ({"path": "/home/u/./.ssh/id"}, REFUSED),
    "a dot at the end": ({"path": "/home/u/.ssh/."}, REFUSED),
    "dots at the end": ({"path": "/home/u/.ssh/x/.."}, REFUSED),
    "double slashes": ({"path": "/home/u//.ssh/id"}, REFUSED),
    "double slash first": ({"path": "//home/u/.ssh/id"}, REFUSED),
    "slash at the end": ({"path": "/home/u/.ssh/"}, REFUSED),
    "relative": ({"path": ".ssh/id"}, REFUSED),
    "tilde": ({"path": "~/.ssh/id"}, REFUSED),
    "a URL": ({"path": "file:///home/u/.ssh/id"}, REFUSED),
    "percent": ({"path": "/home/u/%2essh/id"}, REFUSED),
    "backslashes": ({"path": "/home/u/web\\..\\.ssh"}, REFUSED),
    "space at the end": ({"path": "/home/u/web/.env "}, REFUSED),
    "line break at the end": ({"path": "/home/u/web/.env\n"}, REFUSED),
    "zero byte": ({"path": "/home/u/web/.env\0.txt"}, REFUSED),
    "zero width": ({"path": "/home/u/web/.e\u200bnv"}, REFUSED),
    "right to left": ({"path": "/home/u/web/\u202evne."}, REFUSED),
    "a lone surrogate": ({"path": "/home/u/\udcff"}, "policy.malformed"),
    "empty": ({"path": ""}, REFUSED),
    "the true name": ({"path": "/home/u/.ssh/id"}, "policy.denied files"),
    "upper-case host": ({"host": "EVIL.test:443"}, REFUSED),
    "mixed-case host": ({"host": "eviL.test:443"}, REFUSED),
    "dot after the host": ({"host": "evil.test.:443"}, REFUSED),
    "empty label": ({"host": "evil..test:443"}, REFUSED),
    "confusable host": ({"host": "еvil.test:443"}, REFUSED),
    "full-width dot": ({"host": "evil．test:443"}, REFUSED),
    "user in the host": ({"host": "good.test@evil.test:443"}, REFUSED),
    "scheme in the host": ({"host": "https://evil.test:443"}, REFUSED),
    "no port": ({"host": "evil.test"}, REFUSED),
    "port with zeros": ({"host": "evil.test:0443"}, REFUSED),
    "port too large": ({"host": "evil.test:65536"}, REFUSED),
    "other digits as port": ({"host": "evil.test:४४३"}, REFUSED),
    "space before the host": ({"host": " evil.test:443"}, REFUSED),
    "address as one number": ({"host": "2852039166:80"}, REFUSED),
    "address in hex": ({"host": "0xa9fea9fe:80"}, REFUSED),
    "address in octal": ({"host": "0251.0376.0251.0376:80"}, REFUSED),
    "short address": ({"host": "169.254.43518:80"}, REFUSED),
    "the true host": ({"host": "evil.test:443"}, "policy.denied hosts"),
    "below the host": ({"host": "a.b.evil.test:443"}, "policy.denied hosts"),
    "the true address": ({"host": "169.254.169.254:80"}, "policy.denied hosts"),
    "recipients in one string": ({"destinations": ["a@ok.test,b@evil.test"]}, REFUSED),
    "recipients by semicolon": ({"destinations": ["a@ok.test;b@evil.test"]}, REFUSED),
    "recipients by line": ({"destinations": ["a@ok.test\nbcc:b@evil.test"]}, REFUSED),
    "recipients as a printed list": ({"destinations": ["['a@ok.test', 'b@evil.test']"]}, REFUSED),
    "recipient that is empty": ({"destinations": [""]}, REFUSED),
    "recipient that hides": ({"destinations": ["b@ev\u00adil.test"]}, REFUSED),
    "recipient in capitals": ({"destinations": ["B@EVIL.TEST"]}, "policy.denied people"),
    "second recipient": ({"destinations": ["a@ok.test", "b@evil.test"]}, "policy.denied people"),
    "name with spaces": ({"kind": "rds", "resource": "prod-x "}, REFUSED),
    "name in percents": ({"kind": "rds", "resource": "%70rod-x"}, REFUSED),
    "the true base": ({"kind": "rds", "resource": "prod-x"}, "policy.denied bases"),
    "a value in a dimension": ({"scope": {"a=b": "c"}}, REFUSED),
    "hidden text in a scope": ({"scope": {"a": "b\u200b"}}, REFUSED),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_no_spelling_gets_past_a_rule(name: str) -> None:
    changes, expected = SPELLINGS[name]
    assert said(OPEN.evaluate(asking(**changes))) == ("DENY", expected)


@pytest.mark.parametrize(
    "changes",
    [
        {"cost": "0"}, {"cost": 1.5}, {"cost": -1}, {"cost": True}, {"cost": None}, {"cost": 1 << 70},
        {"privileged": "false"}, {"privileged": 0}, {"untrusted": None}, {"roles": "admin"}, {"roles": [1]},
        {"scope": [["a", "b"]]}, {"scope": {"a": 1}}, {"effect": "destroy"}, {"effect": None},
        {"reversibility": "maybe"}, {"confidentiality": "secret"}, {"confidentiality": 0}, {"action": ""},
        {"action": "a b"}, {"action": ["x"]}, {"kind": ""}, {"kind": "FILE\n"}, {"resource": None},
        {"resource": {"__entity": {"type": "R", "id": "x"}}}, {"approvals": "9"}, {"approvals": -1},
        {"destinations": "x@y.test"}, {"principal": None}, {"principal": ""}, {"environment": object()},
    ],
    ids=repr,
)  # fmt: skip
def test_a_value_of_another_type_is_denied(changes: dict[str, Any]) -> None:
    assert said(OPEN.evaluate(asking(**changes))) == ("DENY", "policy.malformed")


@pytest.mark.parametrize("request_", [None, {}, {"action": "x"}, "ALLOW", 1, [], object()], ids=repr)
def test_what_is_no_request_is_denied(request_: Any) -> None:
    assert said(OPEN.evaluate(request_)) == ("DENY", "policy.malformed")


def test_a_kind_in_another_case_is_another_kind_and_no_file() -> None:
    policies = short("  - {allow: files.read, path: ./**}")
    assert said(policies.evaluate(asking(kind="File", resource="/home/u/web/a"))) == ("DENY", "policy.no_permit")


def test_an_unknown_action_meets_no_permit() -> None:
    assert said(short("  - allow: files.read").evaluate(asking(action="files.raed"))) == ("DENY", "policy.no_permit")


OVERFLOW = "context.cost * 9007199254740991 * 9007199254740991 > 0"
PERMIT = '@id("ok") permit (principal, action, resource);'


@pytest.mark.parametrize(
    "text",
    [
        f'@id("e") forbid (principal, action, resource) when {{ {OVERFLOW} }};',
        f'@id("e") @tier("3") forbid (principal, action, resource) when {{ {OVERFLOW} }};',
        f'@id("e") permit (principal, action, resource) when {{ {OVERFLOW} }};',
    ],
)
def test_a_policy_that_errors_denies_though_a_permit_matches(text: str) -> None:
    policies = cedar(PERMIT + text)
    assert said(policies.evaluate(asking(cost=9_007_199_254_740_991))) == ("DENY", "policy.error")
    assert said(policies.evaluate(asking(cost=0)))[0] == "ALLOW"


def test_an_error_behind_a_confirmation_denies() -> None:
    ask = '@id("ask") @tier("3") forbid (principal, action, resource);'
    text = f'@id("e") permit (principal, action, resource) when {{ {OVERFLOW} }};'
    assert said(cedar(PERMIT + ask + text).evaluate(asking(cost=9_007_199_254_740_991))) == ("DENY", "policy.error")


def test_an_engine_that_fails_denies(monkeypatch: pytest.MonkeyPatch) -> None:
    policies = cedar(PERMIT)
    monkeypatch.setattr(policies, "_all", object())
    assert [said(answer) for answer in policies.evaluate_many([asking()] * 2)] == [("DENY", "policy.error")] * 2


def test_a_reason_quotes_no_value() -> None:
    answers = OPEN.evaluate_many(
        [asking(path="/home/u/.ssh/SECRET"), asking(path="/x/../SECRET"), asking(cost="SECRET")]
    )
    assert "SECRET" not in repr(answers)


CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        "path": st.sampled_from(["./**", "**/x", "/etc/*", "~/a"]),
        "effect": st.sampled_from(["read", "write"]), "external": st.booleans(), "untrusted": st.booleans(),
        "data": st.sampled_from(["public", "internal", "private"]), "cost": st.integers(0, 3),
        "environment": st.sampled_from(["prod", "dev"]), "scope": st.sampled_from([{"p": "a"}, {"p": ["a", "b"]}]),
        "principal": st.sampled_from(["ann", "role:ops"]),
    },
)  # fmt: skip
RULES = st.lists(
    st.builds(lambda head, glob, more: {head: glob, **more, **({"with": "form"} if head == "modify" else {})},
              st.sampled_from(["deny", "verify", "modify", "allow"]),
              st.sampled_from(["*", "files.*", "files.read"]), CONDITIONS), min_size=1, max_size=6)  # fmt: skip
REQUESTS = st.builds(
    asking, action=st.sampled_from(["files.read", "mail.send"]), effect=st.sampled_from(["read", "write", "send"]),
    path=st.sampled_from(["/home/u/web/x", "/etc/y", "/home/u/a", "/"]), cost=st.integers(0, 4),
    confidentiality=st.sampled_from(["public", "internal", "restricted"]), external=st.booleans(),
    untrusted=st.booleans(), environment=st.sampled_from(["", "prod", "dev"]),
    scope=st.sampled_from([{}, {"p": "a"}, {"p": "c"}]), principal=st.sampled_from(["ann", "bob"]),
    roles=st.sampled_from([[], ["ops"]]), approvals=st.integers(0, 2), unattended=st.booleans(),
    formed=st.sampled_from([[], ["form"], ["other"]]),
)  # fmt: skip


def _compiled(rules: list[dict[str, Any]], files: int = 1, *, prefix: str = "") -> Any:
    named = [{"id": f"r{number}", **rule} for number, rule in enumerate(rules)]
    parts = [part for part in (named[start::files] for start in range(files)) if part]
    texts = {f"{prefix}{number}.yaml": json.dumps({"rules": part}) for number, part in enumerate(parts)}
    return compile_policies({}, texts, home=HOME, root=ROOT)


@settings(max_examples=150, deadline=None)
@given(rules=RULES, extra=CONDITIONS, head=st.sampled_from(["deny", "verify"]), request_=REQUESTS)
def test_one_more_denial_or_check_never_permits_more(
    rules: list[dict[str, Any]], extra: dict[str, Any], head: str, request_: Any
) -> None:
    before = _compiled(rules).evaluate(request_)
    after = _compiled([*rules, {head: "*", **extra}]).evaluate(request_)
    assert after.decision.rank >= before.decision.rank
    assert after.approvals >= before.approvals or after.decision.value == "DENY"


@settings(max_examples=150, deadline=None)
@given(rules=RULES, extra=CONDITIONS, request_=REQUESTS)
def test_one_more_modification_permits_nothing_more_and_takes_no_denial_back(
    rules: list[dict[str, Any]], extra: dict[str, Any], request_: Any
) -> None:
    before = _compiled(rules).evaluate(request_)
    after = _compiled([*rules, {"modify": "*", "with": "form", **extra}]).evaluate(request_)
    assert after.decision in {before.decision, Decision.MODIFY}
    assert (
        after.decision is not Decision.MODIFY
        or before.decision.value != "DENY"
        or "policy.unattended" in said(before)[1]
    )


@settings(max_examples=150, deadline=None)
@given(rules=RULES, request_=REQUESTS, files=st.integers(1, 3), data=st.data())
def test_the_order_of_rules_and_files_does_not_matter(
    rules: list[dict[str, Any]], request_: Any, files: int, data: st.DataObject
) -> None:
    named = [{"id": f"n{number}", **rule} for number, rule in enumerate(rules)]
    other = _compiled(data.draw(st.permutations(named)), files, prefix="z")
    assert other.evaluate(request_) == _compiled(named).evaluate(request_)


@settings(max_examples=100, deadline=None)
@given(request_=REQUESTS)
def test_an_empty_set_permits_nothing(request_: Any) -> None:
    assert compile_policies({}, {}, home=HOME).evaluate(request_).decision.value == "DENY"
    assert cedar("// only a comment").evaluate(request_).decision.value == "DENY"


@pytest.mark.parametrize("word", ["allow", "Allow", "PERMIT", "ok", "", "ALLOW ", "modify", "DEFER", "yes"])
def test_an_unknown_verdict_word_is_no_expectation(word: str) -> None:
    with pytest.raises(PolicyFileError):
        run_cases(OPEN, f"cases:\n  - {{name: a, action: x, expect: '{word}'}}")
