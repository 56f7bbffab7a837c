"""The file of a model: a magic line, the header's length, a strict JSON header, then the arrays' bytes, nothing else.

It holds numbers and can run nothing.  ``read`` takes the whole file or raises ``ModelError``: magic, header, sizes and
SHA-256 must be exactly right.  ``write`` makes the same bytes from the same model.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

MAGIC: Final = b"interlock model 1\n"
MAX_HEADER: Final = 4096
MAX_FILE: Final = 192 * 1024
LEVELS: Final = 1000
_Scale = Annotated[int, msgspec.Meta(ge=0, le=1 << 30)]
_Bias = Annotated[int, msgspec.Meta(ge=-(1 << 30), le=1 << 30)]
_Buckets = Annotated[int, msgspec.Meta(ge=0, le=1 << 17)]
_Level = Annotated[int, msgspec.Meta(ge=1, le=LEVELS)]


class ModelError(Exception):
    """Bytes that are not exactly a model."""


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the arrays mean: ``scale`` and ``bias`` in 2^-16, thresholds in thousandths."""

    kind: Literal["action", "text"]
    text_buckets: _Buckets
    fact_buckets: _Buckets
    text_scale: _Scale
    fact_scale: _Scale
    bias: _Bias
    raises: _Level
    denies: _Level


class Model(NamedTuple):
    """A linear model: int8 weights of texts and of facts, and the logits at which each thousandth begins."""

    header: Header
    text: npt.NDArray[np.int8]
    fact: npt.NDArray[np.int8]
    cuts: npt.NDArray[np.int32]


def read(raw: bytes, digest: str) -> Model:
    """The model of a file's bytes; raises ``ModelError``."""
    if len(raw) > MAX_FILE:
        raise ModelError("too large")
    if hashlib.sha256(raw).hexdigest() != digest:
        raise ModelError("another digest")
    return _parsed(raw)


def write(model: Model) -> bytes:
    """The file's bytes."""
    header = msgspec.json.encode(model.header)
    arrays = model.text.tobytes() + model.fact.tobytes() + model.cuts.astype("<i4").tobytes()
    return MAGIC + len(header).to_bytes(4, "little") + header + arrays


def _parsed(raw: bytes) -> Model:
    start = len(MAGIC) + 4
    if not raw.startswith(MAGIC) or len(raw) < start:
        raise ModelError("no model")
    length = int.from_bytes(raw[len(MAGIC) : start], "little")
    if not 0 < length <= min(MAX_HEADER, len(raw) - start):
        raise ModelError("the header's length")
    try:
        header = msgspec.json.decode(raw[start : start + length], type=Header)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ModelError("the header") from error
    if msgspec.json.encode(header) != raw[start : start + length]:
        raise ModelError("a header in another spelling")
    body = raw[start + length :]
    texts, facts = header.text_buckets, header.fact_buckets
    if len(body) != texts + facts + 4 * (LEVELS - 1):
        raise ModelError("the arrays' length")
    cuts = np.frombuffer(body, "<i4", LEVELS - 1, texts + facts).astype(np.int32)
    if bool(np.any(cuts[1:] < cuts[:-1])):
        raise ModelError("thousandths out of order")
    weights = np.frombuffer(body, np.int8, texts + facts)
    return Model(header, weights[:texts], weights[texts:], cuts)
