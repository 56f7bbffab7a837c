"""What a person sees of the judge: on the page, in ``explain``, from the doctor; a fault is told apart from a word."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from interlock.artifact.opinion import FAULTS
from interlock.surface.cli.words import automatic, meaning
from support.judges import JudgeProvider
from surface.cli import Place, process

pytestmark = pytest.mark.sandbox


@pytest.fixture
def provider() -> Iterator[JudgeProvider]:
    judge = JudgeProvider(plan="unclear", distance=42)
    yield judge
    judge.close()


@pytest.fixture
def judged(provider: JudgeProvider, place: Place) -> Place:
    toml = place.folder / "interlock.toml"
    toml.write_text(f"{toml.read_text()}\n{provider.section()}")
    return place


def proposed(place: Place) -> str:
    plan = place.plan(("files.write@1", {"path": "a.txt", "content": "x"}))
    return str(place("plan", "propose", plan, "--goal", "tidy up", "--json").json["plan"])


def test_word_and_distance_stand_on_the_page_and_in_explain(judged: Place, provider: JudgeProvider) -> None:
    digest = proposed(judged)
    assert "judge: unclear, 42 of 100 from the goal" in judged("plan", "show", digest[:12]).out
    found = judged("explain", digest[:12], "--json").json
    assert found["differs"] == []
    [reason] = [one for one in found["reasons"] if one["code"] == "judge.unclear" and one["step"]]  # type: ignore[union-attr, index, call-overload]
    assert reason["fault"] is False  # type: ignore[index, call-overload]
    assert found["steps"][0]["judge"] == {"word": "unclear", "distance": 42}  # type: ignore[index, call-overload]
    assert "judged: unclear, 42 of 100 from the goal" in judged("explain", digest[:12]).out
    # Nobody asks the judge about a plan to look at it.
    assert len(provider.inquiries) == 1


def test_a_fault_is_told_as_one(judged: Place, provider: JudgeProvider) -> None:
    provider.says = lambda _: "no answer"
    digest = proposed(judged)
    assert "no judgement: " in judged("plan", "show", digest[:12]).out
    faults = {one["code"]: one["fault"] for one in judged("explain", digest[:12], "--json").json["reasons"]}  # type: ignore[union-attr, index, call-overload, attr-defined]
    assert faults["judge.malformed"] is True
    assert faults["structure.sound"] is False


def test_every_fault_has_words_and_says_that_nothing_was_found() -> None:
    assert all(meaning(code).startswith("no judgement: ") and automatic(code) for code in FAULTS)


def test_a_plan_is_checked_by_the_judge_too_and_the_call_alone_is_on_record(
    judged: Place, provider: JudgeProvider
) -> None:
    plan = judged.plan(("files.write@1", {"path": "a.txt", "content": "x"}))
    said = judged("plan", "check", plan, "--goal", "tidy up")
    assert "judge.unclear" in said.out
    assert len(provider.inquiries) == 1
    assert judged("ledger", "verify").code == 0


def doctor(place: Place, *words: str) -> tuple[int, list[str]]:
    said = process(["doctor", "--json", *words], cwd=place.folder)
    return said.code, [f"{one['state']} {one['text']}" for one in said.json["checks"] if one["area"] == "judge"]  # type: ignore[attr-defined]


def test_the_doctor_asks_the_judge(judged: Place, provider: JudgeProvider, place: Place) -> None:
    provider.plan = "fits"
    code, found = doctor(judged)
    assert (code, found[1:]) == (0, ["ok it says of a harmless plan: fits"])
    provider.says = lambda _: "no answer"
    code, found = doctor(judged)
    assert code != 0
    assert found[1].startswith("FAIL no judgement: ")
    toml = place.folder / "interlock.toml"
    toml.write_text(toml.read_text().replace('"second"', '"second"\nkey_secret = "judge-key"'))
    assert doctor(judged, "--no-probes")[1] == ["FAIL the secret judge-key is missing: interlock secrets set"]
    toml.write_text(f'{toml.read_text()}\n[model]\nbase_url = "{provider.url}"\nname = "second"\n')
    code, found = doctor(judged)
    assert (code != 0, len(found)) == (True, 1)
    assert found[0].startswith("FAIL judge.same_model: ")
    assert len(provider.inquiries) == 4  # Three ways are tried of asking for an answer of the right form.


def test_the_doctor_says_where_there_is_none(place: Place) -> None:
    assert doctor(place, "--no-probes") == (0, ["ok none is configured: no second model holds plans to the goal"])
