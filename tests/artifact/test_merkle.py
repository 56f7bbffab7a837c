"""The tree against RFC 6962's own recursion, against published vectors, and with every proof mutated."""

from __future__ import annotations

import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.artifact import merkle
from interlock.artifact.errors import IntegrityError

SIZES = 200

# Certificate Transparency's reference tree (the test data of the RFC 6962 reference implementation): inputs, roots.
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def naive_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = max(1 << power for power in range(32) if 1 << power < len(leaves))
    return hashlib.sha256(b"\x01" + naive_root(leaves[:split]) + naive_root(leaves[split:])).digest()


def naive_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962, section 2.1.1."""
    if len(leaves) == 1:
        return []
    split = max(1 << power for power in range(32) if 1 << power < len(leaves))
    if index < split:
        return [*naive_path(index, leaves[:split]), naive_root(leaves[split:])]
    return [*naive_path(index - split, leaves[split:]), naive_root(leaves[:split])]


def naive_subproof(old: int, leaves: list[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962, section 2.1.2."""
    if old == len(leaves):
        return [] if whole else [naive_root(leaves)]
    split = max(1 << power for power in range(32) if 1 << power < len(leaves))
    if old <= split:
        return [*naive_subproof(old, leaves[:split], whole), naive_root(leaves[split:])]
    return [*naive_subproof(old - split, leaves[split:], False), naive_root(leaves[:split])]


class Tree:
    """A tree in memory, with the roots of all its sizes."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.leaves = leaves
        self.nodes: dict[tuple[int, int], bytes] = {}
        tree = merkle.Frontier()
        self.roots = [tree.root()]
        for leaf in leaves:
            for node in tree.append(merkle.leaf_hash(leaf)):
                assert (node.level, node.place) not in self.nodes
                self.nodes[node.level, node.place] = node.hash
            self.roots.append(tree.root())

    def read(self, level: int, place: int) -> bytes:
        return self.nodes[level, place]


TREE = Tree([f"leaf {number}".encode() for number in range(SIZES)])


def test_published_roots() -> None:
    assert [root.hex() for root in Tree([bytes.fromhex(text) for text in INPUTS]).roots] == ROOTS


def test_every_root_is_the_recursive_one() -> None:
    assert TREE.roots == [naive_root(TREE.leaves[:size]) for size in range(SIZES + 1)]


def test_a_frontier_is_rebuilt_from_nodes() -> None:
    for size in range(SIZES + 1):
        assert merkle.frontier(size, TREE.read).root() == TREE.roots[size]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 31, 64, 100, 127, 128, 129, 199, 200])
def test_inclusion_of_every_leaf(size: int) -> None:
    for index in range(size):
        proof = merkle.inclusion_proof(index, size, TREE.read)
        assert proof == naive_path(index, TREE.leaves[:size])
        merkle.verify_inclusion(merkle.leaf_hash(TREE.leaves[index]), index, size, proof, TREE.roots[size])


@pytest.mark.parametrize("new", [0, 1, 2, 3, 7, 8, 9, 31, 64, 100, 127, 128, 129, 199, 200])
def test_consistency_with_every_older_tree(new: int) -> None:
    for old in range(new + 1):
        proof = merkle.consistency_proof(old, new, TREE.read)
        assert proof == (naive_subproof(old, TREE.leaves[:new], True) if old else [])
        merkle.verify_consistency(old, new, proof, TREE.roots[old], TREE.roots[new])


def spoilt(proof: list[bytes], chance: random.Random) -> list[bytes]:
    """The proof with one thing wrong."""
    where = chance.randrange(len(proof)) if proof else 0
    flipped = bytes([proof[where][0] ^ 1]) + proof[where][1:] if proof else b""
    choices = [[*proof, bytes(32)], [bytes(32), *proof]]
    if proof:
        choices += [proof[:where] + proof[where + 1 :], [*proof[:where], flipped, *proof[where + 1 :]]]
        choices += [[*proof[:where], proof[where][:31], *proof[where + 1 :]]]
    if len(set(proof)) > 1:
        choices += [proof[::-1]]
    return chance.choice(choices)


@given(st.data(), st.randoms(use_true_random=False))
def test_a_mutated_inclusion_proof_fails(data: st.DataObject, chance: random.Random) -> None:
    size = data.draw(st.integers(1, SIZES))
    index = data.draw(st.integers(0, size - 1))
    wrong = spoilt(merkle.inclusion_proof(index, size, TREE.read), chance)
    with pytest.raises(IntegrityError, match=r"proof\.(length|root)"):
        merkle.verify_inclusion(merkle.leaf_hash(TREE.leaves[index]), index, size, wrong, TREE.roots[size])


@given(st.data(), st.randoms(use_true_random=False))
def test_a_mutated_consistency_proof_fails(data: st.DataObject, chance: random.Random) -> None:
    new = data.draw(st.integers(1, SIZES))
    old = data.draw(st.integers(1, new))
    wrong = spoilt(merkle.consistency_proof(old, new, TREE.read), chance)
    with pytest.raises(IntegrityError, match=r"proof\.(length|root)"):
        merkle.verify_consistency(old, new, wrong, TREE.roots[old], TREE.roots[new])


@given(st.data())
def test_a_proof_proves_one_leaf_at_one_index(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, SIZES))
    index, other = data.draw(st.permutations(range(size)).map(lambda order: order[:2]))
    proof = merkle.inclusion_proof(index, size, TREE.read)
    for leaf, place in ((other, index), (index, other)):
        with pytest.raises(IntegrityError, match=r"proof\.(length|root)"):
            merkle.verify_inclusion(merkle.leaf_hash(TREE.leaves[leaf]), place, size, proof, TREE.roots[size])


@given(st.data())
def test_a_fork_has_no_consistency_proof(data: st.DataObject) -> None:
    new = data.draw(st.integers(2, 64))
    old = data.draw(st.integers(1, new - 1))
    changed = data.draw(st.integers(0, old - 1))
    fork = Tree([leaf + b"!" * (number == changed) for number, leaf in enumerate(TREE.leaves[:new])])
    for source in (TREE, fork):
        proof = merkle.consistency_proof(old, new, source.read)
        with pytest.raises(IntegrityError, match=r"proof\.root"):
            merkle.verify_consistency(old, new, proof, TREE.roots[old], fork.roots[new])


OUT_OF_RANGE = {
    "no leaf": lambda: merkle.inclusion_proof(0, 0, TREE.read),
    "beyond the end": lambda: merkle.inclusion_proof(5, 5, TREE.read),
    "negative": lambda: merkle.verify_inclusion(bytes(32), -1, 5, [], bytes(32)),
    "shrinking": lambda: merkle.consistency_proof(6, 5, TREE.read),
    "shrinking, verified": lambda: merkle.verify_consistency(6, 5, [], bytes(32), bytes(32)),
    "too many peaks": lambda: merkle.Frontier(1, [bytes(32), bytes(32)]),
    "negative size": lambda: merkle.Frontier(-1, [bytes(32)]),
}


@pytest.mark.parametrize("name", OUT_OF_RANGE)
def test_out_of_range(name: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        OUT_OF_RANGE[name]()
    assert caught.value.code == "proof.range"


def test_from_nothing_only_the_empty_root_is_consistent() -> None:
    merkle.verify_consistency(0, 5, [], merkle.EMPTY_ROOT, TREE.roots[5])
    with pytest.raises(IntegrityError, match=r"proof\.root"):
        merkle.verify_consistency(0, 5, [], bytes(32), TREE.roots[5])
    with pytest.raises(IntegrityError, match=r"proof\.length"):
        merkle.verify_consistency(0, 5, [bytes(32)], merkle.EMPTY_ROOT, TREE.roots[5])


def test_a_copy_grows_alone() -> None:
    tree = merkle.Frontier()
    tree.append(bytes(32))
    tree.copy().append(bytes(32))
    assert (tree.size, tree.root()) == (1, bytes(32))
