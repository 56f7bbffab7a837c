"""Command models: what a program does with its options and operands, read strictly from ``analyst/commands/*.json``.

One file is a family.  A model says of each option that takes a value, and of each operand, which *role* its word plays
(``ROLES`` and ``ACCESS:KIND``), and which effects and signals the command has by itself or under a condition.  Unknown
keys, unknown roles, names that stand twice and models without a source are errors when the data is loaded.
"""

from __future__ import annotations

import functools
import importlib.resources
import re
from typing import Annotated

import msgspec

from interlock.analyst.shell.signals import vocabulary
from interlock.artifact.action import Effect
from interlock.artifact.codec import Value

# fmt: off
ROLES = frozenset((
    "skip", "read", "list", "write", "append", "change", "delete", "execute", "folder", "link", "url", "fetch",
    "upload", "body", "send", "host", "command", "shell", "shells", "escape", "assignments", "git-config", "volume",
    "remote", "inside", "image-command", "module", "pattern", "key",
))
KINDS = frozenset((
    "file", "endpoint", "program", "package", "service", "process", "user", "privilege", "persistence", "kernel",
    "container", "cluster", "cloud", "database", "environment", "device", "network", "repository", "clipboard",
    "registry", "secret",
))
# fmt: on
STYLES = frozenset(("gnu", "single", "plain", "bundle"))
INPUTS = frozenset(("", "pass", "ignore", "send", "apply"))
RUNNING = frozenset(
    ("find", "fd", "xargs", "parallel", "shell", "interpreter", "sudo", "env", "busybox", "tar", "su", "ssh", "awk")
)
_ROLE = re.compile(r"(?:(?P<name>[a-z-]+)|code:[a-z]+|host:\d{1,5}|(?P<access>[a-z-]+):(?P<kind>[a-z]+))[*!+]{0,2}\Z")
_CODE = re.compile(r"[a-z_]+\.[a-z_]+\Z")
_ACCESSES = frozenset(one.value for one in Effect)
Options = Annotated[str, msgspec.Meta(pattern=r"^[-+/A-Za-z0-9_.:?=@#]+( [-+/A-Za-z0-9_.:?=@#]+)*\Z")]


class Rule(Value, frozen=True, kw_only=True):
    """What holds if one of ``any`` is given, none of ``absent`` is, and the first operand is one of ``operand``."""

    any: Options = ""
    absent: Options = ""
    operand: tuple[str, ...] = ()
    operands: tuple[str, ...] | None = None
    effects: tuple[str, ...] = ()
    signals: tuple[str, ...] = ()
    opaque: tuple[str, ...] = ()
    recursive: bool = False
    input: str = ""
    output: str = ""


class Model(Value, frozen=True, kw_only=True):
    """One command, or one subcommand of it."""

    names: tuple[str, ...] = ()
    source: str = ""
    values: dict[Options, str] = msgspec.field(default_factory=dict[str, str])
    optional: Options = ""
    operands: tuple[str, ...] = ("skip*",)
    effects: tuple[str, ...] = ()
    signals: tuple[str, ...] = ()
    opaque: tuple[str, ...] = ()
    when: tuple[Rule, ...] = ()
    sub: dict[str, Model] = msgspec.field(default_factory=dict[str, "Model"])
    verbs: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    kind: str = ""
    style: str = "gnu"
    stop: bool = False
    recursive: bool = False
    input: str = ""
    output: str = "pass"
    handler: str = ""
    unknown: str = "opaque"

    @property
    def runs(self) -> bool:
        """Whether an argument of it may be code."""
        roles = (*self.values.values(), *self.operands)
        return self.handler in RUNNING or any(
            role.startswith(("command", "shell", "code:", "execute")) for role in roles
        )


class Family(Value, frozen=True, kw_only=True):
    """One file of models."""

    family: str
    source: str = ""
    commands: tuple[Model, ...]


class ModelError(ValueError):
    """A file of models that does not say what it must."""


def read(raw: bytes, origin: str) -> Family:
    """One family; raises ``ModelError``."""
    try:
        family = msgspec.json.decode(raw, type=Family)
    except msgspec.MsgspecError as error:
        raise ModelError(f"{origin}: {error}") from None
    for model in family.commands:
        if not model.names:
            raise ModelError(f"{origin}: a command without a name")
        if not (model.source or family.source):
            raise ModelError(f"{origin}: {model.names[0]} names no source")
        _check(model, f"{origin}: {model.names[0]}")
    return family


def gather(families: list[tuple[str, Family]]) -> dict[str, Model]:
    """All models by name; raises ``ModelError`` for a name that stands twice."""
    found: dict[str, Model] = {}
    for origin, family in families:
        for model in family.commands:
            for name in model.names:
                if name in found:
                    raise ModelError(f"{origin}: {name} stands twice")
                found[name] = model
    return found


@functools.cache
def models() -> dict[str, Model]:
    """Every model of the release."""
    folder = importlib.resources.files("interlock.analyst") / "commands"
    names = sorted(one.name for one in folder.iterdir() if one.name.endswith(".json"))
    return gather([(name, read((folder / name).read_bytes(), name)) for name in names])


def _check(model: Model, origin: str) -> None:
    for role in (
        *model.values.values(),
        *model.operands,
        *(role for rule in model.when for role in rule.operands or ()),
    ):
        _check_role(role, origin)
    _check_claims(model, origin)
    for rule in model.when:
        _check_claims(rule, origin)
    if model.style not in STYLES or (model.input not in INPUTS and not model.input.startswith("code:")):
        raise ModelError(f"{origin}: style {model.style!r} or input {model.input!r}")
    if not set(model.verbs) <= _ACCESSES or (model.verbs and model.kind not in KINDS):
        raise ModelError(f"{origin}: verbs need accesses and a kind")
    for name, sub in model.sub.items():
        _check(sub, f"{origin} {name}")


def _check_claims(one: Model | Rule, origin: str) -> None:
    for effect in one.effects:
        access, kind, *name = effect.split(" ", 2)
        named = kind != "endpoint" or name == ["*"] or ":" in name[0]
        if access not in _ACCESSES or kind not in KINDS or len(name) != 1 or not named:
            raise ModelError(f"{origin}: no effect: {effect!r}")
    for code in one.signals:
        if code not in vocabulary():
            raise ModelError(f"{origin}: a signal that no line of signals.json explains: {code!r}")
    for code in one.opaque:
        if not _CODE.match(code):
            raise ModelError(f"{origin}: no code: {code!r}")


def _check_role(role: str, origin: str) -> None:
    match = _ROLE.match(role)
    if match is None:
        raise ModelError(f"{origin}: no role: {role!r}")
    name, access, kind = match.group("name", "access", "kind")
    if (name is not None and name not in ROLES) or (access is not None and not (access in _ACCESSES and kind in KINDS)):
        raise ModelError(f"{origin}: no role: {role!r}")
