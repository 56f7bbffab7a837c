"""Supposing: the facts of a decision as they would be if something were otherwise, to ask what the gate would say.

Must never: reach a decision that is stored.  ``interlock plan check`` asks by it, and so do proofs, of counterexamples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from msgspec import UNSET

from interlock.artifact import codec
from interlock.artifact.action import Manifest
from interlock.artifact.label import CLEAN, Label, join
from interlock.decide.evidence import Evidence, Policy
from interlock.decide.policy import PolicyAnswer, PolicyRequest


class Supposed(msgspec.Struct, frozen=True, kw_only=True):
    """What is otherwise; a field at its default changes nothing.

    ``received`` is a label that the planner has seen, ``roots`` are more roots of the workspace, ``signals`` patterns
    that the analyst saw, ``confirmed`` a number of persons, ``budget`` an amount of money, ``manifests`` are more
    actions, which come before those of the same name.
    """

    principal: str = ""
    roles: tuple[str, ...] | None = None
    scope: Mapping[str, str] = {}
    roots: tuple[str, ...] = ()
    received: Label = CLEAN
    signals: tuple[str, ...] = ()
    confirmed: int = 0
    budget: int = 0
    manifests: tuple[Manifest, ...] = ()

    def applied(self, evidence: Evidence) -> Evidence:
        """The facts as they would be; the digest of the task stays, so that what was proposed for it still fits.

        Where anything is otherwise, no judge is asked: what it would say then nobody can know without asking it.
        """
        task, site = evidence.task, evidence.site
        more = {manifest.reference: manifest for manifest in self.manifests}
        budget = msgspec.structs.replace(task.budget, cost=max(task.budget.cost, self.budget))
        principal = self.principal or task.principal
        return msgspec.structs.replace(
            evidence,
            task=msgspec.structs.replace(task, principal=principal, scope={**task.scope, **self.scope}, budget=budget),
            site=msgspec.structs.replace(
                site, roots=(*site.roots, *self.roots), judge=site.judge if self == Supposed() else UNSET
            ),
            catalogue={**evidence.catalogue, **more},
            digests={**evidence.digests, **{name: codec.digest(manifest) for name, manifest in more.items()}},
            loaded=evidence.loaded | {manifest.group for manifest in self.manifests},
            policy=_Asked(policy=evidence.policy, supposed=self),
            received=join(evidence.received, self.received),
            roles=evidence.roles if self.roles is None else self.roles,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The policy, asked with what no plan and no manifest can say of a request."""

    policy: Policy
    supposed: Supposed

    @property
    def digest(self) -> str:
        return self.policy.digest

    def evaluate_many(self, requests: Sequence[PolicyRequest]) -> tuple[PolicyAnswer, ...]:
        return self.policy.evaluate_many([self._asked(request) for request in requests])

    def _asked(self, request: PolicyRequest) -> PolicyRequest:
        signals = tuple(sorted({*request.signals, *self.supposed.signals}))
        return msgspec.structs.replace(request, signals=signals, approvals=self.supposed.confirmed)
