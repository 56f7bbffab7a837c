"""A judge that says what a test wants: a provider on loopback that reads the inquiry it gets, and a workspace with it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from interlock.artifact.action import Effect, Reversibility
from interlock.artifact.label import Confidentiality, Integrity
from interlock.artifact.opinion import ArgumentFacts, EffectFacts, Inquiry, StepFacts
from support.egress import Reply
from support.provider import Provider, chat

Answer = dict[str, Any]
Says = Callable[[Answer], object]
_ASKED = re.compile(r"<data ([0-9a-f]{32})>\n(.*)\n<data \1>\nThe canary of this call is ([0-9a-f]{32})", re.DOTALL)


class JudgeProvider(Provider):
    """Answers each inquiry with what ``says`` makes of a right answer; ``inquiries`` are what it was told."""

    def __init__(self, says: Says = lambda right: right, *, plan: str = "fits", distance: int = 5) -> None:
        super().__init__(self._answer)
        self.says, self.plan, self.distance = says, plan, distance
        self.inquiries: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.service.port}/v1"

    def section(self, **fields: object) -> str:
        """The ``[judge]`` section of ``interlock.toml``."""
        values = {"base_url": self.url, "name": "second", "allow_private": True, "attempts": 1} | fields
        return "[judge]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())

    def _answer(self, body: dict[str, Any]) -> Reply:
        found = _ASKED.search(body["messages"][1]["content"])
        assert found is not None
        inquiry = json.loads(found[2])
        self.inquiries.append(inquiry)
        steps = [{"step": one["id"], "word": self.plan, "distance": self.distance} for one in inquiry["steps"]]
        said = self.says({"canary": found[3], "plan": self.plan, "steps": steps})
        return said if isinstance(said, tuple) else chat(said if isinstance(said, str) else json.dumps(said))


def one_step(**fields: Any) -> StepFacts:
    """A step that writes ``a.txt``, with any field changed."""
    path = ArgumentFacts(value="a.txt", known=True, confidentiality=Confidentiality.PUBLIC, integrity=Integrity.TRUSTED)
    writes = EffectFacts(
        effect=Effect.WRITE, on="file:/w/a.txt", open=False, reversibility=Reversibility.REVERSIBLE, external=False,
        claimed=False,
    )  # fmt: skip
    base: dict[str, Any] = {
        "id": "s1", "action": "files.write@1", "sentence": "Write {path}", "effect": Effect.WRITE,
        "reversibility": Reversibility.REVERSIBLE, "effects": (writes,), "destinations": (),
        "arguments": {"path": path},
    }  # fmt: skip
    return StepFacts(**(base | fields))


def inquiry(*steps: StepFacts, goal: str = "tidy up") -> Inquiry:
    return Inquiry(goal=goal, values=(), steps=steps or (one_step(),))
