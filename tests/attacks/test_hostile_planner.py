"""The attacker owns the planner: what it sends is refused, judged, or an incident, and never an effect (I9, I11)."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from tests.support.hostile import Attack, HostileSupervisor
from tests.support.world import World, proposal, write

from interlock.artifact import channel, codec, frames
from interlock.artifact.channel_pb2 import (
    Answer,
    Ask,
    Begin,
    Complete,
    ExecutorCall,
    LoadActions,
    Message,
    Next,
    Observe,
    PlannerCall,
    PlannerReturn,
    Propose,
    Ran,
    StepCall,
)
from interlock.artifact.task import Budget
from interlock.harness import service
from interlock.harness.session import Outcome, Session

Seen = list[PlannerReturn]


def session(world: World, task_id: str, attack: Attack, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    monkeypatch.setattr(service, "Session", Session)
    world.harness.supervisor = HostileSupervisor(world.harness.supervisor, "planner", attack)  # type: ignore[assignment]
    return world.harness.plan(task_id, "file")


def calls(seen: Seen, *messages: PlannerCall) -> Attack:
    def attack(sock: socket.socket) -> None:
        channel.receive(sock, Begin)
        seen.extend(channel.call(sock, message, PlannerReturn) for message in messages)

    return attack


def sends(body: bytes, *, raw: bool = False) -> Attack:
    def attack(sock: socket.socket) -> None:
        channel.receive(sock, Begin)
        sock.sendall(body) if raw else frames.send(sock, body)
        sock.recv(1)

    return attack


CROSSINGS: dict[str, Attack] = {
    "an executor's call": sends(ExecutorCall(next=Next(step="s1", iteration=7)).SerializeToString()),
    "a step's word that all went well": sends(StepCall(ran=Ran(ok=True, output=b"null")).SerializeToString()),
    "no call at all": sends(b"\x00"),
    "an unknown field": sends(PlannerCall(ask=Ask(question="?")).SerializeToString() + b"\x98\x06\x01"),
    "two calls in one": sends(PlannerCall(ask=Ask(question="?")).SerializeToString() * 2),
    "a huge frame": sends(b"\xff\xff\xff\xff", raw=True),
    "an empty frame": sends(b"\0\0\0\0", raw=True),
    "random bytes": sends(bytes(range(256))),
    "the same bytes in another spelling": sends(b"\x22\x83\x00\x0a\x01?"),
}


@pytest.mark.parametrize("name", CROSSINGS)
def test_a_message_outside_the_protocol_is_an_incident(
    world: World, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = world.task()
    outcome = session(world, task.id, CROSSINGS[name], monkeypatch)
    assert outcome.violated
    assert world.harness.core.store.task(task.id).frozen
    [incident] = world.harness.core.store.incidents(still_open=True)
    assert incident.code.startswith("channel.")


REFUSED: dict[str, tuple[PlannerCall, str]] = {
    "a group outside the task": (PlannerCall(load_actions=LoadActions(groups=["shell", "root"])), "load.scope"),
    "a write as an observation": (
        PlannerCall(observe=Observe(action="files.write@1", arguments=b'{"path":"a","content":"x"}')), "observe.effect",
    ),
    "an observation of a credential": (
        PlannerCall(observe=Observe(action="files.read@1", arguments=b'{"path":"~/.ssh/id_rsa"}')), "scope.path",
    ),
    "an observation of the harness's own files": (
        PlannerCall(observe=Observe(action="files.read@1", arguments=b'{"path":"policy/rules.yaml"}')), "floor.harness",
    ),
    "an observation with no JSON": (PlannerCall(observe=Observe(action="files.read@1", arguments=b"{")), "codec.syntax"),
    "an unknown action": (PlannerCall(observe=Observe(action="files.format@1", arguments=b"{}")), "manifest.unknown"),
    "a model that nobody configured": (
        PlannerCall(complete=Complete(messages=[Message(text="hi")], max_tokens=1)), "model.none",
    ),
    "more tokens than there are": (
        PlannerCall(complete=Complete(messages=[Message(text="hi")], max_tokens=4_000_000_000)), "budget.tokens",
    ),
    "a question to nobody": (PlannerCall(ask=Ask(question="may I?")), "ask.nobody"),
    "a question with a hidden character": (PlannerCall(ask=Ask(question="may\u202e I?")), "ask.text"),
    "a question without end": (PlannerCall(ask=Ask(question="x" * 100_000)), "ask.text"),
    "an answer without end": (PlannerCall(answer=Answer(text="x" * 100_000)), "answer.size"),
    "a proposal without end": (PlannerCall(propose=Propose(proposal=b"x" * 600_000)), "codec.size"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_call_that_is_refused_with_its_code(world: World, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    call, code = REFUSED[name]
    task = world.task()
    seen: Seen = []
    outcome = session(world, task.id, calls(seen, call), monkeypatch)
    assert not outcome.violated
    assert [one.refusal.code for one in seen] == [code]
    assert not (world.files / "a").exists()


def test_an_empty_surface_accepts_no_plan(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    task = world.harness.start_task("do it")
    raw = proposal(task, write("s1", "a.txt", "x"))
    seen: Seen = []
    session(world, task.id, calls(seen, PlannerCall(propose=Propose(proposal=raw))), monkeypatch)
    [judged] = seen
    assert judged.judgement.decision == "DENY"
    assert {finding.code for finding in judged.judgement.findings} >= {"manifest.group_not_loaded"}


def test_a_flood_of_proposals_ends_at_the_budget(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    task = world.task(budget=Budget(plans=3))
    raw = PlannerCall(propose=Propose(proposal=proposal(task, write("s1", "a.txt", "x"))))
    seen: Seen = []
    session(world, task.id, calls(seen, *[raw] * 5), monkeypatch)
    assert [one.judgement.decision for one in seen] == ["ALLOW"] * 3 + ["DENY"] * 2


def test_a_denial_tells_the_planner_codes_and_fields_alone(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()
    task = world.task()
    raw = proposal(task, write("s1", "/home/hunter2/x", "hunter2"))
    seen: Seen = []
    session(world, task.id, calls(seen, PlannerCall(propose=Propose(proposal=raw))), monkeypatch)
    assert b"hunter2" not in seen[0].SerializeToString()
    assert seen[0].judgement.findings
    assert codec.digest(task)


def test_each_load_is_on_record(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    task = world.harness.start_task("do it")
    seen: Seen = []
    asked = (PlannerCall(load_actions=LoadActions()), PlannerCall(load_actions=LoadActions(groups=["files"])))
    session(world, task.id, calls(seen, *asked), monkeypatch)
    assert list(seen[0].actions.groups) == list(task.groups)
    assert not seen[0].actions.manifests
    assert len(seen[1].actions.manifests) >= 8
    loads = [entry.code for entry in world.harness.core.ledger.entries() if entry.kind == "load"]
    assert loads == [""]
    assert world.harness.core.store.task(task.id).loaded == ("files",)
