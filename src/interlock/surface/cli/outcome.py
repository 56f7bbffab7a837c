"""What became of proposals and plans, as data, as text and as an exit code."""

from __future__ import annotations

from collections.abc import Callable

from interlock.artifact import codec
from interlock.artifact.verdict import Decision, Verdict
from interlock.decide.life import Status
from interlock.harness.core import Core
from interlock.harness.proposals import Decided
from interlock.harness.rows import ClaimRow, PlanRow
from interlock.harness.running import Progress
from interlock.surface.cli.console import Console
from interlock.surface.cli.failures import Exit
from interlock.surface.cli.layout import table
from interlock.surface.cli.visible import visible
from interlock.surface.cli.words import automatic, meaning

_BY_STATUS = {
    Status.PENDING: Exit.PENDING,
    Status.DEFERRED: Exit.PENDING,
    Status.DENIED: Exit.DENIED,
    Status.HALTED: Exit.HALTED,
    Status.EXPIRED: Exit.HALTED,
    Status.REVOKED: Exit.HALTED,
}
_BY_DECISION = {Decision.DENY: Exit.DENIED, Decision.STEP_UP: Exit.PENDING, Decision.DEFER: Exit.PENDING}
_SHOWN = 400


def status_exit(status: Status) -> Exit:
    """The exit code that a plan's status stands for."""
    return _BY_STATUS.get(status, Exit.OK)


def decided_exit(decided: Decided) -> Exit:
    """The exit code of a decision; one that was only checked has no status."""
    if decided.status is not None:
        return status_exit(decided.status)
    return _BY_DECISION.get(decided.verdict.decision, Exit.OK)


def verdict_data(verdict: Verdict) -> object:
    """A verdict as its artifact writes it."""
    return codec.builtin(verdict)


def verdict_text(verdict: Verdict) -> str:
    """The decision, and each reason that is not simply yes, in words."""
    lines = [verdict.decision.value + (f", {verdict.approvals} to approve" if verdict.approvals else "")]
    for reason in verdict.reasons:
        if reason.decision is not Decision.ALLOW or verdict.decision is Decision.ALLOW:
            where = ".".join(part for part in (reason.step, reason.field) if part)
            rule = f", rule {visible(reason.rule)}" if reason.rule else ""
            place = f"{visible(where)}: " if where else ""
            lines.append(f"  {reason.decision.value:8} {place}{meaning(reason.code)} [{visible(reason.code)}{rule}]")
    if verdict.modified is not None:
        lines.append(f"  does not run; in its place stands plan {verdict.modified}")
    instead = {automatic(reason.code) for reason in verdict.reasons if reason.decision is verdict.decision} - {""}
    if verdict.decision is not Decision.ALLOW and instead:
        lines.append(f"  would pass {'; '.join(sorted(instead))}")
    return "\n".join(lines)


def decided_data(decided: Decided) -> dict[str, object]:
    """A decision for ``--json``; ``modifiedFrom`` holds the plans that rules modified on the way to this one."""
    status = decided.status.value if decided.status else None
    found: dict[str, object] = {"plan": decided.digest, "status": status, "verdict": verdict_data(decided.verdict)}
    return found | ({"modifiedFrom": [decided_data(one) for one in decided.before]} if decided.before else {})


def decided_text(decided: Decided) -> str:
    """A decision for a person."""
    text = verdict_text(decided.verdict)
    if decided.digest and decided.status:
        text = f"plan {decided.digest}\nstatus {decided.status.value}\n{text}"
    return "\n\n".join([*map(decided_text, decided.before), text])


def next_command(row: PlanRow) -> str:
    """What to run now; empty where nothing is left to do."""
    short = row.digest[:12]
    return {
        Status.PENDING: f"interlock approve {short}",
        Status.APPROVED: f"interlock execute {short}",
        Status.HALTED: f"interlock resume {short}   or   interlock rollback {short}",
        Status.DONE: f"interlock rollback {short}   (takes it back)",
    }.get(row.status, "")


def happened_data(core: Core, digest: str) -> list[dict[str, object]]:
    """The harness's own table of what happened."""
    row = core.store.plan(digest)
    return [_claim(row, claim) for claim in core.store.claims(row.digest)]


def happened_text(rows: list[dict[str, object]]) -> str:
    """The same for a person."""
    if not rows:
        return "no step was started"
    columns = ("step", "iteration", "action", "state", "code", "output")
    return table([column.upper() for column in columns], [[_short(row[column]) for column in columns] for row in rows])


def watching(console: Console) -> Callable[[Progress], None]:
    """Tells on standard error what the run is doing."""

    def tell(progress: Progress) -> None:
        times = f" #{progress.iteration}" if progress.iteration else ""
        console.progress(f"{progress.step}{times} {progress.state}{' ' + progress.code if progress.code else ''}")

    return tell


def _claim(row: PlanRow, claim: ClaimRow) -> dict[str, object]:
    seen = claim.labelled
    return {
        "step": claim.step, "iteration": claim.iteration, "action": row.plan.step(claim.step).action,
        "state": claim.state, "code": claim.code, "output": seen.value, "label": codec.builtin(seen.label),
    }  # fmt: skip


def _short(value: object) -> str:
    text = value if isinstance(value, str) else "" if value is None else codec.encode(value).decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text):,} characters)"
