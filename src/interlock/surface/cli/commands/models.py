"""``models``: a classifier of the operator's own, beside the one that comes with the package; it can only raise."""

from __future__ import annotations

from pathlib import Path

import click

from interlock.surface.cli.console import console
from interlock.surface.cli.layout import table
from interlock.surface.cli.opening import reading
from interlock.surface.cli.root import Noun
from interlock.surface.cli.visible import visible


@click.group(cls=Noun)
def models() -> None:
    """Add a classifier of your own, which can only raise."""


@models.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def add(folder: Path) -> None:
    """Verify and copy a folder with model.onnx, tokenizer.json, labels.json and manifest.json.

    The copy is verified again whenever the analyst is started; where it is altered or missing, code is opaque.
    """
    from interlock.harness import operator_models

    with reading() as core:
        found = operator_models.add(core.workspace.state, folder)
        core.record("key", "", found.name, b"", code="model.added")
    console().data({"model": found.name, "raises": found.raises}, f"added {visible(found.name)}; it can only raise")


@models.command("list")
def list_() -> None:
    """The classifier of the package and, if one was added, the operator's."""
    from interlock.artifact.errors import ConfigurationError
    from interlock.harness import operator_models

    rows = [("interlock", "ok", "raises and denies")]
    with reading() as core:
        try:
            found = operator_models.installed(core.workspace.state)
        except ConfigurationError as error:
            rows.append(("operator's", f"UNSOUND ({visible(error.code)})", "all code is opaque"))
        else:
            rows += [(found.manifest.name, "ok", "raises")] if found is not None else []
    data = {"models": [{"name": name, "state": state, "may": may} for name, state, may in rows]}
    console().data(data, table(("MODEL", "STATE", "MAY"), rows))


@models.command()
def remove() -> None:
    """Forget the operator's model."""
    from interlock.harness import operator_models

    with reading() as core:
        operator_models.remove(core.workspace.state)
        core.record("key", "", "model", b"", code="model.removed")
    console().data({"model": "", "removed": True}, "removed")
