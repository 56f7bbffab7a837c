"""What a halted plan has done, as the facts that its revision begins with.

A step that has happened is a fact; of a loop that is not through, the first iterations are, so that none of them is
started again.  Where nobody knows whether something happened a person says so, by step or by step and iteration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from interlock.artifact import codec
from interlock.artifact.errors import StateError
from interlock.artifact.label import Label, join_all
from interlock.artifact.plan import Plan, Proposal, Step
from interlock.decide.references import Labelled, gather
from interlock.harness.core import Core
from interlock.harness.rows import ClaimRow

_UNKNOWN = frozenset({"unknown", "claimed", "undoing"})
_KEPT = ("action", "arguments", "when", "for_each", "needs", "expect", "rollback")
_WORDS = frozenset({"happened", "not"})


def facts(
    plan: Plan, claims: Sequence[ClaimRow], said: Mapping[str, str], repeats: Callable[[Step], bool]
) -> tuple[str, ...]:
    """The plan's ``finished`` for a revision; a skipped step is none, its condition is asked again.

    ``said`` maps ``STEP`` or ``STEP/ITERATION`` to ``happened`` or ``not``.  Raises ``StateError`` where it is silent.
    """
    order = [step.id for step in plan.steps]
    reached = max((order.index(claim.step) for claim in claims), default=-1)
    found: list[str] = []
    for at, step in enumerate(plan.steps):
        mine = sorted((claim for claim in claims if claim.step == step.id), key=lambda claim: claim.iteration)
        happened = [_happened(claim, step, said) for claim in mine]
        if step.id in plan.finished or (step.for_each is None and happened == [True]):
            found.append(step.id)
        elif step.for_each is not None:
            count = _first(plan.begun(step.id), mine, happened)
            through = at < reached and all(happened) and count > 0
            vouched = said.get(step.id) == "happened" and bool(mine)
            if through or vouched or count == step.for_each.at_most:
                found.append(step.id)
            elif count and not repeats(step):
                found.append(f"{step.id}/{count}")
    return tuple(found)


def keep_facts(plan: Plan, raw: bytes, finished: Sequence[str]) -> None:
    """Raise ``StateError`` for a revision in which a finished step of the plan is not what it was."""
    revised = {step.id: step for step in codec.decode(raw, Proposal).steps}
    for name in (fact.partition("/")[0] for fact in finished):
        before, after = plan.step(name), revised.get(name)
        if after is None or any(getattr(before, field) != getattr(after, field) for field in _KEPT):
            raise StateError("resume.changed", f"step {name} is finished, and the revision changes it or leaves it out")


def finished_outputs(core: Core, plan: Plan) -> tuple[dict[str, Labelled], dict[str, list[Labelled]]]:
    """The outputs of the steps that the plans before this one finished, and of the first iterations of a loop."""
    known: dict[str, dict[int, Labelled]] = {}
    parent = plan.parent
    while parent is not None:
        for claim in core.store.claims(parent):  # What a later plan says of an iteration holds.
            known.setdefault(claim.step, {}).setdefault(claim.iteration, claim.labelled)
        parent = core.store.plan(parent).plan.parent
    whole: dict[str, Labelled] = {}
    begun: dict[str, list[Labelled]] = {}
    for fact in plan.finished:
        step, _, count = fact.partition("/")
        outputs = [known[step][iteration] for iteration in sorted(known[step])]
        if count:
            begun[step] = outputs[: int(count)]
        elif plan.step(step).for_each is not None:
            whole[step] = gather(outputs, join_all(output.label for output in outputs))
        else:
            whole[step] = outputs[0]
    return whole, begun


def finished_labels(core: Core, plan: Plan) -> dict[str, Label]:
    """The labels of what the plan's finished steps have returned."""
    return {step: output.label for step, output in finished_outputs(core, plan)[0].items()}


def _first(count: int, claims: Sequence[ClaimRow], happened: Sequence[bool]) -> int:
    """How many iterations from the first one on have happened; ``count`` of them before these claims."""
    for claim, yes in zip(claims, happened, strict=True):
        count += yes and claim.iteration == count
    return count


def _happened(claim: ClaimRow, step: Step, said: Mapping[str, str]) -> bool:
    if claim.state not in _UNKNOWN:
        return claim.state == "done"
    place = f"{step.id}/{claim.iteration}"
    word = said.get(place) or said.get(step.id)
    if word not in _WORDS:
        name = place if step.for_each else step.id
        raise StateError(
            "resume.unknown", f"it is unknown whether {name} happened",
            hint=f"find out, then add --happened {name}, or --not-happened {name} to run it again",
        )  # fmt: skip
    return word == "happened"
