"""``model.extract`` from plan to value: a real provider behind a jailed gateway of its own, and a real small model."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from tests.support.world import World, proposal, step, write

from interlock.artifact.label import Confidentiality
from interlock.artifact.plan import ForEach
from interlock.artifact.verdict import Decision
from interlock.decide.life import Status
from support.extracting import ANSWER, FIELDS, answering, extract, read, run, section
from support.local_model import MODEL, local_model

pytestmark = pytest.mark.sandbox
LETTER = "Dear all, Acme sends a bill of 7. It is paid."


def test_a_text_becomes_typed_values_that_nobody_trusts(make_world: Callable[..., World]) -> None:
    with answering(ANSWER) as provider:
        world = make_world(extra=section(provider))
        (world.files / "letter.txt").write_text(LETTER)
        task = world.task("read the letter")
        before = world.harness.core.store.task(task.id).spent
        status, claims = run(
            world, task, read("s1", "letter.txt"), extract("s2", {"$ref": "s1.output.text"}),
            write("s3", "out.txt", {"$ref": "s2.output.name"}, when={"$eq": [{"$ref": "s2.output.kind"}, "bill"]}),  # type: ignore[arg-type]
        )  # fmt: skip
        assert (status, claims["s2/0"].labelled.value) == ("done", ANSWER)
        assert claims["s2/0"].labelled.label.untrusted
        assert (world.files / "out.txt").read_text() == "Acme"
        [body] = provider.bodies
        told = json.dumps(body)
        assert LETTER in told and "read the letter" not in told
        assert "tools" not in body and len(body["messages"]) == 2
        spent = world.harness.core.store.task(task.id).spent
        assert (spent.completions - before.completions, spent.tokens - before.tokens) == (1, 18)
        entries = world.harness.core.ledger.entries()
        assert [entry.code for entry in entries if entry.kind == "completion"] == ["18"]


def test_what_is_extracted_may_inform_and_needs_a_person_where_it_decides(make_world: Callable[..., World]) -> None:
    with answering(ANSWER) as provider:
        world = make_world(extra=section(provider))
        path = {"$template": [{"$ref": "s1.output.name"}, ".txt"]}
        steps = extract("s1", LETTER), write("s2", path, "x")  # type: ignore[arg-type]
        task = world.task()
        decided = world.harness.propose(task.id, proposal(task, *steps))
        assert decided.verdict.decision is Decision.STEP_UP
        assert {one.code for one in decided.verdict.reasons if one.step == "s2"} >= {"flow.untrusted_authority"}


def test_it_is_done_for_each_item_and_its_outcome_is_held_to_what_was_expected(
    make_world: Callable[..., World],
) -> None:
    asked = {"total": FIELDS["total"]}
    with answering({"total": 1}, {"total": 2}) as provider:
        world = make_world(extra=section(provider))
        each = ForEach(items=["one", "two"], at_most=2)
        expect = {"$lt": [{"$ref": "output.total"}, 2]}
        looped = extract("s1", {"$ref": "item"}, asked=asked, for_each=each, expect=expect)
        decided, claims = run(world, world.task(), looped)
        assert decided == "halted"
        assert [claims[name].state for name in ("s1/0", "s1/1")] == ["done", "failed"]
        assert claims["s1/1"].code == "step.unexpected_outcome"


def test_a_planner_may_observe_one_and_is_tainted_by_it(make_world: Callable[..., World]) -> None:
    with answering(ANSWER) as provider:
        world = make_world(extra=section(provider))
        task = world.task()
        arguments = {"text": LETTER, "question": "What?", "fields": FIELDS}
        seen = world.harness.observe(task.id, "model.extract@1", arguments)
        assert seen.value == ANSWER
        assert world.harness.core.store.task(task.id).received.untrusted


def test_the_provider_is_a_sink_with_a_limit_of_its_own(make_world: Callable[..., World]) -> None:
    with answering(ANSWER) as provider:
        labels = '[[labels]]\npath = "private.txt"\nconfidentiality = "private"\n'
        world = make_world(extra=section(provider, 'accepts = "internal"\n' + labels))
        (world.files / "private.txt").write_text(LETTER)
        task = world.task()
        steps = read("s1", "private.txt"), extract("s2", {"$ref": "s1.output.text"})
        decided = world.harness.propose(task.id, proposal(task, *steps))
        assert [one.code for one in decided.verdict.reasons if one.decision is Decision.DENY] == ["flow.sink_limit"]
        assert world.harness.core.catalogue["model.extract@1"].accepts is Confidentiality.INTERNAL
        assert provider.bodies == []


def test_a_budget_that_is_used_up_stops_it_before_anything_is_asked(make_world: Callable[..., World]) -> None:
    with answering(ANSWER) as provider:
        world = make_world(extra=section(provider, "[budget]\ncompletions = 1\n"))
        status, claims = run(world, world.task(), extract("s1", "a"), extract("s2", "b"))
        assert (status, claims["s2/0"].code, len(provider.bodies)) == ("halted", "budget.completions", 1)


def test_a_workspace_without_a_model_says_so(make_world: Callable[..., World]) -> None:
    world = make_world()
    status, claims = run(world, world.task(), extract("s1", "a"))
    assert (status, claims["s1/0"].code) == ("halted", "model.none")


def test_the_planners_provider_serves_it_too_in_a_process_of_its_own(make_world: Callable[..., World]) -> None:
    with local_model() as url:
        toml = f'[model]\nbase_url = "{url}"\nname = "{MODEL}"\nallow_private = true\naccepts = "internal"\n'
        world = make_world(extra=toml)
        assert world.harness.core.catalogue["model.extract@1"].accepts is Confidentiality.INTERNAL
        asked = {"amount": {"type": "integer", "minimum": 0, "maximum": 1000}}
        step_one = step(
            "s1", "model.extract@1",
            arguments={"text": "The invoice of Acme is about 42 euros.", "question": "What is the amount?", "fields": asked},
        )  # fmt: skip
        task = world.task()
        decided = world.harness.propose(task.id, proposal(task, step_one))
        assert world.harness.execute(decided.digest or "") is Status.DONE
        [claim] = world.harness.core.store.claims(decided.digest or "")
        assert claim.labelled.label.untrusted
        assert claim.labelled.value == {"amount": 42}
