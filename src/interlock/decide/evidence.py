"""What the gate knows when it decides: all of it is handed in, none of it is asked for.

``Site`` are the workspace's standing facts, ``Evidence`` the facts of one decision.  Both are values, so that
a decision can be replayed from its record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
from msgspec import UNSET, UnsetType

from interlock.artifact import codec
from interlock.artifact.action import Manifest
from interlock.artifact.analysis import Analysis
from interlock.artifact.codec import Digest, Natural, Value
from interlock.artifact.label import CLEAN, Confidentiality, Label
from interlock.artifact.opinion import Judging, Opinion
from interlock.artifact.task import Budget, Task
from interlock.decide.policy import PolicyAnswer, PolicyRequest


class Policy(Protocol):
    """A compiled policy set: see ``interlock.decide.policy``."""

    @property
    def digest(self) -> str: ...

    def evaluate_many(self, requests: Sequence[PolicyRequest]) -> tuple[PolicyAnswer, ...]: ...


class PathLabel(Value, frozen=True, kw_only=True):
    """What the workspace says of files: every path that the glob matches carries the label."""

    path: str
    label: Label


class Limits(Value, frozen=True, kw_only=True):
    """Bounds that hold whatever a rule says; ``blast_radius`` counts destroyed resources of one plan,
    ``uses_per_minute`` the steps of one rate class, ``explained_denials`` those of which a task's planner hears why,
    ``drift`` how far from its goal a task's judged steps may lie on average."""

    steps: Natural = 32
    blast_radius: Natural = 25
    uses_per_minute: Natural = 600
    explained_denials: Natural = 8
    plan_lifetime_ms: Natural = 24 * 3600 * 1000
    model_accepts: Confidentiality = Confidentiality.PRIVATE
    drift: Natural | UnsetType = UNSET


class Site(Value, frozen=True, kw_only=True):
    """The workspace: where files may lie, what is protected, how far a principal's authority reaches.

    ``registries`` are the end points, as ``host:port``, that stand for a registry of packages by its kind.
    """

    id: str
    root: str
    home: str
    roots: tuple[str, ...]
    own: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    scope: Mapping[str, tuple[str, ...]] = {}
    labels: tuple[PathLabel, ...] = ()
    registries: Mapping[str, tuple[str, ...]] = {}
    environment: str = ""
    limits: Limits = Limits()
    judge: Judging | UnsetType = UNSET


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of one decision.

        ``certificate`` is the digest of what was proved of ``policy``, where it must be; ``finished`` are the labels of
        what the plan's finished steps have returned; ``drift`` says how far the task's latest judged steps lie from its
    goal.
    """

    site: Site
    task: Task
    task_digest: str
    catalogue: Mapping[str, Manifest]
    digests: Mapping[str, str]
    loaded: frozenset[str]
    policy: Policy
    certificate: Digest | UnsetType = UNSET
    received: Label = CLEAN
    spent: Budget = Budget(**dict.fromkeys(Budget.__struct_fields__, 0))
    carried: Mapping[str, Label] = {}
    claims: Mapping[str, Analysis] = {}
    finished: Mapping[str, Label] = {}
    opinion: Opinion | None = None
    drift: int | None = None
    roles: tuple[str, ...] = ()
    rates_until: Mapping[str, int] = {}
    unattended: bool = False
    frozen: bool = False

    def claiming(self, claims: Mapping[str, Analysis]) -> Evidence:
        """The same facts, with what the analyst says of each step, by the step's id."""
        return msgspec.structs.replace(self, claims=claims)

    def knowing(self, finished: Mapping[str, Label]) -> Evidence:
        """The same facts, with the labels of what finished steps have returned."""
        return msgspec.structs.replace(self, finished=finished)

    def opining(self, opinion: Opinion | None) -> Evidence:
        """The same facts, with what the judge says of the plan."""
        return msgspec.structs.replace(self, opinion=opinion)

    def unjudged(self) -> Evidence:
        """The same facts, for a plan of the harness's own, which no judge holds to the goal."""
        return msgspec.structs.replace(self, site=msgspec.structs.replace(self.site, judge=UNSET))

    def digest(self) -> str:
        """SHA-256 over everything that the decision rests on, as receipts quote it."""
        facts = (
            self.task_digest, self.policy.digest, self.site, self.received, self.spent, self.claims, self.rates_until,
            sorted(self.loaded), self.unattended, self.frozen,
            *((self.opinion, self.drift) if self.opinion is not None or self.drift is not None else ()),
        )  # fmt: skip
        return codec.digest((*facts, self.finished) if self.finished else facts)
