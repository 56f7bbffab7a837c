"""Receivers and requests that would make the notifier do more than tell: each ends in a code, in time."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from interlock.artifact.channel_pb2 import Notify
from interlock.outside.notifier import notify
from support.egress import HOST, Reply, Service

REPLIES: dict[str, tuple[Reply, str]] = {
    "a redirect to metadata": ((302, {"Location": "http://169.254.169.254/"}, b""), "notifier.status"),
    "a redirect that keeps the method": ((307, {"Location": "http://127.0.0.1:1/"}, b""), "notifier.status"),
    "a refusal": ((403, {}, b"no"), "notifier.status"),
    "an answer without end": ((200, {}, b"x" * (1 << 20)), "reach.size"),
    "an encoded answer": ((200, {"Content-Encoding": "gzip"}, b"x"), "reach.encoding"),
    "an answer that breaks off": ((200, {"Content-Length": "9", "Connection": "close"}, b"x"), "reach.broken"),
}
reply: list[Reply] = []


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    service = Service(lambda *_: reply[0])
    yield service
    service.close()


def tell(service: Service, *found: str, **fields: Any) -> str:
    async def resolver(*_: object) -> Sequence[str]:
        return found or ("127.0.0.1",)

    target = fields.pop("target", "http://{host}:{port}/hook").format(host=HOST, port=service.port)
    defaults = {"id": "n-1", "kind": "webhook", "target": target, "body": b"{}", "timeout_ms": 20_000}
    service.requests.clear()
    done = notify(Notify(**{**defaults, "allow_private": True, **fields}), resolver=resolver)
    assert done.ok == (done.code == "") and done.id == fields.get("id", "n-1")
    return done.code


@pytest.mark.parametrize("name", REPLIES)
def test_a_hostile_receiver_is_a_code(service: Service, name: str) -> None:
    reply[:], code = [REPLIES[name][0]], REPLIES[name][1]
    assert tell(service) == code and len(service.requests) == 1


def test_a_receiver_that_is_always_busy_is_told_a_bounded_number_of_times(service: Service) -> None:
    reply[:] = [(503, {}, b"")]
    assert tell(service, attempts=4_000_000_000) == "notifier.status" and len(service.requests) == 5


def test_a_hung_receiver_meets_the_deadline(service: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hung:
        assert tell(service, target=f"http://{HOST}:{hung.getsockname()[1]}/", timeout_ms=100) == "notifier.timeout"


TARGETS = {
    "metadata": (("169.254.169.254",), {}, "address.link_local"),
    "a private address": (("10.0.0.1",), {"allow_private": False, "target": "https://{host}/"}, "address.private"),
    "this machine": (("127.0.0.1",), {"allow_private": False, "target": "https://{host}:{port}/"}, "address.loopback"),
    "plain http outside": (("93.184.215.14",), {}, "reach.plaintext"),
    "plain http": ((), {"allow_private": False}, "reach.plaintext"),
    "a file": ((), {"target": "file:///etc/passwd"}, "reach.url"),
    "a user": ((), {"target": "https://a@{host}/"}, "reach.url"),
    "a header in the URL": ((), {"target": "https://{host}/\r\nX: y"}, "reach.url"),
    "another spelling": ((), {"target": "http://2130706433:{port}/"}, "address.spelling"),
    "a body over its bound": ((), {"body": b'"' + b"x" * (1 << 18) + b'"'}, "notifier.request"),
    "a body that is no JSON": ((), {"body": b"{"}, "codec.syntax"),
    "no time": ((), {"timeout_ms": 0}, "notifier.request"),
    "an id with a line feed": ((), {"id": "a\r\nX: y"}, "notifier.request"),
    "an id that would sign another": ((), {"id": "n-1.5"}, "notifier.request"),
    "another kind": ((), {"kind": "mail"}, "notifier.request"),
    "a secret that is no base64": ((), {"secret": b"whsec_***"}, "notifier.secret"),
}


@pytest.mark.parametrize("name", TARGETS)
def test_a_notification_that_must_not_go_does_not(service: Service, name: str) -> None:
    found, fields, code = TARGETS[name]
    reply[:] = [(200, {}, b"")]
    assert tell(service, *found, **fields) == code and service.requests == []


COMMANDS = {
    "no program": ([], "notifier.request"),
    "an empty program": ([""], "notifier.request"),
    "a NUL": (["/bin/true", "a\0b"], "notifier.request"),
    "a program that is not there": (["/nonexistent/program"], "notifier.program"),
    "a shell's line": (["true; touch /tmp/x"], "notifier.program"),
    "a folder": (["/"], "notifier.program"),
    "a program that fails": (["/bin/sh", "-c", "exit 3"], "notifier.failed"),
    "a program that is killed": (["/bin/sh", "-c", "kill -9 $$"], "notifier.failed"),
    "a program that reads nothing": (["/bin/true"], ""),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_an_argument_vector(service: Service, name: str) -> None:
    argv, code = COMMANDS[name]
    assert tell(service, kind="command", argv=argv, body=b'"' + b"x" * 200_000 + b'"') == code


def test_a_program_that_does_not_end_is_ended_with_its_children(service: Service, tmp_path: Path) -> None:
    """The grandchild holds a pipe; its end of file proves that it is gone."""
    path = tmp_path / "held"
    code = "import os,sys,time; os.fork(); f=os.open(sys.argv[1], os.O_WRONLY); os.write(f, b'x'); time.sleep(60)"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reader, True)
    try:
        argv = [sys.executable, "-I", "-S", "-c", code, str(path)]
        assert tell(service, kind="command", argv=argv, timeout_ms=2500) == "notifier.timeout"
        assert os.read(reader, 10) == b"xx" and os.read(reader, 10) == b""
    finally:
        os.close(reader)
