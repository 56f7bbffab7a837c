"""System call numbers of x86_64 and aarch64, from the table beside this module.

A name that a machine does not have is absent from its table.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from interlock.artifact.errors import SandboxError

AUDIT_ARCH: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
MACHINE: Final = os.uname().machine


def _numbers(text: str) -> dict[str, int]:
    numbers: dict[str, int] = {}
    upcoming = 0
    for word in text.split():
        if word.startswith("@"):
            upcoming = int(word[1:])
        else:
            numbers[word] = upcoming
            upcoming += 1
    return numbers


def _tables() -> dict[str, dict[str, int]]:
    text = Path(__file__).with_name("syscalls.txt").read_text("ascii")
    sections = dict(re.findall(r"^\[(\w+)\]\n([^\[]*)", text, re.MULTILINE))
    return {machine: _numbers(sections[machine] + sections["shared"]) for machine in AUDIT_ARCH}


_TABLES: Final = _tables()


def table(machine: str = MACHINE) -> dict[str, int]:
    """Name to number on ``machine``; raises ``SandboxError`` where no filter exists for it."""
    if machine not in _TABLES:
        raise SandboxError("sandbox.architecture", f"no system call table for {machine}")
    return _TABLES[machine]
