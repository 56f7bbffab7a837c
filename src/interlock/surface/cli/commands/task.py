"""``task``: what was asked for, and what has become of it."""

from __future__ import annotations

import click

from interlock.artifact import codec
from interlock.harness.core import Core
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
        found = [_task(core, task_id) for task_id in core.store.tasks()]
    rows = [
        (one["task"], one["principal"], "frozen" if one["frozen"] else "open", len(_plans(one)), one["goal"]) for one in found
    ]  # fmt: skip
    console().data({"tasks": found}, lambda: table(("TASK", "ASKED BY", "STATE", "PLANS", "GOAL"), rows))


@task.command("show")
@click.argument("task_id", metavar="TASK")
def show(task_id: str) -> None:
    """One task: its goal, its budget, its plans, what its planner has seen, and its answer."""
    with reading() as core:
        row, found = core.store.task(task_id), _task(core, task_id)
    found |= {
        "document": codec.builtin(row.task), "received": codec.builtin(row.received), "spent": codec.builtin(row.spent),
        "loaded": list(row.loaded), "answer": row.answer, "answerVerified": False,
    }  # fmt: skip
    console().data(found, lambda: _text(found))


def _task(core: Core, task_id: str) -> dict[str, object]:
    row = core.store.task(task_id)
    plans = [{"plan": plan.digest, "status": plan.status.value} for plan in core.store.plans(task=task_id)]
    return {
        "task": row.task.id, "principal": row.task.principal, "goal": row.task.goal, "frozen": row.frozen, "plans": plans,
        "created": row.task.created_at,
    }  # fmt: skip


def _plans(found: dict[str, object]) -> list[dict[str, object]]:
    plans = found["plans"]
    return plans if isinstance(plans, list) else []


def _text(found: dict[str, object]) -> str:
    lines = [
        f"task     {found['task']}{'  FROZEN: interlock incidents list' if found['frozen'] else ''}",
        f"asked by {visible(str(found['principal']))}",
        f"goal     {visible(str(found['goal']))}",
        f"received {codec.encode(found['received']).decode()}",
        f"spent    {codec.encode(found['spent']).decode()}",
        f"loaded   {visible(', '.join(map(str, found['loaded'] if isinstance(found['loaded'], list) else [])))}",
    ]
    lines += [f"plan     {str(plan['plan'])[:12]} {plan['status']}" for plan in _plans(found)]
    if found["answer"]:
        lines.append(f"answer   (the planner's, unverified) {visible(str(found['answer']))}")
    return "\n".join(lines)
