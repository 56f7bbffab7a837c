"""``eval``: what the gate says of labelled actions and plans, with no model and no person behind it."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from interlock.surface.cli.console import console
from interlock.surface.cli.layout import table
from interlock.surface.cli.root import Noun

if TYPE_CHECKING:
    from interlock.evals.corpus import Row, Share
    from interlock.evals.deciding import Judge


@click.group(cls=Noun, name="eval")
def evaluate() -> None:
    """Measure the gate on labelled items."""


@evaluate.command()
def decide() -> None:
    """Read one JSON item a line, write one word a line: ALLOW, CONFIRM or DENY.

    An item that cannot be read is denied.
    """
    from interlock.artifact.errors import InterlockError
    from interlock.evals import items

    with _judge() as judge:
        for line in sys.stdin:
            try:
                word = judge.judge(items.read(line)).word if line.strip() else ""
            except InterlockError:
                word = "DENY"
            if word:
                click.echo(word)


@evaluate.command()
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def corpus(path: Path) -> None:
    """Judge every item of a file of labelled items and report by source, with intervals of 95 percent."""
    from interlock.evals.corpus import judged, report

    with _judge() as judge, path.open(encoding="utf-8") as lines:
        rows = report(list(judged(judge, (line for line in lines if line.strip()))))
    console().data({"rows": [msgspec.to_builtins(row) for row in rows]}, _table(rows))


@evaluate.command()
@click.option(
    "--suite",
    "suites",
    multiple=True,
    type=click.Choice(["workspace", "travel", "banking", "slack"]),
    help="Only this.",
)
@click.option(
    "--every", default=1, show_default=True, type=click.IntRange(1), help="Only each n-th pair, for a short run."
)
def agentdojo(suites: tuple[str, ...], every: int) -> None:
    """Play AgentDojo with a planner that is taken over: utility, questions, attacks, steerable slots.

    Needs the extra evals. The whole takes minutes, one worker for each processor.
    """
    from interlock.evals.agentdojo import report
    from interlock.evals.agentdojo.suites import NAMES

    found = report.run(suites or NAMES, every=every)
    console().data({name: msgspec.to_builtins(outcome) for name, outcome in found.items()}, report.text(found))


@contextmanager
def _judge() -> Generator[Judge]:
    from interlock.evals.deciding import Judge
    from interlock.evals.jailed import jailed_reader

    with jailed_reader() as reader:
        yield Judge(reader)


def _table(rows: list[Row]) -> str:
    heads = ("SOURCE", "ATTACKS BLOCKED", "BLOCKED OR ASKED", "HARMLESS DENIED", "ASKED WITHOUT NEED")
    cells = [(row.name, *map(_share, (row.blocked, row.stopped, row.denied, row.asked))) for row in rows]
    return table(heads, cells)


def _share(found: Share) -> str:
    if not found.of:
        return "-"
    percent = 100 * found.count / found.of
    return f"{percent:.1f} % of {found.of} [{found.low / 10:.1f}, {found.high / 10:.1f}]"
