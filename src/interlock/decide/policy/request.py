"""What is asked of the policies, what they answer, and which names cannot even be asked about.

A field of a request that a caller leaves out counts as the worst case, never as the best.  Policies compare names
as text, so ``objection`` refuses every name that is visibly not canonical: two spellings of one thing must not
get two answers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

import msgspec

from interlock.artifact.action import Effect, Reversibility
from interlock.artifact.codec import Identifier, Natural, hidden
from interlock.artifact.label import Confidentiality
from interlock.artifact.resources import endpoint
from interlock.artifact.verdict import Decision, Reason
from interlock.decide.policy.schema import MAX_APPROVALS

_BAD_NAME = re.compile(r"%[0-9A-Fa-f]{2}|[\n\t]|\A\s|\s\Z|\A\Z")
_BAD_PATH = re.compile(r"\A[^/]|//|/\.{1,2}(?:/|\Z)|[^/]/\Z|\\")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+\Z")
_SEVERAL = re.compile(r"[\s,;|]|\A\Z")


class PolicyRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One action on one resource; ``open`` while the resource's name is not known, to be asked again when it is.

    ``kind`` ``file`` has an absolute path as ``resource``, ``endpoint`` has ``host:port``.  ``approvals`` counts
    the persons who have confirmed this very action, ``formed`` names the transformations that would change nothing in
    it.  ``cost`` is in minor units of money.
    ``signals`` are patterns of effects that the analyst saw in the whole step.
    """

    principal: Identifier
    roles: tuple[str, ...] = ()
    scope: Mapping[str, str] = {}
    action: Identifier
    version: Natural = 1
    group: str = ""
    effect: Effect
    reversibility: Reversibility
    privileged: bool = True
    external: bool = True
    broad: bool = True
    kind: Identifier
    resource: str
    access: Effect
    open: bool = False
    recursive: bool = False
    destinations: tuple[str, ...] = ()
    signals: tuple[str, ...] = ()
    confidentiality: Confidentiality = Confidentiality.RESTRICTED
    untrusted: bool = True
    tainted: bool = True
    environment: str = ""
    cost: Natural
    approvals: Natural = 0
    formed: tuple[str, ...] = ()
    unattended: bool = True


class PolicyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """ALLOW, MODIFY (a reason's field names the form), STEP_UP (with the number of persons that are needed in all)
    or DENY, and the rules that said so; ``owned`` are permissions that name this very action and an owner."""

    decision: Decision
    approvals: Annotated[int, msgspec.Meta(ge=0, le=MAX_APPROVALS)] = 0
    reasons: tuple[Reason, ...]
    owned: tuple[str, ...] = ()


class RuleOrigin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a rule stands, whose it is, and its Cedar text."""

    file: str
    line: int
    owner: str
    why: str
    text: str


def objection(request: PolicyRequest) -> str | None:
    """The field whose value is visibly not canonical, or ``None``."""
    if not request.open and not canonical(request.kind, request.resource):
        return "resource"
    if not all(map(one_destination, request.destinations)):
        return "destinations"
    strings = (request.group, request.environment, *request.roles, *request.scope, *request.scope.values())
    return "scope" if hidden("".join(strings)) or "=" in "".join(request.scope) else None


def one_destination(text: str) -> bool:
    """Whether a text names a single destination, as far as can be seen."""
    return not hidden(text) and bool(_URL.match(text) or not _SEVERAL.search(text))


def canonical(kind: str, name: str) -> bool:
    """Whether a name that is known has the one spelling that its kind admits, as far as can be seen."""
    if hidden(name) or _BAD_NAME.search(name):
        return False
    if kind == "endpoint":
        try:
            endpoint(name)
        except ValueError:
            return False
    return kind != "file" or not _BAD_PATH.search(name)
