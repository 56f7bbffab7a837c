"""Cedar over policies that are parsed once; what it said is remembered, because it is a pure function.

A call is everything that Cedar is given beside the policies, so it is the whole key.  What is remembered is bounded in
number and size; when the number is reached, all of it is forgotten.  Must never: remember less than the whole call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import cedarpy

from interlock.decide.policy.compiler import CompiledRule, policy_handle
from interlock.decide.policy.schema import NO_ENTITIES

MOST_CALLS = 4096
LONGEST_CALL = 2048  # Characters.


class Call(NamedTuple):
    """Names of principal, action and resource, and the context as JSON."""

    principal: str
    action: str
    resource: str
    context: str

    @property
    def request(self) -> dict[str, object]:
        """As Cedar takes it."""
        return {
            "principal": {"type": "Principal", "id": self.principal},
            "action": {"type": "Action", "id": self.action},
            "resource": {"type": "Resource", "id": self.resource},
            "context": self.context,
        }


class Said(NamedTuple):
    """What Cedar answers: whether it allows, the ids of the rules that determine it, whether any rule had an error."""

    allowed: bool
    rules: tuple[str, ...]
    errors: bool


class Cedar:
    """These rules, each under its own id; keeps at most ``most`` answers."""

    def __init__(self, rules: Iterable[CompiledRule], most: int = MOST_CALLS) -> None:
        self.policies = policy_handle(rules)
        self._most = most
        self._known: dict[Call, Said] = {}

    def says(self, calls: Sequence[Call]) -> list[Said]:
        """The answer to each call, in order; those not known are asked in one go.  Raises what Cedar raises."""
        known = [self._known.get(call) for call in calls]
        new = [call for call, said in zip(calls, known, strict=True) if said is None]
        answers = self._asked(new) if new else []
        for call, said in zip(new, answers, strict=True):
            self._remember(call, said)
        fresh = iter(answers)
        return [next(fresh) if said is None else said for said in known]

    def _asked(self, calls: Sequence[Call]) -> list[Said]:
        requests = [call.request for call in calls]
        results = cedarpy.is_authorized_batch(requests, self.policies, NO_ENTITIES)  # pyright: ignore[reportUnknownMemberType]
        return [
            Said(result.allowed, tuple(result.diagnostics.reasons), bool(result.diagnostics.errors))
            for result in results
        ]

    def _remember(self, call: Call, said: Said) -> None:
        if sum(map(len, call)) > LONGEST_CALL or not self._most:
            return
        if len(self._known) >= self._most:
            self._known.clear()
        self._known[call] = said
