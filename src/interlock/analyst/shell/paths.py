"""What a path means: files that start something, hold secrets, record what was done, or guard the machine.

The classes are data (``paths.json``).  A class is met by a path that matches one of its patterns, and by a folder that
is touched with all below it if the folder is where a pattern begins, such as ``~/.ssh`` for ``~/.ssh/id_*``.
"""

from __future__ import annotations

import functools
import importlib.resources
import re
from typing import NamedTuple

import msgspec

from interlock.artifact.codec import Value
from interlock.artifact.resources import inside

# fmt: off
PSEUDO = frozenset((
    "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/stdin", "/dev/stdout",
    "/dev/stderr", "/dev/fd/0", "/dev/fd/1", "/dev/fd/2", "/dev/ptmx", "/proc/self/fd/1", "/proc/self/fd/2",
))
TOPS = frozenset((
    "/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/opt", "/root", "/sbin", "/srv", "/usr", "/var", "/sys",
    "/Users", "/System", "/Library", "/Applications", "/mnt", "/media",
))
# fmt: on
SYSTEM_FOLDERS = (
    "/bin",
    "/sbin",
    "/usr/bin",
    "/usr/sbin",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/usr/libexec",
    "/opt/homebrew/bin",
)
READ_ONLY_FOLDERS = (
    "/usr/share",
    "/usr/include",
    "/usr/lib",
    "/lib",
    "/etc/os-release",
    "/proc/cpuinfo",
    "/proc/meminfo",
)


class Class(Value, frozen=True, kw_only=True):
    """One meaning; an access without a code means nothing here, and ``append`` is a write that keeps what was there."""

    paths: tuple[str, ...]
    read: str = ""
    write: str = ""
    delete: str = ""
    append: str | None = None


class Classes(Value, frozen=True, kw_only=True):
    """The file of classes."""

    source: str
    classes: tuple[Class, ...]


class _Compiled(NamedTuple):
    meaning: Class
    pattern: re.Pattern[str]
    folders: tuple[str, ...]
    samples: tuple[str, ...]


def meanings(path: str, access: str, home: str, *, recursive: bool = False) -> list[str]:
    """The signals of one access (``read``, ``write``, ``append``, ``delete``) to a canonical path or pattern."""
    found: list[str] = []
    for one in _compiled(home):
        code = getattr(one.meaning, access if access != "append" else "write")
        if access == "append" and one.meaning.append is not None:
            code = one.meaning.append
        if code and code not in found and _meets(one, path, recursive=recursive):
            found.append(code)
    return found


@functools.lru_cache(maxsize=8192)
def meanings_of(path: str, access: str, home: str, recursive: bool) -> tuple[str, ...]:
    """As ``meanings``, remembered."""
    return tuple(meanings(path, access, home, recursive=recursive))


@functools.lru_cache(maxsize=1024)
def meanings_of_glob(pattern: str, access: str, home: str) -> tuple[str, ...]:
    """The signals of a pattern that matches one of the names that the classes spell out."""
    if not any(mark in pattern for mark in "*?["):
        return ()
    matches = re.compile(_glob(pattern)).match
    found: list[str] = []
    for one in _compiled(home):
        code = getattr(one.meaning, access if access != "append" else "write")
        if code and code not in found and any(matches(sample) for sample in one.samples):
            found.append(code)
    return tuple(found)


def _glob(pattern: str) -> str:
    parts = re.split(r"(\*|\?|\[[^]/]+\])", pattern)
    known = {"*": "[^/]*", "?": "[^/]"}
    body = "".join(
        known.get(
            part,
            f"[{re.escape(part[1:-1])}]" if part[:1] == "[" and part[-1:] == "]" and len(part) > 2 else re.escape(part),
        )
        for part in parts
    )
    return body + r"\Z"


def _meets(one: _Compiled, path: str, *, recursive: bool) -> bool:
    if one.pattern.match(path):
        return True
    return recursive and path in one.folders


@functools.lru_cache(maxsize=8)
def _compiled(home: str) -> tuple[_Compiled, ...]:
    raw = (importlib.resources.files("interlock.analyst.shell") / "paths.json").read_bytes()
    found: list[_Compiled] = []
    for one in msgspec.json.decode(raw, type=Classes).classes:
        paths = [home + path[1:] if path[0] == "~" else path for path in one.paths]
        pattern = "|".join(_regex(path) for path in paths)
        starts = (path.partition("*")[0] for path in paths if not path.startswith("**") and "*" in path)
        folders = tuple(start.rpartition("/")[0] for start in starts)
        deep = tuple(one for one in folders if one.count("/") > 1 and one != home)
        samples = tuple(
            path.replace("/**", "/x").replace("*", "") for path in paths if path[0] == "/" and "/**/" not in path
        )
        found.append(_Compiled(one, re.compile(f"(?:{pattern})\\Z"), deep, samples))
    return tuple(found)


def _regex(path: str) -> str:
    parts = re.split(r"(\*\*/|/\*\*|\*)", path)
    known = {"**/": "(?:.*/)?", "/**": "/.+", "*": "[^/]*"}
    return "".join(known.get(part, re.escape(part)) for part in parts)


def is_outside(path: str, root: str) -> bool:
    """Whether a file is neither the workspace's nor part of what every program reads."""
    return not inside(path, root) and not any(inside(path, folder) for folder in READ_ONLY_FOLDERS)
