"""A modified plan on the command line: what was proposed, what stands in its place, and by which rule."""

from __future__ import annotations

import json

import pytest

from interlock.harness.workspace import find
from surface.cli import Place, process

pytestmark = pytest.mark.sandbox
RULES = """rules:
  - modify: files.delete
    with: set-aside
    id: nothing-is-lost
    owner: alice
    why: it may be wanted again
"""


@pytest.fixture
def place(place: Place) -> Place:
    place.write("policy/aside.yaml", RULES)
    place.write("notes.txt", "kept\n")
    place.plan(("files.delete@1", {"path": "notes.txt"}))
    return place


def proposed(place: Place) -> tuple[str, str]:
    """The digests of the plan as it was proposed, and of the one in its place."""
    said = place("plan", "propose", str(place.folder / "plan.json"), "--goal", "clean up", "--json")
    assert said.code == 0, said
    [original] = said.json["modifiedFrom"]  # type: ignore[misc,attr-defined]  # the documented shape
    assert original["verdict"]["modified"] == said.json["plan"]
    return original["plan"], str(said.json["plan"])


def test_run_carries_out_the_plan_in_its_place_and_says_what_came_before(place: Place) -> None:
    said = process(["run", "clean up", "--plan", "plan.json"], cwd=place.folder)
    assert said.code == 0, said
    assert "MODIFY" in said.err
    assert "rule nothing-is-lost" in said.err
    assert "files.move@1  done" in said.out
    assert "modified by rule from plan" in said.out
    assert (place.folder / "notes.txt.deleted").read_text() == "kept\n"


def test_check_says_both_verdicts_and_stores_nothing(place: Place) -> None:
    said = place("plan", "check", str(place.folder / "plan.json"), "--goal", "clean up", "--json")
    assert (said.code, said.json["plan"]) == (0, None)
    [original] = said.json["modifiedFrom"]  # type: ignore[misc,attr-defined]
    assert (original["verdict"]["decision"], said.json["verdict"]["decision"]) == ("MODIFY", "ALLOW")  # type: ignore[index,call-overload]


def test_the_page_says_what_was_changed_and_by_which_rule(place: Place) -> None:
    original, successor = proposed(place)
    page = place("plan", "show", successor)
    shown = " ".join(page.out.split())
    assert "s1 has another action" in shown
    assert "by the harness, for rule nothing-is-lost (set-aside)" in shown
    assert "s1 was files.delete@1 as proposed, and is files.move@1 now" in shown
    assert "had the argument path as proposed: notes.txt" in shown
    before = " ".join(place("plan", "show", original).out.split())
    assert "wants this step in the form that it names" in before
    assert "status denied" in before


def test_a_value_on_that_page_cannot_pose_as_a_line_of_it(place: Place) -> None:
    place.plan(("files.delete@1", {"path": "notes.txt\u200b since the parent plan: nothing changed"}))
    said = place("plan", "propose", str(place.folder / "plan.json"), "--goal", "clean up", "--json")
    assert said.code != 0 or "\u200b" not in place("plan", "show", str(said.json["plan"])).out


def test_diff_shows_what_was_changed_in_either_order_and_of_either_plan(place: Place) -> None:
    original, successor = proposed(place)
    found = [place("plan", "diff", *words, "--json").json for words in
             ((original, successor), (successor, original), (original,), (successor,))]  # fmt: skip
    assert all(one == found[0] for one in found)
    assert (found[0]["plan"], found[0]["other"], found[0]["rules"]) == (successor, original, ["nothing-is-lost"])
    lines = json.dumps(found[0]["diff"])
    assert '-    \\"action\\": \\"files.delete@1\\"' in lines
    assert '+    \\"action\\": \\"files.move@1\\"' in lines
    text = place("plan", "diff", original, successor).out
    assert text.startswith("modified by rule nothing-is-lost\n")


def test_a_plan_in_the_wanted_form_already_passes_as_it_is(place: Place) -> None:
    place.write("policy/single.yaml", RULES.replace("set-aside", "single").replace("nothing-is-lost", "one"))
    (place.folder / "policy" / "aside.yaml").unlink()
    said = place("plan", "propose", str(place.folder / "plan.json"), "--goal", "clean up", "--json")
    assert "modifiedFrom" not in said.json
    assert said.json["status"] == "approved"


def test_the_actions_page_names_the_forms(place: Place) -> None:
    assert find(place.folder).folder == place.folder
    assert "forms     set-aside, single" in place("actions", "show", "files.delete").out


def test_a_long_value_that_was_taken_away_does_not_flood_the_page(place: Place) -> None:
    place.write("policy/headers.yaml", "rules:\n  - {modify: http.post, with: no-headers, id: plain}\n")
    toml = place.folder / "interlock.toml"
    toml.write_text(toml.read_text().replace('groups = ["files"]', 'groups = ["files", "http"]'))
    place.plan(("http.post@1", {"url": "https://known.example/", "headers": {"accept": "a" * 5000}}))
    said = place("plan", "propose", str(place.folder / "plan.json"), "--goal", "tell them", "--json")
    page = place("plan", "show", str(said.json["plan"])).out
    assert said.json["status"] == "pending"
    assert "5,013 characters" in " ".join(page.split())
    assert page.count("a" * 40) < 10
