"""A clock that jumps, forward or back: nothing runs beyond its time, and no time is gained by turning the clock."""

from __future__ import annotations

import pytest
from tests.chaos.tally import propose
from tests.support.replay import left_the_model
from tests.support.world import World, write

from interlock.artifact.errors import InterlockError, StateError
from interlock.decide.life import Status
from interlock.harness.running import Progress

DAY_MS = 24 * 3600 * 1000
JUMPS = {"forward": DAY_MS, "back": -DAY_MS}


def jump(world: World, by: int) -> None:
    now = world.harness.core.clock
    world.harness.core.clock = lambda: now() + by


def sound(world: World) -> None:
    core = world.harness.core
    assert core.ledger.verify().size == core.ledger.size
    assert left_the_model(core) == []


@pytest.mark.sandbox
def test_a_jump_forward_before_the_run_expires_the_plan_for_good(world: World) -> None:
    digest = propose(world, write("s1", "a.txt", "x"))
    jump(world, DAY_MS)
    with pytest.raises(StateError, match=r"plan\.expired"):
        world.harness.execute(digest)
    jump(world, -DAY_MS)
    with pytest.raises(StateError, match=r"plan\.expired"):
        world.harness.execute(digest)
    assert world.harness.core.store.plan(digest).status is Status.EXPIRED
    assert not (world.files / "a.txt").exists()
    sound(world)


@pytest.mark.sandbox
@pytest.mark.parametrize("name", JUMPS)
def test_a_jump_in_the_middle_of_a_run(world: World, name: str) -> None:
    digest = propose(world, write("s1", "a.txt", "x"), write("s2", "b.txt", "x"))

    def jumping(progress: Progress) -> None:
        if (progress.step, progress.state) == ("s1", "done"):
            jump(world, JUMPS[name])

    assert world.harness.execute(digest, jumping) is Status.HALTED
    row = world.harness.core.store.plan(digest)
    assert (
        row.stopped == "plan.expired" if name == "forward" else row.stopped.startswith(("grant.", "plan.", "snapshot."))
    )
    assert not (world.files / "b.txt").exists()
    assert world.harness.core.store.incidents() == []
    sound(world)


@pytest.mark.sandbox
def test_a_plan_made_before_a_jump_back_gains_no_time(world: World) -> None:
    digest = propose(world, write("s1", "a.txt", "x"))
    jump(world, -DAY_MS)
    before = world.harness.core.store.plan(digest).plan.expires_at
    with pytest.raises(StateError, match=r"expiry|plan\."):
        world.harness.execute(digest)
    assert world.harness.core.store.plan(digest).plan.expires_at == before
    assert not (world.files / "a.txt").exists()
    sound(world)


@pytest.mark.sandbox
@pytest.mark.parametrize("name", JUMPS)
def test_after_a_jump_new_work_goes_on(world: World, name: str) -> None:
    world.harness.execute(propose(world, write("s1", "a.txt", "x")))
    jump(world, JUMPS[name])
    if name == "back":  # The harness's own key does not count yet: that is said, and nothing is signed in vain.
        task = world.harness.start_task("again")
        with pytest.raises(InterlockError):
            world.harness.execute(world.harness.propose(task.id, b"{}").digest or "")
    else:
        assert world.harness.execute(propose(world, write("s1", "b.txt", "x"))) is Status.DONE
    sound(world)


@pytest.mark.sandbox
def test_a_rollback_outlives_the_plans_expiry(world: World) -> None:
    digest = propose(world, write("s1", "a.txt", "x"))
    world.harness.execute(digest)
    jump(world, 7 * DAY_MS)
    assert [one.state for one in world.harness.rollback(digest)] == ["undone"]
    assert not (world.files / "a.txt").exists()
    sound(world)
