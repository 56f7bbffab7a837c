"""A harness in a process of its own, which stands still at a crash point: ``FOLDER DEED SUBJECT [POINT MOMENT N]``.

``execute`` and ``rollback`` take a plan's digest, ``approve`` the file of an envelope, ``propose`` a file of
proposals' bytes with its task's id as name.  Without a point the deed is done and its result printed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.crash_points import arm

from interlock.artifact.errors import InterlockError
from interlock.harness.service import Harness
from interlock.harness.workspace import load


def main(folder: str, deed: str, subject: str, *point: str) -> str:
    """Do it; a word about how it ended."""
    with Harness(load(Path(folder))) as harness:
        if point:
            arm(point[0], point[1], int(point[2]))
        match deed:
            case "execute":
                return harness.execute(subject).value
            case "wait and execute":
                print("ready", flush=True)
                sys.stdin.readline()
                return harness.execute(subject).value
            case "rollback":
                return " ".join(one.state for one in harness.rollback(subject))
            case "approve":
                return harness.approve(Path(subject).read_bytes()).value
            case "propose":
                raw = Path(subject).read_bytes()
                print("ready", flush=True)
                sys.stdin.readline()
                return " ".join(harness.propose(Path(subject).name, raw).digest or "-" for _ in range(5))
            case _:
                raise AssertionError(deed)


if __name__ == "__main__":
    try:
        print(main(*sys.argv[1:]), flush=True)
    except InterlockError as error:
        print(f"refused {error.code}", flush=True)
