"""Entry: one line of the ledger, and the only part of an event that can never be taken back.

An entry holds no payload, only a salted commitment to it, so that erasing the payload (or its key) leaves every
proof valid.  Its leaf bytes are its canonical form.  A draft has an empty ``commitment``; the ledger fills it in.

``subject`` is short and not sensitive.  For whatever belongs to a plan it is the plan's digest, and for whatever
belongs to one started step ``PLAN/STEP/ITERATION``, which is what the order rules of ``interlock.verify`` read.

>>> draft = Entry(kind="task", at=1_700_000_000_000, task="t1")
>>> leaf = leaf_of(seal(draft, b"\\0" * 16, b"buy milk"))
>>> parse_leaf(leaf).kind
'task'
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal, TypeAlias

import msgspec

from interlock.artifact import codec
from interlock.artifact.codec import Digest, Millis, Value

SALT_BYTES = 16
MAX_LEAF = 4096

Kind: TypeAlias = Literal[
    "task",
    "load",
    "observation",
    "plan",
    "decision",
    "approval",
    "denial",
    "grant",
    "secret",
    "intention",
    "outcome",
    "receipt",
    "undo",
    "snapshot",
    "incident",
    "question",
    "answer",
    "completion",
    "policy",
    "key",
    "checkpoint-export",
    "halt",
    "resume",
    "revoke",
    "erase",
    "alert",
    "unsafe",
]


class Entry(Value, frozen=True, kw_only=True):
    """What happened, when (milliseconds since the epoch, UTC), in which task, to what, and with which result."""

    kind: Kind
    at: Millis
    task: Annotated[str, msgspec.Meta(max_length=128)] = ""
    subject: Annotated[str, msgspec.Meta(max_length=256)] = ""
    code: Annotated[str, msgspec.Meta(max_length=96)] = ""
    commitment: Digest = ""

    @property
    def plan(self) -> str:
        """The plan that the entry belongs to, where its subject names one."""
        return self.subject.partition("/")[0]


def step_subject(plan: str, step: str, iteration: int) -> str:
    """The subject of an intention, an outcome, a secret, a snapshot or an undo."""
    return f"{plan}/{step}/{iteration}"


def commitment(salt: bytes, payload: bytes) -> str:
    """SHA-256 of salt and payload, in hexadecimal; the salt has ``SALT_BYTES`` bytes."""
    return hashlib.sha256(salt + payload).hexdigest()


def seal(draft: Entry, salt: bytes, payload: bytes) -> Entry:
    """The entry with its commitment."""
    return msgspec.structs.replace(draft, commitment=commitment(salt, payload))


def leaf_of(entry: Entry) -> bytes:
    """The bytes that the tree hashes; raises ``CodecError`` for an entry that could not be read back."""
    leaf = codec.encode(entry)
    parse_leaf(leaf)
    return leaf


def parse_leaf(leaf: bytes) -> Entry:
    """The entry whose one spelling these bytes are; raises ``CodecError``."""
    return codec.decode_canonical(leaf, Entry, limit=MAX_LEAF)
