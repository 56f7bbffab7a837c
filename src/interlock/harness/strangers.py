"""Strangers: what they wrote that each task's planner has received, so that its proposals are compared with it.

Kept in this process alone, and only the latest: what is forgotten makes a question where it would have made a denial,
because labels are kept in the store and not here.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Final

from interlock.artifact.codec import Json
from interlock.artifact.label import Label

MAX_TASKS: Final = 64
MAX_TEXTS: Final = 64
MAX_CHARACTERS: Final = 16_384
_MAX_PARTS: Final = 4096


class Strangers:
    """Remembers texts by task; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: dict[str, list[str]] = {}

    def hear(self, task: str, value: Json, label: Label) -> None:
        """Remember the texts in a value, if a stranger may have written it."""
        if not label.untrusted:
            return
        found = [text[:MAX_CHARACTERS] for text in _texts(value)]
        with self._lock:
            held = self._texts.pop(task, [])
            self._texts[task] = [*held, *(text for text in found if text not in held)][-MAX_TEXTS:]
            while len(self._texts) > MAX_TASKS:
                del self._texts[next(iter(self._texts))]

    def texts(self, task: str) -> tuple[str, ...]:
        """What was heard, the latest last."""
        with self._lock:
            return tuple(self._texts.get(task, ()))


def _texts(value: Json) -> Iterator[str]:
    waiting, parts = [value], 0
    while waiting and parts < _MAX_PARTS:
        parts += 1
        match waiting.pop():
            case str() as text if " " in text:
                yield text
            case list() | tuple() as items:
                waiting.extend(reversed(items))
            case dict() as held:
                waiting.extend(held.values())
            case _:
                pass  # A number, or a word, orders nothing.
