"""What an import costs: a fresh interpreter that imports a module, less one that imports nothing.

The baseline is the empty interpreter, in the same run; what the operating system keeps of files is warm.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from benchmarks.measuring import Row, medians, row, table

MODULES = ("interlock.artifact", "interlock.artifact.signing")


def run(*, tiny: bool = False) -> list[Row]:
    """Milliseconds per module."""
    calls = [(_running("pass"), 1), *((_running(f"import {module}"), 1) for module in MODULES)]
    empty, *found = medians(*calls, rounds=1 if tiny else 15)
    return [
        row(f"import.{module}", (time - empty) * 1e3, "ms", empty * 1e3)
        for module, time in zip(MODULES, found, strict=True)
    ]


def _running(source: str) -> Callable[[], object]:
    return lambda: subprocess.run([sys.executable, "-I", "-c", source], check=True, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    print(table(run()))
