"""The attacker owns the analyst: whatever it says, nothing runs that was not claimed, and nothing claimed is trusted."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.support.hostile import Attack, HostileSupervisor
from tests.support.world import World, proposal, step

from interlock.artifact import channel, codec
from interlock.artifact.action import Effect
from interlock.artifact.analysis import Analysis, Finding, Opacity, Signal
from interlock.artifact.channel_pb2 import AnalystCall, AnalystReturn
from interlock.artifact.plan import ProposedStep
from interlock.artifact.resources import Touched
from interlock.artifact.verdict import Decision
from interlock.decide.life import Status
from interlock.harness.analysing import Analyst
from interlock.harness.sandbox.profiles import Violation

NOTHING = Analysis(touched=())


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    found = World(tmp_path, monkeypatch)
    (found.files / "work").mkdir()
    (found.files / "work" / "a.txt").write_text("one")
    yield found
    found.close()


def says(found: Analysis) -> Attack:
    return answers(codec.encode(msgspec.structs.replace(found, score=0)))


def answers(raw: bytes) -> Attack:
    def attack(sock: socket.socket) -> None:
        while channel.receive(sock, AnalystCall) is not None:
            channel.send(sock, AnalystReturn(analysis=raw))

    return attack


def sends(body: bytes) -> Attack:
    def attack(sock: socket.socket) -> None:
        channel.receive(sock, AnalystCall)
        sock.sendall(body)
        sock.recv(1)

    return attack


def drips(sock: socket.socket) -> None:
    channel.receive(sock, AnalystCall)
    sock.sendall(b"\x00\x00\xff\xff")
    while True:
        sock.sendall(b"x" * 65536)


def shell(*words: str) -> ProposedStep:
    return step("s1", "shell.run@1", arguments={"argv": list(words), "directory": "work"})


def owned(world: World, attack: Attack) -> None:
    world.harness.supervisor = HostileSupervisor(world.harness.supervisor, "analyst", attack)  # type: ignore[assignment]


def file(name: str, access: Effect, **fields: bool) -> Touched:
    return Touched(kind="file", name=name, access=access, **fields)


OPAQUE: dict[str, tuple[Attack, str]] = {
    "it dies": (lambda _: None, "analyst.died"),
    "it says nothing": (lambda sock: sock.recv(1 << 20) and sock.recv(1) and None, "analyst.silent"),
    "bytes that are no frame": (sends(b"\xff\xff\xff\xff"), "analyst.malformed"),
    "another message": (sends(b"\x00\x00\x00\x02\x98\x06"), "analyst.malformed"),
    "output without end": (drips, "analyst.malformed"),
    "no JSON": (answers(b"{"), "analyst.malformed"),
    "an unknown field": (answers(b'{"findings":[],"opaque":[],"programs":[],"safe":true,"signals":[],"touched":[]}'), "analyst.malformed"),
    "another spelling": (answers(b'{"touched":[]}'), "analyst.malformed"),
    "a path with dots": (says(Analysis(touched=(file("/proj/../etc/passwd", Effect.READ),))), "analyst.malformed"),
    "a path that is none": (says(Analysis(touched=(file("a.txt", Effect.READ),))), "analyst.malformed"),
    "more claims than fit": (
        answers(codec.encode(Analysis(touched=tuple(file(f"/proj/{n}", Effect.READ) for n in range(4000))))), "analyst.malformed",
    ),
    "code without a score": (answers(codec.encode(Analysis(touched=()))), "analyst.malformed"),
    "an answer about another argument": (
        says(Analysis(touched=(), opaque=(Opacity(code="a.b", argument="other"),))), "analyst.malformed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OPAQUE)
def test_whatever_is_no_answer_leaves_the_step_opaque(world: World, name: str) -> None:
    attack, code = OPAQUE[name]
    owned(world, attack)
    task = world.task()
    decided = world.harness.propose(task.id, proposal(task, shell("rm", "a.txt")))
    assert decided.verdict.decision is Decision.STEP_UP
    assert ("effects.opaque", f"argv: {code}") in {(one.code, one.field) for one in decided.verdict.reasons}
    assert world.harness.core.store.incidents(still_open=True) == []


LIES: dict[str, tuple[Analysis, tuple[str, ...]]] = {
    "that a deletion does nothing": (Analysis(touched=(), programs=("rm",)), ("rm", "a.txt")),
    "that a deletion is a read": (
        Analysis(touched=(file("{work}/a.txt", Effect.READ),), programs=("rm",)), ("rm", "a.txt"),
    ),
    "that writing one file is reading another": (
        Analysis(touched=(file("{work}/a.txt", Effect.READ),), programs=("sh", "cp")), ("cp", "a.txt", "b.txt"),
    ),
    "that another program runs": (Analysis(touched=(), programs=("ls",)), ("rm", "a.txt")),
    "that no program runs": (NOTHING, ("rm", "a.txt")),
}  # fmt: skip


def test_what_is_listed_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of the folder that every step has for itself, as workspaces are."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        world = World(Path(place), monkeypatch)
        folder = world.files / "work"
        folder.mkdir()
        (folder / "a.txt").write_text("one")
        claimed = Analysis(touched=(file(str(folder), Effect.READ),), programs=("cat", "ls"))
        owned(world, says(claimed))
        for words, status in ((("cat", "a.txt"), Status.HALTED), (("ls",), Status.DONE)):
            task = world.task()
            decided = world.harness.propose(task.id, proposal(task, shell(*words)))
            assert decided.digest is not None
            assert world.harness.execute(decided.digest, lambda _: None) is status
        world.close()


@pytest.mark.parametrize("name", LIES)
def test_a_lie_fails_closed(world: World, name: str) -> None:
    claimed, words = LIES[name]
    folder = str(world.files / "work")
    touched = tuple(file(one.name.replace("{work}", folder), one.access) for one in claimed.touched)
    owned(world, says(Analysis(touched=touched, programs=claimed.programs)))
    task = world.task()
    decided = world.harness.propose(task.id, proposal(task, shell(*words)))
    assert decided.verdict.decision is Decision.ALLOW  # It was believed, and therefore confined.
    assert decided.digest is not None
    assert world.harness.execute(decided.digest, lambda _: None) is Status.HALTED
    assert sorted(path.name for path in (world.files / "work").iterdir()) == ["a.txt"]
    assert (world.files / "work" / "a.txt").read_text() == "one"
    [done] = world.harness.core.store.claims(decided.digest)
    assert b"one" not in (done.output or b"")


WORSE: dict[str, tuple[Analysis, str]] = {
    "a file outside the roots": (Analysis(touched=(file("/etc/passwd", Effect.READ),)), "scope.path"),
    "the harness's own files": (Analysis(touched=(file("{root}/interlock.toml", Effect.WRITE),)), "floor.harness"),
    "more rights": (Analysis(touched=(Touched(kind="privilege", name="root", access=Effect.GRANT_ACCESS),)), "floor.privileged"),
    "an end point": (
        Analysis(touched=(Touched(kind="endpoint", name="a.example:443", access=Effect.SEND),)), "floor.irreversible",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WORSE)
def test_a_claim_that_is_worse_is_believed(world: World, name: str) -> None:
    claimed, code = WORSE[name]
    touched = tuple(
        Touched(kind=one.kind, name=one.name.replace("{root}", str(world.files)), access=one.access)
        for one in claimed.touched
    )
    owned(world, says(Analysis(touched=touched)))
    task = world.task()
    verdict = world.harness.propose(task.id, proposal(task, shell("ls"))).verdict
    assert verdict.decision is not Decision.ALLOW
    assert code in {one.code for one in verdict.reasons}


def test_a_claim_about_a_narrow_action_adds_and_takes_nothing_away(world: World) -> None:
    owned(world, says(NOTHING))
    task = world.task()
    post = step("s1", "http.post@1", arguments={"url": "https://a.example/x", "body": "hello"})
    verdict = world.harness.propose(task.id, proposal(task, post)).verdict
    assert {"floor.irreversible"} <= {one.code for one in verdict.reasons}
    assert verdict.decision is Decision.STEP_UP


def test_a_forbidden_call_is_an_incident(world: World) -> None:
    seen: list[object] = []

    class Tried:
        violations = (Violation(role="analyst", pid=1, syscall="socket"),)

        def close(self) -> None:
            seen.append("closed")

    analyst = Analyst(lambda: world.harness.supervisor, world.harness.watch.report)
    task = world.task()
    analyst._children[task.id] = Tried()  # type: ignore[assignment]  # pyright: ignore[reportPrivateUsage]
    analyst.end(task.id)
    [incident] = world.harness.core.store.incidents(still_open=True)
    assert (incident.code, seen) == ("separation.syscall", ["closed"])
    assert world.harness.core.store.task(task.id).frozen


def test_findings_and_signals_of_a_liar_can_only_tighten(world: World) -> None:
    """Whatever it makes up, a rule reads it as a reason to ask or to deny: none allows."""
    owned(
        world,
        says(
            Analysis(
                touched=(),
                signals=(Signal(code="all.is_well", argument="argv"),),
                findings=(Finding(kind="instruction", code="instruction.made_up", argument="argv"),),
                programs=("ls",),
            )
        ),
    )
    task = world.task()
    first = world.harness.propose(task.id, proposal(task, shell("ls"))).verdict
    assert first.decision is Decision.ALLOW
