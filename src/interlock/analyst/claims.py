"""Claims: what an analyser gathers about one text, bounded, before it becomes an ``Analysis``.

Every analyser is one function from a text and the ``Place`` in which it is read to ``Claims``.  It hands code of
another language to ``inline``, which asks ``Place.analysers`` and takes their claims over, so that a Python text inside
a shell line is judged as Python.  What is beyond a bound, or cannot be spelled in an artifact, is opaque: nothing is
dropped silently.

>>> claims = Claims(Place(argument="command", root="/proj"))
>>> claims.file(Effect.READ, "../etc/passwd")
>>> claims.analysis().touched[0].key
'file:/etc/passwd'
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, TypeVar

from interlock.artifact.action import Effect
from interlock.artifact.analysis import MAX_TOUCHED, Analysis, Finding, Opacity, Signal
from interlock.artifact.codec import hidden
from interlock.artifact.errors import ReferenceEvaluationError
from interlock.artifact.resources import Touched, canonical_path

MAX_NOTED = 128
MAX_NAME = 4096
MAX_NESTING = 8
TOO_MANY = "analysis.too_many"
UNSPELLABLE = "analysis.unspellable"
NO_ANALYSER = "analysis.no_analyser"
TOO_NESTED = "analysis.too_nested"

Analyser: TypeAlias = "Callable[[str, Place], Claims]"
K = TypeVar("K")
Kind: TypeAlias = Literal["secret", "personal", "instruction"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a text is read: in which argument and folder, at what nesting, and who reads the other languages."""

    argument: str
    root: str
    home: str = ""
    dialect: str = ""
    scripts: Mapping[str, str] = field(default_factory=dict[str, str])
    analysers: Mapping[str, Analyser] = field(default_factory=dict[str, "Analyser"])
    nesting: int = 0

    def within(self, *, root: str = "", dialect: str = "") -> Place:
        """The place of a text that stands inside this one."""
        return replace(self, root=root or self.root, dialect=dialect, nesting=self.nesting + 1)


class Claims:
    """A bounded, ordered, duplicate-free gathering; never raises on what a text says."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.touched: dict[Touched, None] = {}
        self.opaque_codes: dict[str, None] = {}
        self.signals: dict[str, None] = {}
        self.findings: dict[tuple[Kind, str], None] = {}
        self.programs: dict[str, None] = {}

    def touch(
        self,
        access: Effect,
        kind: str,
        name: str,
        *,
        recursive: bool = False,
        open: bool = False,  # noqa: A002  The field's own name.
    ) -> None:
        """One resource; ``open`` while its name is not known, which is opaque only if the analyser also says so."""
        if not _spellable(name):
            self.opaque(UNSPELLABLE)
            self.touch(access, kind, "*", recursive=recursive, open=True)
            return
        touched = Touched(kind=kind, name=name, access=access, open=open, recursive=recursive)
        self._note(self.touched, touched, MAX_TOUCHED)

    def file(self, access: Effect, path: str, *, recursive: bool = False, root: str = "") -> None:
        """A file by any spelling of its path, resolved against ``root`` or the place's."""
        try:
            name = canonical_path(path, root=root or self.place.root, home=self.place.home)
        except ReferenceEvaluationError:
            self.opaque(UNSPELLABLE)
            self.touch(access, "file", "*", recursive=recursive, open=True)
            return
        self.touch(access, "file", name, recursive=recursive)

    def opaque(self, code: str) -> None:
        """Something that cannot be seen into."""
        if len(self.opaque_codes) < MAX_NOTED:  # One is enough to be raised, so that the rest may go.
            self.opaque_codes[code] = None

    def signal(self, code: str) -> None:
        """A pattern of effects that rules speak of."""
        self._note(self.signals, code, MAX_NOTED)

    def find(self, kind: Kind, code: str) -> None:
        """Data that labels the argument."""
        self._note(self.findings, (kind, code), MAX_NOTED)

    def program(self, name: str) -> None:
        """A program that would run, by its base name."""
        if not _spellable(name):
            self.opaque(UNSPELLABLE)
        else:
            self._note(self.programs, name, MAX_NOTED)

    def merge(self, other: Claims) -> None:
        """Take over all that another analyser claims."""
        for code in other.opaque_codes:
            self.opaque(code)
        for one in other.touched:
            self._note(self.touched, one, MAX_TOUCHED)
        for code in other.signals:
            self.signal(code)
        for kind, code in other.findings:
            self.find(kind, code)
        for name in other.programs:
            self.program(name)

    def inline(self, language: str, text: str, *, root: str = "", dialect: str = "") -> Claims:
        """Read a text of another language that runs as part of this one, and take its claims over."""
        reader = self.place.analysers.get(language)
        found = Claims(self.place)
        if reader is None:
            found.opaque(NO_ANALYSER)
        elif self.place.nesting >= MAX_NESTING:
            found.opaque(TOO_NESTED)
        else:
            found = reader(text, self.place.within(root=root, dialect=dialect))
        self.merge(found)
        return found

    def analysis(self) -> Analysis:
        """The value that crosses to the gate."""
        argument = self.place.argument
        return Analysis(
            touched=tuple(self.touched),
            opaque=tuple(Opacity(code=code, argument=argument) for code in self.opaque_codes),
            signals=tuple(Signal(code=code, argument=argument) for code in self.signals),
            findings=tuple(Finding(kind=kind, code=code, argument=argument) for kind, code in self.findings),
            programs=tuple(self.programs),
        )

    def _note(self, held: dict[K, None], item: K, limit: int) -> None:
        if item in held or len(held) < limit:
            held[item] = None
        else:
            self.opaque(TOO_MANY)


def _spellable(name: str) -> bool:
    """Whether an artifact's text can hold it (``artifact.codec``)."""
    if len(name) > MAX_NAME:
        return False
    if name.isascii() and name.isprintable():
        return True
    surrogate = any("\ud800" <= char <= "\udfff" for char in name)
    return not surrogate and hidden(name) is None and unicodedata.is_normalized("NFC", name)
