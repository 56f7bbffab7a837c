"""One full sample of every artifact, with every field away from its default, and fixed keys to sign with.

The keys are public knowledge: seeds 1 to 3 of RFC 8032, section 7.1.  Nobody may trust them outside a test.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlock.artifact import codec
from interlock.artifact.action import (
    Argument,
    Driver,
    Effect,
    Endpoint,
    Invocation,
    Manifest,
    Output,
    Resource,
    Reversibility,
)
from interlock.artifact.action import Role as ArgumentRole
from interlock.artifact.approval import Approval
from interlock.artifact.codec import Value
from interlock.artifact.entry import Entry
from interlock.artifact.label import Confidentiality, Integrity, Label
from interlock.artifact.plan import Compensation, ForEach, Plan, Step
from interlock.artifact.receipt import Outcome, Receipt
from interlock.artifact.signing import Keyring, PublicKey, Role, Signer
from interlock.artifact.snapshot import Snapshot, SnapshotEntry
from interlock.artifact.task import Attachment, Budget, Task
from interlock.artifact.verdict import Decision, Reason, Verdict

NOW: Final = 1_800_000_000_000
HARNESS: Final = Signer(
    Ed25519PrivateKey.from_private_bytes(
        bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    )
)
ANN: Final = Signer(
    Ed25519PrivateKey.from_private_bytes(
        bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    )
)
MALLORY: Final = Signer(
    Ed25519PrivateKey.from_private_bytes(
        bytes.fromhex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7")
    )
)


def public(signer: Signer, owner: str, *roles: Role, **window: int | None) -> PublicKey:
    fields = {"not_before": 0, "not_after": None, "revoked_from": None, **window}
    return PublicKey(id=signer.id, owner=owner, public=signer.public.hex(), roles=roles, **fields)  # type: ignore[arg-type]


KEYRING: Final = Keyring(
    keys=(public(HARNESS, "harness", "harness"), public(ANN, "ann", "approver", not_after=NOW + 1_000_000))
)
LABEL: Final = Label(
    confidentiality=Confidentiality.PRIVATE,
    integrity=Integrity.UNTRUSTED,
    scopes=("customer-a",),
    sources=("s1", "web"),
)
DIGEST: Final = {name: codec.digest(name) for name in ("task", "policy", "context", "proposal", "evidence", "preview")}

MANIFEST: Final = Manifest(
    name="resize_database",
    version=3,
    group="cloud",
    sentence="Resize {instance} to {size}",
    effect=Effect.WRITE,
    reversibility=Reversibility.COMPENSABLE,
    privileged=True,
    idempotent=True,
    external=True,
    broad=True,
    arguments={
        "instance": Argument(
            type="string",
            role=ArgumentRole.TARGET,
            description="the instance",
            required=False,
            max_length=63,
            minimum=1,
            maximum=2,
            choices=("a", "b"),
            pattern="[a-z]+",
            items="integer",
        )
    },
    resources=(Resource(kind="database", name="rds:{instance}", access=Effect.WRITE),),
    destinations=("instance",),
    scope={"environment": "instance"},
    secrets=("cloud-key",),
    output=Output(label=LABEL, max_bytes=99),
    accepts=Confidentiality.PRIVATE,
    inverse=Invocation(action="resize_database@3", arguments={"instance": {"$argument": "instance"}}),
    preview=Invocation(action="describe_database@1", arguments={"instance": "a"}),
    cost=500,
    rate="cloud",
    timeout_ms=60_000,
    driver=Driver(
        name="python",
        operation="cloud.resize",
        package="cloud",
        programs=("aws",),
        argv=("aws", "rds"),
        shell=True,
        executable_writes=True,
        endpoints=(Endpoint(host="rds.example.com", port=443, mode="opaque", methods=("POST",), paths=("/v1/*",)),),
    ),
)
PLAN: Final = Plan(
    id="p1",
    revision=2,
    parent=codec.digest("parent"),
    task=DIGEST["task"],
    workspace="w1",
    sequence=7,
    goal="Resize the old database",
    steps=(
        Step(
            id="s1",
            action="resize_database@3",
            arguments={"instance": {"$ref": "s0.output.name"}},
            when={"$eq": [1, 1]},
            for_each=ForEach(items=["a", "b"], at_most=2),
            needs=("s0",),
            expect={"$ref": "output.ok"},
            rollback=Compensation(action="resize_database@3", arguments={"instance": "a"}),
            privileges=("database.write",),
            irreversible=True,
            change="CHG-1",
            reason="it is idle",
            manifest=codec.digest(MANIFEST),
        ),
    ),
    finished=("s0",),
    expires_at=NOW + 60_000,
)
TASK: Final = Task(
    id="t1",
    revision=1,
    principal="ann",
    goal="Optimise our cloud spend",
    values=("prod-database-main-oversized-old",),
    scope={"environment": "test"},
    groups=("cloud",),
    attachments=(Attachment(name="note.txt", digest=codec.digest("note"), label=LABEL),),
    budget=Budget(cost=1, steps=2, plans=3, completions=4, tokens=5, observations=6, questions=7),
    created_at=NOW - 1,
    expires_at=NOW + 60_000,
)
REASON: Final = Reason(
    decision=Decision.STEP_UP, stage=7, code="floor.privileged", step="s1", field="instance", rule="r1"
)
VERDICT: Final = Verdict(
    decision=Decision.STEP_UP, reasons=(REASON,), approvals=2, modified=codec.digest("modified"), until=NOW
)
APPROVAL: Final = Approval(
    id="a1",
    word="approve",
    plan=codec.digest(PLAN),
    policy=DIGEST["policy"],
    manifests=codec.digest([codec.digest(MANIFEST)]),
    preview=DIGEST["preview"],
    approver="ann",
    authentication="passkey",
    reason="as discussed",
    issued_at=NOW,
    expires_at=NOW + 60_000,
)
RECEIPT: Final = Receipt(
    id="r1",
    task=DIGEST["task"],
    proposal=DIGEST["proposal"],
    policy=DIGEST["policy"],
    context=DIGEST["context"],
    verdict=VERDICT,
    plan=codec.digest(PLAN),
    approvals=("a1",),
    step="s1",
    iteration=1,
    outcome=Outcome.OBSERVED,
    evidence=DIGEST["evidence"],
    unsafe=("UnsafeSameUser",),
    at=NOW,
)
ENTRY: Final = Entry(
    kind="plan", at=NOW, task="t1", subject=codec.digest(PLAN), code="sealed", commitment=codec.digest("salted")
)
SNAPSHOT: Final = Snapshot(
    roots=("/srv/data",),
    pages=((SnapshotEntry(path="/srv/data/a", kind="file", mode=0o644, size=3, sha256=codec.digest("abc")),),),
)
ROTATED: Final = Keyring(
    keys=(public(ANN, "ann", "approver", not_before=1, not_after=NOW, revoked_from=NOW - 1),),
)

SIGNED: Final[dict[str, Value]] = {
    "approval": APPROVAL,
    "entry": ENTRY,
    "keyring": ROTATED,
    "label": LABEL,
    "manifest": MANIFEST,
    "plan": PLAN,
    "receipt": RECEIPT,
    "snapshot": SNAPSHOT,
    "task": TASK,
    "verdict": VERDICT,
}
