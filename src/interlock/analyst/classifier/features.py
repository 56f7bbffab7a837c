"""Features: a text and an analysis become indices into one table of weights.

Of the normalised text, every run of 3 to 5 bytes and of 1 to 3 words, each at the byte where it starts; of the
analysis, one token for each effect, opacity, signal, finding and program, with what varies from case to case taken out.
Which arguments, action names and languages there were is no feature: they tell the source and not the deed.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from interlock.analyst.classifier.normal import normal, segments
from interlock.artifact.analysis import Analysis, Question
from interlock.artifact.resources import Touched, inside

TEXT_BUCKETS: Final = 1 << 17
FACT_BUCKETS: Final = 1 << 13
WINDOW: Final = 400
STRIDE: Final = 200
_RUNS: Final = (3, 4, 5)
_WORDS: Final = re.compile(rb"[a-z0-9_.+-]+|[^\sa-z0-9_]")
_PRIME: Final = np.uint32(0x9E3779B1)

Indices = npt.NDArray[np.int64]


class Spread(NamedTuple):
    """Indices of features, and for each the byte at which it starts; ``length`` counts the bytes."""

    indices: Indices
    starts: Indices
    length: int


def spread(text: str) -> Spread:
    """The features of a text, which is normalised here."""
    raw = normal(text).encode("utf-8", "replace")
    found = [*_byte_runs(raw), *_word_runs(raw)]
    indices = np.concatenate([one for one, _ in found]) if found else np.zeros(0, np.int64)
    starts = np.concatenate([at for _, at in found]) if found else np.zeros(0, np.int64)
    return Spread(indices, starts, len(raw))


def windows(length: int) -> list[tuple[int, int]]:
    """Where each window of the text begins and ends; at least one."""
    last = max(0, -(-(length - WINDOW) // STRIDE))
    return [(at * STRIDE, at * STRIDE + WINDOW) for at in range(last + 1)]


def facts(question: Question, analysis: Analysis) -> Indices:
    """The features of what the analysers say, each once."""
    tokens = sorted(set(_tokens(question, analysis)))
    return np.array([zlib.crc32(token.encode()) % FACT_BUCKETS for token in tokens], np.int64)


def _byte_runs(raw: bytes) -> Iterator[tuple[Indices, Indices]]:
    values = np.frombuffer(raw, np.uint8).astype(np.uint32)
    for run in _RUNS:
        if len(values) < run:
            return
        hashed = np.full(len(values) - run + 1, run, np.uint32)
        for at in range(run):
            hashed = _mixed(hashed, values[at : len(values) - run + 1 + at])
        yield _bucket(hashed), np.arange(len(hashed), dtype=np.int64)


def _word_runs(raw: bytes) -> Iterator[tuple[Indices, Indices]]:
    found = list(_WORDS.finditer(raw))
    values = np.array([zlib.crc32(word.group()) for word in found], np.uint32)
    starts = np.array([word.start() for word in found], np.int64)
    hashed = np.full(len(values), 77, np.uint32)
    for run in range(1, 4):
        if len(values) < run:
            return
        hashed = _mixed(hashed[: len(values) - run + 1], values[run - 1 :])
        yield _bucket(hashed), starts[: len(hashed)]


def _mixed(hashed: npt.NDArray[np.uint32], values: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    mixed = (hashed ^ values) * _PRIME
    return mixed ^ (mixed >> np.uint32(15))


def _bucket(hashed: npt.NDArray[np.uint32]) -> Indices:
    return (hashed & np.uint32(TEXT_BUCKETS - 1)).astype(np.int64)


def _tokens(question: Question, analysis: Analysis) -> Iterator[str]:
    for touched in analysis.touched:
        yield f"touch {touched.access.value} {touched.kind} {_place(touched, question)}{' deep' * touched.recursive}"
        yield f"touch {touched.access.value} {touched.kind}"
    for opacity in analysis.opaque:
        yield f"opaque {opacity.code}"
    for signal in analysis.signals:
        yield f"signal {signal.code}"
        yield f"signal {signal.code.partition('.')[0]}"
    for finding in analysis.findings:
        yield f"finding {finding.kind}"
    for program in analysis.programs:
        yield f"program {program.lower()}"
    if not analysis.touched:
        yield "touch nothing"


def _place(touched: Touched, question: Question) -> str:
    if touched.open:
        return "open"
    if touched.kind != "file":
        return "named"
    if inside(touched.name, question.root):
        return "within"
    if touched.name.startswith("/tmp/"):  # noqa: S108 - a name that is looked at, not a file that is made
        return "scratch"
    home = question.home and inside(touched.name, question.home)
    return segments(touched.name[len(question.home) :] if home else touched.name, 3 if home else 4)
