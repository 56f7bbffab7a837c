"""The libraries of an operator's model, imported by the zygote where one was added, and used once.

What they look up about the machine at their first use they look up here; behind the lock it would be a violation.
"""

from __future__ import annotations

import importlib
from typing import Any

_TINY = """{"version": "1.0", "added_tokens": [], "normalizer": {"type": "Lowercase"},
 "pre_tokenizer": {"type": "Whitespace"}, "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}"""


def rehearse() -> None:
    """Read a tiny tokenizer and let it read a word; raises ``ImportError`` where the extra is not installed."""
    runtime: Any = importlib.import_module("onnxruntime")
    tokenizers: Any = importlib.import_module("tokenizers")
    tokenizers.Tokenizer.from_str(_TINY).encode("a")
    runtime.SessionOptions()


rehearse()
