"""A world for one step: the real catalogue, a folder with its descriptor, a sealed plan and its grant.

Nothing is imitated: drivers get real descriptors, ``request`` signs and mints as the harness does, and
``converse`` is the harness's side of a step's channel, with a store of contents.
"""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlock.artifact import channel, codec, grant, signing
from interlock.artifact.action import Manifest
from interlock.artifact.channel_pb2 import Accepted, Blob, Ran, RunStep, StartExecution, StepCall, StepReturn
from interlock.artifact.plan import ForEach, Plan, Step
from interlock.artifact.resources import touched
from interlock.artifact.signing import Keyring, PublicKey, Signer
from interlock.executor import step_main
from interlock.executor.drivers import files, shell
from interlock.executor.drivers.places import Places
from interlock.executor.work import Work

NOW: Final = 1_800_000_000_000
SIGNER: Final = Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OTHER: Final = Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
SEED: Final = bytes(range(2, 34))
KEYRING: Final = Keyring(
    keys=(PublicKey(id=SIGNER.id, owner="harness", public=SIGNER.public.hex(), roles=("harness",), not_before=0),)
)
DRIVERS: Final = {"files": files.run, "shell": shell.run}


def catalogue() -> dict[str, Manifest]:
    """The built-in manifests by reference."""
    found: dict[str, Manifest] = {}
    for item in resources.files("interlock.executor").joinpath("catalogue").iterdir():
        actions = codec.parse(item.read_bytes())["actions"]
        found.update({m.reference: m for m in (codec.convert(action, Manifest) for action in actions)})
    return found


CATALOGUE: Final = catalogue()


@contextmanager
def granted(*paths: Path) -> Iterator[dict[str, int]]:
    """Each path as an O_PATH descriptor, as a jailed step finds it."""
    descriptors = {str(path): os.open(path, os.O_PATH | os.O_CLOEXEC) for path in paths}
    try:
        yield descriptors
    finally:
        for descriptor in descriptors.values():
            os.close(descriptor)


def work(
    directories: Mapping[str, int], home: Path, action: str | Manifest, seconds: float = 20, /, **arguments: Any
) -> Work:
    """One step's work, as the step makes it after its checks."""
    manifest = CATALOGUE[f"{action}@1"] if isinstance(action, str) else action
    return Work(
        manifest=manifest,
        arguments=arguments,
        places=Places(directories, str(home)),
        home=str(home),
        key="k" * 32 + "-s1-0",
        deadline=time.monotonic() + seconds,
    )


def act(folder: Path, action: str, seconds: float = 20, /, **arguments: Any) -> Any:
    """Run one built-in action in a granted folder."""
    with granted(folder) as directories:
        todo = work(directories, folder, action, seconds, **arguments)
        return DRIVERS[todo.manifest.driver.name](todo)


def plan_of(*steps: Step, **changes: Any) -> Plan:
    """A plan as the harness stamps it."""
    facts: dict[str, Any] = {"id": "p1", "revision": 0, "parent": None, "task": "0" * 64, "workspace": "w"}
    return Plan(**{**facts, "sequence": 1, "goal": "g", "steps": steps, "expires_at": NOW + 60_000, **changes})


def step_of(manifest: Manifest, **arguments: Any) -> Step:
    """A step ``s1`` that pins the manifest."""
    return Step(id="s1", action=manifest.reference, arguments=arguments, manifest=codec.digest(manifest))


def looping(name: str, at_most: int | None = None) -> Step:
    """A step for the core's order alone, run at most so many times."""
    loop = None if at_most is None else ForEach(items={"$ref": "s1.output"}, at_most=at_most)
    return Step(id=name, action="a@1", manifest="2" * 64, for_each=loop)


THREE_STEPS: Final = plan_of(looping("s1"), looping("s2", 3), looping("s3"))


def core_start(plan: Plan = THREE_STEPS, **changes: Any) -> StartExecution:
    """What the harness sends an executor core."""
    digest = codec.digest(plan)
    steps = tuple(
        grant.GrantedStep(
            step=item.id, iterations=item.for_each.at_most if item.for_each else 1, action="a@1", manifest="2" * 64
        )
        for item in plan.steps
    )
    claims = grant.GrantClaims(plan=digest, task="t", steps=steps, not_before=NOW, expires_at=NOW + 1000)
    facts: dict[str, Any] = {
        "plan": signing.sign(SIGNER, "plan", digest, plan),
        "grant": grant.mint(SEED, claims),
        "keyring": codec.encode(KEYRING),
        "grant_key": grant.public_key(SEED),
        "now": NOW,
    }
    return StartExecution(**{**facts, **changes})


def request(manifest: Manifest, arguments: Mapping[str, Any], home: Path, /, **changes: Any) -> RunStep:
    """What the harness sends for a one-step plan; ``changes`` replace fields of the message."""
    plan = plan_of(step_of(manifest, **arguments))
    digest = codec.digest(plan)
    facts: dict[str, Any] = {
        "plan": signing.sign(SIGNER, "plan", digest, plan),
        "grant": grant_for(plan, manifest, arguments, home),
        "keyring": codec.encode(KEYRING),
        "grant_key": grant.public_key(SEED),
        "step": "s1",
        "manifest": codec.encode(manifest),
        "arguments": codec.encode(arguments),
        "now": NOW,
        "home": str(home),
    }
    return RunStep(**{**facts, **changes})


def grant_for(plan: Plan, manifest: Manifest, arguments: Mapping[str, Any], home: Path, seed: bytes = SEED) -> bytes:
    """The grant over a one-step plan."""
    allowed = grant.GrantedStep(
        step="s1",
        iterations=1,
        action=manifest.reference,
        manifest=codec.digest(manifest),
        resources=touched(manifest, arguments, arguments, root=str(home), home=""),
    )
    claims = grant.GrantClaims(
        plan=codec.digest(plan), task="t1", steps=(allowed,), not_before=NOW - 1000, expires_at=NOW + 60_000
    )
    return grant.mint(seed, claims)


def converse(sock: socket.socket, message: RunStep, store: dict[str, bytes]) -> Ran:
    """The harness's side: send the step, keep or hand out contents, return what it ran to."""
    channel.send(sock, message)
    parts: dict[str, bytes] = {}
    while True:
        call = channel.receive(sock, StepCall)
        assert call is not None
        match call.WhichOneof("body"):
            case "ran":
                return call.ran
            case "blob":
                parts[call.blob.digest] = parts.get(call.blob.digest, b"") + call.blob.data
                if call.blob.last:
                    store[call.blob.digest] = parts.pop(call.blob.digest)
                    assert hashlib.sha256(store[call.blob.digest]).hexdigest() == call.blob.digest
                channel.send(sock, StepReturn(accepted=Accepted()))
            case _:
                want = call.want_blob
                data = store[want.digest][want.part << 20 : (want.part + 1) << 20]
                last = (want.part + 1) << 20 >= len(store[want.digest])
                blob = Blob(digest=want.digest, part=want.part, last=last, data=data)
                channel.send(sock, StepReturn(blob=blob))


def run_step(message: RunStep, *folders: Path, store: dict[str, bytes] | None = None) -> Ran:
    """Serve one step in this process (its main thread), the harness's side in another thread."""
    import threading

    ours, theirs = socket.socketpair()
    found: list[Ran] = []
    ours.settimeout(60)
    peer = threading.Thread(target=lambda: found.append(converse(ours, message, {} if store is None else store)))
    peer.start()
    with ours, granted(*folders) as directories:
        with theirs:
            code = step_main.serve(theirs, directories)
        peer.join()
    assert code == (0 if found[0].ok else 1)
    return found[0]
