"""The manifest of an operator's model: which files with which digests, and what its labels mean.

A folder holds exactly ``FILES`` and ``manifest.json``.  ``check`` raises ``ConfigurationError`` for bytes that are not
those that the manifest names; it is asked where the folder is added, and again wherever the bytes are read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

from interlock.artifact import codec
from interlock.artifact.codec import Digest, Identifier, Text, Value
from interlock.artifact.errors import ConfigurationError, InterlockError

FILES: Final = ("model.onnx", "tokenizer.json", "labels.json")
MANIFEST: Final = "manifest.json"
MAX_MODEL: Final = 1 << 30
MAX_OTHER: Final = 32 << 20
MAX_LABELS: Final = 64
_HINT: Final = "make the folder anew, or remove the model: interlock models remove"


class ModelManifest(Value, frozen=True, kw_only=True):
    """``attack`` is the label that raises, from ``raises`` thousandths on; texts are cut to ``tokens``."""

    name: Identifier
    files: dict[str, Digest]
    attack: Text
    raises: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    tokens: Annotated[int, msgspec.Meta(ge=8, le=1024)] = 512


def manifest_of(raw: bytes) -> ModelManifest:
    """The manifest of a file's bytes; raises ``ConfigurationError``."""
    try:
        found = codec.decode(raw, ModelManifest)
    except InterlockError as error:
        raise ConfigurationError("models.manifest", f"{MANIFEST}: {error.message}", hint=_HINT) from None
    if set(found.files) != set(FILES):
        raise ConfigurationError("models.manifest", f"{MANIFEST} must name {', '.join(FILES)}", hint=_HINT)
    return found


def check(manifest: ModelManifest, files: Mapping[str, bytes]) -> None:
    """Raise ``ConfigurationError`` unless the files are exactly those that the manifest names."""
    for name in FILES:
        if hashlib.sha256(files[name]).hexdigest() != manifest.files[name]:
            raise ConfigurationError("models.altered", f"{name} has another digest than {MANIFEST} says", hint=_HINT)
    if manifest.attack not in labels_of(files["labels.json"]):
        raise ConfigurationError("models.labels", "labels.json does not hold the label that raises", hint=_HINT)


def labels_of(raw: bytes) -> tuple[str, ...]:
    """The labels, in the order of the model's outputs; raises ``ConfigurationError``."""
    try:
        found = codec.decode(raw, tuple[str, ...], data=True)
    except InterlockError as error:
        raise ConfigurationError("models.labels", f"labels.json: {error.message}", hint=_HINT) from None
    if not 1 < len(set(found)) == len(found) <= MAX_LABELS:
        raise ConfigurationError("models.labels", "labels.json needs two labels or more, none twice", hint=_HINT)
    return found
