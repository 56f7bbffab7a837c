"""Scrubbing: a released secret that comes back in an output, word for word, is replaced by its name.

Hygiene and no boundary: whoever holds a secret can spell it in another way.  What bounds it is the output's label.

>>> scrubbed(b'{"error":"401 for hunter2"}', {"token": b"hunter2"})
b'{"error":"401 for [secret token]"}'
"""

from __future__ import annotations

from collections.abc import Mapping

from interlock.artifact import codec

SHORTEST = 4  # What is shorter is no secret, and would be found everywhere.


def scrubbed(raw: bytes, secrets: Mapping[str, bytes]) -> bytes:
    """The bytes without any secret of at least ``SHORTEST`` bytes, as it is or as a JSON string spells it."""
    for name, value in secrets.items():
        spelled = codec.encode(value.decode("utf-8", "replace"))[1:-1]
        for found in {value, spelled}:
            if len(found) >= SHORTEST:
                raw = raw.replace(found, f"[secret {name}]".encode())
    return raw
