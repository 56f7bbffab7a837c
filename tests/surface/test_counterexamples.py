"""Every seeded mistake of a policy is shown as an action for which ``plan check`` gives the wrong verdict."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from support import mistakes
from surface.cli import Place

RANKS = {"ALLOW": 0, "STEP_UP": 1, "MODIFY": 17, "DENY": 18}
CASES = [
    *((mistakes.BASELINE.replace(old, new), "", names) for old, new, names in mistakes.BASELINES if names),
    *((mistakes.BASELINE, rule, {name}) for rule, name in mistakes.RULES),
]


def proved(place: Place, folder: Path) -> dict[str, Any]:
    """What ``policy prove`` says of each invariant that does not hold, by name; its actions lie in the folder."""
    said = place("policy", "prove", "--counterexample", str(folder), "--json", here=False)
    assert said.code == 1, said
    invariants: Any = said.json["invariants"]
    return {one["name"]: one for one in invariants if one["outcome"] == "refuted"}


def checked(place: Place, words: list[str]) -> int:
    """The level of the verdict that the printed command comes to."""
    said = place(*words[1:], "--json", here=False)
    assert said.code in {0, 3, 4}, said
    found: Any = said.json
    verdict = found.get("modifiedFrom", [found])[0]["verdict"]
    return RANKS[verdict["decision"]] + max(0, verdict["approvals"] - 1)


@pytest.mark.sandbox
@pytest.mark.parametrize(("rules", "cedar", "names"), CASES, ids=[" ".join(sorted(one[2])) for one in CASES])
def test_a_mistake_is_shown_as_an_action_that_replays(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rules: str, cedar: str, names: set[str]
) -> None:
    place.write("policy/baseline.yaml", rules)
    if cedar:
        place.write("policy/more.cedar", cedar)
    monkeypatch.chdir(place.folder)
    found = proved(place, tmp_path / "found")
    assert names <= found.keys()
    for one in found.values():
        levels = [checked(place, words) for words in one["replays"]]
        if len(levels) == 1:
            assert one["counterexample"]["verdict"].split()[0] in {
                name for name, rank in RANKS.items() if rank == levels[0]
            }
        else:
            assert levels[0] > levels[1], levels


@pytest.mark.sandbox
def test_what_is_printed_can_be_typed(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write("policy/odd.yaml", "rules:\n  - deny: mail.send\n    untrusted: false\n    id: odd\n")
    monkeypatch.chdir(place.folder)
    bare = place("policy", "prove", here=False).out
    assert "with untrusted false, tainted false the gate says DENY, with untrusted true, tainted true" in bare
    assert "interlock policy prove --counterexample FOLDER" in bare
    said = place("policy", "prove", "--counterexample", str(tmp_path / "it's"), here=False).out
    commands = [shlex.split(line) for line in said.splitlines() if line.startswith("  interlock plan check ")]
    first, then = (checked(place, words) for words in commands)
    assert first == RANKS["DENY"] > then
    without = [word for word in commands[1] if word != "--unproved"]
    assert "policy.unproved" in place(*without[1:], here=False).err


def test_what_no_plan_can_be_is_said(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write("policy/odd.yaml", "rules:\n  - deny: x\n    tainted: true\n    untrusted: false\n    id: odd\n")
    monkeypatch.chdir(place.folder)
    assert "no plan of one step makes this request" in place("policy", "prove", here=False).out


FACTS = {
    "a key that is none": ("mood=good", "unknown field"),
    "no value": ("received", "write KEY=VALUE"),
    "a scope without a name": ("scope=t1", "write KEY=VALUE"),
    "a class that is none": ("received=secret", "secret is none of public"),
    "a number that is none": ("confirmed=many", "confirmed"),
    "a name that is none": ("principal=a b", "principal"),
}


@pytest.mark.parametrize("name", FACTS)
def test_a_fact_that_is_not_understood_is_refused(place: Place, name: str) -> None:
    text, why = FACTS[name]
    file = place.plan(("files.read@1", {"path": "notes.txt"}))
    said = place("plan", "check", file, "--goal", "x", "--suppose", text, here=False)
    assert (said.code, why in said.err) == (2, True), said


SUPPOSED = {
    "untrusted data": ("received=untrusted", "STEP_UP"),
    "private data of another scope": ("received=private,tenant=t1", "DENY"),
    "nothing": ("received=", "ALLOW"),
    "a root elsewhere": ("root=/srv", "ALLOW"),
}


@pytest.mark.sandbox
@pytest.mark.parametrize("name", SUPPOSED)
def test_facts_can_be_supposed_of_any_plan(place: Place, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    fact, decision = SUPPOSED[name]
    monkeypatch.chdir(place.folder)
    path = "/srv/notes.txt" if name.startswith("a root") else "notes.txt"
    file = place.plan(("files.write@1", {"path": path, "content": "x"}))
    assert place("plan", "check", file, "--goal", "x", here=False).out.split()[0] == (
        "DENY" if path[0] == "/" else "ALLOW"
    )
    assert (
        place("plan", "check", file, "--goal", "x", "--suppose", fact, here=False).out.split()[0].strip(",") == decision
    )
