"""The page of one decision: golden files, its first screen, and what hostile texts cannot do to it."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest

from interlock.artifact.action import Reversibility
from interlock.surface.cli.card import FULL, SCREEN, draw, first_screen, plain
from interlock.surface.cli.layout import cells
from interlock.surface.cli.view import Card, Effect, Risk
from surface.cards import GOLDEN, HOSTILE, card, file_change, hostile, long, step

HERE = Path(__file__).parent
CARDS = {**GOLDEN, "long": long}
OURS = re.compile(
    r"(│|┌|└|──|•|…|✖|○|↺|↻|▣|⇥|◆|¤|⚿|✓|▶|·|  |$|And \d|The harness has no|what is there now|a label would be lowered|s\d+: nothing is there|"
    r"[a-z0-9“]+ asked for: |Approvals: |You are the requester|s\d+ · |since the parent|none: |\d{4}-\d\d-\d\d |"
    r"Silence is denial|Expired|plan   |verify |answer |Delete RDS |Write the file |Trust |Send( |$))"
)


@pytest.mark.parametrize("name", GOLDEN)
def test_page_is_as_in_the_golden_file(name: str) -> None:
    assert draw(GOLDEN[name]()) + "\n" == (HERE / "golden" / f"{name}.txt").read_text("utf-8")


@pytest.mark.parametrize("name", CARDS)
@pytest.mark.parametrize("width", [48, 80, 100])
def test_first_three_parts_fit_one_screen(name: str, width: int) -> None:
    lines = first_screen(CARDS[name](), width=width)
    assert len(lines) <= SCREEN
    assert all(cells(line) <= width for line in lines)
    assert any(line.startswith("── effect") for line in lines)


@pytest.mark.parametrize("name", CARDS)
def test_no_line_is_wider_than_the_page_and_every_line_begins_with_our_own_words(name: str) -> None:
    for line in draw(CARDS[name]()).split("\n"):
        assert cells(line) <= 80, line
        assert OURS.match(line), line


@pytest.mark.parametrize("name", CARDS)
def test_no_character_of_the_page_can_move_hide_or_colour_anything(name: str) -> None:
    for char in draw(CARDS[name]()).replace("\n", ""):
        assert unicodedata.category(char)[0] != "C", hex(ord(char))
        assert unicodedata.bidirectional(char) not in {
            "R",
            "AL",
            "RLO",
            "LRO",
            "RLE",
            "LRE",
            "RLI",
            "LRI",
            "FSI",
            "PDI",
        }


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_keeps_the_order_of_the_parts(name: str) -> None:
    page = draw(hostile(name))
    heads = ["CANNOT BE UNDONE.", "✖ CANNOT BE UNDONE", "── effect", "── why you", "── arguments", "── the plan", "── earlier",
             "┌─ written by the planner, unverified", "Silence is denial", "plan   sha256:"]  # fmt: skip
    places = [page.index(head) for head in heads]
    assert places == sorted(places)
    assert [page.count(f"\n{head}") for head in heads[2:]] == [1] * len(heads[2:])


def test_sentence_never_loses_that_it_cannot_be_undone() -> None:
    wordy = step(sentence=("Word " * 200, "x" * 500, ""))
    assert "CANNOT BE UNDONE." in "\n".join(first_screen(card(wordy))[:3])


def test_arguments_stand_in_full_up_to_the_bound_and_then_say_what_is_left_out() -> None:
    assert draw(long()).count("A" * 76) >= 6 * (10_000 // 76)
    text = "B" * (FULL + 5)
    argument = step().arguments[0]
    page = draw(card(step(arguments=(type(argument)(name="body", text=text, origin="written by the planner"),))))
    assert f"5 of {FULL + 5:,} characters more" in page


def test_untrusted_arguments_are_marked_in_words_before_anything_that_could_be_cut() -> None:
    assert "  content ⚠ UNTRUSTED: written by the planner" in draw(file_change())
    assert "⚠" not in draw(card())


def test_colour_only_repeats_words() -> None:
    painted: list[tuple[str, str]] = []

    def paint(text: str, tone: str) -> str:
        painted.append((text, tone))
        return text

    assert draw(file_change(), paint=paint) == draw(file_change(), paint=plain)
    assert ("-call Bob", "danger") in painted
    assert ("call Alice", "untrusted") in painted


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"viewer": "alice", "separate_duties": True}, "You are the requester: you cannot approve."),
        ({"viewer": "alice"}, "duties are not separated here"),
        ({"now": 2_000_000_000_000}, "Expired: denied by silence."),
        ({"shown_at": 0}, "not probed"),
        ({"status": "denied"}, "verify interlock plan show"),
    ],
)
def test_page_says(changes: dict[str, object], expected: str) -> None:
    page = draw(card(**changes))
    assert expected in page
    assert ("answer interlock approve" in page) is (changes.get("status") is None)


def test_page_of_a_plan_without_reasons_says_that_nothing_allows_it() -> None:
    assert "nothing allows it, and empty is deny" in draw(card(causes=()))


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (card(), "eu-west-1/prod-main"),
        (file_change(), "approve"),
        (card(step(target="")), "irreversible"),
        (card(step(target="deny")), "approve deny"),
        (card(step(target="approve")), "approve approve"),
        (card(step(finished=True)), "approve"),
    ],
)
def test_what_is_typed_is_the_name_of_what_cannot_be_undone(made: Card, expected: str) -> None:
    assert made.challenge == expected


def test_many_effects_are_cut_with_their_number_and_the_command_that_shows_them() -> None:
    effect = Effect(step="s1", kind="text", text="x\n" * 99)
    last = first_screen(card(effects=(effect,)))[-1]
    assert re.fullmatch(r"… \d+ lines more: interlock plan preview 7e26379f767b", last)


def test_a_read_is_told_as_changing_nothing() -> None:
    page = draw(card(step(reversibility=Reversibility.PURE), risk=Risk(reversibility=Reversibility.PURE)))
    assert "○ CHANGES NOTHING" in page
