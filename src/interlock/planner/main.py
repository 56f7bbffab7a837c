"""The planner's entry point: one ``Begin``, one strategy, then the end of the process.

Runs after lock-down in the planner's sandbox, with one channel and nothing else; the directories it is handed
are none.  It takes no decision that anybody relies on: whatever it sends is judged by the gate.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping

from interlock.artifact import channel, codec
from interlock.artifact.channel_pb2 import Begin
from interlock.artifact.errors import ChannelError, InterlockError
from interlock.artifact.task import Task
from interlock.planner import prompt
from interlock.planner.deliberate import MAX_TOKENS, deliberate
from interlock.planner.handed import hand_in
from interlock.planner.port import ChannelPort, Port, RefusedError

FINISHED, FAILED = 0, 1


def serve(channel_socket: socket.socket, directories: dict[str, int]) -> int:
    """Plan, or write the answer; returns 0, or 1 where the protocol or the input was broken."""
    del directories
    try:
        begin = channel.receive(channel_socket, Begin)
        if begin is None:
            return FINISHED
        run(ChannelPort(channel_socket), begin)
    except (InterlockError, ConnectionError):
        return FAILED
    return FINISHED


def run(port: Port, begin: Begin) -> None:
    """One phase of one strategy over ``port``; raises ``InterlockError`` for input that it cannot use."""
    strategy = _STRATEGIES.get(begin.strategy)
    if strategy is None:
        raise ChannelError("channel.state", "a strategy that is none of model, intent and file")
    if begin.phase == Begin.ANSWER:
        answer(port, begin)
    else:
        strategy(port, begin)


def answer(port: Port, begin: Begin) -> None:
    """Write the answer from labelled results: by the model, or plainly where there is none."""
    text = prompt.summary(begin.results)
    if begin.strategy != "file":
        task = codec.decode(begin.task, Task)
        try:
            text = prompt.visible(port.complete(prompt.closing(task, begin.results), b"", MAX_TOKENS))
        except RefusedError as refusal:
            text = f"{text}\n(No model wrote this: {refusal.code}.)"
    port.answer(text)


def _model(port: Port, begin: Begin) -> None:
    deliberate(port, begin, single=False)


def _intent(port: Port, begin: Begin) -> None:
    deliberate(port, begin, single=True)


_STRATEGIES: Mapping[str, Callable[[Port, Begin], None]] = {"model": _model, "intent": _intent, "file": hand_in}
