"""What makes a stored ledger sound: a quick check of its head, and the full recomputation.

``check_head`` (when a ledger opens, and whenever another process wrote):
1. The database defines our tables, word for word, and nothing else.
2. The stored checkpoint is signed by a key of this log, under its origin.
3. There are exactly as many entries as it says.
4. The stored hashes of the frontier lead to its root.
5. Every anchor (head file, earlier knowledge, cosigned or exported checkpoint) is a prefix of this log.

``audit`` does the same from the leaves themselves:
6. Each leaf stands at its index and is an entry in its one spelling.
7. Each stored hash is the recomputed one, and there is no other.
8. Each payload opens and fits its commitment, or an entry says that it was erased.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from interlock.artifact import merkle
from interlock.artifact.checkpoint import Checkpoint, NoteKey, open_checkpoint
from interlock.artifact.entry import Entry, parse_leaf
from interlock.artifact.errors import CodecError, IntegrityError
from interlock.harness.ledger import payloads
from interlock.harness.ledger.tables import Stored, Tables


def check_head(tables: Tables, note: bytes, keys: Sequence[NoteKey], anchors: Sequence[Checkpoint]) -> merkle.Frontier:
    """The frontier that ``note`` signs, steps (1) to (5); raises ``IntegrityError``."""
    head = _signed_size(tables, note, keys)
    frontier = merkle.frontier(head.size, tables.node)
    if frontier.root() != head.root:  # (4)
        raise IntegrityError("ledger.root", "the stored hashes do not lead to the signed root")
    for anchor in anchors:  # (5)
        check_anchor(anchor, head.size, lambda size: merkle.frontier(size, tables.node).root())
    return frontier


def check_anchor(anchor: Checkpoint, size: int, root_of: Callable[[int], bytes]) -> None:
    """Step (5) for one checkpoint that was seen elsewhere."""
    if anchor.size > size:
        raise IntegrityError("ledger.truncated", f"{size} entries are left of {anchor.size} that were signed")
    if root_of(anchor.size) != anchor.root:
        raise IntegrityError("ledger.forked", f"the first {anchor.size} entries are not those that were signed")


def audit(tables: Tables, keys: Sequence[NoteKey], anchors: Sequence[Checkpoint]) -> Checkpoint:
    """Recompute everything, steps (1) to (8), in one snapshot; the checkpoint that holds."""
    with tables.transaction("DEFERRED"):
        head = _signed_size(tables, tables.checkpoint() or b"", keys)
        roots = _recompute(tables, {head.size, *(anchor.size for anchor in anchors)})
    if roots[head.size] != head.root:
        raise IntegrityError("ledger.root", "the entries do not lead to the signed root")
    for anchor in anchors:
        check_anchor(anchor, head.size, roots.__getitem__)
    return head


def _signed_size(tables: Tables, note: bytes, keys: Sequence[NoteKey]) -> Checkpoint:
    tables.check_schema()  # (1)
    head = open_checkpoint(note, keys)  # (2)
    size = tables.size()
    if size < head.size:  # (3)
        raise IntegrityError("ledger.truncated", f"{size} entries are left of {head.size} that were signed")
    if size > head.size:
        raise IntegrityError("ledger.unsigned", f"{size - head.size} entries beyond the signed {head.size}")
    return head


def _recompute(tables: Tables, sizes: set[int]) -> dict[int, bytes]:
    """The roots at ``sizes`` (as far as the log reaches), steps (6) to (8) on the way."""
    frontier = merkle.Frontier()
    roots = {0: frontier.root()}
    levels = [tables.nodes(level) for level in range(tables.size().bit_length())]
    erased: dict[int, str] = {}
    for stored in tables.stored(-1 << 62, 1 << 62):
        if stored.number != frontier.size:
            raise IntegrityError("ledger.gap", f"no entry stands at index {frontier.size}")
        entry = _entry(stored)  # (6)
        for node in frontier.append(merkle.leaf_hash(stored.leaf)):  # (7)
            if next(levels[node.level], None) != (node.place, node.hash):
                raise IntegrityError("ledger.node", f"the hash stored for node {node.place} of level {node.level}")
        _payload(tables, stored, entry, erased)  # (8)
        if frontier.size in sizes:
            roots[frontier.size] = frontier.root()
    if tables.count_nodes() != 2 * frontier.size - frontier.size.bit_count():
        raise IntegrityError("ledger.node", "hashes are stored for entries that do not exist")
    if erased:
        raise IntegrityError("ledger.payload_missing", f"{len(erased)} payloads are gone and no entry says why")
    return roots


def _entry(stored: Stored) -> Entry:
    try:
        return parse_leaf(stored.leaf)
    except CodecError as error:
        raise IntegrityError("ledger.entry", f"entry {stored.number} cannot be read: {error.code}") from None


def _payload(tables: Tables, stored: Stored, entry: Entry, erased: dict[int, str]) -> None:
    """Open one payload; without its key it must be named by a later ``erase`` entry."""
    if entry.kind == "erase":
        named = {index for index, task in erased.items() if erases(entry, index, task)}
        for index in named:
            del erased[index]
    if disclose(tables, stored, entry) is None:
        erased[stored.number] = entry.task


def erases(entry: Entry, index: int, task: str) -> bool:
    """Whether an ``erase`` entry covers the payload at ``index``."""
    return entry.task == task and entry.subject in {"*", str(index)}


def disclose(tables: Tables, stored: Stored, entry: Entry) -> tuple[bytes, bytes] | None:
    """Salt and payload of an entry, or ``None`` where its key is gone; raises ``IntegrityError``."""
    if stored.data_key is None or stored.task is None or stored.task_key is None:
        return None
    if stored.box is None:
        raise IntegrityError("ledger.payload_missing", f"the payload of entry {stored.number} is gone")
    under = tables.open_task_key(stored.task, stored.task_key)
    key = payloads.unwrap(under, stored.data_key, bytes.fromhex(entry.commitment))
    return payloads.unseal(entry, stored.box, key)
