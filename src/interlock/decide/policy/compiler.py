"""One Cedar statement becomes one checked rule: parsed, validated against the schema, its annotations understood.

Known annotations: ``@id`` (required), ``@owner``, ``@why``; on a ``forbid`` also ``@effect("confirm")``, which
``@tier("1|2|3")`` and ``@approvals("N")`` imply.  Tier 1 leaves the matter to evidence and asks nobody; tiers 2
and 3 ask.  Or ``@effect("modify")``, which ``@with("NAME")`` implies and needs: the action goes in that declared form
or not at all.  Any other annotation or value is an error: an ignored word would change a decision.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias, cast

import cedarpy
import msgspec

from interlock.artifact.codec import Identifier
from interlock.decide.policy.patterns import Facts
from interlock.decide.policy.request import RuleOrigin
from interlock.decide.policy.schema import SCHEMA
from interlock.decide.policy.source import PolicyFileError, Statement

_CONTEXT = re.compile(r'(?<!\\)\{"Var": "context"\}(?:, "attr": "([a-z]+)")?')
_MATCHED = '{".": {"left": {"Var": "context"}, "attr": "matched"}}'
_ACTION = {".": {"left": {"Var": "context"}, "attr": "action"}}
_ASKED = re.compile(r'(?<!\\)"contains(?:Any|All)?": \{"left": ' + re.escape(_MATCHED) + ', "right": ')


Effect: TypeAlias = Literal["permit", "forbid", "confirm", "modify"]


class CompiledRule(msgspec.Struct, frozen=True, kw_only=True):
    """A policy in Cedar's JSON form; ``approvals`` 0 asks nobody, ``form`` is the transformation that a modify names.

    ``asks`` are attributes of the context, ``tells`` is which of principal and resource it tells apart by name,
    ``named`` is the one action that it can match, where its text says so.
    """

    id: str
    effect: Effect
    tier: int
    approvals: int
    form: str
    named: str
    asks: frozenset[str]
    tells: frozenset[str]
    facts: frozenset[str]
    policy: Mapping[str, object]
    origin: RuleOrigin


class _Notes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: Identifier
    owner: str = ""
    why: str = ""
    effect: Literal["confirm", "modify", ""] = ""
    form: Identifier | Literal[""] = msgspec.field(name="with", default="")
    tier: Literal["1", "2", "3", ""] = ""
    approvals: Literal["", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16"] = ""


def compile_rule(statement: Statement, *, home: str, root: str) -> CompiledRule:
    """Parse and check one statement; raises ``PolicyFileError``."""
    try:
        policy = _parse(statement.text)
        notes = msgspec.convert(policy.get("annotations") or {}, _Notes, strict=True)
        conditions = json.dumps(policy["conditions"])
        asks, tells, facts = _asks(conditions), _tells(policy, conditions), _facts(conditions)
        Facts(facts, home=home, root=root)
        effect, tier, approvals = _effect(policy["effect"] == "permit", notes)
    except ValueError as error:  # Cedar's and msgspec's errors are ValueErrors as well.
        message, hint = str(error)[:500], "docs/policy.md lists annotations, attributes and pattern facts"
        raise PolicyFileError("policy.rule", statement.file, statement.line, message, hint=hint) from None
    file, line, text = statement.file, statement.line, statement.text
    origin = RuleOrigin(file=file, line=line, owner=notes.owner, why=notes.why, text=text)
    return CompiledRule(id=notes.id, effect=effect, tier=tier, approvals=approvals, asks=asks,
                        form=notes.form, named=_named(policy), tells=tells, facts=facts, policy=policy,
                        origin=origin)  # fmt: skip


def policy_handle(rules: Iterable[CompiledRule]) -> cedarpy.PolicySet:
    """Cedar's parsed handle of these rules, each under its own id."""
    policies = {rule.id: rule.policy for rule in rules}
    document: dict[str, object] = {"staticPolicies": policies, "templates": {}, "templateLinks": []}
    return cedarpy.PolicySet.from_json_str(json.dumps(document))


def _parse(text: str) -> dict[str, object]:
    raw = cedarpy.policies_to_json_str(text)
    cedarpy.PolicySet.from_json_str(raw)  # Refuses what is nested too deeply.
    document = json.loads(raw)
    policies = list(document["staticPolicies"].values())
    if len(policies) != 1 or document["templates"]:
        raise ValueError("a statement must be one policy without ?principal or ?resource")
    checked = cedarpy.validate_policies(text, SCHEMA)  # pyright: ignore[reportUnknownMemberType]
    if not checked.validation_passed:
        raise ValueError("; ".join(error.error for error in checked.errors) or "not valid under the schema")
    return cast("dict[str, object]", policies[0])


def _effect(permit: bool, notes: _Notes) -> tuple[Effect, int, int]:
    asking = bool(notes.tier or notes.approvals)
    if notes.form or notes.effect == "modify":
        if permit or asking or not notes.form or notes.effect == "confirm":
            raise ValueError('@effect("modify") belongs to a forbid with @with, and does not ask')
        return "modify", 0, 0
    if not (notes.effect or asking):
        return ("permit" if permit else "forbid"), 0, 0
    if permit or (notes.approvals and notes.tier in {"1", "2"}):
        raise ValueError("@effect, @tier and @approvals belong to a forbid, and @approvals needs tier 3")
    return "confirm", int(notes.tier or 3), 0 if notes.tier == "1" else int(notes.approvals or 1)


def _asks(conditions: str) -> frozenset[str]:
    """The attributes that a policy reads; only these are handed over, so it may not take the context as a whole."""
    names = frozenset(_CONTEXT.findall(conditions))
    if "" in names:
        raise ValueError("the context is asked attribute by attribute")
    return names


def _tells(policy: Mapping[str, object], conditions: str) -> frozenset[str]:
    """Which names a policy's scope or conditions may look at; of those that it does not, nothing is handed over."""
    names = ("principal", "resource")
    return frozenset(name for name in names if policy[name] != {"op": "All"} or f'{{"Var": "{name}"}}' in conditions)


def _named(policy: Mapping[str, object]) -> str:
    """The action that a ``when`` equates with one name in a conjunction; nothing where none does."""
    conditions = cast("list[Mapping[str, object]]", policy["conditions"])
    waiting = [cast("Mapping[str, object]", one["body"]) for one in conditions if one["kind"] == "when"]
    while waiting:
        [(operator, sides)] = cast("Mapping[str, Mapping[str, Mapping[str, object]]]", waiting.pop()).items()
        if operator == "&&":
            waiting += sides.values()
        elif operator == "==" and sides["left"] == _ACTION and isinstance(sides["right"].get("Value"), str):
            return str(sides["right"]["Value"])
    return ""


def _facts(conditions: str) -> frozenset[str]:
    """The strings that a policy looks for in ``context.matched``."""
    decoder = json.JSONDecoder()
    rights = [decoder.raw_decode(conditions, found.end())[0] for found in _ASKED.finditer(conditions)]
    values = [item.get("Value") for right in rights for item in right.get("Set", [right])]
    if len(rights) != conditions.count(_MATCHED) or not all(isinstance(value, str) for value in values):
        raise ValueError("context.matched is asked by contains, containsAny or containsAll for literal facts")
    return frozenset(values)
