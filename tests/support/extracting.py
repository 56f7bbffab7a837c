"""A workspace whose quarantined model is a provider on loopback that says what a test wants."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.support.world import World, proposal, step

from interlock.artifact.codec import Json
from interlock.artifact.plan import ProposedStep
from support.egress import Reply
from support.provider import Provider, chat

SECTION = """
[extract]
base_url = "{url}"
name = "m"
allow_private = true
attempts = 1
"""
FIELDS: dict[str, Json] = {
    "name": {"type": "string", "maxLength": 16},
    "total": {"type": "integer", "minimum": 0, "maximum": 100},
    "kind": {"type": "enum", "choices": ["bill", "letter"]},
    "paid": {"type": "boolean"},
    "tags": {"type": "list", "items": {"type": "string", "maxLength": 8}, "maxItems": 2},
}
ANSWER: dict[str, Json] = {"name": "Acme", "total": 7, "kind": "bill", "paid": True, "tags": ["a"]}


@contextmanager
def answering(*replies: Reply | Callable[[dict[str, Any]], Reply] | Mapping[str, Json]) -> Iterator[Provider]:
    """A provider; a mapping is an answer of the model."""
    provider = Provider(*(chat(json.dumps(one)) if isinstance(one, Mapping) else one for one in replies))
    try:
        yield provider
    finally:
        provider.close()


def section(provider: Provider, more: str = "") -> str:
    """The configuration that names the provider."""
    return SECTION.format(url=f"http://127.0.0.1:{provider.service.port}/v1") + more


def extract(name: str, text: Json, **fields: object) -> ProposedStep:
    """A step that extracts; ``asked`` are its fields."""
    asked = fields.pop("asked", FIELDS)
    arguments = {"text": text, "question": "What does it say?", "fields": asked}
    return step(name, "model.extract@1", arguments=arguments, **fields)


def read(name: str, path: str) -> ProposedStep:
    """A step that reads a file."""
    return step(name, "files.read@1", arguments={"path": path})


def run(world: World, task: Any, *steps: ProposedStep) -> tuple[str, dict[str, Any]]:
    """Propose, approve where it asks, and run: the plan's status (or its verdict) and its claims by step."""
    decided = world.harness.propose(task.id, proposal(task, *steps))
    if decided.digest is None or decided.verdict.decision.value in {"DENY", "DEFER"}:
        return decided.verdict.decision.value, {}
    if decided.verdict.decision.value == "STEP_UP":
        world.harness.preview(decided.digest)
        world.harness.approve(world.approval(decided.digest))
    status = world.harness.execute(decided.digest)
    return status.value, {f"{one.step}/{one.iteration}": one for one in world.harness.core.store.claims(decided.digest)}
