"""Pattern facts: globs that Cedar's ``like`` cannot express are matched here, exactly, and handed in as facts.

A fact is a string that a policy asks for, ``context.matched.contains("path ~/web/**")``:

- ``path GLOB``: the resource is a file and its path matches.  ``*`` stays within a segment, ``**`` is a whole
  segment and spans any number of them; a closing ``/**`` is the folder and all below it.  Case counts.
- ``touches path GLOB``: the same, or the resource is a folder that is written or deleted as a whole and the
  glob's fixed part lies in it.  Denials ask this, permissions the former.
- ``destinations GLOB GLOB…``: there are destinations, each matches one of the globs; ``*`` is any text.
- ``touches destinations GLOB GLOB…``: at least one destination matches one of the globs.
- ``signals GLOB GLOB…``: the analyst saw a pattern of effects that matches one of the globs.

No wildcard is reconsidered once it is decided, so that no glob can make matching explode.

>>> facts = Facts({"path ~/web/**", "touches path **/*.pem"}, home="/home/u", root="/home/u/web")
>>> sorted(facts.of_path("/home/u/web/a/tls.pem", folder=False))
['path ~/web/**', 'touches path **/*.pem']
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from interlock.decide.policy.schema import MAX_PATTERN

_SLASH = re.compile("/")
_KIND = re.compile(r"((?:touches )?(?:path|destinations)|signals) (.+)\Z", re.DOTALL)
_NO_WILDCARD = re.compile(r"[?\[\]{}\\\x00-\x1f\x7f]|%[0-9A-Fa-f]{2}")
_SIGNAL = re.compile(r"[a-z0-9_]*\*?\.[a-z0-9_]*\*?\Z|\*\Z")
_TO_LAST = "(?>.*(?=/))"
_SEGMENT_END = r"(?=/|\Z)"


class _Tests:
    """Facts that are tested at one place of a path, all by one pattern."""

    def __init__(self, tests: Mapping[str, str]) -> None:
        self.facts = tuple(tests)
        self._pattern = re.compile("".join(f"(?:(?={test})())?" for test in tests.values()), re.DOTALL)

    def hits(self, path: str, place: int) -> list[str]:
        """Those that hold from there on."""
        match = self._pattern.match(path, place)
        if match is None or match.lastindex is None:
            return []
        return [fact for fact, hit in zip(self.facts, match.groups(), strict=True) if hit is not None]


class Facts:
    """The pattern facts that a policy set asks for, compiled; raises ``ValueError`` with what is wrong and why."""

    def __init__(self, facts: Iterable[str], *, home: str, root: str) -> None:
        self._destinations: list[tuple[str, re.Pattern[str]]] = []
        self._signals: list[tuple[str, re.Pattern[str]]] = []
        below: dict[str, dict[str, str]] = {}  # By fixed folder, then fact: what is tested from the folder's end on,
        last: dict[str, dict[str, str]] = {}  # or from the last slash on, where a glob asks for nothing between.
        for fact in sorted(facts):
            found = _KIND.match(fact)
            if not found:
                raise ValueError(
                    "a pattern fact is: signals GLOB…, path GLOB, destinations GLOB…, or the latter after 'touches '"
                )
            if found[1] == "signals":
                globs = "|".join(map(_signal, found[2].split(" ")))
                self._signals.append((fact, re.compile(globs)))
            elif found[1].endswith("path"):
                fixed, wild = absolute(found[2], home=home, root=root)
                tests = last if wild.startswith(_TO_LAST) else below
                tests.setdefault(fixed, {})[fact] = wild.removeprefix(_TO_LAST)
            else:
                globs = "|".join(map(_destination, found[2].split(" ")))
                self._destinations.append((fact, re.compile(globs, re.DOTALL)))
        self._below = {fixed: _Tests(tests) for fixed, tests in below.items()}
        self._last = {fixed: _Tests(tests) for fixed, tests in last.items()}
        self._around: dict[str, set[str]] = {}  # By folder, what is true of all that lies below it and of it.
        for fixed, names in (*below.items(), *last.items()):
            for folder in _folders(fixed):
                self._around.setdefault(folder, set()).update(one for one in names if one.startswith("touches "))

    def of_path(self, path: str, *, folder: bool) -> set[str]:
        """The facts true of a canonical path; with ``folder`` also of what lies below it."""
        names: set[str] = set()
        slashes = [slash.start() for slash in _SLASH.finditer(path)]
        for end in (*slashes, len(path)):
            fixed = path[:end]
            if fixed in self._below:
                names.update(self._below[fixed].hits(path, end))
            if fixed in self._last and end <= slashes[-1]:
                names.update(self._last[fixed].hits(path, slashes[-1]))
        if folder:
            names.update(self._around.get(path.rstrip("/"), ()))
        return names

    def of_signals(self, signals: Iterable[str]) -> set[str]:
        """The facts true of what the analyst saw."""
        return {fact for signal in signals for fact, globs in self._signals if globs.match(signal)}

    def of_destinations(self, destinations: Iterable[str]) -> set[str]:
        """The facts true of the destinations, which are compared in lower case."""
        texts = [text.lower() for text in destinations]
        hits = {fact: [bool(globs.match(text)) for text in texts] for fact, globs in self._destinations}
        return {fact for fact, hit in hits.items() if any(hit) and (all(hit) or fact.startswith("touches "))}


def _folders(fixed: str) -> list[str]:
    """A fixed folder and those around it; where nothing is fixed, none."""
    return [fixed[: slash.start()] for slash in _SLASH.finditer(fixed)] + [fixed] if fixed else []


def absolute(glob: str, *, home: str, root: str) -> tuple[str, str]:
    """The fixed folder of a path glob, and a regular expression for the rest; raises ``ValueError``.

    ``~/`` stands for the home, ``./`` for the workspace.
    """
    for sign, base in (("~/", home), ("./", root)):
        if glob.startswith(sign):
            glob = f"{base.rstrip('/')}/{glob[2:]}"
    empty, *segments = (f"/{glob}" if glob.split("/")[0] == "**" else glob).split("/")
    if _NO_WILDCARD.search(glob) or len(glob) > MAX_PATTERN:
        raise ValueError("a path glob is short; its wildcards are * and **; ? [ ] { } \\ %XX cannot stand in it")
    if empty or not segments or any(part in {"", ".", ".."} for part in segments):
        raise ValueError("a path begins with /, ~/, ./ or **/ and has no empty, . or .. segment, else nothing matches")
    if any("**" in part and part != "**" for part in segments):
        raise ValueError("** is a whole segment, as in **/*.pem")
    wild = next((number for number, part in enumerate(segments) if "*" in part), len(segments))
    return "".join(f"/{part}" for part in segments[:wild]), _rest(segments[wild:])


def _rest(segments: list[str]) -> str:
    chunks: list[list[str]] = [[]]
    for part in segments:
        if part == "**":
            chunks.append([])
        else:
            chunks[-1].append(part)
    first, *rest = ["".join(f"/{_segment(part)}" for part in chunk) for chunk in chunks]
    if not rest:
        return first + r"\Z"
    middle = "".join(rf"(?>(?:/[^/]+)*?{chunk})" for chunk in rest[:-1] if chunk)
    if len(chunks[-1]) == 1:
        return rf"{first}{middle}{_TO_LAST}{rest[-1]}\Z"  # The last segment is where the last slash is.
    return first + middle + (rf"(?:/[^/]+)*{rest[-1]}\Z" if rest[-1] else r"(?:/.*)?\Z")


def _segment(glob: str) -> str:
    return f"[^/]+{_SEGMENT_END}" if glob == "*" else _stars(glob, "[^/]", _SEGMENT_END)


def _signal(glob: str) -> str:
    if not _SIGNAL.match(glob):
        raise ValueError("a signal is family.name, in lower case; either may be or end with *")
    return _stars(glob, ".", r"\Z")


def _destination(glob: str) -> str:
    if not glob or glob != glob.lower() or len(glob) > MAX_PATTERN:
        raise ValueError("a destination is written in lower case, without spaces, else nothing matches")
    return _stars(glob, ".", r"\Z")


def _stars(glob: str, char: str, end: str) -> str:
    """Each star takes the least that lets its successor match and is never reconsidered; the last reaches the end."""
    head, *rest = [re.escape(part) for part in re.split(r"\*+", glob)]
    if not rest:
        return head + end
    middle = "".join(f"(?>{char}*?{part})" for part in rest[:-1])
    return f"{head}{middle}(?>{char}*?{rest[-1]}{end})"
