"""Rules on trial and replayed rules: recorded or computed as the gate would decide, and never of any effect."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from tests.support.world import ALLOW_ALL, World, proposal, step, write

from interlock.artifact import codec
from interlock.artifact.codec import Json
from interlock.artifact.errors import ConfigurationError
from interlock.artifact.label import Integrity, Label
from interlock.artifact.verdict import Decision
from interlock.decide.life import Status
from interlock.decide.policy import compile_policies
from interlock.harness.core import Core
from interlock.harness.replaying import Replay, replay
from interlock.harness.shadow import OBSERVED, sightings

TRIALS = {
    "a denial": ("  - {deny: '*', id: trial}\n", Decision.DENY),
    "a question": ("  - {verify: files.*, approvals: 2, id: trial}\n", Decision.STEP_UP),
    "a form": ("  - {modify: files.delete, with: set-aside, id: trial}\n", Decision.MODIFY),
    "a permission": ("  - {allow: '*', id: trial}\n", Decision.ALLOW),
}


def tried(world: World, rules: str) -> None:
    (world.files / "policy" / "observe").mkdir()
    (world.files / "policy" / "observe" / "trial.yaml").write_text(f"rules:\n{rules}")
    world.harness.core.refresh()


@pytest.mark.parametrize("name", TRIALS)
def test_rules_on_trial_are_recorded_and_change_nothing(make_world: Callable[..., World], name: str) -> None:
    rules, decision = TRIALS[name]
    enforced = "rules: [{deny: shell.*, id: other}]\n" if decision is Decision.ALLOW else ALLOW_ALL
    world = make_world(rules=enforced)
    (world.files / "a.txt").write_text("x")
    asked = step("s1", "files.delete@1", arguments={"path": "a.txt"})
    before = world.harness.propose((task := world.task()).id, proposal(task, asked))
    tried(world, rules)
    after = world.harness.propose((task := world.task()).id, proposal(task, asked))
    assert msgspec.structs.replace(before.verdict) == after.verdict
    assert before.status == after.status
    [seen], erased = sightings(world.harness.core)
    assert (seen.plan, seen.observed.verdict.decision, erased) == (after.digest, decision, 0)
    assert seen.observed.flips
    row = world.harness.core.store.plan(after.digest or "")
    assert row.policy == world.harness.core.policy.digest


def test_observations_are_tried_too_and_run(world: World) -> None:
    (world.files / "a.txt").write_text("x")
    tried(world, "  - {deny: files.read, id: trial}\n")
    assert world.harness.observe(world.task().id, "files.read@1", {"path": "a.txt"}).value is not None
    [seen], _ = sightings(world.harness.core)
    assert (seen.observed.decision, seen.observed.verdict.decision) == (Decision.ALLOW, Decision.DENY)


def test_without_rules_on_trial_nothing_is_recorded_and_a_mistake_among_them_shouts(world: World) -> None:
    task = world.task()
    world.harness.propose(task.id, proposal(task, write("s1", "a", "x")))
    assert OBSERVED not in {entry.code for entry in world.harness.core.ledger.entries()}
    tried(world, "  - {deni: '*', id: trial}\n")
    with pytest.raises(ConfigurationError, match=r"observe/trial\.yaml"):
        world.harness.propose(task.id, proposal(task, write("s1", "a", "x")))


def test_what_was_erased_is_counted(world: World) -> None:
    tried(world, "  - {deny: '*', id: trial}\n")
    task, core = world.task(), world.harness.core
    world.harness.propose(task.id, proposal(task, write("s1", "a", "x")))
    core.ledger.erase(task.id, core.clock())
    assert sightings(core) == ([], 1)


def replayed(core: Core, rules: str, since: int = 0) -> Replay:
    policy = compile_policies({}, {"r.yaml": rules}, home=core.site.home, root=core.site.root)
    return replay(core, policy, since)


def test_the_rules_in_force_flip_nothing(make_world: Callable[..., World]) -> None:
    """Labels, budgets, rates and who was there count as they did then, whatever has happened to them since."""
    rules = ALLOW_ALL + "  - {verify: files.write, path: ./asked, id: v}\n  - {deny: files.write, path: ./no, id: d}\n"
    world = make_world(rules=rules, extra="[limits]\nusesPerMinute = 5\n[budget]\nplans = 8\n")
    task, core = world.task(), world.harness.core
    shape: Json = {"$eq": ["a", "a"]}
    for path in ("fine", "asked", "no", "/outside"):
        world.harness.propose(task.id, proposal(task, write("s1", path, "x")))
    core.store.receive(task.id, Label(integrity=Integrity.UNTRUSTED, sources=("page",)))
    for _ in range(5):
        world.harness.propose(task.id, proposal(task, write("s1", "fine", "x", when=shape)))
    found = replayed(core, rules)
    assert {one.old.decision for one in found.plans} >= {
        Decision.ALLOW, Decision.STEP_UP, Decision.DEFER, Decision.DENY,
    }  # fmt: skip
    assert [(one.plan, one.new) for one in found.plans if one.flips or one.differs] == []
    assert found.spoke >= {"v", "d"}


def test_other_rules_flip_what_they_would_decide_otherwise(world: World) -> None:
    task, core = world.task(), world.harness.core
    plans = [
        world.harness.propose(task.id, proposal(task, write("s1", name, "x"))).digest for name in ("a", "b", "/out")
    ]
    found = replayed(core, "rules:\n  - {allow: '*', id: all}\n  - {deny: files.write, path: ./b, id: new}\n")
    flips = [(one.plan, one.old.decision, one.new.decision, one.differs) for one in found.plans if one.flips]
    assert flips == [(plans[1], Decision.ALLOW, Decision.DENY, ())]
    assert found.spoke == {"all", "new"}
    assert replayed(core, ALLOW_ALL, core.clock() + 1).plans == []


def test_what_cannot_be_replayed_is_left_out_with_its_reason(make_world: Callable[..., World]) -> None:
    rules = ALLOW_ALL + "  - {modify: files.write, with: no-such, id: m}\n"
    world = make_world(rules=rules)
    task, core = world.task(), world.harness.core
    first = world.harness.propose(task.id, proposal(task, write("s1", "a", "x"))).digest
    assert list(replayed(core, ALLOW_ALL).left_out.items()) == [(first, "modified")]
    core.__dict__["digests"] = {**core.digests, "files.write@1": "0" * 64}
    assert list(replayed(core, ALLOW_ALL).left_out.values()) == ["manifests"]


def test_facts_that_are_no_more_are_named(world: World) -> None:
    task, core = world.task(), world.harness.core
    digest = world.harness.propose(task.id, proposal(task, write("s1", "a", "x"))).digest or ""
    with core.store.transaction() as db:
        db.execute("DELETE FROM context")
    [one] = replayed(core, ALLOW_ALL).plans
    assert (one.plan, one.differs) == (digest, ("context",))


def test_a_replay_stores_nothing(world: World) -> None:
    task, core = world.task(), world.harness.core
    world.harness.propose(task.id, proposal(task, write("s1", "a", "x")))
    before = (core.ledger.size, codec.encode([row.status for row in core.store.plans()]), core.store.task(task.id))
    replayed(core, "rules: [{deny: '*', id: d}]\n")
    after = (core.ledger.size, codec.encode([row.status for row in core.store.plans()]), core.store.task(task.id))
    assert before == after
    assert core.store.plans()[0].status is Status.APPROVED
