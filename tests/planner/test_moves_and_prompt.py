"""The schema that a provider sees, and prompts whose data cannot close its own fence."""

from __future__ import annotations

import json

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.artifact import codec
from interlock.artifact.action import Argument, Role
from interlock.planner import moves, prompt
from support.samples import MANIFEST
from support.scripted_harness import move, plan

PROPOSAL = json.dumps(
    {
        "$ref": "#/$defs/Proposal",
        "$defs": {
            "Proposal": {
                "type": "object",
                "properties": {"task": {"type": "string"}, "parent": {}, "goal": {"type": "string"}, "steps": {}},
                "required": ["task", "goal", "steps"],
                "additionalProperties": False,
            }
        },
    }
).encode()


def accepts(text: str, *, schema: bytes) -> bool:
    return jsonschema.Draft202012Validator(json.loads(schema)).is_valid(json.loads(text))


@pytest.mark.parametrize(
    "text",
    [
        plan(),
        move("load", groups=["files"]),
        move("observe", action="a@1", arguments={}),
        move("ask", question="which?"),
        move("answer", text="done"),
    ],
)
def test_the_schema_admits_what_the_planner_reads(text: str) -> None:
    assert accepts(text, schema=moves.schema(PROPOSAL, moves.ALL))
    assert accepts(text, schema=moves.schema(b"", moves.ALL))
    moves.read(text)


@pytest.mark.parametrize(
    "text",
    [
        move("answer", text="x", more=1),
        move("execute", command="id"),
        move("load", groups=[]),
        move("propose", proposal={"goal": "x"}),
        move("propose", proposal={"goal": "x", "steps": [], "task": "0"}),
        "{}",
    ],
)
def test_the_schema_refuses_the_rest(text: str) -> None:
    assert not accepts(text, schema=moves.schema(PROPOSAL, moves.ALL))


def test_a_closed_move_is_not_in_the_schema() -> None:
    assert not accepts(move("ask", question="x"), schema=moves.schema(PROPOSAL, moves.ALL - {"ask"}))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200), st.text(max_size=20))
def test_no_content_can_close_its_fence(text: str, name: str) -> None:
    block = prompt.data(name, text, label="x")
    closing = block.rpartition("\n")[2]
    assert block.count(closing) == 1
    assert block.endswith(closing)


def test_a_long_block_is_cut_and_says_so() -> None:
    block = prompt.data("a", "x" * (prompt.MAX_BLOCK + 5), label="x")
    assert "[cut: 5 more characters]" in block
    assert len(block) < prompt.MAX_BLOCK + 200


def test_visible_text_is_never_empty() -> None:
    assert prompt.visible("\u200b") == "."


def test_an_action_is_shown_as_far_as_a_plan_needs_it() -> None:
    shown = json.loads(prompt.actions([codec.encode(MANIFEST)]).splitlines()[1])
    assert shown["action"] == "resize_database@3"
    assert shown["arguments"]["instance"]["choices"] == ["a", "b"]
    assert not {"driver", "secrets", "cost"} & shown.keys()
    plain = msgspec.structs.replace(MANIFEST, arguments={"path": Argument(type="string", role=Role.PATH)})
    shown = json.loads(prompt.actions([codec.encode(plain)]).splitlines()[1])
    assert shown["arguments"] == {"path": {"type": "string", "role": "path", "required": True}}
