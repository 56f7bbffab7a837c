"""Checking an exported ledger with public keys alone; each step is numbered, and each failure raises.

1. The bundle's first line is a head of the known format, and all lines are bounded and canonical.
2. A key of the log signed the checkpoint; so did one the older checkpoint and the cosigned one, where given.
3. As many entries follow as the checkpoint says, each an entry in its one spelling.
4. All entries together lead to the signed root.
5. The older checkpoint is a prefix of this log, and so is the cosigned one.
6. Enough of the given witnesses cosigned.
7. Each disclosed payload opens the commitment of its entry, once.
8. The entries stand in the order that invariant I8 demands (``interlock.verify.order``).
9. Statements among the disclosed payloads are signed by a trusted key (``interlock.verify.statements``); a certificate
   that they quote, where it is among them, is of the policy that they name, and stands before them.

What this cannot show: that nothing was left unrecorded, or that no second history exists that nobody cosigned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from interlock.artifact import merkle
from interlock.artifact.bundle import MAX_LINE, BundleHead, Disclosure, parse_line
from interlock.artifact.checkpoint import Checkpoint, NoteKey, open_checkpoint, verify_cosignatures
from interlock.artifact.codec import Value
from interlock.artifact.entry import Entry, commitment, parse_leaf
from interlock.artifact.errors import CodecError, IntegrityError
from interlock.artifact.signing import Keyring
from interlock.verify.order import Order
from interlock.verify.statements import verify_quotes, verify_statement


class Report(Value, frozen=True, kw_only=True):
    """What was shown to hold."""

    origin: str
    size: int
    root: str
    witnesses: tuple[str, ...] = ()
    consistent_with: int | None = None
    disclosed: int = 0
    statements: int = 0
    certificates: int = 0


def verify_bundle(
    lines: Iterable[bytes],
    keys: Sequence[NoteKey],
    *,
    since: bytes | None = None,
    witnesses: Sequence[NoteKey] = (),
    threshold: int = 1,
    keyring: Keyring | None = None,
) -> Report:
    """Check a bundle's lines (with or without newlines); raises ``IntegrityError``, ``SignatureError``, ``CodecError``.

    ``keys`` are the log's; ``threshold`` counts witnesses, where any are given; ``keyring`` those who sign statements.
    """
    rest = _bounded(lines)
    head = parse_line(next(rest, b""), BundleHead)  # (1)
    note, cosigned = head.checkpoint.encode(), (head.cosigned or head.checkpoint).encode()
    checkpoint = open_checkpoint(note, keys)  # (2)
    older = open_checkpoint(since, keys) if since is not None else None
    seen = open_checkpoint(cosigned, keys)
    anchors = [anchor for anchor in (older, seen) if anchor is not None]
    entries, roots = _entries(rest, checkpoint.size, {anchor.size for anchor in anchors})  # (3)
    if roots[checkpoint.size] != checkpoint.root:  # (4)
        raise IntegrityError("bundle.root", "the entries do not lead to the signed root")
    for anchor in anchors:  # (5)
        _prefix(anchor, checkpoint, roots)
    names = verify_cosignatures(cosigned, witnesses, threshold) if witnesses else ()  # (6)
    disclosed = _disclosures(rest, entries)  # (7)
    order = Order()  # (8)
    for index, entry in enumerate(entries):
        order.admit(index, entry)
    said = _statements(entries, disclosed, keyring) if keyring is not None else {}  # (9)
    return Report(
        origin=checkpoint.origin,
        size=checkpoint.size,
        root=checkpoint.root.hex(),
        witnesses=names,
        consistent_with=older.size if older is not None else None,
        disclosed=len(disclosed),
        statements=len(said),
        certificates=verify_quotes(said),
    )


def _statements(entries: Sequence[Entry], disclosed: Mapping[int, bytes], keyring: Keyring) -> dict[int, Value]:
    found = {index: verify_statement(entries[index], raw, keyring) for index, raw in disclosed.items()}
    return {index: word for index, word in found.items() if word is not None}


def _bounded(lines: Iterable[bytes]) -> Iterator[bytes]:
    for line in lines:
        if len(line) > MAX_LINE:
            raise IntegrityError("bundle.malformed", f"a line of more than {MAX_LINE} bytes")
        yield line.removesuffix(b"\n")


def _entries(lines: Iterator[bytes], size: int, sizes: set[int]) -> tuple[list[Entry], dict[int, bytes]]:
    """The first ``size`` entries, and the roots at ``sizes`` and at the end."""
    tree = merkle.Frontier()
    roots = {0: tree.root()}
    entries: list[Entry] = []
    while tree.size < size:
        leaf = next(lines, None)
        if leaf is None:
            raise IntegrityError("bundle.truncated", f"{tree.size} entries of the {size} that were signed")
        entries.append(_entry(leaf, tree.size))
        tree.append(merkle.leaf_hash(leaf))
        if tree.size in sizes or tree.size == size:
            roots[tree.size] = tree.root()
    return entries, roots


def _entry(leaf: bytes, index: int) -> Entry:
    try:
        return parse_leaf(leaf)
    except CodecError as error:
        raise IntegrityError("bundle.entry", f"line {index + 2} is no entry: {error.code}") from None


def _prefix(anchor: Checkpoint, checkpoint: Checkpoint, roots: dict[int, bytes]) -> None:
    if anchor.origin != checkpoint.origin:
        raise IntegrityError("checkpoint.origin", "a checkpoint of another log")
    if anchor.size > checkpoint.size:
        raise IntegrityError("bundle.rolled_back", f"a checkpoint of {anchor.size} entries was signed before")
    if roots[anchor.size] != anchor.root:
        raise IntegrityError("bundle.forked", f"the first {anchor.size} entries are not those that were signed before")


def _disclosures(lines: Iterator[bytes], entries: Sequence[Entry]) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    for line in lines:
        opened = parse_line(line, Disclosure)
        if opened.index in found or opened.index >= len(entries):
            raise IntegrityError("bundle.disclosure", f"payload {opened.index} stands twice or belongs to no entry")
        if commitment(opened.salt, opened.payload) != entries[opened.index].commitment:
            raise IntegrityError("bundle.payload", f"the payload of entry {opened.index} is not the committed one")
        found[opened.index] = opened.payload
    return found
