"""Attempts to turn MODIFY into a way around the gate: by a manifest, by the planner, by the store (I6, I7)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import msgspec
import pytest
from tests.support.judging import CATALOGUE, NOW, codes, evidence, judge, policy, step
from tests.support.world import ALLOW_ALL, World, proposal
from tests.support.world import step as world_step

from interlock.artifact import codec
from interlock.artifact.action import Manifest, Transformation
from interlock.artifact.codec import Json
from interlock.artifact.errors import ConfigurationError, IntegrityError, InterlockError
from interlock.artifact.verdict import Decision
from interlock.decide import gate
from interlock.decide.life import Status
from interlock.harness import catalogue
from interlock.surface.cli.gather import card_of

PATH = {"type": "string", "role": "path", "maxLength": 256}


def action(name: str, **fields: object) -> dict[str, object]:
    """A manifest that writes one file; any field may be another."""
    return {
        "name": name, "group": "notes", "sentence": "Write {path}", "effect": "write", "reversibility": "reversible",
        "arguments": {"path": PATH}, "resources": [{"kind": "file", "name": "{path}", "access": "write"}],
        "driver": {"name": "files", "operation": "mkdir"}, "accepts": "restricted", **fields,
    }  # fmt: skip


def to(target: str, **arguments: object) -> dict[str, object]:
    taken = {"path": {"$argument": "path"}, **arguments}
    return {"f": {"use": target, "arguments": taken}}


WIDENING: dict[str, list[dict[str, object]]] = {
    "a write becomes a program": [
        action("n.a", transformations=to("n.b@1")), action("n.b", effect="execute", reversibility="irreversible"),
    ],
    "a write becomes what cannot be undone": [
        action("n.a", transformations=to("n.b@1")), action("n.b", reversibility="irreversible"),
    ],
    "a write becomes a privileged one": [action("n.a", transformations=to("n.b@1")), action("n.b", privileged=True)],
    "a write leaves": [action("n.a", transformations=to("n.b@1")), action("n.b", external=True)],
    "a write gets a secret": [action("n.a", transformations=to("n.b@1")), action("n.b", secrets=["key"])],
    "a write also sends": [
        action("n.a", transformations=to("n.b@1")),
        action("n.b", reversibility="irreversible", resources=[{"kind": "x", "name": "y", "access": "send"}]),
    ],
    "a write becomes a free shell": [action("n.a", transformations=to("n.b@1")), action("n.b", broad=True)],
    "itself for ever": [action("n.a", transformations=to("n.a@1"))],
    "an action that does not exist": [action("n.a", transformations=to("n.gone@1"))],
    "an argument that does not exist": [action("n.a", transformations=to("n.b@1", sudo="x")), action("n.b")],
    "another step's output": [
        action("n.a", transformations=to("n.b@1", path={"$ref": "s1.output"})), action("n.b"),
    ],
    "code": [action("n.a", transformations=to("n.b@1", path={"$eval": "x"})), action("n.b")],
}  # fmt: skip


@pytest.mark.parametrize("name", WIDENING)
def test_a_manifest_whose_transformation_widens_is_not_loaded(name: str) -> None:
    raw = json.dumps({"actions": WIDENING[name]}).encode()
    read = catalogue.read("interlock.json", raw)
    with pytest.raises(ConfigurationError) as caught:
        catalogue.check_forms({one.reference: one for one in read})
    assert caught.value.code == "actions.transformation"


def test_what_was_never_loaded_is_denied_by_the_gate_s_successor_all_the_same() -> None:
    unfit = msgspec.structs.replace(CATALOGUE["write@1"], transformations={"run": Transformation(use="run@1")})
    facts = evidence(
        catalogue={**CATALOGUE, "write@1": unfit},
        policy=policy("rules:\n  - {allow: '*', id: all}\n  - {modify: write, with: run, id: m}\n"),
    )
    from interlock.decide.modify import modify

    verdict = judge(asked := step("s1", "write@1", arguments={"path": "a", "content": "x"}), known=facts)
    raw = codec.encode({"task": facts.task_digest, "goal": "do it", "steps": [asked]})
    plan = gate.examine(raw, gate.Stamp(id="p", sequence=1, expires_at=NOW + 1000), facts).plan
    assert plan is not None
    made = modify(plan, verdict, facts.catalogue, rounds=0)
    assert codes(made) >= {"modify.unfit"}  # type: ignore[arg-type]


SHOWS = "rules:\n  - {allow: '*', id: all}\n  - {modify: n.a, with: f, id: one}\n  - {modify: n.b, with: f, id: two}\n"
NOTES = {"path": "new"}


def notes(make_world: Callable[..., World], *actions: Mapping[str, object], rules: str = SHOWS) -> World:
    world = make_world(rules=rules)
    (world.files / "notes").mkdir()
    (world.files / "notes" / "interlock.json").write_text(json.dumps({"actions": actions}))
    toml = world.files / "interlock.toml"
    toml.write_text(toml.read_text().replace('groups = ["files",', 'packages = ["notes"]\ngroups = ["notes", "files",'))
    world.reopen()
    return world


def test_rules_that_go_round_in_a_circle_end_in_a_denial(make_world: Callable[..., World]) -> None:
    world = notes(make_world, action("n.a", transformations=to("n.b@1")), action("n.b", transformations=to("n.a@1")))
    task = world.task()
    decided = world.harness.propose(task.id, proposal(task, world_step("s1", "n.a@1", arguments=NOTES)))
    assert (decided.status, decided.verdict.reasons[0].code) == (Status.DENIED, "modify.loop")
    assert [one.status for one in decided.before] == [Status.DENIED] * 4
    assert not (world.files / "new").exists()


def test_a_substitute_whose_group_is_not_loaded_is_denied(make_world: Callable[..., World]) -> None:
    world = notes(make_world, action("n.a", transformations=to("n.b@1")), action("n.b", group="other"))
    task = world.task()
    decided = world.harness.propose(task.id, proposal(task, world_step("s1", "n.a@1", arguments=NOTES)))
    assert decided.status is Status.DENIED
    assert {reason.code for reason in decided.verdict.reasons} >= {"manifest.group_not_loaded"}


def test_a_successor_that_is_no_plan_denies_the_original(make_world: Callable[..., World]) -> None:
    twice = {"f": {"use": "n.b@1", "arguments": {"path": {"$template": ["~nobody/", {"$argument": "path"}]}}}}
    world = notes(make_world, action("n.a", transformations=twice), action("n.b"))
    task = world.task()
    decided = world.harness.propose(task.id, proposal(task, world_step("s1", "n.a@1", arguments=NOTES)))
    assert (decided.status, decided.before) == (Status.DENIED, ())
    assert {reason.code for reason in decided.verdict.reasons} >= {"resource.path", "policy.modified"}
    assert len(world.harness.core.store.plans()) == 1


DECLARED: dict[str, tuple[dict[str, Json], str]] = {
    "a transformation in a step": ({"transformations": {"f": {"drop": ["path"]}}}, "codec.schema"),
    "a form in a step": ({"with": "f"}, "codec.schema"),
    "a form that is said to be in force": ({"formed": ["f"]}, "codec.schema"),
    "an argument of the template's language": ({"arguments": {"path": {"$argument": "path"}}}, "reference."),
    "an argument that a template would leave out": (
        {"arguments": {"path": {"$template": [{"$argument": "path"}]}}}, "reference."
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DECLARED)
def test_a_planner_declares_no_transformation_itself(name: str) -> None:
    fields, code = DECLARED[name]
    given = {"id": "s1", "action": "write@1", "arguments": {"path": "a", "content": "x"}, **fields}
    facts = evidence()
    raw = codec.encode({"task": facts.task_digest, "goal": "do it", "steps": [given]})
    verdict = gate.examine(raw, gate.Stamp(id="p", sequence=1, expires_at=NOW + 1000), facts).verdict
    assert verdict.decision is Decision.DENY
    assert any(reason.code.startswith(code) for reason in verdict.reasons), verdict


def test_a_plan_that_poses_as_a_successor_is_judged_as_any_other(make_world: Callable[..., World]) -> None:
    world = make_world(rules=ALLOW_ALL + "  - {modify: files.delete, with: set-aside, id: m}\n")
    (world.files / "a.txt").write_text("x")
    task = world.task()
    first = world.harness.propose(
        task.id, proposal(task, world_step("s1", "files.delete@1", arguments={"path": "a.txt"}))
    )
    claimed = json.loads(proposal(task, world_step("s1", "files.delete@1", arguments={"path": "a.txt"})))
    again = world.harness.propose(task.id, json.dumps({**claimed, "parent": first.before[0].digest}).encode())
    assert [one.verdict.decision for one in again.before] == [Decision.MODIFY]
    assert world.harness.core.store.plan(again.before[0].digest or "").plan.parent is None


def test_a_retyped_digest_of_a_successor_shows_no_rule_and_runs_nothing(make_world: Callable[..., World]) -> None:
    world = make_world(rules=ALLOW_ALL + "  - {modify: files.delete, with: set-aside, id: m}\n")
    (world.files / "a.txt").write_text("x")
    task, core = world.task(), world.harness.core
    decided = world.harness.propose(
        task.id, proposal(task, world_step("s1", "files.delete@1", arguments={"path": "a.txt"}))
    )
    original = core.store.plan(decided.before[0].digest or "")
    assert any("for rule m" in line for line in card_of(core, core.store.plan(decided.digest or "")).changes)
    forged = msgspec.structs.replace(original.verdict, modified="0" * 64)
    core.store.set_plan(original.digest, verdict_doc=codec.encode(forged))
    assert not any("for rule m" in line for line in card_of(core, core.store.plan(decided.digest or "")).changes)
    core.store.set_plan(decided.digest or "", doc=original.doc)
    with pytest.raises(IntegrityError):
        card_of(core, core.store.plan(decided.digest or ""))
    with pytest.raises(InterlockError):
        world.harness.execute(decided.digest or "")
    assert (world.files / "a.txt").exists()


def test_a_manifest_that_changed_after_the_change_stops_the_successor(make_world: Callable[..., World]) -> None:
    world = notes(
        make_world, action("n.a", transformations=to("n.b@1")), action("n.b"), rules=SHOWS.replace("n.b", "n.c")
    )
    task = world.task()
    decided = world.harness.propose(task.id, proposal(task, world_step("s1", "n.a@1", arguments=NOTES)))
    assert decided.status is Status.APPROVED
    changed = [action("n.a", transformations=to("n.b@1")), action("n.b", sentence="Other {path}")]
    (world.files / "notes" / "interlock.json").write_text(json.dumps({"actions": changed}))
    with pytest.raises(InterlockError, match=r"manifest\.changed"):
        world.harness.execute(decided.digest or "")


def test_manifests_without_forms_keep_their_digests() -> None:
    plain = catalogue.builtin()["files.read@1"]
    assert isinstance(plain, Manifest)
    assert b"transformations" not in codec.encode(plain)
