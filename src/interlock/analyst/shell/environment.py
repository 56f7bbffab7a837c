"""Variables that change what later commands do: preloaded code, commands that programs start, the search path, history.

The names are data (``environment.json``).
"""

from __future__ import annotations

import functools
import importlib.resources
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from interlock.analyst.shell import code
from interlock.analyst.shell.words import Data, Word
from interlock.artifact.action import Effect
from interlock.artifact.codec import Value

if TYPE_CHECKING:
    from interlock.analyst.shell.walk import Walker

_EVALUATED = re.compile(r"\[.*(?:\$\(|`)", re.DOTALL)
_LOADS = ("require", "-r", "-M", "-e", "import", "javaagent", "-I", "-d")


class Names(Value, frozen=True, kw_only=True):
    """The file of names."""

    source: str
    preload: frozenset[str]
    libraries: frozenset[str]
    commands: frozenset[str]
    files: frozenset[str]
    options: frozenset[str]
    plain_commands: frozenset[str]
    history: dict[str, frozenset[str]]
    harmless: frozenset[str]


@functools.cache
def names() -> Names:
    """The names of the release."""
    raw = (importlib.resources.files("interlock.analyst.shell") / "environment.json").read_bytes()
    return msgspec.json.decode(raw, type=Names)


def evaluated(walker: Walker, texts: Iterable[str]) -> None:
    """A subscript is expanded wherever a shell computes or looks for a variable, also in what was quoted."""
    if any(_EVALUATED.search(text) for text in texts):
        walker.note("shell.dynamic_code")


def assigned(walker: Walker, values: dict[str, Data], *, exported: bool) -> None:
    """Claim what an assignment changes for the commands after it."""
    known = names()
    evaluated(walker, (value.text for value in values.values()))
    for name, value in values.items():
        if name in known.commands:
            if value.text not in known.plain_commands:
                code.escape(walker, value, Data())
        elif name in known.files and value.text not in ("", "/dev/null"):
            code.execute_file(walker, Word(value.text, value.tags), [], Data())
        elif name in known.history and value.text in known.history[name]:
            walker.claims.signal("history.disabled")
        elif name in known.options and (not value.known or any(part in value.text for part in _LOADS)):
            walker.note("shell.unknown_code")
        elif name == "PATH":
            _path(walker, value)
        elif exported or name in known.libraries or name in known.preload:
            walker.claims.touch(Effect.WRITE, "environment", name)
        if name in known.preload:
            walker.claims.signal("process.preloaded")
            walker.claims.touch(Effect.EXECUTE, "file", value.text if value.known else "*", open=not value.known)


def _path(walker: Walker, value: Data) -> None:
    """A search path that does not begin with the system's may mean other programs by the same names."""
    walker.claims.touch(Effect.WRITE, "environment", "PATH")
    first = value.text.partition(":")[0]
    if first not in ("/usr/local/sbin", "/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin"):
        walker.claims.signal("environment.path_changed")
