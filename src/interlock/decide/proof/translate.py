"""Compiled rules become formulas: a translation of Cedar's JSON form, and of the engine's precedence.

What is outside the translated subset (arithmetic, comparison of two attributes, extension functions, hierarchies of
entities) raises ``PolicyFileError`` with the code ``policy.untranslated`` at the rule's file and line: nothing is
guessed.  In the subset no expression can err, so that the engine's "any error denies" has no case here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

from interlock.artifact.codec import hidden
from interlock.decide.policy.compiler import CompiledRule
from interlock.decide.policy.engine import PolicySet
from interlock.decide.policy.source import PolicyFileError
from interlock.decide.proof.facts import fact
from interlock.decide.proof.formula import (
    AtMost,
    Flag,
    Formula,
    Holds,
    Matches,
    OneOf,
    Reaches,
    both,
    either,
    negate,
)
from interlock.decide.proof.languages import Language, Part, Piece, exactly
from interlock.decide.proof.situation import CHOICES, FLAGS, LISTS, NUMBERS, SETS, TEXTS

Node: TypeAlias = Mapping[str, object]
MODIFIED, DENIED = 17, 18
_ENDPOINT = both(Matches("kind", exactly("endpoint")), negate(Flag("open")))
_RAW_SETS = (*SETS, *LISTS, "scope")
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


class Untranslated(ValueError):  # noqa: N818 - says what it is about
    """A construct outside the translated subset."""


@dataclass(frozen=True, slots=True)
class Places:
    """What ``~/`` and ``./`` stand for."""

    home: str
    root: str


@dataclass(frozen=True, slots=True)
class Encoded:
    """A policy set as formulas: the conditions of each kind of rule; confirmations by the number of persons.

    ``changes`` is where some rule wants a form that the action does not have yet, ``owned`` where a permission matches
    that names the action and an owner.
    """

    permits: Formula
    forbids: Formula
    changes: Formula
    confirms: Mapping[int, Formula]
    owned: Formula = False

    @property
    def levels(self) -> tuple[int, ...]:
        """Every level above ALLOW that an answer can have; 1 is also what the floor asks."""
        changing = () if self.changes is False else (MODIFIED,)
        return tuple(sorted({1, *(needed for needed in self.confirms if needed), *changing, DENIED}))

    def at_least(self, level: int) -> Formula:
        """The answer is at least as strict as ``level``: 0 ALLOW, 1 to 16 STEP_UP by so many, 17 MODIFY, 18 DENY.

        MODIFY stands above STEP_UP, because what it is said of never runs, whoever confirms.
        """
        asking = {
            needed: both(matched, AtMost("approvals", needed - 1))
            for needed, matched in self.confirms.items()
            if needed
        }
        denied, alone = either(negate(self.permits), self.forbids), both(Flag("unattended"), either(*asking.values()))
        if level == DENIED:
            return either(denied, both(alone, negate(self.changes)))
        asked = (asks for needed, asks in asking.items() if level <= needed)
        return either(denied, alone, self.changes, *asked) if level else True


def encode(policies: PolicySet) -> Encoded:
    """The formulas of a policy set; raises ``PolicyFileError`` for a rule outside the subset."""
    places = Places(policies.home, policies.root)
    of: dict[str, list[Formula]] = {"permit": [], "forbid": [], "modify": []}
    owned: list[Formula] = []
    confirms: dict[int, list[Formula]] = {}
    for rule in policies.rules:
        found = condition(rule, places)
        if rule.effect == "permit" and rule.named and rule.origin.owner:
            owned.append(found)
        if rule.effect == "confirm":
            confirms.setdefault(rule.approvals, []).append(found)
        elif rule.effect in of:
            of[rule.effect].append(both(found, negate(Holds("formed", rule.form))) if rule.form else found)
        else:
            raise _refusal(rule, f"a rule with the effect {rule.effect!r}")
    permits, forbids, changes = (either(*parts) for parts in of.values())
    asked = {needed: either(*parts) for needed, parts in sorted(confirms.items())}
    return Encoded(permits, forbids, changes, asked, either(*owned))


def condition(rule: CompiledRule, places: Places) -> Formula:
    """When a rule matches."""
    try:
        policy = rule.policy
        parts = [_head(name, cast("Node", policy[name])) for name in ("principal", "action", "resource")]
        for one in cast("list[Node]", policy["conditions"]):
            body = _Translation(places).formula(cast("Node", one["body"]))
            parts.append(body if one["kind"] == "when" else negate(body))
        return both(*parts)
    except Untranslated as error:
        raise _refusal(rule, str(error)) from None


def _refusal(rule: CompiledRule, what: str) -> PolicyFileError:
    hint = "docs/proof.md lists what can be proved; write the rule otherwise"
    return PolicyFileError(
        "policy.untranslated", rule.origin.file, rule.origin.line, f"{what} is not translated", hint=hint
    )


def _head(name: str, node: Node) -> Formula:
    match node["op"]:
        case "All":
            return True
        case "==":
            return _entity(name, node["entity"])
        case "in":
            entities = node["entities"] if "entities" in node else [node["entity"]]
            return either(*(_entity(name, one) for one in cast("list[object]", entities)))
        case other:
            raise Untranslated(f"{name} {other}")


def _entity(name: str, value: object) -> Formula:
    entity = cast("Mapping[str, str]", value)
    named = entity["id"]
    match name, entity["type"]:
        case "principal", "Principal":
            return Matches("principal", exactly(named))
        case "action", "Action":
            return OneOf("effect", frozenset({named}))
        case "resource", "Resource":
            ends = [place for place, char in enumerate(named) if char == ":"]
            return either(*(_named(named[:end], named[end + 1 :]) for end in ends))
        case _:
            raise Untranslated(f"{name} as an entity of another type")


def _named(kind: str, name: str) -> Formula:
    return both(Matches("kind", exactly(kind)), Matches("resource", exactly(name)))


@dataclass(frozen=True, slots=True)
class _Translation:
    places: Places

    def formula(self, node: Node) -> Formula:
        (operator, inner), *_ = node.items()
        operands = cast("Node", inner)
        found = _OPERATORS.get(operator)
        if found is None:
            raise Untranslated(f"the operator {operator!r}")
        return found(self, operator, operands)

    def value(self, _: str, value: object) -> Formula:
        if not isinstance(value, bool):
            raise Untranslated("a value that is no condition")
        return value

    def attribute(self, _: str, operands: Node) -> Formula:
        name = _attribute({".": operands})
        if name not in FLAGS:
            raise Untranslated(f"{name or 'an expression'} as a condition")
        return Flag(name)

    def opposite(self, _: str, operands: Node) -> Formula:
        return negate(self.formula(cast("Node", operands["arg"])))

    def connected(self, operator: str, operands: Node) -> Formula:
        parts = [self.formula(cast("Node", operands[side])) for side in ("left", "right")]
        return both(*parts) if operator == "&&" else either(*parts)

    def chosen(self, _: str, operands: Node) -> Formula:
        test, then, other = (self.formula(cast("Node", operands[part])) for part in ("if", "then", "else"))
        return either(both(test, then), both(negate(test), other))

    def has(self, *_: object) -> Formula:
        return True  # Every attribute of the schema is required, and nothing else validates.

    def compared(self, operator: str, operands: Node) -> Formula:
        left, right = cast("Node", operands["left"]), cast("Node", operands["right"])
        if "Value" in left or "Set" in left:
            left, right, operator = right, left, _FLIPPED[operator]
        if "Value" not in right:
            raise Untranslated("a comparison of two expressions")
        value = right["Value"]
        if operator == "!=":
            return negate(self._equal(left, value))
        return self._equal(left, value) if operator == "==" else _ordered(_attribute(left), operator, value)

    def like(self, _: str, operands: Node) -> Formula:
        parts: list[Part] = [
            Piece.ANY if part == "Wildcard" else str(cast("Mapping[str, str]", part)["Literal"])
            for part in cast("list[object]", operands["pattern"])
        ]
        return _text(_attribute(cast("Node", operands["left"])), Language(tuple(parts)))

    def contained(self, operator: str, operands: Node) -> Formula:
        left, right = cast("Node", operands["left"]), cast("Node", operands["right"])
        join = both if operator == "containsAll" else either
        if operator == "contains" and ("Set" in left or isinstance(left.get("Value"), list)):
            return either(*(self._equal(right, value) for value in _literals(left)))
        name, wanted = _attribute(left), _literals(right)
        if not all(isinstance(value, str) for value in wanted):
            raise Untranslated("a set of something else than texts")
        return join(*(self._element(name, str(value)) for value in wanted))

    def within(self, _: str, operands: Node) -> Formula:
        left, right = cast("Node", operands["left"]), cast("Node", operands["right"])
        return either(*(self._equal(left, value) for value in _literals(right)))

    def _equal(self, left: Node, value: object) -> Formula:
        if isinstance(value, bool):
            found = self.formula(left)
            return found if value else negate(found)
        if isinstance(value, str):
            return _text(_attribute(left), exactly(value))
        if isinstance(value, int):
            name = _attribute(left)
            return both(_ordered(name, "<=", value), _ordered(name, ">=", value)) if name != "port" else _port(value)
        variable, entity = left.get("Var"), cast("Mapping[str, object]", value).get("__entity")
        if not isinstance(variable, str) or entity is None:
            raise Untranslated("an equality of other values")
        return _entity(variable, entity)

    def _element(self, name: str, element: str) -> Formula:
        if name == "matched":
            return fact(element, home=self.places.home, root=self.places.root)
        if name not in _RAW_SETS or (name == "destinations" and len(element.lower()) != len(element)):
            raise Untranslated(f"an element of {name or 'an expression'}")
        if name in LISTS:
            return Reaches(name, (exactly(element),), every=False)
        return Holds(name, element) if not hidden(element) else False


_OPERATORS: Mapping[str, Callable[[_Translation, str, Node], Formula]] = {
    "Value": _Translation.value, ".": _Translation.attribute, "!": _Translation.opposite,
    "&&": _Translation.connected, "||": _Translation.connected, "if-then-else": _Translation.chosen,
    "has": _Translation.has, "like": _Translation.like, "in": _Translation.within,
    **dict.fromkeys(_FLIPPED, _Translation.compared),
    **dict.fromkeys(("contains", "containsAny", "containsAll"), _Translation.contained),
}  # fmt: skip


def _attribute(node: Node) -> str:
    operands = cast("Mapping[str, object]", node.get(".", {}))
    return str(operands["attr"]) if operands.get("left") == {"Var": "context"} else ""


def _literals(node: Node) -> list[object]:
    if isinstance(node.get("Value"), list):
        return cast("list[object]", node["Value"])
    items = cast("list[Node]", node.get("Set", [node]))
    if not all("Value" in item for item in items):
        raise Untranslated("a set of something else than values")
    return [item["Value"] for item in items]


def _text(name: str, language: Language) -> Formula:
    if name in CHOICES:
        return OneOf(name, frozenset(value for value in CHOICES[name] if language.accepts(value)))
    if name == "host":
        named = Matches("resource", Language((*language.parts, ":", Piece.DIGITS)))
        return either(both(_ENDPOINT, named), both(negate(_ENDPOINT), language.accepts("")))
    if name not in TEXTS:
        raise Untranslated(f"{name or 'an expression'} as a text")
    return Matches(name, language)


def _port(number: int) -> Formula:
    named = Matches("resource", Language((Piece.ANY, f":{number}")))
    return either(both(_ENDPOINT, named), both(negate(_ENDPOINT), number == 0))


def _ordered(name: str, operator: str, value: object) -> Formula:
    if name not in {*NUMBERS, "data"} or not isinstance(value, int):
        raise Untranslated(f"an order of {name or 'an expression'}")
    match operator:
        case "<=":
            return AtMost(name, value)
        case "<":
            return AtMost(name, value - 1)
        case ">":
            return negate(AtMost(name, value))
        case _:
            return negate(AtMost(name, value - 1))
