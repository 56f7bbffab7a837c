"""The vocabulary of signals: what each code means, and how much it weighs for a policy that does not say otherwise.

``strong`` is worth a denial, ``raise`` a person, ``weak`` is context for rules over several signals.  The file
(``signals.json``) is the vocabulary: a code that stands in no line there is never claimed by this package.
"""

from __future__ import annotations

import functools
import importlib.resources
from typing import Literal, TypeAlias

import msgspec

Weight: TypeAlias = Literal["strong", "raise", "weak"]


@functools.cache
def vocabulary() -> dict[str, tuple[Weight, str]]:
    """Weight and meaning by code."""
    raw = (importlib.resources.files("interlock.analyst.shell") / "signals.json").read_bytes()
    return msgspec.json.decode(raw, type=dict[str, tuple[Weight, str]])


def weight(code: str) -> Weight:
    """What a code weighs; one that another analyser made is for its own vocabulary to say, and strong until then."""
    found = vocabulary().get(code)
    return found[0] if found is not None else "strong"
