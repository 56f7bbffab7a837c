"""The libraries of an operator's model, imported by the zygote where one was added, and used once.

What they look up about the machine at their first use they look up here; behind the lock it would be a violation.
"""

from __future__ import annotations

import onnxruntime
import tokenizers

_TINY = """{"version": "1.0", "added_tokens": [], "normalizer": {"type": "Lowercase"},
 "pre_tokenizer": {"type": "Whitespace"}, "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}"""


def rehearsed() -> int:
    """Read a tiny tokenizer and let it read a word."""
    tokenizer = tokenizers.Tokenizer.from_str(_TINY)
    onnxruntime.SessionOptions()
    return len(tokenizer.encode("a").ids)


rehearsed()
