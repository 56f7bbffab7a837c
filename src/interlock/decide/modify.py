"""MODIFY: a rule wants a step in a form that its manifest declares, so the plan is proposed anew in that form.

1. A form that would change nothing is *in force*, and the rule that names it is met.
2. Otherwise the plan never runs.  ``modify`` says what takes its place, and the gate decides on that as on any
   proposal; after ``MAX_ROUNDS`` such changes nothing else is tried.
3. What cannot be changed soundly is denied with a code; nothing is guessed.

A literal of the manifest gets no better label in the new plan than one of the planner's: it was the planner whose step
called for it.  What is taken from an argument stays the expression that it was.

>>> from interlock.artifact.action import Driver, Effect, Manifest, Reversibility, Transformation
>>> safe = Transformation(drop=("recursive",))
>>> action = Manifest(name="rm", group="g", sentence="rm", effect=Effect.DELETE, transformations={"one": safe},
...                   reversibility=Reversibility.REVERSIBLE, driver=Driver(name="files", operation="delete"))
>>> in_force(action, {"path", "recursive"}, {}), in_force(action, {"path"}, {})
((), ('one',))
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

import msgspec

from interlock.artifact.action import Effect, Invocation, Manifest, Reversibility, Transformation
from interlock.artifact.arguments import ArgumentError, is_literal, validate_known
from interlock.artifact.codec import Json, digest, encode
from interlock.artifact.errors import ReferenceEvaluationError
from interlock.artifact.label import CLEAN
from interlock.artifact.plan import Plan, Proposal, ProposedStep, Step
from interlock.artifact.verdict import Decision, Reason, Verdict, strictest
from interlock.decide.references import Environment, check, dependencies, evaluate
from interlock.decide.relabel import relabels
from interlock.decide.structure import expressions

MAX_ROUNDS: Final = 4
_NOTHING = Environment(outputs={}, literal=lambda _: CLEAN)
_KINDS = list(Reversibility)
_FLAGS = ("privileged", "external", "broad")


def in_force(manifest: Manifest, named: Collection[str], values: Mapping[str, Json]) -> tuple[str, ...]:
    """The forms that a step with the arguments ``named``, of which ``values`` are known, has already."""
    return tuple(name for name, form in manifest.forms.items() if _has(form, named, values))


def modify(plan: Plan, verdict: Verdict, catalogue: Mapping[str, Manifest], *, rounds: int) -> Proposal | Verdict:
    """The proposal that takes the plan's place, or the denial that says why there is none.

    ``verdict`` is the gate's MODIFY on the plan, ``rounds`` the number of changes that led to it.
    """
    if rounds >= MAX_ROUNDS:
        return strictest([_deny("modify.loop")])
    wanted: dict[str, set[str]] = {}
    for reason in verdict.reasons:
        if reason.decision is Decision.MODIFY:
            wanted.setdefault(reason.step, set()).add(reason.field)
    made = [
        _changed(step, wanted[step.id], plan, catalogue) if step.id in wanted else _bare(step) for step in plan.steps
    ]
    refused = [found for found in made if isinstance(found, Reason)]
    if refused:
        return strictest([*refused, *verdict.reasons])
    steps = tuple(found for found in made if isinstance(found, ProposedStep))
    return Proposal(task=plan.task, goal=plan.goal, steps=steps, parent=digest(plan))


def unfit(manifest: Manifest, form: Transformation, catalogue: Mapping[str, Manifest]) -> Iterator[str]:
    """What keeps a transformation from being used, as half sentences for the manifest's author; none if it is sound."""
    if form.use is None:
        yield from _narrows(manifest, form)
        return
    target = catalogue.get(form.use)
    if form.drop or form.fix:
        yield "it names a substitute, and changes arguments in place as well"
    if target is None:
        yield "its substitute is no action that exists"
    elif target.reference == manifest.reference:
        yield "it substitutes the action for itself"
    elif relabels(target):
        yield "its substitute lowers a label"
    else:
        yield from (f"its substitute is worse in {name}" for name in _worse(manifest, target))
        yield from _substitutes(manifest, form, target)


def _has(form: Transformation, named: Collection[str], values: Mapping[str, Json]) -> bool:
    if form.use is not None or not (form.drop or form.fix) or not set(form.drop).isdisjoint(named):
        return False
    return all(name in values and encode(values[name]) == encode(fixed) for name, fixed in form.fix.items())


def _changed(step: Step, names: set[str], plan: Plan, catalogue: Mapping[str, Manifest]) -> ProposedStep | Reason:
    manifest = catalogue[step.action]
    form = manifest.forms.get(min(names))
    if len(names) > 1:
        return _deny("modify.ambiguous", step)
    if form is None:
        return _deny("modify.unknown", step, min(names))
    if any(unfit(manifest, form, catalogue)):
        return _deny("modify.unfit", step, min(names))
    kept = {name: value for name, value in step.arguments.items() if name not in form.drop}
    if form.use is None:
        return msgspec.structs.replace(_bare(step), arguments={**kept, **form.fix})
    # What the step returns is another action's now, and so is the way back.
    if step.expect is not None or any(_names(step.id, other) for other in plan.steps):
        return _deny("modify.output", step)
    try:
        arguments = _taken(Invocation(action=form.use, arguments=form.arguments), step.arguments)
    except KeyError:
        return _deny("modify.argument", step, min(names))
    return msgspec.structs.replace(_bare(step), action=form.use, arguments=arguments, rollback=None)


def _bare(step: Step) -> ProposedStep:
    """The step as it was proposed, without what the gate derives and derives anew."""
    fields = {name: getattr(step, name) for name in ProposedStep.__struct_fields__}
    fields |= {"privileges": None, "irreversible": None}
    return ProposedStep(**fields)


def _names(step: str, other: Step) -> bool:
    return any(step in dependencies(expr) for _, expr in expressions(other))


def _taken(wanted: Invocation, arguments: Mapping[str, Json]) -> dict[str, Json]:
    """The substitute's arguments; one that stands for an argument which the step leaves out is left out too."""
    return {
        name: _folded(_filled(template, arguments))
        for name, template in wanted.arguments.items()
        if _argument(template) in {None, *arguments}
    }


def _argument(template: Json) -> str | None:
    """The argument's name where a template is nothing but that argument."""
    match template:
        case {"$argument": str(name), **rest} if not rest:
            return name
        case _:
            return None


def _filled(template: Json, arguments: Mapping[str, Json]) -> Json:
    """The template with arguments in their places; raises ``KeyError`` for one that is not there."""
    name = _argument(template)
    if name is not None:
        return arguments[name]
    match template:
        case dict():
            return {key: _filled(part, arguments) for key, part in template.items()}
        case list():
            return [_filled(part, arguments) for part in template]
        case _:
            return template


def _folded(expr: Json) -> Json:
    """An expression that names nothing still unknown becomes its value, so that the gate can see what it says."""
    if is_literal(expr):
        return expr
    try:
        return evaluate(expr, _NOTHING).value
    except ReferenceEvaluationError:
        return expr


def _narrows(manifest: Manifest, form: Transformation) -> Iterator[str]:
    needed = {name for name, argument in manifest.arguments.items() if argument.required}
    if form.arguments or not (form.drop or form.fix):
        yield "it names no substitute, and drops and fixes nothing" if not form.arguments else "it names no substitute"
    if not manifest.arguments.keys() >= set(form.drop) or not needed.isdisjoint(form.drop):
        yield "it drops an argument that is needed or not there"
    if not form.fix.keys().isdisjoint(form.drop):
        yield "it drops and fixes the same argument"
    yield from _admits(manifest, form.fix, needed | form.fix.keys())


def _substitutes(manifest: Manifest, form: Transformation, target: Manifest) -> Iterator[str]:
    literals = {name: value for name, value in form.arguments.items() if is_literal(value)}
    yield from _admits(target, literals, form.arguments.keys())
    for name, template in form.arguments.items():
        own = manifest.arguments.get(_argument(template) or "")
        wanted = target.arguments.get(name)
        if own and wanted and (own.type != wanted.type or (wanted.required and not own.required)):
            yield f"{name} takes an argument of another type, or one that a step may leave out"
        try:
            check(_filled(template, dict.fromkeys(manifest.arguments, "")), steps=frozenset(), item=False, output=False,
                  condition=False)  # fmt: skip
        except (KeyError, ReferenceEvaluationError):
            yield f"{name} is no literal and no expression over the action's own arguments"


def _admits(manifest: Manifest, known: Mapping[str, Json], names: Collection[str]) -> Iterator[str]:
    if not all(map(is_literal, known.values())):
        yield "it fixes an argument to something that is no literal"
        return
    try:
        validate_known(manifest, known, names)
    except ArgumentError as error:
        yield error.message


def _worse(manifest: Manifest, target: Manifest) -> Iterator[str]:
    """In what the substitute could do more harm than the action whose place it takes."""
    may, would = ({one.effect, *(resource.access for resource in one.resources)} for one in (manifest, target))
    milder = {Effect.READ, *([Effect.WRITE] if may - {Effect.READ} else [])}
    found = {
        "effect": not would <= may | milder,
        "reversibility": _KINDS.index(target.reversibility) > _KINDS.index(manifest.reversibility),
        "secrets": not set(manifest.needed_secrets).issuperset(target.needed_secrets),
        "accepts": target.external and target.accepts.rank > manifest.accepts.rank,
        "cost": target.cost > manifest.cost,
        "executableWrites": target.driver.executable_writes and not manifest.driver.executable_writes,
    } | {flag: getattr(target, flag) and not getattr(manifest, flag) for flag in _FLAGS}
    yield from (name for name, worse in found.items() if worse)


def _deny(code: str, step: Step | None = None, form: str = "") -> Reason:
    return Reason(decision=Decision.DENY, stage=7, code=code, step=step.id if step else "", field=form)
