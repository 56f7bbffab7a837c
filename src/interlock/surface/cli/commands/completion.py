"""``completion``: the script with which a shell completes ``interlock``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from interlock.surface.cli.console import console
from interlock.surface.cli.root import Leaf, interlock


@click.command(cls=Leaf)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of SHELL; for bash: interlock completion bash > ~/.bash_completion.d/interlock."""
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - the choice above names click's own classes
    script = found(interlock, {}, "interlock", "_INTERLOCK_COMPLETE").source()
    console().data({"shell": shell, "script": script}, script)
