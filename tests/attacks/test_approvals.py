"""Approvals under attack: each row is a word that must not count, and the code that says why.

The plan under approval is always the same: one that a person must confirm.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.support.world import World, proposal, write

from interlock.artifact import codec
from interlock.artifact.approval import Approval
from interlock.artifact.errors import InterlockError
from interlock.artifact.signing import Signer, sign
from interlock.decide.life import Status
from interlock.harness.keys import own_signer, public_key
from interlock.harness.workspace import approver_folder

RULES = """
rules:
  - allow: "*"
    id: all
  - verify: files.write
    tier: 3
    approvals: {approvals}
    id: ask
"""


def pending(world: World) -> str:
    """The digest of a plan that waits for a person."""
    task = world.task()
    decided = world.harness.propose(task.id, proposal(task, write("s1", "a.txt", "x")))
    assert decided.status is Status.PENDING
    assert decided.digest is not None
    return decided.digest


@pytest.fixture
def asking(make_world: Callable[..., World]) -> World:
    return make_world(rules=RULES.format(approvals=1))


def forged(world: World, digest: str) -> bytes:
    stranger = Signer(Ed25519PrivateKey.generate())
    row = world.harness.core.store.plan(digest)
    approval = codec.decode(_payload(world.approval(digest)), Approval)
    return sign(stranger, "approval", row.digest, approval)


def _payload(envelope: bytes) -> bytes:
    import base64
    import json

    return json.dumps(json.loads(base64.b64decode(json.loads(envelope)["payload"]))["predicate"]).encode()


def by_the_harness(world: World, digest: str) -> bytes:
    approval = codec.decode(_payload(world.approval(digest)), Approval)
    return sign(world.harness.core.keys.signer, "approval", digest, approval)


def of_another_person(world: World, digest: str) -> bytes:
    world.trust("bob")
    approval = codec.decode(_payload(world.approval(digest)), Approval)
    return sign(own_signer(approver_folder(), "bob", create=False), "approval", digest, approval)


def by_a_revoked_key(world: World, digest: str) -> bytes:
    envelope = world.approval(digest)
    signer = own_signer(approver_folder(), "alice", create=False)
    world.harness.core.keys.revoke(signer.id, world.harness.core.clock() - 1)
    return envelope


def before_the_key_counts(world: World, digest: str) -> bytes:
    signer = own_signer(approver_folder(), "carol", create=True)
    core = world.harness.core
    core.keys.trust(public_key(signer.public, "carol", ("approver",), core.clock() + 60_000))
    return world.approval(digest, "carol")


def about_another_subject(world: World, digest: str) -> bytes:
    approval = codec.decode(_payload(world.approval(digest)), Approval)
    return sign(own_signer(approver_folder(), "alice", create=False), "approval", "1" * 64, approval)


def as_another_kind(world: World, digest: str) -> bytes:
    approval = codec.decode(_payload(world.approval(digest)), Approval)
    return sign(own_signer(approver_folder(), "alice", create=False), "plan", digest, approval)


def altered(world: World, digest: str) -> bytes:
    return world.approval(digest).replace(b'"payload":"', b'"payload":"A', 1)


ATTACKS: dict[str, tuple[Callable[[World, str], bytes], str]] = {
    "signed by a key that nobody trusts": (forged, "signature.untrusted"),
    "signed by the harness itself": (by_the_harness, "signature.untrusted"),
    "signed by another approver in alice's name": (of_another_person, "approval.owner"),
    "signed by a key that was revoked": (by_a_revoked_key, "signature.untrusted"),
    "signed by a key before it counts": (before_the_key_counts, "signature.untrusted"),
    "a subject that is not the plan": (about_another_subject, "approval.plan"),
    "a statement of another kind": (as_another_kind, "signature.kind"),
    "an envelope with a byte more": (altered, ""),
    "no envelope": (lambda _world, _digest: b"", "codec.syntax"),
    "a plan that does not exist": (lambda w, d: w.approval(d, plan="1" * 64), "plan.unknown"),
    "another policy": (lambda w, d: w.approval(d, policy="1" * 64), "approval.policy"),
    "other manifests": (lambda w, d: w.approval(d, manifests="1" * 64), "approval.manifests"),
    "another preview": (lambda w, d: w.approval(d, preview="1" * 64), "approval.preview"),
    "issued an hour ago": (lambda w, d: w.approval(d, issued_at=w.harness.core.clock() - 3_600_000), "approval.time"),
    "issued in the future": (lambda w, d: w.approval(d, issued_at=w.harness.core.clock() + 3_600_000), "approval.time"),
    "already expired": (lambda w, d: w.approval(d, expires_at=w.harness.core.clock() - 1), "approval.time"),
    "outlives its plan": (lambda w, d: w.approval(d, expires_at=1 << 50), "approval.time"),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_a_word_that_must_not_count(asking: World, name: str) -> None:
    attack, code = ATTACKS[name]
    digest = pending(asking)
    envelope = attack(asking, digest)
    with pytest.raises(InterlockError) as caught:
        asking.harness.approve(envelope)
    assert caught.value.code.startswith(code)
    assert asking.harness.core.store.plan(digest).status is Status.PENDING
    with pytest.raises(InterlockError, match=r"plan\.pending"):
        asking.harness.execute(digest)


def test_the_same_word_counts_once_and_a_used_one_never_again(make_world: Callable[..., World]) -> None:
    world = make_world(rules=RULES.format(approvals=2))
    digest = pending(world)
    envelope = world.approval(digest)
    assert world.harness.approve(envelope) is Status.PENDING
    for again in (envelope, world.approval(digest)):
        with pytest.raises(InterlockError, match=r"approval\.repeated"):
            world.harness.approve(again)
    world.trust("bob")
    assert world.harness.approve(world.approval(digest, "bob")) is Status.APPROVED
    with pytest.raises(InterlockError, match=r"approval\.not_pending"):
        world.harness.approve(world.approval(digest, "bob"))


def test_where_duties_are_separated_the_requester_cannot_approve(make_world: Callable[..., World]) -> None:
    world = make_world(rules=RULES.format(approvals=1), extra="[approvals]\nseparate_duties = true\n")
    digest = pending(world)
    with pytest.raises(InterlockError, match=r"approval\.self"):
        world.harness.approve(world.approval(digest))
    world.trust("bob")
    assert world.harness.approve(world.approval(digest, "bob")) is Status.APPROVED


def test_a_denial_ends_it(asking: World) -> None:
    digest = pending(asking)
    assert asking.harness.approve(asking.approval(digest, word="deny")) is Status.DENIED
    with pytest.raises(InterlockError, match=r"approval\.not_pending"):
        asking.harness.approve(asking.approval(digest))


def test_silence_is_denial(asking: World) -> None:
    digest = pending(asking)
    now = asking.harness.core.clock()
    asking.harness.core.clock = lambda: now + 3_700_000
    with pytest.raises(InterlockError, match=r"approval\.time|plan\.pending"):
        asking.harness.approve(asking.approval(digest))


@pytest.mark.sandbox
def test_approval_binds_the_policy_that_was_in_force(asking: World) -> None:
    digest = pending(asking)
    asking.harness.approve(asking.approval(digest))
    (asking.files / "policy" / "more.yaml").write_text('rules:\n  - deny: "files.delete"\n    id: more\n')
    harness = asking.reopen()
    with pytest.raises(InterlockError, match=r"policy\.changed"):
        harness.execute(digest)
    assert harness.core.store.plan(digest).status is Status.REVOKED
    assert not (asking.files / "a.txt").exists()


@pytest.mark.sandbox
def test_a_preview_that_drifted_voids_the_approval(asking: World) -> None:
    (asking.files / "a.txt").write_text("what the person saw")
    digest = pending(asking)
    assert "what the person saw" in asking.harness.preview(digest)[0].text
    asking.harness.approve(asking.approval(digest))
    (asking.files / "a.txt").write_text("something else by now")
    with pytest.raises(InterlockError, match=r"preview\.drift"):
        asking.harness.execute(digest)
    assert (asking.files / "a.txt").read_text() == "something else by now"


@pytest.mark.sandbox
@pytest.mark.parametrize("column", ["doc", "digest"])
def test_a_plan_that_was_changed_after_its_approval_does_not_run(asking: World, column: str) -> None:
    digest = pending(asking)
    asking.harness.approve(asking.approval(digest))
    with sqlite3.connect(asking.workspace.state / "harness.db") as db:
        [(doc,)] = db.execute("SELECT doc FROM plan WHERE digest = ?", (digest,))
        changed = bytes(doc).replace(b'"a.txt"', b'"b.txt"')
        assert changed != bytes(doc)
        db.execute("UPDATE plan SET doc = ? WHERE digest = ?", (changed, digest))
        if column == "digest":
            other = codec.digest(codec.parse(changed))
            db.execute("UPDATE plan SET digest = ? WHERE digest = ?", (other, digest))
            digest = other
    db.close()
    with pytest.raises(InterlockError, match=r"plan\.altered|approval\.expired"):
        asking.harness.execute(digest)
    assert not (asking.files / "b.txt").exists()
    if column == "doc":
        [incident] = asking.harness.core.store.incidents(still_open=True)
        assert incident.code == "plan.altered"
        assert asking.harness.core.store.task(incident.task).frozen


def test_an_approval_names_exactly_one_plan(asking: World) -> None:
    first, second = pending(asking), pending(asking)
    envelope = asking.approval(first)
    asking.harness.approve(envelope)
    assert asking.harness.core.store.plan(second).status is Status.PENDING
    assert secrets.compare_digest(asking.harness.core.store.plan(first).digest, first)
