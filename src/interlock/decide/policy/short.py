"""The short form: a rule of a few YAML lines becomes one Cedar policy that can be read.

``deny`` is a ``forbid``; ``verify`` a ``forbid`` that a confirmation lifts; ``modify`` a ``forbid`` that the named form
of the action lifts; ``allow`` a ``permit``.  All conditions of a rule must hold; of a list of values, one.  The two
sides round differently, so that a denial is never narrower and a permission never wider than what was written:

- ``data``: all but ``allow`` from that class on, ``allow`` up to it; ``cost``: above it, or up to it;
- ``environment`` and ``scope``: all but ``allow`` also match where the request does not say it;
- ``path``: all but ``allow`` also match a folder that is written or deleted with what they name.

>>> rules = "rules:\\n  - deny: files.*\\n    path: /etc/shadow\\n"
>>> print(short_statements("r.yaml", rules)[0].text)
@id("r.yaml:2")
forbid (principal, action, resource) when {
  context.action like "files.*" &&
  context.matched.containsAny(["touches path /etc/shadow"])
};
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from interlock.artifact.action import Effect, Reversibility
from interlock.artifact.codec import Identifier, Natural
from interlock.artifact.label import Confidentiality
from interlock.artifact.resources import endpoint
from interlock.decide.policy.schema import MAX_APPROVALS
from interlock.decide.policy.source import Plain, PolicyFileError, Statement, yaml_items

Word: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
Action: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9*][A-Za-z0-9._:@+*-]{0,127}\Z")]
_SOME = msgspec.Meta(min_length=1, max_length=256)
Words: TypeAlias = Annotated[tuple[Word, ...], _SOME] | UnsetType
Actions: TypeAlias = Annotated[tuple[Action, ...], _SOME] | UnsetType
Effects: TypeAlias = Annotated[tuple[Effect, ...], _SOME] | UnsetType
Flag: TypeAlias = bool | UnsetType
_HEADS = ("deny", "verify", "modify", "allow")
_LISTS = {*_HEADS, "path", "host", "resource", "destination", "principal", "environment", "reversibility", "effect",
          "access", "signal"}  # fmt: skip
_FLAGS = ("external", "privileged", "broad", "untrusted", "tainted", "unattended")


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry under ``rules``, as its author wrote it; one value stands for a list of one."""

    deny: Actions = UNSET
    verify: Actions = UNSET
    modify: Actions = UNSET
    allow: Actions = UNSET
    path: Words = UNSET
    host: Words = UNSET
    resource: Words = UNSET
    destination: Words = UNSET
    signal: Words = UNSET
    principal: Words = UNSET
    scope: Annotated[Mapping[Identifier, Word | Annotated[tuple[Word, ...], _SOME]], _SOME] | UnsetType = UNSET
    data: Confidentiality | UnsetType = UNSET
    environment: Words = UNSET
    cost: Natural | UnsetType = UNSET
    reversibility: Annotated[tuple[Reversibility, ...], _SOME] | UnsetType = UNSET
    effect: Effects = UNSET
    access: Effects = UNSET
    external: Flag = UNSET
    privileged: Flag = UNSET
    broad: Flag = UNSET
    untrusted: Flag = UNSET
    tainted: Flag = UNSET
    unattended: Flag = UNSET
    tier: Literal[1, 2, 3] | UnsetType = UNSET
    approvals: Annotated[int, msgspec.Meta(ge=1, le=MAX_APPROVALS)] | UnsetType = UNSET
    form: Identifier | UnsetType = msgspec.field(name="with", default=UNSET)
    id: Identifier | UnsetType = UNSET
    owner: Word | UnsetType = UNSET
    why: Word | UnsetType = UNSET

    @property
    def actions(self) -> tuple[str, ...]:
        """The globs after deny, verify, modify or allow; raises ``ValueError`` unless exactly one of them is there."""
        heads = [head for head in (self.deny, self.verify, self.modify, self.allow) if head is not UNSET]
        if len(heads) != 1:
            raise ValueError("a rule has exactly one of deny, verify, modify and allow")
        return heads[0]


def short_statements(file: str, text: str, *, actions: frozenset[str] | None = None) -> list[Statement]:
    """The Cedar policies of a file in the short form; raises ``PolicyFileError``.

    With ``actions``, the names that exist, a rule whose action globs match none of them is an error.
    """
    found: list[Statement] = []
    for entry, lines in yaml_items(file, text, "rules"):
        line = lines[""]
        try:
            rule = msgspec.convert({key: _listed(key, value) for key, value in entry.items()}, Rule, strict=True)
            _check(rule, actions)
            policy = _policy(rule, f"{file}:{line}")
        except ValueError as error:
            named = re.search(r"`\$\.([a-z]+)|field `([^`]+)`", str(error))
            at = lines.get(named[1] or named[2], line) if named else line
            hint = (
                f"the keys are: {', '.join(Rule.__struct_encode_fields__)}"
                if named
                else "correct the rule or remove it"
            )
            raise PolicyFileError("policy.rule", file, at, str(error), hint=hint) from None
        found.append(Statement(file=file, line=line, text=policy))
    return found


def condition_statement(file: str, line: int, conditions: Mapping[str, Plain]) -> Statement:
    """A denial with these conditions (``action`` names the globs; none: any action); raises ``PolicyFileError``."""
    fields = {"deny": "*", **{"deny" if key == "action" else key: value for key, value in conditions.items()}}
    try:
        _check_condition(conditions)
        rule = msgspec.convert({key: _listed(key, value) for key, value in fields.items()}, Rule, strict=True)
        _check(rule, None)
        text = _policy(rule, f"{file}:{line}")
    except ValueError as error:
        hint = f"the keys are: action, {', '.join(Rule.__struct_fields__[3:-5])}"
        raise PolicyFileError("policy.rule", file, line, str(error), hint=hint) from None
    return Statement(file=file, line=line, text=text)


def _check_condition(conditions: Mapping[str, Plain]) -> None:
    if "deny" in conditions:
        raise ValueError("the names of actions stand under action")


def _listed(key: str, value: Plain) -> Plain:
    return [value] if key in _LISTS and isinstance(value, str) else value


def _check(rule: Rule, actions: frozenset[str] | None) -> None:
    tests = [re.compile(re.escape(glob).replace(r"\*", ".*")) for glob in rule.actions]
    if actions is not None and not any(test.fullmatch(name) for test in tests for name in actions):
        raise ValueError("no action has such a name: the rule would match nothing")
    if rule.verify is UNSET and (rule.tier is not UNSET or rule.approvals is not UNSET):
        raise ValueError("tier and approvals belong to verify")
    if (rule.modify is UNSET) is not (rule.form is UNSET):
        raise ValueError("modify and with belong together: the name of a transformation of the action")
    if rule.allow is not UNSET and rule.signal is not UNSET:
        raise ValueError("a signal is what an untrusted reader saw: it can deny and verify, and allows nothing")
    if (rule.path is not UNSET) + (rule.host is not UNSET) + (rule.resource is not UNSET) > 1:
        raise ValueError("one resource has only one of path, host and resource: the rule would match nothing")


def _policy(rule: Rule, place: str) -> str:
    permit = rule.allow is not UNSET
    unnamed = re.sub(r"[^A-Za-z0-9._:@+-]", "-", place).lstrip("._:@+-")[-128:]
    notes = [("id", unnamed if rule.id is UNSET else rule.id), ("owner", rule.owner), ("why", rule.why)]
    notes += [("tier", "3" if rule.tier is UNSET else str(rule.tier))] if rule.verify is not UNSET else []
    notes += [("effect", "modify"), ("with", rule.form)] if rule.modify is not UNSET else []
    notes += [("approvals", str(rule.approvals))] if rule.approvals is not UNSET else []
    head = "".join(f"@{key}({_quote(value)})\n" for key, value in notes if value is not UNSET)
    clauses = " &&\n  ".join((*_conditions(rule, permit), *_names(rule, permit)))
    body = f" when {{\n  {clauses}\n}};" if clauses else ";"
    return f"{head}{'permit' if permit else 'forbid'} (principal, action, resource){body}"


def _conditions(rule: Rule, permit: bool) -> Iterator[str]:
    if "*" not in rule.actions:
        yield _any(_like("action", glob) for glob in rule.actions)
    if rule.principal is not UNSET:
        yield _any(map(_principal, rule.principal))
    if rule.effect is not UNSET:
        yield _any(f'action == Action::"{effect}"' for effect in rule.effect)
    if rule.scope is not UNSET:
        yield from (_scope(name, value, permit) for name, value in rule.scope.items())
    if rule.environment is not UNSET:
        yield _one_of("environment", rule.environment if permit else (*rule.environment, ""))
    if rule.reversibility is not UNSET:
        yield _one_of("reversibility", rule.reversibility)
    if rule.access is not UNSET:
        yield _one_of("access", rule.access)
    if rule.data is not UNSET:
        yield f"context.data {'<=' if permit else '>='} {rule.data.rank}"
    if rule.cost is not UNSET:
        yield f"context.cost {'<=' if permit else '>'} {rule.cost}"
    flags: list[tuple[str, Flag]] = [(name, getattr(rule, name)) for name in _FLAGS]
    yield from (f"{'' if value else '!'}context.{name}" for name, value in flags if value is not UNSET)


def _names(rule: Rule, permit: bool) -> Iterator[str]:
    """Conditions on names; a permission passes a name that is not known yet, which is asked about again."""
    touches = "" if permit else "touches "
    unknown = ("context.open && context.kind == ",) if permit else ()
    if rule.path is not UNSET:
        facts = [f"{touches}path {glob}" for glob in rule.path]
        asked = f"context.matched.containsAny([{', '.join(map(_quote, facts))}])"
        yield _any([asked, *(f'({test}"file")' for test in unknown)])
    if rule.destination is not UNSET:
        fact = f"{touches}destinations {' '.join(rule.destination)}"
        yield f"context.matched.contains({_quote(fact)})"
    if rule.signal is not UNSET:
        fact = f"signals {' '.join(rule.signal)}"
        yield f"context.matched.contains({_quote(fact)})"
    if rule.host is not UNSET:
        yield _any([*map(_host, rule.host), *(f'({test}"endpoint")' for test in unknown)])
    if rule.resource is not UNSET:
        yield _any(_resource(glob, permit) for glob in rule.resource)


def _host(glob: str) -> str:
    host, _, port = glob.partition(":")
    try:
        endpoint(f"{'any' if host == '*' else host.removeprefix('*.')}:{port or 1}")
    except ValueError:
        raise ValueError(f"{glob!r} is no host in lower case, *.host or *, with :port or without") from None
    found = 'context.kind == "endpoint"' if host == "*" else _like("host", host)
    return f"({found} && context.port == {port})" if port else found


def _resource(glob: str, permit: bool) -> str:
    kind, _, name = glob.partition(":")
    if not name or kind in {"file", "endpoint"} or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._@+-]*", kind):
        raise ValueError(f"{glob!r} is no kind:name; for files write path, for end points host")
    found = _like("resource", name)
    return f'(context.kind == "{kind}" && {f"({found} || context.open)" if permit else found})'


def _scope(name: str, values: str | Sequence[str], permit: bool) -> str:
    several = (values,) if isinstance(values, str) else values
    silent = () if permit else (f"!context.scope.contains({_quote(name)})",)
    return _any([*(f"context.scope.contains({_quote(f'{name}={value}')})" for value in several), *silent])


def _principal(name: str) -> str:
    role = name.removeprefix("role:")
    return f"principal == Principal::{_quote(name)}" if role == name else f"context.roles.contains({_quote(role)})"


def _one_of(name: str, values: Sequence[str]) -> str:
    return f"[{', '.join(map(_quote, values))}].contains(context.{name})"


def _like(name: str, glob: str) -> str:
    return f"context.{name} {'like' if '*' in glob else '=='} {_quote(glob)}"


def _any(tests: Iterable[str]) -> str:
    """A balanced disjunction: Cedar bounds how deep an expression may be."""
    found = list(tests)
    half = len(found) // 2
    return f"({_any(found[:half])} || {_any(found[half:])})" if half else found[0]


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'
