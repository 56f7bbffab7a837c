"""What is asked outside, and looked up inside: attempts begin again, and end although ever new things are asked."""

from __future__ import annotations

from tests.support.judges import inquiry, one_step
from tests.support.judging import TASK
from tests.support.world import World

from interlock.artifact.analysis import Analysis, Content, Question
from interlock.artifact.opinion import Inquiry, Opinion
from interlock.artifact.task import Task
from interlock.harness.hearing import MAX_ROUNDS, Complete, Outside, heard


class Asked:
    """An analyst and a judge who count what they are asked."""

    def __init__(self) -> None:
        self.questions: list[Question] = []
        self.inquiries: list[Inquiry] = []

    def ask(self, task: str, question: Question) -> Analysis:
        del task
        self.questions.append(question)
        return Analysis(touched=())

    def opinion(self, task: Task, inquiry: Inquiry) -> Opinion | None:
        del task
        self.inquiries.append(inquiry)
        return Opinion(about="0" * 64, judge="1" * 64)


def question(line: str) -> Question:
    return Question(action="run", contents=(Content(argument="line", language="shell", value=line),), root="/")


def test_each_thing_is_asked_once_and_what_nobody_is_there_for_is_not_asked(world: World) -> None:
    both, attempts = Asked(), list[int]()

    def work(outside: Outside, complete: Complete) -> str:
        attempts.append(1)
        assert outside.reader is not None
        assert outside.judge is not None
        claims = [outside.reader.ask("t1", question("ls")) for _ in range(2)]
        complete()
        said = [outside.judge.opinion(TASK, inquiry()) for _ in range(2)]
        complete()
        assert all(claim.known for claim in claims)
        assert None not in said
        return "done"

    assert heard(world.harness.core.store, Outside(both, both), work) == "done"
    assert (len(attempts), len(both.questions), len(both.inquiries)) == (3, 1, 1)
    assert heard(world.harness.core.store, Outside(), lambda outside, _: outside) == Outside(None, None)


def test_what_changes_each_time_ends_as_late(world: World) -> None:
    both, attempts = Asked(), list[int]()

    def work(outside: Outside, complete: Complete) -> tuple[Analysis, Opinion | None]:
        attempts.append(1)
        assert outside.reader is not None
        assert outside.judge is not None
        claim = outside.reader.ask("t1", question(f"echo {len(attempts)}"))
        opinion = outside.judge.opinion(TASK, inquiry(one_step(id=f"s{len(attempts)}")))
        complete()
        return claim, opinion

    claim, opinion = heard(world.harness.core.store, Outside(both, both), work)
    assert [one.code for one in claim.opaque] == ["analyst.late"]
    assert opinion is None
    assert len(attempts) == MAX_ROUNDS + 1
