"""What only a real process or a real terminal shows: the question, type-ahead, colour, exit codes, start-up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from surface.cli import BOOT, SECONDS, Place, Terminal, process

HOOK = ("files.write@1", {"path": ".git/hooks/pre-commit", "content": "#!/bin/sh\n"})


def test_run_asks_on_the_terminal_and_goes_on_after_the_word(place: Place) -> None:
    (place.folder / ".git" / "hooks").mkdir(parents=True)
    shown = Terminal(["run", "make a hook", "--plan", place.plan(HOOK)], cwd=place.folder)
    shown.until("Write .git/hooks/pre-commit.").until("nothing to leave it:").until("> ").type("approve\n")
    assert shown.end() == 0, shown.seen
    assert "status done" in shown.seen
    assert (place.folder / ".git/hooks/pre-commit").exists()


@pytest.mark.parametrize(("typed", "code"), [("\n", 4), ("yes\n", 4), ("APPROVE\n", 4)])
def test_anything_but_the_word_leaves_it_pending(place: Place, typed: str, code: int) -> None:
    plan = place.asking()
    shown = Terminal(["approve", plan], cwd=place.folder)
    shown.until("> ").type(typed)
    assert shown.end() == code, shown.seen
    assert "status pending" in shown.seen


def test_what_was_typed_before_the_question_does_not_count(place: Place) -> None:
    plan = place.asking()
    shown = Terminal(["approve", plan], cwd=place.folder)
    shown.type("approve\n").until("> ").type("\n")
    assert shown.end() == 4, shown.seen


def test_deny_on_the_terminal_asks_for_a_reason(place: Place) -> None:
    shown = Terminal(["approve", place.asking()], cwd=place.folder)
    shown.until("> ").type("deny\n").until("Why (").type("too-broad\n")
    assert shown.end() == 0, shown.seen
    assert "status denied" in shown.seen


def test_hasty_approval_of_what_cannot_be_undone_is_an_alarm(place: Place) -> None:
    toml = place.folder / "interlock.toml"
    toml.write_text(toml.read_text().replace('groups = ["files"]', 'groups = ["http"]'))
    file = place.plan(("http.post@1", {"url": "https://example.org/hook", "body": "{}"}))
    plan = str(place("run", "tell", "--plan", file, "--json").json["plans"][0]["plan"])  # type: ignore[index]
    shown = Terminal(["approve", plan], cwd=place.folder)
    shown.until("  example.org:443").until("> ").type("example.org:443\n")
    assert shown.end() == 0, shown.seen
    entries = process(["ledger", "show", "--json"], cwd=place.folder).json["entries"]
    assert isinstance(entries, list)
    assert [entry["subject"] for entry in entries if entry["code"] == "approval.hasty"] == [plan]


def test_end_of_input_is_no_approval(place: Place) -> None:
    plan = place.asking()
    shown = Terminal(["approve", plan], cwd=place.folder)
    shown.until("> ").type("\x04")
    assert shown.end() == 130, shown.seen
    assert place("inbox", "--json").json["plans"]


def test_no_input_never_asks(place: Place) -> None:
    shown = Terminal(["run", "make a hook", "--plan", place.plan(HOOK), "--no-input"], cwd=place.folder)
    assert shown.end() == 4
    assert "nothing to leave it" not in shown.seen


@pytest.mark.parametrize(
    ("words", "environment", "coloured"),
    [([], {}, True), (["--no-color"], {}, False), ([], {"NO_COLOR": "1"}, False), ([], {"TERM": "dumb"}, False)],
)
def test_colour_only_where_it_is_wanted(
    place: Place, words: list[str], environment: dict[str, str], coloured: bool
) -> None:
    plan = place.asking()
    shown = Terminal(["plan", "show", plan, *words], cwd=place.folder, **environment)
    assert shown.end() == 0
    assert ("\x1b[" in shown.seen) is coloured, shown.seen
    assert "CAN BE UNDONE FROM A SNAPSHOT" in shown.seen


def test_unattended_denies_what_would_ask(place: Place) -> None:
    said = process(["run", "make a hook", "--plan", place.plan(HOOK), "--unattended"], cwd=place.folder)
    assert said.code == 3
    assert "nobody is there" in said.err


def test_quiet_hides_messages_and_never_the_question(place: Place) -> None:
    shown = Terminal(["approve", place.asking(), "-q"], cwd=place.folder)
    shown.until("Write .git/hooks/pre-commit.").until("nothing to leave it:").until("> ").type("\n")
    assert shown.end() == 4, shown.seen
    assert "next:" not in shown.seen


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [(["halt"], 2, "usage"), (["no-such-command"], 2, "usage"), (["task", "show", "task-1"], 2, "task.unknown")],
)
def test_json_holds_for_failures_too(place: Place, words: list[str], code: int, error: str) -> None:
    said = process([*words, "--json"], cwd=place.folder)
    found = said.json["error"]
    assert isinstance(found, dict)
    assert (said.code, said.json["exit"], found["code"]) == (code, code, error)
    assert said.err


def test_unexpected_exception_is_one_line_and_a_traceback_only_if_asked(place: Place) -> None:
    toml = place.folder / "interlock.toml"
    toml.chmod(0o600)
    place.write("policy/odd.yaml", "rules: []\n")
    (place.folder / "policy" / "odd.yaml").unlink()
    (place.folder / "policy" / "odd.yaml").mkdir()  # A folder where a file should be: nobody thought of it.
    said = process(["policy", "check"], cwd=place.folder)
    assert (said.code, "[unexpected]" in said.err, "Traceback" in said.err) == (1, True, False)
    assert "Traceback" in process(["policy", "check"], cwd=place.folder, INTERLOCK_DEBUG="1").err


def test_interrupt_ends_with_130(place: Place) -> None:
    shown = Terminal(["approve", place.asking()], cwd=place.folder)
    shown.until("> ").type("\x03")
    assert shown.end() == 130, shown.seen


def test_reader_that_goes_away_is_no_traceback(place: Place) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with subprocess.Popen([*BOOT, "actions", "list"], cwd=place.folder, stdout=writer, stderr=subprocess.PIPE) as found:
        os.close(writer)
        _, errors = found.communicate(timeout=SECONDS)
    assert b"Traceback" not in errors
    assert found.returncode in {0, 1, -signal.SIGPIPE}


def test_help_imports_none_of_the_harness() -> None:
    text = "import sys\ntry:\n import interlock.surface.cli as c; sys.argv = ['interlock', '--help']; c.main()\nexcept SystemExit: pass\n"
    text += "print([n for n in sys.modules if n.startswith('interlock.') and n.split('.')[1] in ('harness', 'decide')])"
    found = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=SECONDS, check=True)
    assert found.stdout.rstrip().endswith("[]")


def test_text_that_a_terminal_cannot_show_does_not_stop_the_command(place: Place) -> None:
    plan = place.asking()
    said = process(["plan", "show", plan], cwd=place.folder, PYTHONIOENCODING="latin-1")
    assert (said.code, "\\u2500" in said.out) == (0, True)


@pytest.mark.sandbox
def test_doctor_proves_that_the_gate_is_live(place: Place) -> None:
    said = process(["doctor", "--json"], cwd=place.folder)
    checks = said.json["checks"]
    assert isinstance(checks, list)
    assert (said.code, said.json["holds"]) == (0, True), checks
    texts = [check["text"] for check in checks]
    assert any(text.startswith("planner: ") and text.endswith("all refused") for text in texts)
    assert any(text.startswith("reading ~/.ssh/id_rsa is denied (scope.path") for text in texts)
    assert any("UnsafeSameUser" in text for text in texts)


def test_doctor_fails_where_others_can_write_the_rules_or_read_the_keys(place: Place, tmp_path: Path) -> None:
    (place.folder / "policy" / "baseline.yaml").chmod(0o666)
    [key] = (tmp_path / "person").glob("*.key")
    key.chmod(0o644)
    said = process(["doctor", "--no-probes"], cwd=place.folder)
    assert said.code == 1
    assert "FAIL  files     others can write baseline.yaml" in said.out
    assert "others can read alice.key" in said.out


def test_doctor_fails_where_nothing_can_be_decided(place: Place) -> None:
    for path in (place.folder / "policy").glob("*.yaml"):
        path.unlink()
    said = process(["doctor", "--no-probes"], cwd=place.folder)
    assert (said.code, "FAIL  policy    0 rules" in said.out) == (1, True)


def test_doctor_works_without_a_workspace(place: Place, tmp_path: Path) -> None:
    said = process(["doctor", "--no-probes"], cwd=tmp_path)
    assert (said.code, "no interlock.toml here or above" in said.out) == (0, True)


@pytest.mark.sandbox
def test_jail_runs_a_script_with_its_arguments_output_and_exit_code(tmp_path: Path) -> None:
    script = tmp_path / "try.py"
    script.write_text("import json, sys\nprint(json.dumps(sys.argv[1:]))\nsys.exit(7)\n")
    said = process(["jail", "--as", "planner", str(script), "--as", "-x"], cwd=tmp_path)
    assert (said.code, json.loads(said.out)) == (7, ["--as", "-x"])


@pytest.mark.sandbox
def test_jail_of_a_step_has_the_grant_of_that_step_and_no_more(place: Place) -> None:
    place.write("notes.txt", "mine\n")
    (place.folder.parent / "outside.txt").write_text("not its own\n")
    file = place.plan(("files.read@1", {"path": "notes.txt"}))
    plan = str(place("run", "read it", "--plan", file, "--json").json["plans"][0]["plan"])  # type: ignore[index]
    script = place.write("try.py", "import sys\nprint(open(sys.argv[1]).read())\n")
    notes, outside = str(place.folder / "notes.txt"), str(place.folder.parent / "outside.txt")
    with_plan = ["jail", "--as", "step", "--plan", plan, "--step", "s1", script]
    assert process([*with_plan, notes], cwd=place.folder).out == "mine\n\n"
    assert process([*with_plan, outside], cwd=place.folder).code != 0
    assert process(["jail", "--as", "step", script, notes], cwd=place.folder).code != 0
    assert process(["jail", "--as", "step", "--plan", plan, script, notes], cwd=place.folder).code == 2
