"""The short form: a rule of a few YAML lines becomes one Cedar policy that can be read.

``deny`` is a ``forbid``; ``verify`` a ``forbid`` that a confirmation lifts; ``allow`` a ``permit``.  All
conditions of a rule must hold, one of several values is enough.  The two sides round differently, so that a
denial is never narrower and a permission never wider than what was written:

- ``data``: ``deny`` and ``verify`` from that class on, ``allow`` up to it; ``cost`` above it, or up to it;
- ``environment`` and ``scope``: ``deny`` and ``verify`` also match where the request does not say it;
- ``path``: ``deny`` and ``verify`` also match a folder that is written or deleted with what they name.

>>> rules = "rules:\\n  - deny: files.*\\n    path: /etc/shadow\\n"
>>> print(short_statements("r.yaml", rules, home="/h", root="/w")[0].text)
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
from interlock.decide.policy.patterns import Facts
from interlock.decide.policy.request import endpoint
from interlock.decide.policy.schema import MAX_APPROVALS
from interlock.decide.policy.source import Plain, PolicyFileError, Statement, yaml_items

Word: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
Words: TypeAlias = Annotated[tuple[Word, ...], msgspec.Meta(min_length=1, max_length=256)] | UnsetType
Action: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9*][A-Za-z0-9._:@+*-]{0,127}\Z")]
Actions: TypeAlias = Annotated[tuple[Action, ...], msgspec.Meta(min_length=1, max_length=256)] | UnsetType
Flag: TypeAlias = bool | UnsetType
FLAGS = ("external", "privileged", "broad", "untrusted", "tainted", "unattended")
LISTS = ("deny", "verify", "allow", "principal", "path", "destination", "host", "resource", "environment",
         "reversibility", "effect", "access")  # fmt: skip


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry under ``rules``, as its author wrote it; one value stands for a list of one."""

    deny: Actions = UNSET
    verify: Actions = UNSET
    allow: Actions = UNSET
    path: Words = UNSET
    host: Words = UNSET
    resource: Words = UNSET
    destination: Words = UNSET
    principal: Words = UNSET
    scope: Mapping[Identifier, Word | tuple[Word, ...]] | UnsetType = UNSET
    data: Confidentiality | UnsetType = UNSET
    environment: Words = UNSET
    cost: Natural | UnsetType = UNSET
    reversibility: Annotated[tuple[Reversibility, ...], msgspec.Meta(min_length=1)] | UnsetType = UNSET
    effect: Annotated[tuple[Effect, ...], msgspec.Meta(min_length=1)] | UnsetType = UNSET
    access: Annotated[tuple[Effect, ...], msgspec.Meta(min_length=1)] | UnsetType = UNSET
    external: Flag = UNSET
    privileged: Flag = UNSET
    broad: Flag = UNSET
    untrusted: Flag = UNSET
    tainted: Flag = UNSET
    unattended: Flag = UNSET
    tier: Literal[1, 2, 3] | UnsetType = UNSET
    approvals: Annotated[int, msgspec.Meta(ge=1, le=MAX_APPROVALS)] | UnsetType = UNSET
    id: Identifier | UnsetType = UNSET
    owner: Word | UnsetType = UNSET
    why: Word | UnsetType = UNSET


def short_statements(
    file: str, text: str, *, home: str, root: str, actions: frozenset[str] | None = None
) -> list[Statement]:
    """The Cedar policies of a file in the short form; raises ``PolicyFileError``.

    With ``actions``, the names that exist, a rule whose action globs match none of them is an error.
    """
    compiled = [(_compile(file, entry, lines, home, root), entry) for entry, lines in yaml_items(file, text, "rules")]
    for statement, entry in compiled:
        globs = _listed("deny", entry.get("deny") or entry.get("verify") or entry.get("allow") or "")
        tests = [re.escape(str(glob)).replace(r"\*", ".*") for glob in (globs if isinstance(globs, list) else ())]
        if actions is not None and not any(re.fullmatch(test, name) for test in tests for name in actions):
            hint = "list the actions that exist, and correct the rule's name"
            raise PolicyFileError("policy.no_action", file, statement.line, "no action has such a name", hint=hint)
    return [statement for statement, _ in compiled]


def _compile(file: str, entry: Mapping[str, Plain], lines: Mapping[str, int], home: str, root: str) -> Statement:
    line = lines[""]
    try:
        rule = msgspec.convert({key: _listed(key, value) for key, value in entry.items()}, Rule, strict=True)
        _consistent(rule)
        return Statement(file=file, line=line, text=_policy(rule, f"{file}:{line}", home, root))
    except msgspec.ValidationError as error:
        named = re.search(r"`\$\.([a-z]+)|field `([^`]+)`", str(error))
        at = lines.get((named[1] or named[2]) if named else "", line)
        known = "the keys are: " + ", ".join(Rule.__struct_fields__)
        raise PolicyFileError("policy.rule", file, at, str(error), hint=known) from None
    except ValueError as error:
        raise PolicyFileError("policy.rule", file, line, str(error), hint="correct the rule or remove it") from None


def _listed(key: str, value: Plain) -> Plain:
    return [value] if key in LISTS and isinstance(value, str) else value


def _consistent(rule: Rule) -> None:
    if sum(heads is not UNSET for heads in (rule.deny, rule.verify, rule.allow)) != 1:
        raise ValueError("a rule has exactly one of deny, verify and allow")
    if rule.verify is UNSET and (rule.tier is not UNSET or rule.approvals is not UNSET):
        raise ValueError("tier and approvals belong to verify")
    if rule.tier in {1, 2} and rule.approvals is not UNSET:
        raise ValueError("approvals need tier 3: tiers 1 and 2 ask no person by themselves")
    if (rule.path is not UNSET) + (rule.host is not UNSET) + (rule.resource is not UNSET) > 1:
        raise ValueError("one resource cannot have two of path, host and resource: the rule would match nothing")
    if rule.scope is not UNSET and not all(rule.scope.values()):
        raise ValueError("an empty scope matches nothing")


def _policy(rule: Rule, place: str, home: str, root: str) -> str:
    name = rule.id if isinstance(rule.id, str) else re.sub(r"[^A-Za-z0-9._:@+-]", "-", place).lstrip("._:@+-")
    notes: list[tuple[str, str | int | UnsetType]] = [("id", name), ("owner", rule.owner), ("why", rule.why)]
    if rule.verify is not UNSET:
        notes += [("effect", "confirm"), ("tier", 3 if rule.tier is UNSET else rule.tier)]
        notes += [("approvals", rule.approvals)]
    head = "".join(f"@{key}({_quote(str(value))})\n" for key, value in notes if value is not UNSET)
    permit = rule.allow is not UNSET
    clauses = " &&\n  ".join(_conditions(rule, permit, home, root))
    body = f" when {{\n  {clauses}\n}};" if clauses else ";"
    return f"{head}{'permit' if permit else 'forbid'} (principal, action, resource){body}"


def _conditions(rule: Rule, permit: bool, home: str, root: str) -> Iterator[str]:
    actions = next(heads for heads in (rule.deny, rule.verify, rule.allow) if heads is not UNSET)
    if "*" not in actions:
        yield _any(_like("context.action", glob) for glob in actions)
    if rule.principal is not UNSET:
        yield _any(map(_principal, rule.principal))
    if rule.effect is not UNSET:
        yield "action in " + _set(f'Action::"{effect}"' for effect in rule.effect)
    yield from _names(rule, permit, home, root)
    for dimension, values in ({} if rule.scope is UNSET else rule.scope).items():
        several = (values,) if isinstance(values, str) else values
        silent = [] if permit else [f"!context.scope.contains({_quote(dimension)})"]
        yield _any([f"context.scope.contains({_quote(f'{dimension}={value}')})" for value in several] + silent)
    if rule.data is not UNSET:
        yield f"context.data {'<=' if permit else '>='} {rule.data.rank}"
    if rule.environment is not UNSET:
        yield _one_of("environment", (*rule.environment,) if permit else (*rule.environment, ""))
    if rule.cost is not UNSET:
        yield f"context.cost {'<=' if permit else '>'} {rule.cost}"
    if rule.reversibility is not UNSET:
        yield _one_of("reversibility", rule.reversibility)
    if rule.access is not UNSET:
        yield _one_of("access", rule.access)
    flags: list[tuple[str, Flag]] = [(name, getattr(rule, name)) for name in FLAGS]
    yield from (f"{'' if value else '!'}context.{name}" for name, value in flags if value is not UNSET)


def _names(rule: Rule, permit: bool, home: str, root: str) -> Iterator[str]:
    """Conditions on names; a permission passes a name that is not known yet, which is asked about again."""
    touches = "" if permit else "touches "
    if rule.path is not UNSET:
        facts = [f"{touches}path {glob}" for glob in rule.path]
        Facts(facts, home=home, root=root)
        matched = f"context.matched.containsAny({_set(map(_quote, facts))})"
        yield _any([matched, '(context.open && context.kind == "file")']) if permit else matched
    if rule.destination is not UNSET:
        fact = f"{touches}destinations {' '.join(rule.destination)}"
        Facts([fact], home=home, root=root)
        yield f"context.matched.contains({_quote(fact)})"
    if rule.host is not UNSET:
        unknown = ['(context.open && context.kind == "endpoint")'] if permit else []
        yield _any([_host(glob) for glob in rule.host] + unknown)
    if rule.resource is not UNSET:
        yield _any(_resource(glob, permit) for glob in rule.resource)


def _host(glob: str) -> str:
    host, _, port = glob.partition(":")
    try:
        endpoint(f"{host.removeprefix('*.') if host != '*' else 'any'}:{port or 1}")
    except ValueError:
        raise ValueError(f"{glob!r} is no host in lower case, *.host or *, with :port or without") from None
    found = 'context.kind == "endpoint"' if host == "*" else _like("context.host", host)
    return f"({found} && context.port == {port})" if port else found


def _resource(glob: str, permit: bool) -> str:
    kind, colon, name = glob.partition(":")
    if not colon or not name or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._@+-]*", kind) or kind in {"file", "endpoint"}:
        raise ValueError(f"{glob!r} is no kind:name; for files write path, for end points host")
    found = _like("context.resource", name)
    return f'(context.kind == "{kind}" && {f"({found} || context.open)" if permit else found})'


def _principal(name: str) -> str:
    role = name.removeprefix("role:")
    return f"principal == Principal::{_quote(name)}" if role == name else f"context.roles.contains({_quote(role)})"


def _one_of(name: str, values: Sequence[str]) -> str:
    one = f"context.{name} == {_quote(values[0])}"
    return one if len(values) == 1 else f"{_set(map(_quote, values))}.contains(context.{name})"


def _like(text: str, glob: str) -> str:
    return f"{text} {'like' if '*' in glob else '=='} {_quote(glob)}"


def _any(tests: Iterable[str]) -> str:
    """A balanced disjunction: Cedar bounds how deep an expression may be."""
    found = list(tests)
    if len(found) == 1:
        return found[0]
    half = len(found) // 2
    return f"({_any(found[:half])} || {_any(found[half:])})"


def _set(items: Iterable[str]) -> str:
    return f"[{', '.join(items)}]"


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'
