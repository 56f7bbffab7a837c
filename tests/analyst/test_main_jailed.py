"""The analyst as it really runs: confined, pre-forked, one process for each task, and without a forbidden call."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from interlock.analyst import main
from interlock.artifact import channel, codec
from interlock.artifact.analysis import Analysis, Content, Question
from interlock.artifact.channel_pb2 import AnalystCall, AnalystReturn
from interlock.artifact.codec import Json
from interlock.harness.analysing import Analyst
from interlock.harness.sandbox.profiles import Violation
from interlock.harness.supervisor import Child, Supervisor
from interlock.harness.watch import Incident

pytestmark = pytest.mark.sandbox
SECONDS = 20.0


@pytest.fixture(scope="module")
def supervisor() -> Iterator[Supervisor]:
    seen: list[Violation] = []
    with Supervisor(on_violation=seen.append) as found:
        yield found
    assert seen == []


@pytest.fixture
def child(supervisor: Supervisor) -> Iterator[Child]:
    found = supervisor.start("analyst")
    found.channel.settimeout(SECONDS)
    yield found
    found.close()


def question(language: str, value: Json) -> Question:
    content = Content(argument="a", language=language, value=value)  # type: ignore[arg-type]
    return Question(action="x", contents=(content,), root="/proj", home="/home/u")


def asked(child: Child, sent: Question) -> Analysis:
    returned = channel.call(child.channel, AnalystCall(question=codec.encode(sent)), AnalystReturn)
    return codec.decode_canonical(returned.analysis, Analysis)


def test_every_language_is_read_behind_the_lock(child: Child) -> None:
    """Tables and dialects were loaded before it: no file is opened for the first question of a language."""
    for content in main._REHEARSED:  # pyright: ignore[reportPrivateUsage]
        found = asked(child, question(content.language, content.value))
        assert "analyst.failed" not in {one.code for one in found.opaque}
    child.channel.shutdown(1)
    assert child.wait(SECONDS) == 0
    assert child.violations == ()


HOSTILE: dict[str, tuple[str, Json]] = {
    "deep brackets": ("sql", "SELECT " + "(" * 5000),
    "a deep expression": ("python", "x = " + "-" * 20000 + "1"),
    "a huge line": ("shell", "echo " + "a" * 200_000),
    "nested shells": ("shell", "sh -c '" * 40),
    "many words": ("shell", "a " * 60_000),
    "bytes that are no text": ("text", "\u0001\u0002\u0003" * 1000),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_answered_and_kills_nobody(child: Child, name: str) -> None:
    assert isinstance(asked(child, question(*HOSTILE[name])), Analysis)
    assert child.violations == ()


@pytest.mark.parametrize("raw", [b"", b"{}", b"null", b'{"action":"x","contents":[],"root":"/","unknown":1}'])
def test_what_is_no_question_ends_it(child: Child, raw: bytes) -> None:
    channel.send(child.channel, AnalystCall(question=raw)) if raw else channel.send(
        child.channel, AnalystCall(question=b"x")
    )
    assert channel.receive(child.channel, AnalystReturn) is None
    assert child.wait(SECONDS) == main.FAILED


def test_two_tasks_never_share_a_process(supervisor: Supervisor) -> None:
    incidents: list[Incident] = []
    started: list[Child] = []
    start = supervisor.start

    class Counting:
        def start(self, *arguments: object) -> Child:
            started.append(start(*arguments))  # type: ignore[arg-type]
            return started[-1]

    analyst = Analyst(Counting, incidents.append, seconds=SECONDS)  # type: ignore[arg-type,return-value]
    for task in ("one", "two", "one"):
        for line in ("ls", "cat a.txt"):
            assert analyst.ask(task, question("shell", line)).known
    assert len({one.pid for one in started}) == len(started) == 2
    analyst.end("one")
    analyst.ask("one", question("shell", "ls -l"))
    assert len(started) == 3
    analyst.shutdown()
    assert all(one.wait(SECONDS) == -9 for one in started)
    assert incidents == []
