"""The attacker owns the planner and asks the gate questions: its denials tell no value, and only so many tell why."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.attacks.test_hostile_planner import Seen, calls, session
from tests.support.world import World, proposal, step

from interlock.artifact.channel_pb2 import Finding, Observe, PlannerCall, Propose
from interlock.artifact.codec import Json
from interlock.artifact.label import Confidentiality, Integrity, Label
from interlock.artifact.plan import ProposedStep
from interlock.harness.told import Told

SEEN = Label(confidentiality=Confidentiality.RESTRICTED, integrity=Integrity.UNTRUSTED, sources=("vault.txt",))
SECRETS = ("sk_live_9f8e7d6c5b4a39281706", "no", "x" * 4096, "🔑\u00e9")


def sends(body: Json) -> ProposedStep:
    return step("s1", "http.post@1", arguments={"url": "https://known.example/", "body": body})


CARRIERS: dict[str, Callable[[Json], ProposedStep]] = {
    "a body": sends,
    "a header": lambda secret: step(
        "s1", "http.get@1", arguments={"url": "https://known.example/", "headers": {"x": secret}}
    ),
    "content outside": lambda secret: step("s1", "files.write@1", arguments={"path": "/etc/x", "content": secret}),
    "a condition": lambda secret: step(
        "s1", "files.write@1", arguments={"path": "/etc/x", "content": "x"}, when={"$eq": [secret, "no"]}
    ),
    "an argument that does not fit": lambda secret: step(
        "s1", "files.write@1", arguments={"path": "/etc/x", "content": {"x": secret}}
    ),
}


@pytest.mark.parametrize("name", CARRIERS)
def test_proposals_that_differ_only_in_a_secret_get_the_same_findings(
    make_world: Callable[..., World], name: str
) -> None:
    world = make_world(extra="[limits]\nexplainedDenials = 99\n")
    task, core = world.task(), world.harness.core
    core.store.receive(task.id, SEEN)
    told = Told(core.store, 99)
    found: list[list[Finding]] = []
    for secret in SECRETS:
        decided = world.harness.propose(task.id, proposal(task, CARRIERS[name](secret)))
        found.append(told.findings(task.id, decided))
    assert found[0]
    assert all(one == found[0] for one in found)
    said = b"".join(finding.SerializeToString() for one in found for finding in one)
    assert all(secret.encode() not in said for secret in SECRETS if secret != "no")


def test_after_so_many_denials_only_the_decision_is_told_in_every_session(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(extra="[limits]\nexplainedDenials = 2\n")
    task = world.task()
    seen: Seen = []
    denied = PlannerCall(propose=Propose(proposal=proposal(task, CARRIERS["content outside"]("x"))))
    allowed = PlannerCall(propose=Propose(proposal=proposal(task, step("s1", "files.list@1", arguments={"path": "."}))))
    read = PlannerCall(observe=Observe(action="files.read@1", arguments=b'{"path":"/etc/shadow"}'))
    session(world, task.id, calls(seen, denied, read, denied, allowed, read), monkeypatch)
    session(world, task.id, calls(seen, denied), monkeypatch)
    assert [one.judgement.decision for one in seen] == ["DENY", "", "DENY", "ALLOW", "", "DENY"]
    assert [bool(one.judgement.findings) for one in seen] == [True, False, False, True, False, False]
    assert [one.refusal.code for one in seen if one.refusal.code] == ["scope.path", "gate.denied"]


def test_another_task_has_denials_of_its_own(world: World) -> None:
    told = Told(world.harness.core.store, 1)
    assert [told.in_detail("t1"), told.in_detail("t1"), told.in_detail("t2")] == [True, False, True]
