"""Pattern facts: globs that Cedar's ``like`` cannot express are matched here, exactly, and handed in as facts.

A fact is a string that a policy asks for, ``context.matched.contains("path ~/web/**")``:

- ``path GLOB``: the resource is a file and its path matches.  ``*`` stays within a segment, ``**`` is a whole
  segment and spans any number of them; a closing ``/**`` is the folder and all below it.  Case counts.
- ``touches path GLOB``: the same, or the resource is a folder that is written or deleted as a whole and the
  glob's fixed part lies in it.  Denials ask this, permissions the former.
- ``destinations GLOB GLOB…``: there are destinations, and each matches one of the globs; ``*`` is any text.
- ``touches destinations GLOB GLOB…``: at least one destination matches one of the globs.

Matching takes time linear in a segment and at most quadratic in a path, whatever the glob: no backtracking
into a decided wildcard.

>>> facts = Facts({"path ~/web/**", "touches path **/*.pem"}, home="/home/u", root="/home/u/web")
>>> facts.of_path("/home/u/web/a/tls.pem", folder=False)
['path ~/web/**', 'touches path **/*.pem']
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from interlock.decide.policy.schema import MAX_PATTERN

_FORBIDDEN = re.compile(r"[?\[\]{}\\\x00-\x1f\x7f]|%[0-9A-Fa-f]{2}")
_SEGMENT_END = r"(?=/|\Z)"
KINDS = ("path", "touches path", "destinations", "touches destinations")


class Facts:
    """The pattern facts that a policy set asks for, compiled; raises ``ValueError`` with what is wrong and why."""

    def __init__(self, facts: Iterable[str], *, home: str, root: str) -> None:
        self._paths: list[str] = []
        self._fixed: list[tuple[str, str]] = []
        self._each: list[tuple[str, re.Pattern[str]]] = []
        self._any: list[tuple[str, re.Pattern[str]]] = []
        tests: list[str] = []
        for fact in sorted(facts):
            kind, globs = split(fact)
            if kind.endswith("destinations"):
                kept = self._any if kind.startswith("touches") else self._each
                kept.append((fact, re.compile("|".join(map(_flat, globs.split(" "))), re.DOTALL)))
                continue
            path = absolute(globs, home=home, root=root)
            self._paths.append(fact)
            tests.append(f"(?:(?={_path(path)})())?")
            fixed = path.partition("*")[0].rpartition("/")[0] if "*" in path else path
            if kind == "touches path" and fixed:
                self._fixed.append((fixed, fact))
        self._path = re.compile("".join(tests), re.DOTALL)

    def of_path(self, path: str, *, folder: bool) -> list[str]:
        """The facts true of a canonical path; with ``folder`` also those that lie below it."""
        found = self._path.match(path)
        groups = found.groups() if found else ()
        names = [fact for fact, group in zip(self._paths, groups, strict=True) if group is not None]
        if folder:
            below = path.rstrip("/") + "/"
            names += [fact for fixed, fact in self._fixed if (fixed + "/").startswith(below) and fact not in names]
        return names

    def of_destinations(self, destinations: Iterable[str]) -> list[str]:
        """The facts true of the destinations, which are compared in lower case."""
        texts = [text.lower() for text in destinations]
        names = [fact for fact, glob in self._each if texts and all(map(glob.match, texts))]
        return names + [fact for fact, glob in self._any if any(map(glob.match, texts))]


def split(fact: str) -> tuple[str, str]:
    """The kind of a fact and its globs; raises ``ValueError``."""
    for kind in KINDS:
        if fact.startswith(kind + " "):
            return kind, fact[len(kind) + 1 :]
    raise ValueError("a pattern fact begins with one of: " + ", ".join(KINDS))


def absolute(glob: str, *, home: str, root: str) -> str:
    """An absolute path glob without dot segments; ``~/`` is the home, ``./`` the workspace; raises ``ValueError``."""
    if not glob or len(glob) > MAX_PATTERN or _FORBIDDEN.search(glob):
        raise ValueError("only * and ** are wildcards; ? [ ] { } \\ %XX and control characters cannot stand in a path")
    for sign, base in (("~/", home), ("./", root)):
        if glob.startswith(sign):
            if not base.startswith("/"):
                raise ValueError(f"{sign} needs an absolute home and workspace folder to stand for")
            glob = f"{base.rstrip('/')}/{glob[2:]}"
    if glob == "**" or glob.startswith("**/"):
        glob = "/" + glob
    segments = glob.split("/")
    if segments[0] or any(part in {"", ".", ".."} for part in segments[1:]):
        raise ValueError("a path begins with /, ~/, ./ or **/ and has no empty, . or .. segment, else nothing matches")
    if any("**" in part and part != "**" for part in segments):
        raise ValueError("** is a whole segment, as in **/*.pem")
    return glob


def _path(glob: str) -> str:
    chunks: list[list[str]] = [[]]
    for part in glob.split("/")[1:]:
        if part == "**":
            chunks.append([])
        else:
            chunks[-1].append(part)
    first, *rest = ["".join("/" + _segment(part) for part in chunk) for chunk in chunks]
    if not rest:
        return first + r"\Z"
    middle = "".join(rf"(?>(?:/[^/]+)*?{chunk})" for chunk in rest[:-1] if chunk)
    return first + middle + (rf"(?:/[^/]+)*{rest[-1]}\Z" if rest[-1] else r"(?:/.*)?\Z")


def _segment(glob: str) -> str:
    return "[^/]+" + _SEGMENT_END if glob == "*" else _stars(glob, "[^/]") + _SEGMENT_END


def _flat(glob: str) -> str:
    if not glob or glob != glob.lower() or len(glob) > MAX_PATTERN:
        raise ValueError("a destination is written in lower case, without spaces, else nothing matches")
    return _stars(glob, ".") + r"\Z"


def _stars(glob: str, char: str) -> str:
    """Each star takes the least it can and is never reconsidered; the last one takes what is left."""
    head, *rest = [re.escape(part) for part in re.split(r"\*+", glob)]
    if not rest:
        return head
    end = r"(?=/|\Z)" if char == "[^/]" else r"\Z"
    middle = "".join(f"(?>{char}*?{part})" for part in rest[:-1])
    return head + middle + (f"(?>{char}*)" if not rest[-1] else f"(?>{char}*?{rest[-1]}{end})")
