"""A person's decision on the terminal: the card, the question, the signed word.

The word is signed in this process with the person's own key, over the digests of exactly what the card showed.  What
cannot be undone needs the resource's name; what was typed before the question stood there does not count.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import sys
import time
from dataclasses import dataclass
from typing import Literal

import click

from interlock.artifact.approval import Approval
from interlock.artifact.errors import IntegrityError, StateError
from interlock.artifact.signing import sign
from interlock.decide.life import Status
from interlock.harness.core import Core, manifests_digest
from interlock.harness.keys import own_signer
from interlock.harness.rows import PlanRow
from interlock.harness.service import Harness
from interlock.harness.workspace import approver_folder
from interlock.surface.cli import card as page
from interlock.surface.cli.console import Console
from interlock.surface.cli.gather import card_of
from interlock.surface.cli.view import Card
from interlock.surface.cli.visible import visible

Word = Literal["approve", "deny"]
REASONS = ("wrong-target", "too-broad", "not-needed", "not-now", "unclear", "suspicious", "another-plan", "other")
_HASTY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Shown:
    """A pending plan, and the card that was drawn of exactly this row."""

    row: PlanRow
    card: Card


def show(harness: Harness, digest: str, person: str) -> Shown:
    """Probe the effect now and gather the card of a pending plan; raises where it is not pending or has changed."""
    row = harness.core.store.plan(digest)
    if row.status is not Status.PENDING:
        raise StateError("approval.not_pending", f"the plan is {row.status.value}", hint=_instead(row))
    harness.preview(row.digest)
    row = harness.core.store.plan(row.digest)
    if row.manifests != manifests_digest(harness.core.digests, tuple(step.action for step in row.plan.steps)):
        raise IntegrityError(
            "approval.manifests", "an action's manifest has changed since the plan was judged", hint="propose it again"
        )
    return Shown(row, card_of(harness.core, row, viewer=person))


def draw(console: Console, card: Card, *, error: bool = True) -> str:
    """The card as text for the terminal that it goes to."""
    stream = sys.stderr if error else sys.stdout
    width = min(100, max(40, shutil.get_terminal_size((80, 24)).columns)) if stream.isatty() else 80
    return page.draw(card, width=width, paint=console.paint if console.colour(stream.isatty()) else page.plain)


def question(harness: Harness, console: Console, shown: Shown) -> tuple[Word | None, str]:
    """Ask on the terminal: the word (``None`` leaves it pending) and, for a denial, the reason."""
    card = shown.card
    verbs = "Type the line below to approve once, deny to deny, nothing to leave it:"
    console.say("\n".join(["", *page.headline(card)]), "bold", always=True)
    console.say(f"{verbs}\n  {visible(card.challenge)}", always=True)
    asked = time.monotonic()
    answer = console.ask(">")
    if answer == visible(card.challenge):
        if card.irreversible and time.monotonic() - asked < _HASTY_SECONDS:
            harness.core.record("alert", shown.row.task, shown.row.digest, b"", code="approval.hasty")
            console.warn("approved in under two seconds; that is on record as an alarm")
        return "approve", ""
    if answer != "deny":
        return None, ""
    reason = console.ask(f"Why ({', '.join(REASONS)}):")
    return "deny", reason if reason in REASONS else f"other: {visible(reason)[:200]}"


def confirmed(card: Card, typed: str) -> None:
    """Hold ``--confirm`` to what the question would ask for; raises a usage error."""
    if typed != visible(card.challenge):
        raise click.UsageError(f"--confirm must be exactly: {visible(card.challenge)}")


def submit(harness: Harness, shown: Shown, word: Word, person: str, reason: str) -> Status:
    """Sign the word about what was shown, and hand it in; the plan's status then."""
    envelope = signed(harness.core, shown.row, word, person, reason)
    return harness.approve(envelope) if word == "approve" else harness.deny(envelope)


def signed(core: Core, row: PlanRow, word: Word, person: str, reason: str) -> bytes:
    """The envelope of an approval or a denial by ``person``, who has a key here; raises ``ConfigurationError``."""
    now = core.clock()
    lifetime = core.workspace.configuration.approvals.lifetime_minutes * 60_000
    approval = Approval(
        id=f"approval-{secrets.token_hex(8)}",
        word=word,
        plan=row.digest,
        policy=row.policy,
        certificate=row.certified,
        manifests=row.manifests,
        preview=hashlib.sha256(row.previews).hexdigest(),
        approver=person,
        reason=reason,
        issued_at=now,
        expires_at=min(now + lifetime, row.plan.expires_at),
    )
    return sign(own_signer(approver_folder(), person, create=False), "approval", row.digest, approval)


def _instead(row: PlanRow) -> str:
    short = row.digest[:12]
    return f"run: interlock execute {short}" if row.status is Status.APPROVED else f"run: interlock plan show {short}"
