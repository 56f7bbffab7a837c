"""The planner as it really runs: a confined process of its own, with one channel, that makes no forbidden call."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from interlock.artifact import channel, codec
from interlock.artifact.channel_pb2 import Accepted, Begin, Completion, Judgement, Message, PlannerCall, PlannerReturn
from interlock.artifact.plan import Proposal
from interlock.harness.sandbox.profiles import Violation
from interlock.harness.supervisor import Child, Supervisor
from support import local_model
from support.scripted_harness import GROUPS, LOADED, TASK, begin, plan

pytestmark = pytest.mark.sandbox
SECONDS = 20.0


@pytest.fixture(scope="module")
def supervisor() -> Iterator[Supervisor]:
    seen: list[Violation] = []
    with Supervisor(on_violation=seen.append) as found:
        yield found
    assert seen == []


@pytest.fixture
def child(supervisor: Supervisor) -> Iterator[Child]:
    found = supervisor.start("planner")
    found.channel.settimeout(SECONDS)
    yield found
    found.close()


def heard(child: Child, kind: str) -> PlannerCall:
    call = channel.receive(child.channel, PlannerCall)
    assert call is not None
    assert call.WhichOneof("body") == kind
    return call


@pytest.mark.parametrize("strategy", ["model", "intent"])
def test_a_jailed_planner_turns_a_completion_into_a_proposal(child: Child, strategy: str) -> None:
    channel.send(child.channel, begin(strategy))
    for answer in (GROUPS, LOADED):
        heard(child, "load_actions")
        channel.send(child.channel, PlannerReturn(actions=answer))
    assert TASK.goal in heard(child, "complete").complete.messages[1].text
    channel.send(child.channel, PlannerReturn(completion=Completion(text="no move")))
    assert "codec.syntax" in heard(child, "complete").complete.messages[-1].text
    channel.send(child.channel, PlannerReturn(completion=Completion(text=plan())))
    proposal = codec.decode_canonical(heard(child, "propose").propose.proposal, Proposal)
    assert proposal.task == codec.digest(TASK)
    channel.send(child.channel, PlannerReturn(judgement=Judgement(decision="STEP_UP")))
    assert channel.receive(child.channel, PlannerCall) is None
    assert child.wait(SECONDS) == 0
    assert child.violations == ()


def test_a_jailed_planner_hands_in_a_file_and_writes_the_plain_answer(child: Child) -> None:
    channel.send(child.channel, begin("file", handed_plan=b'{"goal": "x", "steps": []}'))
    heard(child, "load_actions")
    channel.send(child.channel, PlannerReturn(actions=GROUPS))
    heard(child, "load_actions")
    channel.send(child.channel, PlannerReturn(actions=LOADED))
    heard(child, "propose")
    channel.send(child.channel, PlannerReturn(judgement=Judgement(decision="DENY")))
    assert heard(child, "answer").answer.text == "The gate's decision: DENY"
    channel.send(child.channel, PlannerReturn(accepted=Accepted()))
    assert child.wait(SECONDS) == 0


def test_a_jailed_planner_answers_in_the_answer_phase(child: Child) -> None:
    channel.send(child.channel, begin("file", phase=Begin.ANSWER))
    assert heard(child, "answer").answer.text == "Nothing ran."
    channel.send(child.channel, PlannerReturn(accepted=Accepted()))
    assert child.wait(SECONDS) == 0


def test_a_jailed_planner_ends_when_its_channel_is_broken(child: Child) -> None:
    channel.send(child.channel, begin("model"))
    heard(child, "load_actions")
    channel.send(child.channel, PlannerReturn(accepted=Accepted()))
    assert channel.receive(child.channel, PlannerCall) is None
    assert child.wait(SECONDS) == 1


def test_a_real_model_writes_the_plan_of_a_jailed_planner(child: Child) -> None:
    channel.send(child.channel, begin("model"))
    for answer in (GROUPS, LOADED):
        heard(child, "load_actions")
        channel.send(child.channel, PlannerReturn(actions=answer))
    wanted = heard(child, "complete").complete
    chat = [{"role": Message.Role.Name(each.role).lower(), "content": each.text} for each in wanted.messages]
    text = local_model.complete(chat, json.loads(wanted.schema))
    channel.send(child.channel, PlannerReturn(completion=Completion(text=text)))
    (step,) = codec.decode_canonical(heard(child, "propose").propose.proposal, Proposal).steps
    assert (step.action, step.arguments) == ("read_file@1", {"path": "notes/todo.txt"})
    channel.send(child.channel, PlannerReturn(judgement=Judgement(decision="ALLOW")))
    assert child.wait(SECONDS) == 0
