"""``execute``, ``halt``, ``revoke``, ``resume``, ``rollback``: the life of an approved plan."""

from __future__ import annotations

from typing import BinaryIO

import click
import msgspec

from interlock.decide.life import Status
from interlock.surface.cli.console import console
from interlock.surface.cli.failures import Exit
from interlock.surface.cli.offhand import completed
from interlock.surface.cli.opening import acting, approver, authenticated, person, reduced
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


@click.command(cls=Leaf)
@click.argument("plan")
@reduced
def execute(plan: str, unsafe: bool) -> int:
    """Run an approved plan, step by step, each in a process of its own."""
    out = console()
    with acting(unsafe=unsafe) as harness:
        digest = harness.core.store.plan(plan).digest
        status = harness.execute(digest, watching(out))
        rows, row = happened_data(harness.core, digest), harness.core.store.plan(digest)
    found = {"plan": digest, "status": status.value, "stopped": row.stopped, "steps": rows}
    why = f" ({row.stopped})" if row.stopped else ""
    out.data(found, lambda: f"{happened_text(rows)}\n\nplan {digest}\nstatus {status.value}{why}")
    if next_command(row):
        out.say(f"next: {next_command(row)}")
    return status_exit(status)


@click.command(cls=Leaf)
@click.argument("plan", required=False)
@click.option("--all", "everything", is_flag=True, help="Every running plan: the one stop switch.")
@click.option("--reason", default="", help="Recorded.")
def halt(plan: str | None, everything: bool, reason: str) -> None:
    """Stop a running plan, or with --all every one, before its next step."""
    if (plan is None) is not everything:
        raise click.UsageError("name a plan, or give --all")
    with acting() as harness:
        halted = harness.halt(plan, reason)
    console().data({"halted": halted}, "\n".join(f"halted {digest}" for digest in halted) or "nothing was running")


@click.command(cls=Leaf)
@click.argument("plan")
@click.option("--reason", default="", help="Recorded.")
def revoke(plan: str, reason: str) -> None:
    """Take a plan's approval back; it can no longer start a step."""
    with acting() as harness:
        digest = harness.core.store.plan(plan).digest
        status = harness.revoke(digest, reason)
    console().data({"plan": digest, "status": status.value}, f"plan {digest}\nstatus {status.value}")


def _said(happened: tuple[str, ...], missing: tuple[str, ...]) -> dict[str, str]:
    both = set(happened) & set(missing)
    if both:
        raise click.UsageError(f"{', '.join(sorted(both))}: either it happened or it did not")
    return {**dict.fromkeys(happened, "happened"), **dict.fromkeys(missing, "not")}


@click.command(cls=Leaf)
@click.argument("plan")
@click.option(
    "--happened", multiple=True, metavar="STEP", help="A step, or STEP/ITERATION, of unknown outcome that did happen."
)
@click.option("--not-happened", "missing", multiple=True, metavar="STEP", help="One that did not.")
@click.option(
    "--plan", "file", type=click.File("rb"), help="Another rest: a plan with the finished steps as they were."
)
@reduced
def resume(plan: str, happened: tuple[str, ...], missing: tuple[str, ...], file: BinaryIO | None, unsafe: bool) -> int:
    """Propose the rest of a halted plan anew: finished steps are facts, the rest passes gate and approvals again."""
    resolved = _said(happened, missing)
    out = console()
    with acting(unsafe=unsafe) as harness:
        task = harness.core.store.task(harness.core.store.plan(plan).task).task
        decided = harness.resume(plan, resolved, completed(file.read(), task) if file else b"")
        row = harness.core.store.plan(decided.digest) if decided.digest else None
    out.data(decided_data(decided), decided_text(decided))
    if row is not None and next_command(row):
        out.say(f"next: {next_command(row)}")
    return decided_exit(decided)


@click.command(cls=Leaf)
@click.argument("plan")
@click.option("--happened", multiple=True, metavar="STEP", help="Taking it back was cut off, and did happen.")
@click.option("--not-happened", "missing", multiple=True, metavar="STEP", help="It did not: do it again.")
@click.option("--reason", default="", help="How you know; recorded, and needed with either of them.")
@approver
@reduced
def rollback(
    plan: str, happened: tuple[str, ...], missing: tuple[str, ...], reason: str, name: str | None, unsafe: bool
) -> int:
    """Take back exactly what a plan did, newest step first; refuses where somebody has changed things since.

    Where an inverse action was cut off, an approver says what became of it.
    """
    from interlock.harness.undo import Word
    from interlock.surface.cli.layout import table

    said = _said(happened, missing)
    who = person(name) if said else ""
    with acting(unsafe=unsafe) as harness:
        if said:
            authenticated(harness.core, who)
        digest = harness.core.store.plan(plan).digest
        report = harness.rollback(digest, Word(said=said, by=who, reason=reason))
        status = harness.core.store.plan(digest).status
        unknown = [claim.step for claim in harness.core.store.claims(digest) if claim.state == "undoing"]
    rows = [(one.step, one.iteration, one.state, one.code) for one in report]
    text = f"{table(('STEP', 'ITERATION', 'STATE', 'CODE'), rows)}\n\nplan {digest}\nstatus {status.value}"
    console().data(
        {"plan": digest, "status": status.value, "steps": [msgspec.to_builtins(one) for one in report]}, text
    )
    if unknown:
        again = f"interlock rollback {digest[:12]} --happened {unknown[0]} --reason TEXT, or --not-happened"
        console().say(f"find out whether {unknown[0]} was taken back, then: {again}")
    return Exit.OK if status is Status.ROLLED_BACK else Exit.HALTED
