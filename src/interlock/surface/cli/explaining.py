"""Why a decision was as it was: its reasons, what they speak of, and the smallest change that would be allowed.

The verdict is the recorded one.  What is decided here anew (the change) goes through the gate's own functions on the
facts of that decision, as far as they are kept; ``differs`` names what is today's instead.
"""

from __future__ import annotations

from dataclasses import dataclass

from interlock.artifact import codec
from interlock.artifact.analysis import Analysis, Opacity, Signal
from interlock.artifact.errors import StateError
from interlock.artifact.opinion import FAULTS
from interlock.artifact.plan import Plan
from interlock.artifact.receipt import Receipt
from interlock.artifact.signing import verify
from interlock.artifact.verdict import Decision, Reason, Verdict
from interlock.decide.evidence import Evidence
from interlock.decide.nearest import Nearest, Tried, nearest
from interlock.harness.core import Core
from interlock.harness.proposals import Proposals
from interlock.surface.cli.gather import steps_of
from interlock.surface.cli.layout import clip
from interlock.surface.cli.view import ArgumentView, StepView
from interlock.surface.cli.visible import visible
from interlock.surface.cli.words import CHANGES, GATE_STEPS, automatic, meaning

_PREFIX = 8
_WIDTH = 100
_EFFECTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """One decision on record; ``plan`` is ``None`` where none came of the proposal, or its payload was erased."""

    kind: str
    subject: str
    policy: str
    verdict: Verdict
    plan: Plan | None
    evidence: Evidence
    differs: tuple[str, ...]
    at: int


def found(core: Core, digest: str) -> Decided:
    """The decision on the plan, intent, observation or proposal whose digest begins so; raises ``StateError``."""
    try:
        row = core.store.plan(digest)
    except StateError:
        return _recorded(core, digest)
    today = Proposals(core, unattended=False).facts(core.store.task(row.task), core.policy)
    recalled = core.contexts.recalled(row.context, row.policy, today)
    return Decided(
        kind="plan", subject=row.digest, policy=row.policy, verdict=row.verdict, plan=row.plan,
        evidence=recalled.evidence, differs=recalled.differs, at=row.created_at,
    )  # fmt: skip


def _recorded(core: Core, digest: str) -> Decided:
    """A decision of which only the ledger knows: an observation, or a proposal that was no plan."""
    entries = list(enumerate(core.ledger.entries()))
    about = [(at, one) for at, one in entries if one.kind == "decision" and one.subject.startswith(digest)]
    if len({one.subject for _, one in about}) != 1 or len(digest) < _PREFIX:
        raise StateError(
            "explain.unknown", f"{len(about)} decisions begin with {digest[:64]!r}", hint="run: interlock ledger show"
        )
    at, entry = about[-1]
    receipt = verify(core.ledger.payload(at), core.keys.keyring, "harness", "receipt", Receipt, at=entry.at).predicate
    plans = [at for at, one in entries if one.kind == "plan" and one.subject == entry.subject]
    raw = core.ledger.payload(plans[-1]) if plans else b"null"
    return Decided(
        kind="proposal" if raw == b"null" else "observation", subject=entry.subject, policy=receipt.policy,
        verdict=receipt.verdict, plan=None if raw == b"null" else codec.decode(raw, Plan),
        evidence=Proposals(core, unattended=False).facts(core.store.task(entry.task), core.policy),
        differs=("context",), at=receipt.at,
    )  # fmt: skip


def explanation(core: Core, decided: Decided, step: str) -> dict[str, object]:
    """The whole answer as data; with ``step``, what concerns that step and the plan as a whole."""
    verdict, plan = decided.verdict, decided.plan
    reasons = [one for one in verdict.reasons if step in {"", one.step} or not one.step]
    asked = {one.step for one in reasons if one.decision is not Decision.ALLOW}
    steps = steps_of(plan, decided.evidence, asked) if plan is not None else ()
    tried = nearest(plan, verdict, decided.evidence, decided.at) if plan is not None else Nearest()
    return {
        "subject": decided.subject, "kind": decided.kind, "task": decided.evidence.task.id,
        "drift": decided.evidence.drift,
        "verdict": codec.builtin(verdict),
        "reasons": [_reason(core, one) for one in reasons],
        "steps": [_step(one, decided.evidence) for one in steps if step in {"", one.id}],
        "policyIsCurrent": decided.policy == core.policy.digest, "differs": list(decided.differs),
        "smallest": _tried(tried.allowed), "automatic": _tried(tried.automatic), "tries": tried.tries,
    }  # fmt: skip


def _reason(core: Core, reason: Reason) -> dict[str, object]:
    origin = core.policy.explain(reason.rule) if reason.rule in core.policy.ids else None
    stands = {"file": origin.file, "line": origin.line, "owner": origin.owner, "why": origin.why} if origin else {}
    return {
        "stage": reason.stage, "gateStep": GATE_STEPS[reason.stage - 1], "decision": reason.decision.value,
        "code": reason.code, "meaning": meaning(reason.code), "wouldPass": _passing(reason), "step": reason.step,
        "field": reason.field, "rule": reason.rule, "fault": reason.code in FAULTS,
        **stands,
    }  # fmt: skip


def _passing(reason: Reason) -> str:
    return automatic(reason.code) if reason.decision is not Decision.ALLOW else ""


def _step(seen: StepView, evidence: Evidence) -> dict[str, object]:
    claim = evidence.claims.get(seen.id)
    arguments = [
        {
            "name": one.name,
            "value": one.text,
            "origin": one.origin,
            "known": one.known,
            "label": codec.builtin(one.label),
        }
        for one in seen.arguments
    ]
    return {
        "step": seen.id, "action": seen.action, "reversibility": seen.reversibility.value, "arguments": arguments,
        "claim": codec.builtin(claim) if claim is not None else None,
        "judge": {"word": seen.judge, "distance": seen.distance} if seen.distance is not None else None,
    }  # fmt: skip


def _tried(tried: Tried | None) -> dict[str, object] | None:
    if tried is None:
        return None
    change = tried.change
    said = CHANGES[change.kind].format(step=change.step, field=change.field, value=change.value)
    return {"change": codec.builtin(change), "decision": tried.verdict.decision.value, "text": said}


def explained_text(core: Core, decided: Decided, step: str) -> str:
    """The same for a person; every text of the plan's is made visible."""
    verdict, plan = decided.verdict, decided.plan
    reasons = [one for one in verdict.reasons if step in {"", one.step} or not one.step]
    lines = [f"{decided.kind} {decided.subject}: {verdict.decision.value}", "", "why"]
    lines += [line for one in reasons for line in _reason_lines(core, one)]
    asked = {one.step for one in reasons if one.decision is not Decision.ALLOW}
    for seen in steps_of(plan, decided.evidence, asked) if plan is not None else ():
        if asked & {"", seen.id} and step in {"", seen.id}:  # No step: it is about the plan as a whole.
            lines += ["", f"{visible(seen.id)} is {visible(seen.action)}"]
            lines += [_argument_line(one) for one in seen.arguments]
            lines.append(_claim_line(seen, decided.evidence))
            lines += _judge_lines(seen)
    if plan is not None and verdict.decision is not Decision.ALLOW:
        lines += ["", "what would be allowed", *_nearest_lines(plan, decided)]
    return "\n".join([*lines, *_caveats(core, decided)])


def _reason_lines(core: Core, reason: Reason) -> list[str]:
    where = ".".join(part for part in (reason.step, reason.field) if part)
    head = f"  {reason.decision.value:8} {f'{visible(where)}: ' if where else ''}{meaning(reason.code)}"
    lines = [f"{head} [{visible(reason.code)}], gate step {reason.stage}, {GATE_STEPS[reason.stage - 1]}"]
    if reason.rule in core.policy.ids:
        origin = core.policy.explain(reason.rule)
        owner = f", of {visible(origin.owner)}" if origin.owner else ""
        why = f": {visible(origin.why)}" if origin.why else ""
        lines.append(
            f"           rule {visible(reason.rule)} at policy/{visible(origin.file)}:{origin.line}{owner}{why}"
        )
    elif reason.rule:
        lines.append(f"           rule {visible(reason.rule)}, which is no more")
    return lines


def _argument_line(seen: ArgumentView) -> str:
    label = seen.label
    sources = f" by {visible(', '.join(label.sources))}" if label.sources else ""
    said = f"{label.confidentiality.value}, {label.integrity.value}{sources}"
    return f"  {visible(seen.name)}: {said}; {visible(seen.origin)}: {clip(visible(seen.text), _WIDTH)}"


def _claim_line(seen: StepView, evidence: Evidence) -> str:
    claim = evidence.claims.get(seen.id)
    if claim is None:
        return "  nobody analysed it; its manifest's worst case counts"
    effects = [f"{one.access.value} {one.key}" for one in claim.touched[:_EFFECTS]]
    more = f", and {len(claim.touched) - _EFFECTS} more" if len(claim.touched) > _EFFECTS else ""
    said = [f"{', '.join(effects) or 'no effect'}{more}"]
    said += [f"{what}: {', '.join(sorted({one.code for one in found}))}" for what, found in _told(claim) if found]
    return f"  analysed: {visible('; '.join(said))}"


def _judge_lines(seen: StepView) -> list[str]:
    if seen.distance is None:
        return []
    return [f"  judged: {seen.judge}, {seen.distance} of 100 from the goal, by a model that may be wrong"]


def _told(claim: Analysis) -> tuple[tuple[str, tuple[Opacity | Signal, ...]], ...]:
    return ("not seen into", claim.opaque), ("signals", claim.signals)


def _nearest_lines(plan: Plan, decided: Decided) -> list[str]:
    tried = nearest(plan, decided.verdict, decided.evidence, decided.at)
    lines = [f"  none of {tried.tries} single changes that were tried"]
    if tried.allowed is not None:
        lines = [_change_line(tried.allowed)]
    if tried.automatic is not None and tried.automatic != tried.allowed:
        lines.append(_change_line(tried.automatic))
    if tried.automatic is None and tried.allowed is not None:
        lines.append(f"  without a question: none of {tried.tries} single changes that were tried")
    return lines


def _change_line(tried: Tried) -> str:
    change = tried.change
    shown = {"step": visible(change.step), "field": visible(change.field), "value": visible(change.value)}
    how = "without a question" if tried.verdict.decision is Decision.ALLOW else "by a person"
    return f"  {how}: {CHANGES[change.kind].format(**shown)}"


def _caveats(core: Core, decided: Decided) -> list[str]:
    lines: list[str] = []
    if decided.policy != core.policy.digest:
        lines.append("the policy has changed since; rules and the search are today's")
    if decided.differs:
        lines.append(f"not those of the decision, but today's: {', '.join(decided.differs)}")
    return ["", *lines] if lines else []
