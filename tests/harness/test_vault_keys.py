"""Keys and vault: files that only their owner reads, values that come out only by release, rows that hold together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from interlock.artifact.errors import ConfigurationError, IntegrityError, InterlockError, StateError
from interlock.harness.keys import Keys, own_signer, public_key, read_private, replace_file, write_private
from interlock.harness.vault import MAX_SECRET, Vault

NOW = 1_700_000_000_000
KEY = bytes(range(32))


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "vault.json", KEY)


def test_a_secret_comes_back_and_lies_there_sealed(vault: Vault, tmp_path: Path) -> None:
    assert vault.names() == {}
    vault.put("token", b"hunter2-hunter2")
    vault.put("empty-ish", b"\0")
    stored = (tmp_path / "vault.json").read_bytes()
    assert b"hunter2" not in stored and b"hunter2".hex().encode() not in stored
    again = Vault(tmp_path / "vault.json", KEY)
    assert (again.release("token"), again.release("empty-ish")) == (b"hunter2-hunter2", b"\0")
    vault.put("token", b"new")
    assert again.release("token") == b"new"


def test_the_same_value_is_sealed_anew_each_time(vault: Vault, tmp_path: Path) -> None:
    vault.put("a", b"x")
    first = (tmp_path / "vault.json").read_bytes()
    vault.put("a", b"x")
    assert (tmp_path / "vault.json").read_bytes() != first


def test_a_marked_secret_is_not_released_until_it_is_set_again(vault: Vault) -> None:
    vault.put("a", b"1")
    vault.put("b", b"2")
    vault.mark(frozenset({"a", "unknown"}))
    assert vault.names() == {"a": True, "b": False}
    with pytest.raises(StateError, match=r"vault\.rotate"):
        vault.release("a")
    vault.mark(frozenset())
    assert vault.names()["a"]
    vault.put("a", b"3")
    assert vault.release("a") == b"3"


def test_what_is_not_there(vault: Vault) -> None:
    for deed in (vault.release, vault.remove):
        with pytest.raises(StateError, match=r"vault\.unknown"):
            deed("a")
    vault.put("a", b"1")
    vault.remove("a")
    assert vault.names() == {}


@pytest.mark.parametrize("value", [b"", bytes(MAX_SECRET + 1)])
def test_a_secret_has_bounds(vault: Vault, value: bytes) -> None:
    with pytest.raises(StateError, match=r"vault\.size"):
        vault.put("a", value)
    vault.put("a", bytes(MAX_SECRET))


def test_rows_cannot_be_swapped_or_altered(vault: Vault, tmp_path: Path) -> None:
    path = tmp_path / "vault.json"
    vault.put("cheap", b"1")
    vault.put("dear", b"2")
    rows = json.loads(path.read_bytes())
    path.write_text(json.dumps({"cheap": rows["dear"], "dear": rows["cheap"]}))
    with pytest.raises(IntegrityError, match=r"vault\.altered"):
        vault.release("cheap")
    sealed = bytearray.fromhex(rows["dear"]["sealed"])
    for place in range(len(sealed)):
        sealed[place] ^= 1
        path.write_text(json.dumps(rows | {"dear": {"sealed": sealed.hex(), "rotate": 0}}))
        with pytest.raises(IntegrityError, match=r"vault\.altered"):
            vault.release("dear")
        sealed[place] ^= 1
    with pytest.raises(IntegrityError, match=r"vault\.altered"):
        Vault(path, bytes(32)).release("cheap")


BROKEN_FILES = {
    "no JSON": b"{",
    "a list": b"[]",
    "a row that is none": b'{"a":1}',
    "a row without its value": b'{"a":{"rotate":0}}',
    "a value that is no hexadecimal": b'{"a":{"sealed":"zz","rotate":0}}',
    "a value that is too short": b'{"a":{"sealed":"00","rotate":0}}',
}


@pytest.mark.parametrize("name", BROKEN_FILES)
def test_a_broken_vault_is_an_integrity_fault(vault: Vault, tmp_path: Path, name: str) -> None:
    (tmp_path / "vault.json").write_bytes(BROKEN_FILES[name])
    with pytest.raises(InterlockError, match=r"vault\.altered"):
        vault.release("a")


def test_new_keys_are_private_and_stay(tmp_path: Path) -> None:
    keys = Keys.create(tmp_path / "keys", NOW)
    again = Keys.create(tmp_path / "keys", NOW + 1)
    assert again.signer.public == keys.signer.public
    assert (again.grant_seed, again.vault_key) == (keys.grant_seed, keys.vault_key)
    seeds = [path.read_text() for path in (tmp_path / "keys").glob("*.key")]
    assert len(set(seeds)) == 4
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in (tmp_path / "keys").glob("*.key"))
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    [own] = again.keyring.keys
    assert (own.roles, own.owner, own.not_before) == (("harness",), "harness", NOW)


def test_a_key_that_others_can_read_or_that_is_none_is_refused(tmp_path: Path) -> None:
    write_private(tmp_path / "a.key", KEY)
    with pytest.raises(FileExistsError):
        write_private(tmp_path / "a.key", KEY)
    assert read_private(tmp_path / "a.key") == KEY
    (tmp_path / "a.key").chmod(0o640)
    with pytest.raises(ConfigurationError, match=r"keys\.mode"):
        read_private(tmp_path / "a.key")
    write_private(tmp_path / "b.key", KEY[:31])
    (tmp_path / "c.key").write_text("no hexadecimal \N{SNOWMAN}")
    (tmp_path / "c.key").chmod(0o600)
    for name in ("b.key", "c.key"):
        with pytest.raises(ConfigurationError, match=r"keys\.size"):
            read_private(tmp_path / name)


def test_a_persons_key_is_made_only_if_asked(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"keys\.none"):
        own_signer(tmp_path / "person", "alice", create=False)
    made = own_signer(tmp_path / "person", "alice", create=True)
    assert own_signer(tmp_path / "person", "alice", create=True).public == made.public


def test_trust_and_revocation(tmp_path: Path) -> None:
    keys = Keys.create(tmp_path / "keys", NOW)
    alice = own_signer(tmp_path / "person", "alice", create=True)
    keys.trust(public_key(alice.public, "alice", ("approver",), NOW))
    keys.trust(public_key(alice.public, "mallory", ("approver", "harness"), NOW))
    assert [key.owner for key in Keys(tmp_path / "keys").keyring.keys] == ["harness", "alice"]
    assert keys.revoke(alice.id[:16], NOW + 10).revoked_from == NOW + 10
    assert keys.revoke(alice.id, NOW + 20).revoked_from == NOW + 10
    assert keys.revoke(alice.id, NOW + 5).revoked_from == NOW + 5
    for wrong in ("", "zz"):
        with pytest.raises(StateError, match=r"keys\.unknown"):
            keys.revoke(wrong, NOW)


def test_a_file_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    replace_file(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
