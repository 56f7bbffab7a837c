"""Starters: each answers its own cases beside the baseline, only ever tightens it, and can be put into a workspace."""

from __future__ import annotations

from importlib import resources
from typing import Any

import pytest

from interlock.decide.policy import CaseResult, PolicySet, compile_policies, run_cases
from interlock.surface.cli.starters import NAMES, starter
from surface.cli import Place

ROOT, HOME = "/srv/app", "/home/u"
BASELINE = resources.files("interlock.decide.policy").joinpath("baseline.yaml").read_text("utf-8")


def compiled(*names: str) -> PolicySet:
    rules = {"baseline.yaml": BASELINE, **{f"{name}.yaml": starter(name).rules for name in names}}
    return compile_policies({}, rules, home=HOME, root=ROOT)


def answered(policy: PolicySet, name: str) -> list[CaseResult]:
    return run_cases(policy, starter(name).cases, file=f"{name}.yaml")


@pytest.mark.parametrize("name", NAMES)
def test_a_starter_answers_its_cases_beside_the_baseline(name: str) -> None:
    found = answered(compiled(name), name)
    assert [(one.line, one.expected, one.answer) for one in found if not one.passed] == []
    assert {one.expected.expect for one in found} == {"ALLOW", "STEP_UP", "DENY"}


@pytest.mark.parametrize("name", NAMES)
def test_every_rule_of_a_starter_is_shown_by_a_case(name: str) -> None:
    own = {rule for rule in compiled(name).ids if not rule.startswith("baseline.")}
    assert own
    assert {one.expected.rule for one in answered(compiled(name), name)} >= own


@pytest.mark.parametrize("name", NAMES)
def test_a_starter_only_tightens(name: str) -> None:
    rules = compile_policies({}, {"x.yaml": starter(name).rules}, home=HOME, root=ROOT)
    assert all("permit" not in rules.explain(rule).text for rule in rules.ids)
    assert all(rules.explain(rule).why for rule in rules.ids)


def test_no_agent_deletes_the_folder_that_holds_the_history() -> None:
    table = """cases:
  - [name, action, effect, reversibility, kind, resource, expect, rule]
  - [the whole repository, files.delete, delete, reversible, file, /srv/app, DENY, coding.history]
"""
    assert [one.passed for one in run_cases(compiled("coding"), table)] == [True]


def test_all_starters_go_together(place: Place) -> None:
    words = [word for name in NAMES for word in ("--starter", name)]
    found: Any = place("init", str(place.folder), *words, "--json", here=False).json
    assert found["proved"]
    assert {f"policy/{name}.yaml" for name in NAMES} <= set(found["made"])
    assert place("init", str(place.folder), *words, "--json", here=False).json["made"] == []
    assert len(compiled(*NAMES).ids) > len(compiled().ids) + len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_policy_test_runs_a_starters_cases(place: Place, name: str) -> None:
    place("init", str(place.folder), "--starter", name, here=False)
    said = place("policy", "test", "--json")
    assert (said.code, said.json["failed"]) == (0, 0)


def test_starters_are_listed_with_what_they_are_for(place: Place) -> None:
    found: Any = place("policy", "starters", "--json").json["starters"]
    assert [one["name"] for one in found] == list(NAMES)
    shown = place("policy", "starters").out
    assert all(one["about"][:40] in shown for one in found)
    assert place("init", str(place.folder), "--starter", "nothing", here=False).code == 2
