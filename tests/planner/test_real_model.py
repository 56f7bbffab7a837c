"""A goal, a real model that nobody scripted, and a proposal that the strict codec reads."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Sequence

import msgspec
import pytest

from interlock.artifact import codec
from interlock.artifact.channel_pb2 import Actions, Begin, Message
from interlock.artifact.plan import Proposal
from interlock.planner.main import run
from support.local_model import MODEL, local_model
from support.scripted_harness import READ, TASK, Scripted, begin, judged, ran

EMAIL = {
    "name": "send_email",
    "version": 2,
    "sentence": "Send an email to {to}",
    "arguments": {
        "to": {"type": "string", "role": "recipient", "description": "address of the recipient"},
        "text": {"type": "string", "description": "the text of the email"},
    },
}
LOADED = Actions(groups=["files"], manifests=[codec.encode(READ), codec.encode(EMAIL)])
ROLES = {Message.SYSTEM: "system", Message.USER: "user", Message.ASSISTANT: "assistant"}


class Modelled(Scripted):
    """The scripted harness, but completions come from a chat endpoint."""

    def __init__(self, url: str, **answers: Sequence[object]) -> None:
        super().__init__(load_actions=[Actions(groups=["files"]), LOADED], **answers)
        self._url = url

    def complete(self, messages: Sequence[Message], schema: bytes, max_tokens: int) -> str:
        body: dict[str, object] = {
            "model": MODEL,
            "max_tokens": max_tokens,
            "messages": [{"role": ROLES[message.role], "content": message.text} for message in messages],
        }
        if schema:
            shape = {"name": "turn", "schema": json.loads(schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": shape}
        request = urllib.request.Request(f"{self._url}/chat/completions", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=60) as response:
            text: str = json.load(response)["choices"][0]["message"]["content"]
        return text


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with local_model() as address:
        yield address


def test_a_real_model_turns_a_goal_into_a_plan_of_one_step(url: str) -> None:
    port = Modelled(url, propose=[judged("ALLOW")])
    run(port, begin("model"))
    proposal = codec.decode_canonical(port.of("propose")[0], Proposal)
    assert proposal.task == codec.digest(TASK)
    assert [(each.action, each.arguments) for each in proposal.steps] == [("read_file@1", {"path": "notes/todo.txt"})]


def test_a_real_model_acts_call_by_call_and_answers(url: str) -> None:
    port = Modelled(url, propose=[judged("ALLOW", ran=[ran()])])
    run(port, begin("intent"))
    assert len(port.of("propose")) == 1
    assert port.of("answer")[0]


def test_a_real_model_chooses_among_actions(url: str) -> None:
    port = Modelled(url, propose=[judged("STEP_UP")])
    task = msgspec.structs.replace(TASK, goal="Email bob@example.com that lunch is at noon")
    run(port, begin("model", task=codec.encode(task)))
    (step,) = codec.decode(port.of("propose")[0], Proposal).steps
    assert (step.action, step.arguments["to"]) == ("send_email@2", "bob@example.com")


def test_a_real_model_writes_the_answer(url: str) -> None:
    port = Modelled(url)
    run(port, begin("model", phase=Begin.ANSWER, results=[ran()]))
    assert len(port.of("answer")[0]) > 1
