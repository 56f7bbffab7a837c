"""Expression: the syntax of references; JSON becomes a bounded tree of three kinds of nodes, or an error.

Nothing is evaluated here.  ``references`` says what the language means; this module only says what belongs to
it: known operators alone in their object, with the right number of operands, names and indexes in paths, ``it``
nowhere but in the condition of a filter, at most ``MAX_NODES`` nodes and ``MAX_DEPTH`` levels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias, assert_never, cast

import msgspec

from interlock.artifact.arguments import is_literal
from interlock.artifact.codec import Json
from interlock.artifact.errors import ReferenceEvaluationError

MAX_NODES = 512
MAX_DEPTH = 16
MAX_PATH = 16
MAX_REFERENCE = 512

SCOPED = frozenset({"item", "it", "output"})
CONNECTIVES = frozenset({"$and", "$or", "$not"})
CONDITIONS = CONNECTIVES | {"$eq", "$ne", "$lt", "$le", "$gt", "$ge", "$in", "$first", "$last"}
UNARY = frozenset({"$first", "$last", "$min", "$max", "$count", "$not"})
BINARY = frozenset({"$add", "$sub", "$mul", "$div", "$eq", "$ne", "$lt", "$le", "$gt", "$ge", "$in"})
MANY = frozenset({"$template", "$and", "$or"})
PAIRED = BINARY | {"$select", "$filter"}

Path: TypeAlias = tuple[str | int, ...]

_SEGMENT = re.compile(r"\.([A-Za-z0-9_][A-Za-z0-9_:-]{0,127})|\[(0|[1-9][0-9]{0,3})\]")
_ROOT = re.compile(r"(?:(item|it|output)|([a-z][a-z0-9_-]{0,31})\.output)(?=[.\[]|\Z)")


class Literal(msgspec.Struct, frozen=True):
    """A greatest part without operators, and where it stands."""

    value: Json
    where: str


class Reference(msgspec.Struct, frozen=True):
    """``root`` is a step's id, ``item``, ``it`` or ``output``."""

    root: str
    path: Path


class Call(msgspec.Struct, frozen=True):
    """An operator, or ``list``, or ``object`` (whose operands are keys and values by turns)."""

    operator: str
    operands: tuple[Node, ...]
    path: Path = ()


Node: TypeAlias = Literal | Reference | Call


def parse(expr: Json) -> Node:
    """Read an expression; raises ``ReferenceEvaluationError``."""
    node = _parse(expr, "$", 0, it=False)
    if isinstance(node, Call) and sum(1 for _ in walk(node)) > MAX_NODES:
        raise ReferenceEvaluationError("reference.bounds", f"an expression of more than {MAX_NODES} nodes")
    return node


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    yield node
    if isinstance(node, Call):
        for operand in node.operands:
            yield from walk(operand)


def require_condition(node: Node) -> None:
    """Refuse what can never be true or false."""
    match node:
        case Literal():
            possible = isinstance(node.value, bool)
        case Reference():
            possible = True
        case Call():
            possible = node.operator in CONDITIONS
        case _:
            assert_never(node)
    if not possible:
        raise ReferenceEvaluationError("reference.condition", "a condition is needed, and this can be none")


def _parse(value: Json, where: str, depth: int, *, it: bool) -> Node:
    if is_literal(value):
        return Literal(value, where)
    if depth >= MAX_DEPTH:
        raise ReferenceEvaluationError("reference.bounds", f"an expression deeper than {MAX_DEPTH} levels")
    if not isinstance(value, dict):
        return Call("list", _all(value, where, depth + 1, it=it))
    operator = next((key for key in value if key.startswith("$")), None)
    if operator is None:
        fields = ((key, _parse(part, f"{where}.{key}", depth + 1, it=it)) for key, part in value.items())
        return Call("object", tuple(node for key, part in fields for node in (Literal(key, where), part)))
    if len(value) != 1:
        raise ReferenceEvaluationError("reference.shape", "an operator beside other keys")
    return _operation(operator, value[operator], f"{where}.{operator[:32]}", depth + 1, it=it)


def _all(values: Json, where: str, depth: int, *, it: bool) -> tuple[Node, ...]:
    """Parse each element of what is known to be a list."""
    elements = enumerate(cast("list[Json]", values))
    return tuple(_parse(element, f"{where}[{index}]", depth, it=it) for index, element in elements)


def _operation(operator: str, operand: Json, where: str, depth: int, *, it: bool) -> Node:
    if operator == "$ref":
        return _reference(operand, it=it)
    if operator in UNARY:
        return _logical(Call(operator, (_parse(operand, where, depth, it=it),)))
    if operator not in PAIRED | MANY:
        raise ReferenceEvaluationError("reference.operator", "an operator that does not exist")
    if not isinstance(operand, list) or (len(operand) != 2 if operator in PAIRED else not operand):  # noqa: PLR2004
        raise ReferenceEvaluationError("reference.arity", f"{operator} with another number of operands")
    if operator == "$select":
        return Call(operator, (_parse(operand[0], f"{where}[0]", depth, it=it),), _selection(operand[1]))
    if operator == "$filter":
        condition = _parse(operand[1], f"{where}[1]", depth, it=True)
        require_condition(condition)
        return Call(operator, (_parse(operand[0], f"{where}[0]", depth, it=it), condition))
    return _logical(Call(operator, _all(operand, where, depth, it=it)))


def _logical(call: Call) -> Call:
    if call.operator in CONNECTIVES:
        for operand in call.operands:
            require_condition(operand)
    return call


def _reference(text: Json, *, it: bool) -> Reference:
    match = _ROOT.match(text) if isinstance(text, str) and len(text) <= MAX_REFERENCE else None
    if match is None:
        hint = "write step.output.name[0], item.name, it.name or output.name"
        raise ReferenceEvaluationError("reference.syntax", "no reference", hint=hint)
    root = match[1] or match[2]
    if root == "it" and not it:
        raise ReferenceEvaluationError("reference.scope", "it stands outside the condition of a filter")
    return Reference(root, _path(match.string[match.end() :]))


def _selection(text: Json) -> Path:
    if not isinstance(text, str) or not text or len(text) > MAX_REFERENCE:
        raise ReferenceEvaluationError("reference.syntax", "$select without a path")
    return _path(text if text.startswith("[") else f".{text}")


def _path(text: str) -> Path:
    segments: list[str | int] = []
    at = 0
    while at < len(text):
        match = _SEGMENT.match(text, at)
        if match is None or len(segments) == MAX_PATH:
            raise ReferenceEvaluationError("reference.syntax", f"no path of at most {MAX_PATH} names and indexes")
        segments.append(match[1] if match[2] is None else int(match[2]))
        at = match.end()
    return tuple(segments)
