"""The model gateway: the one process that holds the provider's key, and that talks to nobody else.

A jailed process.  The harness sends ``GatewayStart`` once (provider, model, key), then ``Generate`` after
``Generate``, each answered by one ``Generated``.  Guarantees: model and end point never change; a request holds
texts, a schema and a bound and nothing else; the time of one call, repetitions and waiting included, is bounded,
and so is what is read; the digests are those of the very bytes that were posted (the key is not among them) and
received; an error is a code and at most 200 printable characters, in which no long run stands, so no key.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import socket
from collections.abc import Awaitable, Callable
from typing import Final, Literal, cast

import msgspec

from interlock.artifact import channel as frames
from interlock.artifact import codec
from interlock.artifact.channel_pb2 import GatewayStart, Generate, Generated, Message
from interlock.artifact.errors import ChannelError, InterlockError
from interlock.outside import reach
from interlock.outside.dialects import STRUCTURED, Answer, Anthropic, Ask, Dialect, GatewayError, OpenAI, Way
from interlock.outside.posting import Poster, Reply, target_of

MAX_REPLY: Final = 4 << 20
MAX_TEXT: Final = 2 << 20
_MAX_MESSAGES: Final = 1024
_MAX_TOKENS: Final = 1 << 18
_MAX_WAIT: Final = 30.0
_MAX_ATTEMPTS: Final = 10
_OK, _TOO_MANY, _INTERNAL = 200, 429, 500
_UNKNOWN_WAY: Final = frozenset({400, 415, 422, 501})
_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
_BROKEN: Final = frozenset({"reach.refused", "reach.broken", "reach.timeout"})
_ROLES: Final[dict[int, Literal["system", "user", "assistant"]]] = {
    Message.SYSTEM: "system",
    Message.USER: "user",
    Message.ASSISTANT: "assistant",
}

Pause = Callable[[float], Awaitable[None]]


def serve(channel: socket.socket, directories: dict[str, int]) -> int:
    """Run until the harness closes the channel; 0, or 1 where it spoke out of turn."""
    del directories
    try:
        start = frames.receive(channel, GatewayStart)
        if start is None:
            return 0
        gateway = Gateway(start)
        with asyncio.Runner() as runner:
            while (call := frames.receive(channel, Generate)) is not None:
                frames.send(channel, runner.run(gateway.generate(call)))
            runner.run(gateway.close())
    except ChannelError:
        return 1
    return 0


class Gateway:
    """One provider, one model; ``resolver`` and ``pause`` differ from the defaults only in tests."""

    def __init__(
        self, start: GatewayStart, *, resolver: reach.Resolver = reach.resolve, pause: Pause = asyncio.sleep
    ) -> None:
        self._start = start
        self._resolver = resolver
        self._pause = pause
        self._dialect: Dialect = Anthropic() if start.dialect == "anthropic" else OpenAI()
        self._poster: Poster | None = None
        self._known: Way | None = None

    async def close(self) -> None:
        """Drop the connection to the provider."""
        if self._poster is not None:
            await self._poster.close()
        self._poster = None

    async def generate(self, call: Generate) -> Generated:
        """One answer, or a code that says why there is none; never raises for what a provider does."""
        seen = Generated()
        try:
            async with asyncio.timeout(self._start.timeout_ms / 1000):
                answer = await self._answer(self._ask(call), seen)
        except TimeoutError:
            seen.code, seen.message = "gateway.timeout", "no answer in time"
            await self.close()
        except InterlockError as error:
            seen.code, seen.message = error.code, self._printable(error.message)
        else:
            seen.text, seen.code = answer.text, answer.code
        return seen

    def _ask(self, call: Generate) -> Ask:
        messages = [(_ROLES.get(message.role), message.text) for message in call.messages]
        if not 0 < len(messages) <= _MAX_MESSAGES or sum(len(text) for _, text in messages) > MAX_TEXT:
            raise GatewayError("gateway.request", "no messages, or more than the gateway carries")
        if any(role is None for role, _ in messages) or not any(role == "user" for role, _ in messages):
            raise GatewayError("gateway.request", "a message of no known role, or none of the user")
        if not 0 < call.max_tokens <= _MAX_TOKENS:
            raise GatewayError("gateway.request", f"the bound of tokens must be 1 to {_MAX_TOKENS}")
        known = cast("list[tuple[Literal['system', 'user', 'assistant'], str]]", messages)
        schema = self._schema(call.schema) if call.schema else None
        return Ask(model=self._start.model, messages=known, schema=schema, max_tokens=call.max_tokens)

    @staticmethod
    def _schema(raw: bytes) -> codec.Json:
        try:
            schema = codec.parse(raw, data=True)
        except InterlockError as error:
            raise GatewayError("gateway.schema", f"not a JSON Schema: {error.code}") from None
        if not isinstance(schema, dict):
            raise GatewayError("gateway.schema", "a JSON Schema must be an object")
        return schema

    async def _answer(self, ask: Ask, seen: Generated) -> Answer:
        """The answer of the first way that the provider knows, or of the last one."""
        ways = self._ways(ask)
        for way in ways:
            others = self._other_way(way) if way != ways[-1] else frozenset[int]()
            reply = await self._posted(ask, way, seen, others)
            if reply.status in others:
                continue
            if reply.status != _OK:
                raise self._refusal(reply)
            answer = self._dialect.answer(reply.body)
            seen.input_tokens += answer.input_tokens
            seen.output_tokens += answer.output_tokens
            if self._fits(answer, way) or not others:
                return _with_text(answer)
        raise AssertionError("the last way returns or raises")

    def _ways(self, ask: Ask) -> tuple[Way, ...]:
        """The way that worked before comes first."""
        if ask.schema is None:
            return ("text",)
        return tuple(sorted(STRUCTURED, key=lambda way: way != self._known))

    def _other_way(self, way: Way) -> frozenset[int]:
        """What says that a provider does not know this way; some servers say so with an internal error."""
        return _UNKNOWN_WAY if way == self._known else _UNKNOWN_WAY | {_INTERNAL}

    def _fits(self, answer: Answer, way: Way) -> bool:
        """Whether to stay with this way: it was kept to, as far as the gateway can see; or it was once."""
        if way != "text" and _is_json(answer.text):
            self._known = way
        return bool(answer.code) or (bool(answer.text) and way == self._known)

    async def _posted(self, ask: Ask, way: Way, seen: Generated, others: frozenset[int]) -> Reply:
        """Post until there is an answer that repeating would not better, or no attempt is left."""
        attempts = max(1, min(self._start.attempts, _MAX_ATTEMPTS))
        for attempt in range(1, attempts + 1):
            last = attempt == attempts
            try:
                reply = await self._once(ask, way, seen)
            except reach.ReachError as error:
                if last or error.code not in _BROKEN:
                    raise
                await self._pause(_backoff(attempt))
                continue
            if last or reply.status not in _AGAIN - others:
                return reply
            await self._pause(self._wait(reply, attempt))
        raise AssertionError("the last attempt returns or raises")

    async def _once(self, ask: Ask, way: Way, seen: Generated) -> Reply:
        reply = await self._exchange(ask, way, seen)
        if reply.status in _UNKNOWN_WAY and self._dialect.learn(reply.body):
            reply = await self._exchange(ask, way, seen)
        return reply

    async def _exchange(self, ask: Ask, way: Way, seen: Generated) -> Reply:
        body = msgspec.json.encode(self._dialect.request(ask, way))
        seen.request_digest, seen.response_digest = hashlib.sha256(body).hexdigest(), ""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        reply = await self._post(headers | self._dialect.headers(self._key()), body)
        seen.response_digest = hashlib.sha256(reply.body).hexdigest()
        return reply

    async def _post(self, headers: dict[str, str], body: bytes) -> Reply:
        if self._poster is None:
            start = self._start
            if start.dialect not in {"openai", "anthropic"} or not start.model or not start.timeout_ms:
                raise GatewayError("gateway.start", "the dialect, the model or the time is missing")
            target = target_of(start.base_url, allow_private=start.allow_private)
            self._poster = Poster(
                target, allow_private=start.allow_private, ca_bundle=start.ca_bundle, resolver=self._resolver
            )
        return await self._poster.post(self._dialect.path, headers, body, limit=MAX_REPLY)

    def _key(self) -> str:
        key = self._start.api_key.decode("latin-1")
        if not re.fullmatch(r"[\x21-\x7e]*", key):
            raise GatewayError("gateway.start", "the key is not printable ASCII")
        return key

    def _wait(self, reply: Reply, attempt: int) -> float:
        """How long to wait: what the provider asks for, or twice as long each time; raises where it is too long."""
        asked = float(reply.retry_after) if re.fullmatch(r"[0-9]{1,6}", reply.retry_after) else _backoff(attempt)
        if asked > _MAX_WAIT:
            raise self._refusal(reply)
        return asked

    def _refusal(self, reply: Reply) -> GatewayError:
        code = "gateway.rate" if reply.status == _TOO_MANY else "gateway.status"
        return GatewayError(code, f"status {reply.status}: {self._printable(reply.body.decode('ascii', 'replace'))}")

    def _printable(self, text: str) -> str:
        key = self._start.api_key.decode("latin-1")
        shown = text.replace(key, "[key]") if key else text
        return re.sub(r"\S{24,}", "[...]", re.sub(r"[^\x20-\x7e]+", " ", shown))[:200]


def _with_text(answer: Answer) -> Answer:
    if not answer.text and not answer.code:
        raise GatewayError("gateway.empty", "an answer without text")
    return answer


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True


def _backoff(attempt: int) -> float:
    return min(0.5 * 2.0 ** (attempt - 1), _MAX_WAIT)
