"""What an action touches, in canonical form: resolved path, host and port, or the manifest's own template.

The gate derives it to decide, the harness to grant and confine, and the step once more to ask its grant.

Canonical means lexical here: ``~`` and relative paths are resolved against the site, dot segments are gone,
and nothing of the file system is asked.  That is sound because a step opens files by descriptors that refuse
every symbolic link, so that no other file than the one decided on can be meant.

A resource whose name depends on a value that is not known yet is *open*; it is decided again when it is known.
"""

from __future__ import annotations

import functools
import posixpath
import re
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from interlock.artifact.action import Effect, Manifest, Resource
from interlock.artifact.codec import Identifier, Json, Text, Value
from interlock.artifact.errors import ReferenceEvaluationError

_FIELD = re.compile(r"\{([A-Za-z0-9_]+)\}")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\Z")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_ENDPOINT = re.compile(r"((?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]*[a-z0-9])?):([1-9][0-9]{0,4})\Z")
_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\Z")
_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!\Z)|\Z)){4}\Z")


class Touched(Value, frozen=True, kw_only=True):
    """One resource with the kind of access; ``open`` while its name is not known: then every name of the kind."""

    kind: Identifier
    name: Text
    access: Effect
    open: bool = False
    recursive: bool = False

    @property
    def key(self) -> str:
        """``kind:name``, as privileges, grants and protected resources write it."""
        return f"{self.kind}:{self.name}"


def touched(
    manifest: Manifest, known: Mapping[str, Json], named: Collection[str], *, root: str, home: str
) -> tuple[Touched, ...]:
    """The resources that the action touches with the arguments ``named``, of which ``known`` have a value yet.

    Raises ``ReferenceEvaluationError`` for a value that cannot name a resource.
    """
    found = [_extract(resource, known, named, root, home) for resource in manifest.resources]
    declared = manifest.driver.endpoints
    found.append(
        tuple(Touched(kind="endpoint", name=f"{one.host}:{one.port}", access=manifest.effect) for one in declared)
    )
    return tuple(item for items in found for item in items)


def canonical_path(path: str, *, root: str, home: str) -> str:
    """An absolute path without dot segments; raises ``ReferenceEvaluationError`` for what cannot be one."""
    if not path or "\0" in path or "\n" in path:
        raise ReferenceEvaluationError("resource.path", "an empty path, or one with a control character")
    if home and (path == "~" or path.startswith("~/")):
        path = home + path[1:]
    elif path.startswith("~"):
        raise ReferenceEvaluationError("resource.path", "a home that is not known here")
    return posixpath.normpath(posixpath.join(root, path)).replace("//", "/", 1)


def canonical_host(url: str) -> str:
    """``host:port`` of an http or https URL; raises ``ReferenceEvaluationError`` for any other spelling."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        raise ReferenceEvaluationError("resource.url", "a URL that does not parse") from None
    host = (parts.hostname or "").rstrip(".")
    strange = "\\" in url or "@" in parts.netloc or not url.isascii() or any(char <= " " for char in url)
    if strange or not port or not _HOST.match(host):
        raise ReferenceEvaluationError("resource.url", "not a plain http or https URL with an ASCII host name")
    return f"{host}:{port}"


def endpoint(name: str) -> tuple[str, int]:
    """Host and port of a canonical end point; raises ``ValueError`` for any other text."""
    found = _ENDPOINT.match(name)
    if not found or len(found[1]) > 253 or int(found[2]) > 65535:  # noqa: PLR2004 - RFC 1035 and TCP
        raise ValueError("no canonical host:port")
    if _NUMERIC.match(found[1]) and not _IPV4.match(found[1]):
        raise ValueError("a number that is no dotted IPv4 address")
    return found[1], int(found[2])


def inside(path: str, folder: str) -> bool:
    """Whether a canonical path is the folder or lies below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _extract(
    resource: Resource, known: Mapping[str, Json], named: Collection[str], root: str, home: str
) -> tuple[Touched, ...]:
    fields = _template(resource.name)[1::2]
    if not all(field in named for field in fields):
        return ()  # An optional argument that the step does not have.
    if not all(field in known for field in fields):
        return (_touched(resource, resource.name, is_open=True),)
    value = known[fields[0]] if len(fields) == 1 else None
    if isinstance(value, list):
        return tuple(_one(resource, {fields[0]: item}, root, home) for item in value)
    return (_one(resource, known, root, home),)


@functools.lru_cache(maxsize=1024)
def _template(text: str) -> tuple[str, ...]:
    """Plain text and the names of fields, by turns."""
    return tuple(_FIELD.split(text))


def _touched(resource: Resource, name: str, *, is_open: bool = False) -> Touched:
    kind = "endpoint" if resource.kind == "url" else resource.kind
    return Touched(kind=kind, name=name, access=resource.access, open=is_open, recursive=resource.recursive)


def _one(resource: Resource, arguments: Mapping[str, Json], root: str, home: str) -> Touched:
    parts = list(_template(resource.name))
    parts[1::2] = [str(arguments[field]) for field in parts[1::2]]
    filled = "".join(parts)
    match resource.kind:
        case "file":
            name = canonical_path(filled, root=root, home=home)
        case "url":
            name = canonical_host(filled)
        case _:
            name = filled
    return _touched(resource, name)
