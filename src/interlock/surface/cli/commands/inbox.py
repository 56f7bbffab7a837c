"""``inbox``, ``approve``, ``deny``: the plans that wait for a person, and the person's word."""

from __future__ import annotations

import sys

import click
import msgspec

from interlock.decide.life import Status
from interlock.surface.cli.console import Console, console
from interlock.surface.cli.deciding import REASONS, Shown, confirmed, draw, question, show, submit
from interlock.surface.cli.failures import Exit
from interlock.surface.cli.opening import acting, approver, person, reading, reduced
from interlock.surface.cli.outcome import status_exit
from interlock.surface.cli.root import Leaf


@click.command(cls=Leaf)
@click.option("--all", "everything", is_flag=True, help="Also those that silence has denied.")
def inbox(everything: bool) -> None:
    """Show the plans that wait for a person: what cannot be undone first, then by expiry."""
    from interlock.artifact.action import Reversibility
    from interlock.surface.cli.card import headline
    from interlock.surface.cli.gather import card_of
    from interlock.surface.cli.layout import table
    from interlock.surface.cli.words import UNDO, span

    with reading() as core:
        cards = [card_of(core, row) for row in core.store.plans(status=Status.PENDING)]
    waiting = [card for card in cards if everything or card.expires_at > card.now]
    order = list(Reversibility)
    waiting.sort(key=lambda card: (-order.index(card.risk.reversibility), card.expires_at))
    rows = [
        (
            card.digest[:12], UNDO[card.risk.reversibility], f"{len(card.approvals)}/{card.needed}", card.requester,
            span(card.expires_at - card.now) if card.expires_at > card.now else "expired", headline(card, width=120)[0],
        )
        for card in waiting
    ]  # fmt: skip
    text = table(("PLAN", "RISK", "HAS", "ASKED BY", "LEFT", "WHAT"), rows) if rows else "nothing waits"
    console().data({"plans": [msgspec.to_builtins(card) for card in waiting]}, text)


@click.command(cls=Leaf)
@click.argument("plan")
@approver
@click.option("--confirm", metavar="NAME", help="Instead of being asked: the name that you would have to type.")
@click.option("--reason", default="", help="Goes into the signed approval.")
@reduced
def approve(plan: str, name: str | None, confirm: str | None, reason: str, unsafe: bool) -> int:
    """Look at a plan, then approve it once, with your own key.

    The effect is probed anew and the card is shown.  What cannot be undone needs the resource's name, typed or in
    --confirm; anything else needs the word "approve".
    """
    return _decide(plan, name, confirm, reason, unsafe)


@click.command(cls=Leaf)
@click.argument("plan")
@approver
@click.option("--code", type=click.Choice(REASONS), default="other", metavar="CODE", help=f"Why: {', '.join(REASONS)}.")
@click.option("--reason", default="", help="In your own words.")
@reduced
def deny(plan: str, name: str | None, code: str, reason: str, unsafe: bool) -> int:
    """Deny a plan, with your own key; nothing of it will run."""
    who = person(name)
    with acting(unsafe=unsafe) as harness:
        shown = show(harness, plan, who)
        return _said(console(), shown, "deny", submit(harness, shown, "deny", who, f"{code}: {reason}"))


def _decide(plan: str, name: str | None, confirm: str | None, reason: str, unsafe: bool) -> int:
    out, who = console(), person(name)
    with acting(unsafe=unsafe) as harness:
        shown = show(harness, plan, who)
        if not out.json:
            click.echo(draw(out, shown.card), err=True, color=out.colour(sys.stderr.isatty()))
        if confirm is not None:
            confirmed(shown.card, confirm)
            return _said(out, shown, "approve", submit(harness, shown, "approve", who, reason))
        if not out.interactive:
            return _unasked(out, shown)
        word, why = question(harness, out, shown)
        if word is None:
            return _said(out, shown, "", Status.PENDING)
        return _said(out, shown, word, submit(harness, shown, word, who, why or reason))


def _unasked(out: Console, shown: Shown) -> int:
    out.say(f"nobody can be asked here; approve with: interlock approve {shown.row.digest[:12]} --confirm NAME")
    return _said(out, shown, "", Status.PENDING)


def _said(out: Console, shown: Shown, word: str, status: Status) -> int:
    from interlock.surface.cli.outcome import next_command

    row = msgspec.structs.replace(shown.row, status=status)
    out.data(
        {"plan": row.digest, "word": word or None, "status": status.value}, f"plan {row.digest}\nstatus {status.value}"
    )
    if next_command(row):
        out.say(f"next: {next_command(row)}")
    return Exit.OK if word == "deny" else status_exit(status)
