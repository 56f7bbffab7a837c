"""The attacker owns the executor core: whatever it asks, nothing but the approved plan's next step happens (I3, I4)."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable

import pytest
from tests.support.hostile import HostileSupervisor
from tests.support.world import World, proposal, write

from interlock.artifact import channel, frames
from interlock.artifact.channel_pb2 import (
    ExecutorCall,
    ExecutorReturn,
    Finish,
    Generate,
    Next,
    PlannerCall,
    Propose,
    StartExecution,
)
from interlock.decide.life import Status

pytestmark = pytest.mark.sandbox


def asks(*pairs: tuple[str, int], complete: bool = True) -> Callable[[socket.socket], None]:
    """An executor that asks for these steps, one after the other, and then says that all is done."""

    def attack(sock: socket.socket) -> None:
        channel.receive(sock, StartExecution)
        for step, iteration in pairs:
            if channel.call(sock, ExecutorCall(next=Next(step=step, iteration=iteration)), ExecutorReturn) is None:
                return
        channel.call(sock, ExecutorCall(finish=Finish(complete=complete)), ExecutorReturn)

    return attack


def sends(*bodies: bytes, raw: bool = False) -> Callable[[socket.socket], None]:
    """An executor that sends these bytes instead of a call."""

    def attack(sock: socket.socket) -> None:
        channel.receive(sock, StartExecution)
        for body in bodies:
            sock.sendall(body) if raw else frames.send(sock, body)
        sock.recv(1)

    return attack


def dies(sock: socket.socket) -> None:
    channel.receive(sock, StartExecution)


ATTACKS: dict[str, tuple[Callable[[socket.socket], None], str, Iterable[str]]] = {
    "skips the first step": (asks(("s2", 0)), "unfolding.not_next", ()),
    "repeats a step": (asks(("s1", 0), ("s1", 0)), "unfolding.not_next", ("a.txt",)),
    "goes back": (asks(("s1", 0), ("s2", 0), ("s1", 0)), "unfolding.not_next", ("a.txt", "b.txt")),
    "adds a step": (asks(("s1", 0), ("s2", 0), ("s3", 0)), "unfolding.not_next", ("a.txt", "b.txt")),
    "names a step that there is not": (asks(("nothing", 0)), "unfolding.not_next", ()),
    "names no step": (asks(("", 0)), "unfolding.not_next", ()),
    "runs an iteration that there is not": (asks(("s1", 1)), "unfolding.not_next", ()),
    "counts far": (asks(("s1", 4_000_000_000)), "unfolding.not_next", ()),
    "says that all is done at once": (asks(), "executor.incomplete", ()),
    "says that all is done half way": (asks(("s1", 0)), "executor.incomplete", ("a.txt",)),
    "gives up": (asks(("s1", 0), complete=False), "executor.stopped", ("a.txt",)),
    "dies": (dies, "executor.died", ()),
    "proposes a plan": (
        sends(PlannerCall(propose=Propose(proposal=b"{}")).SerializeToString()), "channel", (),
    ),
    "asks a model": (sends(Generate(max_tokens=5).SerializeToString()), "channel", ()),
    "sends an empty call": (sends(ExecutorCall().SerializeToString() or b"\x00"), "channel", ()),
    "adds an unknown field": (
        sends(ExecutorCall(next=Next(step="s1")).SerializeToString() + b"\x98\x06\x01"), "channel", (),
    ),
    "sends two calls in one": (
        sends(ExecutorCall(next=Next(step="s1")).SerializeToString() * 2), "channel", (),
    ),
    "announces a huge frame": (sends(b"\xff\xff\xff\xff", raw=True), "channel.size", ()),
    "announces an empty frame": (sends(b"\0\0\0\0", raw=True), "channel.size", ()),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_a_hostile_executor(world: World, name: str) -> None:
    attack, code, done = ATTACKS[name]
    task = world.task()
    raw = proposal(task, write("s1", "a.txt", "1"), write("s2", "b.txt", "2"))
    decided = world.harness.propose(task.id, raw)
    assert decided.digest is not None
    execution = world.harness._execution
    execution._supervisor = HostileSupervisor(world.harness.supervisor, "executor", attack)  # type: ignore[assignment]
    status = world.harness.execute(decided.digest)
    assert status is Status.HALTED
    assert world.harness.core.store.plan(decided.digest).stopped.startswith(code)
    assert {path.name for path in world.files.glob("*.txt")} == set(done)
    crossed = code.startswith(("unfolding", "channel"))
    assert bool(world.harness.core.store.incidents(still_open=True)) is crossed
    assert world.harness.core.store.task(task.id).frozen is crossed


def test_a_frozen_task_gets_nothing_until_a_person_says_why(world: World) -> None:
    task = world.task()
    decided = world.harness.propose(task.id, proposal(task, write("s1", "a.txt", "1")))
    execution = world.harness._execution
    execution._supervisor = HostileSupervisor(world.harness.supervisor, "executor", asks(("s9", 0)))  # type: ignore[assignment]
    world.harness.execute(decided.digest or "")
    again = world.harness.propose(task.id, proposal(task, write("s1", "a.txt", "1")))
    assert "task.frozen" in {reason.code for reason in again.verdict.reasons}
    [incident] = world.harness.core.store.incidents(still_open=True)
    world.harness.close_incident(incident.id, "alice", "a drill")
    assert not world.harness.core.store.task(task.id).frozen
    assert world.harness.propose(task.id, proposal(task, write("s1", "a.txt", "1"))).status is Status.APPROVED
