"""An operator's model behind the lock: it raises what it would ask about, and whatever is wrong with it raises all code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import onnx

from interlock.artifact.analysis import MISSING, Content, Question
from interlock.artifact.thresholds import RAISED_FROM
from interlock.harness import analysing, operator_models
from interlock.harness.analysing import Analyst
from interlock.harness.operator_models import OperatorModel
from interlock.harness.sandbox.profiles import Violation
from interlock.harness.supervisor import Supervisor

pytestmark = pytest.mark.sandbox


def asked(line: str) -> Question:
    return Question(action="run", contents=(Content(argument="line", language="shell", value=line),), root="/proj")


@pytest.fixture(scope="module")
def violations() -> list[Violation]:
    return []


@pytest.fixture(scope="module")
def supervisor(violations: list[Violation]) -> Iterator[Supervisor]:
    with Supervisor(violations.append, modules={"analyst": analysing.MODULES}) as found:
        yield found


def analyst(supervisor: Supervisor, model: OperatorModel, seconds: float = 5.0) -> Analyst:
    return Analyst(lambda: supervisor, lambda _: None, seconds=seconds, model=lambda: model)


def test_it_lifts_a_score_to_where_the_gate_asks_and_no_further(
    tmp_path: Path, supervisor: Supervisor, violations: list[Violation]
) -> None:
    found = analyst(supervisor, operator_models.read(onnx.folder(tmp_path / "m")))
    try:
        low, lifted = found.ask("t", asked("list the disk")), found.ask("t", asked("wipe the disk"))
    finally:
        found.shutdown()
    assert (low.opaque, lifted.opaque, violations) == ((), (), [])
    assert low.score is not None
    assert low.score < RAISED_FROM
    assert lifted.score == RAISED_FROM


UNSOUND: dict[str, dict[str, object]] = {
    "bytes that are no model": {"onnx": b"\x08\x08"},
    "an input that nobody knows": {"onnx": onnx.model(name="pixels")},
    "more labels than outputs": {"labels": ["fine", "attack", "other"]},
    "outputs that are no numbers": {"onnx": onnx.model(((float("nan"), 0.0),) * 5)},
}


@pytest.mark.parametrize("name", UNSOUND)
def test_a_model_that_cannot_answer_makes_code_opaque(tmp_path: Path, supervisor: Supervisor, name: str) -> None:
    model = operator_models.read(onnx.folder(tmp_path / "m", **UNSOUND[name]))  # type: ignore[arg-type]
    found = analyst(supervisor, model)
    try:
        for line in ("list the disk", "wipe the disk"):
            assert MISSING in {one.code for one in found.ask("t", asked(line)).opaque}
    finally:
        found.shutdown()


def test_a_model_without_its_libraries_makes_code_opaque(tmp_path: Path) -> None:
    model = operator_models.read(onnx.folder(tmp_path / "m"))
    with Supervisor(lambda _: None) as bare:
        found = analyst(bare, model)
        assert MISSING in {one.code for one in found.ask("t", asked("list the disk")).opaque}
        found.shutdown()


def test_a_model_that_is_too_slow_is_silence(
    tmp_path: Path, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analysing, "MODEL_SECONDS", 0.0001)
    found = analyst(supervisor, operator_models.read(onnx.folder(tmp_path / "m")), seconds=0.0001)
    try:
        assert {one.code for one in found.ask("t", asked("list the disk")).opaque} == {"analyst.silent"}
    finally:
        found.shutdown()


def test_the_trial_of_the_doctor(tmp_path: Path) -> None:
    assert analysing.trial(tmp_path) == ()
    operator_models.add(tmp_path, onnx.folder(tmp_path / "m"))
    assert analysing.trial(tmp_path) == ()
    (tmp_path / "model" / "tokenizer.json").write_text("{}")
    assert analysing.trial(tmp_path) == (MISSING,)
