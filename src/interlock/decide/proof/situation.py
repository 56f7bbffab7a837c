"""One situation: a policy request and what floor and flow know besides; its fields, as formulas name them.

A new field of ``PolicyRequest`` that policies may ask is one word in one of the tables below.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from interlock.artifact.action import Effect, Reversibility
from interlock.artifact.label import Confidentiality
from interlock.decide.policy.request import PolicyRequest
from interlock.decide.proof.formula import Field

FLAGS = ("privileged", "external", "broad", "untrusted", "tainted", "unattended", "open", "recursive")
NUMBERS = ("version", "cost", "approvals")
TEXTS = ("principal", "action", "group", "kind", "resource", "environment")
SETS = ("roles", "formed")
LISTS = ("destinations", "signals")
CHOICES: Mapping[str, tuple[str, ...]] = {
    "effect": tuple(effect.value for effect in Effect),
    "access": tuple(effect.value for effect in Effect),
    "reversibility": tuple(one.value for one in Reversibility),
}
RANKS = tuple(Confidentiality)
BESIDES = ("authority", "foreign", "claimed", "whole", "relabels", "bounded")


class Situation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request, and facts of its manifest and values that policies cannot ask.

    ``accepts``: the manifest's limit; ``authority``: an untrusted value is in an argument with authority; ``foreign``:
    a value of another tenant or scope would arrive; ``claimed``: the effect is one that the analyst
    claims; ``whole``: and the claim takes the place of a broad manifest; ``relabels``: the action lowers a label;
    ``bounded``: of a value that a rule may speak for.
    """

    request: PolicyRequest
    accepts: Confidentiality = Confidentiality.RESTRICTED
    authority: bool = True
    foreign: bool = False
    claimed: bool = False
    whole: bool = False
    relabels: bool = False
    bounded: bool = False


def values(situation: Situation) -> dict[str, Field]:
    """The value of each field that an atom can name."""
    request = situation.request
    found: dict[str, Field] = {name: getattr(request, name) for name in (*FLAGS, *NUMBERS, *TEXTS)}
    found |= {name: str(getattr(request, name).value) for name in CHOICES}
    found |= {name: frozenset(getattr(request, name)) for name in SETS}
    found |= {name: getattr(situation, name) for name in BESIDES}
    scope = frozenset(text for key, value in request.scope.items() for text in (key, f"{key}={value}"))
    found |= {name: getattr(request, name) for name in LISTS}
    return found | {"scope": scope, "data": request.confidentiality.rank, "accepts": situation.accepts.rank}
