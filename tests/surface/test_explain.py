"""``explain``: each decision by its digest, from recorded facts, with a change that the gate itself tried."""

from __future__ import annotations

import json
from typing import Any

import pytest

from interlock.surface.cli.explaining import explained_text, explanation, found
from support.world import World
from surface.cli import Place, Said

HOOK = ("files.write@1", {"path": ".git/hooks/pre-commit", "content": "#!/bin/sh\n"})
OUTSIDE = ("files.write@1", {"path": "/etc/motd", "content": "x"})


def proposed(place: Place, *steps: tuple[str, dict[str, object]], words: tuple[str, ...] = ()) -> str:
    said = place("plan", "propose", place.plan(*steps), "--goal", "a hook", "--json", *words)
    return str(said.json["plan"])


def explained(place: Place, digest: str, *words: str) -> dict[str, Any]:
    said = place("explain", digest[:12], "--json", *words)
    assert said.code == 0, said
    return said.json


def test_a_question_names_rule_label_and_what_would_pass(place: Place) -> None:
    digest = proposed(place, HOOK)
    found = explained(place, digest)
    [asked] = [one for one in found["reasons"] if one["decision"] == "STEP_UP"]
    assert (asked["stage"], asked["rule"], asked["file"]) == (7, "baseline.persistence-repository", "baseline.yaml")
    assert asked["line"] > 1
    assert asked["why"]
    assert found["differs"] == []
    assert found["policyIsCurrent"]
    assert found["smallest"]["change"]["kind"] == "person"
    assert found["automatic"]["change"] == {
        "field": "path", "kind": "path", "step": "s1", "value": f"{place.folder}/pre-commit",
    }  # fmt: skip
    assert found["steps"][0]["claim"] is None
    shown = place("explain", digest[:12]).out
    for line in (
        "gate step 7, policy, flow and budget", "rule baseline.persistence-repository at policy/baseline.yaml:",
        "path: public, trusted; written by the planner: .git/hooks/pre-commit",
        "nobody analysed it; its manifest's worst case counts", "by a person: where a person is there and approves",
        "without a question: with another path in s1: ",
    ):  # fmt: skip
        assert line in shown


def test_the_change_that_is_named_does_pass(place: Place) -> None:
    change = explained(place, proposed(place, HOOK))["automatic"]["change"]
    arguments = {**HOOK[1], change["field"]: change["value"]}
    assert place("plan", "check", place.plan((HOOK[0], arguments)), "--goal", "a hook").code == 0


def test_one_step_of_several(place: Place) -> None:
    digest = proposed(place, HOOK, OUTSIDE)
    found = explained(place, digest, "--step", "s2")
    assert {one["step"] for one in found["reasons"]} == {"", "s2"}
    assert [one["step"] for one in found["steps"]] == ["s2"]
    assert found["smallest"]["change"]["kind"] == "path"
    assert found["automatic"] is None
    assert "s1 is" not in place("explain", digest[:12], "--step", "s2").out
    assert place("explain", digest[:12], "--step", "s9", "--json").json["error"]["code"] == "explain.step"  # type: ignore[index]


def test_unattended_is_a_fact_of_the_decision_and_not_of_today(place: Place) -> None:
    found = explained(place, proposed(place, HOOK, words=("--unattended",)))
    assert found["verdict"]["decision"] == "DENY"
    assert found["differs"] == []
    assert (found["smallest"]["change"]["kind"], found["smallest"]["decision"]) == ("person", "STEP_UP")


def test_nothing_helps(place: Place) -> None:
    own = ("files.write@1", {"path": "interlock.toml", "content": "x"})
    digest = proposed(place, own, own)
    assert explained(place, digest)["smallest"] is None
    assert "single changes that were tried" in place("explain", digest[:12]).out


def test_what_has_changed_since_is_said(place: Place) -> None:
    digest = proposed(place, HOOK)
    place.write("policy/baseline.yaml", "rules:\n  - {allow: files.*, id: mine}\n")
    toml = place.folder / "interlock.toml"
    toml.write_text(toml.read_text().replace('environment = "dev"', 'environment = "prod"'))
    found = explained(place, digest)
    assert (found["policyIsCurrent"], found["differs"]) == (False, ["configuration"])
    shown = place("explain", digest[:12]).out
    assert "rule baseline.persistence-repository, which is no more" in shown
    assert "the policy has changed since; rules and the search are today's" in shown
    assert "not those of the decision, but today's: configuration" in shown


def test_a_proposal_that_was_no_plan_is_known_to_the_ledger(place: Place) -> None:
    file = place.write("bad.json", {"steps": [{"id": "s1", "action": "no.such@1", "arguments": {}}]})
    assert place("plan", "propose", file, "--goal", "x", "--json").json["plan"] is None
    entries: Any = place("ledger", "show", "--json").json["entries"]
    [subject] = [one["subject"] for one in entries if one["kind"] == "decision"]
    found = explained(place, subject)
    assert (found["kind"], found["reasons"][0]["code"], found["steps"]) == ("proposal", "manifest.unknown", [])
    assert f"proposal {subject}: DENY" in place("explain", subject[:12]).out


def test_an_observation_is_known_to_the_ledger(world: World) -> None:
    (world.files / "a.txt").write_text("x")
    world.harness.observe(world.task().id, "files.read@1", {"path": "a.txt"})
    core = world.harness.core
    [subject] = [entry.subject for entry in core.ledger.entries() if entry.kind == "decision"]
    decided = found(core, subject[:12])
    assert (decided.kind, decided.subject, decided.differs) == ("observation", subject, ("context",))
    data: Any = explanation(core, decided, "")
    assert [one["arguments"][0]["value"] for one in data["steps"]] == ["a.txt"]
    assert (data["verdict"]["decision"], data["smallest"], data["tries"]) == ("ALLOW", None, 0)
    assert explained_text(core, decided, "").startswith(f"observation {subject}: ALLOW")


def test_what_the_analyst_claimed_is_shown(place: Place) -> None:
    command = {"type": "string", "role": "command", "language": "shell"}
    line = {
        "name": "line.run", "group": "line", "sentence": "Run {command}", "effect": "execute", "broad": True,
        "reversibility": "irreversible", "arguments": {"command": command},
        "driver": {"name": "python", "package": "line", "operation": "line:run"},
    }  # fmt: skip
    place.write("packages/line/interlock.json", {"actions": [line]})
    toml = place.folder / "interlock.toml"
    text = (
        toml.read_text()
        .replace("packages = []", 'packages = ["packages/line"]')
        .replace('"files"]', '"files", "line"]')
    )
    toml.write_text(text.replace('proof = "required"', 'proof = "off"'))
    digest = proposed(place, ("line.run@1", {"command": f"rm -rf {place.folder}/build"}))
    seen = explained(place, digest)
    assert seen["differs"] == []
    assert seen["steps"][0]["claim"]["touched"]
    assert f"analysed: delete file:{place.folder}/build" in place("explain", digest[:12]).out


@pytest.mark.parametrize("digest", ["00000000", "", "zz"])
def test_what_nobody_decided_on_is_an_error(place: Place, digest: str) -> None:
    said: Said = place("explain", digest, "--json")
    assert (said.code, json.loads(said.out)["error"]["code"]) == (2, "explain.unknown")


def test_text_of_the_plan_cannot_deceive(place: Place) -> None:
    digest = proposed(place, ("files.write@1", {"path": "/etc/p\u0430sswd", "content": "x"}))
    shown = place("explain", digest[:12]).out
    assert "p\\u{0430}sswd" in shown
    assert "\u0430" not in shown
