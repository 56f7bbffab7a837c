"""The rows of the store: what is kept of tasks, plans, approvals, claims and incidents.

Artifacts stay canonical bytes until a property reads them, through the codec, so a row that somebody edited by hand
is an error and never a value.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Hashable, Mapping
from typing import TypeVar, cast

import msgspec
from msgspec import UNSET, UnsetType

from interlock.artifact import codec
from interlock.artifact.errors import StateError
from interlock.artifact.label import CLEAN, Label
from interlock.artifact.plan import Plan
from interlock.artifact.task import Budget, Task
from interlock.artifact.verdict import Verdict
from interlock.decide.life import Status
from interlock.decide.references import Labelled

RATE_WINDOW_MS = 60_000
T = TypeVar("T")

_cached = functools.lru_cache(maxsize=512)(codec.decode_canonical)  # Keyed by bytes and type.


def read(raw: bytes, kind: type[T]) -> T:
    """A stored artifact; the same bytes are read once, because what is read is immutable."""
    found: T = _cached(raw, cast("Hashable", kind))
    return found


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the rows; artifacts stay canonical bytes until a property reads them."""


def columns(kind: type[Row]) -> str:
    """The columns of a table of such rows."""
    return ", ".join(kind.__struct_fields__)


class TaskRow(Row, frozen=True, kw_only=True):
    """A task with what has become of it; ``task_digest`` is that of this revision."""

    task: Task
    task_digest: str
    received: Label
    spent: Budget
    loaded: tuple[str, ...]
    frozen: bool
    answer: str | None


class Rate(Row, frozen=True, kw_only=True):
    """The uses of one rate class since its present window of ``RATE_WINDOW_MS`` began."""

    name: str
    began: int
    used: int

    @property
    def until(self) -> int:
        """When the window ends."""
        return self.began + RATE_WINDOW_MS


class StoredTask(Row, frozen=True, kw_only=True):
    """A task as it lies in the store."""

    doc: bytes
    received_doc: bytes
    spent_doc: bytes
    loaded_doc: bytes
    frozen: bool
    answer: str | None


class PlanRow(Row, frozen=True, kw_only=True):
    """A plan with what was decided on it.

    ``certificate`` is the digest of what was proved of the policy, or empty; ``stopped`` the code of what halted it.
    """

    digest: str
    task: str
    sequence: int
    status: Status
    doc: bytes
    verdict_doc: bytes
    policy: str
    certificate: str = ""
    manifests: str
    previews: bytes
    shown_at: int
    envelope: bytes | None = None
    grant_token: bytes | None = None
    context: str
    created_at: int
    stopped: str = ""

    @property
    def plan(self) -> Plan:
        return read(self.doc, Plan)

    @property
    def verdict(self) -> Verdict:
        return read(self.verdict_doc, Verdict)

    @property
    def certified(self) -> str | UnsetType:
        """The certificate's digest as approvals and receipts quote it."""
        return self.certificate or UNSET

    @property
    def preview_digest(self) -> str:
        """What an approval signs of the previews that were shown."""
        return hashlib.sha256(self.previews).hexdigest()


class ApprovalRow(Row, frozen=True, kw_only=True):
    """One approval as it was received."""

    id: str
    approver: str
    envelope: bytes
    expires_at: int


class ClaimRow(Row, frozen=True, kw_only=True):
    """One started (plan, step, iteration): claimed, done, skipped, failed, unknown, undoing or undone."""

    plan: str
    step: str
    iteration: int
    state: str
    lease_until: int
    output: bytes | None
    label_doc: bytes | None
    before: bytes | None
    after: bytes | None
    touched: bytes | None
    code: str
    arguments: bytes | None

    @property
    def labelled(self) -> Labelled:
        """The output with its label; null and clean where there was none."""
        value = codec.parse(self.output, data=True) if self.output else None
        label = codec.decode_canonical(self.label_doc, Label) if self.label_doc else CLEAN
        return Labelled(value=value, label=label)


class IncidentRow(Row, frozen=True, kw_only=True):
    """One incident (I11)."""

    id: int
    at: int
    task: str
    plan: str
    code: str
    detail: str
    closed_by: str
    reason: str


class SeenRow(Row, frozen=True, kw_only=True):
    """A violation of a role that worked for this task, or for none, which is no incident yet."""

    role: str
    task: str
    syscall: str


class CarriedRow(Row, frozen=True, kw_only=True):
    """The label that a resource carries from earlier tasks."""

    key: str
    label: bytes


def charged(spent: Budget, amounts: Mapping[str, int], budget: Budget) -> Budget:
    """What will have been spent with these amounts; raises ``StateError`` over the budget."""
    after = {name: getattr(spent, name) + amount for name, amount in amounts.items()}
    over = [name for name in amounts if amounts[name] > 0 and after[name] > getattr(budget, name)]
    if over:
        raise StateError(f"budget.{over[0]}", f"the task's budget of {over[0]} is used up")
    return msgspec.structs.replace(spent, **{name: max(0, value) for name, value in after.items()})


def nothing_spent() -> Budget:
    """A budget of which nothing was used."""
    return Budget(**dict.fromkeys(Budget.__struct_fields__, 0))
