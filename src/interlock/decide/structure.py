"""Structure: stage 2 of the gate, what can be said of a proposal without knowing anything but itself.

(2a) identity: at most ``max_steps`` steps, unique ids, none of them a reserved word;
(2b) order: ``needs`` and references name earlier steps (or a parent's finished ones) only, ``item`` stands inside
     a ``for_each`` only, ``output`` inside ``expect`` and ``rollback`` only, conditions can be conditions;
(2c) words: nothing that a planner wrote may pose as a plan or speak to those who decide.

A breach of (2a) or (2b) denies, one of (2c) is raised to a person.  See ``wording`` for what (2c) looks for.
"""

from __future__ import annotations

from collections.abc import Iterator

from interlock.artifact.codec import Json, encode
from interlock.artifact.errors import ReferenceEvaluationError
from interlock.artifact.plan import Proposal, ProposedStep
from interlock.artifact.verdict import Decision, Reason
from interlock.decide.references import check, literals
from interlock.decide.wording import embedded_plan, suspicious

__all__ = ["check_structure", "embedded_plan", "expressions", "suspicious"]

RESERVED = frozenset({"item", "it", "output", "task"})


def check_structure(
    proposal: Proposal,
    *,
    max_steps: int,
    finished: frozenset[str] = frozenset(),
    own: frozenset[str] = frozenset(),
) -> tuple[Reason, ...]:
    """All breaches in the proposal's order, then all words to raise; none means that nothing is wrong here.

    ``finished``: ids of the parent's finished steps, which references may name.  ``own``: texts of the principal
    (goal and values); a string equal to one of them is nobody's injection.
    """
    reasons: list[Reason] = []
    if len(proposal.steps) > max_steps:
        reasons.append(_denied("structure.too_many_steps"))
    earlier = finished
    ids: set[str] = set()
    for step in proposal.steps:
        if step.id in ids:
            reasons.append(_denied("structure.duplicate_id", step.id))
        if step.id in RESERVED:
            reasons.append(_denied("structure.reserved_id", step.id))
        reasons += _order(step, earlier)
        ids.add(step.id)
        earlier |= {step.id}
    return (*reasons, *_words(proposal, own))


def _order(step: ProposedStep, earlier: frozenset[str]) -> Iterator[Reason]:
    """(2b); a step that a parent finished names itself too, so its own id is never earlier than itself."""
    known = earlier - {step.id}
    if not known.issuperset(step.needs):
        yield _denied("structure.needs", step.id, "needs")
    for field, expr in expressions(step):
        if field.rpartition(".")[2].startswith("$"):
            yield _denied("structure.argument_name", step.id, field)
        own_output = field == "expect" or field.startswith("rollback.")
        guards = field in {"when", "for_each"}
        try:
            check(
                expr,
                steps=known,
                item=step.for_each is not None and not guards,
                output=own_output,
                condition=field in {"when", "expect"},
            )
        except ReferenceEvaluationError as error:
            yield _denied(error.code, step.id, field)


def _words(proposal: Proposal, own: frozenset[str]) -> list[Reason]:
    """(2c), over every text; all of them are first read as one, because nearly always nothing is found."""
    texts = [found for found in _texts(proposal, own) if found[2] not in own]
    if not suspicious("\n".join(text for _, _, text in texts)):
        return []
    return [
        Reason(decision=Decision.STEP_UP, stage=2, code=code, step=step, field=field[:128])
        for step, field, text in texts
        for code in suspicious(text)
    ]


def _texts(proposal: Proposal, own: frozenset[str]) -> Iterator[tuple[str, str, str]]:
    """Step, field and text of all that the planner wrote: the names of arguments and their literals too."""
    yield "", "goal", proposal.goal
    for step in proposal.steps:
        yield step.id, "reason", step.reason
        yield step.id, "privileges", " ".join([step.change, *(step.privileges or ())])
        yield from ((step.id, field, _text(field, expr, own)) for field, expr in expressions(step))


def expressions(step: ProposedStep) -> Iterator[tuple[str, Json]]:
    """Each expression of a step with the name of its field."""
    yield from ((f"arguments.{name}", expr) for name, expr in step.arguments.items())
    if step.when is not None:
        yield "when", step.when
    if step.for_each is not None:
        yield "for_each", step.for_each.items
    if step.expect is not None:
        yield "expect", step.expect
    if step.rollback is not None:
        yield from ((f"rollback.{name}", expr) for name, expr in step.rollback.arguments.items())


def _text(field: str, expr: Json, own: frozenset[str]) -> str:
    """All that an expression says, in one text, so that words cut into pieces are read together."""
    try:
        parts = [value for _, value in literals(expr)]
    except ReferenceEvaluationError:
        parts = [expr]  # It is denied already; its words are read all the same.
    said = [part if isinstance(part, str) else encode(part).decode() for part in parts if not _is_own(part, own)]
    return "\n".join([field, *said, "".join(said)] if len(said) > 1 else [field, *said])


def _is_own(part: Json, own: frozenset[str]) -> bool:
    return isinstance(part, str) and part in own


def _denied(code: str, step: str = "", field: str = "") -> Reason:
    return Reason(decision=Decision.DENY, stage=2, code=code, step=step[:32], field=field[:128])
