"""Attacks on the proxy by size, time, number and what stands behind a name."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.egress import HOST, Egress, Service, get, read_all, say


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service(lambda _, path, __: (200, {}, b"x" * int(path.rpartition("/")[2])))
    yield service
    service.close()


@pytest.fixture
def make() -> Iterator[Callable[..., Egress]]:
    made: list[Egress] = []

    def start(*args: Any, **bounds: Any) -> Egress:
        made.append(Egress(*args, **bounds))
        return made[-1]

    yield start
    for egress in made:
        egress.close()


@pytest.mark.parametrize("address", ["169.254.169.254", "::ffff:169.254.169.254", "0.0.0.0", "fe80::1"])
def test_a_name_that_leads_to_metadata_is_refused(make: Callable[..., Egress], service: Service, address: str) -> None:
    egress = make([address])
    assert say(egress.open(service.port), get("/v1/1", service.port)).startswith(b"HTTP/1.1 502")
    done = next(event for event in iter(lambda: egress.until(_address_code(address)), None))
    assert not done.allowed and service.requests == []


def _address_code(address: str) -> str:
    return "address.reserved" if address == "0.0.0.0" else "address.link_local"


def test_a_private_address_needs_the_exception(make: Callable[..., Egress], service: Service) -> None:
    egress = make()
    answer = say(egress.open(service.port, exceptions=[f"{HOST}:1"]), get("/v1/1", service.port))
    assert answer.startswith(b"HTTP/1.1 502") and b"address.loopback" in answer
    assert not egress.until("address.loopback").allowed and service.requests == []


def test_a_rebinding_name_is_refused_as_a_whole(make: Callable[..., Egress], service: Service) -> None:
    egress = make(["127.0.0.1", "224.0.0.1"])
    assert say(egress.open(service.port), get("/v1/1", service.port)).startswith(b"HTTP/1.1 502")
    assert not egress.until("address.multicast").allowed and service.requests == []


def test_an_answer_over_the_bound_is_broken_off(make: Callable[..., Egress], service: Service) -> None:
    egress = make()
    answer = say(egress.open(service.port, max_bytes=50_000), get("/v1/900000", service.port))
    assert len(answer) < 60_000
    event = egress.until("proxy.bytes")
    assert not event.allowed and event.received <= 50_000


def test_a_request_over_the_bound_is_refused(make: Callable[..., Egress], service: Service) -> None:
    egress = make()
    door = egress.open(service.port, max_bytes=1000)
    say(door, get("/v1/1", service.port, method="POST", body=b"x" * 5000))
    event = egress.until("proxy.bytes")
    assert not event.allowed and event.sent <= 1000 and service.requests == []


def test_the_bound_holds_for_the_lease_and_not_for_each_request(make: Callable[..., Egress], service: Service) -> None:
    egress = make()
    door = egress.open(service.port, max_bytes=3000)
    answers = [say(door, get("/v1/1000", service.port)) for _ in range(4)]
    assert [answer.endswith(b"x") for answer in answers] == [True, True, False, False]


def test_a_slow_head_meets_its_deadline(make: Callable[..., Egress], service: Service) -> None:
    egress = make(head=0.1)
    door = egress.open(service.port)
    with socket.create_connection(("127.0.0.1", door), timeout=20) as sock:
        sock.sendall(b"GET /v1/1 HTTP/1.1\r\n")
        assert read_all(sock).startswith(b"HTTP/1.1 408")
    assert not egress.until("proxy.slow").violation


def test_a_hung_end_point_meets_its_deadline(make: Callable[..., Egress]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hung:
        egress = make(idle=0.1)
        port = hung.getsockname()[1]
        assert say(egress.open(port), get("/v1/1", port)).startswith(b"HTTP/1.1 504")
        assert not egress.until("reach.timeout").allowed


def test_connections_are_bounded_and_the_next_one_waits(make: Callable[..., Egress], service: Service) -> None:
    egress = make(connections=2)
    door = egress.open(service.port)
    held = [socket.create_connection(("127.0.0.1", door), timeout=20) for _ in range(2)]
    for sock in held:
        sock.sendall(get("/v1/1", service.port).replace(b"Connection: close\r\n", b""))
        assert sock.recv(4096).startswith(b"HTTP/1.1 200")
    answers: list[bytes] = []
    third = threading.Thread(target=lambda: answers.append(say(door, get("/v1/7", service.port))))
    third.start()
    third.join(0.2)
    assert third.is_alive() and len(service.requests) == 2
    for sock in held:
        sock.close()
    third.join(20)
    assert answers[0].endswith(b"x" * 7)


def test_after_a_violation_the_lease_is_dead(make: Callable[..., Egress], service: Service) -> None:
    egress = make()
    door, other = egress.open(service.port), egress.open(service.port)
    assert say(door, get("/admin", service.port)).startswith(b"HTTP/1.1 403")
    assert egress.until("proxy.path").violation
    egress.end()
    for port in (door, other):
        with pytest.raises(OSError, match=r"refused|reset"):
            socket.create_connection(("127.0.0.1", port), timeout=20)


def test_denials_without_end_end_the_lease(make: Callable[..., Egress], service: Service) -> None:
    egress = make(denials=3)
    door = egress.open(service.port)
    for _ in range(3):
        say(door, get("/v1//a", service.port))
    egress.end()
    with pytest.raises(OSError, match=r"refused|reset"):
        socket.create_connection(("127.0.0.1", door), timeout=20)


def test_a_harness_that_does_not_read_stops_the_proxy_and_loses_nothing(make: Callable[..., Egress]) -> None:
    service, egress = Service(), make(connections=4)
    egress.channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    egress._inner.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    door = egress.open(service.port)
    answers: list[bytes] = []

    def flood() -> None:
        answers.extend(say(door, get("/v1/" + "a" * 250, service.port)) for _ in range(60))

    flooding = threading.Thread(target=flood)
    flooding.start()
    flooding.join(1.0)
    assert flooding.is_alive() and len(service.requests) < 60
    for _ in range(60):
        egress.until("proxy.done")
    flooding.join(20)
    service.close()
    assert len(answers) == 60 and all(answer.endswith(b"hello") for answer in answers)


@pytest.mark.parametrize(
    "inject",
    [
        {"X-A": b"a\r\nHost: evil.test"},
        {"X-A\r\n": b"a"},
        {"Host": b"evil.test"},
        {"X-A": b""},
        {"Transfer-Encoding": b"x"},
    ],
)
def test_a_header_that_would_split_is_never_injected(make: Callable[..., Egress], inject: dict[str, bytes]) -> None:
    egress = make()
    door = egress.open(9, inject=inject)
    assert not egress.until("proxy.inject").allowed
    with pytest.raises(OSError, match=r"refused|reset"):
        socket.create_connection(("127.0.0.1", door), timeout=20)


@pytest.mark.parametrize(("host", "code"), [("api.model.test", "proxy.model_host"), ("127.1", "address.spelling")])
def test_some_end_points_are_never_opened(make: Callable[..., Egress], host: str, code: str) -> None:
    egress = make()
    egress.open(443, host=host, model_hosts=["model.test"])
    assert egress.until(code).violation is (code == "proxy.model_host")


def _hello(name: str | None, *, more: bytes = b"") -> bytes:
    """A real ClientHello, with ``more`` put in as an extra extension."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    raw = bytearray(outgoing.read())
    if more:
        at = 9 + 34
        for width in (1, 2, 1):
            at += width + int.from_bytes(raw[at : at + width])
        for offset, width in ((at, 2), (6, 3), (3, 2)):
            raw[offset : offset + width] = (int.from_bytes(raw[offset : offset + width]) + len(more)).to_bytes(width)
        raw += more
    return bytes(raw)


OPAQUE = {
    "another name": (_hello("evil.test"), "proxy.other_host"),
    "a model's provider": (_hello("api.model.test"), "proxy.model_host"),
    "no name": (_hello(None), "hello.no_name"),
    "an encrypted name": (_hello(HOST, more=b"\xfe\x0d\x00\x01\x00"), "hello.encrypted"),
    "its predecessor": (_hello(HOST, more=b"\xff\xce\x00\x01\x00"), "hello.encrypted"),
    "an extension twice": (_hello(HOST, more=b"\x00\x00\x00\x00"), "hello.malformed"),
    "plain HTTP": (f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode(), "hello.not_tls"),
    "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n", "hello.not_tls"),
    "a ServerHello": (b"\x16\x03\x03\x00\x05\x02\x00\x00\x01\x00", "hello.not_tls"),
    "a lying length": (_hello(HOST)[:9] + b"\x00" * 600, "hello.malformed"),
    "a huge hello": (b"\x16\x03\x01\x40\x00\x01\xff\xff\xff", "hello.size"),
    "half a hello": (_hello(HOST)[:60], "proxy.malformed"),
}


@pytest.mark.parametrize("name", OPAQUE)
def test_an_opaque_stream_must_name_the_grant(make: Callable[..., Egress], name: str) -> None:
    raw, code = OPAQUE[name]
    with socket.create_server(("127.0.0.1", 0)) as target:
        target.setblocking(False)
        egress = make()
        port = target.getsockname()[1]
        assert say(egress.open(port, mode="opaque", model_hosts=["model.test"]), raw, ends=True) == b""
        assert not egress.until(code).allowed
        with pytest.raises(BlockingIOError):
            target.accept()


def test_a_hello_in_small_records_still_names_its_host(make: Callable[..., Egress]) -> None:
    body = _hello(HOST)[5:]
    pieces = b"".join(
        b"\x16\x03\x01" + len(part).to_bytes(2) + part for part in (body[i : i + 7] for i in range(0, len(body), 7))
    )
    with socket.create_server(("127.0.0.1", 0)) as target:
        egress = make()
        port = target.getsockname()[1]
        with socket.create_connection(("127.0.0.1", egress.open(port, mode="opaque")), timeout=20) as sock:
            for at in range(0, len(pieces), 50):
                sock.sendall(pieces[at : at + 50])
            taken, _ = target.accept()
            with taken:
                assert taken.recv(len(pieces), socket.MSG_WAITALL) == pieces
