"""The smallest change: what is named was decided by the gate, and what cannot be helped is said to be so."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest
from tests.support.judging import CATALOGUE, HOME, NOW, SITE, TASK, UNTRUSTED, evidence, needing, policy, step

from interlock.artifact import codec
from interlock.artifact.action import Transformation
from interlock.artifact.analysis import Analysis
from interlock.artifact.codec import Json
from interlock.artifact.plan import Plan, Proposal, ProposedStep
from interlock.artifact.task import Budget
from interlock.artifact.verdict import Decision
from interlock.decide import gate
from interlock.decide.evidence import Evidence
from interlock.decide.nearest import MAX_TRIES, Change, nearest, redecided

FORMED = msgspec.structs.replace(CATALOGUE["write@1"], transformations={"empty": Transformation(fix={"content": ""})})
SCOPED = msgspec.structs.replace(SITE, scope={"tenant": ("acme", "zeta")})
ASKED = msgspec.structs.replace(TASK, scope={"tenant": "zeta"})
POOR = msgspec.structs.replace(TASK, budget=Budget(cost=40))
GROUPED = msgspec.structs.replace(TASK, groups=("g",))
SPENT = Budget(**{**dict.fromkeys(Budget.__struct_fields__, 0), "cost": 20})


def asks(action: str, /, **arguments: Json) -> ProposedStep:
    return step(action, f"{action.rstrip('0123456789')}@1", arguments=arguments)


def rules(text: str) -> Evidence:
    return evidence(policy=policy(f"rules:\n  - {{allow: '*', id: all}}\n  - {text}\n"))


def needed(name: str) -> Evidence:
    """All arguments of one action must be given."""
    found = CATALOGUE[name]
    for argument in found.arguments:
        found = needing(argument, found)
    return evidence(catalogue={**CATALOGUE, name: found})


NEEDED = needed("write@1")
WRITE = asks("write", path="a", content="x")
CASES: dict[str, tuple[list[ProposedStep], Evidence, Change | None, Change | None]] = {
    "a person": ([WRITE], rules("{verify: write, id: v}"), Change(kind="person"), None),
    "somebody to ask": (
        [WRITE],
        msgspec.structs.replace(rules("{verify: write, id: v}"), unattended=True),
        Change(kind="person"),
        None,
    ),
    "wait": ([WRITE], evidence(rates_until={CATALOGUE["write@1"].rate: NOW + 5}), Change(kind="wait"), Change(kind="wait")),
    "a path inside": (
        [asks("write", path="/etc/passwd", content="x")],
        evidence(),
        (into := Change(kind="path", step="write", field="path", value=f"{SITE.root}/passwd")),
        into,
    ),
    "not where it was analysed": (
        [asks("write", path="/etc/passwd", content="x")], evidence(claims={"write": Analysis(touched=())}), None, None,
    ),
    "a declared form": (
        [WRITE],
        msgspec.structs.replace(
            evidence(
                catalogue={**CATALOGUE, "write@1": msgspec.structs.replace(FORMED, arguments={
                    name: msgspec.structs.replace(one, required=True) for name, one in FORMED.arguments.items()
                })}
            ),
            policy=policy("rules:\n  - {allow: '*', id: all}\n  - {modify: write, with: empty, id: m}\n"),
        ),
        (form := Change(kind="form", step="write", field="empty")),
        form,
    ),
    "an argument left out": (
        [asks("run", command="x", other="y")],
        evidence(),
        Change(kind="argument", step="run", field="other"),
        None,
    ),
    "an argument that nobody declared": (
        [asks("read", path="a", other="y")],
        evidence(),
        (less := Change(kind="argument", step="read", field="other")),
        less,
    ),
    "the task's own scope": (
        [asks("scoped", tenant="acme", text="x")],
        evidence(site=SCOPED, task=ASKED),
        (own := Change(kind="scope", step="scoped", field="tenant", value="zeta")),
        own,
    ),
    "one of the workspace's scopes": (
        [asks("scoped", tenant="other", text="x")],
        evidence(site=SCOPED),
        (first := Change(kind="scope", step="scoped", field="tenant", value="acme")),
        first,
    ),
    "allowed in its scope": ([asks("scoped", tenant="zeta", text="x")], evidence(site=SCOPED), None, None),
    "a frozen task, and a root": (
        [asks("write", path="/", content="x")], evidence(frozen=True), None, None,
    ),
    "denied, and not for its scope": (
        [asks("scoped", tenant="acme", text="x")],
        evidence(site=SCOPED, policy=policy("rules:\n  - {deny: '*', id: d}\n")), None, None,
    ),
    "denied, and for its scope": (
        [asks("scoped", tenant="other", text="x")],
        evidence(site=SCOPED, policy=policy("rules:\n  - {deny: '*', id: d}\n")), None, None,
    ),
    "directly below the root already": ([asks("write", path=f"{SITE.root}/policy", content="x")], NEEDED, None, None),
    "a form that is none": (
        [asks("odd")],
        evidence(catalogue={**CATALOGUE, "odd@1": msgspec.structs.replace(
            CATALOGUE["odd@1"], transformations={"worse": Transformation(use="run@1")}
        )}), None, None,
    ),
    "where it is computed": (
        [asks("page", url="https://known.example/"), step("s2", "make@1", arguments={"name": {"$ref": "page.output"}})],
        needed("make@1"),
        Change(kind="person"),
        Change(kind="step", step="s2"),
    ),
    "the principal's own word": (
        [asks("write", path="b.txt", content="x")],
        evidence(received=UNTRUSTED),
        Change(kind="person"),
        Change(kind="unobserved"),
    ),
    "a group": (
        [WRITE], evidence(loaded=frozenset(), task=GROUPED),
        (load := Change(kind="load", step="write", field="g")), load,
    ),
    "a group outside the task": ([WRITE], evidence(loaded=frozenset()), None, None),
    "a budget": ([asks("pay", amount="1")], evidence(task=POOR, spent=SPENT), Change(kind="budget"), None),
    "a step less": (
        [WRITE, asks("write2", path=f"{HOME}/x/", content="x"), asks("unmake", name="main")],
        evidence(),
        None,
        None,
    ),
    "only the one step": (
        [WRITE, asks("make", name="main")],
        evidence(catalogue={**CATALOGUE, "make@1": needing("name", CATALOGUE["make@1"])}),
        (drop := Change(kind="step", step="make")), drop,
    ),
    "allowed as it is": ([WRITE], evidence(), None, None),
}  # fmt: skip


def planned(steps: list[ProposedStep], facts: Evidence) -> Plan:
    """The plan as if its groups were loaded and its paths inside: what no plan comes of is not searched."""
    raw = codec.encode(Proposal(task=facts.task_digest, goal="do it", steps=tuple(steps)))
    plan = gate.examine(raw, gate.Stamp(id="p1", sequence=1, expires_at=NOW + 1000), facts).plan
    assert plan is not None
    return plan


@pytest.mark.parametrize("name", CASES)
def test_the_change_that_is_named_was_decided(name: str) -> None:
    steps, facts, allowed, automatic = CASES[name]
    plan = planned(steps, facts)
    verdict = redecided(plan, facts, NOW)
    found = nearest(plan, verdict, facts, NOW)
    assert (found.allowed.change if found.allowed else None) == allowed
    assert (found.automatic.change if found.automatic else None) == automatic
    assert found.tries <= MAX_TRIES
    if found.allowed:
        assert found.allowed.verdict.decision in {Decision.ALLOW, Decision.STEP_UP}
    if found.automatic:
        assert found.automatic.verdict.decision is Decision.ALLOW


@pytest.mark.parametrize("value", ["b.txt", 7])
def test_a_value_that_the_principal_supplies_regains_its_integrity(value: Json) -> None:
    wanted: Mapping[str, Json] = {"name": value}
    facts = evidence(received=UNTRUSTED, policy=policy())
    plan = planned([step("make", "make@1", arguments=wanted)], facts)
    tried = nearest(plan, redecided(plan, facts, NOW), facts, NOW)
    assert tried.allowed is not None


def test_the_search_is_bounded() -> None:
    many = {f"a{number}": "x" for number in range(MAX_TRIES * 2)}
    facts = evidence()
    plan = planned([step("unmake", "unmake@1", arguments={"name": "main", **many})], facts)
    found = nearest(plan, redecided(plan, facts, NOW), facts, NOW)
    assert (found.tries, found.automatic) == (MAX_TRIES, None)


def test_what_an_edit_breaks_is_no_change() -> None:
    used = step("s2", "write@1", arguments={"path": "a", "content": {"$ref": "s1.output"}})
    facts = rules("{deny: read, id: d}")
    plan = planned([step("s1", "read@1", arguments={"path": "a"}), used], facts)
    assert nearest(plan, redecided(plan, facts, NOW), facts, NOW).allowed is None
