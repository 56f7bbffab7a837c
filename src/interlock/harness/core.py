"""One open workspace: its keys, store, vault, ledger, policy and children, handed to every part of the harness.

The write-ahead rule (I8) lives in ``record``: an entry is durable before the caller does what it says.  Opening
a workspace verifies its ledger's head and settles what a crash left behind.
"""

from __future__ import annotations

import hashlib
import resource
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TypeAlias

from msgspec import UNSET, UnsetType

from interlock.artifact import codec
from interlock.artifact.action import Manifest
from interlock.artifact.certificate import Certificate
from interlock.artifact.codec import Digest, Value
from interlock.artifact.entry import Entry, Kind, step_subject
from interlock.artifact.receipt import Outcome, Receipt
from interlock.artifact.signing import sign
from interlock.artifact.verdict import Verdict
from interlock.decide.evidence import Site
from interlock.decide.policy import PolicySet, compile_policies
from interlock.harness import catalogue
from interlock.harness.blobs import Blobs
from interlock.harness.contexts import Contexts
from interlock.harness.keys import Keys
from interlock.harness.ledger.store import Ledger
from interlock.harness.opinions import Opinions
from interlock.harness.rows import PlanRow
from interlock.harness.store import Store
from interlock.harness.vault import Vault
from interlock.harness.workspace import Workspace

Clock = Callable[[], int]
Record: TypeAlias = tuple[Kind, str, str, bytes, str]


def system_clock() -> int:
    """Milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000


@dataclass(slots=False, kw_only=True)
class Core:
    """What the parts of the harness share; ``unsafe`` names every bypass that is in force.

    Where there is a ``prover``, a policy that has changed is proved before it decides; without one it is refused.
    """

    workspace: Workspace
    clock: Clock = system_clock
    unsafe: tuple[str, ...] = ()
    keys: Keys = field(init=False)
    store: Store = field(init=False)
    vault: Vault = field(init=False)
    blobs: Blobs = field(init=False)
    ledger: Ledger = field(init=False)
    contexts: Contexts = field(init=False)
    opinions: Opinions = field(init=False)
    prover: Callable[[], Certificate] | None = field(init=False, default=None)
    _policy_texts: tuple[dict[str, str], dict[str, str]] = field(init=False, default=({}, {}))
    _trial_texts: tuple[dict[str, str], dict[str, str]] = field(init=False, default=({}, {}))

    def __post_init__(self) -> None:
        # Keys are in memory from here on: no core file may hold them.
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        state = self.workspace.state
        state.mkdir(parents=True, mode=0o700, exist_ok=True)
        self.keys = Keys.create(state / "keys", self.clock())
        self.store = Store(state / "harness.db")
        self.contexts = Contexts(self.store)
        self.opinions = Opinions(self.store)
        self.vault = Vault(state / "vault.json", self.keys.vault_key)
        self.blobs = Blobs(state / "blobs")
        self.ledger = Ledger(state / "ledger.db", self.keys.ledger, f"interlock.dev/{self.workspace.configuration.id}")

    def close(self) -> None:
        """Close what is open."""
        self.ledger.close()
        self.store.close()

    @cached_property
    def catalogue(self) -> Mapping[str, Manifest]:
        """All manifests of the workspace."""
        return catalogue.load(self.workspace)

    @cached_property
    def digests(self) -> Mapping[str, str]:
        """The digest of each manifest, by reference."""
        return {reference: codec.digest(manifest) for reference, manifest in self.catalogue.items()}

    @cached_property
    def policy(self) -> PolicySet:
        """The workspace's policies, compiled; a policy that does not compile stops everything."""
        cedar, rules = self._policy_texts = self.workspace.policy_texts()
        return compile_policies(cedar, rules, home=str(Path.home()), root=str(self.workspace.folder))

    def require_proof(self) -> Digest | UnsetType:
        """The digest of the policy's certificate, where the workspace demands one.

        Raises ``ConfigurationError`` where the policy as it stands has none.
        """
        if self.workspace.configuration.policy.proof == "off":
            return UNSET
        from interlock.harness.proofs import certified  # It needs this class.

        return codec.digest((self.prover or partial(certified, self))())

    @cached_property
    def on_trial(self) -> PolicySet | None:
        """The policies together with those of ``policy/observe/``; nothing where no rule is on trial."""
        (cedar, rules), self._trial_texts = self.workspace.policy_texts(), self.workspace.trial_texts()
        if not any(self._trial_texts):
            return None
        more_cedar, more_rules = self._trial_texts
        home, root = str(Path.home()), str(self.workspace.folder)
        return compile_policies({**cedar, **more_cedar}, {**rules, **more_rules}, home=home, root=root)

    @cached_property
    def site(self) -> Site:
        """The standing facts that the gate decides on."""
        return self.workspace.site

    def refresh(self) -> None:
        """Read the operator's files again: a policy, a manifest or a key that was changed counts from here on."""
        if self.workspace.policy_texts() != self._policy_texts:
            self.__dict__.pop("policy", None)
            self.__dict__.pop("on_trial", None)
        if self.workspace.trial_texts() != self._trial_texts:
            self.__dict__.pop("on_trial", None)
        for name in ("catalogue", "digests"):
            self.__dict__.pop(name, None)
        self.keys.reload()

    def record(self, kind: Kind, task: str, subject: str, payload: Value | bytes, *, code: str = "") -> int:
        """Append one entry, durable before this returns; its index."""
        raw = payload if isinstance(payload, bytes) else codec.encode(payload)
        return self.record_all([(kind, task, subject, raw, code)])[0]

    def record_all(self, entries: Sequence[Record]) -> list[int]:
        """Append entries (kind, task, subject, payload, code) in one durable batch; their indexes."""
        now = self.clock()
        return self.ledger.append(
            [
                (Entry(kind=kind, at=now, task=task, subject=subject, code=code), raw)
                for kind, task, subject, raw, code in entries
            ]
        )

    def step_receipt(
        self, row: PlanRow, step: str, iteration: int, outcome: Outcome, verdict: Verdict, output: bytes
    ) -> Record:
        """The entry that says, signed, what became of one step; its evidence is the digest of what it put out."""
        receipt = Receipt(
            id=f"receipt-{secrets.token_hex(6)}", task=row.plan.task, proposal=row.digest, plan=row.digest,
            policy=row.policy, certificate=row.certified, context=row.context, verdict=verdict,
            approvals=self.store.approvals_used(row.digest),
            step=step, iteration=iteration, outcome=outcome, evidence=bytes_digest(output), unsafe=self.unsafe,
            at=self.clock(),
        )  # fmt: skip
        subject = step_subject(row.digest, step, iteration)
        return "receipt", row.task, subject, self.receipt(receipt, row.digest), outcome.value

    def receipt(self, receipt: Receipt, subject: str) -> bytes:
        """A signed receipt about a plan's or a proposal's digest."""
        return sign(self.keys.signer, "receipt", subject, receipt)


def manifests_digest(digests: Mapping[str, str], references: tuple[str, ...]) -> str:
    """One digest over the manifests that a plan uses, by reference; ``digests`` are the catalogue's."""
    return codec.digest({reference: digests.get(reference, "") for reference in references})


def bytes_digest(raw: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(raw).hexdigest()
