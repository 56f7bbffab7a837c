"""One protobuf message per frame, read exactly: what a peer says has one spelling or is refused.

A message must be of the expected type, with no unknown field, no unknown enum value, a set ``body`` where the
schema has one, and bytes equal to its own deterministic serialisation.  The last rule refuses, in one test,
repeated singular fields, two bodies in one message, over-long varints, explicit defaults and fields out of
order, so that two readers of the same bytes cannot disagree.  Whoever receives a ``ChannelError`` from a
planner, an executor or a step has met a separation violation (I11).

>>> from interlock.artifact.channel_pb2 import Ask, PlannerCall
>>> read(PlannerCall(ask=Ask(question="which one?")).SerializeToString(), PlannerCall).ask.question
'which one?'
>>> read(b"", PlannerCall)
Traceback (most recent call last):
interlock.artifact.errors.ChannelError: channel.body: a PlannerCall whose body is not set
"""

from __future__ import annotations

import socket
from typing import TypeVar, cast

from google.protobuf import descriptor_pb2  # noqa: F401  # pyright: ignore[reportUnusedImport] - GetOptions loads it
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from interlock.artifact import frames
from interlock.artifact.errors import ChannelError

M = TypeVar("M", bound=Message)


def send(sock: socket.socket, message: Message, *, limit: int = frames.MAX_FRAME) -> None:
    """Send one message as one frame; raises ``ChannelError`` for more than ``limit`` or no bytes."""
    frames.send(sock, message.SerializeToString(deterministic=True), limit=limit)


def receive(sock: socket.socket, kind: type[M], *, limit: int = frames.MAX_FRAME) -> M | None:
    """Receive one message of ``kind``; ``None`` where the peer has closed between frames."""
    raw = frames.receive(sock, limit=limit)
    return None if raw is None else read(raw, kind)


def call(sock: socket.socket, request: Message, kind: type[M], *, limit: int = frames.MAX_FRAME) -> M:
    """Send ``request`` and receive its return; an end of stream instead of it is a ``ChannelError``."""
    send(sock, request, limit=limit)
    answer = receive(sock, kind, limit=limit)
    if answer is None:
        raise ChannelError("channel.closed", f"the peer closed the channel instead of sending a {kind.__name__}")
    return answer


def read(raw: bytes, kind: type[M]) -> M:
    """The message of ``kind`` that exactly these bytes spell; raises ``ChannelError``."""
    name = kind.__name__
    try:
        message = kind.FromString(raw)
    except DecodeError:
        raise ChannelError("channel.malformed", f"bytes that are no {name}") from None
    size = message.ByteSize()
    message.DiscardUnknownFields()
    if message.ByteSize() != size or _strange(message):
        raise ChannelError("channel.unknown", f"a {name} with a field or enum value that its schema does not have")
    if message.SerializeToString(deterministic=True) != raw:
        raise ChannelError("channel.spelling", f"a {name} that is not spelled in the one admitted way")
    if "body" in message.DESCRIPTOR.oneofs_by_name and message.WhichOneof("body") is None:
        raise ChannelError("channel.body", f"a {name} whose body is not set")
    return message


def _strange(message: Message) -> bool:
    return any(_strange_field(field, value) for field, value in message.ListFields())


def _strange_field(field: FieldDescriptor, value: object) -> bool:
    """Whether an enum value in it is unknown; maps of this schema hold bytes alone."""
    if field.enum_type is not None:
        return value not in field.enum_type.values_by_number
    if field.message_type is None or field.message_type.GetOptions().map_entry:
        return False
    found = cast("list[Message]", value) if field.is_repeated else [cast("Message", value)]
    return any(_strange(item) for item in found)
