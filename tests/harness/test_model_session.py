"""From goal to receipt with a real model: jailed planner, jailed gateway, the gate, a jailed step, and an answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from tests.support.world import World

from interlock.artifact.verdict import Decision
from interlock.decide.life import Status
from support.local_model import MODEL, local_model

pytestmark = pytest.mark.sandbox
GOAL = "Read the file notes.txt"
READ_FILE = {
    "name": "read_file", "group": "notes", "sentence": "Read the file {path}", "effect": "read", "reversibility": "pure",
    "arguments": {"path": {"type": "string", "role": "path", "description": "path of the file"}}, "accepts": "restricted",
    "resources": [{"kind": "file", "name": "{path}", "access": "read"}],
    "output": {"label": {"confidentiality": "internal"}}, "driver": {"name": "files", "operation": "read"},
}  # fmt: skip


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with local_model() as address:
        yield address


def modelled(make_world: Callable[..., World], url: str, extra: str = "") -> World:
    model = f'[model]\nbase_url = "{url}"\nname = "{MODEL}"\nallow_private = true\nkey_secret = "model-key"\n{extra}'
    world = make_world(extra=model)
    (world.files / "notes").mkdir()
    (world.files / "notes" / "interlock.json").write_text(json.dumps({"actions": [READ_FILE]}))
    toml = world.files / "interlock.toml"
    groups = 'groups = ["files", "http", "shell", "git", "tests", "model", "flow"]'
    toml.write_text(toml.read_text().replace(groups, 'groups = ["notes"]\npackages = ["notes"]'))
    world.reopen().core.vault.put("model-key", b"of-no-use-elsewhere")
    (world.files / "notes.txt").write_text("the notes say hello")
    return world


def test_a_goal_becomes_a_plan_an_effect_and_an_answer(make_world: Callable[..., World], url: str) -> None:
    world = modelled(make_world, url)
    task = world.harness.start_task(GOAL)
    outcome = world.harness.plan(task.id, "model")
    assert not outcome.violated
    decided = outcome.decided[-1]
    assert decided.verdict.decision is Decision.ALLOW, decided.verdict
    assert world.harness.execute(decided.digest or "") is Status.DONE
    [claim] = world.harness.core.store.claims(decided.digest or "")
    assert b"the notes say hello" in (claim.output or b"")
    answered = world.harness.answer(task.id, "model", decided.digest or "")
    assert answered.answer
    kinds = [entry.kind for entry in world.harness.core.ledger.entries()]
    assert {"task", "load", "completion", "plan", "decision", "grant", "intention", "outcome", "answer"} <= set(kinds)


def test_the_providers_key_reaches_neither_ledger_nor_planner(make_world: Callable[..., World], url: str) -> None:
    world = modelled(make_world, url)
    task = world.harness.start_task(GOAL)
    world.harness.plan(task.id, "model")
    ledger = world.harness.core.ledger
    assert not any(b"of-no-use-elsewhere" in ledger.payload(index) for index in range(ledger.size))


def test_what_the_planner_knows_may_be_too_much_for_the_provider(make_world: Callable[..., World], url: str) -> None:
    world = modelled(
        make_world, url, 'accepts = "internal"\n[[labels]]\npath = "notes.txt"\nconfidentiality = "private"\n'
    )
    task = world.harness.start_task(GOAL)
    world.harness.core.store.load_groups(task.id, task.groups)
    world.harness.observe(task.id, "read_file@1", {"path": "notes.txt"})
    outcome = world.harness.plan(task.id, "model")
    assert outcome.decided == []
    assert "completion" not in {entry.kind for entry in world.harness.core.ledger.entries()}
