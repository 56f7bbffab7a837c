"""The command line: ``interlock``; see docs/cli.md for every command and for the shapes of ``--json``."""

from __future__ import annotations


def main() -> None:
    """The console script's entry point; ends the process."""
    import sys
    from typing import TextIO, cast

    from interlock.surface.cli.root import interlock

    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(cast("TextIO", stream), "reconfigure", None)
        if reconfigure is not None:  # A terminal that cannot show a character shows its number instead.
            reconfigure(errors="backslashreplace")
    interlock.main()
