"""What somebody with write access to the ledger's files may try: name, deed, code of the refusal, and who refuses.

``open`` means that the next start refuses, ``verify`` that the full check does (an auditor's verifier has a table of
its own).  One attack is listed as succeeding, with the evidence that catches it: an old copy of *everything*.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Literal, NamedTuple

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from interlock.artifact import checkpoint as notes
from interlock.artifact import merkle
from interlock.artifact.checkpoint import Checkpoint
from interlock.artifact.entry import leaf_of, seal
from interlock.artifact.errors import IntegrityError
from interlock.harness.ledger import payloads
from support.ledgers import KEY, NOW, ORIGIN, OTHER_KEY, numbered, open_ledger, record, story

SIZE = 12


class Attack(NamedTuple):
    """A deed on the closed ledger of a folder."""

    noticed: Literal["open", "verify"]
    code: str
    deed: Callable[[Path], None]


def sql(*statements: str) -> Callable[[Path], None]:
    def deed(folder: Path) -> None:
        with closing(sqlite3.connect(folder / "ledger.db", isolation_level=None)) as database:
            for statement in statements:
                assert database.execute(statement).rowcount != 0, statement

    return deed


def leaves(folder: Path) -> list[bytes]:
    with closing(sqlite3.connect(folder / "ledger.db")) as database:
        return [body for (body,) in database.execute("SELECT body FROM leaf ORDER BY idx")]


def note(found: list[bytes], key: object = KEY, origin: str = ORIGIN, size: int | None = None) -> bytes:
    tree = merkle.Frontier()
    for leaf in found:
        tree.append(merkle.leaf_hash(leaf))
    checkpoint = Checkpoint(origin=origin, size=len(found) if size is None else size, root=tree.root())
    return notes.sign_checkpoint(checkpoint, key)  # type: ignore[arg-type]


def set_checkpoint(folder: Path, raw: bytes) -> None:
    with closing(sqlite3.connect(folder / "ledger.db", isolation_level=None)) as database:
        database.execute("UPDATE checkpoint SET note = ?", (raw,))


def rebuild(folder: Path, found: list[bytes], *, key: object = KEY, head: bool = True) -> None:
    """Replace the whole tree by a well-formed one over other leaves, signed."""
    tree = merkle.Frontier()
    nodes = [node for leaf in found for node in tree.append(merkle.leaf_hash(leaf))]
    with closing(sqlite3.connect(folder / "ledger.db", isolation_level=None)) as database:
        database.execute("DELETE FROM leaf")
        database.execute("DELETE FROM node")
        database.executemany("INSERT INTO leaf VALUES (?, ?)", enumerate(found))
        database.executemany("INSERT INTO node VALUES (?, ?, ?)", nodes)
    set_checkpoint(folder, note(found, key))
    if head:
        (folder / "ledger.db.head").write_bytes(note(found, key))


def fork(folder: Path) -> None:
    """An entry is replaced, and the log's own key signs the other history; the head file is left."""
    found = leaves(folder)
    found[3] = leaf_of(seal(*swap(record("approval", "b" * 64))))
    rebuild(folder, found, head=False)


def swap(item: tuple[object, bytes]) -> tuple[object, bytes, bytes]:
    return item[0], bytes(16), item[1]


def regrown(folder: Path) -> None:
    """An old database copy is made longer than the head says, with other entries, by whoever has the key."""
    found = leaves(folder)[:-2]
    rebuild(folder, found + [leaf_of(seal(*swap(item))) for item in numbered(4, 900)], head=False)


def roll_back(folder: Path, *, head: bool) -> None:
    for path in (folder / "before").iterdir():
        if head or not path.name.endswith(".head"):
            shutil.copy(path, folder / path.name)


def resign_shorter(folder: Path) -> None:
    rebuild(folder, leaves(folder)[:-1], key=OTHER_KEY)


def write_head(raw: Callable[[Path], bytes]) -> Callable[[Path], None]:
    return lambda folder: (folder / "ledger.db.head").write_bytes(raw(folder)) and None


def write_note(raw: Callable[[Path], bytes]) -> Callable[[Path], None]:
    return lambda folder: set_checkpoint(folder, raw(folder))


DROP_LAST = (
    f"DELETE FROM leaf WHERE idx = {SIZE - 1}",
    f"DELETE FROM node WHERE level = 0 AND idx = {SIZE - 1}",
)
SWAP_LEAVES = (
    "UPDATE leaf SET idx = -1 WHERE idx = 2",
    "UPDATE leaf SET idx = 2 WHERE idx = 3",
    "UPDATE leaf SET idx = 3 WHERE idx = -1",
)
SWAP_BOXES = tuple(statement.replace("leaf", "payload") for statement in SWAP_LEAVES)
ZERO = "zeroblob(32)"
TRIGGER = "CREATE TRIGGER t AFTER INSERT ON leaf BEGIN UPDATE leaf SET body = x'00' WHERE idx = 0; END"

ATTACKS: dict[str, Attack] = {
    "cut off the last entry": Attack("open", "ledger.truncated", sql(*DROP_LAST)),
    "cut off half": Attack("open", "ledger.truncated", sql("DELETE FROM leaf WHERE idx >= 6")),
    "empty every table": Attack(
        "open", "ledger.truncated", sql(*(f"DELETE FROM {name}" for name in ("leaf", "node", "checkpoint")))
    ),
    "empty the entries": Attack("open", "ledger.truncated", sql("DELETE FROM leaf")),
    "drop the table of entries": Attack("open", "ledger.truncated", sql("DROP TABLE leaf")),
    "remove the database": Attack("open", "ledger.truncated", lambda folder: (folder / "ledger.db").unlink()),
    "remove the stored checkpoint": Attack("open", "ledger.unsigned", sql("DELETE FROM checkpoint")),
    "remove the head file": Attack("open", "ledger.head_missing", lambda folder: (folder / "ledger.db.head").unlink()),
    "empty the head file": Attack("open", "note.malformed", write_head(lambda _: b"")),
    "head file by another key": Attack("open", "note.untrusted", write_head(lambda f: note(leaves(f), OTHER_KEY))),
    "head file of another history": Attack("open", "ledger.forked", write_head(lambda f: note(leaves(f)[::-1]))),
    "head file of another origin": Attack(
        "open", "note.untrusted", write_head(lambda f: note(leaves(f), origin="elsewhere.test/log"))
    ),
    "head file beyond the tree": Attack("open", "ledger.truncated", write_head(lambda f: note(leaves(f), size=99))),
    "reorder two entries": Attack("verify", "ledger.node", sql(*SWAP_LEAVES)),
    "edit an entry": Attack(
        "verify", "ledger.node", sql("UPDATE leaf SET body = cast(replace(body, 't1', 't2') AS BLOB) WHERE idx = 3")
    ),
    "edit the last entry": Attack(
        "verify",
        "ledger.node",
        sql(f"UPDATE leaf SET body = cast(replace(body, '8000', '8001') AS BLOB) WHERE idx = {SIZE - 1}"),
    ),
    "write an entry that is none": Attack(
        "verify", "ledger.entry", sql("UPDATE leaf SET body = x'7b7d' WHERE idx = 3")
    ),
    "write an entry in another spelling": Attack(
        "verify", "ledger.entry", sql("UPDATE leaf SET body = cast(replace(body, ':', ': ') AS BLOB) WHERE idx = 3")
    ),
    "take an entry from the middle": Attack("verify", "ledger.gap", sql("DELETE FROM leaf WHERE idx = 4")),
    "insert an entry below the first": Attack(
        "verify", "ledger.gap", sql("INSERT INTO leaf SELECT -1, body FROM leaf LIMIT 1")
    ),
    "append an entry": Attack(
        "open", "ledger.unsigned", sql(f"INSERT INTO leaf SELECT {SIZE}, body FROM leaf WHERE idx = 2")
    ),
    "duplicate an entry over another": Attack(
        "verify", "ledger.node", sql("UPDATE leaf SET body = (SELECT body FROM leaf WHERE idx = 2) WHERE idx = 5")
    ),
    "edit a hash of the frontier": Attack("open", "ledger.root", sql(f"UPDATE node SET hash = {ZERO} WHERE level = 3")),
    "edit a hash below": Attack(
        "verify", "ledger.node", sql(f"UPDATE node SET hash = {ZERO} WHERE level = 1 AND idx = 0")
    ),
    "remove a hash of the frontier": Attack("open", "ledger.node", sql("DELETE FROM node WHERE level = 3")),
    "remove a hash below": Attack("verify", "ledger.node", sql("DELETE FROM node WHERE level = 0 AND idx = 1")),
    "add a hash": Attack("verify", "ledger.node", sql(f"INSERT INTO node VALUES (0, 99, {ZERO})")),
    "add a level of hashes": Attack("verify", "ledger.node", sql(f"INSERT INTO node VALUES (17, 0, {ZERO})")),
    "edit a sealed payload": Attack(
        "verify",
        "ledger.payload_altered",
        sql("UPDATE payload SET box = cast(x'00' || substr(box, 2) AS BLOB) WHERE idx = 3"),
    ),
    "swap two payloads with their salts": Attack("verify", "ledger.payload_altered", sql(*SWAP_BOXES)),
    "swap two payloads with salts and keys": Attack(
        "verify",
        "ledger.payload_altered",
        sql(*SWAP_BOXES, *(statement.replace("leaf", "data_key") for statement in SWAP_LEAVES)),
    ),
    "remove a sealed payload": Attack("verify", "ledger.payload_missing", sql("DELETE FROM payload WHERE idx = 3")),
    "remove a payload's key": Attack("verify", "ledger.payload_missing", sql("DELETE FROM data_key WHERE idx = 3")),
    "remove a task's key": Attack("verify", "ledger.payload_missing", sql("DELETE FROM task_key WHERE task = 't1'")),
    "pass a task's key off as another's": Attack(
        "verify", "ledger.payload_altered", sql("UPDATE task_key SET task = 't9' WHERE task = 't1'")
    ),
    "plant a trigger": Attack("open", "ledger.schema", sql(TRIGGER)),
    "an old copy of the database": Attack("open", "ledger.truncated", lambda folder: roll_back(folder, head=False)),
    "fork with the log's own key": Attack("open", "ledger.forked", fork),
    "an old copy, regrown with the log's own key": Attack("open", "ledger.forked", regrown),
    "drop the last entry and sign with another key": Attack("open", "note.untrusted", resign_shorter),
    "checkpoint by an unknown key": Attack("open", "note.untrusted", write_note(lambda f: note(leaves(f), OTHER_KEY))),
    "checkpoint of another origin": Attack(
        "open", "note.untrusted", write_note(lambda f: note(leaves(f), origin="elsewhere.test/log"))
    ),
    "checkpoint beyond the tree": Attack("open", "ledger.truncated", write_note(lambda f: note(leaves(f), size=99))),
    "checkpoint short of the tree": Attack("open", "ledger.unsigned", write_note(lambda f: note(leaves(f)[:-1]))),
    "checkpoint with another root": Attack("open", "ledger.root", write_note(lambda f: note(leaves(f)[::-1]))),
    "checkpoint with a broken signature": Attack(
        "open", "note.signature", write_note(lambda f: note(leaves(f)).replace(b"\n12\n", b"\n11\n"))
    ),
    "not a database": Attack(
        "open", "ledger.database", lambda folder: (folder / "ledger.db").write_bytes(b"x" * 4096) and None
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A closed ledger of ``SIZE`` entries, and what its folder held before the last five."""
    with open_ledger(tmp_path) as ledger:
        ledger.append(story())
    (tmp_path / "before").mkdir()
    for name in ("ledger.db", "ledger.db.head"):
        shutil.copy(tmp_path / name, tmp_path / "before" / name)
    with open_ledger(tmp_path) as ledger:
        ledger.append(numbered(SIZE - ledger.size))
    return tmp_path


def codes(folder: Path, since: bytes | None = None) -> tuple[str, str]:
    """The refusal of the next start, and of the full check where the start succeeds."""
    try:
        ledger = open_ledger(folder)
    except IntegrityError as error:
        return error.code, ""
    with ledger:
        try:
            ledger.verify(since=since)
        except IntegrityError as error:
            return "", error.code
    return "", ""


def test_untouched(folder: Path) -> None:
    assert codes(folder) == ("", "")


@pytest.mark.parametrize("name", ATTACKS)
def test_tampering(folder: Path, name: str) -> None:
    attack = ATTACKS[name]
    attack.deed(folder)
    expected = (attack.code, "") if attack.noticed == "open" else ("", attack.code)
    assert codes(folder) == expected


@pytest.mark.parametrize("name", [name for name, attack in ATTACKS.items() if attack.noticed == "verify"])
def test_a_running_ledger_notices_too(folder: Path, name: str) -> None:
    with open_ledger(folder) as ledger:
        ATTACKS[name].deed(folder)
        with pytest.raises(IntegrityError) as caught:
            ledger.verify()
        assert caught.value.code == ATTACKS[name].code


def test_a_running_ledger_notices_another_signed_root(folder: Path) -> None:
    with open_ledger(folder) as ledger:
        ATTACKS["checkpoint with another root"].deed(folder)
        with pytest.raises(IntegrityError, match=r"ledger\.root"):
            ledger.verify()


def test_a_payload_sealed_anew_by_whoever_holds_the_keys(folder: Path) -> None:
    with open_ledger(folder) as ledger:
        entry = ledger.entry(3)
    box = AESGCM(b"k" * 32).encrypt(bytes(12), bytes(16) + b"another payload", bytes.fromhex(entry.commitment))
    with pytest.raises(IntegrityError, match=r"ledger\.payload_altered"):
        payloads.unseal(entry, box, b"k" * 32)


BEHIND_ITS_BACK = (
    "fork with the log's own key",
    "an old copy, regrown with the log's own key",
    "checkpoint beyond the tree",
)


@pytest.mark.parametrize("name", BEHIND_ITS_BACK)
def test_a_running_ledger_adds_nothing_to_a_tampered_one(folder: Path, name: str) -> None:
    with open_ledger(folder) as ledger:
        ATTACKS[name].deed(folder)
        with pytest.raises(IntegrityError):
            ledger.append(numbered(1))


def test_reading_an_edited_entry_is_refused(folder: Path) -> None:
    with open_ledger(folder) as ledger:
        ATTACKS["edit an entry"].deed(folder)
        with pytest.raises(IntegrityError, match=r"ledger\.node"):
            ledger.entries(3, 4)
        with pytest.raises(IntegrityError, match=r"ledger\.node"):
            ledger.payload(3)


def test_an_old_copy_of_everything_needs_a_checkpoint_from_outside(folder: Path) -> None:
    """The attack that succeeds against one machine alone, and what catches it."""
    with open_ledger(folder) as ledger:
        exported = ledger.checkpoint()
    roll_back(folder, head=True)
    assert codes(folder) == ("", "")
    assert codes(folder, since=exported) == ("", "ledger.truncated")


def test_a_rewritten_history_of_everything_needs_a_checkpoint_from_outside(folder: Path) -> None:
    """Whoever holds the key and all files can rewrite entries with erased payloads; an exported note tells."""
    with open_ledger(folder) as ledger:
        ledger.erase("", NOW)
        exported = ledger.checkpoint()
    found = leaves(folder)
    found[8] = leaf_of(seal(*swap(record("load", "rewritten", task=""))))
    rebuild(folder, found)
    assert codes(folder) == ("", "")
    assert codes(folder, since=exported) == ("", "ledger.forked")
