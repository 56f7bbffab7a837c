"""Label: who may know a value, and who may have influenced it (design: confidentiality × integrity).

Labels form a bounded join semilattice: ``join`` is associative, commutative and idempotent, and never lowers
either side.  ``scopes`` are the customers, environments or tenants that a value came from; ``sources`` is its
provenance, kept to the smallest ``MAX_SOURCES`` names so that joining stays associative.

>>> secret = Label(confidentiality=Confidentiality.RESTRICTED, sources=("secret:db",))
>>> page = Label(integrity=Integrity.UNTRUSTED, sources=("s1",))
>>> joined = join(secret, page)
>>> joined.confidentiality.value, joined.integrity.value, joined.sources
('restricted', 'untrusted', ('s1', 'secret:db'))
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

from interlock.artifact.codec import Value

MAX_SOURCES = 32
MAX_SCOPES = 32


class Confidentiality(enum.StrEnum):
    """Who may know it, from anyone to nobody without a declassification."""

    PUBLIC = "public"
    INTERNAL = "internal"
    PRIVATE = "private"
    RESTRICTED = "restricted"

    @property
    def rank(self) -> int:
        return _RANK[self]


class Integrity(enum.StrEnum):
    """Who may have influenced it."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"


_RANK = {level: rank for rank, level in enumerate(Confidentiality)}


class Label(Value, frozen=True, kw_only=True):
    """The label of one value."""

    confidentiality: Confidentiality = Confidentiality.PUBLIC
    integrity: Integrity = Integrity.TRUSTED
    scopes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def untrusted(self) -> bool:
        return self.integrity is Integrity.UNTRUSTED


CLEAN = Label()
STRICTEST = Label(confidentiality=Confidentiality.RESTRICTED, integrity=Integrity.UNTRUSTED)


def join(*labels: Label) -> Label:
    """The least label that is at least as strict as each; of none, ``CLEAN``."""
    return join_all(labels)


def join_all(labels: Iterable[Label]) -> Label:
    """As ``join``, over an iterable."""
    found = [label for label in labels if label != CLEAN]
    match found:
        case []:
            return CLEAN
        case [Label(scopes=() | (_,), sources=() | (_,)) as only]:
            return only
        case _:
            pass  # Names must be put in order, and the strictest of each side be found.
    return Label(
        confidentiality=max(
            (label.confidentiality for label in found), key=_RANK.__getitem__, default=Confidentiality.PUBLIC
        ),
        integrity=Integrity.UNTRUSTED if any(label.untrusted for label in found) else Integrity.TRUSTED,
        scopes=_smallest((scope for label in found for scope in label.scopes), MAX_SCOPES),
        sources=_smallest((source for label in found for source in label.sources), MAX_SOURCES),
    )


def flows_to(label: Label, limit: Confidentiality) -> bool:
    """Whether a value so labelled may be known by one who may know up to ``limit``."""
    return label.confidentiality.rank <= limit.rank


def _smallest(names: Iterable[str], most: int) -> tuple[str, ...]:
    return tuple(sorted(set(names))[:most])
