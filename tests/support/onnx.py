"""A tiny ONNX model in protobuf by hand: the largest row, over a text's tokens, of a table with one row per token.

Field numbers are those of onnx.proto3 (ModelProto, GraphProto, NodeProto, TensorProto, ValueInfoProto, AttributeProto).
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from pathlib import Path

WORDS = ("[UNK]", "list", "wipe", "the", "disk")
ROWS = ((0.0, 0.0), (0.0, 0.0), (0.0, 9.0), (0.0, 0.0), (0.0, 0.0))
_INT64, _FLOAT = 7, 1


def model(rows: Sequence[Sequence[float]] = ROWS, name: str = "input_ids") -> bytes:
    width = len(rows[0])
    table = b"".join(struct.pack(f"<{width}f", *row) for row in rows)
    largest = _node("ReduceMax", ["e"], ["logits"], _ints("axes", [1]), _int("keepdims", 0))
    graph = b"".join(
        (
            _field(1, _node("Gather", ["table", name], ["e"])),
            _field(1, largest),
            _field(2, "g"),
            _field(
                5, _field(1, len(rows)) + _field(1, width) + _field(2, _FLOAT) + _field(8, "table") + _field(9, table)
            ),
            _field(11, _value(name, _INT64, ["b", "n"])),
            _field(12, _value("logits", _FLOAT, ["b", width])),
        )
    )
    return _field(1, 8) + _field(7, graph) + _field(8, _field(1, "") + _field(2, 13))


def tokenizer() -> bytes:
    vocabulary = {word: at for at, word in enumerate(WORDS)}
    whole = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": {"type": "Lowercase"},
             "pre_tokenizer": {"type": "Whitespace"}, "post_processor": None, "decoder": None,
             "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"}}  # fmt: skip
    return json.dumps(whole).encode()


def folder(path: Path, *, labels: object = ("fine", "attack"), onnx: bytes | None = None, **manifest: object) -> Path:
    """A folder as an operator has it; ``manifest`` changes what its manifest says."""
    path.mkdir()
    contents = {
        "model.onnx": model() if onnx is None else onnx,
        "tokenizer.json": tokenizer(),
        "labels.json": json.dumps(labels).encode(),
    }
    for name, content in contents.items():
        (path / name).write_bytes(content)
    files = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    told: dict[str, object] = {"name": "tiny", "files": files, "attack": "attack", "raises": 900} | manifest
    (path / "manifest.json").write_text(json.dumps(told))
    return path


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def _field(number: int, content: bytes | str | int) -> bytes:
    if isinstance(content, int):
        return _varint(number << 3) + _varint(content)
    raw = content.encode() if isinstance(content, str) else content
    return _varint(number << 3 | 2) + _varint(len(raw)) + raw


def _value(name: str, kind: int, sizes: Sequence[str | int]) -> bytes:
    shape = b"".join(_field(1, _field(2 if isinstance(size, str) else 1, size)) for size in sizes)
    return _field(1, name) + _field(2, _field(1, _field(1, kind) + _field(2, shape)))


def _int(name: str, number: int) -> bytes:
    return _field(1, name) + _field(3, number) + _field(20, 2)


def _ints(name: str, numbers: Sequence[int]) -> bytes:
    return _field(1, name) + b"".join(_field(8, number) for number in numbers) + _field(20, 7)


def _node(kind: str, inputs: Sequence[str], outputs: Sequence[str], *attributes: bytes) -> bytes:
    names = [_field(1, name) for name in inputs] + [_field(2, name) for name in outputs]
    return b"".join(names) + _field(4, kind) + b"".join(_field(5, attribute) for attribute in attributes)
