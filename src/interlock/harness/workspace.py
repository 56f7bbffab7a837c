"""A workspace: the folder that an operator configures, and where its state lies.

``interlock.toml`` and ``policy/`` are the operator's; the state (keys, ledger, plans, snapshots) lies elsewhere,
under the user's state folder or ``INTERLOCK_STATE``, out of reach of every step.  A key that is not known, a
value of another type, or a file that does not parse is an error that names the file: nothing is switched off by
a misspelling.
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import msgspec
import platformdirs
from msgspec import UNSET, UnsetType

from interlock.artifact import codec
from interlock.artifact.codec import Identifier, Natural
from interlock.artifact.errors import ConfigurationError
from interlock.artifact.label import Confidentiality, Integrity, Label
from interlock.artifact.opinion import Judging
from interlock.artifact.resources import canonical_path, inside
from interlock.artifact.task import Budget
from interlock.decide.evidence import Limits, PathLabel, Site
from interlock.decide.judgement import DRIFT
from interlock.harness.inquiring import IDENTITY

FILE_NAME = "interlock.toml"


Place: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?:[1-9][0-9]{0,4}\Z")]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the sections of ``interlock.toml``; keys are written as they are named here."""


class Principal(Section, frozen=True, kw_only=True):
    """Who asks."""

    name: Identifier = "owner"
    roles: tuple[Identifier, ...] = ()


class Approvals(Section, frozen=True, kw_only=True):
    """How persons decide; ``lifetime_minutes`` bounds plan and approval."""

    separate_duties: bool = False
    lifetime_minutes: Natural = 60


class Actions(Section, frozen=True, kw_only=True):
    """Which groups a task may load, and folders of action packages relative to the workspace."""

    groups: tuple[Identifier, ...] = ("files",)
    packages: tuple[str, ...] = ()


class Labelled(Section, frozen=True, kw_only=True):
    """The label of files that a glob matches."""

    path: str
    confidentiality: Confidentiality = Confidentiality.PUBLIC
    integrity: Integrity = Integrity.TRUSTED
    scopes: tuple[str, ...] = ()


class Model(Section, frozen=True, kw_only=True):
    """The planner's model; ``key_secret`` names a secret of the vault."""

    dialect: Literal["openai", "anthropic"] = "openai"
    base_url: str = ""
    name: str = ""
    key_secret: str = ""
    timeout_ms: Natural = 60_000
    attempts: Natural = 3
    allow_private: bool = False
    accepts: Confidentiality = Confidentiality.PRIVATE


class JudgeModel(Model, frozen=True, kw_only=True):
    """The judge's model: another than the planner's, with a key of its own.

    ``accepts`` is the most confidential label of what it may be told; ``contrary`` is what its word of that name does;
    with ``reads`` it is asked about plans that only read inside the workspace too.  A day is one of UTC.
    """

    timeout_ms: Natural = 20_000
    attempts: Natural = 2
    accepts: Confidentiality = Confidentiality.INTERNAL
    tokens_per_day: Natural = 500_000
    contrary: Literal["ask", "deny"] = "ask"
    reads: bool = False

    def __post_init__(self) -> None:
        if not self.base_url or not self.name:
            raise ValueError("a judge needs base_url and name")

    @property
    def identity(self) -> str:
        """The digest of whom is asked, and with which instructions."""
        return codec.digest([self.dialect, self.base_url, self.name, IDENTITY])


class Extract(Model, frozen=True, kw_only=True):
    """The quarantined model of ``model.extract``; without ``base_url`` it is the planner's, or another ``name`` there.

    It always has a process of its own.  Restricted data needs a declassification first, whatever is written here.
    """


class Egress(Section, frozen=True, kw_only=True):
    """Private ``host:port`` addresses that granted steps may reach all the same; a file of private CAs (PEM).

    ``registries`` are where package managers find packages, by the kind that the analyst claims (``python``, ``npm``).
    """

    exceptions: tuple[str, ...] = ()
    registries: Mapping[Identifier, Annotated[tuple[Place, ...], msgspec.Meta(max_length=16)]] = {}
    ca_bundle: str = ""


class Alerts(Section, frozen=True, kw_only=True):
    """Where incidents go besides the log: a webhook, a command; from ``after`` open incidents on."""

    webhook: str = ""
    command: tuple[str, ...] = ()
    allow_private: bool = False
    after: Natural = 1


class Proof(Section, frozen=True, kw_only=True):
    """``required``: only a policy with a certificate (``interlock policy prove``) decides; what ``init`` writes."""

    proof: Literal["required", "off"] = "off"


class Configuration(Section, frozen=True, kw_only=True):
    """``interlock.toml``."""

    id: Identifier
    environment: str = ""
    roots: tuple[str, ...] = (".",)
    protected: tuple[str, ...] = ()
    unattended: bool = False
    principal: Principal = Principal()
    scope: Mapping[str, tuple[str, ...]] = {}
    approvals: Approvals = Approvals()
    actions: Actions = Actions()
    labels: tuple[Labelled, ...] = ()
    model: Model = Model()
    judge: JudgeModel | None = None
    extract: Extract = Extract()
    egress: Egress = Egress()
    alerts: Alerts = Alerts()
    policy: Proof = Proof()
    budget: Mapping[str, Natural] = {}
    limits: Mapping[str, Natural] = {}

    @property
    def quarantined(self) -> Model:
        """The model of ``model.extract``; one that shares the planner's provider accepts no more than that one."""
        accepts = [self.extract.accepts, Confidentiality.PRIVATE]
        if self.extract.base_url:
            return msgspec.structs.replace(self.extract, accepts=min(accepts, key=_rank))
        name, least = self.extract.name or self.model.name, min([*accepts, self.model.accepts], key=_rank)
        return msgspec.structs.replace(self.model, name=name, accepts=least)


class Workspace(msgspec.Struct, frozen=True, kw_only=True):
    """A loaded workspace: its folder, its state folder, its configuration."""

    folder: Path
    state: Path
    configuration: Configuration

    @property
    def site(self) -> Site:
        """The standing facts that the gate decides on."""
        config, root, home = self.configuration, str(self.folder), str(Path.home())
        limits = msgspec.convert({**config.limits, "modelAccepts": config.model.accepts}, Limits)
        return Site(
            id=config.id,
            root=root,
            home=home,
            roots=tuple(canonical_path(path, root=root, home=home) for path in config.roots),
            own=tuple(dict.fromkeys(str(path) for path in self._own())),
            protected=config.protected,
            scope=config.scope,
            labels=tuple(PathLabel(path=rule.path, label=_label(rule)) for rule in config.labels),
            registries=config.egress.registries,
            environment=config.environment,
            limits=limits,
            judge=_judging(config.judge, limits),
        )

    def _own(self) -> Iterator[Path]:
        """What a step must never change: who decides, what is decided by, and the code that carries it out."""
        config = self.configuration
        yield from (self.folder / FILE_NAME, self.folder / "policy", self.state.parent, approver_folder())
        yield from ((self.folder / package).resolve() for package in config.actions.packages)
        if config.egress.ca_bundle:
            yield (self.folder / config.egress.ca_bundle).resolve()
        yield Path(__file__).resolve().parents[1]
        if sys.prefix != sys.base_prefix:
            yield Path(sys.prefix).resolve()

    @property
    def budget(self) -> Budget:
        """What a task gets where nobody asks for less."""
        return msgspec.convert(dict(self.configuration.budget), Budget)

    @property
    def ca_bundle(self) -> bytes:
        """The operator's private certificate authorities, or nothing."""
        name = self.configuration.egress.ca_bundle
        return (self.folder / name).read_bytes() if name else b""

    def policy_texts(self) -> tuple[dict[str, str], dict[str, str]]:
        """Cedar texts and rule files of ``policy/``, by file name; an absent folder means no policy, that is: deny."""
        return policy_files(self.folder / "policy")

    def trial_texts(self) -> tuple[dict[str, str], dict[str, str]]:
        """The same of ``policy/observe/``: rules on trial, which are recorded and decide nothing."""
        cedar, rules = policy_files(self.folder / "policy" / "observe")
        return {f"observe/{name}": cedar[name] for name in cedar}, {f"observe/{name}": rules[name] for name in rules}

    def invariant_texts(self) -> dict[str, str]:
        """The operator's invariants, by file name."""
        folder = self.folder / "policy" / "invariants"
        return {path.name: path.read_text("utf-8") for path in sorted(folder.glob("*.yaml"))}


def _judging(judge: JudgeModel | None, limits: Limits) -> Judging | UnsetType:
    if judge is None:
        return UNSET
    return Judging(
        identity=judge.identity, accepts=judge.accepts, contrary=judge.contrary, reads=judge.reads,
        drift=DRIFT if limits.drift is UNSET else limits.drift,
    )  # fmt: skip


def policy_files(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Cedar texts and rule files of one folder, by file name."""
    cedar = {path.name: path.read_text("utf-8") for path in sorted(folder.glob("*.cedar"))}
    rules = {path.name: path.read_text("utf-8") for path in sorted(folder.glob("*.yaml"))}
    return cedar, rules


def find(start: Path) -> Workspace:
    """The workspace of ``start`` or of the nearest folder above it; raises ``ConfigurationError``."""
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / FILE_NAME).is_file():
            return load(folder)
    raise ConfigurationError("workspace.none", f"no {FILE_NAME} here or above", hint="run: interlock init")


def load(folder: Path) -> Workspace:
    """The workspace in ``folder``; raises ``ConfigurationError`` for anything that is not exactly as it should be."""
    path = folder / FILE_NAME
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
        configuration = msgspec.convert(raw, Configuration, strict=True)
        workspace = Workspace(
            folder=folder.resolve(), state=state_folder(configuration.id), configuration=configuration
        )
        assert workspace.site and workspace.budget  # noqa: S101, PT018 - both are checked by being made
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise ConfigurationError("workspace.file", f"{path.name}: {error}", hint="correct the file") from None
    _keep_apart(workspace)
    _one_provider(configuration)
    return workspace


def _one_provider(configuration: Configuration) -> None:
    """Raise where ``[extract]`` says how to reach a provider that it does not name."""
    found = configuration.extract
    if not found.base_url and found != Extract(name=found.name, accepts=found.accepts):
        text = "[extract] has no base_url, so that it may say nothing but name and accepts"
        raise ConfigurationError("workspace.extract", text, hint="add base_url, or leave the rest to [model]")


def _keep_apart(workspace: Workspace) -> None:
    """Raise where a root holds the keys: a step that reads a folder reads all below it."""
    roots = [os.path.realpath(root) for root in workspace.site.roots]
    for folder in (workspace.state.parent, approver_folder()):
        if any(inside(str(folder), root) for root in roots):
            raise ConfigurationError(
                "workspace.state_inside",
                f"{folder} lies below a root of the workspace",
                hint="narrow roots, or set INTERLOCK_STATE and INTERLOCK_APPROVER to folders elsewhere",
            )


def state_folder(workspace_id: str) -> Path:
    """Where the workspace's keys, ledger and plans lie."""
    base = os.environ.get("INTERLOCK_STATE")
    return (Path(base) if base else platformdirs.user_state_path("interlock")).resolve() / workspace_id


def approver_folder() -> Path:
    """Where a person's own signing key lies, apart from the harness's."""
    base = os.environ.get("INTERLOCK_APPROVER")
    return (Path(base) if base else platformdirs.user_config_path("interlock")).resolve()


def _rank(one: Confidentiality) -> int:
    return one.rank


def _label(rule: Labelled) -> Label:
    return Label(
        confidentiality=rule.confidentiality,
        integrity=rule.integrity,
        scopes=tuple(sorted(rule.scopes)),
        sources=(f"workspace:{rule.path}"[:128],),
    )
