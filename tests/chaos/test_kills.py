"""kill -9 of a real harness at each point of a plan's life: the state is honest, and nothing happens twice (I4, I8)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.chaos.tally import counted, make_package, propose, tally, three_steps
from tests.support.crash_points import (
    APPROVAL_POINTS,
    END_POINTS,
    SEAL_POINTS,
    STEP_POINTS,
    UNDO_POINTS,
    kill_all_of,
    run_and_kill,
    start_victim,
    until_there,
)
from tests.support.replay import left_the_model
from tests.support.world import World, write

from interlock.artifact.errors import InterlockError
from interlock.decide.life import Status
from interlock.harness.ledger.export import lines
from interlock.verify import verify_bundle

pytestmark = pytest.mark.sandbox

Case = tuple[str, str, int]
ASK = '  - verify: "files.*"\n    tier: 3\n    id: ask-first\n'
RULES = 'rules:\n  - allow: "*"\n    id: test-allow\n'
MOMENTS = ("before", "after")
SHORT: list[Case] = [("claim", "after", 2), ("intention", "after", 2), ("step", "after", 2), ("settle", "before", 2)]
FULL: list[Case] = [(name, moment, n) for name in STEP_POINTS for moment in MOMENTS for n in (1, 2, 3)]
AROUND: list[Case] = [(name, moment, 1) for name in (*SEAL_POINTS, *END_POINTS) for moment in MOMENTS]


def sound(world: World) -> None:
    """The ledger verifies here, and at the auditor's, and no plan has left the model of its life."""
    core = world.harness.core
    assert core.ledger.verify().size == core.ledger.size
    report = verify_bundle(lines(core.ledger, range(core.ledger.size)), [core.ledger.key], keyring=core.keys.keyring)
    assert report.disclosed == core.ledger.size
    assert left_the_model(core) == []


def honest(world: World, digest: str) -> dict[str, str]:
    """What the harness says of each step fits what the world shows; the states."""
    states = {claim.step: claim.state for claim in world.harness.core.store.claims(digest)}
    effects = counted(world)
    assert len(effects) == len(set(effects))
    for step, line in (("s2", "two"), ("s3", "three")):
        state = states.get(step)
        assert state in {None, "done", "unknown"}
        assert state == "unknown" or (line in effects) is (state == "done"), (step, state, effects)
    return states


def finish(world: World, digest: str) -> Status:
    """Bring the plan to its end in the way that its state asks for."""
    core = world.harness.core
    row = core.store.plan(digest)
    if row.status is Status.APPROVED:
        return world.harness.execute(digest)
    if row.status is Status.DONE:
        return row.status
    happened = {"s1": (world.files / "a.txt").exists(), "s2": "two" in counted(world), "s3": "three" in counted(world)}
    unknown = [claim.step for claim in core.store.claims(digest) if claim.state == "unknown"]
    if row.status is Status.HALTED:
        revised = world.harness.resume(digest, {step: "happened" if happened[step] else "not" for step in unknown})
        assert revised.digest is not None, revised.verdict
        return world.harness.execute(revised.digest)
    assert row.status is Status.REVOKED
    assert not unknown
    return world.harness.execute(propose(world, *three_steps(world)))


def killed_while_executing(world: World, case: Case) -> None:
    name, moment, occurrence = case
    digest = propose(world, *three_steps(world))
    world.harness.close()
    assert run_and_kill(world.files, "execute", digest, name, moment, str(occurrence)) == "reached"
    recovered = world.reopen().recovered
    row = world.harness.core.store.plan(digest)
    assert row.status in {Status.APPROVED, Status.HALTED, Status.REVOKED, Status.DONE}
    assert (row.digest in recovered) is (row.stopped == "harness.restarted")
    honest(world, digest)
    sound(world)
    assert finish(world, digest) is Status.DONE
    assert sorted(counted(world)) == ["three", "two"]
    assert (world.files / "a.txt").read_text() == "one"
    sound(world)


@pytest.fixture
def counting(make_world: Callable[..., World], tmp_path: Path) -> World:
    return make_world(extra=make_package(tmp_path))


@pytest.mark.parametrize("case", SHORT, ids=str)
def test_killed_in_the_middle_of_a_step(counting: World, case: Case) -> None:
    killed_while_executing(counting, case)


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in FULL if case not in SHORT], ids=str)
def test_killed_at_every_point_of_every_step(counting: World, case: Case) -> None:
    killed_while_executing(counting, case)


@pytest.mark.parametrize("case", AROUND[2:4], ids=str)
def test_killed_around_the_seal(counting: World, case: Case) -> None:
    killed_while_executing(counting, case)


@pytest.mark.slow
@pytest.mark.parametrize("case", AROUND[:2] + AROUND[4:], ids=str)
def test_killed_around_every_seal_and_end(counting: World, case: Case) -> None:
    killed_while_executing(counting, case)


def test_killed_while_a_step_acts(counting: World) -> None:
    """The effect is there, its outcome is not: it is unknown until a person says, and never repeated by itself."""
    digest = propose(counting, *three_steps(counting, "tally.linger@1"))
    counting.harness.close()
    counting.files.joinpath("tally.txt").touch()
    with start_victim(counting.files, "execute", digest) as victim:
        until_there(counting.files / "tally.txt", victim)
        kill_all_of(victim)
    counting.reopen()
    assert honest(counting, digest) == {"s1": "done", "s2": "unknown"}
    with pytest.raises(InterlockError, match=r"resume\.unknown"):
        counting.harness.resume(digest, {})
    assert finish(counting, digest) is Status.DONE
    assert counted(counting) == ["two", "three"]


def undone_after(world: World, case: Case) -> None:
    name, moment, occurrence = case
    (world.files / "a.txt").write_text("before")
    digest = propose(world, write("s1", "a.txt", "one"), tally(world, "s2", "two"))
    assert world.harness.execute(digest) is Status.DONE
    world.harness.close()
    assert run_and_kill(world.files, "rollback", digest, name, moment, str(occurrence)) == "reached"
    world.reopen()
    sound(world)
    if world.harness.core.store.plan(digest).status is not Status.ROLLED_BACK:
        assert {one.state for one in world.harness.rollback(digest)} <= {"undone", "nothing to undo"}
    assert world.harness.core.store.plan(digest).status is Status.ROLLED_BACK
    assert (world.files / "a.txt").read_text() == "before"
    assert counted(world) == []
    sound(world)


@pytest.mark.parametrize("case", [("restore", "after", 1)], ids=str)
def test_killed_in_a_rollback(counting: World, case: Case) -> None:
    undone_after(counting, case)


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [(name, moment, n) for name in UNDO_POINTS for moment in MOMENTS for n in (1, 2) if name != "undo" or n == 1],
    ids=str,
)
def test_killed_at_every_point_of_a_rollback(counting: World, case: Case) -> None:
    undone_after(counting, case)


def approved_after(world: World, tmp_path: Path, name: str, moment: str) -> None:
    digest = propose(world, write("s1", "a.txt", "one"))
    assert world.harness.core.store.plan(digest).status is Status.PENDING
    envelope = world.approval(digest)
    (tmp_path / "envelope").write_bytes(envelope)
    world.harness.close()
    assert run_and_kill(world.files, "approve", str(tmp_path / "envelope"), name, moment, "1") == "reached"
    world.reopen()
    if world.harness.core.store.plan(digest).status is Status.PENDING:
        assert world.harness.approve(envelope) is Status.APPROVED
    kinds = [entry.kind for entry in world.harness.core.ledger.entries()]
    assert "approval" in kinds
    sound(world)
    assert world.harness.execute(digest) is Status.DONE


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("name", APPROVAL_POINTS)
def test_killed_while_an_approval_is_counted(
    make_world: Callable[..., World], tmp_path: Path, name: str, moment: str
) -> None:
    approved_after(make_world(rules=RULES + ASK), tmp_path, name, moment)


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("name", SEAL_POINTS)
def test_killed_while_an_approved_plan_is_sealed(make_world: Callable[..., World], name: str, moment: str) -> None:
    """An approval works once: either it still counts, or the plan does not run."""
    world = make_world(rules=RULES + ASK)
    digest = propose(world, write("s1", "a.txt", "one"))
    world.harness.approve(world.approval(digest))
    world.harness.close()
    assert run_and_kill(world.files, "execute", digest, name, moment, "1") == "reached"
    world.reopen()
    sound(world)
    if world.harness.core.store.plan(digest).status is Status.APPROVED:
        assert world.harness.execute(digest) is Status.DONE
    else:
        assert world.harness.core.store.plan(digest).status in {Status.REVOKED, Status.HALTED}
        with pytest.raises(InterlockError, match=r"approval\.not_pending|plan\."):
            world.harness.approve(world.approval(digest))
        assert not (world.files / "a.txt").exists()
    sound(world)
