"""Path globs: ``*`` within a segment, ``**`` across segments, case-sensitive, exact.

A glob that does not start with ``/`` or ``**`` is relative to ``base``; ``~`` is ``base`` as well, so the
caller passes the home for globs of the person and the root for globs of the workspace.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable


def matches(glob: str, path: str, base: str) -> bool:
    """Whether a canonical absolute path matches; ``a/**`` matches ``a`` too."""
    return _compiled(glob, base).match(path) is not None


def matches_any(globs: tuple[str, ...], path: str, base: str) -> bool:
    """Whether one of the globs matches the canonical path; no glob matches nothing."""
    last, whole = _any(globs, base)
    return last.match(path, path.rfind("/")) is not None or whole.match(path) is not None


@functools.lru_cache(maxsize=64)
def _any(globs: tuple[str, ...], base: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """One pattern for the last segment, from its slash on, which is all that ``**/NAME`` asks for; one for the rest."""
    names = tuple(
        glob for glob in globs if glob.startswith("**/") and "/" not in (name := glob[3:]) and "**" not in name
    )
    rest = tuple(glob for glob in globs if glob not in names)
    return _joined([glob[3:] for glob in names], "/"), _joined(rest, base)


def _joined(globs: Iterable[str], base: str) -> re.Pattern[str]:
    return re.compile("|".join(_compiled(glob, base).pattern for glob in globs) or "(?!)", re.DOTALL)


@functools.lru_cache(maxsize=4096)
def fixed_part(glob: str, base: str) -> str:
    """The folder below which everything lies that the glob can match."""
    fixed: list[str] = []
    for part in _absolute(glob, base).split("/")[1:]:
        if "*" in part or "?" in part:
            break
        fixed.append(part)
    return "/" + "/".join(fixed)


def _absolute(glob: str, base: str) -> str:
    if glob.startswith("~/"):
        return f"{base.rstrip('/')}/{glob[2:]}"
    if glob.startswith("**"):
        return f"/{glob}"
    return glob if glob.startswith("/") else f"{base.rstrip('/')}/{glob}"


@functools.lru_cache(maxsize=4096)
def _compiled(glob: str, base: str) -> re.Pattern[str]:
    glob = _absolute(glob, base)
    tail = glob.endswith("/**")
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob.removesuffix("/**"))
    translated = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    body = "".join(translated.get(part) or re.escape(part) for part in parts if part)
    return re.compile(body + ("(?:/.*)?" if tail else "") + r"\Z", re.DOTALL)
