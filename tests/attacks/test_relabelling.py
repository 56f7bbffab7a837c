"""Ways to have a label lowered that nobody agreed to; each is refused, asked about, or stops the plan (I5)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

import pytest
from tests.support.world import World, proposal, step, write

from interlock.artifact import codec
from interlock.artifact.codec import Json
from interlock.artifact.errors import InterlockError, StateError
from interlock.artifact.label import Confidentiality
from interlock.artifact.plan import ForEach, ProposedStep
from interlock.artifact.receipt import Receipt
from interlock.artifact.signing import verify
from interlock.artifact.verdict import Decision
from interlock.decide.life import Status
from support.extracting import answering, extract, read, run, section
from support.provider import Provider, chat

pytestmark = pytest.mark.sandbox
LABELS = """
[[labels]]
path = "mail.txt"
integrity = "untrusted"
[[labels]]
path = "secret.txt"
confidentiality = "restricted"
[[labels]]
path = "private.txt"
confidentiality = "private"
"""
OWNED = """
rules:
  - allow: "*"
    id: all
  - allow: flow.endorse
    id: kinds
    owner: ann
  - allow: flow.declassify
    id: classes
    owner: ann
"""
ASKED: dict[str, Json] = {"kind": {"type": "enum", "choices": ["bill", "letter"]}}
KINDS: Json = ["bill", "letter"]
TEXT: Json = {"$ref": "s1.output.text"}
KIND: Json = {"$ref": "s2.output.kind"}


def endorse(name: str, value: Json, /, **fields: object) -> ProposedStep:
    bound: Mapping[str, Json] = fields.pop("bound", {})  # type: ignore[assignment]
    return step(name, "flow.endorse@1", arguments={"value": value, "why": "one of two", **bound}, **fields)


def declassify(name: str, value: Json, to: str = "internal", /, **fields: object) -> ProposedStep:
    bound: Mapping[str, Json] = fields.pop("bound", {})  # type: ignore[assignment]
    return step(
        name, "flow.declassify@1", arguments={"value": value, "to": to, "why": "says nothing", **bound}, **fields
    )


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with answering({"kind": "bill"}) as found:
        yield found


@pytest.fixture
def owned(make_world: Callable[..., World], provider: Provider) -> World:
    provider.replies[:] = [chat(json.dumps({"kind": "bill"}))]
    world = make_world(extra=section(provider) + LABELS, rules=OWNED)
    for name in ("mail", "secret", "private"):
        (world.files / f"{name}.txt").write_text("bill")
    return world


def chain(path: Json = {"$template": [{"$ref": "s3.output.value"}, ".txt"]}) -> tuple[ProposedStep, ...]:  # noqa: B006
    """A stranger's mail chooses between two names, and nothing else."""
    bound = {"oneOf": KINDS}
    return (
        read("s1", "mail.txt"), extract("s2", TEXT, asked=ASKED), endorse("s3", KIND, bound=bound),
        write("s4", path, "x"),  # type: ignore[arg-type]
    )  # fmt: skip


def test_an_owners_rule_lets_a_bounded_value_choose_and_the_receipt_says_whose_rule(owned: World) -> None:
    task = owned.task()
    decided = owned.harness.propose(task.id, proposal(task, *chain()))
    assert decided.verdict.decision is Decision.ALLOW, decided.verdict
    assert owned.harness.execute(decided.digest or "") is Status.DONE
    assert (owned.files / "bill.txt").exists()
    core = owned.harness.core
    claims = {one.step: one.labelled.label for one in core.store.claims(decided.digest or "")}
    assert (claims["s2"].untrusted, claims["s3"].untrusted, claims["s4"].untrusted) == (True, False, False)
    assert "endorsed:s3" in claims["s3"].sources
    assert [
        (one.step, one.rule) for one in receipt_of(owned, "s3").verdict.reasons if one.code == "relabel.by_rule"
    ] == [("s3", "kinds")]


def test_a_person_who_agreed_stands_in_the_receipt(owned: World) -> None:
    (owned.files / "policy" / "rules.yaml").write_text("rules:\n  - allow: '*'\n    id: all\n")
    owned.reopen()
    status, claims = run(owned, owned.task(), *chain())
    assert (status, claims["s3/0"].labelled.label.untrusted) == ("done", False)
    assert len(receipt_of(owned, "s3").approvals) == 1


def receipt_of(world: World, name: str) -> Receipt:
    core = world.harness.core
    found = [
        index for index, one in enumerate(core.ledger.entries()) if one.kind == "receipt" and f"/{name}/" in one.subject
    ]
    raw = core.ledger.payload(found[-1])
    return verify(raw, core.keys.keyring, "harness", "receipt", Receipt, at=core.clock()).predicate


def test_a_value_outside_what_was_approved_stops_the_plan(owned: World, provider: Provider) -> None:
    provider.replies[:] = [chat(json.dumps({"kind": "letter"}))]
    steps = list(chain())
    steps[2] = endorse("s3", KIND, bound={"oneOf": ["bill", "note"]})
    task = owned.task()
    decided = owned.harness.propose(task.id, proposal(task, *steps))
    assert owned.harness.execute(decided.digest or "") is Status.HALTED
    assert owned.harness.core.store.plan(decided.digest or "").stopped == "relabel.outside"
    assert not (owned.files / "letter.txt").exists()


REFUSED: dict[str, tuple[tuple[ProposedStep, ...], str]] = {
    "an attacker's values, one after the other": (
        (read("s1", "mail.txt"), endorse("s3", {"$ref": "item"}, for_each=ForEach(items=["bill", "rm -rf"], at_most=2))),
        "relabel.place",
    ),
    "whatever a loop brings, within a bound": (
        (
            read("s1", "mail.txt"),
            endorse("s3", {"$ref": "item"}, bound={"oneOf": KINDS}, for_each=ForEach(items=["bill"], at_most=1)),
        ),
        "relabel.place",
    ),
    "a set in which anything is": (
        (read("s1", "mail.txt"), endorse("s3", TEXT, bound={"oneOf": [f"k{number}" for number in range(4096)]})),
        "relabel.bound",
    ),
    "where a stranger's text decides": (
        (read("s1", "mail.txt"), endorse("s3", TEXT, bound={"oneOf": KINDS}, when={"$eq": [TEXT, "bill"]})),
        "relabel.place",
    ),
    "the whole document": ((read("s1", "mail.txt"), endorse("s3", TEXT)), "relabel.unknown"),
    "the whole secret": ((read("s1", "secret.txt"), declassify("s3", TEXT)), "relabel.unknown"),
    "to a class that a text names": (
        (
            read("s1", "private.txt"),
            step("s3", "flow.declassify@1", arguments={"value": "a", "to": TEXT, "why": "w"}),
        ),
        "relabel.unknown",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_whoever_owns_a_rule(owned: World, name: str) -> None:
    steps, code = REFUSED[name]
    task = owned.task()
    decided = owned.harness.propose(task.id, proposal(task, *steps))
    assert decided.verdict.decision is Decision.DENY
    assert code in {one.code for one in decided.verdict.reasons}


def test_restricted_data_needs_a_person_under_any_rule(owned: World) -> None:
    steps = read("s1", "secret.txt"), declassify("s2", TEXT, bound={"oneOf": KINDS})
    task = owned.task()
    decided = owned.harness.propose(task.id, proposal(task, *steps))
    assert [one.code for one in decided.verdict.reasons if one.decision is Decision.STEP_UP] == ["floor.declassify"]
    status, claims = run(owned, owned.task(), *steps)
    assert (status, claims["s2/0"].labelled.label.confidentiality) == ("done", Confidentiality.INTERNAL)


@pytest.mark.parametrize("rules", [OWNED, "rules:\n  - allow: '*'\n    id: all\n"], ids=["a rule", "a person"])
def test_what_turns_out_to_be_secret_is_not_what_was_agreed_to(make_world: Callable[..., World], rules: str) -> None:
    key = "ghp_" + "a1B2" * 9
    world = make_world(rules=rules)
    (world.files / "plain.txt").write_text(key)
    is_a: Json = {"$count": {"$filter": [[TEXT], {"$eq": [{"$ref": "it"}, "a"]}]}}
    steps = read("s1", "plain.txt"), declassify("s2", is_a, "public", bound={"minimum": 0, "maximum": 1})
    task = world.task()
    decided = world.harness.propose(task.id, proposal(task, *steps))
    asks = decided.verdict.decision is Decision.STEP_UP
    assert asks is (rules != OWNED)
    if asks:
        world.harness.approve(world.approval(decided.digest or ""))
    assert world.harness.execute(decided.digest or "") is Status.HALTED
    assert world.harness.core.store.plan(decided.digest or "").stopped == "floor.declassify"


def test_a_planner_that_read_the_mail_gets_nothing_from_the_rule(owned: World) -> None:
    task = owned.task()
    owned.harness.observe(task.id, "files.read@1", {"path": "mail.txt"})
    decided = owned.harness.propose(task.id, proposal(task, *chain()))
    assert "floor.endorse" in {one.code for one in decided.verdict.reasons if one.decision is Decision.STEP_UP}


def test_it_is_no_observation(owned: World) -> None:
    task = owned.task()
    for arguments in ({"value": "bill", "why": "w"}, {"value": "bill", "why": "w", "oneOf": KINDS}):
        with pytest.raises(StateError) as caught:
            owned.harness.observe(task.id, "flow.endorse@1", arguments)
        assert caught.value.code in {"floor.endorse", "observe.relabel"}


def test_unattended_it_is_denied(owned: World) -> None:
    (owned.files / "policy" / "rules.yaml").write_text("rules:\n  - allow: '*'\n    id: all\n")
    toml = owned.files / "interlock.toml"
    toml.write_text("unattended = true\n" + toml.read_text())
    owned.reopen()
    task = owned.task()
    decided = owned.harness.propose(task.id, proposal(task, *chain()))
    assert {one.code for one in decided.verdict.reasons} >= {"gate.unattended", "floor.endorse"}


# ---- a value that a parent plan found


def halted(world: World, path: str = "mail.txt") -> tuple[str, ProposedStep]:
    """A plan that has read the mail, and then stopped."""
    task, first = world.task(), read("s1", path)
    decided = world.harness.propose(task.id, proposal(task, first, read("s2", "missing.txt")))
    assert world.harness.execute(decided.digest or "") is Status.HALTED
    return decided.digest or "", first


def revised(world: World, digest: str, *steps: ProposedStep) -> str:
    task = world.harness.core.store.task(world.harness.core.store.plan(digest).task).task
    decided = world.harness.resume(digest, {}, proposal(task, *steps))
    assert decided.verdict.decision is Decision.STEP_UP, decided.verdict
    return decided.digest or ""


def test_what_a_parent_found_is_shown_and_then_trusted(owned: World) -> None:
    digest, first = halted(owned)
    new = revised(owned, digest, first, endorse("s2", TEXT), write("s3", {"$ref": "s2.output.value"}, "x"))  # type: ignore[arg-type]
    [shown] = [one for one in owned.harness.preview(new) if one.kind == "value"]
    assert (shown.text, shown.label.untrusted) == ('"bill"', True)
    owned.harness.approve(owned.approval(new))
    assert owned.harness.execute(new) is Status.DONE
    assert (owned.files / "bill").exists()


def test_an_approval_that_saw_no_value_lowers_nothing(owned: World) -> None:
    digest, first = halted(owned)
    new = revised(owned, digest, first, endorse("s2", TEXT))
    owned.harness.approve(owned.approval(new))
    assert owned.harness.execute(new) is Status.HALTED
    assert owned.harness.core.store.plan(new).stopped == "relabel.unseen"


def forge(world: World, digest: str, text: str) -> None:
    """The store says that the parent's step returned something else."""
    output = codec.encode({"text": text})
    world.harness.core.store.settle(digest, "s1", 0, "done", output=output)


def test_a_value_that_changed_after_the_approval_is_not_lowered(owned: World) -> None:
    digest, first = halted(owned)
    new = revised(owned, digest, first, endorse("s2", TEXT))
    owned.harness.preview(new)
    owned.harness.approve(owned.approval(new))
    forge(owned, digest, "rm -rf")
    with pytest.raises(InterlockError) as caught:
        owned.harness.execute(new)
    assert caught.value.code == "preview.drift"


def test_an_approval_is_of_no_use_for_another_value(owned: World) -> None:
    (owned.files / "other.txt").write_text("rm -rf")
    digest, first = halted(owned)
    new = revised(owned, digest, first, endorse("s2", TEXT))
    owned.harness.preview(new)
    word = owned.approval(new)
    other_digest, other_first = halted(owned, "other.txt")
    other = revised(owned, other_digest, other_first, endorse("s2", TEXT))
    owned.harness.preview(other)
    for changes in ({}, {"plan": owned.harness.core.store.plan(other).digest}):
        with pytest.raises(InterlockError):
            owned.harness.approve(
                owned.approval(other, **{"preview": owned.harness.core.store.plan(new).preview_digest, **changes})
            )
    owned.harness.approve(word)
    assert owned.harness.core.store.plan(other).status is Status.PENDING


def test_a_revision_may_not_rewrite_what_it_takes_for_a_fact(owned: World) -> None:
    digest, _ = halted(owned)
    task = owned.harness.core.store.task(owned.harness.core.store.plan(digest).task).task
    for steps in ((read("s1", "private.txt"), endorse("s2", TEXT)), (endorse("s2", "a"),)):
        with pytest.raises(StateError) as caught:
            owned.harness.resume(digest, {}, proposal(task, *steps))
        assert caught.value.code == "resume.changed"


def test_no_form_of_an_action_lowers_a_label(make_world: Callable[..., World]) -> None:
    found = {
        "name": "mail.kind", "group": "tests", "sentence": "Kind of {value}", "effect": "read", "reversibility": "pure",
        "arguments": {"value": {"type": "string"}}, "driver": {"name": "files", "operation": "read"},
    }  # fmt: skip
    trusted = {"use": "flow.endorse@1", "arguments": {"value": {"$argument": "value"}, "why": "a form"}}
    worlds = {
        "actions.transformation": {**found, "transformations": {"trusted": trusted}},
        "actions.contradiction": {**found, "preview": {"action": "flow.endorse@1", "arguments": {}}},
        "actions.driver": {**found, "driver": {"name": "flow", "operation": "endorse"}},
    }
    for code, manifest in worlds.items():
        world = make_world()
        (world.files / "mail").mkdir()
        (world.files / "mail" / "interlock.json").write_text(json.dumps({"actions": [manifest]}))
        toml = world.files / "interlock.toml"
        before = toml.read_text()
        toml.write_text(before.replace("[actions]", '[actions]\npackages = ["mail"]'))
        with pytest.raises(InterlockError) as caught:
            world.reopen()
        assert caught.value.code == code
        toml.write_text(before)
        world.reopen()
