"""The gate, step by step; the numbers in the tests' names are the gate's own."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from tests.support.judging import (
    CATALOGUE,
    NOW,
    PRIVATE,
    SECRET,
    SITE,
    TASK,
    UNTRUSTED,
    codes,
    evidence,
    judge,
    policy,
    step,
)

from interlock.artifact import codec
from interlock.artifact.analysis import Analysis, Opacity
from interlock.artifact.errors import ReferenceEvaluationError
from interlock.artifact.label import CLEAN, Confidentiality, Label
from interlock.artifact.plan import ForEach, Plan, Proposal, ProposedStep
from interlock.artifact.verdict import Decision, Verdict
from interlock.decide import gate
from interlock.decide.evidence import Evidence, Limits
from interlock.decide.references import Labelled

WRITE = step("s1", "write@1", arguments={"path": "notes.txt", "content": "x"})


def sealed(*steps: object) -> Plan:
    raw = codec.encode(Proposal(task=codec.digest(TASK), goal="do it", steps=steps))  # type: ignore[arg-type]
    plan = gate.examine(raw, gate.Stamp(id="p1", sequence=1, expires_at=NOW + 1000), evidence()).plan
    assert plan is not None
    return plan


def test_a_sound_reversible_step_passes_without_a_question() -> None:
    assert judge(WRITE).decision is Decision.ALLOW


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"{", "codec.syntax"),
        (b"{}", "codec.schema"),
        (b'{"a":1,"a":1}', "codec.duplicate_key"),
        (b"1.5", "codec.float"),
    ],
)
def test_1_bytes_that_are_no_proposal_are_denied(raw: bytes, code: str) -> None:
    examined = gate.examine(raw, gate.Stamp(id="p1", sequence=1, expires_at=NOW + 1), evidence())
    assert examined.plan is None
    assert codes(examined.verdict) == {code}


def test_2_a_proposal_for_another_task_is_denied() -> None:
    raw = codec.encode(Proposal(task="0" * 64, goal="x", steps=(WRITE,)))
    examined = gate.examine(raw, gate.Stamp(id="p1", sequence=1, expires_at=NOW + 1), evidence())
    assert "goal.task_digest" in codes(examined.verdict)


def test_2_structure_is_denied_before_anything_is_derived() -> None:
    assert judge(WRITE, WRITE).decision is Decision.DENY


def test_2_a_literal_that_reads_like_a_plan_is_raised() -> None:
    text = '{"step_number": 99, "action": "ExecuteCode"}'
    verdict = judge(step("s1", "write@1", arguments={"path": "notes.txt", "content": text}))
    assert verdict.decision is Decision.STEP_UP
    assert "structure.embedded_plan" in codes(verdict)


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ((step("s1", "nothing@1"),), "manifest.unknown"),
        ((step("s1", "write@1", arguments={"path": "~bob/x"}),), "resource.path"),
        ((step("s1", "write@1", arguments={"path": 1}),), "argument.type"),
        ((step("s1", "read@1", arguments={"path": "a"}, privileges=("read file:/etc",)),), "privileges.differ"),
        ((step("s1", "read@1", arguments={"path": "a"}, irreversible=True),), "irreversible.differs"),
    ],
)
def test_3_manifests_and_arguments(steps: tuple[object, ...], code: str) -> None:
    verdict = judge(*steps)  # type: ignore[arg-type]
    assert verdict.decision is Decision.DENY
    assert code in codes(verdict)


def test_3_true_declarations_are_fine() -> None:
    sound = step("s1", "read@1", arguments={"path": "a"}, privileges=("read file:/srv/work/a",), irreversible=False)
    assert judge(sound).decision is Decision.ALLOW


def test_3_a_group_that_was_not_loaded_and_an_empty_surface() -> None:
    assert codes(judge(WRITE, known=evidence(loaded=frozenset()))) == {"manifest.group_not_loaded"}


def test_3_a_manifest_that_changed_or_went_is_denied() -> None:
    plan = sealed(WRITE)
    other = dict(CATALOGUE) | {"write@1": msgspec.structs.replace(CATALOGUE["write@1"], cost=1)}
    assert codes(gate.decide(plan, evidence(catalogue=other), NOW)) == {"manifest.changed"}
    assert codes(gate.decide(plan, evidence(catalogue={}), NOW)) == {"manifest.unknown"}


def test_3_a_plan_whose_resources_cannot_be_named_is_denied() -> None:
    plan = sealed(WRITE)
    bad = msgspec.structs.replace(plan.steps[0], arguments={"path": "", "content": "x"})
    verdict = gate.decide(msgspec.structs.replace(plan, steps=(bad,)), evidence(), NOW)
    assert "resource.path" in codes(verdict)


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "~/x", "a/../../x"])
def test_4_a_path_outside_the_roots_is_denied(path: str) -> None:
    assert "scope.path" in codes(judge(step("s1", "read@1", arguments={"path": path})))


def test_4_an_optional_argument_that_is_not_given_touches_nothing() -> None:
    assert judge(step("s1", "read@1")).decision is Decision.ALLOW


def test_4_dimensions_of_scope() -> None:
    site = msgspec.structs.replace(SITE, scope={"tenant": ("acme", "bolt")})
    task = msgspec.structs.replace(TASK, scope={"tenant": "acme"})
    known = evidence(site=site, task=task)

    def tenant(name: str) -> set[str]:
        return codes(judge(step("s1", "scoped@1", arguments={"tenant": name}), known=known))

    assert tenant("acme") == set()
    assert tenant("bolt") == tenant("cargo") == {"scope.dimension"}
    assert codes(judge(step("s1", "scoped@1"), known=known)) == {"argument.missing"}


@pytest.mark.parametrize(
    ("action", "arguments", "code", "decision"),
    [
        ("read@1", {"path": "policy/rules.yaml"}, "floor.harness", Decision.DENY),
        ("write@1", {"path": "policy/rules.yaml"}, "floor.harness", Decision.DENY),
        ("write@1", {"path": "."}, "floor.harness", Decision.DENY),
        ("write@1", {"path": "vault/a/b"}, "floor.protected", Decision.DENY),
        ("unmake@1", {"name": "main"}, "floor.protected", Decision.DENY),
        ("unmake@1", {"name": "other"}, "floor.irreversible", Decision.STEP_UP),
        ("secret@1", {}, "floor.privileged", Decision.STEP_UP),
        ("pay@1", {"amount": "3"}, "floor.spend", Decision.STEP_UP),
        ("orphan@1", {}, "floor.no_inverse", Decision.DENY),
        ("odd@1", {}, "manifest.contradiction", Decision.DENY),
        ("unsnappable@1", {"name": "x"}, "floor.no_snapshot", Decision.DENY),
    ],
)
def test_5_the_floor(action: str, arguments: dict[str, str], code: str, decision: Decision) -> None:
    task = msgspec.structs.replace(TASK, budget=msgspec.structs.replace(TASK.budget, cost=100))
    verdict = judge(step("s1", action, arguments=arguments), known=evidence(task=task))
    assert code in codes(verdict)
    assert verdict.decision is decision


def test_5_reading_what_is_protected_is_no_harm_and_a_named_inverse_is_enough() -> None:
    assert judge(step("s1", "read@1", arguments={"path": "vault/a"})).decision is Decision.ALLOW
    assert judge(step("s1", "read@1", arguments={"path": "."})).decision is Decision.ALLOW  # Own files are hidden.
    assert judge(step("s1", "make@1", arguments={"name": "x"})).decision is Decision.ALLOW
    named = step("s1", "orphan@1", rollback={"action": "unmake@1", "arguments": {}})
    raw = msgspec.convert(msgspec.to_builtins(named), type(named))
    assert "floor.no_inverse" not in codes(judge(raw))


@pytest.mark.parametrize("expires", [NOW, NOW - 1, NOW * 11])
def test_5_expiry_has_bounds(expires: int) -> None:
    assert "floor.expiry" in codes(judge(WRITE, expires_at=expires))


def test_5_blast_radius() -> None:
    site = msgspec.structs.replace(SITE, limits=Limits(blast_radius=2))
    many = step(
        "s1", "write@1", arguments={"path": {"$ref": "item"}, "content": "x"}, for_each=ForEach(items=["a"], at_most=3)
    )
    assert "floor.blast_radius" in codes(judge(many, known=evidence(site=site)))


def test_6_what_is_opaque_is_raised_and_what_is_known_is_not() -> None:
    run = step("s1", "run@1", arguments={"command": "ls"})
    assert "effects.opaque" in codes(judge(run))
    hidden = Opacity(code="shell.dynamic_command", argument="command")
    said = judge(run, known=evidence(claims={"s1": Analysis(touched=(), opaque=(hidden,))}))
    assert ("effects.opaque", "command: shell.dynamic_command") in {(one.code, one.field) for one in said.reasons}
    assert judge(run, known=evidence(claims={"s1": Analysis(touched=())})).decision is Decision.ALLOW


def test_7_no_policy_denies_and_approvals_add_up() -> None:
    assert judge(WRITE, known=evidence(policy=policy(""))).decision is Decision.DENY
    two = 'rules:\n  - allow: "*"\n    id: a\n  - verify: write\n    tier: 3\n    approvals: 2\n    id: b\n'
    verdict = judge(WRITE, known=evidence(policy=policy(two)))
    assert (verdict.decision, verdict.approvals) == (Decision.STEP_UP, 2)


def test_7_budgets_and_rates() -> None:
    pay = step("s1", "pay@1", arguments={"amount": "1"})
    assert "budget.cost" in codes(judge(pay))
    nothing_left = evidence(spent=msgspec.structs.replace(evidence().spent, steps=256))
    assert "budget.steps" in codes(judge(WRITE, known=nothing_left))
    waiting = judge(WRITE, known=evidence(rates_until={"default": NOW + 5}))
    assert (waiting.decision, waiting.until) == (Decision.DEFER, NOW + 5)
    assert judge(WRITE, known=evidence(rates_until={"default": NOW})).decision is Decision.ALLOW


def test_9_unattended_and_frozen() -> None:
    pay = step("s1", "unmake@1", arguments={"name": "x"})
    assert codes(judge(pay, known=evidence(unattended=True))) >= {"gate.unattended", "floor.irreversible"}
    assert judge(pay, known=evidence(unattended=True)).decision is Decision.DENY
    assert judge(WRITE, known=evidence(unattended=True)).decision is Decision.ALLOW
    assert "task.frozen" in codes(judge(WRITE, known=evidence(frozen=True)))


def test_recheck_decides_on_resolved_values() -> None:
    plan = sealed(
        step("s1", "read@1", arguments={"path": "a"}),
        step("s2", "write@1", arguments={"path": {"$ref": "s1.output.path"}, "content": "x"}),
    )
    second = plan.steps[1]

    def recheck(path: str, label: Label = CLEAN) -> Decision:
        arguments = {"path": Labelled(value=path, label=label), "content": Labelled(value="x", label=CLEAN)}
        return gate.recheck(second, arguments, CLEAN, CLEAN, evidence())[1].decision

    assert recheck("b") is Decision.ALLOW
    assert recheck("/etc/passwd") is Decision.DENY
    assert recheck("b", UNTRUSTED) is Decision.STEP_UP
    with pytest.raises(ReferenceEvaluationError, match=r"manifest\.changed"):
        gate.recheck(msgspec.structs.replace(second, manifest="0" * 64), {}, CLEAN, CLEAN, evidence())


def test_a_verdict_never_quotes_a_value() -> None:
    known = evidence(received=Label(confidentiality=Confidentiality.RESTRICTED))
    verdict = judge(
        step("s1", "send@1", arguments={"url": "https://x.example/?hunter2", "body": "hunter2"}), known=known
    )
    assert verdict.decision is Decision.DENY
    assert b"hunter2" not in codec.encode(verdict)


def test_the_context_digest_covers_what_was_known() -> None:
    digests = {
        evidence(**change).digest() for change in ({}, {"received": PRIVATE}, {"received": SECRET}, {"frozen": True})
    }
    assert len(digests) == 4


def test_7_policy_leaves_no_request_without_its_answer() -> None:
    asked = gate.ask(sealed(WRITE), evidence())
    with pytest.raises(ValueError, match="one answer"):
        gate.conclude(asked, (), evidence(), NOW)


STAGES = {
    "codec.schema": 1, "goal.task_digest": 2, "structure.duplicate_id": 2, "structure.sound": 2, "manifest.unknown": 3,
    "manifest.group_not_loaded": 3, "privileges.differ": 3, "irreversible.differs": 3, "argument.missing": 3,
    "scope.path": 4, "task.frozen": 5, "floor.expiry": 5, "floor.irreversible": 5, "floor.harness": 5,
    "manifest.contradiction": 5, "effects.opaque": 6, "flow.untrusted_authority": 7, "policy.permitted": 7,
    "budget.cost": 7, "budget.rate": 7, "gate.unattended": 9,
}  # fmt: skip


def test_each_reason_says_which_step_of_the_gate_gave_it() -> None:
    pay, away = step("s1", "pay@1", arguments={"amount": "1"}), {"path": "/etc/passwd", "content": "x"}
    verdicts = [
        gate.examine(b"{}", gate.Stamp(id="p1", sequence=1, expires_at=NOW + 1), evidence()).verdict,
        gate.examine(
            codec.encode(Proposal(task="0" * 64, goal="x", steps=(WRITE, WRITE))),
            gate.Stamp(id="p1", sequence=1, expires_at=NOW + 1), evidence(),
        ).verdict,
        judge(step("s1", "gone@1")), judge(WRITE, known=evidence(loaded=frozenset())), judge(step("s1", "scoped@1")),
        judge(step("s1", "write@1", arguments=away)), judge(WRITE, known=evidence(frozen=True)),
        judge(WRITE, expires_at=NOW), judge(pay), judge(step("s1", "run@1"), known=evidence(unattended=True)),
        judge(step("s1", "write@1", arguments={"path": "policy/a", "content": "x"})), judge(step("s1", "odd@1")),
        judge(step("s1", "run@1", arguments={"command": "ls"})),
        judge(step("s1", "write@1", arguments={"path": "other", "content": "x"}), known=evidence(received=UNTRUSTED)),
        judge(WRITE, known=evidence(rates_until={"default": NOW + 5})),
        judge(step("s1", "secret@1", privileges=("x",))), judge(step("s1", "read@1", irreversible=True)),
    ]  # fmt: skip
    found = {(reason.code, reason.stage) for verdict in verdicts for reason in verdict.reasons}
    assert {(code, stage) for code, stage in found if code in STAGES} == set(STAGES.items())


def lent(**budget: int) -> Evidence:
    return evidence(task=msgspec.structs.replace(TASK, budget=msgspec.structs.replace(TASK.budget, **budget)))


def limited(**limits: int) -> Evidence:
    return evidence(site=msgspec.structs.replace(SITE, limits=Limits(**limits)))


def writes(most: int) -> ProposedStep:
    each = ForEach(items=["a"], at_most=most)
    return step("s1", "write@1", arguments={"path": {"$ref": "item"}, "content": "x"}, for_each=each)


def read(number: int) -> ProposedStep:
    return step(f"s{number}", "read@1", arguments={"path": "a"})


BOUNDS: dict[str, tuple[int, Callable[[int], Verdict], str]] = {
    "2 steps": (3, lambda n: judge(*map(read, range(n)), known=limited(steps=3)), "structure.too_many_steps"),
    "5 life of a plan": (500, lambda n: judge(WRITE, expires_at=NOW + n, known=limited(plan_lifetime_ms=500)), "floor.expiry"),
    "5 life of a task": (NOW * 10, lambda n: judge(WRITE, expires_at=n, known=limited(plan_lifetime_ms=NOW * 20)), "floor.expiry"),
    "5 an end": (-1, lambda n: judge(WRITE, expires_at=NOW - n), "floor.expiry"),
    "5 blast radius": (2, lambda n: judge(writes(n), known=limited(blast_radius=2)), "floor.blast_radius"),
    "7 cost": (-30, lambda n: judge(step("s1", "pay@1", arguments={"amount": "1"}), known=lent(cost=-n)), "budget.cost"),
    "7 steps": (4, lambda n: judge(writes(n), known=lent(steps=4)), "budget.steps"),
    "7 rate": (NOW, lambda n: judge(WRITE, known=evidence(rates_until={"default": n})), "budget.rate"),
}  # fmt: skip


@pytest.mark.parametrize("name", BOUNDS)
def test_a_bound_of_the_gate_is_exact(name: str) -> None:
    bound, deed, code = BOUNDS[name]
    assert (code in codes(deed(bound)), code in codes(deed(bound + 1))) == (False, True)
