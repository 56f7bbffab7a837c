"""``actions``: what plans can be made of, and what a reviewer should look at before trusting a manifest."""

from __future__ import annotations

from pathlib import Path

import click

from interlock.artifact import codec
from interlock.artifact.action import Manifest
from interlock.artifact.errors import StateError
from interlock.harness import catalogue
from interlock.surface.cli.console import console
from interlock.surface.cli.layout import table
from interlock.surface.cli.opening import workspace
from interlock.surface.cli.root import Noun
from interlock.surface.cli.visible import visible
from interlock.surface.cli.words import CONCERNS, UNDO


@click.group(cls=Noun)
def actions() -> None:
    """Look at the manifests of actions."""


@actions.command("list")
@click.option("--group", default="", metavar="NAME", help="Only this group.")
def list_(group: str) -> None:
    """All actions, with what they do and whether it can be undone."""
    here = workspace()
    kept = [one for _, one in sorted(catalogue.load(here).items()) if group in {"", one.group}]
    offered = here.configuration.actions.groups
    rows = [(one.reference, one.group, one.effect, UNDO[one.reversibility], one.sentence) for one in kept]
    found = [{"action": one.reference, "offered": one.group in offered, **_fields(one)} for one in kept]
    console().data({"actions": found}, lambda: table(("ACTION", "GROUP", "EFFECT", "UNDO", "SENTENCE"), rows))
    console().say(f"tasks here may load: {', '.join(offered)}")


@actions.command()
@click.argument("action", metavar="NAME[@VERSION]")
def show(action: str) -> None:
    """One manifest in full, with the digest that pins it."""
    known = catalogue.load(workspace())
    found = sorted((one for one in known.values() if action in {one.name, one.reference}), key=lambda one: one.version)
    if not found:
        raise StateError("actions.unknown", f"no action {action}", hint="run: interlock actions list")
    console().data({"digest": codec.digest(found[-1]), **_fields(found[-1])}, lambda: _text(found[-1]))


@actions.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(files: tuple[Path, ...]) -> None:
    """Read manifests (default: all of the workspace) and point at what a reviewer should look at."""
    if files:
        read = [one for path in files for one in catalogue.read(path.name, path.read_bytes())]
        catalogue.check_forms({**catalogue.builtin(), **{one.reference: one for one in read}})
    else:
        read = list(catalogue.load(workspace()).values())
    found = [{"action": one.reference, "concern": code} for one in read for code in catalogue.concerns(one)]
    rows = [(one["action"], one["concern"], CONCERNS.get(one["concern"], "")) for one in found]
    text = table(("ACTION", "CONCERN", "LOOK AT"), rows) if rows else "nothing to look at"
    console().data({"checked": len(read), "concerns": found}, f"{text}\n\n{len(read)} manifests read")


def _fields(manifest: Manifest) -> dict[str, object]:
    found = codec.builtin(manifest)
    return dict(found) if isinstance(found, dict) else {}


def _text(manifest: Manifest) -> str:
    arguments = [
        (name, one.type, one.role, "needed" if one.required else "may be left out", one.description)
        for name, one in manifest.arguments.items()
    ]
    touches = ", ".join(f"{one.access} {one.kind}:{one.name}" for one in manifest.resources) or "nothing named"
    flags = [name for name in ("privileged", "external", "broad", "idempotent") if getattr(manifest, name)]
    lines = [
        f"{visible(manifest.reference)}  sha256:{codec.digest(manifest)}",
        f"sentence  {visible(manifest.sentence)}",
        f"effect    {manifest.effect}, {UNDO[manifest.reversibility]}{''.join(f', {flag}' for flag in flags)}",
        f"touches   {visible(touches)}",
        f"secrets   {visible(', '.join(manifest.needed_secrets)) or 'none'}",
        f"forms     {visible(', '.join(manifest.forms)) or 'none but its own'}",
        f"driver    {manifest.driver.name} {visible(' '.join((manifest.driver.operation, *manifest.driver.argv)))}",
    ]
    return "\n".join([*lines, "", table(("ARGUMENT", "TYPE", "DECIDES", "", "MEANING"), arguments)])
