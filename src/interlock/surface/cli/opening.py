"""Opening what a command needs: the workspace, its core to read, its harness to act."""

from __future__ import annotations

import getpass
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from interlock.artifact.errors import ConfigurationError
from interlock.harness.workspace import Workspace, approver_folder, find
from interlock.surface.cli.console import console

if TYPE_CHECKING:
    from interlock.harness.core import Core
    from interlock.harness.service import Harness

reduced = click.option(
    "--unsafe-reduced-sandbox", "unsafe", is_flag=True,
    help="Accept a machine where a layer of the sandbox is missing; recorded, and named in every receipt.",
)  # fmt: skip
approver = click.option("--as", "name", metavar="NAME", help="The person whose key signs; default: the only one here.")


def workspace() -> Workspace:
    """The workspace of ``-C``, of this folder or of the nearest one above."""
    return find(console().folder or Path.cwd())


@contextmanager
def reading() -> Generator[Core]:
    """The workspace's state, to look at; no process is started."""
    from interlock.harness.core import Core
    from interlock.harness.proofs import Prover

    core = Core(workspace=workspace())
    core.prover = Prover(core, console().say, looking=True)
    try:
        yield core
    finally:
        core.close()


@contextmanager
def acting(*, unsafe: bool = False, unattended: bool = False) -> Generator[Harness]:
    """The whole harness; a crash's leftovers are settled and told."""
    from interlock.harness.service import Harness

    if unsafe:
        console().warn("UnsafeReducedSandbox: a missing layer is accepted; receipts say so")
    told = console().say
    with Harness(workspace(), unattended=unattended, unsafe_reduced=unsafe, told=told) as harness:
        for digest in harness.recovered:
            console().warn(f"plan {digest[:12]} was cut off and is halted: interlock plan show {digest[:12]}")
        yield harness


def person(name: str | None) -> str:
    """Who decides: ``--as``, INTERLOCK_AS, the only key here, or the person who is logged in."""
    asked = name or os.environ.get("INTERLOCK_AS")
    if asked:
        return identifier(asked)
    keys = sorted(path.stem for path in approver_folder().glob("*.key"))
    if len(keys) > 1 and login() not in keys:
        raise ConfigurationError("keys.which", f"several keys lie here: {', '.join(keys)}", hint="add --as NAME")
    return keys[0] if len(keys) == 1 else identifier(login())


def authenticated(core: Core, who: str) -> None:
    """Hold the person to a key of their own that is an approver's now; raises ``SignatureError``."""
    from interlock.artifact.errors import SignatureError
    from interlock.harness.keys import own_signer

    signer = own_signer(approver_folder(), who, create=False)
    known = {key.id: key.owner for key in core.keys.keyring.candidates("approver", core.clock())}
    if known.get(signer.id) != who:
        raise SignatureError(
            "signature.untrusted", f"the key of {who} is no approver's here", hint="run: interlock keys list"
        )


def identifier(name: str) -> str:
    """A name that can stand in a keyring and in a file name; raises ``ConfigurationError``."""
    import msgspec

    from interlock.artifact.codec import Identifier

    try:
        found: str = msgspec.convert(name, Identifier, strict=True)
    except msgspec.ValidationError:
        raise ConfigurationError(
            "keys.name", "a name has letters, digits and ._:@+-, at most 128", hint="choose another"
        ) from None
    return found


def login() -> str:
    """The name of the person who is logged in."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"
