"""One question, one answer: every language has its reader, nothing that fails is silent, and bounds say so."""

from __future__ import annotations

import pytest

from interlock.analyst import reading
from interlock.analyst.claims import Claims, Place
from interlock.artifact.analysis import Analysis, Content, Question
from interlock.artifact.codec import Json


def ask(*contents: tuple[str, Json], scripts: dict[str, str] | None = None) -> Analysis:
    asked = tuple(
        Content(argument=f"a{at}", language=language, value=value)  # type: ignore[arg-type]
        for at, (language, value) in enumerate(contents)
    )
    return reading.answer(Question(action="x", contents=asked, root="/proj", home="/home/u", scripts=scripts or {}))


TOUCHES: dict[str, tuple[str, Json, str]] = {
    "a shell line": ("shell", "cat notes.txt", "file:/proj/notes.txt"),
    "an argument vector": ("argv", ["cat", "notes.txt"], "file:/proj/notes.txt"),
    "SQL": ("sql", "DELETE FROM staff WHERE id = 1", "table:staff"),
    "Python": ("python", "open('notes.txt').read()", "file:/proj/notes.txt"),
    "a URL": ("url", "https://a.example/x", "endpoint:a.example:443"),
    "a recipient": ("email", "Ann@a.example", "recipient:ann@a.example"),
    "several recipients": ("email", ["ann@a.example", "bo@b.example"], "recipient:bo@b.example"),
    "a value of an undescribed tool": ("json", {"to": "ann@a.example"}, "recipient:ann@a.example"),
    "a value under the argument's own name": ("json", "https://a.example/x", "endpoint:a.example:443"),
}


@pytest.mark.parametrize("name", TOUCHES)
def test_each_language_is_read_by_its_analyser(name: str) -> None:
    language, value, key = TOUCHES[name]
    assert key in {one.key for one in ask((language, value)).touched}


def test_powershell_is_opaque_and_says_so() -> None:
    assert [one.code for one in ask(("powershell", "Get-ChildItem")).opaque] == ["windows.no_executor"]


def test_a_value_that_its_language_cannot_have_is_opaque() -> None:
    assert [one.code for one in ask(("shell", 7)).opaque] == ["analysis.no_analyser"]
    assert ask(("argv", "ls")).opaque


def test_a_script_that_was_written_before_is_judged_by_its_text() -> None:
    found = ask(("shell", "sh run.sh"), scripts={"/proj/run.sh": "rm data.csv"})
    assert "delete file:/proj/data.csv" in {f"{one.access} {one.key}" for one in found.touched}


def test_secrets_are_found_in_every_language() -> None:
    token = "ghp_" + "aB3" * 12
    found = ask(("shell", f"echo {token}"), ("python", f"x = '{token}'"))
    assert {(one.kind, one.argument) for one in found.findings} == {("secret", "a0"), ("secret", "a1")}


def test_an_analyser_that_fails_makes_its_argument_opaque(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(text: str, place: Place) -> Claims:
        raise ValueError(text, place)

    monkeypatch.setattr(reading, "ANALYSERS", {**reading.ANALYSERS, "sql": fails})
    found = ask(("sql", "SELECT 1"), ("url", "https://a.example/"))
    assert [(one.code, one.argument) for one in found.opaque] == [("analyst.failed", "a0")]
    assert [one.key for one in found.touched] == ["endpoint:a.example:443"]


def test_more_than_fits_into_an_answer_is_said() -> None:
    many = [f"https://h{number}.example/" for number in range(400)]
    found = ask(("url", many[:300]), ("url", many[100:] + [f"https://g{number}.example/" for number in range(300)]))
    assert "analysis.too_many" in {one.code for one in found.opaque}
    assert len(found.touched) == 512
