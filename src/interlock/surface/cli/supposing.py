"""``plan check`` with supposed facts: how they are written on the command line, and what is decided by them.

--suppose received=private,untrusted     the planner has seen such data (also with KEY=VALUE of a scope)
--suppose principal=ann --suppose role=lead --suppose scope.tenant=t1
--suppose root=/srv --suppose signal=shell.reverse --suppose confirmed=2 --suppose budget=100
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import click
import msgspec

from interlock.artifact import codec
from interlock.artifact.analysis import Code
from interlock.artifact.codec import Identifier, Natural, Value
from interlock.artifact.label import CLEAN, Confidentiality, Integrity, Label
from interlock.decide.evidence import Evidence
from interlock.decide.proof.staging import GOAL, Staged
from interlock.decide.supposing import Supposed
from interlock.harness.analysing import Reader
from interlock.harness.catalogue import PACKAGE_FILE, ActionFile, read
from interlock.harness.core import Core
from interlock.harness.hearing import Judges
from interlock.harness.proposals import Proposals
from interlock.harness.rows import TaskRow

_SCOPE = "scope"
_SEVERAL = frozenset({"role", "root", "signal"})
KEYS = "received, principal, role, scope.NAME, root, signal, confirmed or budget"
_CLASSES, _SIDES = {one.value for one in Confidentiality}, {one.value for one in Integrity}


class Supposing(Proposals):
    """Judges by supposed facts; with ``unproved``, also by a policy that has no certificate.  It must store nothing."""

    def __init__(
        self, core: Core, supposed: Supposed, *, unattended: bool, reader: Reader | None, judge: Judges | None,
        unproved: bool,
    ) -> None:  # fmt: skip
        super().__init__(core, unattended=unattended, reader=reader, judge=judge)
        self._now = core
        self._supposed = supposed
        self._unproved = unproved

    def evidence(self, row: TaskRow) -> Evidence:
        """What would be known."""
        found = self.facts(row, self._now.policy) if self._unproved else super().evidence(row)
        return self._supposed.applied(found)


class _Facts(Value, frozen=True, kw_only=True):
    """What the values must be; an empty role says that there is none."""

    received: str = ""
    principal: Identifier | Literal[""] = ""
    role: tuple[Identifier, ...] | None = None
    scope: Mapping[Identifier, str] = {}
    root: tuple[str, ...] = ()
    signal: tuple[Code, ...] = ()
    confirmed: Natural = 0
    budget: Natural = 0


def supposed(texts: Sequence[str], packages: Sequence[Path]) -> Supposed:
    """The facts of the command line; raises a usage error for one that is not understood."""
    given: dict[str, Any] = {"scope": {}}
    for text in texts:
        key, equals, value = text.partition("=")
        kind, dot, name = key.partition(".")
        if not equals or key == _SCOPE:
            raise click.UsageError(f"--suppose {text}: write KEY=VALUE, with {KEYS}")
        if kind == _SCOPE and dot:
            given["scope"][name] = value
        elif key in _SEVERAL:
            given.setdefault(key, []).extend([value] if value else [])
        else:
            given[key] = value
    try:
        facts = msgspec.convert(given, _Facts, strict=False)
    except msgspec.ValidationError as error:
        raise click.UsageError(f"--suppose: {error}; the keys are {KEYS}") from None
    return Supposed(
        principal=facts.principal, roles=facts.role, scope=facts.scope, signals=facts.signal, confirmed=facts.confirmed,
        budget=facts.budget, received=_label(facts.received),
        roots=tuple(str(Path(root).expanduser().resolve()) for root in facts.root),
        manifests=tuple(one for folder in packages for one in read(str(folder), (folder / PACKAGE_FILE).read_bytes())),
    )  # fmt: skip


def written(staged: Staged, folder: Path) -> list[str]:
    """Write plan and package into a folder; the command that checks the plan."""
    folder.mkdir(parents=True, exist_ok=True)
    manifests = ActionFile(actions=staged.supposed.manifests)
    step = {name: getattr(staged.step, name) for name in ("id", "action", "arguments")}
    for name, content in ((PACKAGE_FILE, manifests), ("plan.json", {"steps": [step]})):
        (folder / name).write_bytes(msgspec.json.format(codec.encode(content), indent=2) + b"\n")
    flags = ["--unattended"] if staged.unattended else []
    facts = [word for fact in _words(staged.supposed) for word in ("--suppose", fact)]
    plan, package = str(folder / "plan.json"), ["--package", str(folder)]
    return ["interlock", "plan", "check", plan, "--goal", GOAL, *package, "--unproved", *flags, *facts]


def command(words: Sequence[str]) -> str:
    """The command as a person types it."""
    return shlex.join(words)


def _words(found: Supposed) -> Iterator[str]:
    """The facts as they are written, without those that change nothing."""
    yield from [f"principal={found.principal}"] if found.principal else []
    yield from [f"role={role}" for role in found.roles or ("",)] if found.roles is not None else []
    yield from (f"{_SCOPE}.{key}={value}" for key, value in sorted(found.scope.items()))
    yield from (f"root={root}" for root in found.roots)
    if found.received != CLEAN:
        sides = [found.received.confidentiality.value, found.received.integrity.value, *found.received.scopes]
        yield f"received={','.join(sides)}"
    yield from (f"signal={code}" for code in found.signals)
    yield from (
        f"{name}={number}" for name, number in (("confirmed", found.confirmed), ("budget", found.budget)) if number
    )


def _label(text: str) -> Label:
    words = [word.strip() for word in text.split(",") if word.strip()]
    scopes = tuple(word for word in words if "=" in word)
    strange = [word for word in words if "=" not in word and word not in _CLASSES | _SIDES]
    if strange:
        known = ", ".join([*(one.value for one in Confidentiality), *(one.value for one in Integrity)])
        raise click.UsageError(f"--suppose received={text}: {strange[0]} is none of {known}, nor a KEY=VALUE")
    classes = [Confidentiality(word) for word in words if word in _CLASSES]
    return Label(
        confidentiality=max(classes, key=lambda one: one.rank, default=Confidentiality.PUBLIC),
        integrity=Integrity.UNTRUSTED if "untrusted" in words else Integrity.TRUSTED,
        scopes=scopes,
    )
