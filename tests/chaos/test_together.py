"""Several harnesses on one workspace at once: a plan runs once, numbers are given once, nobody disturbs a run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.chaos.tally import counted, make_package, propose, three_steps
from tests.support.crash_points import kill_all_of, start_victim, until_there
from tests.support.replay import left_the_model
from tests.support.world import World, proposal, write

from interlock.artifact.errors import InterlockError
from interlock.decide.life import Status

pytestmark = pytest.mark.sandbox


@pytest.fixture
def counting(make_world: Callable[..., World], tmp_path: Path) -> World:
    return make_world(extra=make_package(tmp_path))


def together(world: World, *arguments: str) -> list[str]:
    """What two processes say that do the same at the same time."""
    with contextlib.ExitStack() as stack:
        victims = [stack.enter_context(start_victim(world.files, *arguments)) for _ in range(2)]
        for victim in victims:
            assert victim.stdout is not None and victim.stdin is not None
            assert victim.stdout.readline() == "ready\n"
        for victim in victims:
            victim.stdin.write("go\n")  # type: ignore[union-attr]
            victim.stdin.flush()  # type: ignore[union-attr]
        found = [victim.communicate(timeout=60)[0].strip() for victim in victims]
        assert [victim.returncode for victim in victims] == [0, 0]
    return found


def test_two_processes_execute_one_plan(counting: World) -> None:
    digest = propose(counting, *three_steps(counting))
    counting.harness.close()
    first, second = sorted(together(counting, "wait and execute", digest))
    assert first == "done"
    assert second in {"refused run.elsewhere", "refused plan.done"}
    counting.reopen()
    assert counted(counting) == ["two", "three"]
    assert left_the_model(counting.harness.core) == []
    intentions = [entry.subject for entry in counting.harness.core.ledger.entries() if entry.kind == "intention"]
    assert len(intentions) == len(set(intentions)) == 3


def test_two_processes_propose(counting: World, tmp_path: Path) -> None:
    task = counting.task()
    (tmp_path / task.id).write_bytes(proposal(task, write("s1", "a.txt", "x")))
    counting.harness.close()
    found = together(counting, "propose", str(tmp_path / task.id))
    digests = " ".join(found).split()
    counting.reopen()
    core = counting.harness.core
    rows = core.store.plans()
    assert len(set(digests)) == len(rows) == 10
    assert {row.status for row in rows} == {Status.APPROVED}
    assert sorted(row.sequence for row in rows) == list(range(1, 11))
    assert core.store.task(task.id).spent.plans == 10
    assert core.ledger.verify().size == core.ledger.size
    assert left_the_model(core, crashes=False) == []


def test_a_harness_that_opens_leaves_a_run_elsewhere_alone(counting: World) -> None:
    (counting.files / "tally.txt").touch()
    digest = propose(counting, *three_steps(counting, "tally.linger@1"))
    counting.harness.close()
    with start_victim(counting.files, "execute", digest) as victim:
        until_there(counting.files / "tally.txt", victim)
        counting.reopen()
        assert counting.harness.recovered == []
        assert counting.harness.core.store.plan(digest).status is Status.RUNNING
        with pytest.raises(InterlockError, match=r"run\.elsewhere"):
            counting.harness.execute(digest)
        with pytest.raises(InterlockError, match=r"undo\.status|run\.elsewhere"):
            counting.harness.rollback(digest)
        kill_all_of(victim)
    assert counting.reopen().recovered == [digest]
    assert counting.harness.core.store.plan(digest).status is Status.HALTED
