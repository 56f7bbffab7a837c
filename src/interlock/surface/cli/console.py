"""What every command shares: where data, messages and progress go, and whether a person can be asked.

Data goes to standard output, everything else to standard error.  With ``--json`` exactly one JSON document stands
on standard output, in ASCII, so that no terminal interprets anything in it.  A person is asked only where standard
input and standard error are terminals and ``--no-input`` was not given.  Colour only adds to words, never replaces
them; NO_COLOR, TERM=dumb, --no-color and a pipe switch it off.
"""

from __future__ import annotations

import json
import os
import sys
import termios
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from interlock.surface.cli.visible import visible

_STYLES: dict[str, Callable[[str], str]] = {
    "danger": partial(click.style, fg="red", bold=True),
    "warn": partial(click.style, fg="yellow"),
    "good": partial(click.style, fg="green"),
    "dim": partial(click.style, dim=True),
    "bold": partial(click.style, bold=True),
    "untrusted": partial(click.style, underline=True),
}


@dataclass(slots=True)
class Console:
    """The settings of one invocation and its streams."""

    json: bool = False
    no_input: bool = False
    no_color: bool = False
    quiet: bool = False
    folder: Path | None = None
    _line: bool = False

    def data(self, value: object, text: str | Callable[[], str]) -> None:
        """The command's one result: ``value`` with ``--json``, else the text."""
        self.settle()
        if self.json:
            click.echo(json.dumps(value, indent=2, sort_keys=True))
        else:
            click.echo(text if isinstance(text, str) else text(), color=self.colour(sys.stdout.isatty()))

    def say(self, text: str, tone: str = "", *, always: bool = False) -> None:
        """A message; it may hold line feeds and must have been made visible; ``--quiet`` hides it unless ``always``."""
        self.settle()
        if always or not self.quiet:
            click.echo(self.paint(text, tone) if tone else text, err=True, color=self.colour(sys.stderr.isatty()))

    def warn(self, text: str) -> None:
        """A message that ``--quiet`` does not hide."""
        self.settle()
        click.echo(self.paint(f"warning: {text}", "warn"), err=True, color=self.colour(sys.stderr.isatty()))

    def progress(self, text: str) -> None:
        """What is going on: one line that is rewritten on a terminal, else a line each."""
        if self.quiet or self.json:
            return
        shown = visible(text)
        if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
            click.echo(shown, err=True)
            return
        click.echo(f"\r\x1b[2K{shown[:78]}", err=True, nl=False, color=True)
        self._line = True

    def settle(self) -> None:
        """End a line of progress."""
        if self._line:
            click.echo("\r\x1b[2K", err=True, nl=False, color=True)
            self._line = False

    @property
    def interactive(self) -> bool:
        """Whether a person is there to be asked."""
        return not self.no_input and not self.json and sys.stdin.isatty() and sys.stderr.isatty()

    def ask(self, question: str) -> str:
        """One line from the person; what was typed before the question stood there is thrown away."""
        self.settle()
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
        click.echo(f"{question} ", err=True, nl=False, color=self.colour(sys.stderr.isatty()))
        line = sys.stdin.readline()
        if not line:
            raise click.Abort
        return line.strip()

    def paint(self, text: str, tone: str) -> str:
        """The text in a tone; stripped again where colour is off."""
        return _STYLES[tone](text)

    def colour(self, terminal: bool) -> bool:
        """Whether escapes may be written to a stream."""
        off = self.no_color or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        return terminal and not off


def console() -> Console:
    """The console of the running command."""
    found = click.get_current_context().find_root().obj
    assert isinstance(found, Console)  # noqa: S101 - the root command has put it there
    return found
