"""The harness's side of a planner's channel, answered from a list: what a strategy meets, in any order wanted.

``Scripted`` is an in-process ``Port``: it records each call and returns or raises what the script says next
for that kind of call; a call that the script does not foresee fails the test.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from interlock.artifact import codec
from interlock.artifact.channel_pb2 import Actions, Begin, Finding, Judgement, Message, Reply, Result, Results
from interlock.artifact.task import Task
from interlock.planner.port import RefusedError

TASK = Task(
    id="t1", revision=0, principal="ann", goal="Read notes/todo.txt", scope={"environment": "test"},
    created_at=1, expires_at=2,
)  # fmt: skip
READ = {
    "name": "read_file",
    "version": 1,
    "sentence": "Read the text file {path}",
    "arguments": {"path": {"type": "string", "role": "path", "description": "path of the file"}},
}


def begin(strategy: str = "model", **fields: Any) -> Begin:
    return Begin(**{"task": codec.encode(TASK), "strategy": strategy, "repair_rounds": 2, **fields})


def move(do: str, **fields: Any) -> str:
    return json.dumps({"move": {"do": do, **fields}})


def plan(*steps: dict[str, Any]) -> str:
    return move("propose", proposal={"goal": "read it", "steps": list(steps or [step("s1")])})


def step(name: str, action: str = "read_file@1", **arguments: Any) -> dict[str, Any]:
    return {"id": name, "action": action, "arguments": arguments or {"path": "notes/todo.txt"}}


def judged(decision: str, *codes: str, ran: Sequence[Result] = ()) -> Judgement:
    findings = [Finding(code=code, step="s1", field="path") for code in codes]
    return Judgement(decision=decision, findings=findings, results=ran)


def ran(name: str = "s1", output: object = "buy milk") -> Result:
    return Result(step=name, outcome="observed", label=b'{"integrity":"untrusted"}', output=codec.encode(output))


def refused(code: str) -> RefusedError:
    return RefusedError(code, "refused")


GROUPS = Actions(groups=["files"])
LOADED = Actions(groups=["files"], manifests=[codec.encode(READ)])


class Scripted:
    """Answers each kind of call from its own queue; ``calls`` is what the planner did."""

    def __init__(self, **answers: Sequence[Any]) -> None:
        self._answers = {"load_actions": [GROUPS, LOADED], "answer": [None], **answers}
        self._answers = {kind: list(queue) for kind, queue in self._answers.items()}
        self.calls: list[tuple[str, Any]] = []
        self.prompts: list[str] = []

    def _next(self, kind: str, what: Any) -> Any:
        self.calls.append((kind, what))
        answer = self._answers[kind].pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def of(self, kind: str) -> list[Any]:
        return [what for called, what in self.calls if called == kind]

    def complete(self, messages: Sequence[Message], schema: bytes, max_tokens: int) -> str:
        assert max_tokens > 0
        self.prompts.append("\n".join(message.text for message in messages))
        text: str = self._next("complete", json.loads(schema) if schema else None)
        return text

    def load_actions(self, groups: Sequence[str]) -> Actions:
        found: Actions = self._next("load_actions", list(groups))
        return found

    def observe(self, action: str, arguments: bytes) -> Results:
        found: Results = self._next("observe", (action, json.loads(arguments)))
        return found

    def ask(self, question: str) -> Reply:
        found: Reply = self._next("ask", question)
        return found

    def propose(self, proposal: bytes) -> Judgement:
        found: Judgement = self._next("propose", proposal)
        return found

    def answer(self, text: str) -> None:
        self._next("answer", text)
