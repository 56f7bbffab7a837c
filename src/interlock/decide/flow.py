"""Information flow: where each value of a step comes from, and where the step would send it (I5).

The same checks run twice: at the gate on what is known of a plan (static labels through references), and at
execution on the resolved values.  A ``View`` is one step seen either way.

Every literal, and the plan's shape, carry the join of all labels that the planner has received, because a
planner can retype what it has seen; a literal regains integrity, and nothing else, by being equal byte for byte
to the goal or to a value that the principal supplied.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from interlock.artifact import codec
from interlock.artifact.action import Effect, Manifest, Role
from interlock.artifact.analysis import ORDERS, Analysis
from interlock.artifact.arguments import is_literal
from interlock.artifact.codec import Json
from interlock.artifact.label import Confidentiality, Integrity, Label, flows_to, join, join_all
from interlock.artifact.plan import Step
from interlock.artifact.resources import Touched, inside, touched
from interlock.artifact.verdict import Decision, Reason
from interlock.decide.effects import Part, parts, seen
from interlock.decide.evidence import Evidence
from interlock.decide.globs import fixed_part, matches, matches_any
from interlock.decide.references import Labelled, static_label
from interlock.decide.relabel import lowered
from interlock.decide.secrets import CREDENTIAL_PATHS
from interlock.decide.unfolding import static_shape

_STAGE = 7
_FINDINGS: Mapping[str, Label] = {
    "secret": Label(confidentiality=Confidentiality.RESTRICTED, sources=("secret-shaped",)),
    "personal": Label(confidentiality=Confidentiality.PRIVATE, sources=("personal-data",)),
    "instruction": Label(integrity=Integrity.UNTRUSTED, sources=("instruction",)),
}
_RESTRICTED = Label(confidentiality=Confidentiality.RESTRICTED, sources=("credential-file",))


class View(msgspec.Struct, frozen=True, kw_only=True):
    """One step as the gate sees it; ``values`` holds the arguments whose value is known.

    ``declared`` is what the manifest says that it touches, ``parts`` what is decided on; ``held`` is the label of what
    it would read there.
    """

    step: Step
    manifest: Manifest
    labels: Mapping[str, Label]
    values: Mapping[str, Json]
    guard: Label
    declared: tuple[Touched, ...]
    claim: Analysis | None
    parts: tuple[Part, ...]
    held: Label
    output: Label

    @property
    def touched(self) -> tuple[Touched, ...]:
        """The resources that are decided on."""
        return tuple(part.resource for part in self.parts if part.resource.kind != "none")

    @property
    def seen(self) -> bool:
        """Whether the claim takes the manifest's place."""
        return seen(self.manifest, self.claim)

    @property
    def signals(self) -> tuple[str, ...]:
        """The patterns of effects that the analyst saw, sorted."""
        return tuple(sorted({signal.code for signal in self.claim.signals})) if self.claim else ()

    @property
    def destinations(self) -> tuple[str, ...]:
        """Where it sends something, as far as that is known."""
        found = [self.values[name] for name in self.manifest.destinations if name in self.values]
        return tuple(str(item) for value in found for item in (value if isinstance(value, list) else [value]))

    @property
    def carries(self) -> Label:
        """The join of everything that the step would take along."""
        return join(self.guard, *self.labels.values())

    @property
    def leaves(self) -> bool:
        """Whether the step takes something out of the workspace."""
        return any(part.external and part.effect is not Effect.READ for part in self.parts)

    @property
    def external(self) -> bool:
        """Whether it reaches something outside of the workspace."""
        return any(part.external for part in self.parts)

    @property
    def changes(self) -> bool:
        """Whether it does more than read."""
        return any(part.effect is not Effect.READ for part in self.parts)

    @property
    def accepts(self) -> Confidentiality:
        """The most that it may receive; what is seen to stay inside may receive anything."""
        if not self.seen:
            return self.manifest.accepts
        return Confidentiality.PRIVATE if self.external else Confidentiality.RESTRICTED


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
    site, claim = evidence.site, evidence.claims.get(step.id)
    declared = touched(manifest, values, step.arguments, root=site.root, home=site.home)
    found = parts(manifest, declared, claim, site.roots, site.registries)
    held = join_all(resource_label(part.resource, evidence) for part in found if reads(part, found))
    labels = _found_in(labels, claim, manifest)
    return View(
        step=step,
        manifest=manifest,
        labels=labels,
        values=values,
        guard=guard,
        declared=declared,
        claim=claim,
        parts=found,
        held=held,
        output=lowered(manifest, step.id, values, join_all([manifest.output.label, guard, *labels.values(), held])),
    )


def reads(part: Part, others: Iterable[Part]) -> bool:
    """Whether what the resource holds may come back, or be carried on to what the step writes (a move, too)."""
    moved = part.resource.access is Effect.DELETE and any(one.resource.access is Effect.WRITE for one in others)
    holding = {Effect.READ, Effect.EXECUTE}
    return moved or part.resource.access in holding or part.effect in holding


def _found_in(labels: Mapping[str, Label], claim: Analysis | None, manifest: Manifest) -> Mapping[str, Label]:
    """The labels of the arguments, joined with those of the data that the analyst found in them.

    An address is personal data wherever it stands but in the place of whom the step addresses.
    """
    findings = [one for one in claim.findings if one.code != ORDERS] if claim is not None else []
    addressed = {name for name, argument in manifest.arguments.items() if argument.role is Role.RECIPIENT}
    found = {name: [label] for name, label in labels.items()}
    for finding in findings:
        if finding.kind != "personal" or finding.argument not in addressed:
            found.setdefault(finding.argument, []).append(_FINDINGS[finding.kind])
    return {name: join_all(several) for name, several in found.items()} if findings else labels


def resource_label(resource: Touched, evidence: Evidence) -> Label:
    """What rules and earlier tasks say of a resource's content; credential files are restricted by default."""
    found = [label for key, label in evidence.carried.items() if _kin(key, resource)]
    if resource.kind != "file":
        return join_all(found)
    home = evidence.site.home
    root, below = evidence.site.root, resource.recursive
    rules = [rule.label for rule in evidence.site.labels if _speaks_of(rule.path, resource, root, below=below)]
    credentials = below and any(
        _reaches(glob, resource, home) for glob in CREDENTIAL_PATHS if not glob.startswith("**")
    )
    if credentials or matches_any(CREDENTIAL_PATHS, resource.name, home):
        found.append(_RESTRICTED)
    return join_all(found + rules)


def check_flow(view: View, before: Label, evidence: Evidence) -> Iterator[Reason]:
    """The reasons that flow gives for a step; ``before`` joins all that the task has touched until here."""
    yield from _confidentiality(view, evidence)
    yield from _integrity(view)
    yield from _history(view, before)


def _confidentiality(view: View, evidence: Evidence) -> Iterator[Reason]:
    taken = [("effects", view.held)] if view.external and any(part.claimed for part in view.parts) else []
    for name, label in [("", view.guard), *view.labels.items(), *taken]:
        if flows_to(label, view.accepts) and not _crosses(label, view, evidence):
            continue
        if label.confidentiality is Confidentiality.RESTRICTED and view.external:
            code = "flow.restricted_leaves"
        elif flows_to(label, view.accepts):
            code = "flow.other_scope"
        else:
            code = "flow.sink_limit"
        yield _reason(Decision.DENY, code, view, name)


def _crosses(label: Label, view: View, evidence: Evidence) -> bool:
    """Whether a value of one tenant, customer or environment would reach another, or the outside."""
    if not label.scopes:
        return False
    reached = {dimension: view.values.get(argument) for dimension, argument in view.manifest.scope.items()}
    if not reached and not view.external:
        reached = dict(evidence.task.scope)
    origins = [scope.partition("=") for scope in label.scopes]
    return any(reached.get(dimension) != value for dimension, _, value in origins)


def _integrity(view: View) -> Iterator[Reason]:
    acts = view.external or view.changes
    for name, label in view.labels.items():
        argument = view.manifest.arguments.get(name)
        role = argument.role if argument else Role.TARGET
        if label.untrusted and role is not Role.CONTENT and acts:
            yield _reason(Decision.STEP_UP, "flow.untrusted_authority", view, name)
    if view.guard.untrusted and view.changes:
        yield _reason(Decision.STEP_UP, "flow.untrusted_shape", view, "when")


def _history(view: View, before: Label) -> Iterator[Reason]:
    """What the task has seen makes later steps riskier: taint, and the trifecta of private, untrusted, outside."""
    runs = view.changes if view.seen else view.manifest.effect is Effect.EXECUTE
    risky = runs or view.leaves or any(part.privileged and part.effect is Effect.READ for part in view.parts)
    if before.untrusted and risky:
        yield _reason(Decision.STEP_UP, "flow.tainted_task", view, "")
    private = before.confidentiality.rank >= Confidentiality.PRIVATE.rank
    if before.untrusted and private and view.external:
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
    """Whether the key names something below the resource, or above it that was labelled as a whole."""
    kind, _, name = key.partition(":")
    return kind == resource.kind and (inside(name, resource.name) or inside(resource.name, name))


def _speaks_of(glob: str, resource: Touched, base: str, *, below: bool) -> bool:
    return matches(glob, resource.name, base) or (below and _reaches(glob, resource, base))


def _reaches(glob: str, resource: Touched, base: str) -> bool:
    """Whether something below the folder could match: where the glob's fixed part lies in it, or it has none."""
    fixed = fixed_part(glob, base)
    return fixed == "/" or inside(fixed, resource.name) or inside(resource.name, fixed)


def _reason(decision: Decision, code: str, view: View, field: str) -> Reason:
    return Reason(decision=decision, stage=_STAGE, code=code, step=view.step.id, field=field)
