"""``task``: what was asked for, and what has become of it."""

from __future__ import annotations

import click

from interlock.artifact import codec
from interlock.harness.core import Core
from interlock.harness.rows import PlanRow, TaskRow
from interlock.surface.cli.console import console
from interlock.surface.cli.layout import table
from interlock.surface.cli.opening import reading
from interlock.surface.cli.root import Noun
from interlock.surface.cli.visible import visible


@click.group(cls=Noun)
def task() -> None:
    """Look at tasks."""


@task.command("list")
def list_() -> None:
    """All tasks, oldest first."""
    with reading() as core:
        found = [_row(core, task_id) for task_id in core.store.tasks()]
    rows = [
        (row.task.id, row.task.principal, "frozen" if row.frozen else "open", len(plans), row.task.goal)
        for row, plans in found
    ]
    text = table(("TASK", "ASKED BY", "STATE", "PLANS", "GOAL"), rows) if rows else "no task"
    console().data({"tasks": [_data(row, plans) for row, plans in found]}, text)


@task.command("show")
@click.argument("task_id", metavar="TASK")
def show(task_id: str) -> None:
    """One task: its goal, its budget, its plans, what its planner has seen, and its answer."""
    with reading() as core:
        row, plans = _row(core, task_id)
    document = {
        "document": codec.builtin(row.task),
        "received": codec.builtin(row.received),
        "spent": codec.builtin(row.spent),
        "loaded": list(row.loaded),
        "answer": row.answer,
        "answerVerified": False,
    }
    console().data({**_data(row, plans), **document}, lambda: _text(row, plans))


def _row(core: Core, task_id: str) -> tuple[TaskRow, list[PlanRow]]:
    return core.store.task(task_id), core.store.plans(task=task_id)


def _data(row: TaskRow, plans: list[PlanRow]) -> dict[str, object]:
    return {
        "task": row.task.id,
        "principal": row.task.principal,
        "goal": row.task.goal,
        "created": row.task.created_at,
        "frozen": row.frozen,
        "plans": [{"plan": plan.digest, "status": plan.status.value} for plan in plans],
    }


def _text(row: TaskRow, plans: list[PlanRow]) -> str:
    lines = [
        f"task     {row.task.id}{'  FROZEN: interlock incidents list' if row.frozen else ''}",
        f"asked by {visible(row.task.principal)}",
        f"goal     {visible(row.task.goal)}",
        f"received {visible(codec.encode(row.received).decode())}",
        f"spent    {visible(codec.encode(row.spent).decode())}",
        f"loaded   {visible(', '.join(row.loaded)) or 'nothing'}",
    ]
    lines += [f"plan     {plan.digest[:12]} {plan.status.value}" for plan in plans]
    if row.answer:
        lines.append(f"answer   (the planner's, unverified) {visible(row.answer)}")
    return "\n".join(lines)
