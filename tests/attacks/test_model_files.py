"""The attacker owns a model's file: what is not exactly a model is none, and nothing in it runs or allows."""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.support import onnx
from tests.support.models import small

from interlock.analyst.classifier import container
from interlock.artifact.errors import ConfigurationError, StateError
from interlock.harness import operator_models

GOOD = container.write(small())
HEADER = GOOD.index(b"{"), GOOD.index(b"}") + 1


class _Harm:
    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return eval, ("1/0",)


def headed(header: bytes, body: bytes = GOOD[HEADER[1] :]) -> bytes:
    return container.MAGIC + len(header).to_bytes(4, "little") + header + body


def text_of(old: bytes, new: bytes) -> bytes:
    return headed(GOOD[HEADER[0] : HEADER[1]].replace(old, new))


def archive() -> bytes:
    found = io.BytesIO()
    np.savez(found, a=np.array([_Harm()], dtype=object))
    return found.getvalue()


def cuts(values: list[int]) -> bytes:
    return GOOD[: -4 * 999] + np.array(values, "<i4").tobytes()


NO_MODEL: dict[str, bytes] = {
    "nothing": b"",
    "a pickle": pickle.dumps(_Harm()),
    "an archive with objects": archive(),
    "another magic": GOOD.replace(b"model 1", b"model 2", 1),
    "the magic alone": container.MAGIC,
    "a header of no length": container.MAGIC + bytes(4) + GOOD,
    "a header that reaches past the end": container.MAGIC + (1 << 31).to_bytes(4, "little") + b"{}",
    "a header that is no JSON": headed(b"{"),
    "a header with a field more": text_of(b'"bias"', b'"run":"id","bias"'),
    "a header with a field less": text_of(b'"bias":-1234,', b""),
    "a header in another spelling": text_of(b":", b": "),
    "another kind": text_of(b'"action"', b'"code"'),
    "a scale that is no integer": text_of(b"900", b"0.5"),
    "a scale beyond bounds": text_of(b"900", b"9999999999"),
    "more buckets than there are": text_of(b"1024", b"2048"),
    "buckets beyond bounds": text_of(b"1024", b"999999999"),
    "a negative size": text_of(b"1024", b"-1"),
    "a threshold of nothing": text_of(b'"raises":700', b'"raises":0'),
    "a byte less": GOOD[:-1],
    "a byte more": GOOD + b"\0",
    "thousandths out of order": cuts([*range(998), 0]),
    "too large": GOOD + bytes(container.MAX_FILE),
}


@pytest.mark.parametrize("name", NO_MODEL)
def test_what_is_not_exactly_a_model_is_refused(name: str) -> None:
    raw = NO_MODEL[name]
    with pytest.raises(container.ModelError):
        container.read(raw, hashlib.sha256(raw).hexdigest())


def test_a_model_is_read_as_it_was_written_and_by_its_digest_alone() -> None:
    model = container.read(GOOD, hashlib.sha256(GOOD).hexdigest())
    assert container.write(model) == GOOD
    for at in (0, len(GOOD) // 2, len(GOOD) - 1):
        altered = GOOD[:at] + bytes([GOOD[at] ^ 1]) + GOOD[at + 1 :]
        with pytest.raises(container.ModelError, match="another digest"):
            container.read(altered, hashlib.sha256(GOOD).hexdigest())


def _gone(folder: Path) -> None:
    (folder / "model.onnx").unlink()


def _altered(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(onnx.model(((0.0, 0.0),) * 5))


def _linked(folder: Path) -> None:
    (folder / "labels.json").rename(folder / "other.json")
    (folder / "labels.json").symlink_to(folder / "other.json")


def _large(folder: Path) -> None:
    with (folder / "tokenizer.json").open("wb") as file:
        file.truncate((32 << 20) + 1)


FOLDERS: dict[str, tuple[dict[str, object], Callable[[Path], None] | None, str]] = {
    "a file that is missing": ({}, _gone, "models.file"),
    "a file that was altered": ({}, _altered, "models.altered"),
    "a file that is a link": ({}, _linked, "models.file"),
    "a file that is too large": ({}, _large, "models.file"),
    "a manifest with a field more": ({"run": "id"}, None, "models.manifest"),
    "a manifest without digests": ({"files": {}}, None, "models.manifest"),
    "a digest that is none": (
        {"files": dict.fromkeys(("model.onnx", "tokenizer.json", "labels.json"), "x")},
        None,
        "models.manifest",
    ),
    "a threshold of nothing": ({"raises": 0}, None, "models.manifest"),
    "more tokens than there may be": ({"tokens": 1 << 20}, None, "models.manifest"),
    "a name that is a path": ({"name": "../x"}, None, "models.manifest"),
    "a label that is not there": ({"attack": "bad"}, None, "models.labels"),
    "one label": ({"labels": ["attack"]}, None, "models.labels"),
    "a label twice": ({"labels": ["attack", "attack"]}, None, "models.labels"),
    "labels that are numbers": ({"labels": [1, 2]}, None, "models.labels"),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_that_is_not_as_its_manifest_says_is_not_added(tmp_path: Path, name: str) -> None:
    fields, change, code = FOLDERS[name]
    folder, state = onnx.folder(tmp_path / "m", **fields), tmp_path / "state"  # type: ignore[arg-type]
    state.mkdir()
    if change is not None:
        change(folder)
    with pytest.raises(ConfigurationError) as told:
        operator_models.add(state, folder)
    assert told.value.code == code
    assert not operator_models.present(state)


def test_a_copy_is_private_verified_again_and_there_is_one(tmp_path: Path) -> None:
    folder, state = onnx.folder(tmp_path / "m"), tmp_path / "state"
    state.mkdir()
    assert operator_models.installed(state) is None
    with pytest.raises(StateError):
        operator_models.remove(state)
    operator_models.add(state, folder)
    assert {path.stat().st_mode & 0o077 for path in state.rglob("*")} == {0}
    with pytest.raises(StateError):
        operator_models.add(state, folder)
    (state / "model" / "labels.json").write_text('["attack", "fine"]')
    with pytest.raises(ConfigurationError):
        operator_models.installed(state)
    operator_models.remove(state)
    assert not operator_models.present(state)
