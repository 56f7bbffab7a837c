"""A label that would be lowered, in words: which value, from which label to which, and where it came from."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.support.world import World, proposal, step

from interlock.artifact.codec import Json
from interlock.surface.cli.card import draw
from interlock.surface.cli.gather import card_of
from surface.cards import BOUNDED, RELABELLED, relabelled_by

ENDORSE, DECLASSIFY = RELABELLED
REF: Json = {"$ref": "s1.output.kind"}
SAID: dict[str, tuple[str, dict[str, Json], str, tuple[str, ...], tuple[str, str, str]]] = {
    "one of a few": (
        ENDORSE, RELABELLED[ENDORSE], "", (),
        (
            "may be acted on as if the principal had said it: untrusted → trusted",
            'the value is not known yet; it will be one of "bill", "letter", or the plan stops',
            "it is computed when it runs, from s1",
        ),
    ),
    "a range": (
        ENDORSE, {"value": REF, "why": "w", "minimum": 0, "maximum": 9}, "", (),
        (
            "may be acted on as if the principal had said it: untrusted → trusted",
            "the value is not known yet; it will be a whole number from 0 to 9, or the plan stops",
            "it is computed when it runs, from s1",
        ),
    ),
    "what a finished step found": (
        DECLASSIFY, RELABELLED[DECLASSIFY], '"bill"', ("s1",),
        ("who may know it: private → internal", 'the value is "bill"', "it is found by finished steps, from s1"),
    ),
    "a literal": (
        DECLASSIFY, {**RELABELLED[DECLASSIFY], "value": "Acme", "to": "public"}, "", (),
        ("who may know it: public → public", 'the value is "Acme"', "it is written in the plan"),
    ),
    "what nobody knows": (
        DECLASSIFY, {**RELABELLED[DECLASSIFY], "oneOf": 1}, "", (),
        (
            "who may know it: private → internal",
            "the value is not known yet; nothing bounds it, so that this is refused",
            "it is computed when it runs, from s1",
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SAID)
def test_what_is_said_of_it(name: str) -> None:
    action, arguments, shown, finished, words = SAID[name]
    assert tuple(relabelled_by(action, arguments, shown, finished).text.split("\n")) == words


def test_the_page_of_a_plan_shows_it_first(make_world: Callable[..., World]) -> None:
    world = make_world(extra='[[labels]]\npath = "mail.txt"\nintegrity = "untrusted"\n')
    task = world.task()
    value: Json = {"$ref": "s1.output.text"}
    steps = (
        step("s1", "files.read@1", arguments={"path": "mail.txt"}),
        step("s2", "flow.endorse@1", arguments={"value": value, "why": "one of two", **BOUNDED}),
    )
    decided = world.harness.propose(task.id, proposal(task, *steps))
    page = draw(card_of(world.harness.core, world.harness.core.store.plan(decided.digest or "")), width=120)
    assert "a label would be lowered, of a value that is now · internal, untrusted, from" in page
    assert "may be acted on as if the principal had said it: untrusted → trusted" in page
    assert "◆ lowers 1 × label" in page
    assert "a value could be acted on that a stranger may have chosen" in page
