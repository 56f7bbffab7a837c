"""A whole decision, from a planner's bytes to a signed receipt in the ledger, against the bare Cedar call.

The bare call passes the same request's attributes as a per-request entity to a policy set that was parsed before.
The floor is a hand-written function over the same rules that answers and appends to a list.  Proposals differ in
every call, so that nothing is decided twice.  ``batch``: 50 proposals share a durable commit; ``each``: one each.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.policy import bare_call, rules
from interlock.artifact import codec
from interlock.artifact.plan import Proposal, ProposedStep
from interlock.artifact.task import Budget, Task
from interlock.harness.service import Harness
from interlock.harness.workspace import load

BATCH = 50
ROUNDS = 7
CONFIGURATION = 'id = "bench"\n[actions]\ngroups = ["files"]\n[limits]\nusesPerMinute = 1000000000\n'
ENOUGH = Budget(steps=10**9, plans=10**9)


def run() -> list[dict[str, object]]:
    """Microseconds per proposal, for 1 and 10 steps and 20, 50 and 200 rules."""
    return [row for count in (20, 50, 200) for row in _with_rules(count)]


def _with_rules(count: int) -> list[dict[str, object]]:
    bare = bare_call(count)
    floor = _floor(count)
    found: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        harness, task = _opened(Path(folder), count)
        with harness:
            for steps in (1, 10):
                proposals = _proposals(task, steps)
                batch, each, cedar, hand = _medians(
                    (lambda p=proposals: harness.propose_all(task.id, [next(p) for _ in range(BATCH)]), BATCH),
                    (lambda p=proposals: harness.propose_all(task.id, [next(p)]), 1),
                    (lambda s=steps: [bare() for _ in range(s)], 1),
                    (lambda s=steps: [floor() for _ in range(s)], 1),
                )
                found += [
                    _row(f"decision.{steps}_steps.{count}_policies.batch", batch, cedar),
                    _row(f"decision.{steps}_steps.{count}_policies.each_durable", each, cedar),
                    _row(f"decision.{steps}_steps.{count}_policies.batch_to_floor", batch, hand),
                ]
    return found


def _opened(folder: Path, count: int) -> tuple[Harness, Task]:
    workspace = folder / "workspace"
    (workspace / "policy").mkdir(parents=True)
    (workspace / "interlock.toml").write_text(CONFIGURATION)
    (workspace / "policy" / "rules.yaml").write_text(rules(count).replace("scope: {project: web}", "effect: [read]"))
    os.environ["INTERLOCK_STATE"] = str(folder / "state")
    os.environ["INTERLOCK_APPROVER"] = str(folder / "person")
    harness = Harness(load(workspace))
    task = harness.start_task("measure", budget=ENOUGH)
    harness.core.store.load_groups(task.id, task.groups)
    return harness, task


class _proposals:  # noqa: N801 - an iterator, used as a function is
    """Proposals that all differ."""

    def __init__(self, task: Task, steps: int) -> None:
        self._task = codec.digest(task)
        self._steps = steps
        self._count = 0

    def __next__(self) -> bytes:
        self._count += 1
        steps = tuple(
            ProposedStep(id=f"s{number}", action="files.read@1", arguments={"path": f"src/{self._count}/{number}.py"})
            for number in range(self._steps)
        )
        return codec.encode(Proposal(task=self._task, goal="measure", steps=steps))


def _floor(count: int) -> Callable[[], bool]:
    """What somebody would write by hand: prefix tests over the same rules, and a record in a list."""
    denied = [(f"files.w{number}", f"/home/u/.cfg{number}/", f".k{number}") for number in range(count - 2)]
    records: list[tuple[str, str, bool]] = []

    def decide() -> bool:
        action, path = "files.read", "/home/u/web/src/app.py"
        bad = any(action.startswith(name) and (path.startswith(pre) or path.endswith(end)) for name, pre, end in denied)
        allowed = action.startswith("files.") and not bad
        records.append((action, path, allowed))
        return allowed

    return decide


def _medians(*calls: tuple[Callable[[], object], int]) -> list[float]:
    """Interleaved; microseconds per proposal."""
    samples: list[list[float]] = [[] for _ in calls]
    for _ in range(ROUNDS):
        for (call, size), times in zip(calls, samples, strict=True):
            repeats = max(1, 100 // size)
            start = time.perf_counter()
            for _ in range(repeats):
                call()
            times.append((time.perf_counter() - start) / repeats / size * 1e6)
    return [statistics.median(times) for times in samples]


def _row(name: str, value: float, baseline: float) -> dict[str, object]:
    return {
        "name": name, "value": round(value, 1), "unit": "us", "baseline": round(baseline, 1),
        "ratio": round(value / baseline, 2),
    }  # fmt: skip
