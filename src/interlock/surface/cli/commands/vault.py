"""``secrets``: values come from a file or from standard input, never from the command line, and are never shown."""

from __future__ import annotations

import sys
from typing import BinaryIO

import click

from interlock.surface.cli.console import console
from interlock.surface.cli.layout import table
from interlock.surface.cli.opening import identifier, reading
from interlock.surface.cli.root import Noun
from interlock.surface.cli.visible import visible


@click.group(cls=Noun, name="secrets")
def vault() -> None:
    """Store secrets, which no plan and no model ever sees."""


@vault.command("set")
@click.argument("name")
@click.option("--file", type=click.File("rb"), metavar="FILE", help="Where the value stands; default: standard input.")
@click.option("--keep-newline", is_flag=True, help="Keep a line feed at the value's end.")
def set_(name: str, file: BinaryIO | None, keep_newline: bool) -> None:
    """Store or replace a secret; its value is read from a file or from standard input."""
    known = identifier(name)
    if file is None and sys.stdin.isatty():
        if not console().interactive:
            raise click.UsageError("give the value with --file or on standard input")
        value = click.prompt(f"Value of {known}", hide_input=True, err=True, type=str).encode()
    else:
        value = (file or sys.stdin.buffer).read()
    with reading() as core:
        core.record("key", "", known, b"", code="secret.set")
        core.vault.put(known, value if keep_newline else value.rstrip(b"\r\n"))
    console().data({"secret": known, "stored": True}, f"stored {known}")


@vault.command("list")
def list_() -> None:
    """The names of the secrets, and which must be rotated."""
    with reading() as core:
        found = core.vault.names()
    rows = [
        (name, "ROTATE: it was in the hands of something that broke out" if rotate else "ok")
        for name, rotate in sorted(found.items())
    ]
    text = table(("SECRET", "STATE"), rows) if rows else "no secret"
    console().data({"secrets": [{"name": name, "rotate": rotate} for name, rotate in sorted(found.items())]}, text)


@vault.command()
@click.argument("name")
def remove(name: str) -> None:
    """Forget a secret."""
    with reading() as core:
        core.record("key", "", identifier(name), b"", code="secret.removed")
        core.vault.remove(name)
    console().data({"secret": name, "stored": False}, f"removed {visible(name)}")
