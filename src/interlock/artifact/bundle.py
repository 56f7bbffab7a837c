"""The exported ledger: one file of lines that an auditor checks with public keys alone.

The first line is a ``BundleHead``; then follow exactly as many leaf lines as its checkpoint says, each an entry's
canonical form; then ``Disclosure`` lines, by which whoever exports opens chosen commitments.  All lines are
canonical JSON, so that there is one spelling of each.

>>> parse_line(b'{"checkpoint":"x","format":"interlock-ledger/v1"}', BundleHead).checkpoint
'x'
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

import msgspec

from interlock.artifact.codec import Natural, Value, encode
from interlock.artifact.errors import IntegrityError

MAX_LINE = 12 << 20

T = TypeVar("T", bound=Value)


class BundleHead(Value, frozen=True, kw_only=True, omit_defaults=True):
    """The signed head of what follows, and the latest one that witnesses cosigned (signed notes)."""

    format: Literal["interlock-ledger/v1"]
    checkpoint: str
    cosigned: str = ""


class Disclosure(Value, frozen=True, kw_only=True):
    """What opens the commitment of the entry ``index``."""

    index: Natural
    salt: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
    payload: bytes


def parse_line(line: bytes, kind: type[T]) -> T:
    """One line without its newline; raises ``IntegrityError`` with ``bundle.malformed``."""
    try:
        value = msgspec.json.decode(line, type=kind) if len(line) <= MAX_LINE else None
    except (msgspec.DecodeError, UnicodeError):
        value = None
    if value is None or encode(value) != line:
        raise IntegrityError("bundle.malformed", f"a line that is no {kind.__name__} in canonical form")
    return value
