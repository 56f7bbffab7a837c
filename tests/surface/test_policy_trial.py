"""``policy observed`` and ``policy replay`` on the command line, with ``policy check`` and ``explain`` of rules on trial."""

from __future__ import annotations

from typing import Any

from surface.cli import Place

TRIAL = "rules:\n  - {verify: files.write, path: ./src/**, id: trial.src, why: sources are read first}\n"


def wrote(place: Place, path: str) -> str:
    file = place.plan(("files.write@1", {"path": path, "content": "x"}))
    return str(place("plan", "propose", file, "--goal", "write", "--json").json["plan"])


def test_rules_on_trial_are_listed_with_what_they_would_have_done(place: Place) -> None:
    place.write("policy/observe/src.yaml", TRIAL)
    checked: Any = place("policy", "check", "--json").json
    assert [one["id"] for one in checked["observed"]] == ["trial.src"]
    assert "trial.src" not in {one["id"] for one in checked["rules"]}
    assert "1 on trial: recorded, and without effect" in place("policy", "check").out
    assert "trial.src at policy/observe/src.yaml:2" in place("policy", "explain", "trial.src").out
    assert place("policy", "observed").out == "0 decisions observed, 0 would have been another\n"
    plan, other = wrote(place, "src/a.py"), wrote(place, "a.txt")
    found: Any = place("policy", "observed", "--json").json
    [flip] = found["flips"]
    assert (flip["plan"], flip["was"], flip["wouldBe"], flip["rules"]) == (plan, "ALLOW", "STEP_UP", ["trial.src"])
    assert (found["observed"], found["erased"]) == (2, 0)
    shown = place("policy", "observed").out
    assert plan[:12] in shown
    assert other[:12] not in shown


def test_a_mistake_among_rules_on_trial_is_an_error_with_its_line(place: Place) -> None:
    place.write("policy/observe/src.yaml", TRIAL.replace("verify", "verfy"))
    said = place("policy", "check", "--json")
    assert said.code == 2
    assert "observe/src.yaml:2" in said.err


def test_replay_says_what_flips_by_action_and_rule(place: Place) -> None:
    plan, _ = wrote(place, "src/a.py"), wrote(place, "a.txt")
    place.write("new/src.yaml", "rules:\n  - {allow: '*', id: all}\n  - {deny: shell.*, id: mute}\n" + TRIAL[7:])
    found: Any = place("policy", "replay", "--policy", str(place.folder / "new"), "--json").json
    assert found["groups"] == [
        {"action": "files.write@1", "rule": "trial.src", "old": "ALLOW", "new": "STEP_UP", "plans": 1}
    ]
    assert [(one["plan"], one["differs"]) for one in found["flips"]] == [(plan, [])]
    assert (found["replayed"], found["exact"], found["asked"]) == (2, 2, {"old": 0, "new": 1})
    assert found["silent"] == ["mute"]
    shown = place("policy", "replay", "--policy", str(place.folder / "new")).out
    for line in ("2 plans replayed, 1 would be decided otherwise", "asked a person: 0 then, 1 with these rules",
                 "no say in any of them: mute", plan[:12]):  # fmt: skip
        assert line in shown
    assert place("policy", "replay", "--since", "2999-01-01").out.startswith("0 plans replayed")


def test_replay_says_what_is_approximated_and_left_out(place: Place) -> None:
    place.write("policy/src.yaml", "rules:\n  - {modify: files.write, with: no-such, id: m, path: ./src/**}\n")
    toml = place.folder / "interlock.toml"
    toml.write_text(toml.read_text().replace('proof = "required"', 'proof = "off"'))
    wrote(place, "src/a.py")
    wrote(place, "a.txt")
    toml.write_text(toml.read_text().replace('environment = "dev"', 'environment = "prod"'))
    shown = place("policy", "replay").out
    assert "1 plan with today's configuration" in shown
    assert "1 plan left out: rules could not give it the form that they want" in shown
