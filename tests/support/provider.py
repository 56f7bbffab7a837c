"""A provider of models on loopback that says what a test wants, and the calls and answers of both dialects."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

from interlock.artifact.channel_pb2 import GatewayStart, Generate, Generated, Message
from interlock.outside.gateway import Gateway
from support.egress import HOST, Reply, Service

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
KEY = b"sk-very-secret-key-0123456789"


class Provider:
    """A server that answers each post with the next of ``replies`` (the last one again and again)."""

    def __init__(self, *replies: Reply | Callable[[dict[str, Any]], Reply], tls: bool = False) -> None:
        self.replies = list(replies)
        self.bodies: list[dict[str, Any]] = []
        self.raw: list[bytes] = []
        self.waits: list[float] = []
        self.service = Service(self._reply, tls=tls)
        self.close = self.service.close
        self.scheme = "https" if tls else "http"

    def _reply(self, _: str, __: str, body: bytes) -> Reply:
        self.raw.append(body)
        self.bodies.append(json.loads(body))
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return reply(self.bodies[-1]) if callable(reply) else reply

    def start(self, **fields: Any) -> GatewayStart:
        url = fields.pop("base_url", f"{self.scheme}://{HOST}:{self.service.port}/v1")
        defaults = {"dialect": "openai", "model": "m", "api_key": KEY, "timeout_ms": 20_000, "attempts": 1}
        return GatewayStart(base_url=url, **{**defaults, "allow_private": True, **fields})

    def ask(self, *calls: Generate, found: Sequence[str] = ("127.0.0.1",), **fields: Any) -> list[Generated]:
        return asyncio.run(self._ask(calls or (call(),), found, fields))

    async def _ask(self, calls: Sequence[Generate], found: Sequence[str], fields: Any) -> list[Generated]:
        async def resolver(*_: object) -> Sequence[str]:
            return found

        async def pause(seconds: float) -> None:
            self.waits.append(seconds)

        gateway = Gateway(self.start(**fields), resolver=resolver, pause=pause)
        try:
            return [await gateway.generate(each) for each in calls]
        finally:
            await gateway.close()


def call(*, schema: object = None, max_tokens: int = 100, **fields: Any) -> Generate:
    messages = [
        Message(role=Message.SYSTEM, text="Be brief."),
        Message(role=Message.USER, text="Hello"),
        Message(role=Message.ASSISTANT, text="Yes?"),
        Message(role=Message.USER, text="How are you?"),
    ]
    raw = b"" if schema is None else json.dumps(schema).encode()
    return Generate(**{"messages": messages, "schema": raw, "max_tokens": max_tokens, **fields})


def chat(text: str | None, finish: str = "stop", **message: Any) -> Reply:
    body = {
        "id": "x", "created": 1.5, "choices": [{"index": 0, "message": {"content": text, **message}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7},
    }  # fmt: skip
    return 200, {}, json.dumps(body).encode()


def claude(*blocks: dict[str, Any], stop: str = "end_turn") -> Reply:
    usage = {"input_tokens": 5, "output_tokens": 3, "cache_read_input_tokens": 4, "cache_creation_input_tokens": None}
    return 200, {}, json.dumps({"content": blocks, "stop_reason": stop, "usage": usage}).encode()


def refuse(status: int, text: str = "no", **headers: str) -> Reply:
    return status, headers, text.encode()
