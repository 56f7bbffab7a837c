"""A task that was never asked for: to judge a proposal without storing, reserving or recording anything."""

from __future__ import annotations

from interlock.artifact import codec
from interlock.artifact.codec import Json
from interlock.artifact.errors import CodecError
from interlock.artifact.label import CLEAN
from interlock.artifact.task import Task
from interlock.harness.core import Core
from interlock.harness.rows import TaskRow, nothing_spent

_LIFETIME_MS = 24 * 3600 * 1000


def task_row(core: Core, goal: str) -> TaskRow:
    """The row that such a task would have right after it was recorded, with all of the workspace's groups loaded."""
    config, now = core.workspace.configuration, core.clock()
    task = Task(
        id="task-offhand", revision=0, principal=config.principal.name, goal=goal, groups=config.actions.groups,
        budget=core.workspace.budget, created_at=now, expires_at=now + _LIFETIME_MS,
    )  # fmt: skip
    return TaskRow(
        task=task,
        task_digest=codec.digest(task),
        received=CLEAN,
        spent=nothing_spent(),
        loaded=config.actions.groups,
        frozen=False,
        answer=None,
    )


def completed(raw: bytes, task: Task) -> bytes:
    """A plan that a person wrote, with the task's digest and goal where it leaves them out.

    Bytes that are no JSON of the domain stay as they are: the gate refuses them and says why.
    """
    try:
        plan: Json = codec.parse(raw)
    except CodecError:
        return raw
    if not isinstance(plan, dict):
        return raw
    return codec.encode({"task": codec.digest(task), "goal": task.goal[:4096], **plan})
