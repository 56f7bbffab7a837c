"""What a step verifies by itself before it acts; the numbers stand in the tests' names too.

 1. The plan's envelope verifies under a trusted harness key, and its subject is the plan's own digest.
 2. The step exists in the plan, and the iteration lies within its bound.
 3. The manifest is the one whose digest the plan pins, and the one that the step names.
 4. The arguments have the plan's names, and each literal is byte for byte the plan's.
 5. The arguments are valid against the manifest's schema.
 6. The mode is admissible: READ reads, and only SNAPSHOT and RESTORE come with a snapshot, and without arguments.
 7. The secrets are among those that the manifest names; a snapshot has none.
 8. The grant authorises exactly this: plan, step, iteration, action, manifest and each touched resource, now.
    For a snapshot these are its paths, under an access other than reading that the manifest declares.

Each raises an ``InterlockError`` with a stable code.  What comes out, an ``Admitted``, is all that is acted on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import msgspec

from interlock.artifact import arguments as schema
from interlock.artifact import codec, grant, signing
from interlock.artifact.action import Effect, Manifest
from interlock.artifact.channel_pb2 import RunStep
from interlock.artifact.codec import Json, Value
from interlock.artifact.errors import GrantError, InterlockError
from interlock.artifact.plan import Plan, Step
from interlock.artifact.resources import Touched, inside, touched
from interlock.artifact.signing import Keyring
from interlock.artifact.snapshot import MAX_ENCODED, Restoration

MAX_KEYRING: Final = 1 << 20
Alternatives: TypeAlias = tuple[tuple[Touched, ...], ...]


class StepError(InterlockError):
    """A step that is not exactly what was sealed; nothing has happened."""


class Capture(Value, frozen=True, kw_only=True):
    """What a SNAPSHOT is asked for; without ``contents`` the state alone is recorded, no content is sent."""

    paths: tuple[str, ...]
    contents: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """One verified step."""

    mode: RunStep.Mode
    plan: Plan
    digest: str
    step: Step
    iteration: int
    manifest: Manifest
    arguments: Mapping[str, Json]
    secrets: Mapping[str, str] = field(repr=False)
    home: str
    programs: Mapping[str, str]
    capture: Capture | None = None
    restoration: Restoration | None = None

    @property
    def key(self) -> str:
        """Unique to (plan, step, iteration)."""
        return f"{self.digest[:32]}-{self.step.id}-{self.iteration}"


def verified_plan(envelope: bytes, keyring: bytes, now: int) -> tuple[Plan, str]:
    """(1) The plan and its digest, from an envelope that a trusted harness key signed."""
    keys = codec.decode_canonical(keyring, Keyring, limit=MAX_KEYRING)
    verified = signing.verify(envelope, keys, "harness", "plan", Plan, at=now)
    digest = codec.digest(verified.predicate)
    if verified.subject != digest:
        raise StepError("plan.digest", "the envelope's subject is not the digest of its plan")
    return verified.predicate, digest


def admit(request: RunStep) -> Admitted:
    """All eight checks; raises ``InterlockError``."""
    # (1) The plan, signed.
    plan, digest = verified_plan(request.plan, request.keyring, request.now)
    # (2) The step and its iteration.
    step = _step(plan, request.step, request.iteration)
    # (3) The manifest, pinned.
    manifest = _manifest(step, request.manifest)
    # (4) The literals, unchanged; (5) the arguments, valid.
    capturing = request.mode in {RunStep.SNAPSHOT, RunStep.RESTORE}
    arguments: Mapping[str, Json] = {} if capturing else _arguments(step, manifest, request.arguments)
    # (6) The mode.
    capture, restoration = _mode(request, manifest)
    # (7) The secrets.
    secrets = _secrets(request, () if capturing else manifest.secrets)
    # (8) The grant, last, because it answers for what the other checks have made certain.
    authority = grant.GrantRequest(
        plan=digest, step=step.id, iteration=request.iteration, action=step.action, manifest=step.manifest
    )
    for resources in _resources(request, manifest, arguments, capture, restoration):
        _authorise(request, authority, resources)
    return Admitted(
        mode=request.mode,
        plan=plan,
        digest=digest,
        step=step,
        iteration=request.iteration,
        manifest=manifest,
        arguments=arguments,
        secrets=secrets,
        home=request.home,
        programs={name: path for name, path in request.programs.items() if _declares(manifest, name, path)},
        capture=capture,
        restoration=restoration,
    )


def _declares(manifest: Manifest, name: str, path: str) -> bool:
    """Whether the manifest grants a program: by its name, or by a folder that holds the file behind it."""
    programs = manifest.driver.programs
    return name in programs or any(one.startswith("/") and inside(path, one) for one in programs)


def bound_of(step: Step) -> int:
    """How many iterations the plan admits."""
    return step.for_each.at_most if step.for_each else 1


def _step(plan: Plan, step_id: str, iteration: int) -> Step:
    try:
        step = plan.step(step_id)
    except KeyError:
        raise StepError("step.unknown", "the plan has no such step") from None
    if iteration >= bound_of(step):
        raise StepError("step.iteration", f"the plan admits {bound_of(step)} iterations of this step")
    return step


def _manifest(step: Step, raw: bytes) -> Manifest:
    manifest = codec.decode_canonical(raw, Manifest)
    if codec.digest(manifest) != step.manifest or manifest.reference != step.action:
        raise StepError("step.manifest", "the manifest is not the one that the plan pins")
    return manifest


def _arguments(step: Step, manifest: Manifest, raw: bytes) -> Mapping[str, Json]:
    arguments = codec.convert(codec.parse(raw, data=True), dict[str, codec.Json])
    if arguments.keys() != step.arguments.keys():
        raise StepError("step.arguments", "an argument that the plan does not have, or one that is missing")
    for name, planned in step.arguments.items():
        if schema.is_literal(planned) and codec.encode(planned) != codec.encode(arguments[name]):
            raise StepError("step.literal", f"the argument {name!r} is not the literal of the plan")
    schema.validate(manifest, arguments)
    return arguments


def _mode(request: RunStep, manifest: Manifest) -> tuple[Capture | None, Restoration | None]:
    match request.mode:
        case RunStep.SNAPSHOT:
            return _capture(request), None
        case RunStep.RESTORE:
            return None, codec.decode(request.snapshot, Restoration, limit=2 * MAX_ENCODED, data=True)
        case RunStep.READ if manifest.effect is not Effect.READ:
            raise StepError("step.mode", "an observation or preview may only read")
        case _ if request.snapshot:
            raise StepError("step.mode", "a snapshot came with a step that takes none")
        case _:
            return None, None


def _capture(request: RunStep) -> Capture:
    value = codec.parse(request.snapshot, data=True)
    return codec.convert({"paths": value} if isinstance(value, list) else value, Capture)


def _resources(
    request: RunStep,
    manifest: Manifest,
    arguments: Mapping[str, Json],
    capture: Capture | None,
    restoration: Restoration | None,
) -> Iterator[Alternatives]:
    """What the grant must answer for: each item names alternatives, of which one must be granted."""
    if capture is None and restoration is None:
        yield (touched(manifest, arguments, arguments, root=request.home, home=""),)
        return
    paths = set(capture.paths) if capture else set[str]()
    paths |= {*restoration.before.roots, *restoration.after.roots} if restoration else set[str]()
    if not paths:
        raise StepError("step.paths", "a snapshot of nothing")
    accesses = {item.access for item in manifest.resources if item.kind == "file" and item.access is not Effect.READ}
    accesses |= {Effect.WRITE, Effect.DELETE} if manifest.broad else set()  # As claimed, where the grant says so.
    for path in sorted(paths):
        yield tuple((Touched(kind="file", name=path, access=access),) for access in sorted(accesses))


def _authorise(request: RunStep, authority: grant.GrantRequest, alternatives: Alternatives) -> None:
    refusal = GrantError("grant.resource", "the manifest declares no access that this needs")
    for resources in alternatives:
        asked = msgspec.structs.replace(authority, resources=resources)
        try:
            grant.authorise(request.grant, request.grant_key, asked, request.now)
        except GrantError as error:
            refusal = error
        else:
            return
    raise refusal


def _secrets(request: RunStep, admitted: Sequence[str]) -> Mapping[str, str]:
    if not set(request.secrets) <= set(admitted):
        raise StepError("step.secrets", "a secret that the manifest does not name")
    try:
        return {name: value.decode() for name, value in request.secrets.items()}
    except UnicodeDecodeError:
        raise StepError("step.secrets", "a secret that is not UTF-8 text") from None
