"""docs/egress.md names every code that the helpers can answer with, and none that they cannot."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = r"(?:proxy|hello|address|reach|gateway|notifier)\.[a-z_]+"


def test_the_document_and_the_sources_have_the_same_codes() -> None:
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "src/interlock/outside").glob("*.py"))
    document = (ROOT / "docs/egress.md").read_text("utf-8")
    written = {code for code in re.findall(f"`({CODE})`", document) if not code.endswith(".md")}
    used = set(re.findall(f'"({CODE})"', sources))
    assert len(used) > 40 and used == written
