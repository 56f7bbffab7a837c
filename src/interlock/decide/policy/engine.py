"""Policies: Cedar and the short form, compiled into one set, evaluated by one engine.

Guarantees: nothing is allowed without a ``permit`` that matches; a ``forbid`` that matches wins; a ``forbid``
with ``@effect("confirm")`` asks for ``@approvals`` persons, and it does so only where a ``permit`` matches as
well; any error of any policy denies; every forbid takes part in every decision; the order of files and rules
does not matter.  Must never: read a file, guess, or quote a value in a reason.

How three values come out of one call (procedure; the numbers stand in the code):
(1) the request is parsed anew and its names must be canonical; (2) pattern facts are computed; (3) one Cedar call
over all policies decides plain cases; (4) where confirmations alone stand in the way, a second call asks whether
a permit matches; (5) confirmations that are not yet given ask; unattended, what would ask is denied.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

import cedarpy
import msgspec

from interlock.artifact.label import Confidentiality
from interlock.artifact.verdict import Decision, Reason
from interlock.decide.policy.compiler import CompiledRule, compile_rule, statement_facts
from interlock.decide.policy.patterns import Facts
from interlock.decide.policy.request import PolicyAnswer, PolicyRequest, RuleOrigin, endpoint, objection
from interlock.decide.policy.schema import MAX_RULES, NO_ENTITIES, TEXT
from interlock.decide.policy.short import short_statements
from interlock.decide.policy.source import PolicyFileError, Statement, cedar_statements

_STAGE = 7
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(PolicyRequest, strict=True)
_RANKS = {level: level.rank for level in Confidentiality}


def compile_policies(
    cedar: Mapping[str, str], rules: Mapping[str, str], *, home: str, root: str = "",
    actions: frozenset[str] | None = None,
) -> PolicySet:  # fmt: skip
    """Compile Cedar texts and short-form texts by file name; raises ``PolicyFileError``.

    ``home`` and ``root`` (absolute) are what ``~/`` and ``./`` stand for in path globs.  With ``actions``, the
    names that exist, a short rule whose action globs match none of them is an error as well.
    """
    statements = [found for file, text in sorted(cedar.items()) for found in cedar_statements(file, text)]
    for file, text in sorted(rules.items()):
        statements += short_statements(file, text, home=home, root=root, actions=actions)
    if len(statements) > MAX_RULES:
        last = statements[MAX_RULES]
        hint = "merge rules that differ in one value: every key takes a list"
        raise PolicyFileError("policy.size", last.file, last.line, f"more than {MAX_RULES} rules", hint=hint)
    compiled: dict[str, CompiledRule] = {}
    for statement in statements:
        rule = compile_rule(statement, home=home, root=root)
        if rule.id in compiled:
            first = compiled[rule.id].origin
            message = f"the id {rule.id!r} stands already at {first.file}:{first.line}"
            raise PolicyFileError(
                "policy.duplicate_id", statement.file, statement.line, message, hint="give each rule an id of its own"
            )
        compiled[rule.id] = rule
    return PolicySet(compiled, Facts(statement_facts(compiled.values()), home=home, root=root),
                     digest=_digest(cedar, rules, home, root), statements=statements)  # fmt: skip


class PolicySet:
    """Compiled policies; ``digest`` names everything that decides: texts, schema, home and root."""

    def __init__(
        self, rules: Mapping[str, CompiledRule], facts: Facts, *, digest: str, statements: Sequence[Statement]
    ) -> None:
        self.digest = digest
        self._rules = rules
        self._facts = facts
        self._statements = statements
        self._all = _handle(rules.values())
        self._permits = _handle(rule for rule in rules.values() if rule.effect == "permit")

    def __len__(self) -> int:
        return len(self._rules)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all rules, sorted."""
        return tuple(sorted(self._rules))

    def explain(self, rule: str) -> RuleOrigin:
        """Where a rule stands; raises ``KeyError`` for an id that is not of this set."""
        return self._rules[rule].origin

    def compiled_text(self, file: str) -> str:
        """The Cedar text that a file was compiled to; of an unknown file, the empty text."""
        return "\n\n".join(statement.text for statement in self._statements if statement.file == file)

    def evaluate(self, request: PolicyRequest) -> PolicyAnswer:
        """Decide one request; never raises for what a request holds."""
        return self.evaluate_many((request,))[0]

    def evaluate_many(self, requests: Sequence[PolicyRequest]) -> tuple[PolicyAnswer, ...]:
        """Decide each request by itself, in the given order."""
        parsed = [self._parse(request) for request in requests]
        asked = [found for found in parsed if not isinstance(found, PolicyAnswer)]
        try:
            results = iter(cedarpy.is_authorized_batch([cedar for _, cedar in asked], self._all, NO_ENTITIES))
            return tuple(
                found if isinstance(found, PolicyAnswer) else self._answer(*found, next(results)) for found in parsed
            )
        except Exception:  # noqa: BLE001 - whatever the engine cannot do is a denial (I7)
            return tuple(_deny("policy.error") for _ in requests)

    def _parse(self, request: PolicyRequest) -> tuple[PolicyRequest, dict[str, object]] | PolicyAnswer:
        # (1) Types are held again, since a caller can build the value with any; then names must be canonical.
        try:
            checked = _decoder.decode(_encoder.encode(request))
        except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError):
            return _deny("policy.malformed")
        field = objection(checked)
        if field:
            return _deny("policy.resource_not_canonical", field=field)
        return checked, {
            "principal": {"type": "Principal", "id": checked.principal},
            "action": {"type": "Action", "id": checked.effect.value},
            "resource": {"type": "Resource", "id": f"{checked.kind}:{checked.resource}"},
            "context": self._context(checked),
        }

    def _context(self, request: PolicyRequest) -> str:
        # (2) The facts of the schema, in its types.
        known, kind = not request.open, request.kind
        host, port = endpoint(request.resource) if known and kind == "endpoint" else ("", 0)
        matched = self._facts.of_destinations(request.destinations) if request.destinations else []
        if known and kind == "file":
            matched += self._facts.of_path(request.resource, folder=request.access in {"write", "delete"})
        scope = [text for key, value in request.scope.items() for text in (key, f"{key}={value}")]
        return _encoder.encode(
            {
                "action": request.action, "version": request.version, "group": request.group,
                "reversibility": request.reversibility, "privileged": request.privileged,
                "external": request.external, "broad": request.broad, "untrusted": request.untrusted,
                "tainted": request.tainted, "unattended": request.unattended, "open": request.open,
                "kind": kind, "name": request.resource, "access": request.access, "host": host, "port": port,
                "destinations": request.destinations, "matched": matched, "roles": request.roles, "scope": scope,
                "data": _RANKS[request.confidentiality], "environment": request.environment,
                "cost": request.cost, "approvals": request.approvals,
            }
        ).decode()  # fmt: skip

    def _answer(self, request: PolicyRequest, cedar: dict[str, object], result: cedarpy.AuthzResult) -> PolicyAnswer:
        # (3) One call over all policies: an error denies, a plain forbid denies, a permit alone allows.
        matched = [self._rules[name] for name in result.diagnostics.reasons]
        if result.diagnostics.errors:
            return _deny("policy.error")
        if result.allowed and matched:
            return PolicyAnswer(
                decision=Decision.ALLOW, reasons=_reasons(Decision.ALLOW, _PASSED[request.open], matched)
            )
        denials = [rule for rule in matched if rule.effect == "forbid"]
        if denials:
            return PolicyAnswer(decision=Decision.DENY, reasons=_reasons(Decision.DENY, "policy.denied", denials))
        if not matched:
            return _deny("policy.no_permit")
        # (4) Only confirmations stand in the way: is there a permit behind them?
        behind = cedarpy.is_authorized(cedar, self._permits, NO_ENTITIES)
        if behind.diagnostics.errors or not behind.allowed:
            return _deny("policy.error" if behind.diagnostics.errors else "policy.no_permit")
        permits = [self._rules[name] for name in behind.diagnostics.reasons]
        return _confirmation(request, matched, permits)


_PASSED = {False: "policy.permitted", True: "policy.permitted_open"}


def _confirmation(
    request: PolicyRequest, confirms: Sequence[CompiledRule], permits: Sequence[CompiledRule]
) -> PolicyAnswer:
    # (5) Those that persons have not lifted yet ask; a rule of tier 1 only says so to the tiers of evidence.
    asking = [rule for rule in confirms if rule.approvals > request.approvals]
    evident = [rule for rule in confirms if rule.tier == 1]
    passed = _reasons(Decision.ALLOW, "policy.evidence", evident)
    if not asking:
        return PolicyAnswer(
            decision=Decision.ALLOW, reasons=passed + _reasons(Decision.ALLOW, _PASSED[request.open], permits)
        )
    if request.unattended:
        return PolicyAnswer(decision=Decision.DENY, reasons=_reasons(Decision.DENY, "policy.unattended", asking))
    needed = max(rule.approvals for rule in asking)
    raised = _reasons(Decision.STEP_UP, "policy.confirm", asking)
    return PolicyAnswer(decision=Decision.STEP_UP, approvals=needed, reasons=raised + passed)


def _reasons(decision: Decision, code: str, rules: Iterable[CompiledRule]) -> tuple[Reason, ...]:
    names = sorted(rule.id for rule in rules)
    return tuple(Reason(decision=decision, stage=_STAGE, code=code, rule=name) for name in names)


def _deny(code: str, *, field: str = "") -> PolicyAnswer:
    reason = Reason(decision=Decision.DENY, stage=_STAGE, code=code, field=field)
    return PolicyAnswer(decision=Decision.DENY, reasons=(reason,))


def _handle(rules: Iterable[CompiledRule]) -> cedarpy.PolicySet:
    policies = {rule.id: rule.policy for rule in rules}
    return cedarpy.PolicySet.from_json_str(
        json.dumps({"staticPolicies": policies, "templates": {}, "templateLinks": []})
    )


def _digest(cedar: Mapping[str, str], rules: Mapping[str, str], home: str, root: str) -> str:
    everything = ["interlock.policy/1", TEXT, home, root, sorted(cedar.items()), sorted(rules.items())]
    return hashlib.sha256(_encoder.encode(everything)).hexdigest()
