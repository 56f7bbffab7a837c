"""Starters: rules for a kind of agent, beside the baseline, each with the cases that it answers.

A starter only denies and asks; what is allowed at all is the baseline's.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import msgspec

NAMES = ("coding", "databases", "cloud", "support")
_FOLDER = resources.files("interlock.surface.cli").joinpath("templates", "starters")


class Starter(msgspec.Struct, frozen=True, kw_only=True):
    """One starter: what it is for, its rules and its cases."""

    name: str
    about: str
    rules: str
    cases: str

    def files(self, folder: Path) -> list[tuple[Path, str]]:
        """Where its files stand in a workspace."""
        policy = folder / "policy"
        return [(policy / f"{self.name}.yaml", self.rules), (policy / "cases" / f"{self.name}.yaml", self.cases)]


def starter(name: str) -> Starter:
    """The starter of that name, one of ``NAMES``."""
    rules, cases = (_FOLDER.joinpath(name, file).read_text("utf-8") for file in ("rules.yaml", "cases.yaml"))
    return Starter(name=name, about=rules.partition("\n")[0].removeprefix("# "), rules=rules, cases=cases)
