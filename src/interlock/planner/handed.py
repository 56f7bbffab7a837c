"""The strategy ``file``: a plan that somebody wrote is handed in as it stands.

Only what its author cannot know is filled in where it is missing: the task's digest and the plan it revises.
Bytes that are no JSON of the domain go to the gate unchanged, so that the refusal is recorded there.
"""

from __future__ import annotations

from interlock.artifact import codec
from interlock.artifact.channel_pb2 import Begin
from interlock.artifact.errors import CodecError
from interlock.planner import prompt
from interlock.planner.port import Port, RefusedError


def hand_in(port: Port, begin: Begin) -> None:
    """Load the groups in scope, propose, and report a denial."""
    try:
        groups = port.load_actions([]).groups
        if groups:
            port.load_actions(groups)
        judgement = port.propose(completed(begin))
    except RefusedError as refusal:
        port.answer(f"The plan was refused: {refusal.code}.")
        return
    if judgement.decision == "DENY":
        port.answer(prompt.judgement(judgement))


def completed(begin: Begin) -> bytes:
    """The handed plan with the task's digest and the parent where it lacks them."""
    try:
        plan = codec.parse(begin.handed_plan)
        task = codec.digest(codec.parse(begin.task))
    except CodecError:
        return begin.handed_plan
    if not isinstance(plan, dict):
        return begin.handed_plan
    known = {"task": task, "parent": begin.parent} if begin.parent else {"task": task}
    return codec.encode({**known, **plan})
