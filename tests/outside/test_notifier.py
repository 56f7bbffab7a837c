"""The notifier against real receivers: webhooks on loopback, programs of this machine."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from interlock.artifact import channel
from interlock.artifact.channel_pb2 import Notified, Notify
from interlock.outside.notifier import notify, serve
from support.egress import HOST, Service, certificate

BODY = b'{"incident":"i-1"}'


async def to_loopback(*_: object) -> Sequence[str]:
    return ["127.0.0.1"]


def webhook(service: Service, **fields: Any) -> Notify:
    scheme = fields.pop("scheme", "http")
    defaults = {"id": "n-1", "kind": "webhook", "target": f"{scheme}://{HOST}:{service.port}/hook", "body": BODY}
    return Notify(**{**defaults, "timeout_ms": 20_000, "allow_private": True, **fields})


def program(code: str, *argv: str, **fields: Any) -> Notify:
    defaults = {"id": "n-1", "kind": "command", "argv": [sys.executable, "-I", "-S", "-c", code, *argv], "body": BODY}
    return Notify(**{**defaults, "timeout_ms": 20_000, **fields})


@pytest.fixture
def serving() -> Iterator[Callable[..., Service]]:
    made: list[Service] = []

    def start(*args: Any, **fields: Any) -> Service:
        made.append(Service(*args, **fields))
        return made[-1]

    yield start
    for service in made:
        service.close()


@pytest.mark.parametrize("secret", [b"plain secret", b"whsec_" + base64.b64encode(b"plain secret")])
def test_a_webhook_is_posted_and_signed(serving: Callable[..., Service], secret: bytes) -> None:
    service = serving()
    assert notify(webhook(service, secret=secret), now=1_700_000_000.9, resolver=to_loopback) == Notified(
        id="n-1", ok=True
    )
    ((method, path, headers, body),) = service.requests
    assert (method, path, body, headers["content-type"]) == ("POST", "/hook", BODY, "application/json")
    signed = b"n-1.1700000000." + BODY
    expected = base64.b64encode(hmac.new(b"plain secret", signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}" and headers["webhook-id"] == "n-1"
    assert headers["webhook-timestamp"] == "1700000000"


def test_without_a_secret_there_is_no_signature(serving: Callable[..., Service]) -> None:
    service = serving()
    assert notify(webhook(service), resolver=to_loopback).ok
    assert "webhook-signature" not in service.requests[0][2]


def test_tls_is_verified(serving: Callable[..., Service]) -> None:
    service = serving(tls=True)
    assert notify(webhook(service, scheme="https", ca_bundle=certificate()[0]), resolver=to_loopback).ok
    assert notify(webhook(service, scheme="https"), resolver=to_loopback).code == "reach.certificate"
    assert len(service.requests) == 1


def test_a_receiver_that_is_busy_is_told_again_under_the_same_id(serving: Callable[..., Service]) -> None:
    codes = [503, 429, 204]
    service = serving(lambda *_: (codes.pop(0), {}, b""))
    assert notify(webhook(service, attempts=3), resolver=to_loopback).ok
    assert [headers["webhook-id"] for _, _, headers, _ in service.requests] == ["n-1"] * 3


def test_a_program_gets_the_body_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_HARNESS", "x")
    code = "import json,os,sys; json.dump([sys.stdin.read(), sorted(os.environ), os.getcwd(), sys.argv[2:]], open(sys.argv[1],'w'))"
    assert notify(program(code, str(tmp_path / "out"), "a b; c")).ok
    text, names, folder, rest = json.loads((tmp_path / "out").read_text())
    assert (text, folder, rest) == (BODY.decode(), "/", ["a b; c"]) and set(names) <= {"LANG", "PATH", "LC_CTYPE"}


def test_the_process_answers_each_call(tmp_path: Path) -> None:
    harness, inner = socket.socketpair()
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(serve(inner, {})))
    thread.start()
    with harness, inner:
        harness.settimeout(20)
        assert channel.call(harness, program("pass"), Notified) == Notified(id="n-1", ok=True)
        assert channel.call(harness, program("raise SystemExit(3)"), Notified).code == "notifier.failed"
        harness.sendall(b"\0\0\0\1\xff")
        thread.join(20)
    assert codes == [1]
