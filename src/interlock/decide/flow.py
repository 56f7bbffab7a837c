"""Information flow: where each value of a step comes from, and where the step would send it (I5).

The same checks run twice: at the gate on what is known of a plan (static labels through references), and at
execution on the resolved values.  A ``View`` is one step seen either way.

Every literal, and the plan's shape, carry the join of all labels that the planner has received, because a
planner can retype what it has seen; a literal regains integrity, and nothing else, by being equal byte for byte
to the goal or to a value that the principal supplied.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from interlock.artifact import codec
from interlock.artifact.action import Effect, Manifest, Role
from interlock.artifact.arguments import is_literal
from interlock.artifact.codec import Json
from interlock.artifact.label import CLEAN, Confidentiality, Label, flows_to, join, join_all
from interlock.artifact.plan import Step
from interlock.artifact.resources import Touched, inside, touched
from interlock.artifact.verdict import Decision, Reason
from interlock.decide.evidence import Evidence
from interlock.decide.globs import fixed_part, matches, matches_any
from interlock.decide.references import Labelled, static_label
from interlock.decide.secrets import CREDENTIAL_PATHS
from interlock.decide.unfolding import static_shape

_STAGE = 7
_RESTRICTED = Label(confidentiality=Confidentiality.RESTRICTED, sources=("credential-file",))


class View(msgspec.Struct, frozen=True, kw_only=True):
    """One step as the gate sees it; ``values`` holds the arguments whose value is known."""

    step: Step
    manifest: Manifest
    labels: Mapping[str, Label]
    values: Mapping[str, Json]
    guard: Label
    touched: tuple[Touched, ...]
    output: Label

    @property
    def carries(self) -> Label:
        """The join of everything that the step would take along."""
        return join(self.guard, *self.labels.values())

    @property
    def leaves(self) -> bool:
        """Whether the step takes something out of the workspace."""
        return self.manifest.external and self.manifest.effect is not Effect.READ


def literal_label(value: Json, evidence: Evidence) -> Label:
    """The label of a literal that this planner wrote."""
    if not evidence.received.untrusted or not _supplied(value, evidence):
        return evidence.received
    received = evidence.received
    return Label(confidentiality=received.confidentiality, scopes=received.scopes, sources=received.sources)


def static_view(
    step: Step,
    manifest: Manifest,
    outputs: Mapping[str, Label],
    shapes: Mapping[str, Label],
    evidence: Evidence,
) -> View:
    """The step before anything ran; ``outputs`` and ``shapes`` are the static labels of the steps before it."""

    def literal(value: Json) -> Label:
        return literal_label(value, evidence)

    item = static_label(step.for_each.items, outputs, None, literal) if step.for_each else None
    guard = join(evidence.received, static_shape(step, outputs, shapes, literal))
    labels = {name: static_label(value, outputs, item, literal) for name, value in step.arguments.items()}
    values = {name: value for name, value in step.arguments.items() if is_literal(value)}
    return _view(step, manifest, labels, values, guard, evidence)


def actual_view(
    step: Step, manifest: Manifest, arguments: Mapping[str, Labelled], guard: Label, evidence: Evidence
) -> View:
    """The step with its resolved arguments, right before it runs."""
    labels = {name: argument.label for name, argument in arguments.items()}
    values = {name: argument.value for name, argument in arguments.items()}
    return _view(step, manifest, labels, values, join(guard, evidence.received), evidence)


def _view(
    step: Step,
    manifest: Manifest,
    labels: Mapping[str, Label],
    values: Mapping[str, Json],
    guard: Label,
    evidence: Evidence,
) -> View:
    resources = touched(manifest, values, step.arguments, root=evidence.site.root, home=evidence.site.home)
    held = [resource_label(resource, evidence) for resource in resources if reads(resource, manifest)]
    return View(
        step=step,
        manifest=manifest,
        labels=labels,
        values=values,
        guard=guard,
        touched=resources,
        output=join_all([manifest.output.label, guard, *labels.values(), *held]),
    )


def reads(resource: Touched, manifest: Manifest) -> bool:
    """Whether what the resource holds may come back, or be carried on to what the step writes (a move, too)."""
    moved = resource.access is Effect.DELETE and any(other.access is Effect.WRITE for other in manifest.resources)
    holding = {Effect.READ, Effect.EXECUTE}
    return moved or resource.access in holding or manifest.effect in holding


def resource_label(resource: Touched, evidence: Evidence) -> Label:
    """What rules and earlier tasks say of a resource's content; credential files are restricted by default."""
    found = [evidence.carried.get(resource.key, CLEAN)]
    if resource.kind != "file":
        return join_all(found)
    home = evidence.site.home
    kin = [label for key, label in evidence.carried.items() if _kin(key, resource)]
    root, below = evidence.site.root, resource.recursive
    rules = [rule.label for rule in evidence.site.labels if _speaks_of(rule.path, resource, root, below=below)]
    credentials = below and any(
        _reaches(glob, resource, home) for glob in CREDENTIAL_PATHS if not glob.startswith("**")
    )
    if credentials or matches_any(CREDENTIAL_PATHS, resource.name, home):
        found.append(_RESTRICTED)
    return join_all(found + kin + rules)


def check_flow(view: View, before: Label, evidence: Evidence) -> Iterator[Reason]:
    """The reasons that flow gives for a step; ``before`` joins all that the task has touched until here."""
    yield from _confidentiality(view, evidence)
    yield from _integrity(view)
    yield from _history(view, before)


def _confidentiality(view: View, evidence: Evidence) -> Iterator[Reason]:
    for name, label in [("", view.guard), *view.labels.items()]:
        if flows_to(label, view.manifest.accepts) and not _crosses(label, view, evidence):
            continue
        if label.confidentiality is Confidentiality.RESTRICTED and view.manifest.external:
            code = "flow.restricted_leaves"
        elif flows_to(label, view.manifest.accepts):
            code = "flow.other_scope"
        else:
            code = "flow.sink_limit"
        yield _reason(Decision.DENY, code, view, name)


def _crosses(label: Label, view: View, evidence: Evidence) -> bool:
    """Whether a value of one tenant, customer or environment would reach another, or the outside."""
    if not label.scopes:
        return False
    reached = {dimension: view.values.get(argument) for dimension, argument in view.manifest.scope.items()}
    if not reached and not view.manifest.external:
        reached = dict(evidence.task.scope)
    origins = [scope.partition("=") for scope in label.scopes]
    return any(reached.get(dimension) != value for dimension, _, value in origins)


def _integrity(view: View) -> Iterator[Reason]:
    acts = view.manifest.external or view.manifest.effect is not Effect.READ
    for name, label in view.labels.items():
        argument = view.manifest.arguments.get(name)
        role = argument.role if argument else Role.TARGET
        if label.untrusted and role is not Role.CONTENT and acts:
            yield _reason(Decision.STEP_UP, "flow.untrusted_authority", view, name)
    if view.guard.untrusted and view.manifest.effect is not Effect.READ:
        yield _reason(Decision.STEP_UP, "flow.untrusted_shape", view, "when")


def _history(view: View, before: Label) -> Iterator[Reason]:
    """What the task has seen makes later steps riskier: taint, and the trifecta of private, untrusted, outside."""
    manifest = view.manifest
    risky = manifest.effect is Effect.EXECUTE or view.leaves or (manifest.privileged and manifest.effect is Effect.READ)
    if before.untrusted and risky:
        yield _reason(Decision.STEP_UP, "flow.tainted_task", view, "")
    private = before.confidentiality.rank >= Confidentiality.PRIVATE.rank
    if before.untrusted and private and manifest.external:
        yield _reason(Decision.STEP_UP, "flow.trifecta", view, "")


def _supplied(value: Json, evidence: Evidence) -> bool:
    match value:
        case str():
            return value == evidence.task.goal or value in evidence.task.values
        case list():
            return bool(value) and all(_supplied(item, evidence) for item in value)
        case dict():
            return bool(value) and all(_supplied(part, evidence) for pair in value.items() for part in pair)
        case _:
            return codec.encode(value).decode() in evidence.task.values


def _kin(key: str, resource: Touched) -> bool:
    """Whether the key names a file below the resource, or a folder above it that was labelled as a whole."""
    kind, _, name = key.partition(":")
    return kind == "file" and (inside(name, resource.name) or inside(resource.name, name))


def _speaks_of(glob: str, resource: Touched, base: str, *, below: bool) -> bool:
    return matches(glob, resource.name, base) or (below and _reaches(glob, resource, base))


def _reaches(glob: str, resource: Touched, base: str) -> bool:
    """Whether something below the folder could match: where the glob's fixed part lies in it, or it has none."""
    fixed = fixed_part(glob, base)
    return fixed == "/" or inside(fixed, resource.name) or inside(resource.name, fixed)


def _reason(decision: Decision, code: str, view: View, field: str) -> Reason:
    return Reason(decision=decision, stage=_STAGE, code=code, step=view.step.id, field=field)
