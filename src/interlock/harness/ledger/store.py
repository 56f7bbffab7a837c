"""The ledger: an append-only Merkle log in SQLite (WAL, synchronous=FULL), with a signed checkpoint per commit.

``append`` returns once its entries are on the disk.  Calls of many threads share one transaction: whoever gets the
commit lock commits everything that is queued.  Several processes may use one file; they take turns under a file
lock, and each looks at the tail again first.  A failed append raises and leaves nothing.  Opening checks the head
(signed, complete, neither behind nor beside the head file); ``verify`` recomputes everything.

>>> with Ledger(path, key, "example.com/log") as ledger:  # doctest: +SKIP
...     [index] = ledger.append([(Entry(kind="task", at=now, task="t1"), b"buy milk")])
...     ledger.payload(index)
b'buy milk'
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlock.artifact import checkpoint as notes
from interlock.artifact import merkle
from interlock.artifact.checkpoint import Checkpoint, LogProof, NoteKey
from interlock.artifact.entry import Entry, parse_leaf
from interlock.artifact.errors import IntegrityError, InterlockError, StateError
from interlock.harness.ledger import payloads
from interlock.harness.ledger.audit import audit, check_anchor, check_head, disclose
from interlock.harness.ledger.head import Head
from interlock.harness.ledger.payloads import Sealed
from interlock.harness.ledger.tables import Tables, storage_faults

MAX_GROUP = 4096


class _Batch:
    """One caller's records on their way through a shared commit, and what else the commit shall do."""

    __slots__ = ("also", "error", "first", "records", "turn")

    def __init__(self, records: Sequence[Sealed], also: Callable[[Tables], None] | None = None) -> None:
        self.records = records
        self.also = also
        self.first = -1
        self.error: InterlockError | None = None
        self.turn = threading.Lock()
        self.turn.acquire()

    @property
    def settled(self) -> bool:
        return self.first >= 0 or self.error is not None


class Ledger:
    """One log under one origin, signed by one key; ``earlier`` keys may have signed what is already there.

    ``storage_key`` (32 bytes) wraps the payloads' keys; without it, it is derived from the signer's.
    Raises ``IntegrityError`` where what is stored was tampered with, ``StateError`` where it cannot be reached.
    """

    def __init__(
        self,
        path: Path | str,
        signer: Ed25519PrivateKey,
        origin: str,
        *,
        storage_key: bytes | None = None,
        earlier: Sequence[NoteKey] = (),
    ) -> None:
        self.path = Path(path)
        self.key = notes.note_key(origin, signer)
        self._keys = (self.key, *earlier)
        self._signer = signer
        self._storage_key = storage_key or payloads.storage_key(signer, origin)
        self._queue: deque[_Batch] = deque()
        self._led = False
        self._turns, self._commit_lock, self._read_lock = threading.Lock(), threading.Lock(), threading.Lock()
        with storage_faults():
            self._head = Head(self.path)
            self._writer, self._reader = (Tables(self.path, self._storage_key) for _ in range(2))
            self._note, self._frontier = self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files; an append in flight ends first."""
        with self._commit_lock, self._read_lock:
            self._writer.close()
            self._reader.close()
            self._head.close()

    def append(self, records: Iterable[tuple[Entry, bytes]]) -> list[int]:
        """Add drafts with their payloads, durably and in one piece; their indices.

        Raises ``CodecError`` or ``StateError`` for records or a disk that cannot take them, ``IntegrityError``
        where the stored log was tampered with; nothing is added then.
        """
        batch = _Batch(payloads.seal_all(records))
        return self._submit(batch) if batch.records else []

    def erase(self, task: str, at: int, index: int | None = None) -> int:
        """Destroy the key of one payload of a task, or of all so far; the index of the entry that says so."""
        if index is not None and self.entry(index).task != task:
            raise StateError("ledger.erase_task", f"entry {index} belongs to another task")
        subject = "*" if index is None else str(index)
        draft = Entry(kind="erase", at=at, task=task, subject=subject)
        batch = _Batch(payloads.seal_all([(draft, b"")]), lambda tables: tables.erase(task, index))
        [done] = self._submit(batch)
        with self._commit_lock, storage_faults():
            self._writer.forget_deleted()
        return done

    @property
    def size(self) -> int:
        """How many entries there are."""
        with self._reading() as tables:
            return tables.size()

    def entries(self, start: int = 0, stop: int | None = None) -> list[Entry]:
        """The entries of a range, each checked against its stored hash."""
        return [parse_leaf(leaf) for leaf in self.leaves(start, stop)]

    def entry(self, index: int) -> Entry:
        """One entry; raises ``StateError`` where there is none."""
        found = self.entries(index, index + 1)
        if not found:
            raise StateError("ledger.index", f"there is no entry {index}")
        return found[0]

    def leaves(self, start: int = 0, stop: int | None = None) -> list[bytes]:
        """The leaf bytes of a range, each checked against its stored hash."""
        with self._reading() as tables:
            found = tables.leaves(start, tables.size() if stop is None else stop)
        if any(merkle.leaf_hash(leaf) != stored for leaf, stored in found):
            raise IntegrityError("ledger.node", "an entry that is not the one whose hash is stored")
        return [leaf for leaf, _ in found]

    def payload(self, index: int) -> bytes:
        """An entry's payload; raises ``StateError`` with ``ledger.erased`` where its key was destroyed."""
        return self.disclose(index)[1]

    def disclose(self, index: int) -> tuple[bytes, bytes]:
        """Salt and payload, which open the entry's commitment to whoever is given both."""
        entry = self.entry(index)
        with self._reading() as tables:
            [stored] = tables.stored(index, index + 1)
            found = disclose(tables, stored, entry)
        if found is None:
            raise StateError("ledger.erased", f"the payload of entry {index} was erased")
        return found

    def checkpoint(self) -> bytes:
        """The latest checkpoint, a signed note."""
        with self._reading() as tables:
            return tables.checkpoint() or b""

    def prove_inclusion(self, index: int, size: int) -> list[bytes]:
        """The audit path of an entry in the tree of ``size`` entries."""
        with self._reading() as tables:
            return merkle.inclusion_proof(index, size, tables.node)

    def prove_consistency(self, old: int, new: int) -> list[bytes]:
        """The proof that the tree of ``new`` entries begins with that of ``old``."""
        with self._reading() as tables:
            return merkle.consistency_proof(old, new, tables.node)

    def proof(self, index: int) -> bytes:
        """An offline proof (``.tlog-proof``) that an entry stands in the log."""
        note = self.checkpoint()
        size = notes.open_checkpoint(note, self._keys).size
        hashes = tuple(self.prove_inclusion(index, size))
        return notes.format_proof(LogProof(index=index, hashes=hashes, note=note))

    def verify(self, *, since: bytes | None = None) -> Checkpoint:
        """Recompute everything (``interlock.harness.ledger.audit``), also against a note that was exported earlier."""
        with storage_faults():
            tables = Tables(self.path, self._storage_key)
            try:
                return audit(tables, self._keys, self._anchors(tables, since))
            finally:
                tables.close()

    def cosigned(self) -> bytes | None:
        """The latest checkpoint that a witness cosigned."""
        with self._reading() as tables:
            return tables.checkpoint(cosigned=True)

    def keep_cosigned(self, note: bytes) -> None:
        """Keep a cosigned checkpoint of this log; the caller has checked the witness's signature."""
        anchor = notes.open_checkpoint(note, self._keys)
        with self._commit_lock, storage_faults(), self._writer.transaction():
            read = self._writer.node
            check_anchor(anchor, self._writer.size(), lambda size: merkle.frontier(size, read).root())
            self._writer.put_checkpoint(note, cosigned=True)

    @contextmanager
    def _reading(self) -> Generator[Tables]:
        with self._read_lock, storage_faults():
            yield self._reader

    def _submit(self, batch: _Batch) -> list[int]:
        """Wait until the batch is committed, by this thread if it is its turn to commit for all that are queued."""
        with self._turns:
            self._queue.append(batch)
            leads, self._led = not self._led, True
        if not leads:
            batch.turn.acquire()
        if not batch.settled:
            self._lead()
        if batch.error is not None:
            raise batch.error
        return list(range(batch.first, batch.first + len(batch.records)))

    def _lead(self) -> None:
        """Commit one group, this thread's batch first, then pass the lead on and wake the others."""
        group, count = [self._queue.popleft()], 0
        while self._queue and (count := count + len(group[-1].records)) < MAX_GROUP:
            group.append(self._queue.popleft())
        error: InterlockError = StateError("ledger.interrupted", "the commit was interrupted; look before retrying")
        try:
            with self._commit_lock:
                self._commit(group)
        except InterlockError as failure:
            error = failure
        finally:
            for batch in group:
                batch.error = None if batch.first >= 0 else error
            with self._turns:
                self._led = bool(self._queue)
                following = self._queue[0] if self._led else None
            for batch in [*group[1:], *([following] if following else [])]:
                batch.turn.release()

    def _commit(self, group: Sequence[_Batch]) -> None:
        """One transaction, one signature: rows, then the staged head, then the commit, then the head shows."""
        with storage_faults(), self._head.locked():
            with self._writer.transaction():
                frontier = self._tail().copy()
                first = frontier.size
                records = [record for batch in group for record in batch.records]
                added = [node for record in records for node in frontier.append(merkle.leaf_hash(record.leaf))]
                for batch in group:
                    if batch.also is not None:
                        batch.also(self._writer)
                self._writer.add(first, records, added)
                note = self._sign(frontier)
                self._writer.put_checkpoint(note)
                self._head.stage(note)
            self._note, self._frontier = note, frontier
            self._head.publish()
        for batch in group:
            batch.first, first = first, first + len(batch.records)

    def _tail(self) -> merkle.Frontier:
        """The frontier to add to; checked again where another process has written since."""
        note = self._writer.checkpoint() or b""
        if note != self._note:
            known = notes.open_checkpoint(self._note, self._keys)
            self._frontier = check_head(self._writer, note, self._keys, [known, *self._anchors(self._writer)])
            self._note = note
        return self._frontier

    def _open(self) -> tuple[bytes, merkle.Frontier]:
        with self._head.locked():
            self._writer.create()
            with self._writer.transaction():
                note = self._writer.checkpoint() or self._sign(merkle.Frontier())
                frontier = check_head(self._writer, note, self._keys, self._anchors(self._writer))
                if frontier.size and self._head.read() is None:
                    raise IntegrityError("ledger.head_missing", "the head file beside the database is gone")
                note = self._sign(frontier)  # The same bytes, unless the key is a new one.
                self._writer.put_checkpoint(note)
                self._head.stage(note)
            self._head.publish()
        return note, frontier

    def _anchors(self, tables: Tables, since: bytes | None = None) -> list[Checkpoint]:
        """What is known from outside the tables: head file, cosigned note, a note that was exported."""
        found = [self._head.read(), tables.checkpoint(cosigned=True), since]
        return [notes.open_checkpoint(note, self._keys) for note in found if note is not None]

    def _sign(self, frontier: merkle.Frontier) -> bytes:
        head = Checkpoint(origin=self.key.name, size=frontier.size, root=frontier.root())
        return notes.sign_checkpoint(head, self._signer)
