"""The gateway against real servers on loopback: both dialects, the ways to ask for a schema, errors, digests."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from interlock.artifact import frames
from interlock.artifact.channel_pb2 import Generated
from interlock.outside.gateway import serve
from support.egress import HOST, Reply, certificate
from support.provider import KEY, SCHEMA, Provider, call, chat, claude, refuse


@pytest.fixture
def make() -> Iterator[Callable[..., Provider]]:
    made: list[Provider] = []

    def start(*replies: Any, **fields: Any) -> Provider:
        made.append(Provider(*replies, **fields))
        return made[-1]

    yield start
    for provider in made:
        provider.close()


def test_a_chat_completion_is_text_in_and_text_out(make: Callable[..., Provider]) -> None:
    provider = make(chat("Fine."))
    (got,) = provider.ask()
    assert (got.text, got.code, got.input_tokens, got.output_tokens) == ("Fine.", "", 11, 7)
    ((method, path, headers, raw),) = provider.service.requests
    assert (method, path, headers["authorization"]) == ("POST", "/v1/chat/completions", f"Bearer {KEY.decode()}")
    assert headers["accept-encoding"] == "identity" and KEY not in raw
    assert got.request_digest == hashlib.sha256(raw).hexdigest()
    assert got.response_digest == hashlib.sha256(chat("Fine.")[2]).hexdigest()
    assert provider.bodies[0] == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Yes?"},
            {"role": "user", "content": "How are you?"},
        ],
        "max_tokens": 100,
        "stream": False,
    }


def test_a_message_of_the_messages_api(make: Callable[..., Provider]) -> None:
    provider = make(
        claude({"type": "thinking", "thinking": "x"}, {"type": "text", "text": "Fi"}, {"type": "text", "text": "ne."})
    )
    (got,) = provider.ask(dialect="anthropic", base_url=f"http://{HOST}:{provider.service.port}")
    assert (got.text, got.code, got.input_tokens, got.output_tokens) == ("Fine.", "", 9, 3)
    ((_, path, headers, _),) = provider.service.requests
    assert (path, headers["x-api-key"], headers["anthropic-version"]) == ("/v1/messages", KEY.decode(), "2023-06-01")
    assert "authorization" not in headers
    assert provider.bodies[0]["system"] == "Be brief." and [m["role"] for m in provider.bodies[0]["messages"]] == [
        "user",
        "assistant",
        "user",
    ]


def _only(*known: str) -> Callable[[dict[str, Any]], Reply]:
    """A server that knows some ways to ask for a schema, and refuses the others as real ones do."""

    def reply(body: dict[str, Any]) -> Reply:
        form = body.get("response_format", {}).get("type") or ("tool" if "tools" in body else "")
        if form not in known:
            return refuse(500 if form == "json_schema" else 400)
        if form == "tool":
            return chat(
                None, "tool_calls", tool_calls=[{"id": "1", "function": {"name": "answer", "arguments": '{"a": 1}'}}]
            )
        return chat('{"a": 1}')

    return reply


@pytest.mark.parametrize(("way", "tries"), [("json_schema", 1), ("tool", 2), ("json_object", 3)])
def test_the_way_that_works_is_found_and_remembered(make: Callable[..., Provider], way: str, tries: int) -> None:
    provider = make(_only(way))
    first, second = provider.ask(call(schema=SCHEMA), call(schema=SCHEMA), attempts=3)
    assert [(got.text, got.code) for got in (first, second)] == [('{"a": 1}', "")] * 2
    assert len(provider.bodies) == tries + 1 and provider.waits == []
    last = provider.bodies[-1]
    match way:
        case "json_schema":
            assert last["response_format"]["json_schema"] == {"name": "answer", "schema": SCHEMA, "strict": True}
        case "tool":
            assert (
                last["tools"][0]["function"]["parameters"] == SCHEMA
                and last["tool_choice"]["function"]["name"] == "answer"
            )
        case _:
            assert json.dumps(SCHEMA, separators=(",", ":"), sort_keys=True) in last["messages"][-1]["content"]


@pytest.mark.parametrize(("refused", "tries"), [(0, 1), (1, 2), (2, 3)])
def test_the_messages_api_has_its_own_ways(make: Callable[..., Provider], refused: int, tries: int) -> None:
    answer = (
        claude({"type": "tool_use", "name": "answer", "input": {"a": 1.5}})
        if refused == 1
        else claude({"type": "text", "text": '{"a":1.5}'})
    )
    provider = make(*[refuse(400)] * refused, answer)
    (got,) = provider.ask(call(schema=SCHEMA), dialect="anthropic")
    assert (json.loads(got.text), got.code, len(provider.bodies)) == ({"a": 1.5}, "", tries)
    last = provider.bodies[-1]
    assert (last.get("output_config") is not None, "tools" in last) == (refused == 0, refused == 1)
    assert ("JSON Schema" in last["system"]) == (refused == 2)


def test_a_server_that_ignores_the_schema_is_asked_in_other_ways_and_believed_in_none(
    make: Callable[..., Provider],
) -> None:
    provider = make(chat("I am fine."))
    first, second = provider.ask(call(schema=SCHEMA), call(schema=SCHEMA))
    assert first.text == second.text == "I am fine." and first.input_tokens == 33 and len(provider.bodies) == 6


def test_wrong_json_comes_back_as_text_for_the_caller_to_judge(make: Callable[..., Provider]) -> None:
    provider = make(chat('{"a": "not an integer", "more": 1}'))
    (got,) = provider.ask(call(schema=SCHEMA))
    assert (got.text, got.code, len(provider.bodies)) == ('{"a": "not an integer", "more": 1}', "", 1)


def test_the_newer_name_of_the_bound_is_learned(make: Callable[..., Provider]) -> None:
    provider = make(refuse(400, "use 'max_completion_tokens' instead"), chat("ok"))
    first, second = provider.ask(call(), call())
    assert first.text == second.text == "ok" and len(provider.bodies) == 3
    assert [("max_tokens" in body, "max_completion_tokens" in body) for body in provider.bodies] == [
        (True, False),
        (False, True),
        (False, True),
    ]


def test_it_is_tried_again_with_growing_waits_and_as_the_provider_asks(make: Callable[..., Provider]) -> None:
    provider = make(refuse(503), refuse(500), refuse(429, **{"Retry-After": "7"}), chat("ok"))
    (got,) = provider.ask(attempts=4)
    assert (got.text, provider.waits) == ("ok", [0.5, 1.0, 7.0])


@pytest.mark.parametrize("trusted", [True, False])
def test_tls_is_verified_against_the_name(make: Callable[..., Provider], trusted: bool) -> None:
    provider = make(chat("ok"), tls=True)
    (got,) = provider.ask(ca_bundle=certificate()[0] if trusted else b"")
    assert (got.text, got.code) == (("ok", "") if trusted else ("", "reach.certificate"))
    assert len(provider.bodies) == (1 if trusted else 0)


def test_a_connection_is_kept_between_calls(make: Callable[..., Provider]) -> None:
    provider = make(chat("ok"))
    assert [got.text for got in provider.ask(call(), call(), call())] == ["ok"] * 3
    assert provider.service.connections == 1


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (chat(None, refusal="I cannot"), "gateway.refused"), (chat("x", "content_filter"), "gateway.refused"),
        (chat('{"a"', "length"), "gateway.truncated"), (chat(None), "gateway.empty"), (chat(""), "gateway.empty"),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_a_code(make: Callable[..., Provider], reply: Reply, code: str) -> None:
    (got,) = make(reply).ask()
    assert got.code == code


@pytest.mark.parametrize(("stop", "code"), [("refusal", "gateway.refused"), ("max_tokens", "gateway.truncated")])
def test_an_answer_that_is_none_in_the_other_dialect(make: Callable[..., Provider], stop: str, code: str) -> None:
    (got,) = make(claude({"type": "text", "text": "x"}, stop=stop)).ask(dialect="anthropic")
    assert (got.text, got.code) == ("x", code)


def test_the_process_serves_its_channel(make: Callable[..., Provider]) -> None:
    provider = make(chat("ok"))
    harness, inner = socket.socketpair()
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(serve(inner, {})))
    thread.start()
    with harness, inner:
        url = f"http://127.0.0.1:{provider.service.port}/v1"
        frames.send(harness, provider.start(base_url=url).SerializeToString())
        for _ in range(2):
            frames.send(harness, call().SerializeToString())
            assert Generated.FromString(frames.receive(harness) or b"").text == "ok"
        harness.shutdown(socket.SHUT_WR)
        thread.join(20)
    assert codes == [0]
