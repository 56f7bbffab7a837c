"""The engine: three values, their precedence, what is explained, what the digest covers."""

import cedarpy
import pytest

from interlock.artifact.verdict import Decision
from interlock.decide.policy import PolicyFileError, compile_policies
from interlock.decide.policy.cedar import LONGEST_CALL, Call, Cedar
from interlock.decide.policy.compiler import compile_rule
from interlock.decide.policy.source import Statement
from support.asking import asking, cedar, said, short

ALLOW = '@id("ok") permit (principal, action, resource);'
CONFIRM = '@id("two") @approvals("2") forbid (principal, action, resource);'
DENY = '@id("never") forbid (principal, action, resource);'


def test_nothing_is_allowed_without_a_permit() -> None:
    assert said(compile_policies({}, {}, home="/h").evaluate(asking())) == ("DENY", "policy.no_permit")


def test_a_permit_allows_and_says_which() -> None:
    answer = cedar(ALLOW).evaluate(asking())
    assert said(answer) == ("ALLOW", "policy.permitted ok")
    assert answer.approvals == 0


def test_a_forbid_wins_over_permits_and_confirmations() -> None:
    assert said(cedar(ALLOW + CONFIRM + DENY).evaluate(asking())) == ("DENY", "policy.denied never")


def test_a_confirmation_asks_for_the_largest_number_of_persons() -> None:
    one = '@id("one") @tier("2") forbid (principal, action, resource);'
    answer = cedar(ALLOW + CONFIRM + one).evaluate(asking())
    assert said(answer) == ("STEP_UP", "policy.confirm one", "policy.confirm two")
    assert answer.approvals == 2


@pytest.mark.parametrize(("given", "decision"), [(0, "STEP_UP"), (1, "STEP_UP"), (2, "ALLOW"), (3, "ALLOW")])
def test_confirmations_are_lifted_by_enough_persons(given: int, decision: str) -> None:
    assert cedar(ALLOW + CONFIRM).evaluate(asking(approvals=given)).decision.value == decision


def test_a_confirmation_without_a_permit_behind_it_denies_whoever_confirms() -> None:
    assert said(cedar(CONFIRM).evaluate(asking())) == ("DENY", "policy.no_permit")
    assert said(cedar(CONFIRM).evaluate(asking(approvals=9))) == ("DENY", "policy.no_permit")


def test_unattended_what_would_ask_is_denied() -> None:
    assert said(cedar(ALLOW + CONFIRM).evaluate(asking(unattended=True))) == ("DENY", "policy.unattended two")
    assert cedar(ALLOW + CONFIRM).evaluate(asking(unattended=True, approvals=2)).decision is Decision.ALLOW


def test_tier_one_leaves_the_matter_to_evidence_and_says_so() -> None:
    answer = cedar(ALLOW + '@id("look") @tier("1") forbid (principal, action, resource);').evaluate(asking())
    assert said(answer) == ("ALLOW", "policy.permitted ok", "policy.evidence look")


def test_effect_confirm_alone_means_one_person() -> None:
    answer = cedar(ALLOW + '@id("c") @effect("confirm") forbid (principal, action, resource);').evaluate(asking())
    assert (answer.decision, answer.approvals) == (Decision.STEP_UP, 1)


MODIFY = '@id("m") @with("bare") forbid (principal, action, resource);'


@pytest.mark.parametrize(
    ("more", "facts", "answer"),
    [
        ("", {}, ("MODIFY", "policy.modified m")),
        ("", {"unattended": True}, ("MODIFY", "policy.modified m")),
        ("", {"formed": ["other"]}, ("MODIFY", "policy.modified m")),
        ("", {"formed": ["bare"]}, ("ALLOW", "policy.permitted ok")),
        (CONFIRM, {}, ("MODIFY", "policy.modified m")),
        (CONFIRM, {"formed": ["bare"]}, ("STEP_UP", "policy.confirm two")),
        (CONFIRM, {"formed": ["bare"], "approvals": 2}, ("ALLOW", "policy.permitted ok")),
        (DENY, {"formed": ["bare"]}, ("DENY", "policy.denied never")),
        (DENY + CONFIRM, {}, ("DENY", "policy.denied never")),
        (MODIFY.replace('"m"', '"n"'), {}, ("MODIFY", "policy.modified m", "policy.modified n")),
    ],
)
def test_a_form_that_is_not_there_yet_is_wanted_before_anything_is_asked(
    more: str, facts: dict[str, object], answer: tuple[str, ...]
) -> None:
    found = cedar(ALLOW + MODIFY + more).evaluate(asking(**facts))
    assert said(found) == answer
    assert {reason.field for reason in found.reasons} == ({"bare"} if answer[0] == "MODIFY" else {""})


def test_a_modification_without_a_permit_behind_it_denies() -> None:
    assert said(cedar(MODIFY).evaluate(asking())) == ("DENY", "policy.no_permit")
    assert said(cedar(MODIFY).evaluate(asking(formed=["bare"]))) == ("DENY", "policy.no_permit")


@pytest.mark.parametrize(
    "notes",
    ['@effect("modify")', '@effect("modify") @with("")', '@with("x") @tier("3")', '@with("x") @approvals("1")',
     '@with("x") @effect("confirm")', '@with("has space")'],
)  # fmt: skip
def test_a_modification_names_one_form_and_asks_nobody(notes: str) -> None:
    with pytest.raises(PolicyFileError):
        cedar(f'@id("m") {notes} forbid (principal, action, resource);')
    with pytest.raises(PolicyFileError):
        cedar(f'@id("m") {notes} permit (principal, action, resource);')


def test_an_open_resource_is_permitted_as_open() -> None:
    policies = short("  - {allow: files.read, path: ./**, id: own}")
    assert said(policies.evaluate(asking(path="{path}", open=True))) == ("ALLOW", "policy.permitted_open own")
    assert said(policies.evaluate(asking(path="/etc/passwd"))) == ("DENY", "policy.no_permit")


def test_a_batch_answers_each_request_in_its_place() -> None:
    policies = short("  - {allow: files.*, path: ./**, id: own}\n  - {verify: files.write, id: ask}")
    requests = [
        asking(path="/home/u/web/a"), asking(path="../x"), asking(path="/etc/passwd"),
        asking(action="files.write", path="/home/u/web/a"), asking(cost="1"),
    ]  # fmt: skip
    answers = policies.evaluate_many(requests)
    assert [answer.decision.value for answer in answers] == ["ALLOW", "DENY", "DENY", "STEP_UP", "DENY"]
    assert answers == tuple(policies.evaluate(request) for request in requests)
    assert policies.evaluate_many([]) == ()


@pytest.mark.parametrize(
    "text",
    [
        '@id("p") permit (principal == Principal::"ann", action, resource);',
        '@id("p") permit (principal, action, resource) when { principal == Principal::"ann" };',
        '@id("p") permit (principal, action, resource == Resource::"file:/home/u/web/a");',
        '@id("p") permit (principal, action, resource) when { resource == Resource::"file:/home/u/web/a" };',
    ],
)
def test_what_is_remembered_is_remembered_under_every_name_that_a_policy_tells_apart(text: str) -> None:
    policies = cedar(text)
    asked = asking(principal="ann", path="/home/u/web/a")
    others = [asking(principal="bob", path="/home/u/web/b"), asked, asking(principal="bob", path="/home/u/web/b")]
    assert [policies.evaluate(one).decision.value for one in (asked, *others)] == ["ALLOW", "DENY", "ALLOW", "DENY"]


def test_requests_that_differ_in_nothing_that_policies_ask_are_asked_about_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policies = short("  - {allow: files.*, path: ./**, id: own}")
    first = policies.evaluate(asking(path="/home/u/web/0"))
    monkeypatch.setattr(cedarpy, "is_authorized_batch", None)
    assert policies.evaluate_many([asking(path=f"/home/u/web/{number}") for number in range(8)]) == (first,) * 8
    assert said(policies.evaluate(asking(path="/home/u/other"))) == ("DENY", "policy.error")


def test_cedar_answers_in_order_and_keeps_a_bounded_number_of_bounded_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = compile_rule(
        Statement(file="f", line=1, text='@id("d") permit (principal, action, resource) when { context.cost < 2 };'),
        home="/h", root="",
    )  # fmt: skip
    batches: list[int] = []
    ask = cedarpy.is_authorized_batch
    monkeypatch.setattr(
        cedarpy, "is_authorized_batch", lambda asked, *rest: batches.append(len(asked)) or ask(asked, *rest)
    )
    engine, calls = Cedar([rule], most=2), [Call("", "read", "", f'{{"cost": {number}}}') for number in range(4)]
    order = [calls[0], calls[2], calls[1], calls[0]]
    assert [one.allowed for one in engine.says(order[:2])] == [True, False]
    assert [one.allowed for one in engine.says(order)] == [True, False, True, True]
    assert [one.allowed for one in engine.says(order)] == [True, False, True, True]
    large = Call("", "read", "", '{"cost": 1}' + " " * LONGEST_CALL)
    assert [engine.says([large])[0].rules for _ in range(2)] == [("d",)] * 2
    assert batches == [2, 1, 3, 1, 1]


def test_a_rule_is_explained_by_its_place_and_its_owner() -> None:
    origin = short("\n  - deny: x\n    id: a\n    owner: ops\n    why: it is so").explain("a")
    assert (origin.file, origin.line, origin.owner, origin.why) == ("rules.yaml", 3, "ops", "it is so")
    assert "forbid (principal, action, resource)" in origin.text
    with pytest.raises(KeyError):
        short("  - deny: x").explain("b")


def test_cedar_statements_know_their_lines_across_comments_and_strings() -> None:
    text = f'// one; two\n\n{ALLOW}\n// "three\n@id("s")\nforbid (principal, action, resource)\nwhen {{ context.group == "a;b//c" }};\n'
    policies = cedar(text)
    assert [policies.explain(name).line for name in ("ok", "s")] == [3, 5]


def test_compiled_text_is_all_that_decides() -> None:
    rules = short("  - {allow: files.*, path: ./**, id: own}\n  - {deny: '*', cost: 5, id: dear}")
    again = cedar(rules.compiled_text("rules.yaml"))
    for request in (asking(path="/home/u/web/x"), asking(cost=6), asking(path="/etc/x"), asking(cost=5)):
        assert said(again.evaluate(request)) == said(rules.evaluate(request))
    assert rules.compiled_text("other.yaml") == ""


def test_the_digest_covers_texts_names_home_and_root() -> None:
    rules = {"r.yaml": "rules:\n  - deny: x\n"}
    sets = [
        compile_policies({}, rules, home="/h", root="/r"),
        compile_policies({}, rules, home="/g", root="/r"),
        compile_policies({}, rules, home="/h", root="/s"),
        compile_policies({}, {"s.yaml": rules["r.yaml"]}, home="/h", root="/r"),
        compile_policies({}, {"r.yaml": rules["r.yaml"] + "#"}, home="/h", root="/r"),
        compile_policies({"c.cedar": ALLOW}, rules, home="/h", root="/r"),
    ]
    assert len({found.digest for found in sets}) == len(sets)
    assert sets[0].digest == compile_policies({}, rules, home="/h", root="/r").digest


def test_an_id_that_stands_twice_is_named_with_both_places() -> None:
    with pytest.raises(PolicyFileError, match=r"policy.duplicate_id: r.yaml:2: .* c.cedar:1") as caught:
        compile_policies({"c.cedar": ALLOW}, {"r.yaml": "rules:\n  - {deny: x, id: ok}"}, home="/h")
    assert (caught.value.file, caught.value.line, caught.value.code) == ("r.yaml", 2, "policy.duplicate_id")
