"""Manifests that say one thing and do another: refused when they are read, and denied by the gate all the same."""

from __future__ import annotations

import json
import re

import pytest
from tests.chaos.tally import manifest as tally
from tests.support.judging import CATALOGUE, codes, evidence, judge, step

from interlock.artifact import codec
from interlock.artifact.action import Manifest
from interlock.artifact.errors import ConfigurationError
from interlock.artifact.verdict import Decision
from interlock.decide import secrets
from interlock.harness import catalogue

READ, WRITE = ({"kind": "file", "name": "{path}", "access": access} for access in ("read", "write"))
VM = {"kind": "vm", "name": "{path}", "access": "write"}
PLAIN = {"type": "string", "maxLength": 256}
PATH = {"path": PLAIN | {"role": "path"}}
CONTRADICTIONS: dict[str, dict[str, object]] = {
    "a read that writes": {"effect": "read", "reversibility": "irreversible"},
    "a read that executes": {
        "effect": "read", "reversibility": "irreversible", "resources": [READ | {"access": "execute"}],
    },
    "pure and a write": {"reversibility": "pure"},
    "pure and a sending": {"effect": "send", "reversibility": "pure", "resources": [READ]},
    "pure and a command that may write": {"effect": "execute", "reversibility": "pure"},
    "reversible and a machine": {"resources": [VM]},
    "reversible and a sending": {"effect": "send", "resources": [READ]},
    "reversible and a spending": {"effect": "spend", "resources": [READ]},
    "reversible and an access granted": {"effect": "grant-access", "resources": [READ]},
    "reversible and a resource that is sent to": {"resources": [WRITE, READ | {"access": "send"}]},
    "compensable by nothing": {"reversibility": "compensable"},
    "a scope that may be left out": {
        "arguments": PATH | {"line": PLAIN, "tenant": PLAIN | {"required": False}}, "scope": {"tenant": "tenant"},
    },
    "a scope that is no argument": {"scope": {"tenant": "who"}},
    "a URL that nobody decides on": {"arguments": PATH | {"line": PLAIN | {"role": "url"}}},
    "a URL that is a resource of another kind": {
        "arguments": PATH | {"line": PLAIN | {"role": "url"}},
        "resources": [WRITE, {"kind": "page", "name": "{line}", "access": "read"}],
    },
}  # fmt: skip
SOUND: dict[str, dict[str, object]] = {
    "a write of a file": {},
    "a command that reads": {"effect": "execute", "reversibility": "pure", "resources": [READ]},
    "a URL that is decided on": {
        "arguments": PATH | {"line": PLAIN | {"role": "url"}},
        "resources": [WRITE, {"kind": "url", "name": "{line}", "access": "read"}],
    },
    "a machine with an inverse": {"reversibility": "compensable", "resources": [VM], "inverse": {"action": "x@1"}},
}


def raw(changes: dict[str, object]) -> bytes:
    return json.dumps({"actions": [tally("t.a", "append", **changes)]}).encode()


def denied(found: Manifest) -> bool:
    """Whether the gate denies a step of the manifest as a contradiction."""
    known = evidence(
        catalogue={**CATALOGUE, "t.a@1": found},
        digests={"t.a@1": codec.digest(found)},
        loaded=frozenset({"tests"}),
    )
    verdict = judge(step("s1", "t.a@1", arguments={"path": "a", "line": "https://known.example/"}), known=known)
    return "manifest.contradiction" in codes(verdict) and verdict.decision is Decision.DENY


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_manifest_that_contradicts_itself_is_not_read(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"t\.a@1") as caught:
        catalogue.read("x.json", raw(CONTRADICTIONS[name]))
    assert caught.value.code == "actions.contradiction"


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_manifest_that_contradicts_itself_is_denied_by_the_gate(name: str) -> None:
    [found] = codec.decode(raw(CONTRADICTIONS[name]), catalogue.ActionFile).actions
    assert denied(found)


@pytest.mark.parametrize("name", SOUND)
def test_a_manifest_that_does_not_is_read_and_judged(name: str) -> None:
    [found] = catalogue.read("x.json", raw(SOUND[name]))
    assert not denied(found)


HOSTILE = {
    "starts of a token": "-eyJ",
    "a token's first part": "-eyJaaaaaaaaaa.",
    "starts of a key": "-----BEGIN ",
    "spaces of a key": "-----BEGIN " + "A " * 400,
    "starts of a key name": "ghp_",
    "starts of a pat": "github_pat_",
    "starts of a bot": "-xoxb- ",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.timeout(20, method="signal")
def test_text_made_to_be_slow_is_searched_all_the_same(name: str) -> None:
    assert not secrets.secret_shaped(HOSTILE[name] * (1_000_000 // len(HOSTILE[name])))


def test_no_quantifier_of_a_shape_is_without_a_bound() -> None:
    pattern = secrets._SHAPES.pattern
    assert re.findall(r"\{\d+,\}|(?<!\})[+*]", pattern) == []
    assert max(int(bound) for bound in re.findall(r"\{\d+,(\d+)\}", pattern)) <= 2048
