"""Distributes a sample over workers and gathers what they observed.

Each worker is a process that leaves for a closed world of its own; what one writes is read as data, and one that ends
early ends the evaluation.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from interlock.evals.boundary.play import Observed
from interlock.evals.boundary.sample import Chosen
from interlock.evals.boundary.worker import Failure, Task, Work
from interlock.evals.items import ItemError

_MODULE: Final = "interlock.evals.boundary.worker"
_MOST_WORKERS: Final = 8
_LINES: Final = msgspec.json.Decoder(Observed | Failure)


def play(chosen: Sequence[Chosen], workers: int) -> list[Observed]:
    """Every call in a closed world, in the order of the sample; raises ``ItemError`` for a worker that failed."""
    with tempfile.NamedTemporaryFile(prefix="interlock-marker-") as marker:
        running = [_start(share, marker.name) for share in _shares(chosen, min(workers, _MOST_WORKERS))]
        try:
            found = [observed for worker in running for observed in _gathered(worker)]
        finally:
            for worker in running:
                worker.kill()
                worker.wait()
        if not Path(marker.name).exists():
            raise ItemError("eval.world", "a file of the machine is gone")
    if len(found) != len(chosen):
        raise ItemError("eval.world", f"of {len(chosen)} calls {len(found)} were observed")
    return sorted(found, key=lambda one: one.at)


def default_workers() -> int:
    """One for each processor."""
    return min(len(os.sched_getaffinity(0)), _MOST_WORKERS)


def _shares(chosen: Sequence[Chosen], workers: int) -> Iterator[list[Chosen]]:
    """Contiguous parts of the sample by site, so that few workers have to make the same one."""
    ordered = sorted(chosen, key=lambda one: (one.site.folder, one.site.protected, one.at))
    size = -(-len(ordered) // max(workers, 1))
    yield from (ordered[start : start + size] for start in range(0, len(ordered), max(size, 1)))


def _start(share: Sequence[Chosen], marker: str) -> subprocess.Popen[bytes]:
    groups = itertools.groupby(share, key=lambda one: one.site)
    shares = tuple((site, tuple(Task(at=one.at, line=one.line) for one in group)) for site, group in groups)
    with tempfile.TemporaryFile() as work:
        work.write(msgspec.json.encode(Work(marker=marker, shares=shares)))
        work.seek(0)
        return subprocess.Popen(
            [sys.executable, "-m", _MODULE], stdin=work, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )


def _gathered(worker: subprocess.Popen[bytes]) -> Iterator[Observed]:
    out, err = worker.communicate()
    for line in out.splitlines():
        found = _LINES.decode(line)
        if isinstance(found, Failure):
            raise ItemError(found.code, found.message)
        yield found
    if worker.returncode:
        raise ItemError(
            "eval.world", f"a worker ended with {worker.returncode}: {err[-500:].decode('utf-8', 'replace')}"
        )
