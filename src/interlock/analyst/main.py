"""The analyst's entry point: questions come in, analyses go out, one after the other, until the channel closes.

Runs after lock-down in the analyst's sandbox, with one channel and nothing else.  An operator's model comes over that
channel too, in parts, before the first question.  Every parser is imported with this
module, in the zygote; what reads its tables from files does so there as well.  Nobody relies on an answer being true:
it only adds to a manifest's worst case, and what is executed is confined to it.
"""

from __future__ import annotations

import socket

from interlock.analyst import reading
from interlock.analyst.classifier.container import ModelError
from interlock.analyst.classifier.operated import Parts
from interlock.artifact import channel, codec
from interlock.artifact.analysis import Content, Question
from interlock.artifact.channel_pb2 import AnalystCall, AnalystReturn
from interlock.artifact.errors import InterlockError
from interlock.artifact.frames import MAX_FRAME

FINISHED, FAILED = 0, 1
_REHEARSED = (
    Content(argument="shell", language="shell", value="git status && curl -s https://a.example/x | grep y > z; ls ~"),
    Content(argument="argv", language="argv", value=["ls", "-l"]),
    Content(argument="sql", language="sql", value="SELECT a FROM b WHERE c = 1"),
    Content(argument="python", language="python", value="import os\nprint(os.getcwd())"),
    Content(argument="url", language="url", value="https://a.example/b?c=d"),
    Content(argument="path", language="path", value="a/b.txt"),
    Content(argument="email", language="email", value="ann@a.example"),
    Content(argument="text", language="text", value="An ordinary sentence."),
    Content(argument="json", language="json", value={"note": "An ordinary sentence."}),
    Content(argument="cmd", language="cmd", value="dir"),
)


def rehearse() -> None:
    """Ask about everything once, so that tables, patterns and dialects are loaded while files can be read."""
    reading.answer(Question(action="rehearsal", contents=_REHEARSED, root="/proj", home="/home/u"))


def serve(channel_socket: socket.socket, directories: dict[str, int]) -> int:
    """Answer until the channel closes; returns 0, or 1 where the protocol, a question or a model was broken."""
    del directories
    parts, operated = Parts(), None
    try:
        while (call := channel.receive(channel_socket, AnalystCall)) is not None:
            if call.HasField("part"):
                parts.take(call.part.file, call.part.data)
                operated = parts.model() if call.part.last else None
                channel.send(channel_socket, AnalystReturn(taken=True))
                continue
            question = codec.decode(call.question, Question, limit=MAX_FRAME, data=True)
            channel.send(channel_socket, AnalystReturn(analysis=codec.encode(reading.answer(question, operated))))
    except (InterlockError, ConnectionError, ModelError):
        return FAILED
    return FINISHED


rehearse()
