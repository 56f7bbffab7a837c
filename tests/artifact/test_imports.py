"""The language of the trust boundary loads fast and brings no heavy company; its documented examples run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import subprocess
import sys

import pytest

import interlock.artifact
import interlock.planner

MODULES = [
    each.name
    for package in (interlock.artifact, interlock.planner)
    for each in pkgutil.iter_modules(package.__path__, package.__name__ + ".")
    if not each.name.endswith("_pb2")
]
HEAVY = {"asyncio", "cedarpy", "click", "google.protobuf", "httpx2", "importlib.metadata", "ssl", "yaml"}


def loaded_by(module: str) -> tuple[set[str], float]:
    """What importing ``module`` loads, and how many milliseconds of processor time it takes."""
    text = f"import time; start = time.process_time(); import {module}; print(time.process_time() - start)"
    command = [sys.executable, "-X", "importtime", "-c", text]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}, float(done.stdout) * 1000


@pytest.mark.parametrize("module", ["interlock.artifact", "interlock.artifact.signing", "interlock.artifact.receipt"])
def test_an_import_takes_less_than_80_ms_and_loads_nothing_heavy(module: str) -> None:
    runs = [loaded_by(module) for _ in range(5)]
    assert runs[0][0] & HEAVY == set()
    assert min(took for _, took in runs) < 80


@pytest.mark.parametrize("module", MODULES)
def test_the_documented_examples_run(module: str) -> None:
    found = doctest.testmod(importlib.import_module(module))
    assert found.failed == 0
