"""Policies: Cedar and the short form, compiled into one set, decided by one engine.

Guarantees: nothing is allowed without a ``permit`` that matches; a ``forbid`` that matches wins; a confirmation
asks, and a modification changes, only where a ``permit`` matches as well; any error of any policy denies; every
forbid takes part in every decision; the order of files and rules does not matter.  Must never: read a file, or quote
a value in a reason.

Four values come out of one call, at times two (the numbers stand in the code): (1) the request's types are held
again and its names must be canonical; (2) the facts that policies ask for are computed; (3) one Cedar call over
all policies decides the plain cases; (4) where confirmations or modifications alone stand in the way, a second call
asks whether a permit matches; (5) a form that the action does not have yet comes before any question about it;
(6) confirmations not yet given ask; unattended, what would ask is denied.

Cedar's answers are remembered under all that it is given (``cedar``).  Names of principals and resources are among
that only where a policy tells them apart, hence most requests differ in facts that matter or not at all.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from interlock.artifact.resources import endpoint
from interlock.artifact.verdict import Decision, Reason
from interlock.decide.policy.cedar import Call, Cedar, Said
from interlock.decide.policy.compiler import CompiledRule, compile_rule
from interlock.decide.policy.patterns import Facts
from interlock.decide.policy.request import PolicyAnswer, PolicyRequest, RuleOrigin, canonical, objection
from interlock.decide.policy.schema import MAX_RULES, TEXT
from interlock.decide.policy.short import short_statements
from interlock.decide.policy.source import PolicyFileError, Statement, cedar_statements

Asked: TypeAlias = tuple[PolicyRequest, Call]
Aspect: TypeAlias = tuple[frozenset[str], str]
Fact: TypeAlias = Callable[[PolicyRequest], object]
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(PolicyRequest, strict=True)


def compile_policies(
    cedar: Mapping[str, str], rules: Mapping[str, str], *, home: str, root: str = "",
    actions: frozenset[str] | None = None,
) -> PolicySet:  # fmt: skip
    """Compile Cedar texts and short-form texts, each by file name; raises ``PolicyFileError``.

    ``home`` and ``root`` (absolute) are what ``~/`` and ``./`` stand for in path globs.  With ``actions``, the
    names that exist, a short rule whose action globs match none of them is an error as well.
    """
    statements = [found for file, text in sorted(cedar.items()) for found in cedar_statements(file, text)]
    for file, text in sorted(rules.items()):
        statements += short_statements(file, text, actions=actions)
    compiled: dict[str, CompiledRule] = {}
    for statement in statements:
        rule = compile_rule(statement, home=home, root=root)
        if rule.id in compiled or len(compiled) == MAX_RULES:
            raise _surplus(rule, compiled)
        compiled[rule.id] = rule
    everything = ["interlock.policy/1", TEXT, home, root, sorted(cedar.items()), sorted(rules.items())]
    digest = hashlib.sha256(_encoder.encode(everything)).hexdigest()
    facts = frozenset(fact for rule in compiled.values() for fact in rule.facts)
    return PolicySet(compiled, Facts(facts, home=home, root=root), digest, statements, home=home, root=root)


class PolicySet:
    """Compiled policies; ``digest`` names everything that decides: texts, schema, home and root."""

    def __init__(
        self, rules: Mapping[str, CompiledRule], facts: Facts, digest: str, statements: Sequence[Statement],
        *, home: str, root: str,
    ) -> None:  # fmt: skip
        self.digest = digest
        self.home = home
        self.root = root
        self._rules = rules
        self._facts = facts
        self._statements = statements
        makers: dict[str, Fact] = {**_MADE, "matched": self._matched}
        asks = {name for rule in rules.values() for name in rule.asks}
        self._made = {name: makers.get(name) or operator.attrgetter(name) for name in asks}
        self._tells = frozenset(name for rule in rules.values() for name in rule.tells)
        self._names = "resource" in self._tells or "resource" in asks
        self._all = Cedar(rules.values())
        self._permits = Cedar(rule for rule in rules.values() if rule.effect == "permit")

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all rules, sorted."""
        return tuple(sorted(self._rules))

    @property
    def rules(self) -> tuple[CompiledRule, ...]:
        """The compiled rules, for whoever translates them."""
        return tuple(self._rules.values())

    def explain(self, rule: str) -> RuleOrigin:
        """Where a rule stands; raises ``KeyError`` for an id that is not of this set."""
        return self._rules[rule].origin

    def compiled_text(self, file: str) -> str:
        """The Cedar text that a file was compiled to; of an unknown file, the empty text."""
        return "\n\n".join(statement.text for statement in self._statements if statement.file == file)

    def aspect(self, path: str, *, folder: bool) -> Aspect:
        """What rules can tell of a file's path, where it is a ``folder`` too of what lies below it.

        Two paths of one aspect get one answer in requests that are alike otherwise.
        """
        named = self._names or not canonical("file", path)
        return frozenset(self._facts.of_path(path, folder=folder)), path if named else ""

    def evaluate(self, request: PolicyRequest) -> PolicyAnswer:
        """Decide one request; never raises for what a request holds."""
        return self.evaluate_many((request,))[0]

    def evaluate_many(self, requests: Sequence[PolicyRequest]) -> tuple[PolicyAnswer, ...]:
        """Decide each request by itself; answers stand in the order of the requests."""
        try:
            asked = [self._ask(request) for request in requests]
            said = iter(self._all.says([one[1] for one in asked if isinstance(one, tuple)]))
            return tuple(self._answer(*one, next(said)) if isinstance(one, tuple) else one for one in asked)
        except Exception:  # noqa: BLE001 - whatever the engine cannot do is a denial (I7), of that request alone
            return tuple(map(self.evaluate, requests)) if len(requests) > 1 else (_deny("policy.error"),)

    def _ask(self, request: PolicyRequest) -> Asked | PolicyAnswer:
        # (1) A caller can build the value with any types; then names must be canonical.
        try:
            checked = _decoder.decode(_encoder.encode(request))
        except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
            return _deny("policy.malformed")
        field = objection(checked)
        if field:
            return _deny("policy.resource_not_canonical", field=field)
        principal = checked.principal if "principal" in self._tells else ""
        resource = f"{checked.kind}:{checked.resource}" if "resource" in self._tells else ""
        return checked, Call(principal, checked.effect.value, resource, self._context(checked))

    def _context(self, request: PolicyRequest) -> str:
        # (2) The facts of the schema, in its types, as far as some policy asks for them.
        return _encoder.encode({name: make(request) for name, make in self._made.items()}).decode()

    def _matched(self, request: PolicyRequest) -> list[str]:
        matched = self._facts.of_destinations(request.destinations) | self._facts.of_signals(request.signals)
        if request.kind == "file" and not request.open:
            folder = request.recursive or request.access in {"write", "delete"}
            matched |= self._facts.of_path(request.resource, folder=folder)
        return sorted(matched)

    def _answer(self, request: PolicyRequest, call: Call, said: Said) -> PolicyAnswer:
        # (3) What Cedar says over all policies: an error denies, a plain forbid denies, a permit alone allows.
        matched = [self._rules[name] for name in said.rules]
        denials = [rule for rule in matched if rule.effect == "forbid"]
        if said.errors or not matched:
            return _deny("policy.error" if said.errors else "policy.no_permit")
        if denials:
            return _answer(Decision.DENY, "policy.denied", denials)
        if said.allowed:
            return _permitted(request, matched, ())
        # (4) Only confirmations and modifications stand in the way: is there a permit behind them?
        [behind] = self._permits.says([call])
        if not behind.allowed:
            return _deny("policy.no_permit")
        # (5) What would be asked about does not run as it is, so nobody is asked about it.
        changes = [rule for rule in matched if rule.effect == "modify" and rule.form not in request.formed]
        if changes:
            return _modified(changes)
        # (6) Those that persons have not lifted ask; tier 1 only tells the tiers of evidence.
        asking = [rule for rule in matched if rule.approvals > request.approvals]
        if not asking:
            return _permitted(request, [self._rules[name] for name in behind.rules], matched)
        if request.unattended:
            return _answer(Decision.DENY, "policy.unattended", asking)
        return _answer(Decision.STEP_UP, "policy.confirm", asking, max(rule.approvals for rule in asking))


def _end_point(request: PolicyRequest) -> tuple[str, int]:
    known = request.kind == "endpoint" and not request.open
    return endpoint(request.resource) if known else ("", 0)


# Facts that are not fields of a request.
_MADE: Mapping[str, Fact] = {
    "host": lambda request: _end_point(request)[0],
    "port": lambda request: _end_point(request)[1],
    "data": lambda request: request.confidentiality.rank,
    "scope": lambda request: [text for key, value in request.scope.items() for text in (key, f"{key}={value}")],
}


def _permitted(request: PolicyRequest, permits: Iterable[CompiledRule], lifted: Iterable[CompiledRule]) -> PolicyAnswer:
    permits = list(permits)
    permitted = _answer(Decision.ALLOW, "policy.permitted_open" if request.open else "policy.permitted", permits)
    evidence = _answer(Decision.ALLOW, "policy.evidence", (rule for rule in lifted if rule.tier == 1))
    owned = sorted(rule.id for rule in permits if rule.named == request.action and rule.origin.owner)
    return PolicyAnswer(decision=Decision.ALLOW, reasons=permitted.reasons + evidence.reasons, owned=tuple(owned))


def _answer(decision: Decision, code: str, rules: Iterable[CompiledRule], approvals: int = 0) -> PolicyAnswer:
    names = sorted(rule.id for rule in rules)
    reasons = tuple(Reason(decision=decision, stage=7, code=code, rule=name) for name in names)
    return PolicyAnswer(decision=decision, approvals=approvals, reasons=reasons)


def _modified(rules: Iterable[CompiledRule]) -> PolicyAnswer:
    wanted = sorted((rule.id, rule.form) for rule in rules)
    reasons = (
        Reason(decision=Decision.MODIFY, stage=7, code="policy.modified", rule=name, field=form)
        for name, form in wanted
    )
    return PolicyAnswer(decision=Decision.MODIFY, reasons=tuple(reasons))


def _deny(code: str, *, field: str = "") -> PolicyAnswer:
    reason = Reason(decision=Decision.DENY, stage=7, code=code, field=field)
    return PolicyAnswer(decision=Decision.DENY, reasons=(reason,))


def _surplus(rule: CompiledRule, compiled: Mapping[str, CompiledRule]) -> PolicyFileError:
    file, line, first = rule.origin.file, rule.origin.line, compiled.get(rule.id)
    if first:
        text = f"the id {rule.id!r} stands already at {first.origin.file}:{first.origin.line}"
        return PolicyFileError("policy.duplicate_id", file, line, text, hint="give each rule an id of its own")
    hint = "merge rules that differ in one value: every key takes a list"
    return PolicyFileError("policy.size", file, line, f"more than {MAX_RULES} rules", hint=hint)
