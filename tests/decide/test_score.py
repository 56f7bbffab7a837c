"""(7) The classifier's score: it raises and denies what executes, is broad or cannot be seen into, and allows nothing."""

from __future__ import annotations

import pytest
from tests.decide.test_gate import codes, evidence, judge, step

from interlock.artifact.analysis import MISSING, ORDERS, Analysis, Finding, Opacity
from interlock.artifact.thresholds import DENIED_FROM, RAISED_FROM
from interlock.artifact.verdict import Decision

RUN = step("s1", "run@1", arguments={"command": "ls"})
READ = step("s1", "read@1", arguments={"path": "a"})
SCORES = {
    "nothing": (None, set(), Decision.ALLOW),
    "none": (0, set(), Decision.ALLOW),
    "just below": (RAISED_FROM - 1, set(), Decision.ALLOW),
    "where it asks": (RAISED_FROM, {"classifier.raise"}, Decision.STEP_UP),
    "just below a denial": (DENIED_FROM - 1, {"classifier.raise"}, Decision.STEP_UP),
    "where it denies": (DENIED_FROM, {"classifier.deny"}, Decision.DENY),
    "certain": (1000, {"classifier.deny"}, Decision.DENY),
}


@pytest.mark.parametrize("name", SCORES)
def test_7_a_score_of_what_is_broad(name: str) -> None:
    score, said, decision = SCORES[name]
    verdict = judge(RUN, known=evidence(claims={"s1": Analysis(touched=(), score=score)}))
    assert {code for code in codes(verdict) if code.startswith("classifier.")} == said
    assert verdict.decision is decision


def test_7_a_narrow_read_that_is_seen_through_is_not_raised() -> None:
    assert judge(READ, known=evidence(claims={"s1": Analysis(touched=(), score=1000)})).decision is Decision.ALLOW
    hidden = (Opacity(code="path.encoded", argument="path"),)
    verdict = judge(READ, known=evidence(claims={"s1": Analysis(touched=(), opaque=hidden, score=1000)}))
    assert verdict.decision is Decision.DENY


def test_7_a_missing_model_asks_and_orders_in_a_text_decide_nothing() -> None:
    missing = Analysis(touched=(), opaque=(Opacity(code=MISSING, argument="command"),))
    assert judge(RUN, known=evidence(claims={"s1": missing})).decision is Decision.STEP_UP
    orders = (Finding(kind="instruction", code=ORDERS, argument="command"),)
    assert (
        judge(RUN, known=evidence(claims={"s1": Analysis(touched=(), findings=orders, score=0)})).decision
        is Decision.ALLOW
    )
