"""What was heard: texts of strangers alone, the latest of few tasks."""

from interlock.artifact.label import CLEAN, Integrity, Label
from interlock.harness.strangers import MAX_CHARACTERS, MAX_TASKS, MAX_TEXTS, Strangers

STRANGER = Label(integrity=Integrity.UNTRUSTED)


def test_the_texts_of_strangers_are_remembered_once_and_bounded() -> None:
    heard = Strangers()
    heard.hear("a", {"rows": [{"text": "first line"}, 7, "word"], "more": "second line"}, STRANGER)
    heard.hear("a", "second line", STRANGER)
    heard.hear("a", "a trusted line", CLEAN)
    assert sorted(heard.texts("a")) == ["first line", "second line"]
    heard.hear("a", [f"line {number} " + "x" * MAX_CHARACTERS for number in range(2 * MAX_TEXTS)], STRANGER)
    assert len(heard.texts("a")) == MAX_TEXTS
    assert {len(text) for text in heard.texts("a")} == {MAX_CHARACTERS}


def test_old_tasks_are_forgotten() -> None:
    heard = Strangers()
    for number in range(MAX_TASKS + 1):
        heard.hear(f"t{number}", "some text", STRANGER)
    assert heard.texts("t0") == ()
    assert heard.texts(f"t{MAX_TASKS}") == ("some text",)
