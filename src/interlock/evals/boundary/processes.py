"""What runs below this process beside the harness's own: found by parentage, named by what the kernel says of it."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from interlock.harness.sandbox import raw

_OURS: Final = b"interlock.harness.sandbox.zygote"
_SUBREAPER: Final = 36
_LETTERS: Final = 15


def adopt() -> None:
    """Whatever loses its parent below this process stays below it."""
    raw.prctl(_SUBREAPER, 1)


def foreign() -> tuple[int, ...]:
    """The processes below this one, but for zygotes and what they fork for a role."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, IndexError):
                words = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
                if words[0] not in "ZX":
                    parents[int(entry.name)] = int(words[1])
    found: set[int] = set()
    while more := {pid for pid, parent in parents.items() if parent in {os.getpid(), *found}} - found:
        found |= more
    return tuple(sorted(pid for pid in found if not _own(pid)))


def _own(pid: int) -> bool:
    words = b""
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    return _OURS in words or not words  # It has ended, or is ending, where it has none.


def lingering() -> tuple[int, ...]:
    """What of ``foreign`` does not end by itself within a second, as all that a closed jail held does."""
    until = time.monotonic() + 1
    while (found := foreign()) and time.monotonic() < until:
        time.sleep(0.01)
    return found


def name(pid: int) -> str:
    """What the kernel calls it, or nothing."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text("utf-8", "replace").strip()[:_LETTERS]
    return ""


def end(pids: tuple[int, ...]) -> None:
    """Kill them."""
    for pid in pids:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)
