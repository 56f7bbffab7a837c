"""(7) The judge's opinion: it raises, and nothing that it says, or does not say, makes a verdict milder."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET
from tests.support.judging import HOME, NOW, PRIVATE, ROOT, SECRET, SITE, TASK, UNTRUSTED, codes, evidence, policy, step

from interlock.artifact import codec
from interlock.artifact.analysis import Analysis
from interlock.artifact.errors import CodecError
from interlock.artifact.label import CLEAN, Confidentiality
from interlock.artifact.opinion import FAULTS, MAX_INQUIRY, Assessment, Inquiry, Judging, Opinion, Word
from interlock.artifact.plan import ForEach, Proposal, ProposedStep
from interlock.artifact.resources import Touched
from interlock.artifact.verdict import Decision, Verdict
from interlock.decide import gate
from interlock.decide.evidence import Evidence
from interlock.decide.judgement import LEAST, WINDOW, drift
from interlock.decide.references import Labelled
from interlock.decide.supposing import Supposed

JUDGE = "1" * 64
WRITE = step("s1", "write@1", arguments={"path": "notes.txt", "content": "x"})
READ = step("s1", "read@1", arguments={"path": "notes.txt"})
SEND = step("s2", "send@1", arguments={"url": "https://known.example/", "body": "x"})


def judged(**fields: Any) -> Judging:
    return Judging(**{"identity": JUDGE, "accepts": Confidentiality.INTERNAL, "drift": 60} | fields)


def known(judging: Judging | None = None, **changes: object) -> Evidence:
    return evidence(site=msgspec.structs.replace(SITE, judge=judging or judged()), **changes)


def asked(*steps: ProposedStep, facts: Evidence, finished: tuple[str, ...] = ()) -> tuple[gate.Asked, Inquiry | None]:
    raw = codec.encode(Proposal(task=codec.digest(facts.task), goal="do it", steps=steps))
    stamp = gate.Stamp(id="p1", sequence=1, expires_at=NOW + 1000, finished=finished)
    plan = gate.examine(raw, stamp, facts).plan
    assert plan is not None
    found = gate.ask(plan, facts)
    return found, gate.inquiry_of(found, facts.policy.evaluate_many(found.requests), facts, NOW)


def opinion(inquiry: Inquiry, word: Word = Word.FITS, **fields: Any) -> Opinion:
    steps = tuple(Assessment(step=one.id, word=word, distance=7) for one in inquiry.steps)
    base: dict[str, Any] = {"about": codec.digest(inquiry), "judge": JUDGE, "plan": word, "steps": steps}
    return Opinion(**base | fields)


def verdict_with(found: gate.Asked, facts: Evidence, said: Opinion | None) -> Verdict:
    return gate.conclude(found, facts.policy.evaluate_many(found.requests), facts.opining(said), NOW)


def of_judge(verdict: Verdict) -> set[tuple[str, str]]:
    return {(one.code, one.step) for one in verdict.reasons if one.code.startswith(("judge.", "intent."))}


SAID: dict[str, tuple[dict[str, Any], Decision, set[tuple[str, str]]]] = {
    "it fits": ({}, Decision.ALLOW, set()),
    "unclear as a whole": ({"plan": Word.UNCLEAR}, Decision.STEP_UP, {("judge.unclear", "")}),
    "contrary as a whole": ({"plan": Word.CONTRARY}, Decision.STEP_UP, {("judge.contrary", "")}),
    "everything is contrary": ({"word": Word.CONTRARY}, Decision.STEP_UP, {("judge.contrary", ""), ("judge.contrary", "s1")}),
    "about another plan": ({"about": "0" * 64}, Decision.STEP_UP, {("judge.late", "")}),
    "by another judge": ({"judge": "0" * 64}, Decision.STEP_UP, {("judge.late", "")}),
    **{fault: ({"fault": fault}, Decision.STEP_UP, {(fault, "")}) for fault in sorted(FAULTS)},
}  # fmt: skip


@pytest.mark.parametrize("name", SAID)
def test_7_what_an_opinion_says(name: str) -> None:
    fields, decision, said = SAID[name]
    facts = known()
    found, inquiry = asked(WRITE, facts=facts)
    assert inquiry is not None
    verdict = verdict_with(found, facts, opinion(inquiry, **fields))
    assert (verdict.decision, of_judge(verdict)) == (decision, said)


def test_7_without_an_opinion_it_is_late_and_without_a_judge_it_is_nothing() -> None:
    facts = known()
    found, _ = asked(WRITE, facts=facts)
    assert of_judge(verdict_with(found, facts, None)) == {("judge.late", "")}
    found, inquiry = asked(WRITE, facts=evidence())
    assert (inquiry, of_judge(verdict_with(found, evidence(), None))) == (None, set())


def test_7_contrary_denies_where_the_workspace_says_so() -> None:
    facts = known(judged(contrary="deny"))
    found, inquiry = asked(WRITE, facts=facts)
    assert inquiry is not None
    assert verdict_with(found, facts, opinion(inquiry, Word.CONTRARY)).decision is Decision.DENY
    assert opinion(inquiry).word("s1") == Assessment(step="s1", word=Word.FITS, distance=7)
    assert verdict_with(found, facts, opinion(inquiry, Word.UNCLEAR)).decision is Decision.STEP_UP


def test_7_what_is_told_is_the_recorded_goal_and_the_plan_as_the_harness_sees_it() -> None:
    item = step(
        "s2", "write@1", arguments={"path": "b.txt", "content": {"$ref": "item"}}, when={"$ref": "s1.output.ok"},
        for_each=ForEach(items={"$ref": "s1.output.rows"}, at_most=3), reason="trust me", change="c1",
    )  # fmt: skip
    facts = known(received=UNTRUSTED)
    _, inquiry = asked(READ, item, facts=facts, finished=("s1",))
    assert inquiry is not None
    told = codec.encode(inquiry)
    assert (inquiry.goal, inquiry.values) == (TASK.goal, TASK.values)
    assert not [word for word in (b"trust me", b"alice", b"t1", HOME.encode(), b"c1") if word in told]
    first, second = inquiry.steps
    assert (first.finished, second.finished) == (True, False)
    assert (first.at_most, first.when, first.for_each) == (1, None, None)
    assert (second.at_most, second.when, second.for_each) == (3, item.when, {"$ref": "s1.output.rows"})
    assert [one.on for one in second.effects] == [f"file:{ROOT}/b.txt"]
    path, content = second.arguments["path"], second.arguments["content"]
    assert (path.value, path.known, path.integrity.value) == ("b.txt", True, "untrusted")
    assert (content.value, content.known) == ({"$ref": "item"}, False)
    _, sending = asked(SEND, facts=known())
    assert sending is not None
    assert sending.steps[0].destinations == ("https://known.example/",)


def test_7_a_finished_step_is_not_held_against_the_plan() -> None:
    facts = known()
    found, inquiry = asked(
        WRITE, step("s2", "write@1", arguments={"path": "b", "content": "x"}), facts=facts, finished=("s1",)
    )
    assert inquiry is not None
    said = opinion(inquiry, steps=tuple(Assessment(step=name, word=Word.CONTRARY, distance=9) for name in ("s1", "s2")))
    assert of_judge(verdict_with(found, facts, said)) == {("judge.contrary", "s2")}


UNASKED: dict[str, tuple[ProposedStep, Judging, dict[str, object], set[tuple[str, str]]]] = {
    "a read that stays inside": (READ, judged(), {}, set()),
    "what is denied anyway": (step("s1", "write@1", arguments={"path": "/etc/x", "content": "x"}), judged(), {}, set()),
    "what is frozen": (WRITE, judged(), {"frozen": True}, set()),
    "what nobody is there to ask about": (SEND, judged(), {"unattended": True}, set()),
    "what it may not know": (WRITE, judged(), {"received": PRIVATE}, {("judge.label", "s1")}),
    "what is larger than it is told": (
        WRITE, judged(), {"task": msgspec.structs.replace(TASK, values=("x" * MAX_INQUIRY,))}, {("judge.size", "")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNASKED)
def test_7_what_is_not_asked(name: str) -> None:
    one, judging, changes, said = UNASKED[name]
    facts = known(judging, **changes)
    found, inquiry = asked(one, facts=facts)
    assert inquiry is None
    assert of_judge(verdict_with(found, facts, None)) == said


def test_7_what_a_workspace_may_want_besides() -> None:
    assert asked(READ, facts=known(judged(reads=True)))[1] is not None
    assert asked(WRITE, facts=known(judged(accepts=Confidentiality.PRIVATE), received=PRIVATE))[1] is not None


RUN = step("s1", "run@1", arguments={"command": {"$ref": "s0.output.line"}})
NAMED = Analysis(touched=(Touched(kind="file", name=f"{ROOT}/a.txt", access="write"),))  # type: ignore[arg-type]


def resolved(command: Labelled, **changes: object) -> tuple[gate.View, gate.AskedStep, Evidence]:
    facts = known(claims={"s1": NAMED}, **changes)
    found, _ = asked(step("s0", "read@1", arguments={"path": "notes.txt"}), RUN, facts=facts)
    view, late = gate.resolve(found.plan.step("s1"), {"command": command}, CLEAN, CLEAN, facts)
    return view, late, facts


def test_7_what_a_broad_step_does_is_judged_once_it_is_known() -> None:
    view, late, facts = resolved(Labelled(value="touch a.txt", label=CLEAN))
    inquiry = gate.inquiry_of_step(view, late, facts)
    assert inquiry is not None
    assert [one.arguments["command"].value for one in inquiry.steps] == ["touch a.txt"]
    for said, code in ((Word.FITS, set()), (Word.CONTRARY, {("judge.contrary", "s1")})):
        assert of_judge(gate.conclude_step(view, late, facts.opining(opinion(inquiry, said)))) == code
    assert of_judge(gate.conclude_step(view, late, facts)) == {("judge.late", "s1")}


def test_7_a_broad_step_is_not_told_of_what_the_judge_may_not_know() -> None:
    view, late, facts = resolved(Labelled(value="touch a.txt", label=SECRET), policy=policy())
    assert gate.inquiry_of_step(view, late, facts) is None
    assert ("judge.label", "s1") in of_judge(gate.conclude_step(view, late, facts))


def test_7_a_narrow_step_with_a_reference_is_not_judged_again() -> None:
    copied = step("s1", "write@1", arguments={"path": "a.txt", "content": {"$ref": "s0.output.text"}})
    facts = known()
    found, _ = asked(step("s0", "read@1", arguments={"path": "notes.txt"}), copied, facts=facts)
    arguments = {name: Labelled(value="a.txt", label=CLEAN) for name in ("path", "content")}
    view, late = gate.resolve(found.plan.step("s1"), arguments, CLEAN, CLEAN, facts)
    assert gate.inquiry_of_step(view, late, facts) is None
    assert gate.conclude_step(view, late, facts).decision is Decision.ALLOW


def test_7_a_step_whose_effects_were_known_is_not_judged_again() -> None:
    facts = known()
    found, _ = asked(WRITE, facts=facts)
    arguments = {name: Labelled(value=value, label=CLEAN) for name, value in WRITE.arguments.items()}
    view, late = gate.resolve(found.plan.step("s1"), arguments, CLEAN, CLEAN, facts)
    assert gate.inquiry_of_step(view, late, facts) is None
    assert gate.conclude_step(view, late, facts).decision is Decision.ALLOW
    assert gate.recheck(found.plan.step("s1"), arguments, CLEAN, CLEAN, facts)[1].decision is Decision.ALLOW


@pytest.mark.parametrize(("distance", "admitted"), [(-1, False), (0, True), (100, True), (101, False)])
def test_a_distance_lies_between_0_and_100(distance: int, admitted: bool) -> None:
    raw = codec.encode({"step": "s1", "word": "fits", "distance": distance})
    if admitted:
        assert codec.decode(raw, Assessment).distance == distance
        return
    with pytest.raises(CodecError):
        codec.decode(raw, Assessment)


@pytest.mark.parametrize(
    ("distances", "mean"),
    [([], None), ([99] * (LEAST - 1), None), ([0, 0, 0, 1], 1), ([100] * WINDOW, 100), ([100] * 9 + [0] * WINDOW, 0)],
)
def test_drift_is_the_mean_of_the_latest_steps(distances: list[int], mean: int | None) -> None:
    assert drift(distances) == mean


def test_7_drift_raises_what_is_judged_and_only_beyond_the_limit() -> None:
    for far, said in ((60, set()), (61, {("intent.drift", "")})):
        facts = known(drift=far)
        found, inquiry = asked(WRITE, facts=facts)
        assert inquiry is not None
        assert of_judge(verdict_with(found, facts, opinion(inquiry))) == said
    found, _ = asked(READ, facts=known(drift=100))
    assert verdict_with(found, known(drift=100), None).decision is Decision.ALLOW


def test_opinion_and_drift_are_part_of_what_a_receipt_quotes() -> None:
    facts = evidence()
    said = Opinion(about="0" * 64, judge=JUDGE, fault="judge.outage")
    assert said.word("s1") is None
    digests = {facts.digest(), facts.opining(said).digest(), msgspec.structs.replace(facts, drift=1).digest()}
    assert len(digests) == 3
    assert known().unjudged().digest() == facts.digest()


def test_no_judge_is_asked_about_what_is_supposed() -> None:
    assert Supposed().applied(known()).site.judge == judged()
    assert Supposed(budget=7).applied(known()).site.judge is UNSET


WORDS = st.sampled_from(Word)
STEPS = [WRITE, READ, SEND, step("s3", "write@1", arguments={"path": "/etc/x", "content": "x"})]


CASES = st.fixed_dictionaries(
    {
        "steps": st.lists(st.sampled_from(STEPS), min_size=1, max_size=3, unique_by=lambda one: one.id),
        "facts": st.fixed_dictionaries(
            {"unattended": st.booleans(), "received": st.sampled_from([CLEAN, UNTRUSTED, PRIVATE])}
        ),
        "contrary": st.sampled_from(["ask", "deny"]),
        "drift": st.none() | st.integers(0, 100),
        "said": st.none()
        | st.fixed_dictionaries(
            {"plan": WORDS, "word": WORDS, "fault": st.sampled_from(["", *sorted(FAULTS)])},
            optional={"about": st.just("0" * 64), "judge": st.just("0" * 64)},
        ),
    }
)


@given(CASES)
def test_no_opinion_makes_a_verdict_milder(case: dict[str, Any]) -> None:
    facts, plainly = (
        known(judged(contrary=case["contrary"]), drift=case["drift"], **case["facts"]),
        evidence(**case["facts"]),
    )
    found, inquiry = asked(*case["steps"], facts=facts)
    before = gate.conclude(found, plainly.policy.evaluate_many(found.requests), plainly, NOW)
    said = opinion(inquiry, **case["said"]) if inquiry is not None and case["said"] is not None else None
    after = verdict_with(found, facts, said)
    assert after.decision.rank >= before.decision.rank
    assert set(before.reasons) <= set(after.reasons)
    assert codes(after) >= codes(before)
