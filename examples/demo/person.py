"""The person of the story: reads the card, and decides; with ``--interactive`` that is you."""

from __future__ import annotations

import sys

from interlock.harness.service import Harness
from interlock.surface.cli import card, deciding
from interlock.surface.cli.console import console

from examples.demo.stage import UnexpectedError


def decide_as_person(harness: Harness, digest: str, person: str, *, interactive: bool) -> str:
    """Show the card of a pending plan and sign a word about exactly what it showed; the card's first screen."""
    shown = deciding.show(harness, digest, person)
    page = "\n".join(card.first_screen(shown.card))
    word, reason = ("approve", "")
    if interactive and sys.stdin.isatty():
        print(page)
        word, reason = deciding.question(console(), shown.card)
        page = ""
    if word is None:
        raise UnexpectedError("nobody decided, and silence is denial")
    deciding.submit(harness, shown, "deny" if word == "deny" else "approve", person, reason)
    if word == "deny":
        raise UnexpectedError("you denied it, so nothing happened: that is how it should be")
    return page
