"""Every bound of the artifacts, written out: exactly at it a value is accepted, one beyond it is refused by its code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from interlock.artifact import bundle, checkpoint, codec, entry, grant, snapshot
from interlock.artifact.errors import CodecError, InterlockError
from interlock.artifact.label import Label, join
from interlock.artifact.snapshot import SnapshotEntry

ROOT = checkpoint._b64(b"r" * 32)
LINE = f"\N{EM DASH} a {checkpoint._b64(b'12345')}\n"


def read(raw: bytes) -> None:
    """Both ways to read must agree: any spelling, and the canonical one with its shortcut."""
    codec.decode_canonical(raw, Any)  # type: ignore[arg-type]
    codec.parse(raw)


def pictured(size: int) -> bytes:
    """A snapshot whose canonical form has so many bytes."""
    links = [SnapshotEntry(path=f"/{n:05}", kind="link", target="x" * 3000) for n in range(size // 3100)]
    short = size - len(codec.encode(snapshot.snapshot(["/"], links)))
    roots = ["/" + "r" * 4000 + str(n) for n in range(short // 4000)]
    short = size - len(codec.encode(snapshot.snapshot([*roots, "/"], links)))
    return codec.encode(snapshot.snapshot([*roots, "/" + "z" * short], links))


def lined(size: int) -> bytes:
    """A first line of so many bytes."""
    head = bundle.BundleHead(format="interlock-ledger/v1", checkpoint="")
    return codec.encode(bundle.BundleHead(format=head.format, checkpoint="x" * (size - len(codec.encode(head)))))


def noted(size: int) -> bytes:
    return b"t" * (size - 2 - len(LINE.encode())) + b"\n\n" + LINE.encode()


BOUNDS: dict[str, tuple[int, Callable[[int], object], str]] = {
    "bytes of a value": (1 << 20, lambda n: codec.parse(b"1" + b" " * (n - 1)), "codec.size"),
    "levels": (32, lambda n: read(b"[" * n + b"]" * n), "codec.depth"),
    "levels of objects": (32, lambda n: read(b'{"":' * (n - 1) + b"{}" + b"}" * (n - 1)), "codec.depth"),
    "items": (4096, lambda n: read(codec.encode([0] * n)), "codec.count"),
    "keys": (4096, lambda n: read(codec.encode({str(k): 0 for k in range(n)})), "codec.count"),
    "characters": (1 << 18, lambda n: read(codec.encode("a" * n)), "codec.string"),
    "characters of other letters": (1 << 18, lambda n: codec.check("é" * n), "codec.string"),
    "an integer": ((1 << 53) - 1, lambda n: read(str(n).encode()), "codec.integer"),
    "an integer below zero": ((1 << 53) - 1, lambda n: read(str(-n).encode()), "codec.integer"),
    "bytes of a token": (1 << 18, lambda n: grant.revocation_ids(b"\x12" * n, b"k" * 32), "grant.size"),
    "bytes of a leaf": (4096, lambda n: entry.parse_leaf(b" " * n), "codec.size"),
    "bytes of a snapshot": (3 << 20, lambda n: snapshot.decode(pictured(n)), "codec.size"),
    "bytes of a line": (12 << 20, lambda n: bundle.parse_line(lined(n), bundle.BundleHead), "bundle.malformed"),
    "bytes of a note": (1 << 17, lambda n: checkpoint.parse_note(noted(n)), "note.size"),
    "lines of signatures": (32, lambda n: checkpoint.parse_note(b"t\n\n" + LINE.encode() * n), "note.malformed"),
    "bytes of a name": (255, lambda n: checkpoint.parse_note(f"t\n\n{LINE}".replace(" a ", f" {'a' * n} ").encode()), "note.malformed"),
    "hashes of a proof": (63, lambda n: checkpoint.parse_hashes("index", checkpoint.format_hashes("index", 1, [b"h" * 32] * n)), "proof.malformed"),
    "leaves of a tree": ((1 << 53) - 1, lambda n: checkpoint.parse_checkpoint(f"a\n{n}\n{ROOT}\n"), "checkpoint.malformed"),
    "bytes of a root": (32, lambda n: checkpoint.parse_checkpoint(f"a\n1\n{checkpoint._b64(b'r' * n)}\n"), "checkpoint.malformed"),
}  # fmt: skip


# Noise as long as allowed fails for being noise.
NOISE = {"bytes of a leaf": "codec.syntax", "bytes of a token": "grant.untrusted"}


def said(deed: Callable[[], object]) -> str:
    try:
        deed()
    except InterlockError as error:
        return error.code
    return ""


@pytest.mark.parametrize("name", BOUNDS)
def test_a_bound_is_exact(name: str) -> None:
    bound, deed, code = BOUNDS[name]
    assert said(lambda: deed(bound)) == NOISE.get(name, "")
    assert said(lambda: deed(bound + 1)) == code


def test_digits_are_counted_before_they_are_read() -> None:
    with pytest.raises(CodecError, match=r"an integer of 18 characters"):
        codec.parse(b"1" * 18)


@pytest.mark.parametrize("field", ["scopes", "sources"])
def test_a_label_keeps_the_smallest_names(field: str) -> None:
    for most in (32, 33):
        names = tuple(f"{n:02}" for n in range(most))
        joined = join(*(Label(**{field: (name,)}) for name in names))  # type: ignore[arg-type]
        assert getattr(joined, field) == names[:32]
