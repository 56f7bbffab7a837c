"""The judge at work: asked outside of every transaction, kept with the decision, and asked again only about news."""

from __future__ import annotations

import functools
import json
import sqlite3
from collections.abc import Callable, Iterator

import pytest
from tests.support.in_process import InProcess
from tests.support.judges import JudgeProvider
from tests.support.world import ALLOW_ALL, World, proposal, step, write

from interlock.artifact import codec
from interlock.artifact.analysis import Analysis, Question
from interlock.artifact.codec import Json
from interlock.artifact.errors import StateError
from interlock.artifact.label import Confidentiality, Label
from interlock.artifact.opinion import FAULTS
from interlock.artifact.plan import ProposedStep
from interlock.artifact.task import Task
from interlock.artifact.verdict import Decision, Verdict
from interlock.decide.life import Status
from interlock.harness.proposals import Decided, Proposals
from interlock.harness.replaying import replay
from interlock.harness.store import Store
from support.local_model import MODEL, local_model

pytestmark = pytest.mark.sandbox
MakeWorld = Callable[..., World]


@pytest.fixture
def provider() -> Iterator[JudgeProvider]:
    judge = JudgeProvider()
    yield judge
    judge.close()


@pytest.fixture
def world(provider: JudgeProvider, make_world: MakeWorld) -> World:
    found = make_world(extra=provider.section())
    (found.files / "work").mkdir()
    return found


def raised(verdict: Verdict) -> set[str]:
    return {reason.code for reason in verdict.reasons if reason.decision is not Decision.ALLOW}


def proposed(world: World, task: Task, *steps: ProposedStep) -> Decided:
    return world.harness.propose(task.id, proposal(task, *steps))


def free(store: Store) -> bool:
    """Whether somebody else can write to the store now."""
    [path] = [row[2] for row in store._db.execute("PRAGMA database_list")]
    other = sqlite3.connect(path, isolation_level=None, timeout=0)
    try:
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return False
    finally:
        other.close()
    return True


class Watching(InProcess):
    """An analyst that looks whether the store is held while it is asked."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store, self.seen = store, list[bool]()

    def ask(self, task: str, question: Question) -> Analysis:
        self.seen.append(free(self.store))
        return super().ask(task, question)


def test_neither_the_judge_nor_the_analyst_holds_the_store(provider: JudgeProvider, make_world: MakeWorld) -> None:
    world = make_world(
        rules=ALLOW_ALL + "  - {modify: files.delete, with: set-aside, id: aside}\n", extra=provider.section()
    )
    core, seen = world.harness.core, list[bool]()
    provider.says = lambda right: seen.append(free(core.store)) or right  # type: ignore[func-returns-value]
    task, reader = world.task(), Watching(core.store)
    proposals = Proposals(core, unattended=False, reader=reader, judge=world.harness._judge)
    lines: list[Json] = [["touch", "b.txt"], ["ls"]]
    runs = [step(f"s{n}", "shell.run@1", arguments={"argv": line, "directory": "."}) for n, line in enumerate(lines)]
    deleted = step("s9", "files.delete@1", arguments={"path": "../a.txt"})
    plans = [proposal(task, *runs), proposal(task, runs[0]), proposal(task, write("s1", "a.txt", "x"), deleted)]
    decided = proposals.propose_all([(task.id, plan) for plan in plans])
    assert len(decided) == 3
    assert seen
    assert all([*seen, *reader.seen])
    assert not [reason for one in decided for reason in one.verdict.reasons if reason.code.endswith(".late")]


def test_a_successor_is_judged_and_not_what_it_replaces(provider: JudgeProvider, make_world: MakeWorld) -> None:
    world = make_world(
        rules=ALLOW_ALL + "  - {modify: files.delete, with: set-aside, id: aside}\n", extra=provider.section()
    )
    (world.files / "a.txt").write_text("x")
    task = world.task()
    decided = proposed(world, task, step("s1", "files.delete@1", arguments={"path": "a.txt"}))
    assert (decided.verdict.decision, len(decided.before)) == (Decision.ALLOW, 1)
    assert [one["steps"][0]["action"] for one in provider.inquiries] == ["files.move@1"]


def test_the_call_the_opinion_and_the_distance_are_on_record(provider: JudgeProvider, world: World) -> None:
    provider.plan, provider.distance = "unclear", 42
    task, core = world.task(), world.harness.core
    decided = proposed(world, task, write("s1", "a.txt", "x"))
    entries = list(core.ledger.entries())
    [at] = [index for index, entry in enumerate(entries) if entry.kind == "completion"]
    kept = json.loads(core.ledger.payload(at))
    assert (entries[at].code, entries[at].task, kept["tokens"]) == ("judge.unclear", task.id, 18)
    assert kept["opinion"]["steps"] == [{"distance": 42, "step": "s1", "word": "unclear"}]
    assert [entry.kind for entry in entries].index("completion") < [entry.kind for entry in entries].index("decision")
    opinion, _ = core.contexts.judged(core.store.plan(decided.digest or "").context)
    assert opinion is not None
    assert codec.builtin(opinion) == kept["opinion"]
    assert core.opinions.distances(task.id) == [42]


def test_what_was_approved_is_not_asked_about_again_unless_its_labels_have_changed(
    provider: JudgeProvider, world: World
) -> None:
    core = world.harness.core
    task = world.task()
    digest = proposed(world, task, write("s1", "a.txt", "x")).digest or ""
    assert world.harness.execute(digest) is Status.DONE
    assert len(provider.inquiries) == 1
    task = world.task()
    digest = proposed(world, task, write("s1", "b.txt", "x")).digest or ""
    core.store.receive(task.id, Label(confidentiality=Confidentiality.INTERNAL))
    provider.plan = "contrary"
    with pytest.raises(StateError) as revoked:
        world.harness.execute(digest)
    assert revoked.value.code == "judge.contrary"
    assert len(provider.inquiries) == 3
    assert core.store.plan(digest).status is Status.REVOKED


def test_a_fault_that_a_person_has_approved_runs(provider: JudgeProvider, world: World) -> None:
    provider.says = lambda _: "no answer"
    digest = proposed(world, world.task(), write("s1", "a.txt", "x")).digest or ""
    world.harness.approve(world.approval(digest))
    assert world.harness.execute(digest) is Status.DONE
    assert (world.files / "a.txt").read_text() == "x"


def of_one_step(word: str, right: dict[str, object]) -> dict[str, object]:
    """The word about a plan of one step, or about one step before it runs; what was said of a longer plan stays."""
    return right | {"plan": word} if len(right["steps"]) == 1 else right  # type: ignore[arg-type]


def test_what_a_command_is_is_judged_again_when_it_is_known(provider: JudgeProvider, world: World) -> None:
    (world.files / "work" / "line.txt").write_text("later.txt")
    first = step("s1", "files.read@1", arguments={"path": "work/line.txt"})
    later: list[Json] = ["touch", {"$ref": "s1.output.text"}]
    second = step("s2", "shell.run@1", arguments={"argv": later, "directory": "work"})
    for word, status in (("fits", Status.DONE), ("contrary", Status.HALTED)):
        provider.says = functools.partial(of_one_step, word)
        task = world.task(f"touch what the file names: {word}")
        decided = proposed(world, task, first, second)
        assert "effects.opaque" in raised(decided.verdict)
        assert not {code for code in raised(decided.verdict) if code.startswith("judge.")}
        world.harness.approve(world.approval(decided.digest or ""))
        assert world.harness.execute(decided.digest or "") is status
    told = provider.inquiries[-1]["steps"]
    assert [one["id"] for one in told] == ["s2"]
    assert told[0]["arguments"]["argv"]["value"] == ["touch", "later.txt"]
    assert "file:" + str(world.files / "work" / "later.txt") in {one["on"] for one in told[0]["effects"]}
    assert world.harness.core.store.plan(decided.digest or "").stopped == "judge.contrary"


def test_a_task_that_drifts_is_raised_and_its_reads_are_not(provider: JudgeProvider, make_world: MakeWorld) -> None:
    world = make_world(extra=provider.section() + "[limits]\ndrift = 50\n")
    provider.distance = 51
    task = world.task()
    for number in range(4):
        assert proposed(world, task, write("s1", f"{number}.txt", "x")).verdict.decision is Decision.ALLOW
    decided = proposed(world, task, write("s1", "a.txt", "x"))
    assert raised(decided.verdict) == {"intent.drift"}
    (world.files / "read.txt").write_text("x")
    assert world.harness.observe(task.id, "files.read@1", {"path": "read.txt"}).value
    assert proposed(world, world.task(), write("s1", "b.txt", "x")).verdict.decision is Decision.ALLOW
    world.harness.approve(world.approval(decided.digest or ""))
    assert world.harness.execute(decided.digest or "") is Status.DONE


def test_a_plan_that_waited_is_judged_again_only_where_it_was_not(
    provider: JudgeProvider, make_world: MakeWorld
) -> None:
    world = make_world(extra=provider.section() + "[limits]\nusesPerMinute = 1\n")
    core = world.harness.core
    proposed(world, world.task(), write("s1", "a.txt", "x"))
    judged = proposed(world, world.task(), write("s1", "b.txt", "x"))
    provider.says = lambda _: "no answer"
    task = world.task()
    unjudged = proposed(world, task, write("s1", "c.txt", "x"))
    assert (judged.status, unjudged.status) == (Status.DEFERRED, Status.DEFERRED)
    free_when_asked = list[bool]()
    provider.says = lambda right: free_when_asked.append(free(core.store)) or right  # type: ignore[func-returns-value]
    now = core.clock()
    for minute, decided in enumerate((judged, unjudged), 1):
        core.clock = functools.partial(int, now + 61_000 * minute)
        assert world.harness.execute(decided.digest or "") is Status.DONE
    assert free_when_asked == [True]
    assert core.opinions.distances(task.id) == [provider.distance]


def test_replaying_decides_with_the_opinions_that_were_given(provider: JudgeProvider, make_world: MakeWorld) -> None:
    world = make_world()
    before = proposed(world, world.task(), write("s1", "a.txt", "x"))
    toml = world.files / "interlock.toml"
    toml.write_text(toml.read_text() + provider.section())
    world.reopen()
    for word in ("fits", "contrary"):
        provider.plan = word
        proposed(world, world.task(word), write("s1", "a.txt", "x"))
    core = world.harness.core
    found = replay(core, core.policy, 0).plans
    assert [one.new.decision for one in found] == [Decision.ALLOW, Decision.ALLOW, Decision.STEP_UP]
    assert [(one.flips, one.differs) for one in found] == [(False, ())] * 3
    assert found[0].plan == before.digest


def test_a_real_model_that_nobody_scripted_ends_as_a_word_or_a_fault(make_world: MakeWorld) -> None:
    with local_model() as url:
        world = make_world(
            extra=f'[judge]\nbase_url = "{url}"\nname = "{MODEL}"\nallow_private = true\ntimeout_ms = 60000\n'
        )
        decided = proposed(world, world.task("Write x into a.txt"), write("s1", "a.txt", "x"))
        said = raised(decided.verdict)
        assert said <= FAULTS | {"judge.unclear", "judge.contrary"}
        assert (decided.verdict.decision is Decision.ALLOW) == (not said)
        [entry] = [entry for entry in world.harness.core.ledger.entries() if entry.kind == "completion"]
        assert entry.code in FAULTS - {"judge.outage", "judge.timeout"} | {
            "judge.fits",
            "judge.unclear",
            "judge.contrary",
        }
        world.close()
