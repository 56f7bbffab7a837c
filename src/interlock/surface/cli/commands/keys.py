"""``keys``: whose word counts.  A private key never leaves its owner's folder; what is trusted is on record."""

from __future__ import annotations

from typing import BinaryIO, cast

import click
import msgspec

from interlock.artifact import codec
from interlock.artifact.errors import ConfigurationError
from interlock.artifact.signing import Keyring, PublicKey, Role
from interlock.harness.keys import own_signer, public_key
from interlock.harness.workspace import approver_folder
from interlock.surface.cli.console import console
from interlock.surface.cli.layout import table
from interlock.surface.cli.opening import identifier, reading
from interlock.surface.cli.root import Noun
from interlock.surface.cli.visible import visible
from interlock.surface.cli.words import moment


@click.group(cls=Noun)
def keys() -> None:
    """Make, list, trust and revoke keys."""


@keys.command()
@click.argument("name")
def new(name: str) -> None:
    """Make a person's signing key in that person's own folder, and print its public half.

    Whoever keeps the workspace then trusts it with: interlock keys trust FILE.
    """
    import time

    owner = identifier(name)
    signer = own_signer(approver_folder(), owner, create=True)
    key = public_key(signer.public, owner, ("approver",), time.time_ns() // 1_000_000)
    console().data(codec.builtin(key), codec.encode(key).decode())


@keys.command("list")
def list_() -> None:
    """The keyring: whose word counts, in which role, from when until when."""
    with reading() as core:
        found, now = core.keys.keyring.keys, core.clock()
    rows = [
        (key.id[:16], key.owner, ", ".join(key.roles), "valid" if key.valid_at(now) else "not valid", _until(key))
        for key in found
    ]
    data = [{**msgspec.structs.asdict(key), "valid": key.valid_at(now)} for key in found]
    console().data({"keys": data}, lambda: table(("KEY", "OWNER", "ROLES", "NOW", "SINCE"), rows))


@keys.command()
@click.option("--ledger", is_flag=True, help="Only the ledger's verifier key, one line.")
def export(ledger: bool) -> None:
    """The public keys: the keyring, and with --ledger the key for interlock.verify."""
    with reading() as core:
        ring, key = core.keys.keyring, core.ledger.key.vkey
    data = {"ledger": key, "keyring": codec.builtin(ring)}
    console().data(data, key if ledger else codec.encode(ring).decode())


@keys.command()
@click.argument("file", type=click.File("rb"))
@click.option(
    "--role", "roles", multiple=True, type=click.Choice(["approver", "witness"]), help="Default: what the file says."
)
def trust(file: BinaryIO, roles: tuple[str, ...]) -> None:
    """Trust the public key in FILE (as "keys new" prints it; - is standard input), from now on."""
    given = codec.decode(file.read().strip(), PublicKey)
    chosen = cast("tuple[Role, ...]", roles) or given.roles
    if not set(chosen) <= {"approver", "witness"}:
        raise ConfigurationError(
            "keys.role", "only approvers and witnesses are trusted from outside", hint="add --role approver"
        )
    with reading() as core:
        key = public_key(bytes.fromhex(given.public), given.owner, chosen, core.clock())
        codec.decode(codec.encode(Keyring(keys=(key,))), Keyring)
        core.record("key", "", key.id, codec.encode(key), code="key.trusted")
        core.keys.trust(key)
    console().data(codec.builtin(key), f"trusted {key.id[:16]} of {visible(key.owner)} as {', '.join(key.roles)}")


@keys.command()
@click.argument("key")
@click.option(
    "--since", type=click.IntRange(0), metavar="MILLISECONDS", help="Since when it does not count; default: now."
)
def revoke(key: str, since: int | None) -> None:
    """Distrust a key (a prefix of its id), for instance from the time when it was stolen."""
    with reading() as core:
        at = core.clock() if since is None else since
        core.record("key", "", key[:64], str(at).encode(), code="key.revoked")
        revoked = core.keys.revoke(key, at)
    console().data(codec.builtin(revoked), f"revoked {revoked.id[:16]} of {visible(revoked.owner)} since {moment(at)}")


def _until(key: PublicKey) -> str:
    ends = [end for end in (key.not_after, key.revoked_from) if end is not None]
    return moment(key.not_before) + (f" until {moment(min(ends))}" if ends else "")
