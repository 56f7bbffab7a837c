"""Incidents (I11): on record first, then the freeze, the revocation, the mark and the alert; a person ends it."""

from __future__ import annotations

import pytest
from tests.support.world import World, proposal, write

from interlock.artifact import codec
from interlock.artifact.errors import StateError
from interlock.decide.life import Status
from interlock.harness.watch import Incident, Watch


def approved(world: World) -> tuple[str, str]:
    task = world.task()
    return task.id, world.harness.propose(task.id, proposal(task, write("s1", "a.txt", "x"))).digest or ""


def report(world: World, task: str, *, secrets: tuple[str, ...] = (), code: str = "separation.syscall") -> int:
    return world.harness.watch.report(
        Incident(code=code, role="step", task=task, plan="p", step="s1", detail="ptrace", secrets=secrets)
    )


def test_an_incident_freezes_revokes_marks_and_alerts_in_this_order(world: World) -> None:
    task, digest = approved(world)
    other, untouched = approved(world)
    core = world.harness.core
    core.vault.put("token", b"1")
    core.vault.put("unused", b"2")
    seen: list[tuple[str, bool, Status, bool, int]] = []

    def alert(incident: Incident, count: int) -> None:
        status = core.store.plan(digest).status
        seen.append((incident.code, core.store.task(task).frozen, status, core.vault.names()["token"], count))

    watch = Watch(core, alert)
    watch.report(Incident(code="grant.misuse", role="step", task=task, plan=digest, secrets=("token",)))
    assert seen == [("grant.misuse", True, Status.REVOKED, True, 1)]
    assert not core.vault.names()["unused"]
    assert core.store.plan(untouched).status is Status.APPROVED and not core.store.task(other).frozen
    kinds = [entry.kind for entry in core.ledger.entries() if entry.task == task]
    assert kinds.index("incident") < kinds.index("revoke")


def test_the_record_stands_though_everything_after_it_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    task, _ = approved(world)

    def broken(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(world.harness.core.store, "put_incident", broken)
    with pytest.raises(OSError, match="Input/output"):
        report(world, task)
    assert "incident" in {entry.kind for entry in world.harness.core.ledger.entries()}


def test_only_a_person_with_a_reason_ends_it_and_the_last_one_thaws(world: World) -> None:
    task, _ = approved(world)
    first, second = report(world, task), report(world, task, code="channel.size")
    with pytest.raises(StateError, match=r"incident\.reason"):
        world.harness.close_incident(first, "alice", " \n")
    world.harness.close_incident(first, "alice", "a drill")
    assert world.harness.core.store.task(task).frozen
    for wrong in (first, 99):
        with pytest.raises(StateError, match=r"incident\.unknown"):
            world.harness.close_incident(wrong, "alice", "again")
    world.harness.close_incident(second, "alice", "a drill")
    assert not world.harness.core.store.task(task).frozen
    closed = [entry for entry in world.harness.core.ledger.entries() if entry.code == "incident.closed"]
    assert [entry.subject for entry in closed] == [f"{first} closed by alice", f"{second} closed by alice"]


def test_an_incident_outside_any_task_freezes_nothing(world: World) -> None:
    task, _ = approved(world)
    report(world, "")
    assert not world.harness.core.store.task(task).frozen
    assert len(world.harness.core.store.incidents(still_open=True)) == 1


def test_a_frozen_task_gets_nothing_approved(world: World) -> None:
    task, digest = approved(world)
    report(world, task)
    with pytest.raises(StateError, match=r"plan\.revoked"):
        world.harness.execute(digest)
    row = world.harness.core.store.task(task)
    raw = proposal(row.task, write("s1", "a.txt", "x"))
    assert "task.frozen" in {reason.code for reason in world.harness.propose(task, raw).verdict.reasons}
    assert codec.digest(row.task) == row.task_digest
