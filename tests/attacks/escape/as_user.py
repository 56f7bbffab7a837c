"""Become an ordinary user for whom this Python stays readable: ``python as_user.py UID PROGRAM ARGS…``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from interlock.harness.sandbox import raw


def open_up(path: Path) -> None:
    """In a mount namespace of our own, show ``path`` even where a folder above it admits only its owner."""
    raw.unshare(raw.NEW_NS)
    raw.mount("none", "/", "none", raw.MS_REC | raw.MS_PRIVATE)
    for folder in reversed(path.parents):
        if folder.stat().st_mode & 0o005 != 0o005:
            held = os.open(path, os.O_PATH)
            raw.mount("open", str(folder), "tmpfs", 0, "mode=0755")
            path.mkdir(parents=True)
            raw.bind(f"/proc/self/fd/{held}", str(path))
            os.close(held)


def main(uid: int, words: list[str]) -> None:
    for path in {Path(os.path.realpath(sys.base_prefix)), Path(sys.prefix), Path(__file__).resolve().parents[3]}:
        open_up(path)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    os.chdir("/")
    os.execv(words[0], words)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
