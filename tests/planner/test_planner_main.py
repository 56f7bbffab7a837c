"""The planner's process surface: one Begin in, exact messages out, and an end in every case."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from interlock.artifact import channel, codec, frames
from interlock.artifact.channel_pb2 import (
    Accepted,
    Actions,
    Begin,
    Completion,
    Judgement,
    PlannerCall,
    PlannerReturn,
    Refusal,
    Reply,
    Results,
)
from interlock.artifact.errors import ChannelError
from interlock.artifact.plan import Proposal
from interlock.planner.main import FAILED, FINISHED, run, serve
from interlock.planner.port import ChannelPort, RefusedError
from support.scripted_harness import GROUPS, LOADED, TASK, Scripted, begin, judged, plan, ran, refused


class Served:
    """``serve`` on one end of a socket pair, in a thread; the test speaks for the harness on the other."""

    def __init__(self) -> None:
        self.sock, self._theirs = socket.socketpair()
        self._code: Future[int] = Future()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with self._theirs:
            self._code.set_result(serve(self._theirs, {}))

    def heard(self, kind: str) -> PlannerCall:
        call = channel.receive(self.sock, PlannerCall)
        assert call is not None
        assert call.WhichOneof("body") == kind
        return call

    def code(self) -> int:
        self.sock.close()
        self._thread.join()
        return self._code.result()


@pytest.fixture
def served() -> Iterator[Served]:
    found = Served()
    yield found
    found.code()


def test_a_whole_plan_over_the_channel(served: Served) -> None:
    channel.send(served.sock, begin("model"))
    for answer in (GROUPS, LOADED):
        served.heard("load_actions")
        channel.send(served.sock, PlannerReturn(actions=answer))
    served.heard("complete")
    channel.send(served.sock, PlannerReturn(completion=Completion(text=plan())))
    proposal = codec.decode_canonical(served.heard("propose").propose.proposal, Proposal)
    assert proposal.task == codec.digest(TASK)
    channel.send(served.sock, PlannerReturn(judgement=Judgement(decision="ALLOW")))
    assert channel.receive(served.sock, PlannerCall) is None
    assert served.code() == FINISHED


@pytest.mark.parametrize("code", ["budget.completions", "task.frozen"])
def test_a_refusal_over_the_channel_is_acted_on(served: Served, code: str) -> None:
    channel.send(served.sock, begin("intent"))
    served.heard("load_actions")
    channel.send(served.sock, PlannerReturn(refusal=Refusal(code=code)))
    assert served.heard("answer").answer.text == f"No plan was made: {code}."
    channel.send(served.sock, PlannerReturn(accepted=Accepted()))
    assert served.code() == FINISHED


def test_an_end_before_anything_is_no_failure(served: Served) -> None:
    assert served.code() == FINISHED


@pytest.mark.parametrize(
    "raw",
    [
        Begin(strategy="model", task=b"{}").SerializeToString(),
        Begin(strategy="other", task=codec.encode(TASK)).SerializeToString(),
        b"\xff\xff",
        begin("model").SerializeToString() + b"\xf8\x07\x01",
    ],
    ids=["no task", "unknown strategy", "no protobuf", "unknown field"],
)
def test_a_begin_that_cannot_be_used_ends_the_process(served: Served, raw: bytes) -> None:
    frames.send(served.sock, raw)
    assert channel.receive(served.sock, PlannerCall) is None
    assert served.code() == FAILED


@pytest.mark.parametrize(
    "returned", [PlannerReturn(reply=Reply(text="x")), PlannerReturn(results=Results()), PlannerReturn()]
)
def test_a_return_of_another_call_ends_the_process(served: Served, returned: PlannerReturn) -> None:
    channel.send(served.sock, begin("file"))
    served.heard("load_actions")
    raw = returned.SerializeToString()
    if raw:
        frames.send(served.sock, raw)
        assert channel.receive(served.sock, PlannerCall) is None
    assert served.code() == FAILED


@pytest.mark.parametrize("call", ["complete", "observe", "ask", "propose", "answer"])
def test_each_call_raises_the_refusal_it_meets(call: str) -> None:
    arguments = {"complete": ([], b"", 1), "observe": ("a@1", b"{}")}.get(call, (b"x" if call == "propose" else "x",))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel.send(theirs, PlannerReturn(refusal=Refusal(code="gate.stop")))
        with pytest.raises(RefusedError, match=r"gate\.stop"):
            getattr(ChannelPort(ours), call)(*arguments)
        heard = channel.receive(theirs, PlannerCall)
        assert heard is not None
        assert heard.WhichOneof("body") == call


def test_calls_return_what_the_harness_answered() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel.send(theirs, PlannerReturn(results=Results(results=[ran()])))
        channel.send(theirs, PlannerReturn(reply=Reply(text="yes")))
        port = ChannelPort(ours)
        assert port.observe("a@1", b"{}").results[0].step == "s1"
        assert port.ask("sure?").text == "yes"


# ---- the strategy ``file`` ----------------------------------------------------------------------------

HANDED = b'{"goal": "read", "steps": [{"id": "s1", "action": "read_file@1"}]}'


def test_a_handed_plan_gets_the_digest_that_its_author_cannot_know() -> None:
    port = Scripted(propose=[judged("ALLOW")])
    run(port, begin("file", handed_plan=HANDED, parent="cd" * 32))
    proposal = codec.decode(port.of("propose")[0], Proposal)
    assert (proposal.task, proposal.parent) == (codec.digest(TASK), "cd" * 32)
    assert port.of("load_actions") == [[], ["files"]]
    assert port.of("answer") == []


@pytest.mark.parametrize(
    "handed",
    [b"no json", b"[]", b'{"a": 1.0}', b'{"task":"' + b"0" * 64 + b'"}'],
    ids=["text", "list", "float", "another task"],
)
def test_what_else_is_handed_in_goes_to_the_gate_as_it_is(handed: bytes) -> None:
    port = Scripted(propose=[judged("DENY", "codec.schema")])
    run(port, begin("file", handed_plan=handed))
    assert port.of("propose") == [handed]
    assert port.of("answer") == ["The gate's decision: DENY\n- codec.schema s1 path"]


def test_without_groups_a_handed_plan_goes_to_the_gate_all_the_same() -> None:
    port = Scripted(load_actions=[Actions()], propose=[judged("DENY", "plan.groups")])
    run(port, begin("file", handed_plan=HANDED))
    assert [kind for kind, _ in port.calls] == ["load_actions", "propose", "answer"]


def test_a_refused_file_is_said() -> None:
    port = Scripted(propose=[refused("plan.size")])
    run(port, begin("file", handed_plan=HANDED))
    assert port.of("answer") == ["The plan was refused: plan.size."]


# ---- the answer ---------------------------------------------------------------------------------------


def test_the_answer_is_written_by_the_model_from_labelled_results_and_stays_visible() -> None:
    port = Scripted(complete=["You need\u200b milk.\u202e"])
    run(port, begin("model", phase=Begin.ANSWER, results=[ran()]))
    assert port.of("complete") == [None]
    assert "buy milk" in port.prompts[0]
    assert port.of("answer") == ["You need milk."]


@pytest.mark.parametrize(
    ("strategy", "answers", "text"),
    [
        ("file", {}, "What ran:\ns1[0]: observed"),
        ("intent", {"complete": [refused("budget.x")]}, "What ran:\ns1[0]: observed\n(No model wrote this: budget.x.)"),
    ],
)
def test_without_a_model_the_answer_is_a_plain_account(strategy: str, answers: dict[str, object], text: str) -> None:
    port = Scripted(**answers)  # type: ignore[arg-type]
    run(port, begin(strategy, phase=Begin.ANSWER, results=[ran()]))
    assert port.of("answer") == [text]


def test_nothing_ran_is_said() -> None:
    port = Scripted()
    run(port, begin("file", phase=Begin.ANSWER))
    assert port.of("answer") == ["Nothing ran."]


def test_an_unknown_strategy_is_outside_the_protocol() -> None:
    with pytest.raises(ChannelError, match=r"channel\.state"):
        run(Scripted(), begin("clever"))
