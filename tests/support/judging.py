"""Evidence for the gate, made by hand: a small catalogue, a task, a policy that allows what is not said otherwise."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import msgspec

from interlock.artifact import codec
from interlock.artifact.action import (
    Argument,
    Driver,
    Effect,
    Invocation,
    Manifest,
    Output,
    Resource,
    Reversibility,
    Role,
)
from interlock.artifact.label import Confidentiality, Integrity, Label
from interlock.artifact.plan import Proposal, ProposedStep
from interlock.artifact.task import Task
from interlock.artifact.verdict import Verdict
from interlock.decide import gate
from interlock.decide.evidence import Evidence, Site
from interlock.decide.policy import PolicySet, compile_policies

NOW = 1_000_000
ROOT, HOME = "/srv/work", "/home/alice"
UNTRUSTED = Label(integrity=Integrity.UNTRUSTED, sources=("page",))
PRIVATE = Label(confidentiality=Confidentiality.PRIVATE)
SECRET = Label(confidentiality=Confidentiality.RESTRICTED)


def manifest(name: str, effect: Effect, reversibility: Reversibility, **fields: object) -> Manifest:
    """A manifest of group ``g`` with one argument for each of ``arguments`` (name to role)."""
    roles: Mapping[str, Role] = fields.pop("roles", {})  # type: ignore[assignment]
    return Manifest(
        name=name,
        group="g",
        sentence=name,
        effect=effect,
        reversibility=reversibility,
        arguments={key: Argument(type="string", role=role, required=False) for key, role in roles.items()},
        driver=Driver(name="python", operation="m:f"),
        **fields,  # type: ignore[arg-type]
    )


def file(argument: str, access: Effect) -> Resource:
    return Resource(kind="file", name=f"{{{argument}}}", access=access)


def needing(argument: str, found: Manifest) -> Manifest:
    """The manifest with one argument required."""
    needed = msgspec.structs.replace(found.arguments[argument], required=True)
    return msgspec.structs.replace(found, arguments={**found.arguments, argument: needed})


P, C = Role.PATH, Role.CONTENT
MANIFESTS = (
    manifest("read", Effect.READ, Reversibility.PURE, roles={"path": P}, resources=(file("path", Effect.READ),)),
    manifest(
        "write", Effect.WRITE, Reversibility.REVERSIBLE, roles={"path": P, "content": C},
        resources=(file("path", Effect.WRITE),), accepts=Confidentiality.RESTRICTED,
    ),
    manifest(
        "send", Effect.SEND, Reversibility.IRREVERSIBLE, roles={"url": Role.URL, "body": C, "tenant": C}, external=True,
        resources=(Resource(kind="url", name="{url}", access=Effect.SEND),), destinations=("url",),
        accepts=Confidentiality.INTERNAL,
    ),
    manifest(
        "mail", Effect.SEND, Reversibility.IRREVERSIBLE, roles={"to": Role.RECIPIENT, "body": C}, external=True,
        resources=(Resource(kind="mail", name="{to}", access=Effect.SEND),), destinations=("to",),
        accepts=Confidentiality.INTERNAL,
    ),
    needing(
        "tenant",
        manifest("scoped", Effect.READ, Reversibility.PURE, roles={"tenant": C, "text": C}, scope={"tenant": "tenant"}),
    ),
    manifest(
        "page", Effect.READ, Reversibility.PURE, roles={"url": Role.URL}, external=True, output=Output(label=UNTRUSTED),
        resources=(Resource(kind="url", name="{url}", access=Effect.READ),),
    ),
    manifest("secret", Effect.READ, Reversibility.PURE, privileged=True, output=Output(label=SECRET)),
    manifest("private", Effect.READ, Reversibility.PURE, output=Output(label=PRIVATE)),
    manifest("run", Effect.EXECUTE, Reversibility.IRREVERSIBLE, broad=True, roles={"command": Role.COMMAND}),
    manifest("pay", Effect.SPEND, Reversibility.IRREVERSIBLE, roles={"amount": Role.AMOUNT}, cost=30),
    manifest(
        "make", Effect.WRITE, Reversibility.COMPENSABLE, roles={"name": Role.TARGET},
        resources=(Resource(kind="vm", name="{name}", access=Effect.WRITE),), inverse=Invocation(action="unmake@1"),
    ),
    manifest(
        "unmake", Effect.DELETE, Reversibility.IRREVERSIBLE, roles={"name": Role.TARGET},
        resources=(Resource(kind="vm", name="{name}", access=Effect.DELETE),),
    ),
    manifest(
        "orphan", Effect.WRITE, Reversibility.COMPENSABLE, resources=(Resource(kind="vm", name="x", access=Effect.WRITE),)
    ),
    manifest("odd", Effect.WRITE, Reversibility.PURE),
    manifest(
        "unsnappable", Effect.WRITE, Reversibility.REVERSIBLE, roles={"name": Role.TARGET},
        resources=(Resource(kind="vm", name="{name}", access=Effect.WRITE),),
    ),
)  # fmt: skip
CATALOGUE = {found.reference: found for found in MANIFESTS}
TASK = Task(
    id="t1",
    revision=0,
    principal="alice",
    goal="do it",
    values=("notes.txt", "https://known.example/"),
    created_at=0,
    expires_at=NOW * 10,
)
SITE = Site(
    id="w", root=ROOT, home=HOME, roots=(ROOT,), own=(f"{ROOT}/policy",), protected=("vm:main", "file:vault/**")
)


@functools.cache
def policy(text: str = 'rules:\n  - allow: "*"\n    id: all\n') -> PolicySet:
    """A compiled policy; an empty text is no policy at all."""
    return compile_policies({}, {"rules.yaml": text} if text else {}, home=HOME, root=ROOT)


def evidence(**changes: object) -> Evidence:
    """What the gate knows, with any field changed."""
    fields: dict[str, object] = {"site": SITE, "task": TASK, "catalogue": CATALOGUE, "loaded": frozenset({"g"})}
    fields |= {"policy": policy()} | changes
    catalogue: Mapping[str, Manifest] = fields["catalogue"]  # type: ignore[assignment]
    fields["digests"] = {reference: codec.digest(found) for reference, found in catalogue.items()}
    return Evidence(**fields, task_digest=codec.digest(fields["task"]))  # type: ignore[arg-type]


def step(name: str, action: str, /, **fields: object) -> ProposedStep:
    return ProposedStep(id=name, action=action, **fields)  # type: ignore[arg-type]


def judge(*steps: ProposedStep, known: Evidence | None = None, **stamp: object) -> Verdict:
    """The verdict of steps 1 to 7 on these steps."""
    known = known or evidence()
    raw = codec.encode(Proposal(task=codec.digest(known.task), goal="do it", steps=steps))
    fields: dict[str, object] = {"id": "p1", "sequence": 1, "expires_at": NOW + 1000}
    examined = gate.examine(raw, gate.Stamp(**(fields | stamp)), known)  # type: ignore[arg-type]
    return gate.decide(examined.plan, known, NOW, examined.verdict) if examined.plan else examined.verdict


def codes(verdict: Verdict) -> set[str]:
    """The codes of everything that is not simply allowed."""
    return {reason.code for reason in verdict.reasons if reason.decision.value != "ALLOW"}
