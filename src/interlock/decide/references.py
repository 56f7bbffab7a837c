"""References: the expressions in which a plan names values that it has not seen, evaluated by the harness alone.

An argument is a literal (JSON in which no object has a key that begins with ``$``) or an expression; objects and
lists may mix both.  The language is total: no loops, no definitions, no recursion, no defaults.

- ``{"$ref": "s1.output.rows[0].email"}``: what step ``s1`` returned; also ``item…`` inside a ``for_each``,
  ``output…`` inside ``expect``, ``it…`` (the element) inside the condition of a filter;
- ``{"$first" | "$last" | "$min" | "$max" | "$count": E}``: one value out of a list;
- ``{"$select": [E, "a.b[0]"]}``, ``{"$filter": [E, C]}``: one part of each element; the elements that satisfy C;
- ``{"$template": [E, …]}``: strings and integers put together; ``{"$add" | "$sub" | "$mul" | "$div": [E, E]}``:
  integers of 53 bits, ``$div`` rounds down;
- conditions: ``{"$eq" | "$ne" | "$lt" | "$le" | "$gt" | "$ge" | "$in": [E, E]}``, ``{"$and" | "$or": [C, …]}``,
  ``{"$not": C}``, where every operand is evaluated.

Guaranteed: whatever is missing, of another type or over a bound raises ``ReferenceEvaluationError`` and never
becomes a default; the work is bounded by ``MAX_WORK``, the result by the codec's limits; the label of a result
is the join of every literal (keys included) and every output that the expression names, so no operator sheds a
label.  Which references, paths and operators a plan holds is its *shape*: the label of whoever chose it is not
in here, the caller joins it.

>>> env = Environment(outputs={"s1": Labelled(value={"n": 2}, label=CLEAN)}, literal=lambda _: CLEAN)
>>> evaluate({"$template": ["n=", {"$ref": "s1.output.n"}]}, env).value
'n=2'
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias, TypeVar, assert_never, cast

import msgspec

from interlock.artifact.codec import MAX_BYTES, MAX_INTEGER, Json, encode
from interlock.artifact.codec import check as check_domain
from interlock.artifact.errors import CodecError, ReferenceEvaluationError
from interlock.artifact.label import CLEAN, Label, join, join_all
from interlock.decide.expression import (
    BINARY,
    SCOPED,
    UNARY,
    Call,
    Literal,
    Node,
    Path,
    Reference,
    parse,
    require_condition,
    walk,
)

__all__ = ["Environment", "Labelled", "Truth", "check", "dependencies", "evaluate"]
__all__ += ["gather", "literals", "static_label", "truth"]

MAX_WORK = 1 << 22  # In characters; each value and each evaluated node counts as eight more.
_NODE_WORK = 8

LiteralLabel: TypeAlias = Callable[[Json], Label]
Kind = TypeVar("Kind")


class Labelled(msgspec.Struct, frozen=True, kw_only=True):
    """A value and its label."""

    value: Json
    label: Label


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a condition holds, and the label of that fact."""

    holds: bool
    label: Label


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """What an expression may name; ``literal`` labels the planner's own words.

    The output of a ``for_each`` step is one list, made by ``gather``.
    """

    outputs: Mapping[str, Labelled]
    literal: LiteralLabel
    item: Labelled | None = None
    output: Labelled | None = None


def gather(outputs: Iterable[Labelled], shape: Label) -> Labelled:
    """The output of a ``for_each`` step; how many there are tells of its list, so that label joins in."""
    found = list(outputs)
    label = join_all([shape, *(one.label for one in found)])
    return Labelled(value=[one.value for one in found], label=label)


def evaluate(expr: Json, env: Environment) -> Labelled:
    """The value of an expression and its label; raises ``ReferenceEvaluationError``."""
    node = parse(expr)
    label = _label(node, lambda root: _source(root, env).label, env.literal)
    if isinstance(node, Literal):
        return Labelled(value=node.value, label=label)
    value = _Run(env).value(node, None)
    _hold(value)
    return Labelled(value=value, label=label)


def truth(expr: Json, env: Environment) -> Truth:
    """Whether a condition holds; raises ``ReferenceEvaluationError``, also where the value is no boolean."""
    found = evaluate(expr, env)
    return Truth(holds=_typed(found.value, bool), label=found.label)


def static_label(
    expr: Json,
    labels: Mapping[str, Label],
    item: Label | None,
    literal: LiteralLabel,
    *,
    output: Label | None = None,
) -> Label:
    """At least the label that ``evaluate`` will find if each output's label is at most ``labels[step]``."""
    known: dict[str, Label | None] = {**labels, "item": item, "output": output}

    def source(root: str) -> Label:
        found = known.get(root)
        if found is None:
            raise ReferenceEvaluationError("reference.unknown", f"nothing here is called {root}")
        return found

    return _label(parse(expr), source, literal)


def check(expr: Json, *, steps: frozenset[str], item: bool, output: bool, condition: bool) -> None:
    """Hold an expression to the language and to what it may name; raises ``ReferenceEvaluationError``."""
    node = parse(expr)
    if condition:
        require_condition(node)
    scoped = {"it": True, "item": item, "output": output}
    for root in _roots(node):
        if not scoped.get(root, root in steps):
            code = "reference.scope" if root in scoped else "reference.unknown"
            raise ReferenceEvaluationError(code, f"{root} cannot be named here")


def dependencies(expr: Json) -> frozenset[str]:
    """The ids of the steps whose outputs an expression names."""
    return frozenset(_roots(parse(expr))) - SCOPED


def literals(expr: Json) -> Iterator[tuple[str, Json]]:
    """The greatest literal parts of an expression, each with its path; keys beside expressions are parts too."""
    return ((node.where, node.value) for node in walk(parse(expr)) if isinstance(node, Literal))


def _roots(node: Node) -> Iterator[str]:
    return (found.root for found in walk(node) if isinstance(found, Reference))


def _label(node: Node, source: Callable[[str], Label], literal: LiteralLabel) -> Label:
    """The join of all leaves; an element (``it``) has the label of its list, which is among them."""
    if isinstance(node, Literal):
        return join(literal(node.value))
    found: set[Label] = set()
    for leaf in walk(node):
        if isinstance(leaf, Literal):
            found.add(literal(leaf.value))
        elif isinstance(leaf, Reference):
            found.add(CLEAN if leaf.root == "it" else source(leaf.root))
    return join_all(found)


def _source(root: str, env: Environment) -> Labelled:
    found = env.item if root == "item" else env.output if root == "output" else env.outputs.get(root)
    if found is None:
        raise ReferenceEvaluationError("reference.missing", f"{root} has no value")
    return found


class _Run:
    """One evaluation, and what is left of the work that it may do; labels are known from the leaves."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._left = MAX_WORK

    def value(self, node: Node, it: Json) -> Json:
        self._pay(_NODE_WORK)
        match node:
            case Literal():
                return self._weighed(node.value)
            case Reference():
                root = it if node.root == "it" else _source(node.root, self._env).value
                return self._weighed(_follow(root, node.path))
            case Call(operator="$filter"):
                source, condition = node.operands
                items = _list(self.value(source, it))
                return [item for item in items if _typed(self.value(condition, item), bool)]
            case Call():
                return _apply(node, [self.value(operand, it) for operand in node.operands])
            case _:
                assert_never(node)

    def _pay(self, work: int) -> None:
        self._left -= work
        if self._left < 0:
            raise ReferenceEvaluationError("reference.bounds", "an expression that takes too much work")

    def _weighed(self, value: Json) -> Json:
        """Pay for the whole of a value before anything compares, copies or writes it."""
        waiting = [value]
        while waiting:
            part = waiting.pop()
            if isinstance(part, dict):
                self._pay(sum(map(len, part)))
                waiting.extend(part.values())
            elif isinstance(part, list):
                waiting.extend(part)
            self._pay(_NODE_WORK + (len(part) if isinstance(part, str) else 0))
        return value


def _apply(call: Call, operands: list[Json]) -> Json:
    if call.operator == "list":
        return operands
    if call.operator == "object":
        return dict(zip(cast("list[str]", operands[::2]), operands[1::2], strict=True))
    if call.operator == "$select":
        return [_follow(item, call.path) for item in _list(operands[0])]
    if call.operator in UNARY:
        return _UNARY[call.operator](operands[0])
    if call.operator in BINARY:
        return _BINARY[call.operator](*operands)
    return _MANY[call.operator](operands)


def _follow(value: Json, path: Path) -> Json:
    for name in path:
        if isinstance(value, dict) and isinstance(name, str):
            if name not in value:
                raise ReferenceEvaluationError("reference.missing", f"there is no {name}")
            value = value[name]
        elif isinstance(value, list) and isinstance(name, int):
            if name >= len(value):
                raise ReferenceEvaluationError("reference.missing", f"there is no element {name}")
            value = value[name]
        else:
            raise ReferenceEvaluationError("reference.type", f"{name} cannot be read from such a value")
    return value


def _hold(value: Json) -> None:
    """Hold a result to the codec's domain and size."""
    try:
        check_domain(value, data=True)
    except CodecError as error:
        raise ReferenceEvaluationError("reference.bounds", f"a result that the codec refuses ({error.code})") from None
    if len(encode(value)) > MAX_BYTES:
        raise ReferenceEvaluationError("reference.bounds", f"a result of more than {MAX_BYTES} bytes")


def _typed(value: Json, kind: type[Kind]) -> Kind:
    """The value, if it is exactly of that type: a boolean is no integer."""
    if type(value) is not kind:
        raise ReferenceEvaluationError("reference.type", f"a value that is no {kind.__name__}")
    return value


def _list(value: Json) -> list[Json]:
    return cast("list[Json]", _typed(value, list))


def _booleans(values: list[Json]) -> list[bool]:
    return [_typed(value, bool) for value in values]


def _some(value: Json) -> list[Json]:
    found = _list(value)
    if not found:
        raise ReferenceEvaluationError("reference.missing", "an empty list has no such element")
    return found


def _order(left: Json, right: Json) -> int:
    """-1, 0 or 1; two integers, or two strings by code points."""
    if isinstance(left, str) and isinstance(right, str):
        return (left > right) - (left < right)
    one, other = _typed(left, int), _typed(right, int)
    return (one > other) - (one < other)


def _comparable(value: Json) -> list[int]:
    """A list of integers only or of strings only; typed as the former, because ``min`` reads both alike."""
    found = _some(value)
    for element in found:
        _order(found[0], element)
    return cast("list[int]", found)


def _template(parts: list[Json]) -> Json:
    return "".join(part if isinstance(part, str) else str(_typed(part, int)) for part in parts)


def _arithmetic(operation: Callable[[int, int], int]) -> Callable[[Json, Json], Json]:
    def apply(left: Json, right: Json) -> Json:
        try:
            value = operation(_typed(left, int), _typed(right, int))
        except ZeroDivisionError:
            raise ReferenceEvaluationError("reference.zero", "a division by zero") from None
        if abs(value) > MAX_INTEGER:
            raise ReferenceEvaluationError("reference.bounds", "an integer beyond 53 bits")
        return value

    return apply


_UNARY: Mapping[str, Callable[[Json], Json]] = {
    "$first": lambda value: _some(value)[0],
    "$last": lambda value: _some(value)[-1],
    "$min": lambda value: min(_comparable(value)),
    "$max": lambda value: max(_comparable(value)),
    "$count": lambda value: len(_list(value)),
    "$not": lambda value: not _typed(value, bool),
}
_BINARY: Mapping[str, Callable[[Json, Json], Json]] = {
    "$add": _arithmetic(lambda left, right: left + right),
    "$sub": _arithmetic(lambda left, right: left - right),
    "$mul": _arithmetic(lambda left, right: left * right),
    "$div": _arithmetic(lambda left, right: left // right),
    "$eq": lambda left, right: encode(left) == encode(right),  # To Python, True equals 1.
    "$ne": lambda left, right: encode(left) != encode(right),
    "$lt": lambda left, right: _order(left, right) < 0,
    "$le": lambda left, right: _order(left, right) <= 0,
    "$gt": lambda left, right: _order(left, right) > 0,
    "$ge": lambda left, right: _order(left, right) >= 0,
    "$in": lambda left, right: encode(left) in {encode(element) for element in _list(right)},
}
_MANY: Mapping[str, Callable[[list[Json]], Json]] = {
    "$template": _template,
    "$and": lambda operands: all(_booleans(operands)),
    "$or": lambda operands: any(_booleans(operands)),
}
