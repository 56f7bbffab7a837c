"""docs/cli.md holds every command's help, and every command has the options that are promised of all."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from interlock.surface.cli.helptext import BEGIN, END, contexts, help_of, replaced, text
from interlock.surface.cli.root import COMMANDS, interlock

DOCUMENT = Path(__file__).parents[2] / "docs" / "cli.md"
ALL = list(contexts(interlock, "interlock"))
NAMES = [context.command_path for context in ALL]


def test_document_holds_the_help_of_every_command() -> None:
    document = DOCUMENT.read_text("utf-8")
    assert replaced(document) == document, "run: python -m interlock.surface.cli.helptext --write docs/cli.md"


def test_replacing_needs_both_marks() -> None:
    with pytest.raises(ValueError, match="substring"):
        replaced("no marks")
    assert replaced(f"a {BEGIN} old {END} b") == f"a {text()} b"


@pytest.mark.parametrize("context", ALL, ids=NAMES)
def test_every_command_has_the_common_options_and_says_what_it_does(context: click.Context) -> None:
    options = {name for parameter in context.command.params for name in parameter.opts}
    assert {"--json", "--no-input", "--no-color", "--quiet", "--workspace"} <= options
    assert context.command.help
    shown = help_of(context)
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert "-h, --help" in shown


def test_short_help_of_the_table_is_that_of_the_commands() -> None:
    for context in ALL:
        if context.parent is not None and context.parent.parent is None:
            said = COMMANDS[str(context.info_name)][1]
            assert said.endswith(".")
            assert len(said) < 64


def test_promised_commands_exist() -> None:
    promised = {
        "init", "doctor", "run", "inbox", "approve", "deny", "execute", "halt", "revoke", "resume", "rollback", "jail",
        "completion", "task list", "task show", "plan propose", "plan check", "plan preview", "plan show", "plan diff",
        "ledger verify", "ledger show", "ledger prove", "ledger export", "policy check", "policy test", "policy explain",
        "policy prove", "policy diff",
        "actions list", "actions show", "actions check", "incidents list", "incidents show", "incidents close", "keys new",
        "keys list", "keys export", "keys trust", "keys revoke", "secrets set", "secrets list", "secrets remove",
    }  # fmt: skip
    assert {f"interlock {name}" for name in promised} <= set(NAMES)
