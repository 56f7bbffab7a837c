"""Fuzzing by hand: random bytes and mutated seeds, for as long as the clock says, the same ones for the same seed."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator, Sequence

SHORT_SECONDS = 0.4
INTERESTING = (
    b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"null", b"true", b"-0", b"1e5", b"1.0", b"9007199254740993",
    b"\\u0000", b"\\ud800", b"\\udc00\\ud800", b"\x00", b"\xff", b"\xc3\x28", "é".encode(), "e\u0301".encode(),
    "\u202e".encode(), "\U0001f600".encode(), b"NaN", b"Infinity", b" ", b"\n", b"\r\n", b"$ref", b"\xef\xbb\xbf",
    b"\x7f", b"\\u007f", b"&a", b"*a", b"!!python/object:os.system", b"<<", b"- ", b"---\n", b"\xe2\x80\x94 ",
)  # fmt: skip


def seconds() -> float:
    """How long a long run lasts: ``FUZZ_SECONDS``, or a minute."""
    return float(os.environ.get("FUZZ_SECONDS", "60"))


def inputs(seeds: Sequence[bytes], duration: float, seed: int = 0) -> Iterator[bytes]:
    """The seeds themselves, then their mutants, until the time is over."""
    yield from seeds
    rng = random.Random(seed)
    pool, until = list(seeds), time.monotonic() + duration
    while time.monotonic() < until:
        raw = rng.choice(pool)
        for _ in range(rng.choice((1, 1, 2, 4, 16))):
            raw = _mutated(rng, raw, pool)
        yield raw
        if len(raw) < 4096 and rng.random() < 0.02:
            pool.append(raw)


def _mutated(rng: random.Random, raw: bytes, pool: Sequence[bytes]) -> bytes:
    start, end = sorted((rng.randint(0, len(raw)), rng.randint(0, len(raw))))
    near = min(end, start + rng.choice((1, 2, 8, 64)))
    match rng.randint(0, 7):
        case 0:
            return raw[:start] + bytes([rng.randrange(256)]) + raw[start + 1 :]
        case 1:
            return raw[:start] + raw[near:]
        case 2:
            return raw[:start] + raw[start:near] * rng.choice((2, 3, 40)) + raw[near:]
        case 3:
            other = rng.choice(pool)
            cut = rng.randint(0, len(other))
            return raw[:start] + other[cut : cut + rng.choice((1, 8, 64, 4096))] + raw[near:]
        case 4 | 5:
            return raw[:start] + rng.choice(INTERESTING) + raw[near:]
        case 6:
            return raw[:start] + rng.randbytes(rng.choice((1, 4, 16))) + raw[near:]
        case _:
            return raw[:start]


def hold(deed: Callable[[bytes], object], seeds: Sequence[bytes], duration: float) -> int:
    """Call ``deed`` with every input; how many there were.  What it raises is told with the input."""
    count = 0
    for count, raw in enumerate(inputs(seeds, duration), 1):  # noqa: B007 - the count is returned
        try:
            deed(raw)
        except Exception as error:
            error.add_note(f"the input: {raw!r}"[:5000])
            raise
    return count
