"""Rows for tests of the store alone: a task, and plans that nothing decided on."""

from __future__ import annotations

from interlock.artifact import codec
from interlock.artifact.plan import Plan
from interlock.artifact.task import Budget, Task
from interlock.artifact.verdict import Decision, Verdict
from interlock.decide.life import Status
from interlock.harness.rows import PlanRow

NOW = 1_700_000_000_000


def task(name: str = "t1", *, budget: Budget | None = None) -> Task:
    """A task of the principal ``alice``."""
    return Task(
        id=name, revision=0, principal="alice", goal="tidy up", values=(), scope={}, groups=("files",), attachments=(),
        budget=budget or Budget(), created_at=NOW, expires_at=NOW + 1_000_000,
    )  # fmt: skip


def plan_row(sequence: int, status: Status = Status.APPROVED, *, task_id: str = "t1") -> PlanRow:
    """A stored plan without steps."""
    plan = Plan(
        id=f"plan-{sequence}", revision=0, parent=None, task=codec.digest(task(task_id)), workspace="w",
        sequence=sequence, goal="tidy up", steps=(), finished=(), expires_at=NOW + 1000,
    )  # fmt: skip
    raw = codec.encode(plan)
    return PlanRow(
        digest=codec.digest(plan), task=task_id, sequence=sequence, status=status, doc=raw,
        verdict_doc=codec.encode(Verdict(decision=Decision.ALLOW, reasons=())), policy="0" * 64, manifests="1" * 64,
        previews=b"", shown_at=0, context="2" * 64, created_at=NOW,
    )  # fmt: skip
