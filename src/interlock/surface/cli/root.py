"""The root command: subcommands imported when they run, options that every command has, errors as exit codes.

``interlock --help`` imports none of the commands.  No exception reaches the person as a traceback unless
INTERLOCK_DEBUG=1 is set.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from interlock.artifact.errors import InterlockError, SeparationViolation
from interlock.surface.cli.console import Console
from interlock.surface.cli.failures import Exit, block, document, exit_code
from interlock.surface.cli.visible import visible

_HERE = "interlock.surface.cli.commands"
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("setup:init", "Make a workspace here: configuration, policy, keys."),
    "doctor": ("doctor:doctor", "Prove that the gate is live and say what holds here."),
    "run": ("run:run", "Take a goal through plan, gate, approval and execution."),
    "task": ("task:task", "Look at tasks."),
    "plan": ("plan:plan", "Propose, check, preview and read plans."),
    "inbox": ("inbox:inbox", "Show the plans that wait for a person."),
    "approve": ("inbox:approve", "Approve a plan once, with your own key."),
    "deny": ("inbox:deny", "Deny a plan, with your own key."),
    "explain": ("explain:explain", "Say why a decision was as it was, and what would be allowed."),
    "execute": ("life:execute", "Run an approved plan."),
    "halt": ("life:halt", "Stop a running plan, or all, before the next step."),
    "revoke": ("life:revoke", "Take a plan's approval back."),
    "resume": ("life:resume", "Propose the rest of a halted plan anew."),
    "rollback": ("life:rollback", "Take back exactly what a plan did."),
    "ledger": ("ledger:ledger", "Verify, read, prove and export the ledger."),
    "policy": ("policy:policy", "Check, test, prove and explain the policy."),
    "actions": ("actions:actions", "Look at the manifests of actions."),
    "incidents": ("incidents:incidents", "Look at incidents, and close them."),
    "keys": ("keys:keys", "Make, list, trust and revoke keys."),
    "secrets": ("vault:vault", "Store secrets, which no plan and no model ever sees."),
    "eval": ("eval:evaluate", "Measure the gate on labelled actions and plans."),
    "models": ("models:models", "Add a classifier of your own, which can only raise."),
    "jail": ("jail:jail", "Run a script in the confinement of a role and try to get out."),
    "completion": ("completion:completion", "Print the completion script of a shell."),
}


def _setting(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        del parameter
        root = context.find_root()
        if root.obj is None:
            root.obj = Console()
        if value:
            setattr(root.obj, name, value)

    return keep


def _common() -> list[click.Parameter]:
    """The options that every command has, at whatever level they are written."""
    flags = (
        ("json", ["--json"], "Write one JSON document to standard output."),
        ("no_input", ["--no-input"], "Never ask; what would ask ends with exit code 4."),
        ("no_color", ["--no-color"], "No colour, as with NO_COLOR or TERM=dumb."),
        ("quiet", ["-q", "--quiet"], "No messages but warnings and errors."),
    )
    options: list[click.Parameter] = [
        click.Option(names, is_flag=True, expose_value=False, callback=_setting(name), help=text)
        for name, names, text in flags
    ]
    kind = click.Path(exists=True, file_okay=False, path_type=Path)
    folder = click.Option(
        ["-C", "--workspace"], type=kind, expose_value=False, callback=_setting("folder"), metavar="DIR",
        help="The workspace; without it, this folder's or the nearest one above.",
    )  # fmt: skip
    return [*options, folder]


class Leaf(click.Command):
    """A command that does something."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.params = [*self.params, *_common()]


class Noun(click.Group):
    """A group of leaves about one noun."""

    command_class = Leaf

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.params = [*self.params, *_common()]


class Root(Noun):
    """``interlock`` itself."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        found = getattr(importlib.import_module(f"{_HERE}.{module}"), name)
        assert isinstance(found, click.Command)  # noqa: S101 - a table of our own
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> NoReturn:
        """Run, and end the process with one of the published exit codes."""
        del standalone_mode, windows_expand_args
        given = sys.argv[1:] if args is None else list(args)
        sys.exit(self._guarded(given, prog_name or "interlock", complete_var, extra))

    def _guarded(self, args: list[str], name: str, complete_var: str | None, extra: dict[str, Any]) -> int:
        try:
            found = super().main(args, name, complete_var, standalone_mode=False, **extra)
        except click.Abort:
            return _ended("interrupted", "interrupted", Exit.INTERRUPTED, json="--json" in args)
        except click.ClickException as error:
            error.show()
            return _ended("usage", error.format_message(), error.exit_code, json="--json" in args, told=True)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # The reader has gone; nothing more can be told.
            return Exit.FAULT
        except (InterlockError, SeparationViolation) as error:
            return _fail(error, json="--json" in args)
        except Exception as error:  # noqa: BLE001 - the last resort, which never shows a traceback unasked
            return _unexpected(error, json="--json" in args)
        return found if isinstance(found, int) else Exit.OK


def _fail(error: InterlockError | SeparationViolation, *, json: bool) -> int:
    _debug()
    if json:
        Console(json=True).data(document(error), "")
    click.echo(block(error), err=True)
    return exit_code(error)


def _unexpected(error: Exception, *, json: bool) -> int:
    _debug()
    text = f"{type(error).__name__}: {visible(str(error))[:500]}"
    hint = "this is a fault of Interlock or of this machine; INTERLOCK_DEBUG=1 shows where"
    click.echo(f"error: {text}  [unexpected]\n  next: {hint}", err=True)
    return _ended("unexpected", text, Exit.FAULT, json=json, told=True)


def _ended(code: str, message: str, exit_code: int, *, json: bool, told: bool = False) -> int:
    """The end of a command that no error of ours explains; the exit code."""
    if not told:
        click.echo(message, err=True)
    if json:
        error = {"code": code, "message": message, "why": "", "hint": ""}
        Console(json=True).data({"error": error, "exit": exit_code}, "")
    return exit_code


def _debug() -> None:
    if os.environ.get("INTERLOCK_DEBUG") == "1":
        traceback.print_exc()


@click.command(cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="interlock", message="%(prog)s %(version)s")
def interlock() -> None:
    """An agent proposes, a person decides, and exactly that is done.

    Exit codes: 0 ok, 1 our fault, 2 usage, 3 denied, 4 approval pending, 5 integrity failure, 6 halted.
    """
