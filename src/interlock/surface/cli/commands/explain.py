"""``explain``: why a decision was as it was, and the smallest change that would have been allowed."""

from __future__ import annotations

import click

from interlock.artifact.errors import StateError
from interlock.surface.cli.console import console
from interlock.surface.cli.explaining import explained_text, explanation, found
from interlock.surface.cli.opening import reading
from interlock.surface.cli.root import Leaf


@click.command(cls=Leaf)
@click.argument("digest", metavar="DIGEST")
@click.option("--step", default="", metavar="ID", help="Only what concerns this step.")
def explain(digest: str, step: str) -> None:
    """Say why a plan, an intent, an observation or a proposal was decided as it was.

    Each reason with its gate step, rule and owner; the labels of arguments; and the smallest change that would be
    allowed, which was searched by deciding on it and not guessed.
    """
    with reading() as core:
        decided = found(core, digest)
        if step and (decided.plan is None or step not in {one.id for one in decided.plan.steps}):
            raise StateError("explain.step", f"there is no step {step[:32]!r} in it", hint="run: interlock plan show")
        console().data(explanation(core, decided, step), lambda: explained_text(core, decided, step))
