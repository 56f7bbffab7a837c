"""Frames on a stream: exact, bounded, and an error wherever the stream is not what it announced."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlock.artifact import frames
from interlock.artifact.errors import ChannelError

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies=st.lists(st.binary(min_size=1, max_size=300), max_size=5))
def test_round_trip_keeps_order_and_bounds(pair: Pair, bodies: list[bytes]) -> None:
    for body in bodies:
        frames.send(pair[0], body)
    assert [frames.receive(pair[1]) for _ in bodies] == bodies


@pytest.mark.parametrize("body", [b"", b"12345"])
def test_a_body_outside_its_bounds_is_not_sent(pair: Pair, body: bytes) -> None:
    with pytest.raises(ChannelError, match=r"channel\.size"):
        frames.send(pair[0], body, limit=4)


@pytest.mark.parametrize("size", [0, 5, 2**32 - 1])
def test_an_announced_size_outside_its_bounds_is_not_read(pair: Pair, size: int) -> None:
    pair[0].sendall(struct.pack("!I", size))
    with pytest.raises(ChannelError, match=r"channel\.size"):
        frames.receive(pair[1], limit=4)


@pytest.mark.parametrize("sent", [b"\0", b"\0\0\0", b"\0\0\0\4", b"\0\0\0\4abc"])
def test_an_end_inside_a_frame_is_an_error(pair: Pair, sent: bytes) -> None:
    pair[0].sendall(sent)
    pair[0].close()
    with pytest.raises(ChannelError, match=r"channel\.truncated"):
        frames.receive(pair[1])


def test_an_end_between_frames_is_none(pair: Pair) -> None:
    frames.send(pair[0], b"x")
    pair[0].close()
    assert frames.receive(pair[1]) == b"x"
    assert frames.receive(pair[1]) is None


def test_a_peer_that_leaves_unread_bytes_behind_ends_the_stream(pair: Pair) -> None:
    frames.send(pair[1], b"unread")
    pair[0].close()
    assert frames.receive(pair[1]) is None
    with pytest.raises(BrokenPipeError):
        frames.send(pair[1], b"too late")


def test_descriptors_arrive_close_on_exec(pair: Pair) -> None:
    reading, writing = os.pipe()
    frames.send_descriptors(pair[0], [reading, writing])
    found = frames.receive_descriptors(pair[1], 2)
    assert not any(os.get_inheritable(descriptor) for descriptor in found)
    os.write(found[1], b"x")
    assert os.read(reading, 1) == b"x"
    for descriptor in [reading, writing, *found]:
        os.close(descriptor)


@pytest.mark.parametrize("expected", [1, 3])
def test_another_number_of_descriptors_is_refused_and_none_is_kept(pair: Pair, expected: int) -> None:
    ends = os.pipe()
    frames.send_descriptors(pair[0], list(ends))
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ChannelError, match=r"channel\.descriptors"):
        frames.receive_descriptors(pair[1], expected)
    assert len(os.listdir("/proc/self/fd")) == before
    for descriptor in ends:
        os.close(descriptor)


def test_bytes_travel_with_descriptors_close_on_exec(pair: Pair) -> None:
    ends = os.pipe()
    socket.send_fds(pair[0], [b"order"], list(ends))
    data, found = frames.receive_rights(pair[1], 100, 2)
    assert data == b"order"
    assert [os.get_inheritable(descriptor) for descriptor in found] == [False, False]
    frames.close_all([*ends, *found])


@pytest.mark.parametrize("sent", [b"\0", b"\1", b""])
def test_descriptors_that_do_not_come_are_an_error(pair: Pair, sent: bytes) -> None:
    pair[0].sendall(sent)
    pair[0].close()
    with pytest.raises(ChannelError, match=r"channel\.descriptors"):
        frames.receive_descriptors(pair[1], 1)
