"""Supposed facts change exactly what they name."""

from __future__ import annotations

import pytest
from tests.support.judging import SECRET, UNTRUSTED, evidence, judge, manifest, policy, step

from interlock.artifact.action import Effect, Reversibility
from interlock.artifact.label import Confidentiality, Label
from interlock.artifact.verdict import Decision
from interlock.decide.supposing import Supposed

SEND = manifest("write", Effect.SEND, Reversibility.IRREVERSIBLE)
WRITE = step("s1", "write@1", arguments={"path": "a.txt"})
AWAY = step("s1", "write@1", arguments={"path": "/elsewhere/a.txt"})


def test_what_is_not_supposed_stays() -> None:
    given = evidence(roles=("lead",))
    found = Supposed().applied(given)
    assert found.digest() == given.digest()
    assert (found.roles, found.catalogue, found.task) == (given.roles, given.catalogue, given.task)


CASES = {
    "seen data": (Supposed(received=UNTRUSTED), WRITE, "", Decision.STEP_UP),
    "seen data that may not go there": (Supposed(received=Label(scopes=("t=1",))), WRITE, "", Decision.DENY),
    "a root": (Supposed(roots=("/elsewhere",)), AWAY, "", Decision.ALLOW),
    "no root": (Supposed(received=SECRET), AWAY, "", Decision.DENY),
    "another manifest": (Supposed(manifests=(SEND,)), step("s1", "write@1"), "", Decision.STEP_UP),
    "who asks": (Supposed(principal="ann"), WRITE, "principal: ann", Decision.DENY),
    "in which role": (Supposed(roles=("lead",)), WRITE, "principal: role:lead", Decision.DENY),
    "in which scope": (Supposed(scope={"tenant": "t1"}), WRITE, "scope: {tenant: t1}", Decision.DENY),
    "what the analyst saw": (Supposed(signals=("shell.reverse",)), WRITE, "signal: shell.*", Decision.DENY),
    "nobody in particular": (Supposed(roles=()), WRITE, "principal: role:lead", Decision.ALLOW),
}


@pytest.mark.parametrize("name", CASES)
def test_a_supposed_fact_is_decided_on(name: str) -> None:
    supposed, asked, rule, decision = CASES[name]
    denying = f'  - deny: "*"\n    id: d\n    {rule}\n' if rule else ""
    known = evidence(
        policy=policy(f'rules:\n  - allow: "*"\n    id: a\n{denying}'), roles=("lead",) if not supposed.roles else ()
    )
    assert judge(asked, known=supposed.applied(known)).decision is decision


def test_confirmations_and_money_are_enough() -> None:
    asking = evidence(
        policy=policy('rules:\n  - allow: "*"\n    id: a\n  - verify: "*"\n    id: v\n    approvals: 2\n')
    )
    assert judge(WRITE, known=asking).decision is Decision.STEP_UP
    assert judge(WRITE, known=Supposed(confirmed=2).applied(asking)).decision is Decision.ALLOW
    assert Supposed(budget=7).applied(asking).task.budget.cost == max(7, asking.task.budget.cost)
    seen = Label(confidentiality=Confidentiality.PRIVATE)
    assert Supposed(received=seen).applied(evidence(received=UNTRUSTED)).received.untrusted
