"""Argument vectors from a manifest's template: each item stays one word, whatever the values hold.

``{name}`` inside an item is replaced by the argument's text; an item that is exactly ``{name}`` with a list
becomes one word per item.  An item that names an absent argument is left out.  A word that is nothing but a
value and looks like an option is refused, unless ``--`` stands before it or the argument is a command.

>>> fill(("log", "-n", "{count}", "--", "{paths}"), {"count": 3, "paths": ["-a", "b c"]}, frozenset())
['log', '-n', '3', '--', '-a', 'b c']
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from interlock.artifact.codec import Json
from interlock.executor.work import DriverError

_FIELD = re.compile(r"\{([A-Za-z0-9_]+)\}")


def fill(template: Sequence[str], arguments: Mapping[str, Json], commands: AbstractSet[str]) -> list[str]:
    """The words; ``commands`` names the arguments that may hold options; raises ``DriverError``."""
    found: list[str] = []
    literal = False
    for item in template:
        literal = literal or item == "--"
        for word in _words(item, arguments):
            if word.startswith("-") and item.startswith("{") and not literal and not _named(item) <= commands:
                raise DriverError("shell.option", "a value that looks like an option where a value is expected")
            if "\0" in word:
                raise DriverError("shell.word", "a NUL in a command's word")
            found.append(word)
    return found


def _named(item: str) -> frozenset[str]:
    return frozenset(_FIELD.findall(item))


def _words(item: str, arguments: Mapping[str, Json]) -> Iterator[str]:
    if not all(name in arguments for name in _named(item)):
        return
    whole = _FIELD.fullmatch(item)
    value = arguments[whole.group(1)] if whole else None
    if isinstance(value, list):
        yield from (_text(part) for part in value)
    else:
        yield _FIELD.sub(lambda match: _text(arguments[match.group(1)]), item)


def _text(value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    raise DriverError("shell.word", "a value that is no text in a command's word")
