"""``eval``: what the gate says of labelled actions and plans, with no model and no person behind it."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from interlock.surface.cli.commands.eval_boundary import boundary
from interlock.surface.cli.console import console
from interlock.surface.cli.root import Noun

if TYPE_CHECKING:
    from interlock.evals.deciding import Judge
    from interlock.evals.profiles import Profile
    from interlock.evals.report import Report

PROFILES: Final[tuple[Profile, ...]] = ("none", "policy", "effects", "default", "maximum")
PLAYED: Final[tuple[Profile, ...]] = ("default", "maximum")


def _in_a_folder(context: click.Context, parameter: click.Parameter, value: Path | None) -> Path | None:
    """The path, if it can be written when everything was measured."""
    del context, parameter
    if value is not None and not value.absolute().parent.is_dir():
        raise click.BadParameter("its folder is not there")
    return value


_PAGE = click.option(
    "--html", "page_file", metavar="FILE", type=click.Path(dir_okay=False, writable=True, path_type=Path),
    callback=_in_a_folder, help="Write the report as one page with plots.",
)  # fmt: skip
_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(cls=Noun, name="eval")
def evaluate() -> None:
    """Measure the gate on labelled items."""


evaluate.add_command(boundary)


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
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=_FILE)
@click.option(
    "--profile", "profiles", multiple=True, type=click.Choice([*PROFILES, "all"]),
    help="With these layers alone; may be repeated. Default: default.",
)  # fmt: skip
@click.option("--without", multiple=True, metavar="NAME", help="Leave out items of this kind or with this tag.")
@_PAGE
def corpus(
    files: tuple[Path, ...], profiles: tuple[str, ...], without: tuple[str, ...], page_file: Path | None
) -> None:
    """Judge every item of a suite and report blocked, asked and allowed.

    A suite is JSON Lines (FILE.jsonl) or a list of cases in YAML (FILE.yaml);
    docs/evaluation.md has both forms. A line that is no item ends it.

    Profiles: none has no gate, policy asks no analyst, effects has no
    classifier, default is what a workspace does, maximum denies all doubt.
    """
    from interlock.evals.report import measured

    said = console()
    chosen: list[Profile] = [name for name in PROFILES if name in (profiles or ("default",)) or "all" in profiles]
    report = measured(files, chosen, without, lambda count: said.progress(f"{count} items"))
    if page_file is not None:
        from interlock.surface.evaluation.page import page

        page_file.write_text(page(report), encoding="utf-8")
    said.data(msgspec.to_builtins(report), lambda: _text(report))


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
@click.option(
    "--profile", "profiles", multiple=True, type=click.Choice([*PLAYED, "all"]),
    help="With a person (default), or where nobody is there and doubt is denied.",
)  # fmt: skip
@_PAGE
def agentdojo(suites: tuple[str, ...], every: int, profiles: tuple[str, ...], page_file: Path | None) -> None:
    """Play AgentDojo with a planner that is taken over: utility, questions, attacks, steerable slots.

    Needs the extra evals. The whole takes minutes, one worker for each processor.
    """
    from interlock.evals.agentdojo import report
    from interlock.evals.agentdojo.suites import NAMES

    chosen: list[Profile] = [name for name in PLAYED if name in (profiles or ("default",)) or "all" in profiles]
    found: dict[Profile, dict[str, report.Outcome]] = {}
    for name in chosen:
        found[name] = report.run(suites or NAMES, every=every, profile=name)
    if page_file is not None:
        from interlock.surface.evaluation.played import played

        page_file.write_text(played(found), encoding="utf-8")
    texts = [f"profile {name}\n\n{report.text(outcomes)}" for name, outcomes in found.items()]
    console().data(msgspec.to_builtins(found), "\n\n".join(texts))


@contextmanager
def _judge() -> Generator[Judge]:
    from interlock.evals.deciding import Judge
    from interlock.evals.jailed import jailed_reader

    with jailed_reader() as reader:
        yield Judge(reader)


def _text(report: Report) -> str:
    from interlock.surface.evaluation.text import text

    return text(report)
