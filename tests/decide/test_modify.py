"""MODIFY: what a form does to a step, when it is in force, when it is refused, and how the gate takes it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.judging import CATALOGUE, NOW, TASK, UNTRUSTED, codes, evidence, judge, policy, step

from interlock.artifact import codec
from interlock.artifact.action import Manifest, Transformation
from interlock.artifact.codec import Json
from interlock.artifact.label import CLEAN
from interlock.artifact.plan import Compensation, ForEach, Plan, Proposal, ProposedStep
from interlock.artifact.verdict import Decision, Verdict
from interlock.decide import gate
from interlock.decide.evidence import Evidence
from interlock.decide.modify import MAX_ROUNDS, in_force, modify, unfit
from interlock.decide.references import Labelled
from interlock.harness.catalogue import builtin

ARGUMENT = {"$argument": "path"}
ASIDE = Transformation(
    use="write@1", arguments={"path": {"$template": [ARGUMENT, ".new"]}, "content": {"$argument": "content"}}
)
FORMS: Mapping[str, Mapping[str, Transformation]] = {
    "send@1": {
        "bare": Transformation(drop=("body",)),
        "home": Transformation(fix={"tenant": "acme"}, drop=("body",)),
        "draft": Transformation(use="write@1", arguments={"path": "draft.txt", "content": {"$argument": "body"}}),
        "needy": Transformation(use="write@1", arguments={"path": {"$template": ["d/", {"$argument": "body"}]}}),
        "worse": Transformation(use="pay@1", arguments={"amount": "1"}),
    },
    "write@1": {"kept": Transformation(fix={"content": "kept"}), "look": Transformation(use="read@1", arguments={"path": ARGUMENT})},
    "read@1": {"aside": Transformation(use="page@1", arguments={"url": {"$argument": "path"}})},
}  # fmt: skip
WITH_FORMS = dict(CATALOGUE) | {
    name: msgspec.structs.replace(CATALOGUE[name], transformations=dict(forms)) for name, forms in FORMS.items()
}
ALLOW = "rules:\n  - {allow: '*', id: all}\n"
SEND: Mapping[str, Json] = {"url": "https://known.example/", "body": "hello"}


def known(rules: str, **changes: object) -> Evidence:
    return evidence(catalogue=WITH_FORMS, policy=policy(ALLOW + rules), **changes)


def plan(*steps: ProposedStep, evidence: Evidence, **stamp: object) -> Plan:
    raw = codec.encode(Proposal(task=codec.digest(TASK), goal="do it", steps=steps))
    fields: dict[str, object] = {"id": "p1", "sequence": 1, "expires_at": NOW + 1000}
    found = gate.examine(raw, gate.Stamp(**(fields | stamp)), evidence).plan  # type: ignore[arg-type]
    assert found is not None
    return found


def modified(*steps: ProposedStep, rules: str, rounds: int = 0) -> Proposal | Verdict:
    """What takes the place of these steps under these rules, which modify them."""
    facts = known(rules)
    planned = plan(*steps, evidence=facts)
    verdict = gate.decide(planned, facts, NOW)
    assert verdict.decision is Decision.MODIFY, verdict
    return modify(planned, verdict, facts.catalogue, rounds=rounds)


def rule(action: str, form: str) -> str:
    return f"  - {{modify: {action}, with: {form}, id: {form}}}\n"


ITEM = {"$ref": "item.body"}
MADE: Mapping[str, tuple[ProposedStep, str, str, Mapping[str, Json]]] = {
    "content is stripped": (step("s1", "send@1", arguments=SEND), "bare", "send@1", {"url": SEND["url"]}),
    "scope is narrowed": (
        step("s1", "send@1", arguments=SEND), "home", "send@1", {"url": SEND["url"], "tenant": "acme"}
    ),
    "an argument is retyped": (
        step("s1", "write@1", arguments={"path": "a", "content": "b"}), "kept", "write@1", {"path": "a", "content": "kept"}
    ),
    "a safer action takes its place": (
        step("s1", "send@1", arguments=SEND), "draft", "write@1", {"path": "draft.txt", "content": "hello"}
    ),
    "what the step leaves out is left out": (
        step("s1", "send@1", arguments={"url": SEND["url"]}), "draft", "write@1", {"path": "draft.txt"}
    ),
    "a template of known parts becomes text": (
        step("s1", "send@1", arguments=SEND), "needy", "write@1", {"path": "d/hello"}
    ),
    "a reference stays a reference": (
        step("s1", "send@1", arguments={**SEND, "body": ITEM}, for_each=ForEach(items=[{"body": "x"}], at_most=2)),
        "needy", "write@1", {"path": {"$template": ["d/", ITEM]}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MADE)
def test_a_form_makes_the_step_that_its_manifest_says(name: str) -> None:
    given, form, action, arguments = MADE[name]
    found = modified(given, rules=rule(given.action[:-2], form))
    assert isinstance(found, Proposal)
    [made] = found.steps
    assert (made.action, made.arguments) == (action, arguments)
    assert (made.id, made.for_each, made.privileges, made.irreversible) == ("s1", given.for_each, None, None)


def test_other_steps_stay_and_the_way_back_goes_with_the_action() -> None:
    back = Compensation(action="read@1", arguments={"path": "x"})
    first, other = step("s1", "send@1", arguments=SEND, rollback=back), step("s2", "read@1", arguments={"path": "a"})
    found = modified(first, other, rules=rule("send", "draft"))
    assert isinstance(found, Proposal)
    assert (found.steps[0].rollback, found.steps[1]) == (None, other)
    kept = modified(first, rules=rule("send", "bare"))
    assert isinstance(kept, Proposal)
    assert kept.steps[0].rollback == back


SENDING = step("s1", "send@1", arguments=SEND)
NAMED = step("s2", "read@1", arguments={"path": {"$ref": "s1.output.path"}})
REFUSED: Mapping[str, tuple[tuple[ProposedStep, ...], str, str]] = {
    "two forms at once": ((SENDING,), rule("send", "bare") + rule("send", "draft"), "modify.ambiguous"),
    "a form that the action has not got": ((SENDING,), rule("'*'", "unheard-of"), "modify.unknown"),
    "a substitute that may do more": ((SENDING,), rule("send", "worse"), "modify.unfit"),
    "a later step names the output": ((SENDING, NAMED), rule("send", "draft"), "modify.output"),
    "an outcome is expected": (
        (msgspec.structs.replace(SENDING, expect={"$eq": [{"$ref": "output.status"}, 200]}),), rule("send", "draft"),
        "modify.output",
    ),
    "an argument that is not there": (
        (step("s1", "send@1", arguments={"url": SEND["url"]}),), rule("send", "needy"), "modify.argument"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_changed_soundly_is_denied(name: str) -> None:
    steps, rules, code = REFUSED[name]
    found = modified(*steps, rules=rules)
    assert isinstance(found, Verdict)
    assert (found.decision, found.reasons[0].code) == (Decision.DENY, code)


def test_after_so_many_rounds_nothing_more_is_tried() -> None:
    assert isinstance(modified(SENDING, rules=rule("send", "bare"), rounds=MAX_ROUNDS - 1), Proposal)
    assert codes(modified(SENDING, rules=rule("send", "bare"), rounds=MAX_ROUNDS)) == {"modify.loop"}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("form", "arguments", "has"),
    [
        ("bare", SEND, False),
        ("bare", {"url": "u"}, True),
        ("home", {"url": "u", "tenant": "acme"}, True),
        ("home", {"url": "u", "tenant": "other"}, False),
        ("home", {"url": "u", "tenant": True}, False),
        ("home", {"url": "u"}, False),
        ("draft", SEND, False),
    ],
)
def test_a_form_is_in_force_where_it_would_change_nothing(form: str, arguments: Mapping[str, Json], has: bool) -> None:
    assert (form in in_force(WITH_FORMS["send@1"], arguments, arguments)) is has


def test_an_empty_form_is_never_in_force_and_an_unknown_value_is_not_the_fixed_one() -> None:
    empty = msgspec.structs.replace(CATALOGUE["send@1"], transformations={"empty": Transformation()})
    assert in_force(empty, (), {}) == ()
    assert "home" not in in_force(WITH_FORMS["send@1"], ("url", "tenant"), {})


UNFIT: Mapping[str, tuple[Transformation, str]] = {
    "nothing": (Transformation(), "drops and fixes nothing"),
    "arguments of no substitute": (Transformation(arguments={"url": "x"}, drop=("body",)), "names no substitute"),
    "dropping what is not there": (Transformation(drop=("nonsense",)), "not there"),
    "dropping what is needed": (Transformation(drop=("url",)), "needed"),
    "both": (Transformation(drop=("body",), fix={"body": "x"}), "same argument"),
    "fixing what is not there": (Transformation(fix={"nonsense": "x"}), "has no argument"),
    "fixing to a wrong type": (Transformation(fix={"body": 5}), "type"),
    "fixing to an expression": (Transformation(fix={"body": {"$ref": "s1.output"}}), "no literal"),
    "a substitute and a change in place": (Transformation(use="write@1", drop=("body",)), "as well"),
    "no such substitute": (Transformation(use="gone@1"), "no action that exists"),
    "itself": (Transformation(use="send@1"), "for itself"),
    "what lowers a label": (Transformation(use="flow.endorse@1"), "lowers a label"),
    "an argument that the substitute has not got": (Transformation(use="write@1", arguments={"to": "x"}), "no argument"),
    "an argument that the action has not got": (
        Transformation(use="write@1", arguments={"path": {"$argument": "nonsense"}}), "path is no literal"
    ),
    "a reference of the author's": (
        Transformation(use="write@1", arguments={"path": {"$template": [{"$ref": "s1.output"}]}}), "path is no literal"
    ),
    "an unknown operator": (Transformation(use="write@1", arguments={"path": {"$eval": "x"}}), "path is no literal"),
    "a needed argument out of one that may be left out": (
        Transformation(use="tied@1", arguments={"name": {"$argument": "body"}}), "leave out"
    ),
    "another type": (Transformation(use="tied@1", arguments={"name": "x", "size": {"$argument": "url"}}), "another type"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNFIT)
def test_a_transformation_that_could_not_be_used_is_named(name: str) -> None:
    form, said = UNFIT[name]
    needed = {"url": msgspec.structs.replace(CATALOGUE["send@1"].arguments["url"], required=True)}
    send = msgspec.structs.replace(CATALOGUE["send@1"], arguments={**CATALOGUE["send@1"].arguments, **needed})
    name_ = msgspec.structs.replace(CATALOGUE["write@1"].arguments["content"], required=True)
    size = msgspec.structs.replace(CATALOGUE["write@1"].arguments["content"], type="integer")
    tied = msgspec.structs.replace(
        CATALOGUE["write@1"], name="tied", resources=(), arguments={"name": name_, "size": size}
    )
    found = list(unfit(send, form, {**builtin(), **CATALOGUE, "send@1": send, "tied@1": tied}))
    assert any(said in reason for reason in found), found


WORSE: Mapping[str, tuple[str, str, Mapping[str, object]]] = {
    "effect": ("write@1", "send@1", {}),
    "reversibility": ("write@1", "write@1", {"reversibility": "irreversible"}),
    "secrets": ("write@1", "write@1", {"secrets": ("key",)}),
    "accepts": ("send@1", "send@1", {"accepts": "restricted"}),
    "cost": ("write@1", "write@1", {"cost": 1}),
    "executableWrites": ("write@1", "write@1", {"executable": True}),
    "privileged": ("read@1", "read@1", {"privileged": True}),
    "external": ("read@1", "page@1", {}),
    "broad": ("read@1", "read@1", {"broad": True}),
}


@pytest.mark.parametrize("aspect", WORSE)
def test_a_substitute_is_worse_in_nothing(aspect: str) -> None:
    name, base, changes = WORSE[aspect]
    fields = codec.builtin(CATALOGUE[base])
    assert isinstance(fields, dict)
    driver = fields["driver"]
    assert isinstance(driver, dict)
    driver["executableWrites"] = "executable" in changes
    rest = {key: value for key, value in changes.items() if key != "executable"}
    worse = codec.convert({**fields, **rest, "name": "worse"}, Manifest)
    found = list(unfit(CATALOGUE[name], Transformation(use="worse@1"), {"worse@1": worse}))
    assert f"its substitute is worse in {aspect}" in found


def test_a_read_is_not_replaced_by_a_write_and_a_deletion_may_be() -> None:
    form = Transformation(use="write@1", arguments={"path": "x", "content": "y"})
    assert list(unfit(CATALOGUE["read@1"], form, CATALOGUE)) == ["its substitute is worse in effect",
                                                                "its substitute is worse in reversibility"]  # fmt: skip
    assert list(unfit(CATALOGUE["unmake@1"], form, CATALOGUE)) == []


# ---- the gate


def test_a_change_comes_before_a_question_and_the_successor_is_asked_about_if_it_still_asks() -> None:
    verdict = judge(SENDING, known=known(rule("send", "bare")))
    assert (verdict.decision, verdict.approvals) == (Decision.MODIFY, 0)
    assert codes(verdict) == {"policy.modified"}
    assert [(one.step, one.field, one.rule) for one in verdict.reasons[:1]] == [("s1", "bare", "bare")]
    bare = step("s1", "send@1", arguments={"url": SEND["url"]})
    assert codes(judge(bare, known=known(rule("send", "bare")))) == {"floor.irreversible"}


@pytest.mark.parametrize(
    "rules",
    ["  - {deny: send, id: never}\n", "  - {verify: send, id: ask}\n  - {deny: '*', effect: send, id: never}\n"],
)
def test_a_denial_wins_over_a_change(rules: str) -> None:
    assert judge(SENDING, known=known(rule("send", "bare") + rules)).decision is Decision.DENY


def test_a_denial_of_another_step_or_tier_wins_as_well_and_no_permit_is_a_denial() -> None:
    outside = step("s2", "read@1", arguments={"path": "/etc/passwd"})
    verdict = judge(SENDING, outside, known=known(rule("send", "bare")))
    assert (verdict.decision, "policy.modified" in codes(verdict)) == (Decision.DENY, False)
    unpermitted = evidence(catalogue=WITH_FORMS, policy=policy("rules:\n" + rule("send", "bare")))
    assert codes(judge(SENDING, known=unpermitted)) >= {"policy.no_permit"}


def test_unattended_a_change_is_made_and_only_what_would_still_ask_is_denied() -> None:
    facts = known(rule("send", "draft") + "  - {verify: send, id: ask}\n", unattended=True)
    assert judge(SENDING, known=facts).decision is Decision.MODIFY
    assert judge(SENDING, known=msgspec.structs.replace(facts, frozen=True)).decision is Decision.DENY


def test_what_is_finished_is_not_changed_any_more() -> None:
    facts = known(rule("send", "bare"))
    parent = plan(SENDING, step("s2", "read@1", arguments={"path": "a"}), evidence=facts, finished=("s1",))
    assert codes(gate.decide(parent, facts, NOW)) == {"floor.irreversible"}


def test_a_plan_that_was_decided_on_is_not_changed_any_more() -> None:
    assert gate.settled(judge(SENDING, known=known(""))).decision is Decision.STEP_UP
    assert gate.settled(judge(SENDING, known=known(rule("send", "bare")))).reasons[0].code == "modify.late"


def test_a_rule_that_speaks_of_a_step_only_when_its_values_are_known_stops_it() -> None:
    facts = known("  - {modify: write, with: kept, untrusted: true, id: kept}\n")
    planned = plan(step("s1", "write@1", arguments={"path": "notes.txt", "content": "x"}), evidence=facts)
    for label, decision in ((CLEAN, Decision.ALLOW), (UNTRUSTED, Decision.DENY)):
        arguments = {"path": Labelled(value="notes.txt", label=CLEAN), "content": Labelled(value="x", label=label)}
        _, verdict = gate.recheck(planned.steps[0], arguments, CLEAN, CLEAN, facts)
        assert verdict.decision is decision


words = st.text("ab", min_size=1, max_size=3)


@given(words, words, st.sampled_from(["bare", "home", "draft", "needy"]), st.sampled_from([CLEAN, UNTRUSTED]))
def test_a_modified_plan_is_judged_as_if_it_had_been_proposed(
    path: str, body: str, form: str, received: object
) -> None:
    facts = known(rule("send", form), received=received)
    first = plan(step("s1", "send@1", arguments={"url": f"https://{path}.example/", "body": body}), evidence=facts)
    made = modify(first, gate.decide(first, facts, NOW), facts.catalogue, rounds=0)
    assert isinstance(made, Proposal)
    stamp = gate.Stamp(id="p2", sequence=2, expires_at=NOW + 1000)
    direct = codec.encode(Proposal(task=codec.digest(TASK), goal="do it", steps=made.steps))
    pair = [gate.examine(raw, stamp, facts) for raw in (codec.encode(made), direct)]
    verdicts = [gate.decide(one.plan, facts, NOW, one.verdict) for one in pair if one.plan is not None]
    assert len(verdicts) == 2
    assert verdicts[0] == verdicts[1]
    assert verdicts[0].decision is not Decision.MODIFY
