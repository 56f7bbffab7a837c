"""Where a proof is demanded, no decision exists without a certificate, and every word and receipt quotes it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from importlib import resources

import pytest
from msgspec import UNSET
from tests.support.rows import plan_row
from tests.support.world import World, proposal, write

from interlock.artifact import codec
from interlock.artifact.approval import Approval
from interlock.artifact.certificate import Certificate
from interlock.artifact.errors import InterlockError
from interlock.artifact.receipt import Receipt
from interlock.artifact.signing import verify
from interlock.decide.life import Status
from interlock.harness.ledger.export import lines
from interlock.harness.store import Store
from interlock.verify import verify_bundle
from interlock.verify.statements import verify_statement

BASELINE = resources.files("interlock.decide.policy").joinpath("baseline.yaml").read_text("utf-8")
RULES = BASELINE + "  - {verify: files.write, path: ./ask.txt, id: ask}\n"
REQUIRED = '[policy]\nproof = "required"\n'
ODD = "rules:\n  - deny: files.delete\n    untrusted: false\n    id: odd\n"
MINE = (
    "invariants:\n  - id: mine\n    never: {verdict: ALLOW, when: {action: mail.send, untrusted: true, effect: send}}\n"
)


@pytest.fixture
def proved(make_world: Callable[..., World]) -> World:
    return make_world(rules=RULES, extra=REQUIRED)


def pending(world: World) -> str:
    """The digest of a plan that a person must confirm."""
    decided = world.harness.propose((task := world.task()).id, proposal(task, write("s1", "ask.txt", "x")))
    assert decided.digest and decided.status is Status.PENDING
    return decided.digest


def certificates(world: World) -> list[str]:
    """The digests of the recorded certificates."""
    core = world.harness.core
    found = [index for index, entry in enumerate(core.ledger.entries()) if entry.code == "policy.proved"]
    words = [verify(core.ledger.payload(one), core.keys.keyring, "harness", "certificate", Certificate, at=core.clock())
             for one in found]  # fmt: skip
    return [codec.digest(word.predicate) for word in words]


def decisions(world: World) -> int:
    return sum(entry.kind == "decision" for entry in world.harness.core.ledger.entries())


@pytest.mark.sandbox
def test_every_word_and_every_receipt_quotes_the_certificate(proved: World) -> None:
    digest = pending(proved)
    proved.harness.approve(proved.approval(digest))
    assert proved.harness.execute(digest) is Status.DONE
    proved.harness.rollback(digest)
    core = proved.harness.core
    [certificate] = certificates(proved)
    payloads = [(entry, core.ledger.payload(index)) for index, entry in enumerate(core.ledger.entries())]
    said = [verify_statement(entry, raw, core.keys.keyring) for entry, raw in payloads]
    quoting = [one for one in said if isinstance(one, Receipt | Approval)]
    assert {type(one) for one in quoting} == {Receipt, Approval}
    assert {one.certificate for one in quoting} == {certificate}
    report = verify_bundle(lines(core.ledger, range(core.ledger.size)), [core.ledger.key], keyring=core.keys.keyring)
    assert (report.certificates, report.statements) == (1, len(quoting) + 1)


def test_where_no_proof_is_demanded_none_is_quoted(make_world: Callable[..., World]) -> None:
    world = make_world(rules=RULES)
    row = world.harness.core.store.plan(pending(world))
    assert (row.certificate, row.certified) == ("", UNSET)
    with pytest.raises(InterlockError, match=r"approval\.certificate"):
        world.harness.approve(world.approval(row.digest, certificate="1" * 64))


QUOTES = {"none": UNSET, "of another policy": "1" * 64, "of the same policy, proved later": None}


@pytest.mark.parametrize("name", QUOTES)
def test_a_word_that_quotes_another_certificate_does_not_count(proved: World, name: str) -> None:
    quote, digest = QUOTES[name], pending(proved)
    if quote is None:
        (proved.files / "policy" / "invariants").mkdir()
        (proved.files / "policy" / "invariants" / "mine.yaml").write_text(MINE)
        proved.harness.core.require_proof()
        quote = certificates(proved)[1]
    with pytest.raises(InterlockError, match=r"approval\.certificate"):
        proved.harness.approve(proved.approval(digest, certificate=quote))
    assert proved.harness.core.store.plan(digest).status is Status.PENDING


def test_a_policy_that_is_not_proved_decides_nothing_by_any_way_in(proved: World) -> None:
    digest, task = pending(proved), proved.task()
    proved.harness.approve(proved.approval(digest))
    before = decisions(proved)
    (proved.files / "policy" / "odd.yaml").write_text(ODD)
    proved.harness.core.refresh()
    plan = proposal(task, write("s1", "a.txt", "x"))
    ways: dict[str, Callable[[], object]] = {
        "a task": lambda: proved.harness.start_task("more"),
        "a proposal": lambda: proved.harness.propose(task.id, plan),
        "an observation": lambda: proved.harness.observe(task.id, "files.read@1", {"path": "a.txt"}),
        "an execution": lambda: proved.harness.execute(digest),
    }
    for name, way in ways.items():
        with pytest.raises(InterlockError, match=r"policy\.(unproved|changed)"):
            assert way() is name
    assert decisions(proved) == before


def test_what_was_decided_without_a_proof_does_not_run_once_one_is_demanded(make_world: Callable[..., World]) -> None:
    world = make_world(rules=RULES)
    digest = pending(world)
    world.harness.approve(world.approval(digest))
    with (world.files / "interlock.toml").open("a") as file:
        file.write(REQUIRED)
    harness = world.reopen()
    with pytest.raises(InterlockError, match=r"policy\.unproved"):
        harness.execute(digest)
    assert harness.core.store.plan(digest).status is Status.REVOKED


def test_a_store_from_before_certificates_opens(proved: World) -> None:
    path = proved.workspace.state / "old.db"
    Store(path).close()
    with sqlite3.connect(path) as db:
        db.execute("ALTER TABLE plan DROP COLUMN certificate")
    db.close()
    store = Store(path)
    store.put_plan(plan_row(1))
    assert store.plan(plan_row(1).digest).certificate == ""
    store.close()
