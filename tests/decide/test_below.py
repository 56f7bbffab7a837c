"""What the gate says of single paths below a folder that was decided on as a whole."""

from __future__ import annotations

import pytest
from tests.support.judging import ROOT, SECRET, SITE, evidence, policy

from interlock.artifact.action import Effect, Manifest
from interlock.artifact.analysis import Analysis
from interlock.artifact.plan import Step
from interlock.artifact.resources import Touched
from interlock.artifact.verdict import Decision, Reason
from interlock.decide.below import Change, Gate, Said, published, said
from interlock.decide.evidence import Evidence, PathLabel, Site
from interlock.decide.flow import static_view
from interlock.decide.policy import compile_policies

RULES = """
rules:
  - {allow: "*", id: all}
  - {verify: "*", id: later, access: [write, delete], path: ["**/.envrc", "**/.git/config"]}
  - {deny: "*", id: keys, path: ["**/*.pem", "**/.keys/**"]}
"""
NAMING = 'permit (principal, action, resource) unless { context.resource like "*/named" };'
WHOLE = (("", Effect.READ, True), ("", Effect.WRITE, True))


def gate(
    *claimed: tuple[str, Effect, bool], heard: Said = frozenset(), rules: str = RULES, site: Site = SITE,
    programs: tuple[str, ...] = ("sh",),
) -> Gate:  # fmt: skip
    touched = tuple(
        Touched(kind="file", name=f"{ROOT}/{name}".rstrip("/"), access=access, recursive=whole)
        for name, access, whole in claimed
    )
    known: Evidence = evidence(policy=policy(rules), site=site)
    known = known.claiming({"s1": Analysis(touched=touched, programs=programs)})
    manifest: Manifest = known.catalogue["run@1"]
    planned = Step(id="s1", action="run@1", arguments={"command": "x"}, manifest="0" * 64, privileges=())
    return Gate(static_view(planned, manifest, {}, {}, known), known, policy(rules), heard)


READS: dict[str, tuple[str, bool]] = {
    "an ordinary file": ("a.txt", False),
    "one that is denied": ("tls.pem", True),
    "one in a folder that is denied": ("x/.keys/a", True),
    "one that is asked about when it is written": (".envrc", False),
    "a credential that no rule names": (".netrc", True),
}


@pytest.mark.parametrize("name", READS)
def test_what_is_withheld_from_whoever_reads_the_folder(name: str) -> None:
    path, held = READS[name]
    paths = [f"{ROOT}/{path}", f"{ROOT}/again/{path}"]
    assert list(gate(("", Effect.READ, True)).withheld(paths)) == (paths if held else [])


def test_a_credential_is_not_withheld_where_all_that_is_read_counts_as_one() -> None:
    site = Site(id="w", root=ROOT, home="/h", roots=(ROOT,), labels=(PathLabel(path=f"{ROOT}/**", label=SECRET),))
    assert list(gate(("", Effect.READ, True), site=site).withheld([f"{ROOT}/.netrc"])) == []


CHANGES: dict[str, tuple[Change, bool]] = {
    "an ordinary file": (Change("a.txt"), False),
    "one that runs later": (Change(".envrc"), True),
    "a new one that runs later": (Change("x/.envrc", made=True), True),
    "one that goes": (Change(".envrc", gone=True), True),
    "a key that was there": (Change("tls.pem"), True),
    "a key that is new": (Change("tls.pem", made=True), False),
    "a protected file": (Change("vault/a"), True),
    "the harness's own": (Change("policy/a.yaml"), True),
    "what others have published": (Change("node_modules/x/.envrc", made=True), False),
    "a repository's settings": (Change("r/.git/config", made=True), True),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_may_not_have_changed_below_a_folder(name: str) -> None:
    change, refused = CHANGES[name]
    change = change._replace(path=f"{ROOT}/{change.path}")
    assert list(gate(*WHOLE).unasked([change])) == ([change.path] if refused else [])


def test_what_the_claim_names_or_removes_was_asked_about() -> None:
    named, inside = Change(f"{ROOT}/.envrc"), Change(f"{ROOT}/old/.envrc", gone=True)
    found = gate(*WHOLE, (".envrc", Effect.WRITE, False), ("old", Effect.DELETE, True))
    assert list(found.unasked([named, inside])) == []
    assert list(found.unasked([inside._replace(gone=False)])) == [inside.path]


def test_git_may_set_up_a_repository_that_it_makes_and_nobody_else() -> None:
    made = [Change(f"{ROOT}/r/.git", made=True), Change(f"{ROOT}/r/.git/config", made=True)]
    assert list(gate(*WHOLE, programs=("git",)).unasked(made)) == []
    assert list(gate(*WHOLE, programs=("git", "sh")).unasked(made)) == [made[1].path]
    assert list(gate(*WHOLE, programs=("git",)).unasked(made[1:])) == [made[1].path]


def test_what_was_said_of_the_step_does_not_count_again() -> None:
    reasons = [Reason(decision=Decision.STEP_UP, stage=7, code="policy.confirm", rule="later", step="s1")]
    assert list(gate(*WHOLE, heard=said(reasons)).unasked([Change(f"{ROOT}/.envrc")])) == []
    allowed = [Reason(decision=Decision.ALLOW, stage=7, code="policy.confirm", rule="later")]
    assert said(allowed) == frozenset()


def test_rules_that_name_paths_in_another_way_are_asked_about_each() -> None:
    found = policy(RULES)
    assert found.aspect("/a/b", folder=False) == found.aspect("/c/d", folder=False)
    assert found.aspect("/a/.envrc", folder=True) != found.aspect("/a/b", folder=True)
    assert found.aspect("/a/\u202e", folder=False) != found.aspect("/a/b", folder=False)  # No canonical name.
    naming = compile_policies({"a.cedar": f'@id("x")\n{NAMING}'}, {}, home="/h")
    assert naming.aspect("/a/named", folder=False) != naming.aspect("/a/b", folder=False)


def test_packages_of_others() -> None:
    assert published("/w/node_modules/x/a") and published("/w/.venv/lib/python3/site-packages/a.py")
    assert not published("/w/node_modules.txt")
