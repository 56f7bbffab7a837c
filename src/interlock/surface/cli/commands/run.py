"""``run``: one goal through plan, gate, person and execution, with the harness's own table at its end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import click

from interlock.artifact.channel_pb2 import Result
from interlock.artifact.verdict import Decision
from interlock.decide.life import Status
from interlock.harness.core import Core
from interlock.harness.proposals import Decided
from interlock.harness.rows import PlanRow
from interlock.harness.service import Harness
from interlock.surface.cli.console import Console, console
from interlock.surface.cli.deciding import draw, question, show, submit
from interlock.surface.cli.failures import Exit
from interlock.surface.cli.layout import box, wrap
from interlock.surface.cli.offhand import completed
from interlock.surface.cli.opening import acting, approver, person, reduced
from interlock.surface.cli.outcome import (
    decided_data,
    decided_exit,
    decided_text,
    happened_data,
    happened_text,
    next_command,
    status_exit,
    watching,
)
from interlock.surface.cli.root import Leaf
from interlock.surface.cli.visible import visible


def task_options(command: Callable[..., int]) -> Callable[..., int]:
    """What a task is made of, on the command line."""
    file = click.Path(exists=True, dir_okay=False, path_type=Path)
    texts = (
        ("--attach", "attach", "FILE", file, "A document that may inform the plan and never direct it; repeatable."),
        ("--value", "values", "TEXT", str, "A value that you vouch for; repeatable."),
        ("--group", "groups", "NAME", str, "A group of actions; default: the workspace's; repeatable."),
        ("--scope", "scopes", "KEY=VALUE", str, "A dimension of the task's scope; repeatable."),
    )
    options = [
        click.option(flag, name, metavar=shown, type=kind, multiple=True, help=text)
        for flag, name, shown, kind, text in texts
    ]
    for option in reversed(options):
        command = option(command)
    return command


def start(
    harness: Harness, goal: str, attach: tuple[Path, ...], values: tuple[str, ...], groups: tuple[str, ...],
    scopes: tuple[str, ...],
) -> str:  # fmt: skip
    """Record the task; its id."""
    wrong = [text for text in scopes if "=" not in text]
    if wrong:
        raise click.UsageError(f"--scope {wrong[0]}: write KEY=VALUE")
    pairs = dict(text.split("=", 1) for text in scopes)
    documents = {path.name: path.read_bytes() for path in attach}
    if len(documents) != len(attach):
        raise click.UsageError("two attachments have one name")
    task = harness.start_task(goal, values=values, attachments=documents, groups=groups, scope=pairs)
    console().say(f"task {task.id}")
    return task.id


@click.command(cls=Leaf)
@click.argument("goal")
@click.option(
    "--plan", "file", type=click.File("rb"), metavar="FILE", help="A plan to hand in; - reads standard input."
)
@click.option(
    "--strategy", type=click.Choice(["model", "intent", "file"]), help="Default: file with --plan, else model."
)
@task_options
@approver
@click.option("--unattended", is_flag=True, help="Nobody is there: what would ask is denied.")
@reduced
def run(  # noqa: PLR0917 - click passes each by its name
    goal: str, file: BinaryIO | None, strategy: str | None, attach: tuple[Path, ...],
    values: tuple[str, ...], groups: tuple[str, ...], scopes: tuple[str, ...], name: str | None,
    unattended: bool, unsafe: bool,
) -> int:  # fmt: skip
    """Take GOAL through plan, gate, your decision and execution; then show what happened.

    The planner's answer stands last and is unverified.  Without a terminal a plan that asks ends with exit code 4
    and the command that goes on.
    """
    chosen = strategy or ("file" if file else "model")
    if (chosen == "file") is (file is None):
        raise click.UsageError("--strategy file and --plan FILE belong together")
    handed = file.read() if file else b""
    with acting(unsafe=unsafe, unattended=unattended) as harness:
        _needs_model(harness, chosen)
        task = start(harness, goal, attach, values, groups, scopes)
        plan = completed(handed, harness.core.store.task(task).task) if file else b""
        return _Run(harness, console(), task, chosen, name).go(plan)


def _needs_model(harness: Harness, strategy: str) -> None:
    if strategy != "file" and not harness.core.workspace.configuration.model.base_url:
        raise click.UsageError(
            "no model is configured; add [model] to interlock.toml, or hand in a plan with --plan FILE"
        )


class _Run:
    """One invocation of ``run``."""

    def __init__(self, harness: Harness, out: Console, task: str, strategy: str, name: str | None) -> None:
        self._harness = harness
        self._out = out
        self._task = task
        self._strategy = strategy
        self._name = name
        self._ended: dict[str, Status] = {}

    def go(self, handed: bytes) -> int:
        self._out.progress(f"planning ({self._strategy})")
        outcome = self._harness.plan(self._task, self._strategy, handed=handed, ask=self._ask, act=self._act)
        if outcome.violated:
            return self._tell(outcome.decided, outcome.answer, Exit.HALTED)
        if self._strategy != "intent" and outcome.decided:
            self._carry_out(outcome.decided[-1])
        answer = outcome.answer
        done = [digest for digest, status in self._ended.items() if status is Status.DONE]
        if answer is None and done and self._strategy == "model":
            answer = self._harness.answer(self._task, self._strategy, done[-1]).answer
        return self._tell(outcome.decided, answer, self._exit(outcome.decided))

    def _act(self, decided: Decided) -> tuple[Result, ...]:
        """Call by call: carry out each intent as it passes, and hand the planner what came of it."""
        if self._strategy != "intent":
            return ()
        self._carry_out(decided)
        ended = decided.digest in self._ended
        return self._harness.results(decided.digest) if decided.digest and ended else ()

    def _carry_out(self, decided: Decided) -> None:
        self._out.say(decided_text(decided))
        if decided.digest is None:
            return
        status = self._decided(decided.digest) if decided.status is Status.PENDING else decided.status
        if status is Status.APPROVED:
            self._ended[decided.digest] = self._harness.execute(decided.digest, watching(self._out))

    def _decided(self, digest: str) -> Status:
        """Ask the person, where one is there; the plan's status then."""
        if not self._out.interactive:
            return Status.PENDING
        who = person(self._name)
        shown = show(self._harness, digest, who)
        click.echo(draw(self._out, shown.card), err=True, color=self._out.colour(sys.stderr.isatty()))
        word, reason = question(self._harness, self._out, shown)
        return submit(self._harness, shown, word, who, reason) if word else Status.PENDING

    def _ask(self, text: str) -> str | None:
        """A planner's question reaches the person as the planner's."""
        if not self._out.interactive:
            return None
        self._out.say("\n".join(box("the planner asks, unverified", wrap(visible(text), 76), 80)), always=True)
        return self._out.ask("Your answer (empty: none):") or None

    def _exit(self, decided: list[Decided]) -> int:
        if not decided:
            return Exit.DENIED
        last = decided[-1]
        if last.digest is None:
            return decided_exit(last)
        return status_exit(self._harness.core.store.plan(last.digest).status)

    def _tell(self, decided: list[Decided], answer: str | None, code: int) -> int:
        went = [_went(self._harness.core, one) for one in decided]
        plans = [one.data for one in went]
        found = {"task": self._task, "plans": plans, "answer": answer, "answerVerified": False, "exit": int(code)}
        self._out.data(found, lambda: _text(went, answer))
        if went and went[-1].row is not None and next_command(went[-1].row):
            self._out.say(f"next: {next_command(went[-1].row)}")
        if not decided:
            self._out.say("the planner made no plan")
        elif decided[-1].verdict.decision is Decision.DENY:
            self._out.say(f"denied; the task's plans: interlock task show {self._task}")
        return code


@dataclass(frozen=True, slots=True)
class _Went:
    """What became of one proposal."""

    decided: Decided
    row: PlanRow | None
    steps: list[dict[str, object]]

    @property
    def data(self) -> dict[str, object]:
        known = {"status": self.row.status.value, "stopped": self.row.stopped} if self.row else {}
        return {**decided_data(self.decided), **known, "steps": self.steps}

    @property
    def text(self) -> str:
        happened = f"What happened, as the harness saw it:\n{happened_text(self.steps)}\n\n" if self.steps else ""
        if self.row is None:
            return f"{happened}no plan came of the proposal"
        stopped = f" ({self.row.stopped})" if self.row.stopped else ""
        origin = f"\nmodified by rule from plan {self.decided.before[-1].digest}" if self.decided.before else ""
        return f"{happened}plan {self.row.digest}{origin}\nstatus {self.row.status.value}{stopped}"


def _went(core: Core, decided: Decided) -> _Went:
    row = core.store.plan(decided.digest) if decided.digest else None
    return _Went(decided, row, happened_data(core, row.digest) if row else [])


def _text(went: list[_Went], answer: str | None) -> str:
    parts = [one.text for one in went]
    if answer:
        lines = [line for text in visible(answer, lines=True).split("\n") for line in wrap(text, 76)]
        parts.append("\n".join(box("written by the planner, unverified", lines, 80)))
    return "\n\n".join(parts) or "nothing was proposed"
