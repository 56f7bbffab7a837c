"""A plan that a rule modifies: both plans on record, the second one gated, shown, run, undone and verified."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from tests.support.hostile import HostileSupervisor
from tests.support.replay import left_the_model
from tests.support.world import ALLOW_ALL, World, proposal, step, write

from interlock.artifact import channel, codec
from interlock.artifact.channel_pb2 import Begin, PlannerCall, PlannerReturn, Propose
from interlock.artifact.errors import StateError
from interlock.artifact.label import Integrity, Label
from interlock.artifact.plan import ProposedStep
from interlock.artifact.receipt import Receipt
from interlock.artifact.signing import verify
from interlock.artifact.verdict import Decision
from interlock.decide.life import Status
from interlock.harness import service
from interlock.harness.ledger.export import lines
from interlock.harness.session import Session
from interlock.verify import verify_bundle

pytestmark = pytest.mark.sandbox
ASIDE = "  - {modify: files.delete, with: set-aside, id: never-gone}\n"
Make = Callable[..., World]


def delete(name: str, path: str, **fields: object) -> ProposedStep:
    return step(name, "files.delete@1", arguments={"path": path}, **fields)


@pytest.fixture
def aside(make_world: Make) -> World:
    world = make_world(rules=ALLOW_ALL + ASIDE)
    (world.files / "a.txt").write_text("kept\n")
    return world


def test_a_deletion_becomes_a_move_that_runs_and_is_taken_back(aside: World) -> None:
    task = aside.task()
    decided = aside.harness.propose(task.id, proposal(task, delete("s1", "a.txt")))
    assert (decided.status, decided.verdict.decision) == (Status.APPROVED, Decision.ALLOW)
    [original] = decided.before
    assert (original.status, original.verdict.decision) == (Status.DENIED, Decision.MODIFY)
    assert original.verdict.modified == decided.digest
    plan = aside.harness.core.store.plan(decided.digest or "").plan
    assert (plan.parent, plan.revision, plan.steps[0].action) == (original.digest, 1, "files.move@1")
    assert plan.steps[0].arguments == {"source": "a.txt", "destination": "a.txt.deleted"}
    assert aside.harness.execute(decided.digest or "") is Status.DONE
    assert (aside.files / "a.txt.deleted").read_text() == "kept\n"
    assert [undone.state for undone in aside.harness.rollback(decided.digest or "")] == ["undone"]
    assert sorted(path.name for path in aside.files.iterdir() if path.suffix != ".toml") == ["a.txt", "policy"]


def test_both_receipts_stand_in_a_ledger_that_verifies_and_stays_in_the_model(aside: World) -> None:
    task, core = aside.task(), aside.harness.core
    decided = aside.harness.propose(task.id, proposal(task, delete("s1", "a.txt")))
    aside.harness.execute(decided.digest or "")
    said = {
        entry.subject: verify(core.ledger.payload(index), core.keys.keyring, "harness", "receipt", Receipt, at=entry.at)
        for index, entry in enumerate(core.ledger.entries())
        if entry.kind == "decision"
    }
    original = said[decided.before[0].digest or ""].predicate
    assert (original.verdict.decision, original.verdict.modified) == (Decision.MODIFY, decided.digest)
    assert said[decided.digest or ""].predicate.verdict.decision is Decision.ALLOW
    report = verify_bundle(lines(core.ledger, range(core.ledger.size)), [core.ledger.key], keyring=core.keys.keyring)
    assert report.disclosed == core.ledger.size
    assert left_the_model(core, crashes=False) == []


def test_the_original_never_runs_and_the_successor_is_asked_about(make_world: Make) -> None:
    world = make_world(rules=ALLOW_ALL + ASIDE + "  - {verify: files.move, id: ask}\n")
    (world.files / "a.txt").write_text("x")
    task = world.task()
    decided = world.harness.propose(task.id, proposal(task, delete("s1", "a.txt")))
    assert decided.status is Status.PENDING
    with pytest.raises(StateError, match=r"plan\.denied"):
        world.harness.execute(decided.before[0].digest or "")
    with pytest.raises(StateError, match=r"approval\.not_pending"):
        world.harness.approve(world.approval(decided.before[0].digest or ""))
    world.harness.preview(decided.digest or "")
    assert world.harness.approve(world.approval(decided.digest or "")) is Status.APPROVED
    assert world.harness.execute(decided.digest or "") is Status.DONE


def test_a_check_says_the_same_and_stores_nothing(aside: World) -> None:
    task = aside.task()
    found = aside.harness.check(task.id, proposal(task, delete("s1", "a.txt")))
    assert [one.verdict.decision for one in (*found.before, found)] == [Decision.MODIFY, Decision.ALLOW]
    assert found.digest is None
    assert aside.harness.core.store.plans() == []


def test_each_plan_is_counted_and_only_the_one_that_may_run_reserves(aside: World) -> None:
    task = aside.task()
    aside.harness.propose(task.id, proposal(task, delete("s1", "a.txt"), write("s2", "b.txt", "x")))
    spent = aside.harness.core.store.task(task.id).spent
    assert (spent.plans, spent.steps) == (2, 2)


def test_in_a_batch_every_plan_has_a_number_of_its_own_and_successors_come_last(aside: World) -> None:
    task = aside.task()
    raws = [proposal(task, step) for step in (delete("s1", "a.txt"), write("s1", "b.txt", "x"), delete("s1", "c.txt"))]
    decided = aside.harness.propose_all(task.id, raws)
    assert [found.status for found in decided] == [Status.APPROVED] * 3
    core = aside.harness.core
    assert [core.store.plan(found.digest or "").sequence for found in decided] == [4, 2, 5]
    assert [plan.sequence for plan in core.store.plans()] == [1, 2, 3, 4, 5]
    assert core.store.task(task.id).spent.plans == 5


def test_a_planner_learns_codes_and_field_names_and_goes_on_with_the_new_plan(
    aside: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, seen = aside.task(), list[PlannerReturn]()

    def play(sock: socket.socket) -> None:
        channel.receive(sock, Begin)
        call = PlannerCall(propose=Propose(proposal=proposal(task, delete("s1", "a.txt"))))
        seen.append(channel.call(sock, call, PlannerReturn))

    monkeypatch.setattr(service, "Session", Session)
    aside.harness.supervisor = HostileSupervisor(aside.harness.supervisor, "planner", play)  # type: ignore[assignment]
    [decided] = aside.harness.plan(task.id, "file").decided
    told = seen[0].judgement
    assert (told.decision, told.plan, told.state) == ("ALLOW", decided.digest, "approved")
    first = told.findings[0]
    assert (first.code, first.step, first.field) == ("policy.modified", "s1", "set-aside")


def test_a_deferred_plan_is_denied_where_a_rule_wants_it_changed_by_then(make_world: Make) -> None:
    world = make_world(extra="[limits]\nusesPerMinute = 1\n")
    (world.files / "a.txt").write_text("x")
    task, now = world.task(), [world.harness.core.clock()]
    world.harness.propose(task.id, proposal(task, write("s1", "b.txt", "x")))
    waiting = world.harness.propose(task.id, proposal(task, delete("s1", "a.txt")))
    assert waiting.status is Status.DEFERRED
    (world.files / "policy" / "more.yaml").write_text(f"rules:\n{ASIDE}")
    before = world.harness.core.store.task(task.id).spent.steps
    world.reopen().core.clock = lambda: now[0] + 61_000
    with pytest.raises(StateError, match=r"plan\.denied"):
        world.harness.execute(waiting.digest or "")
    row = world.harness.core.store.plan(waiting.digest or "")
    assert (row.status, row.verdict.reasons[0].code) == (Status.DENIED, "modify.late")
    assert world.harness.core.store.task(task.id).spent.steps == before - 1


def test_an_approved_plan_is_stopped_where_a_rule_wants_it_changed_since(make_world: Make) -> None:
    rules = ALLOW_ALL + "  - {verify: files.delete, id: ask}\n" + ASIDE.replace("id:", "tainted: true, id:")
    world = make_world(rules=rules)
    (world.files / "a.txt").write_text("x")
    task = world.task()
    digest = world.harness.propose(task.id, proposal(task, delete("s1", "a.txt"))).digest or ""
    world.harness.preview(digest)
    assert world.harness.approve(world.approval(digest)) is Status.APPROVED
    world.harness.core.store.receive(task.id, Label(integrity=Integrity.UNTRUSTED))
    with pytest.raises(StateError, match=r"policy\.modified"):
        world.harness.execute(digest)
    assert world.harness.core.store.plan(digest).stopped == "policy.modified"
    assert (world.files / "a.txt").exists()


def test_a_revision_that_is_modified_stands_on_the_steps_that_were_finished(make_world: Make) -> None:
    world = make_world()
    (world.files / "a.txt").write_text("facts\n")
    task = world.task()
    copied = {"$ref": "s1.output.text"}
    steps = (
        step("s1", "files.read@1", arguments={"path": "a.txt"}),
        delete("s2", "b.txt"),
        step("s3", "files.write@1", arguments={"path": "c.txt", "content": copied}),
    )
    halted = world.harness.propose(task.id, proposal(task, *steps)).digest or ""
    assert world.harness.execute(halted) is Status.HALTED
    (world.files / "b.txt").write_text("x")
    (world.files / "policy" / "more.yaml").write_text(f"rules:\n{ASIDE}")
    again = world.reopen().resume(halted, {"s2": "not"})
    assert [one.verdict.decision for one in again.before] == [Decision.MODIFY]
    plan = world.harness.core.store.plan(again.digest or "").plan
    assert (plan.finished, plan.revision) == (("s1",), 2)
    assert world.harness.execute(again.digest or "") is Status.DONE
    assert (world.files / "c.txt").read_text() == "facts\n"
    assert (world.files / "b.txt.deleted").exists()


def test_an_observation_is_not_modified_but_refused(make_world: Make) -> None:
    world = make_world(rules=ALLOW_ALL + "  - {modify: http.get, with: no-headers, id: plain}\n")
    arguments = {"url": "https://known.example/", "headers": {"accept": "text/html"}}
    with pytest.raises(StateError, match=r"policy\.modified"):
        world.harness.observe(world.task().id, "http.get@1", codec.parse(codec.encode(arguments)))  # type: ignore[arg-type]
