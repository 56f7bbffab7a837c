"""The executor core and its machine: the plan's order, nothing else, and an end for everything unexpected."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.artifact import channel, codec, signing
from interlock.artifact.channel_pb2 import Accepted, ExecutorCall, ExecutorReturn, StartExecution, StepOutcome
from interlock.artifact.errors import ChannelError
from interlock.artifact.plan import Plan
from interlock.executor import core_main
from interlock.executor.machine import Ask, End, Machine, Outcome
from support.step_world import KEYRING, NOW, OTHER, plan_of
from support.step_world import THREE_STEPS as PLAN
from support.step_world import core_start as start
from support.step_world import looping as step


def walk(plan: Plan, answers: Iterable[Outcome]) -> list[object]:
    machine = Machine(plan)
    found: list[object] = [machine.begin()]
    found += [machine.on(answer) for answer in answers]
    return found


def done(iterations: int = 1) -> Outcome:
    return Outcome(status="done", iterations=iterations)


def skipped(iterations: int = 0) -> Outcome:
    return Outcome(status="skipped", iterations=iterations)


def asks(*pairs: tuple[str, int]) -> list[object]:
    return [Ask(step=name, iteration=iteration) for name, iteration in pairs]


def test_every_step_and_iteration_comes_once_in_order() -> None:
    found = walk(PLAN, [done(), done(3), done(3), done(3), done()])
    assert found == [*asks(("s1", 0), ("s2", 0), ("s2", 1), ("s2", 2), ("s3", 0)), End(complete=True)]


def test_a_skipped_step_is_passed_over_and_a_skipped_iteration_alone() -> None:
    assert walk(PLAN, [skipped(), skipped(), done()]) == [*asks(("s1", 0), ("s2", 0), ("s3", 0)), End(complete=True)]
    assert walk(PLAN, [done(), skipped(2), done(2)]) == asks(("s1", 0), ("s2", 0), ("s2", 1), ("s3", 0))


def test_finished_steps_of_an_earlier_revision_are_facts() -> None:
    plan = plan_of(step("s1"), step("s2"), finished=("s1",))
    assert walk(plan, [done()]) == [Ask(step="s2", iteration=0), End(complete=True)]


def test_finished_iterations_of_an_earlier_revision_are_facts() -> None:
    plan = plan_of(step("s1"), step("s2", 3), step("s3"), finished=("s1", "s2/1"))
    assert walk(plan, [done(3), done(3), done()]) == [*asks(("s2", 1), ("s2", 2), ("s3", 0)), End(complete=True)]
    assert walk(plan, [skipped(), done()]) == [*asks(("s2", 1), ("s3", 0)), End(complete=True)]
    for wrong in (0, 1, 4):
        assert walk(plan, [done(wrong)])[-1] == End(complete=False, code="executor.iterations")


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ([Outcome(status="stop", iterations=0)], "executor.stopped"),
        ([done(2)], "executor.iterations"),
        ([done(0)], "executor.iterations"),
        ([done(), done(4)], "executor.iterations"),
        ([done(), done(3), done(2)], "executor.iterations"),
        ([done(), done(2), skipped(0)], "executor.iterations"),
    ],
)
def test_what_is_unexpected_ends_the_walk_for_good(answers: list[Outcome], code: str) -> None:
    found = walk(PLAN, [*answers, done(), done()])
    assert found[len(answers) :] == [End(complete=False, code=code)] * 3


def test_an_outcome_before_the_beginning_and_a_second_beginning_end_it() -> None:
    assert Machine(PLAN).on(done()) == End(complete=False, code="executor.unasked")
    machine = Machine(PLAN)
    machine.begin()
    assert machine.begin() == End(complete=False, code="executor.begun")


OUTCOMES = st.builds(Outcome, status=st.sampled_from(["done", "skipped", "stop"]), iterations=st.integers(-1, 5))


@given(st.lists(OUTCOMES, max_size=12))
def test_i3_whatever_is_answered_what_is_asked_is_in_order_and_within_bounds(answers: list[Outcome]) -> None:
    asked = [command for command in walk(PLAN, answers) if isinstance(command, Ask)]
    order = [("s1", 0), *(("s2", number) for number in range(3)), ("s3", 0)]
    places = [order.index((ask.step, ask.iteration)) for ask in asked]
    assert places == sorted(set(places))


def drive(
    message: StartExecution, answer: Callable[[str, int], ExecutorReturn]
) -> tuple[list[tuple[str, int]], bool, str]:
    """Serve the core in another thread; what it asked for, and how it finished."""
    ours, theirs = socket.socketpair()
    asked: list[tuple[str, int]] = []
    with ours, theirs:
        ours.settimeout(20)
        thread = threading.Thread(target=core_main.serve, args=(theirs, {}))
        channel.send(ours, message)
        thread.start()
        while True:
            call = channel.receive(ours, ExecutorCall)
            assert call is not None
            if call.WhichOneof("body") == "finish":
                channel.send(ours, ExecutorReturn(accepted=Accepted()))
                thread.join()
                return asked, call.finish.complete, call.finish.code
            asked.append((call.next.step, call.next.iteration))
            channel.send(ours, answer(*asked[-1]))


def honest(name: str, _: int) -> ExecutorReturn:
    return ExecutorReturn(outcome=StepOutcome(status=StepOutcome.DONE, iterations=2 if name == "s2" else 1))


def test_the_core_walks_a_sealed_plan_to_its_end() -> None:
    assert drive(start(), honest) == ([("s1", 0), ("s2", 0), ("s2", 1), ("s3", 0)], True, "")


def test_the_core_hands_control_back_when_told_to_stop() -> None:
    stop = ExecutorReturn(outcome=StepOutcome(status=StepOutcome.STOP))
    assert drive(start(), lambda *_: stop) == ([("s1", 0)], False, "executor.stopped")


def test_the_core_takes_no_other_answer() -> None:
    assert drive(start(), lambda *_: ExecutorReturn(accepted=Accepted())) == ([("s1", 0)], False, "executor.answer")


OTHER_PLAN = plan_of(step("s1"), goal="another")
REFUSED: dict[str, tuple[StartExecution, str]] = {
    "no trusted key": (start(keyring=b'{"keys":[]}'), "signature.untrusted"),
    "a plan that another key signed": (
        StartExecution(
            plan=signing.sign(OTHER, "plan", codec.digest(PLAN), PLAN), keyring=codec.encode(KEYRING), now=NOW
        ),
        "signature.untrusted",
    ),
    "an expired plan": (start(now=PLAN.expires_at), "plan.expired"),
    "an expired grant": (start(now=NOW + 1000), "grant.expired"),
    "another plan's grant": (start(grant=start(OTHER_PLAN).grant), "grant.plan"),
    "no grant": (start(grant=b""), "grant.untrusted"),
    "nothing": (StartExecution(now=NOW), "codec.syntax"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_sealed_and_granted_is_not_begun(name: str) -> None:
    message, code = REFUSED[name]
    assert drive(message, honest) == ([], False, code)


def test_a_core_with_directories_is_no_core() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(ChannelError):
        core_main.serve(theirs, {"/": 0})
