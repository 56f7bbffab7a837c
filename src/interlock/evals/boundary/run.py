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
from typing import IO, Final

import msgspec

from interlock.evals.boundary.play import Observed
from interlock.evals.boundary.sample import Chosen
from interlock.evals.boundary.worker import Failure, Task, Work
from interlock.evals.items import ItemError

_MODULE: Final = "interlock.evals.boundary.worker"
_MOST_WORKERS: Final = 8
_LINES: Final[msgspec.json.Decoder[Observed | Failure]] = msgspec.json.Decoder(Observed | Failure)


def play(chosen: Sequence[Chosen], workers: int) -> list[Observed]:
    """Every call in a closed world, in the order of the sample; raises ``ItemError`` for a worker that failed."""
    with tempfile.NamedTemporaryFile(prefix="interlock-marker-") as marker:
        running = [_Worker(_work(share, marker.name)) for share in _shares(chosen, min(workers, _MOST_WORKERS))]
        try:
            found = [observed for worker in running for observed in worker.observed()]
        finally:
            for worker in running:
                worker.close()
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


class _Worker:
    """One worker; it writes into files, so that none waits until another one's words are read."""

    def __init__(self, work: Work) -> None:
        self._out, self._err = (tempfile.TemporaryFile() for _ in range(2))  # noqa: SIM115 - ``close`` closes them
        with tempfile.TemporaryFile() as told:
            told.write(msgspec.json.encode(work))
            told.seek(0)
            words = [sys.executable, "-m", _MODULE]
            self._process = subprocess.Popen(words, stdin=told, stdout=self._out, stderr=self._err)

    def observed(self) -> Iterator[Observed]:
        """What it observed, once it has ended; raises ``ItemError`` where it did not end well."""
        status = self._process.wait()
        for line in _content(self._out).splitlines():
            found = _read(line)
            if isinstance(found, Failure):
                raise ItemError(found.code, found.message)
            yield found
        if status:
            said = _content(self._err)[-500:].decode("utf-8", "replace")
            raise ItemError("eval.world", f"a worker ended with {status}: {said}")

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._out.close()
        self._err.close()


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _read(line: bytes) -> Observed | Failure:
    try:
        return _LINES.decode(line)
    except msgspec.DecodeError as error:
        raise ItemError("eval.world", f"a worker wrote a line that is none of its own: {error}") from None


def _work(share: Sequence[Chosen], marker: str) -> Work:
    groups = itertools.groupby(share, key=lambda one: one.site)
    return Work(
        marker=marker,
        shares=tuple((site, tuple(Task(at=one.at, line=one.line) for one in group)) for site, group in groups),
    )
