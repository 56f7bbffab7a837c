"""What an action touches, in canonical form: resolved path, host and port, or the manifest's own template.

Canonical means lexical here: ``~`` and relative paths are resolved against the site, dot segments are gone,
and nothing of the file system is asked.  That is sound because a step opens files by descriptors that refuse
every symbolic link, so that no other file than the one decided on can be meant.

A resource whose name depends on a value that is not known yet is *open*; it is decided again when it is known.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from interlock.artifact.action import Effect, Manifest, Resource
from interlock.artifact.codec import Json, Value
from interlock.artifact.errors import ReferenceEvaluationError

_FIELD = re.compile(r"\{([A-Za-z0-9_]+)\}")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\Z")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Touched(Value, frozen=True, kw_only=True):
    """One resource with the kind of access; ``open`` while its name is not known."""

    kind: str
    name: str
    access: Effect
    open: bool = False

    @property
    def key(self) -> str:
        """``kind:name``, as privileges, grants and protected resources write it."""
        return f"{self.kind}:{self.name}"


def touched(manifest: Manifest, arguments: Mapping[str, Json], *, root: str, home: str) -> tuple[Touched, ...]:
    """The resources that the action touches with these known arguments; raises ``ReferenceEvaluationError``."""
    found = [_extract(resource, manifest, arguments, root, home) for resource in manifest.resources]
    found += [
        Touched(kind="endpoint", name=f"{endpoint.host}:{endpoint.port}", access=manifest.effect)
        for endpoint in manifest.driver.endpoints
    ]
    return tuple(item for items in found for item in (items if isinstance(items, tuple) else (items,)))


def canonical_path(path: str, *, root: str, home: str) -> str:
    """An absolute path without dot segments; raises ``ReferenceEvaluationError`` for what cannot be one."""
    if not path or "\0" in path or "\n" in path:
        raise ReferenceEvaluationError("resource.path", "an empty path, or one with a control character")
    if path == "~" or path.startswith("~/"):
        path = home + path[1:]
    elif path.startswith("~"):
        raise ReferenceEvaluationError("resource.path", "another user's home cannot be named")
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


def inside(path: str, folder: str) -> bool:
    """Whether a canonical path is the folder or lies below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _extract(
    resource: Resource, manifest: Manifest, arguments: Mapping[str, Json], root: str, home: str
) -> Touched | tuple[Touched, ...]:
    names: list[str] = _FIELD.findall(resource.name)
    unknown = [name for name in names if name not in arguments]
    if any(name in manifest.arguments and manifest.arguments[name].required for name in unknown):
        return Touched(kind=resource.kind, name=resource.name, access=resource.access, open=True)
    if unknown:
        return ()
    if len(names) == 1 and isinstance(arguments[names[0]], list):
        items = arguments[names[0]]
        assert isinstance(items, list)  # noqa: S101 - narrows for the type checker
        return tuple(_one(resource, {names[0]: item}, root, home) for item in items)
    return _one(resource, arguments, root, home)


def _one(resource: Resource, arguments: Mapping[str, Json], root: str, home: str) -> Touched:
    filled = _FIELD.sub(lambda match: str(arguments[match.group(1)]), resource.name)
    match resource.kind:
        case "file":
            name = canonical_path(filled, root=root, home=home)
        case "url":
            name = canonical_host(filled)
        case _:
            name = filled
    kind = "endpoint" if resource.kind == "url" else resource.kind
    return Touched(kind=kind, name=name, access=resource.access)
