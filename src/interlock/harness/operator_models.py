"""The operator's model: a folder that is verified, copied into the state, and verified again whenever it is read.

There is at most one.  It is data that the jailed analyst alone interprets; whatever is wrong with it makes the gate
stricter, and ``interlock doctor`` says so.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from interlock.artifact.errors import ConfigurationError, StateError
from interlock.artifact.operator_model import FILES, MANIFEST, MAX_MODEL, MAX_OTHER, ModelManifest, check, manifest_of

_FOLDER = "model"
_COPY = "model-copy"


class OperatorModel(NamedTuple):
    """A verified model, all of it in memory."""

    manifest: ModelManifest
    files: dict[str, bytes]


def read(folder: Path) -> OperatorModel:
    """The model in a folder; raises ``ConfigurationError`` for anything that is not exactly as its manifest says."""
    files = {name: _bytes(folder / name, MAX_MODEL if name == FILES[0] else MAX_OTHER) for name in (*FILES, MANIFEST)}
    manifest = manifest_of(files[MANIFEST])
    check(manifest, files)
    return OperatorModel(manifest, files)


def installed(state: Path) -> OperatorModel | None:
    """The workspace's model, or nothing where none was added; raises ``ConfigurationError``."""
    return read(state / _FOLDER) if present(state) else None


def present(state: Path) -> bool:
    """Whether one was added, be it sound or not."""
    return (state / _FOLDER).exists()


def add(state: Path, folder: Path) -> ModelManifest:
    """Verify and copy a folder; raises ``ConfigurationError``, or ``StateError`` where there is one already."""
    if present(state):
        raise StateError("models.already", "there is a model already", hint="interlock models remove")
    found = read(folder)
    copy = state / _COPY
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir(mode=0o700)
    for name, content in found.files.items():
        (copy / name).write_bytes(content)
        (copy / name).chmod(0o600)
    copy.rename(state / _FOLDER)
    return found.manifest


def remove(state: Path) -> None:
    """Forget the model; raises ``StateError`` where there is none."""
    if not present(state):
        raise StateError("models.none", "there is no model of the operator's")
    shutil.rmtree(state / _FOLDER)


def _bytes(path: Path, most: int) -> bytes:
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > most:
            raise ConfigurationError("models.file", f"{path.name} is missing, no plain file, or too large")
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError("models.file", f"{path.name}: {error.strerror}") from None
