"""An operator's model in the analyst: bytes become a session of onnxruntime, and a text one question to it.

The libraries are imported by the zygote, where a model was added; without them, or where anything about the model or
its answer is odd, ``ModelError`` is raised and the action is opaque.  It can only raise: it says "ask", or nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from interlock.analyst.classifier.container import LEVELS, ModelError
from interlock.artifact.errors import ConfigurationError
from interlock.artifact.operator_model import FILES, MANIFEST, MAX_MODEL, ModelManifest, check, labels_of, manifest_of

LIBRARIES = ("onnxruntime", "tokenizers")
_INPUTS = frozenset({"input_ids", "attention_mask", "token_type_ids"})


class _Input(Protocol):
    name: str


class _Session(Protocol):
    def get_inputs(self) -> Sequence[_Input]: ...
    def run(self, names: None, feed: Mapping[str, npt.NDArray[np.int64]]) -> Sequence[npt.NDArray[np.float32]]: ...


class _Encoding(Protocol):
    ids: Sequence[int]


class _Tokenizer(Protocol):
    def enable_truncation(self, max_length: int) -> None: ...
    def encode(self, text: str) -> _Encoding: ...


class Parts:
    """The files of a model as they come in; ``model`` makes one of them."""

    def __init__(self) -> None:
        self._files: dict[str, bytearray] = {}
        self._size = 0

    def take(self, file: str, data: bytes) -> None:
        """One more part; raises ``ModelError``."""
        self._size += len(data)
        if file not in {*FILES, MANIFEST} or self._size > MAX_MODEL + (96 << 20):
            raise ModelError("a part of no model")
        self._files.setdefault(file, bytearray()).extend(data)

    def model(self) -> Operated:
        """The model; raises ``ModelError``."""
        try:
            files = {name: bytes(self._files[name]) for name in (*FILES, MANIFEST)}
            manifest = manifest_of(files[MANIFEST])
            check(manifest, files)
            return Operated(manifest, files)
        except (KeyError, ConfigurationError) as error:
            raise ModelError("not the model that was added") from error


class Operated:
    """A loaded model."""

    def __init__(self, manifest: ModelManifest, files: Mapping[str, bytes]) -> None:
        runtime, tokenizers = (sys.modules.get(name) for name in LIBRARIES)
        if runtime is None or tokenizers is None:
            raise ModelError("the extra onnx is not installed")
        self._manifest = manifest
        labels = labels_of(files["labels.json"])
        self._attack, self._labels = labels.index(manifest.attack), len(labels)
        try:
            self._tokenizer = cast(
                "_Tokenizer", cast("Any", tokenizers).Tokenizer.from_str(files["tokenizer.json"].decode())
            )
            self._tokenizer.enable_truncation(manifest.tokens)
            self._session = _session(cast("Any", runtime), files["model.onnx"])
            self._inputs = [one.name for one in self._session.get_inputs()]
        except Exception as error:  # The libraries raise whatever they like.
            raise ModelError("no model that can be loaded") from error
        if "input_ids" not in self._inputs or not set(self._inputs) <= _INPUTS:
            raise ModelError("inputs that nobody knows")

    def raises(self, text: str) -> bool:
        """Whether the text reaches the operator's threshold; raises ``ModelError``."""
        try:
            ids = list(self._tokenizer.encode(text).ids) or [0]
            feed = {name: np.array([_row(name, ids)], np.int64) for name in self._inputs}
            logits = np.asarray(self._session.run(None, feed)[0], np.float64)
        except Exception as error:
            raise ModelError("no answer") from error
        if logits.shape != (1, self._labels) or not bool(np.isfinite(logits).all()):
            raise ModelError("another number of labels")
        shifted = np.exp(logits[0] - logits[0].max())
        return bool(LEVELS * shifted[self._attack] / shifted.sum() >= self._manifest.raises)


def _row(name: str, ids: list[int]) -> list[int]:
    return ids if name == "input_ids" else [int(name == "attention_mask")] * len(ids)


def _session(runtime: Any, model: bytes) -> _Session:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return cast("_Session", runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"]))
