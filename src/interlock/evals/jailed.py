"""The analyst in its jail, for evaluations: the same process and the same channel as at work."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from interlock.evals.items import ItemError
from interlock.harness.analysing import Analyst, Reader
from interlock.harness.supervisor import Supervisor
from interlock.harness.watch import Incident

SECONDS = 2.0


@contextmanager
def jailed_reader() -> Generator[Reader]:
    """A reader for as long as the block runs; raises ``SandboxError`` where no confinement can be had."""
    with Supervisor(lambda _: None) as supervisor:
        supervisor.warm("analyst")
        analyst = Analyst(lambda: supervisor, _report, seconds=SECONDS)
        try:
            yield analyst
        finally:
            analyst.shutdown()


def _report(incident: Incident) -> None:
    raise ItemError("eval.separation", f"the analyst tried what it must not: {incident.detail}")
