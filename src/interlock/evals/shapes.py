"""Shapes: what an action that nobody declared is taken for, by the words of its name and of its arguments.

The words stand in ``generic.json``.  A program, a query or code makes it a broad action that is decided by its effects;
a path, a URL or a recipient names a resource; otherwise the first verb of the name says what it does.  A name without
a known verb may do anything.  Where an action came from plays no part.

>>> manifest("delete_file", {"path": "a.txt"}).effect.value, manifest("frobnicate", {}).effect.value
('delete', 'execute')
"""

from __future__ import annotations

import functools
import importlib.resources
import re
from collections.abc import Mapping
from typing import Final, Literal

import msgspec
from msgspec import UNSET

from interlock.artifact.action import (
    Argument,
    Driver,
    Effect,
    Language,
    Manifest,
    Output,
    Resource,
    Reversibility,
    Role,
)
from interlock.artifact.codec import Json
from interlock.artifact.label import Confidentiality
from interlock.evals.items import name_of

GROUP: Final = "task"
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SHORTEST = 3
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_LANGUAGES: Final[Mapping[str, Language]] = {
    "powershell": "powershell", "pwsh": "powershell", "cmd": "cmd", "command_prompt": "cmd", "python": "python",
}  # fmt: skip
_BARE = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}(?:[/?#][!-~]*)?\Z", re.IGNORECASE)
_DRIVER = Driver(name="python", operation="eval:none")
_RUNS = frozenset({"execute", "run", "exec", "eval", "shell", "bash", "terminal", "command", "python", "code", "sql"})
_SQL = re.compile(
    r"\s*(?:select|insert|update|delete|drop|create|alter|with|exec|grant|merge|call|begin|;|'|\")", re.IGNORECASE
)


class _Words(msgspec.Struct, frozen=True, kw_only=True):
    verbs: dict[str, str]
    roles: dict[str, str]
    files: str
    contents: str
    things: str


@functools.cache
def _verbs() -> Mapping[str, Effect]:
    found: dict[str, Effect] = {}
    for effect, words in _data().verbs.items():
        found |= {word: Effect(effect) for word in words.split() if word not in found}
    return found


@functools.cache
def _roles() -> Mapping[str, str]:
    return {word: role for role, words in _data().roles.items() for word in words.split()}


@functools.cache
def _things() -> frozenset[str]:
    return frozenset(_data().things.split())


@functools.cache
def _data() -> _Words:
    raw = (importlib.resources.files("interlock.evals") / "generic.json").read_bytes()
    return msgspec.json.decode(raw, type=_Words)


def words(name: str) -> list[str]:
    """The words of a name, in lower case."""
    return [word.lower() for word in _WORD.findall(name)]


def spelled(name: str, value: Json) -> Json:
    """The value of an argument; an address on the web without a scheme as a browser takes it.

    >>> spelled("url", "www.example.org/a"), spelled("url", "0x7f.1/a"), spelled("note", "www.example.org")
    ('https://www.example.org/a', '0x7f.1/a', 'www.example.org')
    """
    bare = isinstance(value, str) and _roles().get(name.lower()) == "url" and _BARE.match(value)
    return f"https://{value}" if bare else value


def manifest(name: str, arguments: Mapping[str, Json]) -> Manifest:
    """What a call of this name with these arguments would be declared as."""
    roles = {key: _roles().get(key.lower(), "") for key in arguments}
    code = _code(name, arguments, roles)
    effect = Effect.EXECUTE if code else _effect(name, arguments, roles)
    external = not code and (effect is Effect.SEND or "url" in roles.values())
    resources = () if code else tuple(_resources(name, effect, arguments, roles))
    filed = bool(resources) and all(one.kind == "file" for one in resources)
    schemas = {
        key: _argument(key, value, roles[key], code.get(key), filed=filed, reads=effect is Effect.READ)
        for key, value in arguments.items()
    }
    return Manifest(
        name=name_of(name),
        group=GROUP,
        sentence=name_of(name),
        effect=effect,
        reversibility=_reversibility(effect, filed),
        external=external,
        broad=bool(code),
        arguments=schemas,
        resources=resources,
        accepts=Confidentiality.PRIVATE,
        output=Output(),
        driver=_DRIVER,
    )


def _effect(name: str, arguments: Mapping[str, Json], roles: Mapping[str, str]) -> Effect:
    if "url" in roles.values() and isinstance(arguments.get("method", "GET"), str):
        asked = str(arguments.get("method") or ("POST" if _sends(arguments) else "GET")).upper()
        if "http" in words(name) or "request" in words(name) or "method" in arguments:
            return Effect.READ if asked in _SAFE else Effect.SEND
    found = [*words(name.rpartition(".")[2]), *words(name)]  # What follows a dot is the function, and comes first.
    if words(name)[1:-1] == ["to"]:
        return Effect.READ  # One unit to another.
    verb = next((_verbs()[word] for word in found if word in _verbs()), None)
    verb = verb or next((_verbs()[stem] for word in found for stem in _stems(word) if stem in _verbs()), None)
    if verb is None and not _things().isdisjoint(found):
        return Effect.READ  # It reckons, or knows something.
    return verb or Effect.EXECUTE


def _stems(word: str) -> list[str]:
    """The verbs that a noun may be made of: finder, generator, booking, conversion.

    >>> _stems("generator")
    ['generat', 'generate']
    """
    for end in ("ations", "ation", "ions", "ion", "ments", "ment", "ings", "ing", "ers", "er", "ors", "or", "als", "al",
                "ures", "ure", "ed", "es", "s"):  # fmt: skip
        if word.endswith(end) and len(word) - len(end) >= _SHORTEST:
            stem = word[: -len(end)]
            return [stem, f"{stem}e", *([f"{stem}ate"] if end.startswith("ation") else [])]
    return []


def _sends(arguments: Mapping[str, Json]) -> bool:
    return any(
        key.split("_")[0] in {"body", "data", "json", "payload", "content", "form", "files"} for key in arguments
    )


def _code(name: str, arguments: Mapping[str, Json], roles: Mapping[str, str]) -> Mapping[str, Language]:
    """The arguments that are code, with their languages."""
    found: dict[str, Language] = {}
    told = str(arguments.get("shell", "")).lower()
    runs = not _RUNS.isdisjoint(words(name))
    for key, value in arguments.items():
        if not isinstance(value, str):
            continue
        if roles[key] == "command":
            found[key] = _LANGUAGES.get(told, "shell")
        elif roles[key] == "python" and (runs or "python" in key):
            found[key] = "python"
        elif roles[key] == "sql" and (not {"sql", "db", "database"}.isdisjoint(words(name)) or key.startswith("sql")):
            found[key] = "sql"
    return found


def _argument(name: str, value: Json, role: str, language: Language | None, *, filed: bool, reads: bool) -> Argument:
    types: dict[type, Literal["string", "integer", "boolean", "list", "object"]] = {
        str: "string", bool: "boolean", int: "integer", list: "list", dict: "object",
    }  # fmt: skip
    kind = types.get(type(value), "string")
    items: Literal["string", "integer"] = (
        "integer" if isinstance(value, list) and value and type(value[0]) is int else "string"
    )
    known = {one.value: one for one in Role}
    if language is not None:
        chosen = Role.COMMAND
    else:
        chosen = known.get(role, Role.CONTENT)
        language = None if role in {"path", "url", "recipient"} and kind in {"string", "list"} else "json"
        if role == "recipient" and reads:
            chosen, language = Role.CONTENT, None  # Somebody is looked up, and nothing is sent.
        if filed and name.lower() in _data().contents.split():
            language, chosen = None, Role.TARGET if role == "target" else Role.CONTENT
    return Argument(type=kind, items=items, role=chosen, required=False, max_length=1 << 18, language=language or UNSET)


def _resources(name: str, effect: Effect, arguments: Mapping[str, Json], roles: Mapping[str, str]) -> list[Resource]:
    found: list[Resource] = []
    on_files = not set(_data().files.split()).isdisjoint(words(name))
    for key, value in arguments.items():
        if roles[key] == "path" and on_files and isinstance(value, str) and value:
            source = key.lower() in {
                "source",
                "src",
                "source_path",
                "old_path",
                "source_file",
                "file_name1",
                "input_path",
            }
            moved = source and effect is Effect.WRITE and {"move", "mv", "rename"}.isdisjoint(words(name))
            found.append(Resource(kind="file", name=f"{{{key}}}", access=Effect.READ if moved else _on_file(effect)))
        elif roles[key] == "url" and isinstance(value, str):
            found.append(Resource(kind="url", name=f"{{{key}}}", access=effect))
    return found


def _on_file(effect: Effect) -> Effect:
    return effect if effect in {Effect.READ, Effect.DELETE, Effect.SEND} else Effect.WRITE


def _reversibility(effect: Effect, filed: bool) -> Reversibility:
    if effect is Effect.READ:
        return Reversibility.PURE
    return Reversibility.REVERSIBLE if filed and effect in {Effect.WRITE, Effect.DELETE} else Reversibility.IRREVERSIBLE
