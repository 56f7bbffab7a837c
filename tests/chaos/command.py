"""The command ``interlock``, by module name: it works wherever the interpreter works."""

from __future__ import annotations

from interlock.surface.cli import main

if __name__ == "__main__":
    main()
