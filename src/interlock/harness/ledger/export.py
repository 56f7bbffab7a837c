"""Writing a bundle (``interlock.artifact.bundle``) that ``interlock.verify`` checks with public keys alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from interlock.artifact import checkpoint as notes
from interlock.artifact.bundle import BundleHead, Disclosure
from interlock.artifact.codec import encode
from interlock.harness.ledger.store import Ledger
from interlock.harness.ledger.tables import storage_faults

_CHUNK = 1000


def export(ledger: Ledger, path: Path, disclose: Iterable[int] = ()) -> None:
    """Write the whole log, and the payloads of the entries in ``disclose``, to a new private file.

    Raises ``StateError`` with ``ledger.erased`` for a payload that is gone; no file is left then.
    """
    with storage_faults():
        partial = path.with_name(path.name + ".partial")
        try:
            with partial.open("wb") as file:
                partial.chmod(0o600)
                file.writelines(line + b"\n" for line in lines(ledger, disclose))
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def lines(ledger: Ledger, disclose: Iterable[int] = ()) -> Iterator[bytes]:
    """The bundle's lines, without newlines."""
    note = ledger.checkpoint()
    cosigned = ledger.cosigned() or b""
    yield encode(BundleHead(format="interlock-ledger/v1", checkpoint=note.decode(), cosigned=cosigned.decode()))
    size = notes.parse_checkpoint(notes.parse_note(note).text).size
    for start in range(0, size, _CHUNK):
        yield from ledger.leaves(start, min(start + _CHUNK, size))
    for index in sorted(set(disclose)):
        salt, payload = ledger.disclose(index)
        yield encode(Disclosure(index=index, salt=salt, payload=payload))
