"""What a real harness records about a real run and its rollback is what the auditor's verifier demands."""

from __future__ import annotations

import pytest
from tests.support.world import World, proposal, write

from interlock.harness.ledger.export import lines
from interlock.verify import verify_bundle


@pytest.mark.sandbox
def test_a_run_and_its_rollback_verify_with_every_payload(world: World) -> None:
    (world.files / "a.txt").write_text("old\n")
    decided = world.harness.propose((task := world.task()).id, proposal(task, write("s1", "a.txt", "new\n")))
    assert decided.digest is not None
    early = world.harness.core.ledger.checkpoint()
    world.harness.execute(decided.digest)
    world.harness.rollback(decided.digest)
    ledger, keyring = world.harness.core.ledger, world.harness.core.keys.keyring
    report = verify_bundle(lines(ledger, range(ledger.size)), [ledger.key], since=early, keyring=keyring)
    assert report.disclosed == report.size == ledger.size
    assert report.statements == 4
    kinds = [entry.kind for entry in ledger.entries()]
    assert {"intention", "outcome", "undo"} <= set(kinds)
