"""Arguments of tools that nobody described: every string in a nested value is looked at by its shape.

The keys help: what stands under ``to`` is a recipient, under ``attachments`` a file that is read, under ``command`` a
line for a shell.  What stands under ``body`` and the like is data that nobody runs, so its shape counts for nothing.
Every string is searched for what it hides, for secrets and for personal data.

>>> value = {"note": "see below", "steps": [{"run": "rm -rf ~/x"}]}
>>> found = walk(value, Place(argument="job", root="/", analysers={"shell": lambda text, place: Claims(place)}))
>>> "shape.shell" in found.signals
True
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from interlock.analyst import data, decoding, mail, paths, shapes
from interlock.analyst.claims import Claims, Place
from interlock.analyst.tables import words
from interlock.artifact.action import Effect
from interlock.artifact.codec import Json

MAX_STRINGS = 1024
MAX_DEPTH = 32
MAX_CHARACTERS = 256 * 1024
_SHORT_KEY = 24  # A longer key may be what a tool is really told.
_RECIPIENTS: Final = words("to cc bcc recipient recipients participants invitees reply_to share_with")
_ATTACHMENTS: Final = words("attachment attachments attach attached_files upload upload_file")
_PATHS: Final = words(
    "path file file_path filepath filename file_name source destination src dst dest directory folder dir cwd"
)
_CODE: Final = {
    "command": "shell", "cmd": "shell", "shell_command": "shell", "bash": "shell", "cmdline": "shell", "sql": "sql",
    "sql_query": "sql", "statement": "sql", "url": "url", "uri": "url", "href": "url", "webhook": "url",
    "webhook_url": "url", "callback_url": "url", "endpoint": "url", "code": "python", "python": "python",
}  # fmt: skip
_ABOUT: Final = words("sender from author query search filter owner user username login account")
_CONTENT: Final = words("content body text message description subject title comment note summary")


def analyse(text: str, place: Place) -> Claims:
    """Claims about one argument: a JSON text, or a bare string."""
    if len(text) > MAX_CHARACTERS:
        claims = Claims(place)
        claims.opaque("json.too_large")
        return claims
    value: Json = text
    if text.lstrip()[:1] in {"{", "["}:
        try:
            value = msgspec.json.decode(text.encode("utf-8", "surrogatepass"))
        except (msgspec.DecodeError, RecursionError, UnicodeError):
            value = text
    return walk(value, place)


def walk(value: Json, place: Place) -> Claims:
    """Claims about one argument's value."""
    claims = Claims(place)
    seen = set[tuple[str, str]]()
    for key, text in _strings(value, claims):
        if (key, text) not in seen:
            seen.add((key, text))
            _look(key, text, claims)
    return claims


def _strings(value: Json, claims: Claims) -> Iterator[tuple[str, str]]:
    """Every string with the key that it stands under, keys themselves included."""
    pending: list[tuple[str, Json, int]] = [("", value, 0)]
    count = 0
    while pending:
        key, one, depth = pending.pop()
        if count == MAX_STRINGS or depth > MAX_DEPTH:
            claims.opaque("json.too_large")
            return
        match one:
            case str():
                count += 1
                yield key, one
            case list() | tuple():
                pending.extend((key, item, depth + 1) for item in reversed(one))
            case dict():
                pending.extend((str(name).lower(), item, depth + 1) for name, item in reversed(one.items()))
                pending.extend(("", str(name), depth + 1) for name in one if len(str(name)) > _SHORT_KEY)
            case _:
                pass


def _look(key: str, text: str, claims: Claims) -> None:
    if len(text) > MAX_CHARACTERS:
        claims.opaque("json.too_large")
        return
    language = shapes.of(text)
    if key in _RECIPIENTS and "@" in text:
        mail.examine(text, claims)
    elif key in _ATTACHMENTS:
        paths.examine(text, claims)
        claims.file(Effect.READ, text)
    elif key in _CODE and _reads_as(_CODE[key], text, language):
        claims.inline(language if language in {"powershell", "cmd"} else _CODE[key], text)
    elif key in _PATHS and language in {None, "path"} and "\n" not in text:
        paths.examine(text, claims)
    elif language is not None and key not in _CONTENT and not (language == "email" and key in _ABOUT):
        claims.signal(f"shape.{language}")
        claims.inline(language, text)
    if key in _CONTENT and paths.mentions_credential(text):
        claims.signal("data.names_credential")
    decoding.examine(text, claims)
    data.examine(text, claims)


def _reads_as(expected: str, text: str, shape: str | None) -> bool:
    """Whether a string under a key that names a language is in it, rather than a word that the key has for it."""
    match expected:
        case "shell":
            return " " in text.strip() or shape is not None
        case "url":
            return "://" in text
        case "python":
            return shape == "python" or any(char in text for char in "(=\n")
        case _:
            return shape == expected
