"""What it costs to start a step, and to carry out a whole plan of ten steps.

A start is measured from the supervisor's call until it returns a child that is locked down, whose probes were all
refused: the moment from which a step can be told what to do.  ``warm``: a child waited; ``cold``: its zygote makes it
on demand; ``first``: the zygote itself is started.  ``folder`` is the same with one writable folder granted.  The
baseline is a fresh ``python -I -S -c pass`` of the same interpreter in the same run.
"""

from __future__ import annotations

import itertools
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks.decision import opened
from benchmarks.measuring import Row, row, table
from interlock.artifact import codec
from interlock.artifact.codec import Json
from interlock.artifact.plan import Proposal, ProposedStep
from interlock.decide.life import Status
from interlock.harness.sandbox.profiles import JailSpec, PathGrant, Violation
from interlock.harness.supervisor import Supervisor

RULES = "rules:\n  - {allow: 'files.*', id: all}\n"


def run(*, tiny: bool = False) -> list[Row]:
    """Milliseconds per start, and per plan."""
    return [*_starts(2 if tiny else 40), *_plans(1 if tiny else 7)]


def _starts(rounds: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        Path(folder).chmod(0o755)
        granted = JailSpec(paths=(PathGrant(path=str(Path(folder).resolve()), write=True),))
        warm = stack.enter_context(Supervisor(_unexpected))
        cold = stack.enter_context(Supervisor(_unexpected, pools={"step": 0}))
        warm.warm("step")
        cold.warm("step")
        kinds: dict[str, Callable[[], float]] = {
            "warm": lambda: _start(warm), "warm.folder": lambda: _start(warm, granted),
            "cold": lambda: _start(cold), "cold.folder": lambda: _start(cold, granted), "fresh": _fresh,
        }  # fmt: skip
        samples: dict[str, list[float]] = {name: [] for name in kinds}
        for _ in range(rounds):
            for name, measure in kinds.items():
                samples[name].append(measure())
    samples["first"] = [_first() for _ in range(max(1, rounds // 8))]
    fresh = statistics.median(samples.pop("fresh"))
    return [
        row(f"step.start.{name}", statistics.median(times) * 1e3, "ms", fresh * 1e3) for name, times in samples.items()
    ]


def _start(supervisor: Supervisor, spec: JailSpec | None = None) -> float:
    """Seconds until a child is ready; where a pool is kept, the next one waits before the clock starts."""
    supervisor.warm("step")
    start = time.perf_counter()
    child = supervisor.start("step", spec)
    ready = time.perf_counter() - start
    child.kill()
    child.wait(10)
    child.close()
    return ready


def _first() -> float:
    with Supervisor(_unexpected, pools={"step": 0}) as supervisor:
        start = time.perf_counter()
        child = supervisor.start("step")
        ready = time.perf_counter() - start
        child.close()
    return ready


def _fresh() -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-I", "-S", "-c", "pass"], check=True, env={}, stdin=subprocess.DEVNULL)
    return time.perf_counter() - start


def _plans(rounds: int) -> list[Row]:
    """Ten steps that write and read by turns, proposed and carried out, each in a process of its own."""
    decided: list[float] = []
    executed: list[float] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        harness, task = opened(Path(folder), RULES, stack)
        names = itertools.count()
        for _ in range(rounds + 1):
            steps = tuple(_step(number, f"file-{next(names) // 2}.txt") for number in range(10))
            raw = codec.encode(Proposal(task=codec.digest(task), goal="measure", steps=steps))
            start = time.perf_counter()
            [found] = harness.propose_all(task.id, [raw])
            middle = time.perf_counter()
            if found.digest is None or harness.execute(found.digest) is not Status.DONE:
                raise RuntimeError(f"the plan must be allowed and run: {found.verdict}")
            decided.append(middle - start)
            executed.append(time.perf_counter() - middle)
    propose, execute = (statistics.median(times[1:]) * 1e3 for times in (decided, executed))
    return [row("plan.10_steps.propose", propose, "ms"), row("plan.10_steps.execute", execute, "ms")]


def _step(number: int, path: str) -> ProposedStep:
    if number % 2:
        return ProposedStep(id=f"s{number}", action="files.read@1", arguments={"path": path})
    arguments: dict[str, Json] = {"path": path, "content": f"step {number}\n"}
    return ProposedStep(id=f"s{number}", action="files.write@1", arguments=arguments)


def _unexpected(violation: Violation) -> None:
    raise RuntimeError(f"an idle step tried {violation.syscall}")


if __name__ == "__main__":
    print(table(run()))
