"""Content by its SHA-256: written once, durable before it counts, verified whenever it is read."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from interlock.artifact.errors import IntegrityError, StateError


class Blobs:
    """A folder of content-addressed files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)

    def put(self, content: bytes) -> str:
        """Store the bytes durably; their digest.  Raises ``StateError`` (``blob.storage``) where the disk fails."""
        digest = hashlib.sha256(content).hexdigest()
        try:
            self._write(self._path(digest), content)
        except OSError as error:
            hint = "free space or mend the disk, then try again"
            raise StateError(
                "blob.storage", f"the content {digest[:12]} cannot be stored: {error}", hint=hint
            ) from error
        return digest

    def _write(self, path: Path, content: bytes) -> None:
        if path.exists():
            return
        path.parent.mkdir(mode=0o700, exist_ok=True)
        scratch = path.with_name(f".{path.name}.{os.getpid()}")
        with scratch.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        scratch.replace(path)

    def get(self, digest: str) -> bytes:
        """The bytes; raises ``IntegrityError`` where they are gone or altered."""
        try:
            content = self._path(digest).read_bytes()
        except FileNotFoundError:
            raise IntegrityError("blob.missing", f"the content {digest[:12]} is gone") from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise IntegrityError("blob.altered", f"the content {digest[:12]} was altered")
        return content

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest
