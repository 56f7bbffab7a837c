"""Bytes on a channel that are not exactly one admitted message, by name → code.

Each of them, coming from a planner, an executor or a step, is a separation violation for the harness (I11).
"""

from __future__ import annotations

import socket

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from interlock.artifact import channel, channel_pb2, frames
from interlock.artifact.channel_pb2 import (
    Answer,
    Ask,
    Begin,
    Complete,
    ExecutorCall,
    Finish,
    LoadActions,
    Next,
    PlannerCall,
    PlannerReturn,
    Propose,
    ProxyCall,
    ProxyOpen,
    Ran,
    Refusal,
    StepCall,
    WantBlob,
)
from interlock.artifact.channel_pb2 import Message as Said
from interlock.artifact.errors import ChannelError

ASK = PlannerCall(ask=Ask(question="x")).SerializeToString()
PROPOSE = PlannerCall(propose=Propose(proposal=b"{}")).SerializeToString()
UNKNOWN, SPELLING, MALFORMED, BODY = "channel.unknown", "channel.spelling", "channel.malformed", "channel.body"


def field(number: int, body: bytes) -> bytes:
    """A length-delimited field of less than 128 bytes."""
    return bytes([number << 3 | 2, len(body)]) + body


TABLE: dict[str, tuple[bytes, type[Message], str]] = {
    "nothing": (b"", PlannerCall, BODY),
    "nothing to an executor's harness": (b"", ExecutorCall, BODY),
    "nothing from a step": (b"", StepCall, BODY),
    "an unknown field": (ASK + b"\xf8\x07\x01", PlannerCall, UNKNOWN),
    "an unknown field of a body": (field(4, field(1, b"x") + b"\x78\x01"), PlannerCall, UNKNOWN),
    "an unknown field three levels down": (field(1, field(1, field(2, b"x") + b"\x78\x01")), PlannerCall, UNKNOWN),
    "only an unknown field": (field(15, b"x"), PlannerCall, UNKNOWN),
    "an unknown enum value": (field(1, field(1, b"\x08\x63")), PlannerCall, UNKNOWN),
    "a negative enum value": (field(1, field(1, b"\x08" + b"\xff" * 9 + b"\x01")), PlannerCall, UNKNOWN),
    "an unknown phase": (b"\x08\x02", Begin, UNKNOWN),
    "an unknown step mode": (b"\x08\x04", channel_pb2.RunStep, UNKNOWN),
    "a field of another wire type": (field(4, b"\x08\x01"), PlannerCall, UNKNOWN),
    "two bodies": (ASK + PROPOSE, PlannerCall, SPELLING),
    "one body twice": (ASK + ASK, PlannerCall, SPELLING),
    "a field twice": (field(4, field(1, b"a") + field(1, b"b")), PlannerCall, SPELLING),
    "an explicit default": (field(4, field(1, b"")), PlannerCall, SPELLING),
    "fields out of order": (field(3, field(2, b"{}") + field(1, b"a")), PlannerCall, SPELLING),
    "an over-long length": (b"\x22\x83\x00" + field(1, b"x"), PlannerCall, SPELLING),
    "an over-long tag": (b"\xa2\x00\x03" + field(1, b"x"), PlannerCall, SPELLING),
    "an over-long integer": (field(1, b"\x18\x81\x00"), PlannerCall, SPELLING),
    "an integer beyond its type": (field(1, b"\x18" + b"\xff" * 9 + b"\x01"), PlannerCall, SPELLING),
    "a cut message": (ASK[:-1], PlannerCall, MALFORMED),
    "a body cut inside": (field(4, b"\x0a\x05x"), PlannerCall, MALFORMED),
    "text that is not UTF-8": (field(4, field(1, b"\xff")), PlannerCall, MALFORMED),
    "text with a surrogate": (field(4, field(1, b"\xed\xa0\x80")), PlannerCall, MALFORMED),
    "field number zero": (b"\x02\x00", PlannerCall, MALFORMED),
    "an unclosed group": (b"\x23", PlannerCall, MALFORMED),
    "a group": (b"\x7b\x7c", PlannerCall, UNKNOWN),
    "JSON": (b'{"ask":{"question":"x"}}', PlannerCall, MALFORMED),
    "HTTP": (b"GET / HTTP/1.1\r\n\r\n", PlannerCall, MALFORMED),
    # Another service's messages: an executor that proposes, completes or answers, and so on around.
    "Propose from an executor": (PROPOSE, ExecutorCall, UNKNOWN),
    "Ask from an executor": (ASK, ExecutorCall, UNKNOWN),
    "Answer from an executor": (PlannerCall(answer=Answer(text="x")).SerializeToString(), ExecutorCall, UNKNOWN),
    "Complete from an executor": (
        PlannerCall(complete=Complete(messages=[Said(text="x")], max_tokens=9)).SerializeToString(),
        ExecutorCall,
        UNKNOWN,
    ),
    "Propose from a step": (PROPOSE, StepCall, UNKNOWN),
    "Ask from a step": (ASK, StepCall, UNKNOWN),
    "LoadActions from an executor": (
        PlannerCall(load_actions=LoadActions(groups=["x"])).SerializeToString(),
        ExecutorCall,
        UNKNOWN,
    ),
    "Next from a planner": (
        ExecutorCall(next=Next(step="s1", iteration=1)).SerializeToString(),
        PlannerCall,
        MALFORMED,
    ),
    "Finish from a planner": (ExecutorCall(finish=Finish(complete=True)).SerializeToString(), PlannerCall, UNKNOWN),
    "a step's result from a planner": (StepCall(ran=Ran(ok=True)).SerializeToString(), PlannerCall, UNKNOWN),
    "a step's result from an executor": (StepCall(ran=Ran(ok=True)).SerializeToString(), ExecutorCall, UNKNOWN),
    "WantBlob from an executor": (
        StepCall(want_blob=WantBlob(digest="0" * 64)).SerializeToString(),
        ExecutorCall,
        UNKNOWN,
    ),
    "opening a proxy from a planner": (
        ProxyCall(open=ProxyOpen(lease="l", max_bytes=9)).SerializeToString(),
        PlannerCall,
        MALFORMED,
    ),
    "a return in place of a call": (
        PlannerReturn(refusal=Refusal(code="gate.stop", message="x")).SerializeToString(),
        PlannerCall,
        UNKNOWN,
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_refused(name: str) -> None:
    raw, kind, code = TABLE[name]
    with pytest.raises(ChannelError) as caught:
        channel.read(raw, kind)
    assert caught.value.code == code


@pytest.mark.parametrize("name", [name for name in TABLE if TABLE[name][0]])
def test_refused_on_a_socket(name: str) -> None:
    raw, kind, code = TABLE[name]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        frames.send(theirs, raw)
        with pytest.raises(ChannelError) as caught:
            channel.receive(ours, kind)
    assert caught.value.code == code


@given(st.binary(max_size=40), st.sampled_from([PlannerCall, ExecutorCall, StepCall, Begin, ProxyCall]))
def test_what_is_read_has_no_other_spelling(raw: bytes, kind: type[Message]) -> None:
    try:
        message = channel.read(raw, kind)
    except ChannelError:
        return
    assert message.SerializeToString(deterministic=True) == raw


def test_honest_messages_are_read() -> None:
    assert channel.read(PROPOSE, PlannerCall).propose.proposal == b"{}"
    complete = PlannerCall(complete=Complete(messages=[Said(role=Said.ASSISTANT, text="x")], max_tokens=5))
    assert channel.read(complete.SerializeToString(), PlannerCall) == complete
    started = channel_pb2.RunStep(mode=channel_pb2.RunStep.RESTORE, secrets={"b": b"1", "a": b"2"})
    assert channel.read(started.SerializeToString(deterministic=True), channel_pb2.RunStep) == started
    many = channel_pb2.RunStep(secrets={f"{n}": b"1" for n in range(40)})
    assert channel.read(many.SerializeToString(deterministic=True), channel_pb2.RunStep) == many


def test_a_call_that_is_not_answered_is_an_error() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        theirs.shutdown(socket.SHUT_WR)
        with theirs, pytest.raises(ChannelError, match=r"channel\.closed"):
            channel.call(ours, PlannerCall(ask=Ask(question="x")), PlannerReturn)


def test_a_message_over_the_limit_is_neither_sent_nor_read() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with pytest.raises(ChannelError, match=r"channel\.size"):
            channel.send(ours, PlannerCall(ask=Ask(question="x" * 100)), limit=50)
        channel.send(ours, PlannerCall(ask=Ask(question="x" * 100)))
        with pytest.raises(ChannelError, match=r"channel\.size"):
            channel.receive(theirs, PlannerCall, limit=50)
