"""Relabelling: the two actions of the harness's own that lower a label, and when anybody may agree to it (I5).

``flow.declassify`` lowers who may know a value, ``flow.endorse`` says that it may be acted on; nothing else lowers
anything.  Part of the floor (5):

1. It is a step of its own: not under a condition, not in a loop, neither a way back nor with one.
2. Nobody agrees blindly.  The value is a literal, or computed from steps that a parent plan finished (and then shown),
   or bounded by ``oneOf`` or by ``minimum`` and ``maximum``, which are literals and are held again when it is known.
3. A person is asked.  A rule of the workspace stands for that person only where it names this very action and an
   owner, allows it, the value is bounded and not restricted, and the planner had seen nothing that would be lowered.

>>> from interlock.artifact.action import Driver, Effect, Reversibility
>>> lower = Manifest(name="flow.declassify", group="flow", sentence="", effect=Effect.READ,
...                  reversibility=Reversibility.PURE, driver=Driver(name="flow", operation="declassify"))
>>> secret = Label(confidentiality=Confidentiality.RESTRICTED, integrity=Integrity.UNTRUSTED)
>>> found = lowered(lower, "s2", {"to": "internal"}, secret)
>>> found.confidentiality.value, found.integrity.value, found.sources
('internal', 'untrusted', ('declassified:s2',))
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, cast

import msgspec

from interlock.artifact.action import Manifest
from interlock.artifact.arguments import is_literal
from interlock.artifact.codec import Json
from interlock.artifact.label import Confidentiality, Integrity, Label, flows_to, join
from interlock.artifact.verdict import Decision, Reason
from interlock.decide.policy.request import PolicyAnswer
from interlock.decide.references import dependencies

if TYPE_CHECKING:
    from interlock.decide.evidence import Evidence
    from interlock.decide.flow import View

DRIVER: Final = "flow"
MAX_CHOICES: Final = 16
MAX_SPAN: Final = 1_000_000
ASKS: Final = frozenset({"floor.declassify", "floor.endorse"})
BY_RULE: Final = "relabel.by_rule"
_BOUNDS: Final = frozenset({"oneOf", "minimum", "maximum"})
_FROM: Final = "from "
_STAGE = 5


class Bound(msgspec.Struct, frozen=True):
    """What a value may be: one of a few texts, or a whole number of a range."""

    choices: tuple[str, ...] = ()
    low: int = 0
    high: int = 0

    def admits(self, value: Json) -> bool:
        """Whether the value is within it."""
        if self.choices:
            return isinstance(value, str) and value in self.choices
        return type(value) is int and self.low <= value <= self.high


def relabels(manifest: Manifest) -> bool:
    """Whether the action lowers a label."""
    return manifest.driver.name == DRIVER


def endorses(manifest: Manifest) -> bool:
    """Whether an action that relabels is about integrity."""
    return manifest.driver.operation == "endorse"


def lowered(manifest: Manifest, step: str, values: Mapping[str, Json], label: Label) -> Label:
    """The label of what the action returns; its provenance says so.  An action that relabels nothing leaves it."""
    if not relabels(manifest):
        return label
    if endorses(manifest):
        trusted = msgspec.structs.replace(label, integrity=Integrity.TRUSTED)
        return join(trusted, Label(sources=(f"endorsed:{step}",)))
    wanted = [level for level in Confidentiality if level == values.get("to")]
    level = min([label.confidentiality, *wanted], key=lambda one: one.rank)
    return join(msgspec.structs.replace(label, confidentiality=level), Label(sources=(f"declassified:{step}",)))


def bound_of(arguments: Mapping[str, Json]) -> Bound | None:
    """The bound that a step gives its value, or nothing; raises ``ValueError`` for one that is none."""
    found = {name: arguments[name] for name in arguments.keys() & _BOUNDS}
    match found:
        case {"oneOf": list(choices), **rest} if not rest and 0 < len(choices) <= MAX_CHOICES:
            if all(isinstance(one, str) for one in choices):
                return Bound(choices=tuple(cast("list[str]", choices)))
        case {"minimum": int(low), "maximum": int(high)} if len(found) == 2 and 0 <= high - low < MAX_SPAN:  # noqa: PLR2004
            return Bound(low=low, high=high)
        case _ if not found:
            return None
        case _:
            pass
    raise ValueError("neither a few texts nor a range")


def check_relabel(view: View, known: Collection[str] | None, evidence: Evidence) -> Iterator[Reason]:
    """(5) ``known`` are the steps that a parent plan finished; without it every value is known by now."""
    step, manifest = view.step, view.manifest
    back = evidence.catalogue.get(step.rollback.action) if step.rollback is not None else None
    if back is not None and relabels(back):
        yield _reason(Decision.DENY, "relabel.place", view, "rollback")
    if not relabels(manifest):
        return
    for field in ("when", "for_each", "rollback"):
        if getattr(step, field) is not None:
            yield _reason(Decision.DENY, "relabel.place", view, field)
    unknown = [name for name, value in step.arguments.items() if name != "value" and not is_literal(value)]
    try:
        bound = bound_of(step.arguments)
    except ValueError:
        yield _reason(Decision.DENY, "relabel.bound", view, "oneOf" if "oneOf" in step.arguments else "minimum")
    else:
        value = step.arguments.get("value")
        if bound is None and known is not None and not is_literal(value) and not dependencies(value) <= set(known):
            unknown.append("value")
        if bound is not None and "value" in view.values and not bound.admits(view.values["value"]):
            yield _reason(Decision.DENY, "relabel.outside", view, "value")
    for name in unknown:
        yield _reason(Decision.DENY, "relabel.unknown", view, name)
    code = "floor.endorse" if endorses(manifest) else "floor.declassify"
    yield _reason(Decision.STEP_UP, code, view, f"{_FROM}{_before(view)}")


def by_rule(view: View | None, reasons: Sequence[Reason], answers: Sequence[PolicyAnswer]) -> tuple[Reason, ...]:
    """The reasons, where a rule with an owner may and does stand for the person whom the floor asks."""
    owners = [answer.owned if answer.decision is Decision.ALLOW else () for answer in answers]
    if view is None or not relabels(view.manifest) or not owners or not all(owners) or not _needs_no_person(view):
        return tuple(reasons)
    allowed = {"decision": Decision.ALLOW, "code": BY_RULE, "rule": min(owners[0])}
    return tuple(msgspec.structs.replace(one, **allowed) if one.code in ASKS else one for one in reasons)


def covered(reason: Reason, said: Collection[Reason]) -> bool:
    """Whether a person was asked about at least as much, when the label was not known as well as it is now."""
    if reason.code not in ASKS:
        return False
    ranks = {
        f"{_FROM}{level.value}": rank for levels in (Confidentiality, Integrity) for rank, level in enumerate(levels)
    }
    asked = (one for one in said if (one.code, one.step) == (reason.code, reason.step))
    return any(ranks[reason.field] <= ranks[one.field] for one in asked)


def _needs_no_person(view: View) -> bool:
    try:
        bounded = bound_of(view.step.arguments) is not None
    except ValueError:
        return False
    unseen = not view.guard.untrusted and flows_to(view.guard, view.output.confidentiality)
    return bounded and unseen and view.carries.confidentiality is not Confidentiality.RESTRICTED


def _before(view: View) -> str:
    side = view.carries.integrity if endorses(view.manifest) else view.carries.confidentiality
    return side.value


def _reason(decision: Decision, code: str, view: View, field: str) -> Reason:
    return Reason(decision=decision, stage=_STAGE, code=code, step=view.step.id, field=field)
