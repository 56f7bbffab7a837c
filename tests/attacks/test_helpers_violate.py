"""Helpers that were taken over, and violations that a crash cut short: each becomes an incident (I11)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests.support.notes import make_package, note
from tests.support.world import World, proposal, step

from interlock.artifact import frames
from interlock.decide.life import Status
from interlock.harness.rows import IncidentRow
from interlock.harness.sandbox.profiles import JailSpec, Role
from interlock.harness.session import Session
from interlock.harness.stepping import Stepper
from interlock.harness.supervisor import Child, Supervisor
from interlock.harness.watch import Incident

pytestmark = pytest.mark.sandbox

TRACES = b"import ctypes, signal\nctypes.CDLL(None).ptrace(0, 0, 0, 0)\nsignal.pause()\n"
MODEL = '[model]\nbase_url = "http://127.0.0.1:9/v1"\nname = "m"\nallow_private = true\nkey_secret = "model-key"\n'
EGRESS = '[egress]\nexceptions = ["127.0.0.1:9"]\n'
TOLD = Incident(code="channel.size", role="planner", task="", detail="a first one")


class _Crash(BaseException):
    """The harness dies here."""


def take_over(monkeypatch: pytest.MonkeyPatch, role: Role) -> list[Role]:
    """Have every child of the role run the attacker's code; which were started."""
    original, started = Supervisor.start, list[Role]()

    def start(self: Supervisor, wanted: Role, spec: JailSpec | None = None, *, pipes: bool = False) -> Child:
        if wanted != role:
            return original(self, wanted, spec, pipes=pipes)
        started.append(wanted)
        child = original(self, wanted, msgspec.structs.replace(spec or JailSpec(), mode="script"), pipes=pipes)
        frames.send(child.channel, b'["taken-over"]')
        frames.send(child.channel, TRACES)
        return child

    monkeypatch.setattr(Supervisor, "start", start)
    return started


def incidents(world: World) -> list[IncidentRow]:
    assert world.harness.core.store.seen() == []
    return world.harness.core.store.incidents()


def test_a_gateway_freezes_the_task_and_marks_the_providers_key(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(extra=MODEL)
    world.harness.core.vault.put("model-key", b"of-no-use-elsewhere")
    task, other = world.task(), world.task()
    take_over(monkeypatch, "gateway")
    assert world.harness.plan(task.id, "model").decided == []
    store = world.harness.core.store
    assert {(one.code, one.task, one.detail) for one in incidents(world)} == {
        ("separation.syscall", task.id, "gateway: ptrace")
    }
    assert store.task(task.id).frozen
    assert not store.task(other.id).frozen
    assert world.harness.core.vault.names()["model-key"]


def test_a_proxy_freezes_the_task_whose_step_it_serves(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(extra=EGRESS)
    take_over(monkeypatch, "proxy")
    task = world.task()
    asked = proposal(task, step("s1", "http.get@1", arguments={"url": "http://127.0.0.1:9/x"}))
    decided = world.harness.propose(task.id, asked)
    if decided.status is Status.PENDING:
        world.harness.approve(world.approval(decided.digest or ""))
    assert world.harness.execute(decided.digest or "") is Status.HALTED
    assert ("separation.syscall", task.id, "proxy: ptrace") in {
        (one.code, one.task, one.detail) for one in incidents(world)
    }
    assert world.harness.core.store.task(task.id).frozen


def test_a_notifier_is_an_incident_and_is_not_asked_to_tell_of_itself(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(extra='[alerts]\nwebhook = "http://127.0.0.1:9/hook"\nallow_private = true\n')
    started = take_over(monkeypatch, "notifier")
    world.harness.watch.report(TOLD)
    assert [(one.code, one.detail) for one in incidents(world)][1:] == [("separation.syscall", "notifier: ptrace")]
    assert started == ["notifier"]


def test_an_alerts_command_is_an_incident_and_not_run_for_it(make_world: Callable[..., World]) -> None:
    world = make_world(extra='[alerts]\ncommand = ["unshare", "-U", "true"]\n')
    world.harness.watch.report(TOLD)
    [_, found] = incidents(world)
    assert found.code == "alert.violation"
    assert "unshare" in found.detail
    assert len([one for one in world.harness.core.ledger.entries() if one.kind == "alert"]) == 1


def test_a_planners_violation_that_a_crash_cut_short(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(self: Session, code: str, detail: str) -> None:
        raise _Crash

    task, other = world.task(), world.task()
    with monkeypatch.context() as patched:
        patched.setattr(Session, "_violated", crash)
        with pytest.raises(_Crash):
            world.harness.drill(task.id, TRACES.replace(b"signal.pause()", b""))
    assert world.harness.core.store.incidents() == []
    world.reopen()
    assert [(one.code, one.task) for one in incidents(world)] == [("separation.syscall", task.id)]
    assert world.harness.core.store.task(task.id).frozen
    assert not world.harness.core.store.task(other.id).frozen
    world.reopen()
    assert len(incidents(world)) == 1


def test_a_steps_violation_that_a_crash_cut_short(
    make_world: Callable[..., World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(extra=make_package(tmp_path))
    source = tmp_path / "packages" / "notes" / "__init__.py"
    source.write_text("import ctypes\ndef add(arguments, context):\n    ctypes.CDLL(None).ptrace(0, 0, 0, 0)\n")

    def crash(self: Stepper, *_: object) -> None:
        raise _Crash

    task = world.task()
    digest = world.harness.propose(task.id, proposal(task, note(world, "s1", "a"))).digest or ""
    with monkeypatch.context() as patched:
        patched.setattr(Stepper, "_violated", crash)
        with pytest.raises(_Crash):
            world.harness.execute(digest)
    world.reopen()
    assert [(one.code, one.task) for one in incidents(world)] == [("separation.syscall", task.id)]
    assert world.harness.core.store.task(task.id).frozen
