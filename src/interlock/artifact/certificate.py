"""Certificate: what was proved of one policy, by which prover; signed by the harness, subject: the policy's digest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from interlock.artifact.codec import Digest, Identifier, Millis, Natural, Text, Value


class Certificate(Value, frozen=True, kw_only=True):
    """All of ``proved`` hold of ``policy`` where own and protected resources are those of ``site``.

    ``invariants`` are the digests of the operator's files by name; ``revision`` counts changes of translation and
    shipped invariants; ``solver`` says name and version.
    """

    policy: Digest
    site: Digest
    invariants: Annotated[Mapping[str, Digest], msgspec.Meta(max_length=256)] = {}
    proved: Annotated[tuple[Identifier, ...], msgspec.Meta(max_length=4096)]
    revision: Natural
    solver: Text
    at: Millis
