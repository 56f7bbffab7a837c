"""A hostile caller, a hostile provider, a hostile network: the gateway gives a code, in time, and never its key."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from interlock.artifact.channel_pb2 import Generate, Message
from support.egress import HOST, Reply
from support.provider import KEY, SCHEMA, Provider, call, chat, refuse


@pytest.fixture
def make() -> Iterator[Callable[..., Provider]]:
    made: list[Provider] = []

    def start(*replies: Any, **fields: Any) -> Provider:
        made.append(Provider(*replies, **fields))
        return made[-1]

    yield start
    for provider in made:
        provider.close()


BOMB = gzip.compress(b"\0" * 50_000_000)
DEEP = b'{"choices":' + b"[" * 200_000
REPLIES: dict[str, tuple[Reply, str]] = {
    "a redirect to metadata": (refuse(302, Location="http://169.254.169.254/"), "gateway.status"),
    "a gzip bomb": ((200, {"Content-Encoding": "gzip"}, BOMB), "reach.encoding"),
    "an answer without end": ((200, {}, b" " * (5 << 20)), "reach.size"),
    "no JSON": ((200, {}, b"<html>"), "gateway.reply"),
    "another form": ((200, {}, b'{"choices": "x"}'), "gateway.reply"),
    "a list": ((200, {}, b"[]"), "gateway.reply"),
    "no choice": ((200, {}, b'{"choices": []}'), "gateway.reply"),
    "a deep nest": ((200, {}, DEEP), "gateway.reply"),
    "a lone surrogate": ((200, {}, b'{"choices":[{"message":{"content":"\\ud800"}}]}'), "gateway.reply"),
    "bytes that are not UTF-8": ((200, {}, b'{"choices":[{"message":{"content":"\xff"}}]}'), "gateway.reply"),
    "negative tokens": ((200, {}, chat("x")[2].replace(b"11", b"-1")), "gateway.reply"),
    "tokens beyond measure": ((200, {}, chat("x")[2].replace(b"11", b"9" * 30)), "gateway.reply"),
    "content that is no text": (
        (200, {}, b'{"choices":[{"message":{"content":[{"type":"image"}]}}]}'),
        "gateway.reply",
    ),
    "an empty body": ((200, {}, b""), "gateway.reply"),
    "a body that breaks off": ((200, {"Content-Length": "99", "Connection": "close"}, b"x"), "reach.broken"),
    "not allowed": (refuse(401), "gateway.status"),
    "not found": (refuse(404), "gateway.status"),
    "no content": (refuse(204, ""), "gateway.status"),
    "a teapot": (refuse(418), "gateway.status"),
}


@pytest.mark.parametrize("name", REPLIES)
def test_a_hostile_answer_is_a_code(make: Callable[..., Provider], name: str) -> None:
    reply, code = REPLIES[name]
    provider = make(reply)
    (got,) = provider.ask()
    assert (got.text, got.code, len(provider.bodies)) == ("", code, 1)
    assert len(got.message) < 300


def test_a_storm_of_refusals_ends_after_its_attempts(make: Callable[..., Provider]) -> None:
    provider = make(refuse(429, "slow down"))
    (got,) = provider.ask(attempts=3)
    assert (got.code, got.message) == ("gateway.rate", "status 429: slow down")
    assert (len(provider.bodies), provider.waits) == (3, [0.5, 1.0])


def test_attempts_have_a_bound_whatever_is_configured(make: Callable[..., Provider]) -> None:
    provider = make(refuse(503))
    (got,) = provider.ask(attempts=4_000_000_000)
    assert (got.code, len(provider.bodies), max(provider.waits)) == ("gateway.status", 10, 30.0)


@pytest.mark.parametrize("asked", ["31", "999999"])
def test_a_provider_cannot_make_the_gateway_wait_long(make: Callable[..., Provider], asked: str) -> None:
    provider = make(refuse(429, **{"Retry-After": asked}))
    (got,) = provider.ask(attempts=5)
    assert (got.code, len(provider.bodies), provider.waits) == ("gateway.rate", 1, [])


@pytest.mark.parametrize("asked", ["soon", "-5", "1e9", "nan", "Sat, 21 Nov 2099 00:00:00 GMT", "9" * 400])
def test_a_strange_retry_after_counts_for_nothing(make: Callable[..., Provider], asked: str) -> None:
    provider = make(refuse(429, **{"Retry-After": asked}), chat("ok"))
    (got,) = provider.ask(attempts=2)
    assert (got.text, provider.waits) == ("ok", [0.5])


def test_a_hung_provider_meets_the_deadline_and_the_next_call_works(make: Callable[..., Provider]) -> None:
    provider = make(chat("ok"))
    with socket.create_server(("127.0.0.1", 0)) as hung:
        (got,) = provider.ask(base_url=f"http://{HOST}:{hung.getsockname()[1]}/v1", timeout_ms=100)
    assert got.code == "gateway.timeout"
    assert provider.ask()[0].text == "ok"


def test_the_next_address_is_tried_where_one_does_not_answer(make: Callable[..., Provider]) -> None:
    (got,) = make(chat("ok")).ask(found=["127.0.0.9", "127.0.0.1"])
    assert got.text == "ok"


def test_nobody_at_the_end_point_is_a_code(make: Callable[..., Provider]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    provider = make(chat("ok"))
    (got,) = provider.ask(base_url=f"http://{HOST}:{port}", attempts=2)
    assert (got.code, provider.waits) == ("reach.refused", [0.5])


@pytest.mark.parametrize(
    "text",
    [
        f"Incorrect API key provided: {KEY.decode()}.", KEY.decode() * 9, f"key={KEY.decode()[:25]}", "\x1b[31m" + "ab " * 500,
        "\u202e" + KEY.decode(), json.dumps({"error": {"message": KEY.decode()}}),
    ],
)  # fmt: skip
def test_no_error_shows_the_key_or_more_than_a_printable_part(make: Callable[..., Provider], text: str) -> None:
    (got,) = make(refuse(401, text)).ask()
    assert (
        got.code == "gateway.status" and len(got.message) <= 220 and got.message.isprintable() and got.message.isascii()
    )
    assert KEY[:24] not in got.SerializeToString()


URLS = {
    "plain http to the public": ("http://{host}:{port}/v1", ["93.184.215.14"], True, "reach.plaintext"),
    "plain http without the exception": ("http://{host}:{port}/v1", ["127.0.0.1"], False, "reach.plaintext"),
    "a private address without the exception": ("https://{host}:{port}/v1", ["10.0.0.1"], False, "address.private"),
    "metadata, exception or not": ("http://{host}:{port}/v1", ["169.254.169.254"], True, "address.link_local"),
    "a name that leads both ways": ("https://{host}:{port}/v1", ["1.1.1.1", "127.0.0.1"], False, "address.loopback"),
    "no address": ("https://{host}:{port}/v1", [], True, "address.unresolved"),
    "a user": ("https://a:b@{host}:{port}/v1", ["127.0.0.1"], True, "reach.url"),
    "a query": ("https://{host}:{port}/v1?x=1", ["127.0.0.1"], True, "reach.url"),
    "a fragment": ("https://{host}:{port}/v1#x", ["127.0.0.1"], True, "reach.url"),
    "another scheme": ("file:///etc/passwd", ["127.0.0.1"], True, "reach.url"),
    "a port that is none": ("https://{host}:99999/v1", ["127.0.0.1"], True, "reach.url"),
    "a line feed": ("https://{host}:{port}/v1\r\nX: y", ["127.0.0.1"], True, "reach.url"),
    "a backslash": ("https://{host}\\@evil.test/", ["127.0.0.1"], True, "reach.url"),
    "an address in another spelling": ("https://2130706433:{port}/v1", ["127.0.0.1"], True, "address.spelling"),
    "an IPv6 literal": ("https://[::1]:{port}/v1", ["127.0.0.1"], True, "address.name"),
    "nothing": ("", ["127.0.0.1"], True, "reach.url"),
}


@pytest.mark.parametrize("name", URLS)
def test_an_end_point_that_must_not_be_reached_is_not(make: Callable[..., Provider], name: str) -> None:
    url, found, private, code = URLS[name]
    provider = make(chat("ok"))
    base = url.format(host=HOST, port=provider.service.port)
    (got,) = provider.ask(base_url=base, found=found, allow_private=private)
    assert (got.code, provider.bodies) == (code, [])


U = Message(role=Message.USER, text="x")
CALLS = {
    "no message": (call(messages=[]), "gateway.request"),
    "no message of the user": (call(messages=[Message(role=Message.SYSTEM, text="x")]), "gateway.request"),
    "a role that is none": (call(messages=[U, Message(role=9, text="x")]), "gateway.request"),  # type: ignore[arg-type]
    "too many": (call(messages=[U] * 2000), "gateway.request"),
    "too much": (call(messages=[Message(role=Message.USER, text="x" * (3 << 20))]), "gateway.request"),
    "no bound": (call(max_tokens=0), "gateway.request"),
    "a bound beyond measure": (call(max_tokens=1 << 30), "gateway.request"),
    "a schema that is no JSON": (Generate(messages=[U], schema=b"{", max_tokens=1), "gateway.schema"),
    "a schema that is no object": (Generate(messages=[U], schema=b"true", max_tokens=1), "gateway.schema"),
    "a schema with a key twice": (Generate(messages=[U], schema=b'{"a":1,"a":2}', max_tokens=1), "gateway.schema"),
    "a schema too deep": (
        Generate(messages=[U], schema=b'{"a":' * 99 + b"1" + b"}" * 99, max_tokens=1),
        "gateway.schema",
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_outside_the_closed_form_is_refused(make: Callable[..., Provider], name: str) -> None:
    asked, code = CALLS[name]
    provider = make(chat("ok"))
    (got,) = provider.ask(asked)
    assert (got.code, provider.bodies) == (code, [])


def test_text_cannot_become_anything_but_text(make: Callable[..., Provider]) -> None:
    provider = make(chat("ok"))
    text = '"}],"tools":[{"type":"web_search"}],"model":"other","x":[{"y":"'
    provider.ask(call(messages=[Message(role=Message.USER, text=text)], schema={**SCHEMA, "model": "other"}))
    assert all(
        body["model"] == "m" and body["messages"][0] == {"role": "user", "content": text} for body in provider.bodies
    )
    assert set(provider.bodies[0]) == {"model", "messages", "max_tokens", "stream", "response_format"}


@pytest.mark.parametrize(
    "fields", [{"dialect": "other"}, {"model": ""}, {"timeout_ms": 0}, {"api_key": b"a\r\nX: y"}, {"api_key": b"\xff"}]
)
def test_a_start_that_makes_no_sense_generates_nothing(make: Callable[..., Provider], fields: dict[str, Any]) -> None:
    provider = make(chat("ok"))
    (got,) = provider.ask(**fields)
    assert got.code in {"gateway.start", "gateway.timeout"} and got.text == "" and provider.bodies == []
