"""The http driver against a real server, which records exactly what reached it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from interlock.artifact import codec
from interlock.artifact.action import Argument, Driver, Effect, Endpoint, Manifest, Output, Reversibility
from interlock.executor.drivers import http
from interlock.executor.work import DriverError
from support.step_world import CATALOGUE, work

ANSWERS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "/json": (200, {"Content-Type": "application/json"}, b'{"a": [1, "x"]}'),
    "/float": (200, {"Content-Type": "application/json"}, b'{"a": 1.5}'),
    "/text": (200, {"Content-Type": "text/plain", "X-Secret": "no", "ETag": '"1"'}, "grüße".encode()),
    "/bytes": (200, {}, b"\xff\x00"),
    "/redirect": (302, {"Location": "http://elsewhere/"}, b""),
    "/missing": (404, {}, b"no"),
    "/large": (200, {}, b"x" * 3_000_000),
}


class Server(ThreadingHTTPServer):
    seen: list[tuple[str, str, dict[str, str], bytes]]
    hang: threading.Event


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        if self.path == "/hang":
            self.server.hang.wait(20)
        status, headers, data = ANSWERS.get(self.path.split("?")[0], (200, {}, b"ok"))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        try:
            self.wfile.write(data)
        except ConnectionError:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the standard library names it
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        running.seen, running.hang = [], threading.Event()
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.hang.set()
        running.shutdown()
        thread.join()


def send(server: Server, action: Any, path: str, seconds: float = 20, **arguments: Any) -> Any:
    url = f"http://127.0.0.1:{server.server_port}{path}"
    return http.run(work({}, Path("/"), action, seconds, url=url, **arguments))


def code(server: Server, action: Any, path: str, seconds: float = 20, **arguments: Any) -> str:
    with pytest.raises(DriverError) as caught:
        send(server, action, path, seconds, **arguments)
    return caught.value.code


def test_get_brings_json_text_and_bytes(server: Server) -> None:
    assert send(server, "http.get", "/json")["json"] == {"a": [1, "x"]}
    assert send(server, "http.get", "/float")["text"] == '{"a": 1.5}'
    text = send(server, "http.get", "/text")
    assert text["text"] == "grüße"
    assert text["headers"] == {"content-type": "text/plain", "content-length": "7", "etag": '"1"'}
    assert send(server, "http.get", "/bytes")["base64"] == "/wA="


def test_what_is_sent_is_the_closed_set_of_headers(server: Server) -> None:
    send(server, "http.get", "/x?a=1&b=%20", headers={"Accept": "text/html"})
    method, path, headers, body = server.seen[0]
    assert (method, path, body) == ("GET", "/x?a=1&b=%20", b"")
    assert headers == {
        "host": f"127.0.0.1:{server.server_port}", "user-agent": "interlock", "connection": "close",
        "accept-encoding": "identity", "accept": "text/html",
    }  # fmt: skip


@pytest.mark.parametrize(
    "headers", [{"Authorization": "x"}, {"Host": "other"}, {"Accept": "a\r\nX: y"}, {"Accept": "é"}, {"Cookie": "x"}]
)
def test_another_header_is_refused(server: Server, headers: dict[str, str]) -> None:
    assert code(server, "http.get", "/", headers=headers) == "http.header"
    assert server.seen == []


def test_post_sends_a_body_under_the_steps_one_key(server: Server) -> None:
    send(server, "http.post", "/x", json={"b": 1, "a": "ü"})
    send(server, "http.post", "/x", body="text")
    (_, _, first, body), (_, _, second, text) = server.seen
    assert codec.parse(body) == {"a": "ü", "b": 1}
    assert (first["content-type"], second["content-type"]) == ("application/json", "text/plain; charset=utf-8")
    assert first["idempotency-key"] == second["idempotency-key"] == "k" * 32 + "-s1-0"
    assert text == b"text"


def test_no_redirect_is_followed(server: Server) -> None:
    found = send(server, "http.get", "/redirect")
    assert (found["status"], found["headers"]["location"]) == (302, "http://elsewhere/")
    assert len(server.seen) == 1


def test_a_bad_status_is_a_failure_that_keeps_its_output(server: Server) -> None:
    with pytest.raises(DriverError, match=r"http\.status") as caught:
        send(server, "http.get", "/missing")
    output: Any = caught.value.output
    assert (output["status"], output["text"]) == (404, "no")


def test_a_large_response_is_cut_and_said_to_be(server: Server) -> None:
    small = msgspec.structs.replace(CATALOGUE["http.get@1"], output=Output(max_bytes=20_000))
    found = send(server, small, "/large")
    assert found["truncated"]
    assert 0 < len(codec.encode(found)) <= 20_000


def test_time_ends_the_exchange_and_an_effect_is_possible(server: Server) -> None:
    began = time.monotonic()
    todo = work({}, Path("/"), "http.post", 0.3, url=f"http://127.0.0.1:{server.server_port}/hang", body="x")
    with pytest.raises(DriverError, match=r"http\.timeout"):
        http.run(todo)
    assert todo.progress.started
    assert time.monotonic() - began < 10


def test_nothing_that_answers_is_no_effect(server: Server) -> None:
    todo = work({}, Path("/"), "http.post", 5, url="http://127.0.0.1:1/", body="x")
    with pytest.raises(DriverError, match=r"http\.unreachable"):
        http.run(todo)
    assert not todo.progress.started


@pytest.mark.parametrize("path", ["/a/../b", "/a/%2e%2e/b", "/%2E%2E%2fb", "/a/..", "/a\\..\\b"])
def test_a_path_that_climbs_is_refused(server: Server, path: str) -> None:
    with pytest.raises(Exception, match=r"http\.target|resource\.url"):
        send(server, "http.get", path)
    assert server.seen == []


def narrow(server: Server, *argv: str) -> Manifest:
    return Manifest(
        name="x",
        group="g",
        sentence="s",
        effect=Effect.READ,
        reversibility=Reversibility.PURE,
        arguments={"id": Argument(type="string"), "path": Argument(type="string")},
        driver=Driver(
            name="http", operation="get", argv=argv, endpoints=(Endpoint(host="127.0.0.1", port=server.server_port),)
        ),
    )


def test_a_narrow_action_has_its_one_end_point_and_path(server: Server) -> None:
    http.run(work({}, Path("/"), narrow(server, "/items/{id}"), 20, id="a/b?c#d é"))
    http.run(work({}, Path("/"), narrow(server), 20, path="/x y/é?z", query={"q": "a&b", "n": 1}))
    assert [path for _, path, _, _ in server.seen] == ["/items/a%2Fb%3Fc%23d%20%C3%A9", "/x%20y/%C3%A9%3Fz?q=a%26b&n=1"]
    with pytest.raises(DriverError, match=r"http\.target"):
        http.run(work({}, Path("/"), narrow(server, "/items/{id}"), 20, id=".."))
