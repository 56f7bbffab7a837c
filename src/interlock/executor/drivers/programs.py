"""Which file a program's name means, among those that the manifest grants, and nothing through ``PATH``."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from interlock.executor.work import DriverError

FOLDERS: Final = ("/usr/local/bin", "/usr/bin", "/bin")
SHELL: Final = "/bin/sh"


def resolve(name: str, programs: Sequence[str], real: Mapping[str, str] | None = None) -> str:
    """The absolute path of ``name``; raises ``DriverError`` where the manifest does not grant it.

    ``programs`` are absolute paths of files or folders, or bare names, which are looked for in ``FOLDERS``.
    ``real`` gives the file behind one of them that is a link, which may not be there under its own name.
    """
    alone = (real or {}).get(name, "")
    if any(one.startswith("/") and alone.startswith(f"{one.rstrip('/')}/") for one in programs):
        return alone  # One of a folder's programs, of which the step has been given no other.
    for granted in programs:
        found = _candidates(granted, name)
        behind = (real or {}).get(granted)
        for path in [behind, *found] if behind and found else found:
            if os.access(path, os.X_OK) and Path(path).is_file():
                return path
    raise DriverError("shell.program", "a program that the manifest does not grant, or that is not there")


def _candidates(granted: str, name: str) -> list[str]:
    if "/" in name:
        normal = posixpath.normpath(name) == name and name.startswith("/")
        if "/" not in granted:
            return [name] if normal and name in {f"{folder}/{granted}" for folder in FOLDERS} else []
        return [name] if normal and (name == granted or name.startswith(granted.rstrip("/") + "/")) else []
    if "/" not in granted:
        return [f"{folder}/{name}" for folder in FOLDERS] if name == granted else []
    if posixpath.basename(granted) == name and not Path(granted).is_dir():
        return [granted]
    return [posixpath.join(granted, name)] if Path(granted).is_dir() else []
