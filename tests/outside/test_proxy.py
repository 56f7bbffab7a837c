"""The egress proxy carries exactly what was granted: HTTP, HTTPS and opaque TLS, over real sockets."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from interlock.artifact import frames
from interlock.artifact.channel_pb2 import ProxyCall
from support.egress import HOST, Egress, Service, certificate, get, read_all, say, server_context


@pytest.fixture
def make() -> Iterator[Callable[..., Any]]:
    """Start servers and proxies that are closed at the end."""
    made: list[Any] = []

    def start(kind: Callable[..., Any], *args: Any, **fields: Any) -> Any:
        made.append(kind(*args, **fields))
        return made[-1]

    yield start
    for thing in reversed(made):
        thing.close()


def test_a_granted_request_goes_through_with_the_credential(make: Callable[..., Any]) -> None:
    service, egress = make(Service), make(Egress)
    door = egress.open(service.port, inject={"Authorization": b"Bearer s3cret"})
    answer = say(door, get("/v1/things?x=1", service.port, headers="Authorization: Bearer mine\r\nX-Kept: yes\r\n"))
    assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"hello") and b"s3cret" not in answer
    ((method, target, headers, _),) = service.requests
    assert (method, target) == ("GET", "/v1/things?x=1")
    assert headers["authorization"] == "Bearer s3cret" and headers["x-kept"] == "yes"
    assert headers["host"] == f"{HOST}:{service.port}" and "connection" not in headers
    done = egress.until("proxy.done")
    admitted = next(event for event in egress.seen if event.code == "proxy.admitted")
    assert (admitted.method, admitted.path, admitted.allowed) == ("GET", "/v1/things", True)
    assert done.status == 200 and done.request == admitted.request and done.sent > 0 and done.received > 5
    assert not any(event.violation for event in egress.seen)


def test_a_body_is_framed_anew_and_a_connection_is_kept(make: Callable[..., Any]) -> None:
    service, egress = make(Service, lambda _, __, body: (200, {}, body[::-1])), make(Egress)
    door = egress.open(service.port)
    request = (
        f"POST /v1/a HTTP/1.1\r\nHost: {HOST}:{service.port}\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", door), timeout=20) as sock:
        for _ in range(2):
            sock.sendall(request)
            answer = b""
            while not answer.endswith(b"edcba"):
                answer += sock.recv(4096)
    assert [body for *_, body in service.requests] == [b"abcde", b"abcde"]
    assert service.connections == 1


def test_an_expected_continue_is_given_by_the_proxy(make: Callable[..., Any]) -> None:
    service, egress = make(Service), make(Egress)
    door = egress.open(service.port)
    with socket.create_connection(("127.0.0.1", door), timeout=20) as sock:
        head, body = (
            get("/v1/a", service.port, method="POST", headers="Expect: 100-continue\r\n", body=b"xyz").split(b"xyz")[0],
            b"xyz",
        )
        sock.sendall(head)
        assert sock.recv(4096).startswith(b"HTTP/1.1 100")
        sock.sendall(body)
        assert b"HTTP/1.1 200" in read_all(sock)
    assert service.requests[0][3] == b"xyz" and "expect" not in service.requests[0][2]


def test_a_redirect_is_handed_back_unfollowed(make: Callable[..., Any]) -> None:
    target = {"Location": "http://169.254.169.254/latest/meta-data/"}
    service, egress = make(Service, lambda *_: (302, target, b"")), make(Egress)
    answer = say(egress.open(service.port), get("/v1/a", service.port))
    assert answer.startswith(b"HTTP/1.1 302") and b"169.254.169.254" in answer
    assert egress.until("proxy.done").status == 302 and len(service.requests) == 1


@pytest.mark.parametrize("trusted", [True, False])
def test_tls_is_originated_and_verified(make: Callable[..., Any], trusted: bool) -> None:
    service, egress = make(Service, tls=True), make(Egress)
    bundle = certificate()[0] if trusted else b""
    answer = say(egress.open(service.port, mode="tls", ca_bundle=bundle), get("/v1/a", service.port))
    if trusted:
        assert answer.endswith(b"hello")
    else:
        assert answer.startswith(b"HTTP/1.1 502") and not service.requests
        assert egress.until("reach.certificate").allowed is False


def test_tls_for_another_name_is_refused(make: Callable[..., Any]) -> None:
    service, egress = make(Service, tls=True), make(Egress)
    door = egress.open(service.port, mode="tls", ca_bundle=certificate()[0], host="other.test")
    raw = get("/v1/a", service.port).replace(HOST.encode(), b"other.test")
    assert say(door, raw).startswith(b"HTTP/1.1 502")
    assert egress.until("reach.certificate").violation is False and not service.requests


def _client() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=certificate()[0].decode())
    return context


def test_opaque_tls_is_spliced_for_the_granted_name(make: Callable[..., Any]) -> None:
    service, egress = make(Service, tls=True), make(Egress)
    door = egress.open(service.port, mode="opaque")
    with (
        socket.create_connection(("127.0.0.1", door), timeout=20) as plain,
        _client().wrap_socket(plain, server_hostname=HOST) as sock,
    ):
        sock.sendall(get("/anything", service.port))
        answer = b""
        while part := sock.recv(4096):
            answer += part
        assert answer.startswith(b"HTTP/1.1 200")
    done = egress.until("proxy.done")
    assert done.allowed and done.sent > 200 and done.received > 500


def test_a_name_is_resolved_once_for_a_lease(make: Callable[..., Any]) -> None:
    service, egress = make(Service), make(Egress)
    egress.found.append(["169.254.169.254"])
    door = egress.open(service.port)
    assert all(say(door, get("/v1/a", service.port)).endswith(b"hello") for _ in range(3))
    assert egress.asked == [HOST]


def test_the_next_address_is_tried_where_one_does_not_answer(make: Callable[..., Any]) -> None:
    service, egress = make(Service), make(Egress, ["127.0.0.9", "127.0.0.1"])
    assert say(egress.open(service.port), get("/v1/a", service.port)).endswith(b"hello")


def test_requests_sent_at_once_are_checked_one_by_one(make: Callable[..., Any]) -> None:
    service, egress = make(Service), make(Egress)
    sound = get("/v1/a", service.port).replace(b"Connection: close\r\n", b"")
    answer = say(egress.open(service.port), sound + sound + get("/admin", service.port) + sound)
    assert answer.count(b"hello") == 2 and answer.count(b"HTTP/1.1 ") == 3 and b'{"error": "proxy.path"}' in answer
    assert egress.until("proxy.path").violation and len(service.requests) == 2


def test_bytes_after_a_body_are_not_read_as_a_request(make: Callable[..., Any]) -> None:
    service, egress = make(Service), make(Egress)
    body = get("/v1/a", service.port, method="POST", body=b"xy").replace(b"Connection: close\r\n", b"")
    answer = say(egress.open(service.port), body + b"GET /admin HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.count(b"HTTP/1.1 ") == 1 and [body for *_, body in service.requests] == [b"xy"]


def test_closing_a_lease_cuts_its_connections_and_no_other(make: Callable[..., Any]) -> None:
    service, egress = make(Service), make(Egress)
    one, two = egress.open(service.port), egress.open(service.port, lease="lease-2")
    with socket.create_connection(("127.0.0.1", one), timeout=20) as sock:
        sock.sendall(get("/v1/a", service.port).replace(b"Connection: close\r\n", b""))
        egress.until("proxy.done")
        closed = egress.end()
        assert b"hello" in read_all(sock)
    assert closed.lease == "lease-1" and closed.received > 0
    with pytest.raises(OSError, match=r"refused|reset"):
        socket.create_connection(("127.0.0.1", one), timeout=20)
    assert say(two, get("/v1/a", service.port)).endswith(b"hello")
    egress.open(service.port)
    assert egress.until("proxy.lease").allowed is False


def test_closing_a_lease_cuts_a_request_under_way(make: Callable[..., Any]) -> None:
    egress, hung = make(Egress), make(socket.create_server, ("127.0.0.1", 0))
    port = hung.getsockname()[1]
    door = egress.open(port)
    with socket.create_connection(("127.0.0.1", door), timeout=20) as sock:
        sock.sendall(get("/v1/a", port))
        taken, _ = hung.accept()
        with taken:
            assert taken.recv(4096).startswith(b"GET /v1/a")
            egress.end()
            assert taken.recv(4096) == b"" and read_all(sock) == b""
    assert [event.code for event in egress.seen] == ["proxy.opened", "proxy.admitted", "proxy.cut", "proxy.closed"]


def test_an_answer_that_breaks_off_is_not_taken_for_whole(make: Callable[..., Any]) -> None:
    service, egress = (
        make(Service, lambda *_: (200, {"Content-Length": "50", "Connection": "close"}, b"half")),
        make(Egress),
    )
    answer = say(egress.open(service.port), get("/v1/a", service.port))
    assert answer.count(b"half") <= 1 and b"Content-Length: 50" in answer.title()
    assert egress.until("reach.protocol").allowed is False


@pytest.mark.parametrize("body", [b"\x00", b"\xff\xff", ProxyCall().SerializeToString() or b"\n\x00"])
def test_a_channel_out_of_protocol_ends_the_proxy(make: Callable[..., Any], body: bytes) -> None:
    egress = make(Egress)
    door = egress.open(1)
    egress.until("proxy.opened")
    frames.send(egress.channel, body)
    egress.channel.shutdown(socket.SHUT_WR)
    egress.thread.join(20)
    assert egress.code == 1
    with pytest.raises(OSError, match=r"refused|reset"):
        socket.create_connection(("127.0.0.1", door), timeout=20)


def test_a_channel_that_ends_ends_the_proxy(make: Callable[..., Any]) -> None:
    egress = make(Egress)
    door = egress.open(1)
    egress.until("proxy.opened")
    egress.channel.shutdown(socket.SHUT_WR)
    egress.thread.join(20)
    assert egress.code == 0
    with pytest.raises(OSError, match=r"refused|reset"):
        socket.create_connection(("127.0.0.1", door), timeout=20)


def test_the_certificate_of_these_tests_is_a_real_one() -> None:
    assert server_context().get_ca_certs() == [] and certificate()[0].startswith(b"-----BEGIN CERTIFICATE")
