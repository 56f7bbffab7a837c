"""Attacks through resuming: nothing that is not idempotent happens twice unless a person says that it has not yet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.notes import make_package, note, noted
from tests.support.world import World, proposal, step, write

from interlock.artifact.errors import SandboxError, StateError
from interlock.artifact.plan import ProposedStep
from interlock.decide.life import Event, Status
from interlock.harness.rows import PlanRow
from interlock.harness.running import Progress, Run
from interlock.harness.stepping import Order, Stepper

pytestmark = pytest.mark.sandbox


class _Crash(BaseException):
    """The harness dies here."""


@pytest.fixture
def notes(make_world: Callable[..., World], tmp_path: Path) -> World:
    return make_world(extra=make_package(tmp_path))


def propose(world: World, *steps: ProposedStep) -> str:
    task = world.task()
    decided = world.harness.propose(task.id, proposal(task, *steps))
    assert decided.digest is not None, decided.verdict
    return decided.digest


def states(world: World, digest: str) -> list[str]:
    return [claim.state for claim in world.harness.core.store.claims(digest)]


def finished(world: World, digest: str | None) -> tuple[str, ...]:
    assert digest is not None
    return world.harness.core.store.plan(digest).plan.finished


def asks(world: World, digest: str) -> None:
    with pytest.raises(StateError, match=r"resume\.unknown"):
        world.harness.resume(digest, {})


@pytest.mark.parametrize("action", ["note.vanish@1", "note.lie@1"])
def test_what_a_step_says_of_its_own_effect_binds_nobody(notes: World, action: str) -> None:
    digest = propose(notes, note(notes, "s1", "a", action))
    assert notes.harness.execute(digest) is Status.HALTED
    assert states(notes, digest) == ["unknown"]
    asks(notes, digest)
    assert finished(notes, notes.harness.resume(digest, {"s1": "happened"}).digest) == ("s1",)


def test_an_outcome_that_was_not_expected_has_still_happened(notes: World) -> None:
    expect = {"$eq": [{"$ref": "output.text"}, "something else"]}
    digest = propose(notes, note(notes, "s1", "a", expect=expect))
    assert notes.harness.execute(digest) is Status.HALTED
    assert states(notes, digest) == ["unknown"]
    asks(notes, digest)


def test_a_step_that_could_not_be_started_needs_no_persons_word(notes: World, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = propose(notes, note(notes, "s1", "a"))
    original = notes.harness.supervisor.start

    def start(role: str, *args: object) -> object:
        if role == "step":
            raise SandboxError("sandbox.timeout", "no process")
        return original(role, *args)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(notes.harness.supervisor, "start", start)
        assert notes.harness.execute(digest) is Status.HALTED
    assert states(notes, digest) == ["failed"]
    revised = notes.harness.resume(digest, {})
    assert notes.harness.execute(revised.digest or "") is Status.DONE
    assert noted(notes) == ["a"]


@pytest.mark.parametrize("event", ["halt", "revoke"])
def test_a_crash_after_a_halt_leaves_the_started_step_unknown(
    notes: World, monkeypatch: pytest.MonkeyPatch, event: str
) -> None:
    digest = propose(notes, note(notes, "s1", "a"))

    def crash(self: Stepper, order: Order) -> None:
        raise _Crash

    def stop(progress: Progress) -> None:
        if progress.state == "started":
            getattr(notes.harness, event)(digest, "enough")

    with monkeypatch.context() as patched:
        patched.setattr(Stepper, "run", crash)
        with pytest.raises(_Crash):
            notes.harness.execute(digest, stop)
    if event == "halt":
        asks(notes, digest)  # Also before anybody has recovered anything.
    notes.reopen()
    assert states(notes, digest) == ["unknown"]


def test_a_plan_whose_step_still_runs_is_not_resumed(notes: World) -> None:
    digest = propose(notes, note(notes, "s1", "a"))
    refused: list[str] = []

    def resume(progress: Progress) -> None:
        if progress.state == "started":
            notes.harness.halt(digest, "enough")
            with pytest.raises(StateError) as caught:
                notes.harness.resume(digest, {"s1": "not"})
            refused.append(caught.value.code)

    notes.harness.execute(digest, resume)
    assert refused == ["run.elsewhere"]


def loop(world: World, *items: str, action: str = "note.add@1") -> ProposedStep:
    return note(world, "s1", {"$ref": "item"}, action, for_each={"items": list(items), "atMost": len(items)})


HALTED = {
    "nobody says anything": ({}, ("s1/1",), ["a", "c", "d", "end"]),
    "that it has not happened": ({"s1": "not"}, ("s1/1",), ["a", "c", "d", "end"]),
    "that all of it has happened": ({"s1": "happened"}, ("s1",), ["a", "end"]),
}


@pytest.mark.parametrize("name", HALTED)
def test_a_loop_that_was_halted_in_between_goes_on_where_it_was(notes: World, name: str) -> None:
    said, facts, expected = HALTED[name]
    digest = propose(notes, loop(notes, "a", "c", "d"), note(notes, "s2", "end"))

    def halt(progress: Progress) -> None:
        if progress.state == "done":
            notes.harness.halt(digest, "enough")

    assert notes.harness.execute(digest, halt) is Status.HALTED
    assert noted(notes) == ["a"]
    revised = notes.harness.resume(digest, said)
    assert finished(notes, revised.digest) == facts
    assert notes.harness.execute(revised.digest or "") is Status.DONE
    assert noted(notes) == expected


def last(world: World, items: int) -> ProposedStep:
    """A step that runs where the loop has put out so many items."""
    return note(world, "s2", "end", when={"$eq": [{"$count": {"$ref": "s1.output"}}, items]})


def test_each_iteration_happens_once_over_several_revisions(notes: World) -> None:
    digest = propose(notes, loop(notes, "a", "b", "d", action="note.fail@1"), last(notes, 3))
    assert notes.harness.execute(digest) is Status.HALTED
    for word in ({}, {"s1/0": "happened"}, {"s1/2": "not"}):
        with pytest.raises(StateError, match=r"resume\.unknown") as caught:
            notes.harness.resume(digest, word)
        assert "s1/1" in str(caught.value)
    again = notes.harness.resume(digest, {"s1/1": "not"}).digest or ""
    assert finished(notes, again) == ("s1/1",)
    assert notes.harness.execute(again) is Status.HALTED
    assert noted(notes) == ["a", "b", "b"]
    once_more = notes.harness.resume(again, {"s1/1": "happened"}).digest or ""
    assert finished(notes, once_more) == ("s1/2",)
    assert notes.harness.execute(once_more) is Status.DONE
    assert noted(notes) == ["a", "b", "b", "d", "end"]
    starts = [entry.subject for entry in notes.harness.core.ledger.entries() if entry.kind == "intention"]
    assert starts == [f"{digest}/s1/0", f"{digest}/s1/1", f"{again}/s1/1", f"{once_more}/s1/2", f"{once_more}/s2/0"]


@pytest.mark.parametrize(("at_most", "facts"), [(2, ("s1",)), (3, ("s1/2",))])
def test_a_loop_whose_last_iteration_happened_after_all_is_through(
    notes: World, at_most: int, facts: tuple[str, ...]
) -> None:
    loops = {"items": ["a", "b"], "atMost": at_most}
    looped = note(notes, "s1", {"$ref": "item"}, "note.fail@1", for_each=loops)
    missing = step("s3", "files.read@1", arguments={"path": "missing.txt"})
    digest = propose(notes, looped, last(notes, 2), missing)
    assert notes.harness.execute(digest) is Status.HALTED
    revised = notes.harness.resume(digest, {"s1/1": "happened"}).digest or ""
    assert finished(notes, revised) == facts
    assert notes.harness.execute(revised) is Status.HALTED
    assert noted(notes) == ["a", "b", "end"]
    assert finished(notes, notes.harness.resume(revised, {}).digest) == ("s1", "s2")


def test_an_executor_that_asks_for_a_finished_iteration_deviates(notes: World, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = propose(notes, loop(notes, "a", "b", "d", action="note.fail@1"))
    assert notes.harness.execute(digest) is Status.HALTED
    revised = notes.harness.resume(digest, {"s1/1": "happened"}).digest or ""
    original = Run.next
    monkeypatch.setattr(Run, "next", lambda self, step, iteration: original(self, step, iteration - 1))
    assert notes.harness.execute(revised) is Status.HALTED
    assert notes.harness.core.store.plan(revised).stopped == "unfolding.not_next"
    assert noted(notes) == ["a", "b"]


def test_a_loop_that_failed_in_between_is_not_run_again_unasked(notes: World) -> None:
    digest = propose(notes, loop(notes, "a", "b", action="note.fail@1"))
    assert notes.harness.execute(digest) is Status.HALTED
    assert states(notes, digest) == ["done", "unknown"]
    asks(notes, digest)


def test_a_loop_of_reads_is_simply_run_again(world: World) -> None:
    for name in ("a", "c"):
        (world.files / name).write_text(name)
    reading = {"path": {"$ref": "item"}}
    digest = propose(
        world, step("s1", "files.read@1", arguments=reading, for_each={"items": ["a", "b", "c"], "atMost": 3})
    )
    assert world.harness.execute(digest) is Status.HALTED
    (world.files / "b").write_text("here now")
    revised = world.harness.resume(digest, {})
    assert finished(world, revised.digest) == ()
    assert world.harness.execute(revised.digest or "") is Status.DONE


def test_a_complete_loop_is_finished(notes: World) -> None:
    digest = propose(notes, loop(notes, "a", "c"), step("s2", "files.read@1", arguments={"path": "missing.txt"}))
    assert notes.harness.execute(digest) is Status.HALTED
    assert finished(notes, notes.harness.resume(digest, {}).digest) == ("s1",)


def test_a_skipped_step_is_asked_again_and_its_dependents_stay_out(world: World) -> None:
    never = {"$eq": [{"$count": {"$ref": "s1.output.entries"}}, 99]}
    digest = propose(
        world,
        step("s1", "files.list@1", arguments={"path": "."}),
        write("s2", "guard.txt", "x", when=never),
        step("s3", "files.read@1", arguments={"path": "missing.txt"}),
        write("s4", "never.txt", "x", needs=("s2",)),
    )
    assert world.harness.execute(digest) is Status.HALTED
    (world.files / "missing.txt").write_text("here now")
    revised = world.harness.resume(digest, {})
    assert finished(world, revised.digest) == ("s1",)
    assert world.harness.execute(revised.digest or "") is Status.DONE
    assert states(world, revised.digest or "") == ["skipped", "done", "skipped"]
    assert not (world.files / "never.txt").exists()


def halted(world: World) -> str:
    digest = propose(
        world, step("s1", "files.read@1", arguments={"path": "missing.txt"}), step("s2", "files.mkdir@1",
        arguments={"path": "once"}), step("s3", "files.read@1", arguments={"path": "later.txt"}),
    )  # fmt: skip
    assert world.harness.execute(digest) is Status.HALTED
    return digest


def test_a_plan_has_one_live_revision(world: World) -> None:
    digest = halted(world)
    first = world.harness.resume(digest, {})
    with pytest.raises(StateError, match=r"resume\.revision_exists"):
        world.harness.resume(digest, {})
    world.harness.revoke(first.digest or "", "another way")
    assert world.harness.resume(digest, {}).status is Status.APPROVED


def test_what_a_revision_did_is_not_done_again_from_its_parent(world: World) -> None:
    digest = halted(world)
    (world.files / "missing.txt").write_text("here now")
    first = world.harness.resume(digest, {}).digest or ""
    assert world.harness.execute(first) is Status.HALTED
    assert (world.files / "once").is_dir()
    world.harness.revoke(first, "and yet it has run")
    with pytest.raises(StateError, match=r"resume\.revision_exists"):
        world.harness.resume(digest, {})


def test_halting_everything_passes_over_what_has_ended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    store = world.harness.core.store
    digests = [propose(world, write("s1", f"{name}.txt", "x")) for name in "ab"]
    for digest in digests:
        store.advance(digest, Event.SEAL)
        store.advance(digest, Event.START)
    listed = store.plans(status=Status.RUNNING)

    def stale(**_: object) -> list[PlanRow]:
        store.advance(digests[0], Event.FINISH)
        return listed

    monkeypatch.setattr(store, "plans", stale)
    assert world.harness.halt(None, "everything") == [digests[1]]
    assert [store.plan(digest).status for digest in digests] == [Status.DONE, Status.HALTED]
