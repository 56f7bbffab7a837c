"""The analyst in its jail, for evaluations: the same process and the same channel as at work."""

from __future__ import annotations

from contextlib import AbstractContextManager

from interlock.evals.items import ItemError
from interlock.harness.analysing import Analyst, apart
from interlock.harness.watch import Incident

SECONDS = 2.0


def jailed_reader() -> AbstractContextManager[Analyst]:
    """A reader for as long as the block runs; a separation that is tried ends the evaluation."""
    return apart(_report, seconds=SECONDS)


def _report(incident: Incident) -> None:
    raise ItemError("eval.separation", f"the analyst tried what it must not: {incident.detail}")
