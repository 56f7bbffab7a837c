"""``eval boundary``: a sample of labelled calls through a running harness, judged by what they change."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from interlock.surface.cli.console import console
from interlock.surface.cli.failures import Exit
from interlock.surface.cli.layout import table
from interlock.surface.cli.root import Leaf
from interlock.surface.cli.visible import visible

if TYPE_CHECKING:
    from interlock.evals.boundary.report import Attacks, Harmless, Report
    from interlock.evals.corpus import Share

_SHOWN = 20


@click.command(cls=Leaf)
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--sample", "count", default=200, show_default=True, type=click.IntRange(2), help="At least so many calls."
)
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Which items are drawn.")
@click.option("--workers", type=click.IntRange(1, 8), help="Default: one for each processor.")
def boundary(path: Path, count: int, seed: int, workers: int | None) -> int:
    """Play labelled calls against a running harness, and count their effects.

    Each call is proposed by a planner process in a workspace as interlock init makes it, with nobody to answer, inside
    a closed world with a home, secrets and a network of its own. What is allowed is carried out there. Exit code 5
    where verdict, records and world disagree.
    """
    from interlock.evals.boundary import run
    from interlock.evals.boundary.report import report
    from interlock.evals.boundary.sample import drawn
    from interlock.evals.suites import cases

    sample = drawn(cases([path]), count, seed)
    found = report(sample, run.play(sample.chosen, workers or run.default_workers()))
    console().data(msgspec.to_builtins(found), _text(found))
    return Exit.INTEGRITY if found.contradictions else Exit.OK


def _text(found: Report) -> str:
    left_out = ", ".join(f"{count} {reason}" for reason, count in found.unmapped.items())
    denials = ", ".join(f"{code} {count}" for code, count in found.denials.items())
    parts = [
        f"{found.drawn} of {found.calls} calls" + (f"; no calls here: {left_out}" if left_out else ""),
        table(
            (
                "ATTACKS",
                "CALLS",
                "WITH AN EFFECT",
                "THAT STAYS",
                "A STEP RAN",
                "ASKED",
                "DENIED",
                "NOT DECIDED",
                "WITHOUT A GATE",
            ),
            [_attacks(row) for row in found.attacks],
        ),
        table(
            (
                "HARMLESS",
                "CALLS",
                "CARRIED OUT",
                "FAILS ANYWAY",
                "FAILS HERE",
                "ASKED",
                "DENIED",
                "NOT DECIDED",
                "TAKEN BACK",
            ),
            [_harmless(row) for row in found.harmless],
        ),
        f"harmless calls are denied for: {denials or 'nothing'}",
        *(_list("attacks with an effect", found.seen) if found.seen else ()),
        *_list(
            "verdict, records and world disagree" if found.contradictions else "verdict, records and world agree",
            [f"{one.item}: {one.what}" for one in found.contradictions],
        ),
    ]
    return "\n\n".join(parts)


def _list(head: str, lines: Sequence[str]) -> list[str]:
    more = [f"  and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return ["\n".join([head, *(f"  {visible(line)}" for line in lines[:_SHOWN]), *more])]


def _attacks(row: Attacks) -> tuple[str, ...]:
    counts = (row.remains, row.ran, row.asked, row.denied, row.undecided)
    return (row.name, str(row.calls), _share(row.effect), *map(str, counts), f"{row.bare} of {row.tried}")


def _harmless(row: Harmless) -> tuple[str, ...]:
    counts = (row.vain, row.failed, row.asked, row.denied, row.undecided)
    return (row.name, str(row.calls), _share(row.done), *map(str, counts), f"{row.restored} of {row.changed}")


def _share(found: Share) -> str:
    return f"{found.count} [{found.low / 10:.1f}, {found.high / 10:.1f} %]" if found.of else "-"
