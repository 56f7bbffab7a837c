"""Contexts: the facts that decisions rested on, kept so that a decision can be explained and replayed.

A receipt quotes one digest over its decision's facts.  Those that change from decision to decision are stored here
under that digest; the rest (configuration, manifests, rules, what files carry) is today's.  ``recalled`` puts both
together and says by the digest whether that is what was decided on, so that an approximation cannot pass for a fact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from msgspec import UNSET, UnsetType

from interlock.artifact import codec
from interlock.artifact.analysis import Analysis
from interlock.artifact.codec import Value
from interlock.artifact.label import Label
from interlock.artifact.opinion import Judging, Opinion
from interlock.artifact.task import Budget
from interlock.decide.evidence import Evidence, Policy
from interlock.decide.policy import PolicyAnswer, PolicyRequest
from interlock.harness.store import Store

_SCHEMA = "CREATE TABLE IF NOT EXISTS context (digest TEXT PRIMARY KEY, doc BLOB NOT NULL) STRICT"


class Context(Value, frozen=True, kw_only=True):
    """What a decision found of its task, of rates, and of who was there."""

    task: str
    received: Label
    spent: Budget
    loaded: tuple[str, ...]
    claims: Mapping[str, Analysis]
    rates_until: Mapping[str, int]
    unattended: bool
    frozen: bool
    judge: Judging | UnsetType = UNSET
    opinion: Opinion | UnsetType = UNSET
    drift: int | UnsetType = UNSET
    finished: Mapping[str, Label] | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class Recalled:
    """The facts of an earlier decision; ``differs`` names what is today's instead (nothing: all is proven)."""

    evidence: Evidence
    differs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Named:
    """A policy under the digest that a receipt quotes."""

    digest: str
    policy: Policy

    def evaluate_many(self, requests: Sequence[PolicyRequest]) -> tuple[PolicyAnswer, ...]:
        return self.policy.evaluate_many(requests)


class Contexts:
    """The stored contexts of one workspace."""

    def __init__(self, store: Store) -> None:
        self._store = store
        with store.transaction() as db:
            db.execute(_SCHEMA)

    def keep(self, digest: str, evidence: Evidence) -> None:
        """Store a decision's facts under their digest, in the caller's transaction."""
        context = Context(
            task=evidence.task_digest, received=evidence.received, spent=evidence.spent,
            loaded=tuple(sorted(evidence.loaded)), claims=evidence.claims, rates_until=evidence.rates_until,
            unattended=evidence.unattended, frozen=evidence.frozen, judge=evidence.site.judge,
            opinion=UNSET if evidence.opinion is None else evidence.opinion,
            drift=UNSET if evidence.drift is None else evidence.drift, finished=evidence.finished or UNSET,
        )  # fmt: skip
        with self._store.transaction() as db:
            db.execute("INSERT OR IGNORE INTO context (digest, doc) VALUES (?, ?)", (digest, codec.encode(context)))

    def recalled(self, digest: str, policy: str, today: Evidence) -> Recalled:
        """The facts under a context's digest, decided on with the rules of ``policy``; ``today`` are those of now."""
        context = self._found(digest)
        if context is None:
            return Recalled(today, ("context",))
        opinion, drift = _judged(context)
        evidence = msgspec.structs.replace(
            today, task_digest=context.task, received=context.received, spent=context.spent,
            loaded=frozenset(context.loaded), claims=context.claims, rates_until=context.rates_until,
            unattended=context.unattended, frozen=context.frozen, opinion=opinion, drift=drift,
            site=msgspec.structs.replace(today.site, judge=context.judge), finished=context.finished or {},
        )  # fmt: skip
        same = msgspec.structs.replace(evidence, policy=_Named(policy, today.policy)).digest() == digest
        differs = {"task": context.task != today.task_digest, "configuration": not same}
        return Recalled(evidence, tuple(name for name, differ in differs.items() if differ))

    def judged(self, digest: str) -> tuple[Opinion | None, int | None]:
        """The judge's opinion and the task's drift that a decision rested on."""
        context = self._found(digest)
        return _judged(context) if context is not None else (None, None)

    def _found(self, digest: str) -> Context | None:
        with self._store.transaction() as db:
            row = db.execute("SELECT doc FROM context WHERE digest = ?", (digest,)).fetchone()
        return codec.decode_canonical(row[0], Context) if row is not None else None


def _judged(context: Context) -> tuple[Opinion | None, int | None]:
    opinion, drift = context.opinion, context.drift
    return None if opinion is UNSET else opinion, None if drift is UNSET else drift
