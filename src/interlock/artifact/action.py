"""Action: the manifest of one thing that can be done, static data that nobody executes to read.

A manifest is the trusted base of every decision (evaluation: "manifests are the trusted base"): effect,
reversibility, what it touches, where it sends, which secrets it needs.  It is pinned by its digest; the
smallest change is another action.  An action without a manifest is irreversible, external and privileged,
that is: denied.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from interlock.artifact.codec import Identifier, Json, Natural, Text, Value
from interlock.artifact.label import CLEAN, Confidentiality, Label

Language: TypeAlias = Literal[
    "shell", "argv", "sql", "python", "powershell", "cmd", "url", "path", "email", "text", "json"
]
Names: TypeAlias = Annotated[tuple[Identifier, ...], msgspec.Meta(max_length=64)]


class Effect(enum.StrEnum):
    """What an action does to the world."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    EXECUTE = "execute"
    SEND = "send"
    SPEND = "spend"
    GRANT_ACCESS = "grant-access"


class Reversibility(enum.StrEnum):
    """How an effect can be taken back: not needed, by snapshot, by a named inverse action, not at all."""

    PURE = "pure"
    REVERSIBLE = "reversible"
    COMPENSABLE = "compensable"
    IRREVERSIBLE = "irreversible"


class Role(enum.StrEnum):
    """What an argument decides; all but ``CONTENT`` carry authority (I5)."""

    CONTENT = "content"
    PATH = "path"
    HOST = "host"
    URL = "url"
    RECIPIENT = "recipient"
    COMMAND = "command"
    TARGET = "target"
    AMOUNT = "amount"


class Argument(Value, frozen=True, kw_only=True):
    """The schema of one argument; ``max_length`` counts characters of a string or items of a list.

    A ``scalar`` is a string, an integer or a boolean.
    ``language`` is what the analyst reads it in, where its role does not say so; ``dialect`` names one of SQL's.
    """

    type: Literal["string", "integer", "boolean", "scalar", "list", "object"]
    role: Role = Role.CONTENT
    description: Text = ""
    required: bool = True
    max_length: Annotated[int, msgspec.Meta(ge=0, le=1 << 18)] = 4096
    minimum: int | None = None
    maximum: int | None = None
    choices: Annotated[tuple[Text, ...], msgspec.Meta(max_length=256)] = ()
    pattern: Annotated[str, msgspec.Meta(max_length=256)] = ""
    items: Literal["string", "integer"] = "string"
    language: Language | UnsetType = UNSET
    dialect: Annotated[str, msgspec.Meta(max_length=32)] | UnsetType = UNSET


class Resource(Value, frozen=True, kw_only=True):
    """What the action touches: ``name`` is a template over argument names, such as ``rds:{region}/{instance}``.

    For ``kind`` ``file`` the template names one path argument, which is resolved to a canonical path;
    ``recursive`` says that everything below a folder of that name is touched as well.
    """

    kind: Identifier
    name: Text
    access: Effect
    recursive: bool = False


class Invocation(Value, frozen=True, kw_only=True):
    """Another action with arguments taken from this one: ``{"$argument": "x"}``, ``{"$output": "a.b"}``, literals."""

    action: Identifier
    arguments: Mapping[str, Json] = {}


class Transformation(Value, frozen=True, kw_only=True):
    """A safer form of a step, which a rule may ask for by name.

    With ``use``, another action takes the step's place; ``arguments`` are that action's, expressions in which
    ``{"$argument": "x"}`` stands for the step's own.  Without it the action stays: the arguments in ``drop`` are taken
    away, those in ``fix`` become literals.
    """

    use: Identifier | None = None
    arguments: Mapping[Identifier, Json] = {}
    drop: Names = ()
    fix: Mapping[Identifier, Json] = {}


class Endpoint(Value, frozen=True, kw_only=True):
    """A network end point.

    ``inject`` maps a header to the secret that the proxy adds as its value, which the step never sees.
    ``plain``: the proxy speaks HTTP to it; ``tls``: the proxy originates TLS; ``opaque``: the step speaks TLS
    itself, and the end point counts as an uncontrolled external sink.
    """

    host: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\Z")]
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)]
    mode: Literal["plain", "tls", "opaque"] = "tls"
    methods: Names = ()
    paths: Annotated[tuple[Text, ...], msgspec.Meta(max_length=64)] = ()
    inject: Mapping[Identifier, Identifier] = {}


class Driver(Value, frozen=True, kw_only=True):
    """How a step carries it out; drivers are not actions and are never named by a planner.

    ``model`` and ``flow`` are the harness's own and start no process; packages may not name them.
    """

    name: Literal["files", "shell", "http", "python", "model", "flow"]
    operation: Identifier
    package: str = ""
    programs: Annotated[tuple[Text, ...], msgspec.Meta(max_length=64)] = ()
    argv: Annotated[tuple[Text, ...], msgspec.Meta(max_length=64)] = ()
    shell: bool = False
    executable_writes: bool = False
    endpoints: Annotated[tuple[Endpoint, ...], msgspec.Meta(max_length=32)] = ()


class Output(Value, frozen=True, kw_only=True):
    """What comes back: its label as a source, and its bound in bytes."""

    label: Label = CLEAN
    max_bytes: Annotated[int, msgspec.Meta(ge=0, le=1 << 20)] = 1 << 16


class Manifest(Value, frozen=True, kw_only=True):
    """One action@version; the sentence is what a person reads, a template over argument names."""

    name: Identifier
    version: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1
    group: Identifier
    sentence: Text
    effect: Effect
    reversibility: Reversibility
    privileged: bool = False
    idempotent: bool = False
    external: bool = False
    broad: bool = False
    arguments: Mapping[Identifier, Argument] = {}
    resources: Annotated[tuple[Resource, ...], msgspec.Meta(max_length=32)] = ()
    destinations: Names = ()
    scope: Mapping[Identifier, Identifier] = {}
    secrets: Names = ()
    output: Output = Output()
    accepts: Confidentiality = Confidentiality.INTERNAL
    inverse: Invocation | None = None
    preview: Invocation | None = None
    transformations: Annotated[Mapping[Identifier, Transformation], msgspec.Meta(max_length=16)] | UnsetType = UNSET
    cost: Natural = 0
    rate: Identifier = "default"
    timeout_ms: Annotated[int, msgspec.Meta(ge=1, le=3_600_000)] = 30_000
    driver: Driver

    @property
    def reference(self) -> str:
        """``name@version``, as plans name it."""
        return f"{self.name}@{self.version}"

    @property
    def forms(self) -> Mapping[str, Transformation]:
        """Its transformations by name; an absent field keeps the digests of manifests that declare none."""
        return self.transformations or {}

    @property
    def needed_secrets(self) -> tuple[str, ...]:
        """Its own secrets, and those that the proxy adds for it, sorted."""
        injected = {name for endpoint in self.driver.endpoints for name in endpoint.inject.values()}
        return tuple(sorted({*self.secrets, *injected}))
