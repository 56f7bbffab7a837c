"""Every bound of policies and expressions, written out: exactly at it all is well, one beyond it is refused."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from interlock.artifact.codec import Json
from interlock.artifact.errors import InterlockError
from interlock.artifact.label import CLEAN
from interlock.artifact.resources import endpoint
from interlock.decide.evidence import Limits
from interlock.decide.policy import compile_policies
from interlock.decide.policy.patterns import Facts
from interlock.decide.policy.request import PolicyRequest
from interlock.decide.policy.source import cedar_statements, yaml_items
from interlock.decide.references import Environment, Labelled, check, evaluate
from support.asking import HOME, short

REF: Json = {"$ref": "s1.output"}


def found(value: Json, expr: Json = REF) -> Json:
    """The expression over one output."""
    return evaluate(
        expr, Environment(outputs={"s1": Labelled(value=value, label=CLEAN)}, literal=lambda _: CLEAN)
    ).value


def allowed(expr: Json) -> None:
    check(expr, steps=frozenset({"s1"}), item=False, output=False, condition=False)


def nested(levels: int, wrap: Callable[[Json], Json]) -> Json:
    inner = REF
    for _ in range(levels):
        inner = wrap(inner)
    return inner


def named(length: int, start: str = "s1.output") -> str:
    """A path of names that has so many characters."""
    names = [start]
    while length - len(".".join(names)) > 129:
        names.append("n" * 127)
    return ".".join([*names, "n" * (length - len(".".join(names)) - 1)])


def facts(text: str) -> Facts:
    return Facts({text}, home=HOME, root="/")


BOUNDS: dict[str, tuple[int, Callable[[int], object], str]] = {
    "characters of a policy file": (1 << 18, lambda n: list(cedar_statements("f", ("x" * 1023 + ";") * (n // 1024) + "x" * (n % 1024))), "policy.size"),
    "characters of a policy": (1 << 15, lambda n: list(cedar_statements("f", "x" * n)), "policy.size"),
    "brackets of a policy": (48, lambda n: list(cedar_statements("f", "([{" * (n // 3) + "(" * (n % 3))), "policy.size"),
    "levels of YAML": (8, lambda n: yaml_items("f", f"key:\n- a: {'[' * (n - 3)}{']' * (n - 3)}", "key"), "policy.yaml"),
    "digits of an integer in YAML": (16, lambda n: yaml_items("f", f"key:\n- a: {'1' * n}", "key"), "policy.yaml"),
    "approvals": (16, lambda n: short(f"  - {{verify: x, tier: 3, approvals: {n}}}"), "policy.rule"),
    "characters of a path glob": (1024, lambda n: facts("path /" + "a" * (n - 1)), "ValueError"),
    "characters of a destination": (1024, lambda n: facts("destinations " + "a" * n), "ValueError"),
    "characters of a host": (253, lambda n: endpoint(("a." * 127)[: n - 1] + "b:1"), "ValueError"),
    "a port": (65535, lambda n: endpoint(f"a:{n}"), "ValueError"),
    "nodes": (512, lambda n: found(1, [REF] * (n - 1)), "reference.bounds"),
    "levels of lists": (16, lambda n: found(1, nested(n - 1, lambda inner: [inner])), "reference.bounds"),
    "levels of objects": (16, lambda n: found(1, nested(n - 1, lambda inner: {"a": inner})), "reference.bounds"),
    "levels of operators": (16, lambda n: found(True, nested(n - 1, lambda inner: {"$not": inner})), "reference.bounds"),
    "names in a path": (16, lambda n: allowed({"$ref": "s1.output" + ".a" * n}), "reference.syntax"),
    "characters of a reference": (512, lambda n: allowed({"$ref": named(n)}), "reference.syntax"),
    "characters of a selection": (512, lambda n: allowed({"$select": [REF, named(n, "a")]}), "reference.syntax"),
    "characters of a step": (32, lambda n: check({"$ref": "s" * n + ".output"}, steps=frozenset({"s" * n}), item=False, output=False, condition=False), "reference.syntax"),
    "work on a text": (1 << 22, lambda n: found(["x" * (n - 32)], {"$count": REF}), "reference.bounds"),
    "work on a key": (1 << 22, lambda n: found([{"x" * (n - 40): 1}], {"$count": REF}), "reference.bounds"),
    "bytes of a result": (1 << 20, lambda n: found("x" * (n - 2)), "reference.bounds"),
    "an integer": ((1 << 53) - 1, lambda n: found(1, {"$add": [n - 1, REF]}), "reference.bounds"),
    "an integer below zero": ((1 << 53) - 1, lambda n: found(1, {"$sub": [1 - n, REF]}), "reference.bounds"),
}  # fmt: skip


def said(deed: Callable[[], object]) -> str:
    try:
        deed()
    except InterlockError as error:
        return error.code
    except ValueError:
        return "ValueError"
    return ""


@pytest.mark.parametrize("name", BOUNDS)
def test_a_bound_is_exact(name: str) -> None:
    bound, deed, code = BOUNDS[name]
    assert (said(lambda: deed(bound)), said(lambda: deed(bound + 1))) == ("", code)


def test_a_rule_without_a_name_is_named_by_the_end_of_its_place() -> None:
    (name,) = compile_policies({}, {"f" * 200: "rules:\n  - deny: x"}, home=HOME).ids
    assert name == "f" * 126 + ":2"


def test_what_is_not_said_is_strict() -> None:
    asked = {"principal": "p", "action": "a", "effect": "read", "reversibility": "pure", "kind": "none", "cost": 0}
    strict = msgspec.convert(asked | {"resource": "none", "access": "read"}, PolicyRequest)
    assert msgspec.to_builtins(strict) == asked | {
        "resource": "none", "access": "read", "roles": (), "scope": {}, "version": 1, "group": "", "privileged": True,
        "external": True, "broad": True, "open": False, "recursive": False, "destinations": (), "signals": (),
        "confidentiality": "restricted", "untrusted": True, "tainted": True, "environment": "", "approvals": 0,
        "unattended": True, "formed": (),
    }  # fmt: skip


def test_the_limits_of_a_workspace_that_sets_none() -> None:
    assert msgspec.to_builtins(Limits()) == {
        "steps": 32, "blastRadius": 25, "usesPerMinute": 600, "planLifetimeMs": 86_400_000, "modelAccepts": "private",
        "explainedDenials": 8,
    }  # fmt: skip
