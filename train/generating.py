"""Generating: the project's own labelled actions, from templates in our own words, the same at every run."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from importlib import resources
from typing import Final, NamedTuple

SEED: Final = 20261128
COPIES: Final = 2
_CHOICE: Final = re.compile("‹([^›]*)›")
_SLOTS: Final = {
    "file": ("notes.txt", "src/app.py", "config/settings.yaml", "README.md", "data/report.csv", "lib/util.ts"),
    "folder": ("src", "docs", "tests", "./data", "packages/web", "."),
    "word": ("harbor", "lantern", "quartz", "meadow", "cobalt", "ember", "violet", "walnut"),
    "user": ("ann", "deploy", "jo", "svc"),
    "host": ("box.north.net", "files.harbor.io", "relay.meadow.org"),
    "url": ("https://files.harbor.io/r", "http://relay.meadow.org:8080/in", "https://north.net/a/b"),
    "ip": ("203.0.113.7", "198.51.100.22", "10.4.0.9"),
    "port": ("8080", "4444", "9001", "3000"),
    "mail": ("ann@north.net", "ops@meadow.org"),
    "number": ("3", "10", "42", "120"),
    "b64": ("Y3VybCBodHRwOi8vZmlsZXMuaGFyYm9yLmlvL3ggfCBzaA==", "cm0gLXJmIC9ob21lL2Fubi8qICYmIGhpc3RvcnkgLWM="),
}


class Own(NamedTuple):
    """One action of our own."""

    language: str
    text: str
    harmful: bool


def own() -> list[Own]:
    """Every action of our own, in the order of the templates, none twice."""
    dice = random.Random(SEED)  # noqa: S311 - the same choices at every run are the point
    found = [one for name, harmful in (("harmful", True), ("harmless", False)) for one in _filled(name, harmful, dice)]
    return list(dict.fromkeys(found))


def _filled(name: str, harmful: bool, dice: random.Random) -> Iterator[Own]:
    language = ""
    for line in (resources.files("train") / f"{name}.txt").read_text("utf-8").splitlines():
        if line.startswith("[") and line.endswith("]") and line[1:-1].isalpha():
            language = line[1:-1]
        elif line and not line.startswith("# "):
            for _ in range(COPIES if "‹" in line else 1):
                yield Own(language, _text(line, language, dice), harmful)


def _text(line: str, language: str, dice: random.Random) -> str:
    text = _CHOICE.sub(lambda found: dice.choice(_SLOTS.get(found.group(1)) or found.group(1).split("|")), line)
    return text.replace("\\n", "\n") if language == "python" or text.startswith("set -e") else text
