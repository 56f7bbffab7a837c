"""The floor's rule on lowering labels: where it may stand, what must be known, who may agree, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.judging import CATALOGUE, PRIVATE, SECRET, UNTRUSTED, codes, evidence, judge, policy, step

from interlock.artifact.action import Invocation
from interlock.artifact.codec import Json
from interlock.artifact.label import CLEAN, Confidentiality, Integrity, Label, join
from interlock.artifact.plan import Compensation, ForEach, ProposedStep, Step
from interlock.artifact.verdict import Decision, Reason
from interlock.decide import gate
from interlock.decide.contradictions import contradictions
from interlock.decide.evidence import Evidence
from interlock.decide.flow import static_view
from interlock.decide.references import Labelled
from interlock.decide.relabel import ASKS, MAX_SPAN, bound_of, covered, lowered
from interlock.harness.catalogue import builtin

FLOW = {name: found for name, found in builtin().items() if found.group in {"flow", "model"}}
GROUPS = frozenset({"g", "flow", "model"})
OWNED = """rules:
  - allow: "*"
  - allow: flow.endorse
    owner: ann
  - allow: flow.declassify
    owner: ann
    resource: "relabelling:internal"
"""
PAGE = step("s1", "page@1", arguments={"url": "https://known.example/"})
PRIVATE_STEP = step("s1", "private@1")
SECRET_STEP = step("s1", "secret@1")
REF: Json = {"$ref": "s1.output.a"}


def known(**changes: object) -> Evidence:
    return evidence(**{"catalogue": {**CATALOGUE, **FLOW}, "loaded": GROUPS, **changes})


def endorse(value: Json, name: str = "s2", /, **fields: object) -> ProposedStep:
    more: Mapping[str, Json] = fields.pop("bound", {})  # type: ignore[assignment]
    return step(name, "flow.endorse@1", arguments={"value": value, "why": "it is one of these", **more}, **fields)


def declassify(value: Json, to: Json = "internal", name: str = "s2", /, **fields: object) -> ProposedStep:
    more: Mapping[str, Json] = fields.pop("bound", {})  # type: ignore[assignment]
    arguments = {"value": value, "to": to, "why": "it says nothing", **more}
    return step(name, "flow.declassify@1", arguments=arguments, **fields)


ONE_OF: Mapping[str, Json] = {"oneOf": ["a", "b"]}
RANGE: Mapping[str, Json] = {"minimum": 0, "maximum": 9}

DENIED: dict[str, tuple[tuple[ProposedStep, ...], str]] = {
    "a value that nobody knows": ((PAGE, endorse(REF)), "relabel.unknown"),
    "a text that is put together": ((PAGE, endorse({"$template": ["a", REF]})), "relabel.unknown"),
    "under a condition": ((PAGE, endorse(REF, bound=ONE_OF, when={"$eq": [REF, "a"]})), "relabel.place"),
    "in a loop": ((PAGE, endorse("a", for_each=ForEach(items=[1], at_most=1))), "relabel.place"),
    "with a way back": ((endorse("a", rollback=Compensation(action="read@1")),), "relabel.place"),
    "as a way back": (
        (step("s1", "read@1", arguments={"path": "a"}, rollback=Compensation(action="flow.endorse@1")),), "relabel.place",
    ),
    "a class that is computed": ((PAGE, declassify("a", REF)), "relabel.unknown"),
    "a reason that is computed": (
        (PAGE, step("s2", "flow.endorse@1", arguments={"value": "a", "why": REF})), "relabel.unknown",
    ),
    "a bound that is computed": ((PAGE, endorse("a", bound={"oneOf": REF})), "relabel.unknown"),
    "seventeen texts": ((PAGE, endorse(REF, bound={"oneOf": [str(n) for n in range(17)]})), "relabel.bound"),
    "no text": ((PAGE, endorse(REF, bound={"oneOf": []})), "relabel.bound"),
    "half a range": ((PAGE, endorse(REF, bound={"minimum": 0})), "relabel.bound"),
    "a range of everything": ((PAGE, endorse(REF, bound={"minimum": 0, "maximum": MAX_SPAN})), "relabel.bound"),
    "a range of nothing": ((PAGE, endorse(REF, bound={"minimum": 1, "maximum": 0})), "relabel.bound"),
    "texts and a range": ((PAGE, endorse(REF, bound={**ONE_OF, **RANGE})), "relabel.bound"),
    "a literal outside its bound": ((endorse("c", bound=ONE_OF),), "relabel.outside"),
    "a truth for a number": ((endorse(True, bound=RANGE),), "relabel.outside"),
    "a number for a text": ((endorse(1, bound=ONE_OF),), "relabel.outside"),
    "to where nothing is restricted": ((declassify("a", "restricted"),), "argument.choice"),
    "a whole document": ((endorse("a" * 513),), "argument.length"),
    "a list": ((endorse(["a"]),), "argument.type"),
}  # fmt: skip


@pytest.mark.parametrize("name", DENIED)
@pytest.mark.parametrize("rules", ["", OWNED], ids=["no rule", "an owner's rule"])
def test_what_nobody_may_agree_to(name: str, rules: str) -> None:
    steps, code = DENIED[name]
    verdict = judge(*steps, known=known(policy=policy(rules)) if rules else known())
    assert verdict.decision is Decision.DENY
    assert code in codes(verdict)


ASKED: dict[str, tuple[tuple[ProposedStep, ...], dict[str, object], str]] = {
    "a literal": ((endorse("a"),), {}, "from trusted"),
    "a literal of one who read a page": ((endorse("a"),), {"received": UNTRUSTED}, "from untrusted"),
    "a bounded value": ((PAGE, endorse(REF, bound=ONE_OF)), {}, "from untrusted"),
    "a bounded number": ((PAGE, endorse({"$count": REF}, bound=RANGE)), {}, "from untrusted"),
    "private data": ((PRIVATE_STEP, declassify(REF, bound=ONE_OF)), {}, "from private"),
    "restricted data": ((SECRET_STEP, declassify(REF, bound=ONE_OF)), {}, "from restricted"),
}


@pytest.mark.parametrize("name", ASKED)
def test_a_person_is_asked_and_told_from_where(name: str) -> None:
    steps, changes, field = ASKED[name]
    verdict = judge(*steps, known=known(**changes))
    [asks] = [one for one in verdict.reasons if one.code in ASKS]
    assert (verdict.decision, asks.field, verdict.approvals) == (Decision.STEP_UP, field, 1)
    assert judge(*steps, known=known(**changes, unattended=True)).decision is Decision.DENY


def test_what_a_parent_plan_finished_is_known() -> None:
    steps = PAGE, endorse(REF)
    assert "relabel.unknown" not in codes(judge(*steps, known=known(), finished=("s1",)))
    assert "relabel.unknown" in codes(judge(*steps, known=known(), finished=("s1/2",)))
    secret = known().knowing({"s1": SECRET})
    verdict = judge(PAGE, declassify(REF), known=secret, finished=("s1",))
    assert [one.field for one in verdict.reasons if one.code == "floor.declassify"] == ["from restricted"]


RULED: dict[str, tuple[tuple[ProposedStep, ...], dict[str, object], bool]] = {
    "a bounded value of a page": ((PAGE, endorse(REF, bound=ONE_OF)), {}, True),
    "bounded private data": ((PRIVATE_STEP, declassify(REF, bound=ONE_OF)), {}, True),
    "to another class than the rule says": ((PRIVATE_STEP, declassify(REF, "public", bound=ONE_OF)), {}, False),
    "restricted data": ((SECRET_STEP, declassify(REF, bound=ONE_OF)), {}, False),
    "a restricted value that is endorsed": ((SECRET_STEP, endorse(REF, bound=ONE_OF)), {}, False),
    "a literal without a bound": ((endorse("a"),), {}, False),
    "a planner who read a page": ((PAGE, endorse(REF, bound=ONE_OF)), {"received": UNTRUSTED}, False),
    "a planner who read a page and lowers a class": (
        (PRIVATE_STEP, declassify(REF, bound=ONE_OF)), {"received": UNTRUSTED}, False,
    ),
    "a planner who knows private data": ((PRIVATE_STEP, declassify(REF, bound=ONE_OF)), {"received": PRIVATE}, False),
    "what a condition on a page guards": (
        (PAGE, step("s3", "private@1", when={"$eq": [REF, "a"]}), declassify({"$ref": "s3.output.a"}, bound=ONE_OF)),
        {}, False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RULED)
def test_a_rule_that_names_action_and_owner_stands_for_a_person(name: str) -> None:
    steps, changes, allowed = RULED[name]
    verdict = judge(*steps, known=known(**changes, policy=policy(OWNED)))
    assert (verdict.decision is Decision.ALLOW) is allowed
    assert [one.rule for one in verdict.reasons if one.code == "relabel.by_rule"] == (["rules.yaml:3"] if allowed and steps[-1].action == "flow.endorse@1" else ["rules.yaml:5"] if allowed else [])  # fmt: skip


NO_RULE = {
    "no owner": "rules:\n  - allow: flow.endorse\n",
    "a pattern": 'rules:\n  - allow: "flow.*"\n    owner: ann\n',
    "two actions": "rules:\n  - allow: [flow.endorse, flow.declassify]\n    owner: ann\n",
    "another rule that asks": 'rules:\n  - allow: flow.endorse\n    owner: ann\n  - verify: "*"\n',
}


@pytest.mark.parametrize("name", NO_RULE)
def test_no_other_rule_does(name: str) -> None:
    rules = NO_RULE[name] + '  - allow: "*"\n    id: rest\n'
    assert judge(PAGE, endorse(REF, bound=ONE_OF), known=known(policy=policy(rules))).decision is Decision.STEP_UP


def test_an_endorsed_value_may_choose_and_a_declassified_one_may_leave() -> None:
    write = step("s3", "write@1", arguments={"path": {"$ref": "s2.output.value"}, "content": "x"})
    assert judge(PAGE, endorse(REF, bound=ONE_OF), write, known=known(policy=policy(OWNED))).decision is Decision.ALLOW
    send = step("s3", "send@1", arguments={"url": "https://known.example/", "body": {"$ref": "s2.output.value"}})
    asked = judge(PRIVATE_STEP, declassify(REF, bound=ONE_OF), send, known=known())
    assert codes(asked) == {"floor.declassify", "floor.irreversible"}
    kept = judge(PRIVATE_STEP, endorse(REF, bound=ONE_OF), send, known=known())
    assert "flow.sink_limit" in codes(kept)


def test_when_it_runs_the_value_is_held_to_its_bound() -> None:
    found = Step(id="s2", action="flow.endorse@1", arguments={"value": REF, "why": "w", **ONE_OF}, manifest="0" * 64)
    facts = known(digests={})
    facts = msgspec.structs.replace(facts, digests={"flow.endorse@1": found.manifest})
    for value, code in (("a", set[str]()), ("c", {"relabel.outside"})):
        arguments = {"value": Labelled(value=value, label=UNTRUSTED)}
        arguments |= {
            name: Labelled(value=one, label=CLEAN) for name, one in found.arguments.items() if name != "value"
        }
        view, verdict = gate.recheck(found, arguments, CLEAN, CLEAN, facts)
        assert codes(verdict) == {"floor.endorse", *code}
        assert view.output == Label(sources=("endorsed:s2", "page"))


def test_less_than_what_a_person_was_asked_about_is_covered() -> None:
    def asks(field: str, code: str = "floor.declassify", step: str = "s2") -> Reason:
        return Reason(decision=Decision.STEP_UP, stage=5, code=code, step=step, field=field)

    said = [asks("from private"), asks("from untrusted", "floor.endorse")]
    assert covered(asks("from internal"), said)
    assert covered(asks("from trusted", "floor.endorse"), said)
    assert not covered(asks("from restricted"), said)
    assert not covered(asks("from internal", step="s3"), said)
    assert not covered(asks("", "floor.privileged"), [asks("", "floor.privileged")])


def test_no_manifest_lowers_a_label_on_its_way_back_or_as_a_preview() -> None:
    for field in ("inverse", "preview"):
        odd = msgspec.structs.replace(CATALOGUE["read@1"], **{field: Invocation(action="flow.endorse@1")})
        assert list(contradictions(odd)) == ["its inverse or its preview would lower a label"]


def test_a_bound_is_a_few_texts_or_a_range() -> None:
    assert bound_of({}) is None
    for odd in ({"oneOf": [1]}, {"oneOf": "ab"}, {"minimum": "0", "maximum": 1}, {"maximum": 1}):
        with pytest.raises(ValueError, match="neither"):
            bound_of(odd)


labels = st.builds(
    Label,
    confidentiality=st.sampled_from(Confidentiality),
    integrity=st.sampled_from(Integrity),
    scopes=st.sampled_from([(), ("tenant=a",)]),
    sources=st.sampled_from([(), ("s",)]),
)
OTHERS = sorted({**CATALOGUE, "model.extract@1": FLOW["model.extract@1"]})


def at_least(label: Label, other: Label) -> bool:
    return join(label, other) == label


@given(st.lists(st.tuples(st.sampled_from(OTHERS), st.booleans()), min_size=1, max_size=5), labels, labels)
def test_no_chain_of_other_actions_lowers_a_label(chain: list[tuple[str, bool]], first: Label, received: Label) -> None:
    facts = known(received=received)
    outputs, shapes, name = {"s0": first}, {"s0": CLEAN}, "s0"
    for number, (action, guarded) in enumerate(chain, 1):
        manifest = facts.catalogue[action]
        source: Json = {"$ref": f"{name}.output.a"}
        arguments = dict.fromkeys(manifest.arguments, source)
        guard = {"when": {"$eq": [source, 1]}} if guarded or not arguments else {}
        found = Step(id=f"s{number}", action=action, arguments=arguments, manifest="0" * 64, **guard)
        view = static_view(found, manifest, outputs, shapes, facts)
        assert at_least(view.output, first)
        assert at_least(view.output, received)
        assert lowered(manifest, found.id, {"to": "public"}, view.output) == view.output
        name = found.id
        outputs[name], shapes[name] = view.output, view.guard
