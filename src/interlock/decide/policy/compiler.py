"""One Cedar statement becomes one checked rule: parsed, validated against the schema, its annotations understood.

Known annotations: ``@id`` (required), ``@owner``, ``@why``; on a ``forbid`` also ``@effect("confirm")``, or
``@tier("1|2|3")`` or ``@approvals("N")``, which mean the same.  Tier 1 leaves the matter to evidence and asks
nobody; tiers 2 and 3 ask.  Any other annotation or value is an error: an ignored word would change a decision.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, cast

import cedarpy
import msgspec

from interlock.decide.policy.patterns import Facts
from interlock.decide.policy.request import RuleOrigin
from interlock.decide.policy.schema import MAX_APPROVALS, SCHEMA
from interlock.decide.policy.source import PolicyFileError, Statement

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+-]{0,127}\Z")
_MATCHED = {".": {"left": {"Var": "context"}, "attr": "matched"}}
_ASKS = {"contains", "containsAny", "containsAll"}


class CompiledRule(msgspec.Struct, frozen=True, kw_only=True):
    """A policy in Cedar's JSON form, with what its annotations say; ``approvals`` 0 asks nobody."""

    id: str
    effect: Literal["permit", "forbid", "confirm"]
    tier: int = 0
    approvals: int = 0
    facts: frozenset[str]
    policy: Mapping[str, object]
    origin: RuleOrigin


class _Annotations(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: str
    owner: str = ""
    why: str = ""
    effect: Literal["confirm", ""] = ""
    tier: Literal["1", "2", "3", ""] = ""
    approvals: str = ""


def compile_rule(statement: Statement, *, home: str, root: str) -> CompiledRule:
    """Parse and check one statement; raises ``PolicyFileError``."""
    try:
        policy = _parse(statement.text)
        notes = msgspec.convert(policy.get("annotations", {}), _Annotations, strict=True)
        facts = frozenset(_facts(policy.get("conditions", [])))
        Facts(facts, home=home, root=root)
        effect, tier, approvals = _effect(str(policy["effect"]), notes)
    except ValueError as error:  # msgspec's and Cedar's errors are ValueErrors.
        message, hint = str(error)[:500], "see docs/policy.md for annotations, attributes and pattern facts"
        raise PolicyFileError("policy.cedar", statement.file, statement.line, message, hint=hint) from None
    origin = RuleOrigin(file=statement.file, line=statement.line, owner=notes.owner, why=notes.why, text=statement.text)
    return CompiledRule(
        id=notes.id, effect=effect, tier=tier, approvals=approvals, facts=facts, policy=policy, origin=origin
    )


def statement_facts(rules: Iterable[CompiledRule]) -> frozenset[str]:
    """All pattern facts that the rules ask for."""
    return frozenset(fact for rule in rules for fact in rule.facts)


def _parse(text: str) -> dict[str, object]:
    document = json.loads(cedarpy.policies_to_json_str(text))
    cedarpy.PolicySet.from_json_str(json.dumps(document))
    policies = list(document["staticPolicies"].values())
    if len(policies) != 1 or document["templates"]:
        raise ValueError("a statement must be one policy without ?principal or ?resource")
    checked = cedarpy.validate_policies(text, SCHEMA)
    if not checked.validation_passed:
        raise ValueError("; ".join(error.error for error in checked.errors) or "not valid under the schema")
    return cast("dict[str, object]", policies[0])


def _effect(effect: str, notes: _Annotations) -> tuple[Literal["permit", "forbid", "confirm"], int, int]:
    if not _ID.match(notes.id):
        raise ValueError('every policy needs @id("…") of letters, digits and ._:@+-')
    confirms = bool(notes.effect or notes.tier or notes.approvals)
    if not confirms:
        return ("permit" if effect == "permit" else "forbid"), 0, 0
    if effect == "permit":
        raise ValueError("@effect, @tier and @approvals belong to a forbid")
    if notes.approvals and (notes.tier in {"1", "2"} or not re.fullmatch(r"[1-9][0-9]?", notes.approvals)):
        raise ValueError(f"@approvals is a number from 1 to {MAX_APPROVALS}, with tier 3")
    approvals = int(notes.approvals or "1")
    if approvals > MAX_APPROVALS:
        raise ValueError(f"@approvals is a number from 1 to {MAX_APPROVALS}, with tier 3")
    tier = int(notes.tier or "3")
    return "confirm", tier, 0 if tier == 1 else approvals


def _facts(node: object) -> Iterator[str]:
    """The strings that a policy looks for in ``context.matched``, which can be asked in no other way."""
    if node == _MATCHED:
        raise ValueError("context.matched is asked by contains, containsAny or containsAll with literal facts")
    match node:
        case dict():
            for key, value in cast("dict[str, object]", node).items():
                if (
                    key in _ASKS
                    and isinstance(value, dict)
                    and cast("dict[str, object]", value).get("left") == _MATCHED
                ):
                    yield from _literals(cast("dict[str, object]", value)["right"])
                else:
                    yield from _facts(value)
        case list():
            for item in cast("list[object]", node):
                yield from _facts(item)
        case _:
            return


def _literals(node: object) -> Iterator[str]:
    items = cast("dict[str, object]", node).get("Set", [node]) if isinstance(node, dict) else [node]
    for item in cast("list[object]", items):
        value = cast("dict[str, object]", item).get("Value") if isinstance(item, dict) else None
        if not isinstance(value, str):
            raise TypeError("not a literal")
        yield value
