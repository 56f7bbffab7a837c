"""The help of every command as one Markdown text: ``python -m interlock.surface.cli.helptext --write docs/cli.md``.

Only what stands between the two marks of the file is replaced; without ``--write`` the text goes to standard output.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import click

from interlock.surface.cli.root import interlock

BEGIN, END = "<!-- help: begin -->", "<!-- help: end -->"


def contexts(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[click.Context]:
    """The context of a command and of all below it, in the order in which help shows them; 80 columns wide."""
    inherited = {"help_option_names": parent.help_option_names} if parent else command.context_settings
    context = click.Context(command, info_name=name, parent=parent, terminal_width=80, **inherited)
    yield context
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            if found is not None:
                yield from contexts(found, below, context)


def help_of(context: click.Context) -> str:
    """What ``--help`` prints."""
    return context.command.get_help(context)


def text() -> str:
    """The whole section, marks included."""
    found = list(contexts(interlock, "interlock"))
    parts = [f"## {context.command_path}\n\n```text\n{help_of(context)}\n```" for context in found]
    return "\n\n".join([BEGIN, *parts, END])


def replaced(document: str) -> str:
    """The document with its help brought up to date; raises ``ValueError`` where a mark is missing."""
    before, after = document.index(BEGIN), document.index(END) + len(END)
    return document[:before] + text() + document[after:]


def main() -> None:
    """Write the help into a file, or print it."""
    parser = argparse.ArgumentParser(prog="python -m interlock.surface.cli.helptext")
    parser.add_argument("--write", type=Path, metavar="FILE")
    file: Path | None = parser.parse_args().write
    if file is None:
        click.echo(text())
        return
    file.write_text(replaced(file.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
