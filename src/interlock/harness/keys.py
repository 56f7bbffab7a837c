"""The harness's own keys, and the keyring of everyone whose word counts.

Private keys are 32 bytes each in files that only their owner reads.  An approver's key is a person's: it lies in
that person's folder, never among the harness's, and only its public half enters the keyring.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlock.artifact import codec
from interlock.artifact.errors import ConfigurationError, StateError
from interlock.artifact.signing import Keyring, PublicKey, Role, Signer, key_id

_NAMES = ("harness", "ledger", "grant", "vault")


class Keys:
    """The keys in one folder; ``create`` makes it, the constructor opens it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        seeds = {name: read_private(folder / f"{name}.key") for name in _NAMES}
        self.signer = Signer(Ed25519PrivateKey.from_private_bytes(seeds["harness"]))
        self.ledger = Ed25519PrivateKey.from_private_bytes(seeds["ledger"])
        self.grant_seed = seeds["grant"]
        self.vault_key = seeds["vault"]
        self.reload()

    @classmethod
    def create(cls, folder: Path, now: int) -> Keys:
        """New keys where there are none; an existing folder is opened as it is."""
        if not (folder / "keyring.json").exists():
            folder.mkdir(parents=True, mode=0o700, exist_ok=True)
            for name in _NAMES:
                if not (folder / f"{name}.key").exists():
                    write_private(folder / f"{name}.key", secrets.token_bytes(32))
            public = Signer(Ed25519PrivateKey.from_private_bytes(read_private(folder / "harness.key"))).public
            own = public_key(public, "harness", ("harness",), now)
            replace_file(folder / "keyring.json", codec.encode(Keyring(keys=(own,))))
        return cls(folder)

    def reload(self) -> None:
        """Read the keyring again."""
        self.keyring = codec.decode_canonical((self._folder / "keyring.json").read_bytes(), Keyring)

    def trust(self, key: PublicKey) -> None:
        """Add a key to the keyring; a key that stands there already is left as it is."""
        if key.id not in {known.id for known in self.keyring.keys}:
            self._save((*self.keyring.keys, key))

    def revoke(self, key: str, since: int) -> PublicKey:
        """Distrust a key (a unique prefix of its id) from ``since`` (milliseconds) on."""
        found = [known for known in self.keyring.keys if known.id.startswith(key)]
        if len(found) != 1:
            raise StateError("keys.unknown", f"{len(found)} keys begin with that id", hint="run: interlock keys list")
        revoked = msgspec.structs.replace(
            found[0], revoked_from=since if found[0].revoked_from is None else min(since, found[0].revoked_from)
        )
        self._save(tuple(revoked if known.id == revoked.id else known for known in self.keyring.keys))
        return revoked

    def _save(self, keys: tuple[PublicKey, ...]) -> None:
        self.keyring = Keyring(keys=keys)
        replace_file(self._folder / "keyring.json", codec.encode(self.keyring))


def public_key(public: bytes, owner: str, roles: tuple[Role, ...], now: int) -> PublicKey:
    """A keyring entry for 32 raw bytes, valid from ``now`` on."""
    return PublicKey(id=key_id(public), owner=owner, public=public.hex(), roles=roles, not_before=now)


def own_signer(folder: Path, owner: str, *, create: bool) -> Signer:
    """The signing key of a person, made on first use if asked; raises ``ConfigurationError``."""
    path = folder / f"{owner}.key"
    if create and not path.exists():
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        write_private(path, secrets.token_bytes(32))
    if not path.exists():
        raise ConfigurationError(
            "keys.none", f"{owner} has no signing key here", hint=f"run: interlock keys new {owner}"
        )
    return Signer(Ed25519PrivateKey.from_private_bytes(read_private(path)))


def read_private(path: Path) -> bytes:
    """32 bytes from a file that nobody else may read; raises ``ConfigurationError``."""
    if path.stat().st_mode & 0o077:
        raise ConfigurationError("keys.mode", f"{path.name} can be read by others", hint=f"chmod 600 {path.name}")
    try:
        seed = bytes.fromhex(path.read_text("ascii"))
    except ValueError:
        seed = b""
    if len(seed) != 32:  # noqa: PLR2004 - the size of an Ed25519 seed and of an AES-256 key
        raise ConfigurationError("keys.size", f"{path.name} does not hold 32 bytes in hexadecimal")
    return seed


def write_private(path: Path, seed: bytes) -> None:
    """Write 32 bytes to a new file with mode 0600."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(seed.hex())


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file as a whole, durably."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    with scratch.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    scratch.replace(path)
