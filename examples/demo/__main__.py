"""``python -m examples.demo [--interactive] [--keep]``: exit code 0 where the whole story holds."""

from __future__ import annotations

import argparse
import sys
import time

from interlock.artifact.errors import InterlockError

from examples.demo.acts import ACTS
from examples.demo.stage import Stage, UnexpectedError


def main() -> int:
    """Play all acts."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--interactive", action="store_true", help="decide yourself")
    parser.add_argument("--keep", action="store_true", help="keep the scratch folder")
    options = parser.parse_args()
    began = time.monotonic()
    try:
        with Stage(interactive=options.interactive, keep=options.keep) as stage:
            for act in ACTS:
                act(stage)
    except (UnexpectedError, InterlockError) as error:
        print(f"\nThe demo did not go as it should: {error}", file=sys.stderr)
        return 1
    print(f"\nAll {len(ACTS)} acts hold, in {time.monotonic() - began:.1f} seconds.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
