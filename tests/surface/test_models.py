"""``interlock models``: what is added is listed, what is altered is told, by the doctor too, and by the gate at work."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import onnx
from surface.cli import Place, process


def states(place: Place) -> list[str]:
    return [line.split()[1] for line in place("models", "list").out.splitlines()[1:]]


def test_a_model_is_added_listed_and_removed(place: Place, tmp_path: Path) -> None:
    folder = onnx.folder(tmp_path / "tiny")
    assert states(place) == ["ok"]
    assert place("models", "add", str(folder)).code == 0
    assert states(place) == ["ok", "ok"]
    assert place("models", "add", str(folder)).code != 0
    assert place("models", "remove").code == 0
    assert states(place) == ["ok"]
    assert "models.none" in place("models", "remove").err


def test_a_folder_that_is_unsound_is_not_added(place: Place, tmp_path: Path) -> None:
    said = place("models", "add", str(onnx.folder(tmp_path / "tiny", attack="nothing")))
    assert said.code == 2
    assert "models.labels" in said.err


@pytest.mark.sandbox
def test_the_doctor_fails_for_an_altered_model(place: Place, tmp_path: Path) -> None:
    place("models", "add", str(onnx.folder(tmp_path / "tiny")))
    assert "a harmless line is scored" in process(["doctor"], cwd=place.folder).out
    [kept] = (tmp_path / "state").rglob("model.onnx")
    kept.write_bytes(onnx.model(((0.0, 0.0),) * 5))
    said = process(["doctor"], cwd=place.folder)
    assert said.code == 1
    assert "no score (classifier.missing)" in said.out
    assert states(place) == ["ok", "UNSOUND"]
