"""``incidents``: attempts to cross the separation (I11), and the person who closes them."""

from __future__ import annotations

import click
import msgspec

from interlock.artifact.errors import StateError
from interlock.surface.cli.console import console
from interlock.surface.cli.layout import table
from interlock.surface.cli.opening import acting, approver, authenticated, person, reading
from interlock.surface.cli.root import Noun
from interlock.surface.cli.visible import visible
from interlock.surface.cli.words import moment


@click.group(cls=Noun)
def incidents() -> None:
    """Look at incidents, and close them."""


@incidents.command("list")
@click.option("--open", "still_open", is_flag=True, help="Only those that nobody has closed.")
def list_(still_open: bool) -> None:
    """All incidents, oldest first."""
    with reading() as core:
        found = core.store.incidents(still_open=still_open)
    rows = [
        (one.id, moment(one.at), "closed" if one.closed_by else "OPEN", one.code, one.task, one.detail) for one in found
    ]
    text = table(("NUMBER", "WHEN", "STATE", "CODE", "TASK", "DETAIL"), rows) if rows else "no incident"
    console().data({"incidents": [msgspec.to_builtins(one) for one in found]}, text)


@incidents.command()
@click.argument("number", type=int)
def show(number: int) -> None:
    """One incident, with the secrets that are marked for rotation."""
    with reading() as core:
        one = next((row for row in core.store.incidents() if row.id == number), None)
        marked = sorted(name for name, rotate in core.vault.names().items() if rotate)
    if one is None:
        raise StateError("incident.unknown", f"no incident {number}", hint="run: interlock incidents list")
    lines = [f"{name:9} {visible(str(value))}" for name, value in msgspec.structs.asdict(one).items() if value != ""]
    lines.append(f"rotate    {visible(', '.join(marked)) or 'no secret'}")
    console().data({**msgspec.structs.asdict(one), "rotate": marked}, "\n".join(lines))


@incidents.command()
@click.argument("number", type=int)
@click.option("--reason", required=True, help="What was found; recorded.")
@approver
def close(number: int, reason: str, name: str | None) -> None:
    """Close an incident; with the last one its task thaws.  Needs an approver's key."""
    who = person(name)
    with acting() as harness:
        authenticated(harness.core, who)
        harness.close_incident(number, who, reason)
    console().data({"incident": number, "closedBy": who}, f"closed incident {number}")
