"""Every command on a real workspace: what it prints, what it changes, and its exit code."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from tests.support.notes import make_package, manifest

from interlock.surface.cli.visible import visible
from surface.cli import Place, process


def test_init_makes_a_workspace_once_and_never_overwrites(place: Place) -> None:
    assert place.first.code == 0
    assert "made interlock.toml" in place.first.out
    before = {path: path.read_bytes() for path in place.folder.rglob("*") if path.is_file()}
    again = place("init", str(place.folder), "--json", here=False)
    assert (again.code, again.json["made"]) == (0, [])
    assert {path: path.read_bytes() for path in place.folder.rglob("*") if path.is_file()} == before


def test_init_keeps_a_policy_that_is_there(place: Place, tmp_path: Path) -> None:
    (tmp_path / "other" / "policy").mkdir(parents=True)
    (tmp_path / "other" / "policy" / "mine.yaml").write_text("rules:\n  - deny: '*'\n    id: mine\n")
    said = place("init", str(tmp_path / "other"), "--name", "alice", "--json", here=False)
    assert said.json["made"] == ["interlock.toml", "the signing key of alice"]
    assert [path.name for path in (tmp_path / "other" / "policy").iterdir()] == ["mine.yaml"]


def test_init_says_what_git_would_take_along(place: Place, tmp_path: Path) -> None:
    info = tmp_path / "other" / ".git" / "info"
    info.mkdir(parents=True)
    first = place("init", str(tmp_path / "other"), "--name", "alice", here=False)
    (info / "exclude").write_text("interlock.toml\npolicy/\n")
    second = place("init", str(tmp_path / "other"), "--name", "alice", here=False)
    assert (".git/info/exclude" in first.err, ".git/info/exclude" in second.err) == (True, False)


def test_run_carries_out_what_the_policy_allows_and_rollback_takes_it_back(place: Place) -> None:
    notes = Path(place.write("notes.txt", "call Bob\n"))
    file = place.plan(
        ("files.read@1", {"path": "notes.txt"}), ("files.write@1", {"path": "notes.txt", "content": "call Alice\n"})
    )
    said = place("run", "tidy up", "--plan", file)
    assert (said.code, notes.read_text()) == (0, "call Alice\n"), said
    assert "What happened, as the harness saw it:" in said.out
    plan = next(line.split()[1] for line in said.out.splitlines() if line.startswith("plan "))
    undone = place("rollback", plan[:12], "--json")
    assert (undone.code, undone.json["status"], notes.read_text()) == (0, "rolled-back", "call Bob\n")
    shown = place("plan", "show", plan, "--verify", here=False)
    assert shown.code == 2  # Outside of a workspace there is no such plan.


def test_run_that_asks_ends_with_4_and_the_command_that_goes_on(place: Place) -> None:
    file = place.plan(("files.write@1", {"path": ".git/hooks/pre-commit", "content": "#!/bin/sh\n"}))
    said = place("run", "make a hook", "--plan", file)
    assert said.code == 4
    assert "next: interlock approve " in said.err
    assert not (place.folder / ".git").exists()


def test_approve_needs_the_word_and_then_execute_runs_it(place: Place) -> None:
    (place.folder / ".git" / "hooks").mkdir(parents=True)
    plan = place.asking()
    early = place("execute", plan)
    assert (early.code, "interlock approve" in early.err) == (4, True)
    unasked = place("approve", plan)
    assert (unasked.code, "EFFECT" in unasked.err.upper()) == (4, True)
    assert place("approve", plan, "--confirm", "yes").code == 2
    done = place("approve", plan, "--confirm", "approve", "--json")
    assert (done.code, done.json["status"]) == (0, "approved")
    assert place("approve", plan, "--confirm", "approve").code == 2
    assert place("execute", plan).code == 0
    assert (place.folder / ".git/hooks/pre-commit").read_text() == "#!/bin/sh\n"


def test_what_cannot_be_undone_needs_the_name_of_the_resource(place: Place) -> None:
    toml = place.folder / "interlock.toml"
    toml.write_text(toml.read_text().replace('groups = ["files"]', 'groups = ["http"]'))
    file = place.plan(("http.post@1", {"url": "https://example.org/hook", "body": "{}"}))
    said = place("run", "tell the others", "--plan", file, "--json")
    assert said.code == 4, said
    plan = str(said.json["plans"][0]["plan"])  # type: ignore[index]  # the documented shape
    assert place("approve", plan, "--confirm", "approve").code == 2
    assert place("approve", plan, "--confirm", "example.org:443", "-q").code == 0


def test_deny_is_final(place: Place) -> None:
    plan = place.asking()
    said = place("deny", plan, "--code", "suspicious", "--json")
    assert (said.code, said.json) == (0, {"plan": plan, "word": "deny", "status": "denied"})
    assert place("execute", plan).code == 3
    assert place("inbox", "--json").json == {"plans": []}


def test_a_key_that_nobody_trusts_approves_nothing(place: Place) -> None:
    plan = place.asking()
    made = place("keys", "new", "mallory", here=False)
    assert place("approve", plan, "--as", "mallory", "--confirm", "approve").code == 5
    file = place.write("mallory.json", made.out)
    assert process(["keys", "trust", file], cwd=place.folder).code == 0
    assert process(["keys", "revoke", json.loads(made.out)["id"][:16]], cwd=place.folder).code == 0
    assert place("approve", plan, "--as", "mallory", "--confirm", "approve").code == 5
    assert place("approve", plan, "--as", "../alice", "--confirm", "approve").code == 2


def test_who_asked_cannot_approve_where_duties_are_separated(place: Place) -> None:
    toml = place.folder / "interlock.toml"
    toml.write_text(toml.read_text().replace("separate_duties = false", "separate_duties = true"))
    plan = place.asking()
    own = place("approve", plan, "--as", "alice", "--confirm", "approve")
    assert (own.code, "You are the requester: you cannot approve." in own.err) == (3, True)
    file = place.write("bob.json", place("keys", "new", "bob", here=False).out)
    assert process(["keys", "trust", file], cwd=place.folder).code == 0
    assert place("approve", plan, "--confirm", "approve").code == 2  # Whose key, of the two that lie here?
    assert place("approve", plan, "--as", "bob", "--confirm", "approve").code == 0


def test_two_persons_approve_where_a_rule_says_so_and_one_counts_once(place: Place) -> None:
    rule = "rules:\n  - verify: files.write\n    id: two-persons\n    approvals: 2\n    owner: ops\n    why: two look at it\n"
    place.write("policy/two.yaml", rule)
    plan = place.asking()
    assert "rule two-persons at policy/two.yaml:2, owner ops" in " ".join(place("approve", plan).err.split())
    assert place("approve", plan, "--confirm", "approve").code == 4
    assert place("approve", plan, "--confirm", "approve").code == 2
    file = place.write("bob.json", place("keys", "new", "bob", here=False).out)
    assert process(["keys", "trust", file], cwd=place.folder).code == 0
    assert place("approve", plan, "--as", "bob", "--confirm", "approve").code == 0


def test_card_shows_earlier_decisions_on_the_same_target(place: Place) -> None:
    first = place.asking()
    place("deny", first, "--code", "not-now")
    second = process(["plan", "show", place.asking(), "--json"], cwd=place.folder)
    card = second.json["card"]
    assert isinstance(card, dict)
    assert [(past["plan"], past["outcome"]) for past in card["precedents"]] == [(first, "denied")]
    assert card["precedents"][0]["same"].endswith(".git/hooks/pre-commit")


def test_changed_policy_voids_the_question(place: Place) -> None:
    plan = place.asking()
    place.write("policy/more.yaml", "rules:\n  - deny: files.delete\n    id: more\n")
    said = place("approve", plan, "--confirm", "approve")
    assert (said.code, "approval.policy" in said.err) == (5, True)


def test_denied_plan_ends_with_3_and_says_why_without_values(place: Place) -> None:
    file = place.plan(("files.read@1", {"path": ".env"}))
    said = place("run", "read it", "--plan", file)
    assert said.code == 3
    assert "a rule of the workspace forbids it [policy.denied, rule baseline.keys-read]" in said.err


def test_check_stores_nothing(place: Place) -> None:
    file = place.plan(("files.write@1", {"path": "a.txt", "content": "a"}))
    said = process(["plan", "check", file, "--goal", "write a file", "--json"], cwd=place.folder)
    assert (said.code, said.json["plan"], said.json["verdict"]["decision"]) == (0, None, "ALLOW")  # type: ignore[index]
    assert place("task", "list", here=False).code == 2
    assert process(["task", "list", "--json"], cwd=place.folder).json == {"tasks": []}
    empty = place.write("bad.json", "{")
    assert process(["plan", "check", empty, "--goal", "x"], cwd=place.folder).code == 3


def test_halted_plan_is_resumed_as_a_revision(place: Place) -> None:
    place.write("a.txt", "one\n")
    file = place.plan(
        ("files.write@1", {"path": "b.txt", "content": "two\n"}), ("files.read@1", {"path": "a.txt"}),
        expect={"$eq": [{"$ref": "output.text"}, "other\n"]},
    )  # fmt: skip
    said = place("run", "write two", "--plan", file, "--json")
    assert (said.code, said.json["plans"][0]["stopped"]) == (6, "step.unexpected_outcome"), said  # type: ignore[index]
    plan = str(said.json["plans"][0]["plan"])  # type: ignore[index]
    again = place("resume", plan, "--json")
    assert (again.code, again.json["status"]) == (0, "approved"), again
    shown = process(["plan", "diff", str(again.json["plan"])[:16]], cwd=place.folder)
    assert shown.code == 0
    assert place("rollback", plan).code == 0
    assert not (place.folder / "b.txt").exists()


def test_a_halted_plan_is_resumed_with_another_rest(place: Place) -> None:
    place.write("a.txt", "one")
    steps = ("files.read@1", {"path": "a.txt"}), ("files.read@1", {"path": "gone.txt"})
    said = place("run", "read both", "--plan", place.plan(*steps), "--json")
    plan = str(said.json["plans"][0]["plan"])  # type: ignore[index]
    rest = place.plan(steps[0], ("files.write@1", {"path": "b.txt", "content": {"$ref": "s1.output.text"}}))
    again = place("resume", plan, "--plan", rest, "--json")
    assert (again.code, again.json["status"]) == (0, "approved"), again
    assert place("execute", str(again.json["plan"])).code == 0
    assert (place.folder / "b.txt").read_text() == "one"


def test_resume_takes_one_answer_for_each_step(place: Place) -> None:
    for command in ("resume", "rollback"):
        assert place(command, "abcd", "--happened", "s1", "--not-happened", "s1").code == 2


def test_a_person_with_a_key_says_what_became_of_an_inverse(place: Place, tmp_path: Path) -> None:
    same = {"path": {"$argument": "path"}, "text": {"$argument": "text"}}
    odd = manifest("note.odd", "add", inverse={"action": "note.fail@1", "arguments": same})
    toml, line = place.folder / "interlock.toml", make_package(tmp_path, odd)
    toml.write_text(toml.read_text().replace("packages = []", line).replace('["files"]', '["files", "tests"]'))
    for path in (place.folder / "policy").rglob("*.yaml"):
        path.unlink()
    place.write(
        "policy/rules.yaml", "rules:\n  - {allow: note.*, id: notes}\n  - {deny: '*', external: true, id: out}\n"
    )
    file = place.plan(("note.odd@1", {"path": str(place.folder / "notes.txt"), "text": "b"}))
    said = place("run", "note it", "--plan", file, "--group", "tests", "--json")
    plan = str(said.json["plans"][0]["plan"])  # type: ignore[index]
    assert (place("rollback", plan).code, place("rollback", plan).code) == (6, 6)
    assert f"interlock rollback {plan[:12]} --happened s1" in place("rollback", plan).err
    word = ("--happened", "s1", "--reason", "I looked")
    assert place("rollback", plan, *word, "--as", "mallory").code != 0
    assert place("rollback", plan, *word[:2]).code != 0
    undone = place("rollback", plan, *word, "--json")
    assert (undone.code, undone.json["status"]) == (0, "rolled-back"), undone


def test_halt_names_a_plan_or_all(place: Place) -> None:
    assert place("halt").code == 2
    assert place("halt", "--all", "--json").json == {"halted": []}


def test_revoked_approval_runs_nothing(place: Place) -> None:
    plan = place.asking()
    place("approve", plan, "--confirm", "approve")
    assert place("revoke", plan, "--json").json["status"] == "revoked"
    assert place("execute", plan).code == 6


def test_ledger_holds_until_a_byte_of_it_changes(place: Place, tmp_path: Path) -> None:
    place.asking()
    assert place("ledger", "verify", here=False).code == 2
    run = lambda *words: process(["ledger", *words], cwd=place.folder)  # noqa: E731 - three words, many times
    assert run("verify", "--json").json["holds"] is True
    assert run("prove", "0", "-o", str(tmp_path / "p")).code == 0
    assert run("prove", "999999").code == 2
    assert run("export", str(tmp_path / "bundle")).code == 0
    shown = run("show", "--json").json["entries"]
    assert isinstance(shown, list)
    assert {"task", "plan", "decision", "key"} <= {entry["kind"] for entry in shown}
    [database] = (tmp_path / "state").glob("*/ledger.db")
    with sqlite3.connect(database) as tampering:
        changed = tampering.execute(
            "UPDATE leaf SET body = CAST(replace(CAST(body AS TEXT), 'STEP_UP', 'ALLOW') AS BLOB)"
        )
        assert changed.rowcount > 0
    tampering.close()
    said = run("verify", "--json")
    assert (said.code, said.json["exit"]) == (5, 5)
    assert said.err.startswith("error: ")


def test_secret_is_stored_from_a_file_and_never_shown(place: Place) -> None:
    file = place.write("value.txt", "s3cr3t-value\n")
    for words in (["set", "api-key", "--file", file], ["list"], ["list", "--json"]):
        said = process(["secrets", *words], cwd=place.folder)
        assert (said.code, "s3cr3t" in said.out + said.err) == (0, False)
    assert process(["secrets", "remove", "api-key"], cwd=place.folder).code == 0
    assert process(["secrets", "remove", "api-key"], cwd=place.folder).code == 2
    assert process(["secrets", "set", "a b", "--file", file], cwd=place.folder).code == 2


def test_policy_is_checked_tested_and_explained(place: Place) -> None:
    run = lambda *words: process(["policy", *words], cwd=place.folder)  # noqa: E731 - as above
    assert len(run("check", "--json").json["rules"]) > 10  # type: ignore[arg-type]
    assert run("test", "--json").json["failed"] == 0
    wrong = place.write("wrong.yaml", "cases:\n  - name: refused\n    action: files.read\n    expect: DENY\n")
    assert run("test", wrong).code == 1
    assert "policy/baseline.yaml" in run("explain", "baseline.not-reversible").out
    assert "baseline.persistence-repository at policy/" in run("explain", place.asking()).out
    place.write("policy/broken.yaml", "rules:\n  - dney: '*'\n")
    broken = run("check")
    assert (broken.code, "broken.yaml" in broken.err) == (2, True)
    assert process(["inbox"], cwd=place.folder).code == 2  # A rule that cannot be read switches nothing off.


def test_actions_are_listed_shown_and_checked(place: Place) -> None:
    run = lambda *words: process(["actions", *words], cwd=place.folder)  # noqa: E731 - as above
    assert "files.read@1" in run("list", "--group", "files").out
    assert run("show", "files.write", "--json").json["name"] == "files.write"
    assert run("show", "no.such").code == 2
    assert "shell.run@1" in run("check").out


def test_incident_is_closed_by_an_approver_with_a_reason(place: Place) -> None:
    from interlock.harness.core import Core
    from interlock.harness.workspace import load

    core = Core(workspace=load(place.folder))
    number = core.store.put_incident(core.clock(), "", "", "separation.syscall", "planner: tried \x1b[2Jsocket")
    core.close()
    run = lambda *words: process(["incidents", *words], cwd=place.folder)  # noqa: E731 - as above
    assert visible("\x1b[2Jsocket") in run("list").out
    assert run("close", str(number)).code == 2
    process(["keys", "new", "mallory"], cwd=place.folder)
    assert run("close", str(number), "--reason", "x", "--as", "mallory").code == 5
    assert run("close", str(number), "--reason", "a test", "--as", "alice").code == 0
    assert run("list", "--open", "--json").json == {"incidents": []}


@pytest.mark.parametrize(
    "words",
    [["inbox"], ["task", "list"], ["actions", "list"], ["actions", "check"], ["policy", "check"], ["policy", "test"],
     ["incidents", "list"], ["keys", "list"], ["keys", "export"], ["secrets", "list"], ["ledger", "show"], ["halt", "--all"],
     ["doctor", "--no-probes"], ["completion", "fish"]],
)  # fmt: skip
def test_json_is_one_document_in_ascii(place: Place, words: list[str]) -> None:
    said = process([*words, "--json"], cwd=place.folder)
    assert said.code == 0, said
    assert isinstance(said.json, dict)
    assert said.out.isascii()
