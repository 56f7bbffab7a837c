"""What a page says of a label that would be lowered: which value, from which label to which, and where it came from.

Words of the harness alone, around a value that is shown as it is; ``card`` makes it visible.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from interlock.artifact import codec
from interlock.artifact.arguments import is_literal
from interlock.artifact.codec import Json
from interlock.decide.flow import View
from interlock.decide.references import dependencies
from interlock.decide.relabel import Bound, bound_of, endorses, relabels
from interlock.surface.cli import view


def relabelled(flow: View, shown: Mapping[str, str], finished: Collection[str]) -> Iterator[view.Effect]:
    """The effect of a step that lowers a label; ``shown`` are values that were probed, by step."""
    if not relabels(flow.manifest):
        return
    value = flow.step.arguments.get("value")
    lines = [_change(flow), _value(flow, value, shown), f"it is {_origin(value, finished)}"]
    yield view.Effect(step=flow.step.id, kind="relabel", text="\n".join(lines), label=flow.carries)


def _change(flow: View) -> str:
    before, after = flow.carries, flow.output
    if endorses(flow.manifest):
        return f"may be acted on as if the principal had said it: {before.integrity.value} → {after.integrity.value}"
    return f"who may know it: {before.confidentiality.value} → {after.confidentiality.value}"


def _value(flow: View, value: Json, shown: Mapping[str, str]) -> str:
    if is_literal(value):
        return f"the value is {codec.encode(value).decode()}"
    if flow.step.id in shown:
        return f"the value is {shown[flow.step.id]}"
    try:
        bound = bound_of(flow.step.arguments)
    except ValueError:
        bound = None
    return f"the value is not known yet; {_bounded(bound)}"


def _bounded(bound: Bound | None) -> str:
    if bound is None:
        return "nothing bounds it, so that this is refused"
    if bound.choices:
        return f"it will be one of {', '.join(codec.encode(one).decode() for one in bound.choices)}, or the plan stops"
    return f"it will be a whole number from {bound.low} to {bound.high}, or the plan stops"


def _origin(value: Json, finished: Collection[str]) -> str:
    if is_literal(value):
        return "written in the plan"
    named = sorted(dependencies(value))
    found = "found by finished steps" if set(named) <= set(finished) else "computed when it runs"
    return f"{found}, from {', '.join(named)}"
