"""``plan``: propose, check, preview and read plans; every way in is the one gate."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from interlock.artifact import codec
from interlock.artifact.errors import IntegrityError
from interlock.artifact.plan import Plan
from interlock.artifact.signing import verify
from interlock.harness import judging
from interlock.harness.analysing import apart
from interlock.harness.core import Core
from interlock.harness.proposals import Decided
from interlock.harness.rows import PlanRow
from interlock.harness.watch import Incident
from interlock.surface.cli.commands.run import start, task_options
from interlock.surface.cli.console import console
from interlock.surface.cli.deciding import draw
from interlock.surface.cli.gather import card_of, previews_of
from interlock.surface.cli.layout import rule
from interlock.surface.cli.offhand import completed, task_row
from interlock.surface.cli.opening import acting, reading, reduced
from interlock.surface.cli.outcome import (
    decided_data,
    decided_exit,
    decided_text,
    happened_data,
    happened_text,
    next_command,
)
from interlock.surface.cli.root import Noun
from interlock.surface.cli.supposing import Supposing, supposed
from interlock.surface.cli.visible import visible

_FILE = click.argument("file", type=click.File("rb"))


@click.group(cls=Noun)
def plan() -> None:
    """Propose, check, preview and read plans."""


@plan.command()
@_FILE
@click.option("--task", "task_id", metavar="TASK", help="The task that it is for.")
@click.option("--goal", metavar="TEXT", help="Or the goal of a new task.")
@click.option("--parent", metavar="PLAN", help="The plan that it revises.")
@task_options
@click.option("--unattended", is_flag=True, help="Nobody is there: what would ask is denied.")
def propose(
    file: BinaryIO, task_id: str | None, goal: str | None, parent: str | None, attach: tuple[Path, ...],
    values: tuple[str, ...], groups: tuple[str, ...], scopes: tuple[str, ...], unattended: bool,
) -> int:  # fmt: skip
    """Hand a plan in FILE (- is standard input) to the gate; it is stored with its verdict.

    A plan may leave out "task" and "goal"; they are filled in from the task.
    """
    _one(task_id, goal)
    raw = file.read()
    with acting(unattended=unattended) as harness:
        known = task_id or start(harness, goal or "", attach, values, groups, scopes)
        decided = harness.propose(known, completed(raw, harness.core.store.task(known).task), parent)
        row = harness.core.store.plan(decided.digest) if decided.digest else None
    out = console()
    out.data({"task": known, **decided_data(decided)}, decided_text(decided))
    if row is not None and next_command(row):
        out.say(f"next: {next_command(row)}")
    return decided_exit(decided)


@plan.command()
@_FILE
@click.option("--task", "task_id", metavar="TASK", help="The task that it is for.")
@click.option("--goal", metavar="TEXT", help="Or the goal that it would be for.")
@click.option("--unattended", is_flag=True, help="As if nobody were there to ask.")
@click.option("--suppose", "facts", metavar="KEY=VALUE", multiple=True,
              help="As if this were so: received=private,untrusted, principal=NAME, role=NAME, scope.NAME=VALUE, "
              "root=FOLDER, signal=CODE, confirmed=PERSONS or budget=AMOUNT; repeatable.")  # fmt: skip
@click.option("--package", "packages", metavar="FOLDER", multiple=True,
              type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="As if this package of actions were installed; repeatable.")  # fmt: skip
@click.option("--unproved", is_flag=True, help="By the policy as it stands, even if it cannot be proved.")
def check(
    file: BinaryIO, task_id: str | None, goal: str | None, unattended: bool, facts: tuple[str, ...],
    packages: tuple[Path, ...], unproved: bool,
) -> int:  # fmt: skip
    """Say what the gate would say of a plan in FILE; nothing is stored or reserved.

    Nothing is recorded either, but a call to the judge, where there is one. What a plan cannot say can be supposed, to
    see what the gate would say then; a judge is not asked about that.
    """
    _one(task_id, goal)
    raw, otherwise = file.read(), supposed(facts, packages)
    with reading() as core:
        row = core.store.task(task_id) if task_id else task_row(core, goal or "")
        with apart(_warned, core.workspace.state) as reader, judging.apart(core) as judge:
            proposals = Supposing(
                core, otherwise, unattended=unattended, reader=reader, judge=judge, unproved=unproved
            )  # fmt: skip
            decided = Decided.of(proposals.course(row, completed(raw, row.task)))
    console().data(decided_data(decided), decided_text(decided))
    return decided_exit(decided)


def _warned(incident: Incident) -> None:
    console().warn(f"the analyst tried {incident.detail}")


@plan.command()
@click.argument("digest", metavar="PLAN")
@reduced
def preview(digest: str, unsafe: bool) -> None:
    """Probe now what a plan would change; of a pending plan, this is what an approval signs."""
    with acting(unsafe=unsafe) as harness:
        whole = harness.core.store.plan(digest).digest
        found = harness.preview(whole)
    data = {"plan": whole, "previews": [msgspec.to_builtins(one) for one in found]}
    parts = [f"{rule(f'{one.step} · {one.kind}', 80)}\n{_quoted(one.text)}" for one in found]
    console().data(data, "\n".join(parts))


@plan.command()
@click.argument("digest", metavar="PLAN")
@click.option("--verify", "verified", is_flag=True, help="Recompute the digest, and check the sealed plan's signature.")
def show(digest: str, verified: bool) -> None:
    """The page of one plan, and what became of it."""
    out = console()
    with reading() as core:
        row = core.store.plan(digest)
        seals = _verified(core, row) if verified else []
        card, steps = card_of(core, row), happened_data(core, row.digest)
    data = {
        "plan": row.digest, "status": row.status.value, "stopped": row.stopped, "document": codec.builtin(row.plan),
        "verdict": codec.builtin(row.verdict), "card": msgspec.to_builtins(card), "steps": steps, "verified": seals,
    }  # fmt: skip
    status = f"status {row.status.value}{f' ({visible(row.stopped)})' if row.stopped else ''}"
    happened = f"\n\n{rule('what happened', 80)}\n{happened_text(steps)}" if steps else ""
    proofs = "".join(f"\nverified {line}" for line in seals)
    out.data(data, lambda: f"{draw(out, card, error=False)}\n\n{status}{happened}{proofs}")


@plan.command()
@click.argument("digest", metavar="PLAN")
@click.argument("other", metavar="[OTHER]", required=False)
def diff(digest: str, other: str | None) -> None:
    """What a plan changes in files (its previews); with OTHER, or of a revision, what differs between two plans.

    The earlier plan stands before the later one. Of a plan that rules modified, OTHER is what stands in its place.
    """
    with reading() as core:
        row = core.store.plan(digest)
        known = other or row.verdict.modified or row.plan.parent
        old = core.store.plan(known) if known else None
    if old is None:
        found = [msgspec.to_builtins(one) for one in previews_of(row) if one.kind in {"diff", "absent"}]
        text = "\n".join(
            f"{rule(one.step, 80)}\n{_quoted(one.text)}" for one in previews_of(row) if one.kind in {"diff", "absent"}
        )
        hint = f"no preview yet: interlock plan preview {row.digest[:12]}"
        console().data({"plan": row.digest, "changes": found}, text or hint)
        return
    old, new = sorted((old, row), key=lambda one: one.sequence)
    lines = _plan_diff(old.plan, new.plan)
    rules = sorted({one.rule for one in old.verdict.reasons if old.verdict.modified == new.digest and one.rule})
    data = {"plan": new.digest, "other": old.digest, "diff": lines, "rules": rules}
    by = f"modified by rule {visible(', '.join(rules))}\n" if rules else ""
    console().data(data, by + ("\n".join(map(visible, lines)) or "the same steps"))


def _one(task_id: str | None, goal: str | None) -> None:
    if (task_id is None) is (goal is None):
        raise click.UsageError("give either --task TASK or --goal TEXT")


def _quoted(text: str) -> str:
    return "\n".join(f"│ {line}" for line in visible(text, lines=True).split("\n"))


def _verified(core: Core, row: PlanRow) -> list[str]:
    """Raise where the stored plan does not have its digest or its seal does not verify."""
    if hashlib.sha256(row.doc).hexdigest() != row.digest or codec.digest(row.plan) != row.digest:
        raise IntegrityError("plan.altered", "the stored plan is not the one its digest names")
    if row.envelope is None:
        return ["digest"]
    seal = verify(row.envelope, core.keys.keyring, "harness", "plan", Plan, at=core.clock())
    if seal.subject != row.digest or codec.digest(seal.predicate) != row.digest:
        raise IntegrityError("plan.seal", "the seal is about another plan")
    return ["digest", "seal"]


def _plan_diff(old: Plan, new: Plan) -> list[str]:
    """Unified, over the steps as indented JSON."""
    import difflib

    def lines(of: Plan) -> list[str]:
        return msgspec.json.format(codec.encode(of.steps), indent=2).decode().splitlines()

    return list(difflib.unified_diff(lines(old), lines(new), "before", "after", lineterm=""))
