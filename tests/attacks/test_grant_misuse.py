"""Artifacts that do not belong together, handed to a real step: it refuses by itself, and that is an incident (I11)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import msgspec
import pytest
from tests.support.world import World, proposal, write

from interlock.artifact import codec
from interlock.artifact.grant import GrantClaims, GrantedStep, mint
from interlock.harness.minting import Sealed, known_resources, seal
from interlock.harness.rows import PlanRow
from interlock.harness.stepping import Order

pytestmark = pytest.mark.sandbox


def sealed(world: World, path: str) -> tuple[PlanRow, Sealed]:
    task = world.task("two plans")
    decided = world.harness.propose(task.id, proposal(task, write("s1", path, "x")))
    row = world.harness.core.store.plan(decided.digest or "")
    return row, seal(world.harness.core, row.plan, row.task)


def order(world: World, row: PlanRow, mine: Sealed) -> Order:
    core, step = world.harness.core, row.plan.steps[0]
    return Order(
        task=row.task, plan=row.digest, envelope=mine.envelope, grant=mine.grant, step="s1",
        manifest=core.catalogue[step.action], touched=known_resources(core, step), arguments=step.arguments,
    )  # fmt: skip


def other_grant(world: World, honest: Order) -> Order:
    return dataclasses.replace(honest, grant=sealed(world, "b.txt")[1].grant)


def other_plan(world: World, honest: Order) -> Order:
    return dataclasses.replace(honest, envelope=sealed(world, "b.txt")[1].envelope)


def other_manifest(world: World, honest: Order) -> Order:
    return dataclasses.replace(honest, manifest=msgspec.structs.replace(honest.manifest, cost=1))


def other_argument(world: World, honest: Order) -> Order:
    return dataclasses.replace(honest, arguments={**honest.arguments, "content": "y"})


def attackers_grant(world: World, honest: Order) -> Order:
    step = GrantedStep(
        step="s1",
        iterations=1,
        action="files.write@1",
        manifest=codec.digest(honest.manifest),
        resources=honest.touched,
    )
    claims = GrantClaims(plan=honest.plan, task=honest.task, steps=(step,), not_before=0, expires_at=1 << 50)
    return dataclasses.replace(honest, grant=mint(bytes(range(32)), claims))


MISUSE: dict[str, tuple[Callable[[World, Order], Order], str]] = {
    "another plan's grant": (other_grant, "grant."),
    "another plan in this place": (other_plan, "step.literal"),
    "another manifest": (other_manifest, "step.manifest"),
    "another literal": (other_argument, "step.literal"),
}


@pytest.mark.parametrize("name", MISUSE)
def test_it_is_refused_by_the_step_and_reported(world: World, name: str) -> None:
    attack, code = MISUSE[name]
    row, mine = sealed(world, "a.txt")
    result = world.harness.stepper.run(attack(world, order(world, row, mine)))
    assert (result.ok, result.effect_possible) == (False, False)
    assert result.code.startswith(code)
    assert not (world.files / "a.txt").exists()
    assert result.code in {one.code for one in world.harness.core.store.incidents(still_open=True)}
    assert world.harness.core.store.task(row.task).frozen


def test_a_grant_under_the_attackers_key_is_refused_before_a_step_starts(world: World) -> None:
    row, mine = sealed(world, "a.txt")
    result = world.harness.stepper.run(attackers_grant(world, order(world, row, mine)))
    assert not result.ok
    assert result.code.startswith("grant.")
    assert not (world.files / "a.txt").exists()


def test_the_honest_order_runs(world: World) -> None:
    row, mine = sealed(world, "a.txt")
    assert world.harness.stepper.run(order(world, row, mine)).ok
    assert (world.files / "a.txt").read_text() == "x"
