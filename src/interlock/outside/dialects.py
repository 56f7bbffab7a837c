"""What two families of model providers say: a closed, text-only request in, bytes out; bytes in, an answer out.

Pure.  ``openai`` is the chat completions of OpenAI and of the many servers that speak it; ``anthropic`` is the
Messages API (version 2023-06-01).  A request holds messages, at most one JSON Schema, and a bound of tokens: no
stop sequence, tool, image, file, stream or user identifier can be asked for.

Where a schema is given, a dialect knows several *ways* to ask for it, strictest first; which of them a server
knows is found out by asking.  Whatever the way, the answer is text, and it is the caller who validates it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal, Protocol, TypeAlias, TypeVar

import msgspec

from interlock.artifact.codec import Json
from interlock.artifact.errors import InterlockError

Way: TypeAlias = Literal["json_schema", "tool", "json_object", "text"]
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=(1 << 53) - 1)]
T = TypeVar("T")

STRUCTURED: Final[tuple[Way, ...]] = ("json_schema", "tool", "json_object")
_NAME: Final = "answer"


class GatewayError(InterlockError):
    """A generation that failed; ``code`` is what the harness sees."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One request: (role, text) pairs, a schema or ``None``, and the most tokens of the answer."""

    model: str
    messages: Sequence[tuple[Literal["system", "user", "assistant"], str]]
    schema: Json
    max_tokens: int


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back; ``code`` is empty where it is whole."""

    text: str
    input_tokens: int = 0
    output_tokens: int = 0
    code: str = ""


class Dialect(Protocol):
    """How to speak to one family."""

    path: str

    def headers(self, api_key: str) -> dict[str, str]:
        """The header fields that carry the key."""
        ...

    def request(self, ask: Ask, way: Way) -> dict[str, Json]:
        """The body to post."""
        ...

    def learn(self, body: bytes) -> bool:
        """Whether a refusal taught this dialect another spelling, so that the same way is worth another try."""
        ...

    def answer(self, body: bytes) -> Answer:
        """Read a body; raises ``GatewayError``."""
        ...


def instruction(schema: Json) -> str:
    """The words that ask for a schema where nothing else does."""
    text = msgspec.json.encode(schema, order="sorted").decode("utf-8")
    return f"Answer with one JSON value that satisfies this JSON Schema, and with nothing else:\n{text}"


class _Function(msgspec.Struct):
    arguments: str = ""


class _ToolCall(msgspec.Struct):
    function: _Function


class _ChatMessage(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    message: _ChatMessage
    finish_reason: str | None = None


class _ChatUsage(msgspec.Struct):
    prompt_tokens: Count = 0
    completion_tokens: Count = 0


class _ChatReply(msgspec.Struct):
    choices: list[_Choice]
    usage: _ChatUsage | None = None


class OpenAI:
    """Chat completions; some models want the bound of tokens under its newer name, which is learned."""

    path = "/chat/completions"

    def __init__(self) -> None:
        self._bound = "max_tokens"

    def headers(self, api_key: str) -> dict[str, str]:
        """A bearer token, where there is a key."""
        return {"Authorization": f"Bearer {api_key}"} if api_key else {}

    def request(self, ask: Ask, way: Way) -> dict[str, Json]:
        """The body to post."""
        messages = [{"role": role, "content": text} for role, text in ask.messages]
        extra: Mapping[str, Json] = {}
        match way:
            case "json_schema":
                form = {"name": _NAME, "schema": ask.schema, "strict": True}
                extra = {"response_format": {"type": "json_schema", "json_schema": form}}
            case "tool":
                tool = {"name": _NAME, "description": "Give the answer.", "parameters": ask.schema}
                extra = {
                    "tools": [{"type": "function", "function": tool}],
                    "tool_choice": {"type": "function", "function": {"name": _NAME}},
                }
            case "json_object":
                messages.append({"role": "system", "content": instruction(ask.schema)})
                extra = {"response_format": {"type": "json_object"}}
            case "text":
                pass
        return {"model": ask.model, "messages": messages, self._bound: ask.max_tokens, "stream": False, **extra}

    def learn(self, body: bytes) -> bool:
        """Take up ``max_completion_tokens`` where a refusal names it."""
        if b"max_completion_tokens" not in body or self._bound == "max_completion_tokens":
            return False
        self._bound = "max_completion_tokens"
        return True

    def answer(self, body: bytes) -> Answer:
        """The first choice's tool arguments or content."""
        reply = _decoded(body, _ChatReply)
        if not reply.choices:
            raise GatewayError("gateway.reply", "an answer without a choice")
        choice, usage = reply.choices[0], reply.usage or _ChatUsage()
        calls = choice.message.tool_calls or []
        text = calls[0].function.arguments if calls else choice.message.content or ""
        refused = bool(choice.message.refusal) or choice.finish_reason == "content_filter"
        return Answer(
            text=text,
            input_tokens=usage.prompt_tokens,
            output_tokens=usage.completion_tokens,
            code=_ending(refused=refused, cut=choice.finish_reason == "length"),
        )


class _Block(msgspec.Struct):
    type: str
    text: str = ""
    input: msgspec.Raw = msgspec.Raw(b"")


class _Usage(msgspec.Struct):
    input_tokens: Count = 0
    output_tokens: Count = 0
    cache_creation_input_tokens: Count | None = 0
    cache_read_input_tokens: Count | None = 0


class _MessagesReply(msgspec.Struct):
    content: list[_Block]
    stop_reason: str | None = None
    usage: _Usage | None = None


class Anthropic:
    """The Messages API; there is no JSON mode without a schema, so its third way is words alone."""

    path = "/v1/messages"

    def headers(self, api_key: str) -> dict[str, str]:
        """The key and the version of the interface."""
        return {"anthropic-version": "2023-06-01", **({"x-api-key": api_key} if api_key else {})}

    def request(self, ask: Ask, way: Way) -> dict[str, Json]:
        """The body to post."""
        system = [text for role, text in ask.messages if role == "system"]
        extra: Mapping[str, Json] = {}
        match way:
            case "json_schema":
                extra = {"output_config": {"format": {"type": "json_schema", "schema": ask.schema}}}
            case "tool":
                tool = {"name": _NAME, "description": "Give the answer.", "input_schema": ask.schema}
                extra = {"tools": [tool], "tool_choice": {"type": "tool", "name": _NAME}}
            case "json_object":
                system.append(instruction(ask.schema))
            case "text":
                pass
        messages = [{"role": role, "content": text} for role, text in ask.messages if role != "system"]
        asked: dict[str, Json] = {"model": ask.model, "max_tokens": ask.max_tokens, "messages": messages, **extra}
        return asked | ({"system": "\n\n".join(system)} if system else {})

    def learn(self, body: bytes) -> bool:
        """Nothing to learn."""
        del body
        return False

    def answer(self, body: bytes) -> Answer:
        """The tool's input, byte for byte, or the text blocks."""
        reply = _decoded(body, _MessagesReply)
        usage = reply.usage or _Usage()
        cached = (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)
        tools = [bytes(block.input).decode("utf-8") for block in reply.content if block.type == "tool_use"]
        return Answer(
            text=tools[0] if tools else "".join(block.text for block in reply.content if block.type == "text"),
            input_tokens=usage.input_tokens + cached,
            output_tokens=usage.output_tokens,
            code=_ending(refused=reply.stop_reason == "refusal", cut=reply.stop_reason == "max_tokens"),
        )


def _ending(*, refused: bool, cut: bool) -> str:
    return "gateway.refused" if refused else "gateway.truncated" if cut else ""


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise GatewayError("gateway.reply", "an answer that is not of the provider's published form") from None
