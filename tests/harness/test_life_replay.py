"""What real ledgers say of their plans, replayed through the table of a plan's life: no run leaves the model."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.support.replay import TABLE, event_of, left_the_model, possible
from tests.support.world import World, proposal, step, write

from interlock.artifact.entry import Entry
from interlock.artifact.errors import StateError
from interlock.artifact.task import Budget
from interlock.decide.life import Event, Status
from interlock.harness.store import Store
from support.rows import plan_row, task

ASK = 'rules:\n  - allow: "*"\n    id: all\n  - verify: files.write\n    tier: 3\n    id: ask\n'


def entry(kind: str, code: str = "", subject: str = "p") -> Entry:
    return Entry(kind=kind, at=0, task="t", subject=subject, code=code)  # type: ignore[arg-type]


def finished(world: World) -> None:
    world.harness.execute(pending(world, write("s1", "a.txt", "x")))


def undone(world: World) -> None:
    digest = pending(world, write("s1", "a.txt", "x"))
    world.harness.execute(digest)
    world.harness.rollback(digest)


def halted_and_resumed(world: World) -> None:
    digest = pending(world, write("s1", "a.txt", "x"), step("s2", "files.read@1", arguments={"path": "none"}))
    world.harness.execute(digest)
    world.files.joinpath("none").write_text("")
    world.harness.execute(world.harness.resume(digest, {}).digest or "")
    world.harness.revoke(digest, "over")


def revoked(world: World) -> None:
    world.harness.revoke(pending(world, write("s1", "a.txt", "x")), "changed my mind")


def expired(world: World) -> None:
    digest = pending(world, write("s1", "a.txt", "x"))
    now = world.harness.core.clock()
    world.harness.core.clock = lambda: now + 3_700_000
    with pytest.raises(StateError, match=r"plan\.expired"):
        world.harness.execute(digest)


def denied(world: World) -> None:
    pending(world, write("s1", "/etc/motd", "x"))


def pending(world: World, *steps: object) -> str:
    task_ = world.task()
    return world.harness.propose(task_.id, proposal(task_, *steps)).digest or ""  # type: ignore[arg-type]


RUNS = (finished, undone, halted_and_resumed, revoked, expired, denied)


@pytest.mark.sandbox
def test_no_run_leaves_the_model(world: World) -> None:
    for run in RUNS:
        run(world)
    world.reopen()
    assert left_the_model(world.harness.core, crashes=False) == []
    statuses = {row.status for row in world.harness.core.store.plans()}
    assert statuses >= {Status.DONE, Status.ROLLED_BACK, Status.REVOKED, Status.EXPIRED}


@pytest.mark.sandbox
def test_persons_words_stay_in_the_model(make_world: Callable[..., World]) -> None:
    world = make_world(rules=ASK)
    first, second, third = (pending(world, write("s1", "a.txt", "x")) for _ in range(3))
    world.harness.approve(world.approval(first))
    world.harness.deny(world.approval(second, word="deny"))
    assert world.harness.execute(first) is Status.DONE
    found = {row.digest: row.status for row in world.harness.core.store.plans()}
    assert found == {first: Status.DONE, second: Status.DENIED, third: Status.PENDING}
    assert left_the_model(world.harness.core, crashes=False) == []


def test_the_replay_notices_a_status_that_no_entry_explains(world: World) -> None:
    digest = pending(world, write("s1", "a.txt", "x"))
    world.harness.core.store.advance(digest, Event.SEAL)
    assert len(left_the_model(world.harness.core)) == 1


def test_the_replay_admits_only_what_the_entries_announce() -> None:
    ran = [entry("decision", "ALLOW"), entry("grant"), entry("intention", "a@1", "p/s1/0")]
    assert possible(ran, crashes=False) == possible([*ran, ran[-1]], crashes=False) == {Status.RUNNING}
    assert Status.DONE not in possible(ran)
    assert possible([*ran, entry("outcome", "done")], crashes=False) == {Status.DONE}
    assert possible([entry("decision", "DENY"), entry("grant")], crashes=False) == set()
    assert event_of(entry("snapshot")) is None
    assert event_of(entry("outcome", "done", "p/s1/0")) is None


class StoredLife(RuleBasedStateMachine):
    """The store against the model's table, with restarts and with crashes inside transactions."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._path = Path(self._folder.name) / "harness.db"
        self.store = Store(self._path)
        self.moves = {(row["from"], row["event"]): row["to"] for row in json.loads(TABLE.read_text())}
        self.plans: dict[str, str] = {}
        self.claims: dict[tuple[str, str, int], str] = {}
        self.spent = 0

    def teardown(self) -> None:
        self.store.close()
        self._folder.cleanup()

    @initialize()
    def a_task(self) -> None:
        self.store.put_task(task(budget=Budget(cost=10)))

    @rule(status=st.sampled_from(["proposed", "pending", "approved"]))
    def propose(self, status: str) -> None:
        row = plan_row(self.store.next_sequence(), Status(status))
        self.store.put_plan(row)
        self.plans[row.digest] = status

    @precondition(lambda self: self.plans)
    @rule(data=st.data(), event=st.sampled_from(list(Event)), crash=st.booleans())
    def move(self, data: st.DataObject, event: Event, crash: bool) -> None:
        digest = data.draw(st.sampled_from(sorted(self.plans)))
        wanted = self.moves.get((self.plans[digest], event.value))
        code = self.attempt(lambda: self.store.advance(digest, event), crash=crash)
        assert code == ("life.not_admitted" if wanted is None else "crash" if crash else "")
        if not code:
            self.plans[digest] = str(wanted)

    @precondition(lambda self: self.plans)
    @rule(data=st.data(), step=st.sampled_from(["s1", "s2"]), iteration=st.integers(0, 1), crash=st.booleans())
    def claim(self, data: st.DataObject, step: str, iteration: int, crash: bool) -> None:
        key = data.draw(st.sampled_from(sorted(self.plans))), step, iteration
        code = self.attempt(lambda: self.store.claim(*key, 0), crash=crash)
        assert code == ("claim.taken" if key in self.claims else "crash" if crash else "")
        if not code:
            self.claims[key] = "claimed"

    def attempt(self, deed: Callable[[], object], *, crash: bool = False) -> str:
        """The code of what came of it; a crash ends the process before its transaction commits."""
        try:
            with self.store.transaction():
                deed()
                if crash:
                    raise StateError("crash", "the process ends here")  # noqa: TRY301 - as a transaction meets it
        except StateError as error:
            return error.code
        return ""

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), state=st.sampled_from(["done", "failed", "unknown"]))
    def settle(self, data: st.DataObject, state: str) -> None:
        key = data.draw(st.sampled_from(sorted(self.claims)))
        self.store.settle(*key, state)
        self.claims[key] = state

    @rule(cost=st.integers(-4, 6), crash=st.booleans())
    def spend(self, cost: int, crash: bool) -> None:
        code = self.attempt(lambda: self.store.spend("t1", cost=cost), crash=crash)
        assert code == ("budget.cost" if cost > 0 and self.spent + cost > 10 else "crash" if crash else "")
        if not code:
            self.spent = max(0, self.spent + cost)

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.store = Store(self._path)

    @invariant()
    def what_is_stored_is_what_the_model_says(self) -> None:
        assert {row.digest: row.status.value for row in self.store.plans()} == self.plans
        found = {
            (one.plan, one.step, one.iteration): one.state for one in map(self.store.claims, self.plans) for one in one
        }
        assert found == self.claims


TestStoredLife = StoredLife.TestCase
TestStoredLife.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
