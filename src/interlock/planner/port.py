"""The planner's only way out: six calls, each answered or refused.

A strategy is written against ``Port`` and knows nothing of sockets; ``ChannelPort`` carries the calls over the
one inherited channel.  A refusal is an ordinary answer with a stable code, which strategies act on; anything
outside the protocol is a ``ChannelError`` and ends the planner.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import NoReturn, Protocol, cast

from interlock.artifact import channel
from interlock.artifact.channel_pb2 import (
    Actions,
    Answer,
    Ask,
    Complete,
    Judgement,
    LoadActions,
    Message,
    Observe,
    PlannerCall,
    PlannerReturn,
    Propose,
    Refusal,
    Reply,
    Results,
)
from interlock.artifact.errors import ChannelError, InterlockError


class RefusedError(InterlockError):
    """The harness refused one call; ``code`` says on which ground."""

    @property
    def spent(self) -> bool:
        """Whether the same kind of call can never succeed again in this task."""
        return self.code.startswith("budget.")


class Port(Protocol):
    """What a planner can do; every call may raise ``RefusedError``."""

    def complete(self, messages: Sequence[Message], schema: bytes, max_tokens: int) -> str:
        """The text that the model writes, held to ``schema`` where that is not empty."""
        ...

    def load_actions(self, groups: Sequence[str]) -> Actions:
        """The manifests of these groups; of none, the names of the groups alone."""
        ...

    def observe(self, action: str, arguments: bytes) -> Results:
        """The labelled result of one read-only action."""
        ...

    def ask(self, question: str) -> Reply:
        """The person's answer and the task as revised by it."""
        ...

    def propose(self, proposal: bytes) -> Judgement:
        """What the gate says of a proposal, and what came of it."""
        ...

    def answer(self, text: str) -> None:
        """Hand in the last word, which stays marked as unverified."""
        ...


class ChannelPort:
    """The six calls over one stream socket; raises ``ChannelError`` for a return that is not the call's own."""

    __slots__ = ("_socket",)

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def complete(self, messages: Sequence[Message], schema: bytes, max_tokens: int) -> str:
        request = Complete(messages=messages, schema=schema, max_tokens=max_tokens)
        return self._call(PlannerCall(complete=request)).completion.text

    def load_actions(self, groups: Sequence[str]) -> Actions:
        return self._call(PlannerCall(load_actions=LoadActions(groups=groups))).actions

    def observe(self, action: str, arguments: bytes) -> Results:
        return self._call(PlannerCall(observe=Observe(action=action, arguments=arguments))).results

    def ask(self, question: str) -> Reply:
        return self._call(PlannerCall(ask=Ask(question=question))).reply

    def propose(self, proposal: bytes) -> Judgement:
        return self._call(PlannerCall(propose=Propose(proposal=proposal))).judgement

    def answer(self, text: str) -> None:
        self._call(PlannerCall(answer=Answer(text=text)))

    def _call(self, request: PlannerCall) -> PlannerReturn:
        returned = channel.call(self._socket, request, PlannerReturn)
        found = returned.WhichOneof("body")
        if found == "refusal":
            _refused(returned.refusal)
        if found != _RETURNS[cast("str", request.WhichOneof("body"))]:
            raise ChannelError("channel.state", f"{found} in return for {request.WhichOneof('body')}")
        return returned


_RETURNS = {
    "complete": "completion",
    "load_actions": "actions",
    "observe": "results",
    "ask": "reply",
    "propose": "judgement",
    "answer": "accepted",
}


def _refused(refusal: Refusal) -> NoReturn:
    raise RefusedError(refusal.code, refusal.message)
