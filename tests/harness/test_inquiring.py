"""What is said to the judge is pure, and whatever comes back is a whole answer to this call or a fault."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from tests.support.judges import inquiry, one_step

from interlock.artifact.opinion import Word
from interlock.harness.inquiring import MAX_ANSWER, answered, messages

CANARY, MARKER = "c" * 32, "d" * 32
ASKED = inquiry(one_step(), one_step(id="s2"))
RIGHT = {
    "canary": CANARY, "plan": "fits",
    "steps": [{"step": name, "word": "unclear", "distance": 3} for name in ("s1", "s2")],
}  # fmt: skip
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-200, 200)
    | st.sampled_from([*map(str, Word), "s1", "s2", CANARY])
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["canary", "plan", "steps", "step", "word", "distance", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


def test_a_right_answer_is_read_in_any_spelling() -> None:
    for text in (json.dumps(RIGHT), json.dumps(RIGHT, indent=3), " " * 100 + json.dumps(RIGHT) + "\n"):
        read = answered(text, ASKED, CANARY)
        assert not isinstance(read, str)
        plan, steps = read
        assert (plan, [(one.step, one.word.value, one.distance) for one in steps]) == (
            Word.FITS, [("s1", "unclear", 3), ("s2", "unclear", 3)],
        )  # fmt: skip


@given(JSON | st.tuples(st.sampled_from(["canary", "plan", "steps", "extra"]), JSON), st.text(max_size=60))
def test_what_is_not_exactly_an_answer_is_a_fault(made: object, text: str) -> None:
    value = RIGHT | {made[0]: made[1]} if isinstance(made, tuple) else made
    if value != RIGHT:
        read = answered(json.dumps(value), ASKED, CANARY)
        assert isinstance(read, str) or RIGHT | {"plan": read[0].value} == value
    assert answered(text, ASKED, CANARY) == "judge.malformed"
    assert answered(json.dumps(RIGHT), ASKED, text) == "judge.canary"


def test_bounds_and_the_order_of_faults() -> None:
    assert answered(json.dumps(RIGHT) + " " * MAX_ANSWER, ASKED, CANARY) == "judge.malformed"
    assert answered("\ud800", ASKED, CANARY) == "judge.malformed"
    assert answered(json.dumps(RIGHT | {"canary": "x", "steps": []}), ASKED, CANARY) == "judge.canary"
    assert answered(json.dumps(RIGHT | {"steps": list(reversed(RIGHT["steps"]))}), ASKED, CANARY) == "judge.malformed"


def test_the_instructions_stand_alone_and_the_data_on_one_line_between_marks() -> None:
    system, user = messages(ASKED, canary=CANARY, marker=MARKER)
    assert CANARY not in system.text
    assert MARKER not in system.text
    head, document, tail, canary = user.text.split("\n")
    assert (head, tail, canary) == (f"<data {MARKER}>", f"<data {MARKER}>", f"The canary of this call is {CANARY}")
    assert [one["id"] for one in json.loads(document)["steps"]] == ["s1", "s2"]
