"""What a decision costs from a proposal's bytes to its durable record, for 1 and 10 steps and 20, 50, 200 rules.

Each proposal reads files that no other reads, and all must be allowed, or the benchmark raises.  It is decoded,
checked, judged by policy and flow, stamped, charged to the budget, put into a signed receipt, into two ledger entries
and into a stored plan.  ``batch``: ``BATCH`` proposals share a group commit; ``each_durable``: every one has its own.
``fresh_facts`` is the batch without what the policy engine remembers, as if each step's facts were new to it.

The baseline is one bare Cedar call per step over the same rules, with parsed policies and an entity made for the
request (``benchmarks.policy.bare_call``); ``over_floor`` compares with what somebody would write by hand.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from benchmarks.measuring import Row, medians, repeated, row, table
from benchmarks.policy import bare_call, forget, rules
from interlock.artifact import codec
from interlock.artifact.plan import Proposal, ProposedStep
from interlock.artifact.task import Budget, Task
from interlock.artifact.verdict import Decision
from interlock.harness.service import Harness
from interlock.harness.workspace import load

BATCH = 200
CONFIGURATION = 'id = "bench"\n[actions]\ngroups = ["files"]\n[limits]\nusesPerMinute = 1000000000\n'
ENOUGH = Budget(steps=10**9, plans=10**9)


def run(*, tiny: bool = False) -> list[Row]:
    """Microseconds per proposal."""
    return [found for count in ((20,) if tiny else (20, 50, 200)) for found in _with_rules(count, tiny=tiny)]


def _with_rules(count: int, *, tiny: bool) -> list[Row]:
    bare, floor = bare_call(count), _floor(count)
    text = rules(count).replace("scope: {project: web}", "effect: [read]")
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        usual, fresh = (opened(Path(folder, name), text, stack) for name in ("usual", "fresh"))
        forget(fresh[0].core.policy)
        for steps in (1, 10):
            size = 2 if tiny else BATCH // steps
            each, calls = (1, 1) if tiny else (20 // steps, 200 // steps)
            batch, durable, unknown, cedar, hand = medians(
                (_proposing(*usual, steps, size), size),
                (repeated(_proposing(*usual, steps, 1), each), each),
                (_proposing(*fresh, steps, size), size),
                (repeated(bare, steps * calls), calls),
                (repeated(floor, steps * calls), calls),
                rounds=1 if tiny else 15,
            )
            name = f"decision.{steps}_steps.{count}_policies"
            found += [
                row(f"{name}.batch", batch * 1e6, "us", cedar * 1e6),
                row(f"{name}.batch.fresh_facts", unknown * 1e6, "us", cedar * 1e6),
                row(f"{name}.each_durable", durable * 1e6, "us", cedar * 1e6),
                row(f"{name}.batch.over_floor", batch * 1e6, "us", hand * 1e6),
            ]
    return found


def opened(folder: Path, text: str, stack: ExitStack) -> tuple[Harness, Task]:
    """A harness on a new workspace with these rules, and a task with more budget than is needed."""
    workspace = folder / "workspace"
    (workspace / "policy").mkdir(parents=True)
    (workspace / "interlock.toml").write_text(CONFIGURATION)
    (workspace / "policy" / "rules.yaml").write_text(text)
    os.environ["INTERLOCK_STATE"] = str(folder / "state")
    os.environ["INTERLOCK_APPROVER"] = str(folder / "person")
    harness = stack.enter_context(Harness(load(workspace)))
    task = harness.start_task("measure", budget=ENOUGH)
    harness.core.store.load_groups(task.id, task.groups)
    return harness, task


def _proposing(harness: Harness, task: Task, steps: int, size: int) -> Callable[[], None]:
    """Propose that many; the bytes are made beforehand, as a planner's are, enough for all rounds."""
    made = _proposals(task, steps)
    waiting = iter([[next(made) for _ in range(size)] for _ in range(400 if size == 1 else 17)])  # Each once a round.

    def work() -> None:
        for decided in harness.propose_all(task.id, next(waiting)):
            if decided.verdict.decision is not Decision.ALLOW or decided.digest is None:
                raise RuntimeError(f"the proposals must be allowed: {decided.verdict}")

    return work


_numbers = itertools.count(1)


def _proposals(task: Task, steps: int) -> Iterator[bytes]:
    """Proposals that all differ."""
    digest = codec.digest(task)
    for plan in _numbers:
        made = tuple(
            ProposedStep(id=f"s{number}", action="files.read@1", arguments={"path": f"src/{plan}/{number}.py"})
            for number in range(steps)
        )
        yield codec.encode(Proposal(task=digest, goal="measure", steps=made))


def _floor(count: int) -> Callable[[], bool]:
    """What somebody would write by hand: prefix tests over the same rules, and a chained record in memory."""
    denied = [(f"files.w{number}", f"/home/u/.cfg{number}/", f".k{number}") for number in range(count - 2)]
    records: list[str] = [""]

    def decide() -> bool:
        action, path = "files.read", f"/home/u/web/src/{len(records)}.py"
        bad = any(action.startswith(name) and (path.startswith(pre) or path.endswith(end)) for name, pre, end in denied)
        allowed = action.startswith("files.") and not bad
        records.append(hashlib.sha256(f"{records[-1]} {action} {path} {allowed}".encode()).hexdigest())
        return allowed

    return decide


if __name__ == "__main__":
    print(table(run()))
