"""The Merkle tree of RFC 6962 (section 2) and RFC 9162: hashes, an incremental root, proofs and their checks.

Pure: nodes are read through a callable, so that proofs take O(log n) reads of any store.  A node is named by its
level (0 is a leaf) and its index in that level; only complete subtrees have nodes.  Every check raises
``IntegrityError`` (``proof.range``, ``proof.length``, ``proof.root``) and returns nothing.

>>> tree = Frontier()
>>> nodes = {(n.level, n.place): n.hash for leaf in (b"a", b"b", b"c") for n in tree.append(leaf_hash(leaf))}
>>> proof = inclusion_proof(1, 3, lambda level, index: nodes[level, index])
>>> verify_inclusion(leaf_hash(b"b"), 1, 3, proof, tree.root())
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeAlias

from interlock.artifact.errors import IntegrityError

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

ReadNode: TypeAlias = Callable[[int, int], bytes]


class Node(NamedTuple):
    """One complete subtree's hash."""

    level: int
    place: int
    hash: bytes


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256(0x00 || leaf)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The compact range [0, size): the complete subtrees' hashes, largest first, from which the root follows."""

    __slots__ = ("_peaks", "size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        self.size = size
        self._peaks = list(peaks)
        if size < 0 or len(self._peaks) != size.bit_count():
            raise IntegrityError("proof.range", f"{len(self._peaks)} peaks do not make a tree of {size}")

    def append(self, leaf: bytes) -> list[Node]:
        """Add a leaf's hash; the nodes that it completed, lowest first."""
        index, current = self.size, leaf
        completed = [Node(0, index, current)]
        while index & 1:
            current, index = node_hash(self._peaks.pop(), current), index >> 1
            completed.append(Node(len(completed), index, current))
        self._peaks.append(current)
        self.size += 1
        return completed

    def copy(self) -> Frontier:
        """An independent copy."""
        return Frontier(self.size, self._peaks)

    def root(self) -> bytes:
        """The tree's root hash."""
        if not self._peaks:
            return EMPTY_ROOT
        *rest, root = self._peaks
        for peak in reversed(rest):
            root = node_hash(peak, root)
        return root


def frontier(size: int, read: ReadNode) -> Frontier:
    """The compact range of the first ``size`` leaves, from a store of nodes."""
    peaks: list[bytes] = []
    start = 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            peaks.append(read(level, start >> level))
            start += 1 << level
    return Frontier(size, peaks)


def inclusion_proof(index: int, size: int, read: ReadNode) -> list[bytes]:
    """The audit path of a leaf, its sibling first (RFC 9162, 2.1.3.1)."""
    _hold(0 <= index < size, f"leaf {index} of {size}")
    proof: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            proof.append(_subtree(middle, high, read))
            high = middle
        else:
            proof.append(_subtree(low, middle, read))
            low = middle
    return proof[::-1]


def consistency_proof(old: int, new: int, read: ReadNode) -> list[bytes]:
    """The proof that the tree of ``new`` leaves begins with that of ``old`` (RFC 9162, 2.1.4.1); from 0, empty."""
    _hold(0 <= old <= new, f"from {old} to {new}")
    proof: list[bytes] = []
    low, high = 0, new
    while old and old != high:
        middle = low + _split(high - low)
        if old <= middle:
            proof.append(_subtree(middle, high, read))
            high = middle
        else:
            proof.append(_subtree(low, middle, read))
            low = middle
    if low:  # Otherwise the old root is itself a node, and whoever verifies knows it.
        proof.append(_subtree(low, high, read))
    return proof[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check an audit path for a leaf's hash (RFC 9162, 2.1.3.2); raises ``IntegrityError``."""
    _hold(0 <= index < size, f"leaf {index} of {size}")
    position, last, found = index, size - 1, leaf
    for step in _hashes(proof):
        _fits(last > 0)
        if position & 1 or position == last:
            found = node_hash(step, found)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            found = node_hash(found, step)
        position, last = position >> 1, last >> 1
    _fits(last == 0)
    _same(found, root)


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Check that one tree begins with the other (RFC 9162, 2.1.4.2); raises ``IntegrityError``."""
    _hold(0 <= old <= new, f"from {old} to {new}")
    if old in {0, new}:
        _fits(not proof)
        _same(old_root, EMPTY_ROOT if old == 0 else new_root)
        return
    path = list(_hashes(proof))
    if old & (old - 1) == 0:  # A complete subtree: the verifier knows its hash already.
        path.insert(0, old_root)
    _fits(len(path) > 0)
    position, last = old - 1, new - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    first = second = path[0]
    for step in path[1:]:
        _fits(last > 0)
        if position & 1 or position == last:
            first, second = node_hash(step, first), node_hash(step, second)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            second = node_hash(second, step)
        position, last = position >> 1, last >> 1
    _fits(last == 0)
    _same(first, old_root)
    _same(second, new_root)


def _split(count: int) -> int:
    """The largest power of two smaller than ``count``."""
    return 1 << ((count - 1).bit_length() - 1)


def _subtree(low: int, high: int, read: ReadNode) -> bytes:
    count = high - low
    if count & (count - 1) == 0:
        return read(count.bit_length() - 1, low // count)
    middle = low + _split(count)
    return node_hash(_subtree(low, middle, read), _subtree(middle, high, read))


def _hashes(proof: Sequence[bytes]) -> Sequence[bytes]:
    _fits(all(len(step) == HASH_BYTES for step in proof))
    return proof


def _hold(ranged: bool, what: str) -> None:
    if not ranged:
        raise IntegrityError("proof.range", f"there is no proof for {what}")


def _fits(right: bool) -> None:
    if not right:
        raise IntegrityError("proof.length", "a proof with too few, too many or misshapen hashes")


def _same(found: bytes, expected: bytes) -> None:
    if found != expected:
        raise IntegrityError("proof.root", "the proof leads to another root")
