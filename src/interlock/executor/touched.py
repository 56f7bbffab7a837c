"""What a step touches, derived once more from manifest and resolved arguments, for the grant to answer.

The rules are those of the gate (``decide``), which this package cannot import; a test holds the two equal.
One rule is missing here on purpose: ``~`` is somebody's home, and a step has none.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from interlock.artifact.action import Manifest, Resource
from interlock.artifact.codec import Json
from interlock.artifact.errors import ReferenceEvaluationError
from interlock.artifact.grant import GrantedResource

_FIELD = re.compile(r"\{([A-Za-z0-9_]+)\}")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\Z")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def touched(manifest: Manifest, arguments: Mapping[str, Json], *, home: str) -> tuple[GrantedResource, ...]:
    """The resources by canonical name; raises ``ReferenceEvaluationError`` for what has none."""
    found = [item for resource in manifest.resources for item in _extract(resource, arguments, home)]
    found += [
        GrantedResource(kind="endpoint", name=f"{endpoint.host}:{endpoint.port}", access=manifest.effect)
        for endpoint in manifest.driver.endpoints
    ]
    return tuple(found)


def canonical_path(path: str, home: str) -> str:
    """An absolute path without dot segments, relative ones taken from ``home``."""
    if not path or path.startswith("~") or "\0" in path or "\n" in path:
        raise ReferenceEvaluationError("resource.path", "an empty path, a home, or a path with a control character")
    return posixpath.normpath(posixpath.join(home, path)).replace("//", "/", 1)


def host_and_port(url: str) -> tuple[str, int]:
    """Where an http or https URL leads; raises ``ReferenceEvaluationError`` for any but the plain spelling."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        raise ReferenceEvaluationError("resource.url", "a URL that does not parse") from None
    host = (parts.hostname or "").rstrip(".")
    strange = "\\" in url or "@" in parts.netloc or not url.isascii() or any(char <= " " for char in url)
    if strange or not port or not _HOST.match(host):
        raise ReferenceEvaluationError("resource.url", "not a plain http or https URL with an ASCII host name")
    return host, port


def _extract(resource: Resource, arguments: Mapping[str, Json], home: str) -> Iterator[GrantedResource]:
    names: list[str] = _FIELD.findall(resource.name)
    if any(name not in arguments for name in names):
        return
    value = arguments[names[0]] if len(names) == 1 else None
    several = [{names[0]: item} for item in value] if isinstance(value, list) else [arguments]
    for chosen in several:
        yield _one(resource, chosen, home)


def _one(resource: Resource, arguments: Mapping[str, Json], home: str) -> GrantedResource:
    filled = _FIELD.sub(lambda match: str(arguments[match.group(1)]), resource.name)
    match resource.kind:
        case "file":
            return GrantedResource(kind="file", name=canonical_path(filled, home), access=resource.access)
        case "url":
            host, port = host_and_port(filled)
            return GrantedResource(kind="endpoint", name=f"{host}:{port}", access=resource.access)
        case _:
            return GrantedResource(kind=resource.kind, name=filled, access=resource.access)
