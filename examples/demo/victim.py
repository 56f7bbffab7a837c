"""A harness that is going to be killed: it holds the cloud's answer back, so that the kill finds a step in flight."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from interlock.harness.running import Progress
from interlock.harness.service import Harness
from interlock.harness.workspace import load


def wait_at_the_middle(progress: Progress) -> None:
    """Stand still right after the second step was claimed and recorded."""
    if progress.step == "middle" and progress.state == "started":
        signal.pause()


if __name__ == "__main__":
    with Harness(load(Path(sys.argv[1]))) as harness:
        harness.execute(sys.argv[2], wait_at_the_middle)
