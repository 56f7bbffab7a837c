"""The vault: secrets at rest, released for one step, after approval, into that step alone.

Each secret is sealed with AES-256-GCM under the vault's key, with its name as associated data, so that rows
cannot be swapped.  ``names`` never shows a value, and nothing here returns one but ``release``.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from interlock.artifact.errors import IntegrityError, StateError
from interlock.harness.keys import replace_file

MAX_SECRET = 64 * 1024


class _Secret(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row: nonce and sealed value in hexadecimal, and whether it is marked for rotation."""

    sealed: str
    rotate: int = 0


_Rows = dict[str, _Secret]


class Vault:
    """The secrets in one file."""

    def __init__(self, path: Path, key: bytes) -> None:
        self._path = path
        self._cipher = AESGCM(key)

    def names(self) -> dict[str, bool]:
        """Each secret's name, and whether it is marked for rotation."""
        return {name: bool(row.rotate) for name, row in self._rows().items()}

    def put(self, name: str, value: bytes) -> None:
        """Store or replace a secret of at most ``MAX_SECRET`` bytes; a rotation mark is cleared."""
        if not 0 < len(value) <= MAX_SECRET:
            raise StateError("vault.size", f"a secret of {len(value)} bytes, allowed are 1 to {MAX_SECRET}")
        nonce = secrets.token_bytes(12)
        sealed = nonce + self._cipher.encrypt(nonce, value, name.encode())
        self._save(self._rows() | {name: _Secret(sealed=sealed.hex())})

    def remove(self, name: str) -> None:
        """Forget a secret; raises ``StateError`` where there is none."""
        rows = self._rows()
        self._row(rows, name)
        self._save({key: row for key, row in rows.items() if key != name})

    def mark(self, names: frozenset[str]) -> None:
        """Mark secrets for rotation: they were in the hands of something that broke out of its role."""
        rows = self._rows()
        self._save(
            {name: _Secret(sealed=row.sealed, rotate=row.rotate | (name in names)) for name, row in rows.items()}
        )

    def release(self, name: str) -> bytes:
        """The value; the caller has recorded the release before.  Raises for unknown, altered or marked ones."""
        row = self._row(self._rows(), name)
        if row.rotate:
            raise StateError(
                "vault.rotate", f"the secret {name} is marked for rotation", hint=f"interlock secrets set {name}"
            )
        try:
            sealed = bytes.fromhex(row.sealed)
            return self._cipher.decrypt(sealed[:12], sealed[12:], name.encode())
        except (InvalidTag, ValueError):
            raise IntegrityError("vault.altered", f"the stored secret {name} was altered") from None

    def _row(self, rows: _Rows, name: str) -> _Secret:
        if name not in rows:
            raise StateError("vault.unknown", f"no secret is named {name}", hint=f"run: interlock secrets set {name}")
        return rows[name]

    def _rows(self) -> _Rows:
        if not self._path.exists():
            return {}
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Rows)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise IntegrityError("vault.altered", "the stored secrets cannot be read") from None

    def _save(self, rows: _Rows) -> None:
        self._path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
        replace_file(self._path, msgspec.json.encode(rows, order="sorted"))
