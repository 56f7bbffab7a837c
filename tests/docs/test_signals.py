"""docs/signals.md is what the vocabulary of signals says."""

import re
from pathlib import Path

from interlock.analyst.shell.signals import vocabulary

PAGE = (Path(__file__).parents[2] / "docs" / "signals.md").read_text("utf-8")


def test_the_page_is_the_vocabulary() -> None:
    rows = re.findall(r"^\| `([a-z_.]+)` \| (\w+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert [(code, weight, text) for code, weight, text in rows] == [
        (code, weight, text) for code, (weight, text) in sorted(vocabulary().items())
    ]
