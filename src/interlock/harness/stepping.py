"""One step, once: a fresh confined process that verifies its plan and grant itself, acts, and ends.

What the process may reach is derived from the resources that were decided on: the folders of its files, its end
points through the proxy, its programs.  Arguments, secrets and outputs travel between the harness and the step
alone.  Whatever is not exactly the protocol, a forbidden call or a request outside the grant becomes an incident.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from interlock.artifact import channel, codec, frames
from interlock.artifact.action import Effect, Endpoint, Manifest, Role
from interlock.artifact.channel_pb2 import Accepted, Blob, ProxyEvent, Ran, RunStep, StepCall, StepReturn
from interlock.artifact.codec import Json
from interlock.artifact.errors import ChannelError, CodecError, InterlockError, SandboxError, StateError
from interlock.artifact.grant import attenuate, public_key
from interlock.artifact.resources import Touched, canonical_host
from interlock.harness import catalogue
from interlock.harness.confining import PROGRAM_DATA, PROGRAM_PLACES, helpers, path_grants, program, runnable
from interlock.harness.core import Core
from interlock.harness.egress import Egress
from interlock.harness.sandbox.profiles import HostGrant, JailSpec, PathGrant, Violation
from interlock.harness.scrub import scrubbed
from interlock.harness.supervisor import Child, Supervisor
from interlock.harness.watch import Incident, Watch
from interlock.harness.workspace import Workspace

Mode = RunStep.Mode
Own: TypeAlias = "Callable[[Order], Result]"
GRACE_SECONDS = 5.0
_DIED = "step.died"
MAX_BLOB = 256 * 1024 * 1024
MAX_SNAPSHOT = 1024 * 1024 * 1024
_CODE = re.compile(r"[a-z][a-z0-9_]{0,30}(\.[a-z][a-z0-9_]{0,40}){1,2}\Z")
_MISUSE = re.compile(r"grant\.[a-z_]+\Z|plan\.digest\Z|step\.(?:manifest|literal|unknown|iteration)\Z")
_HTTP = 80
_READING, _SENDING = ("GET", "HEAD", "OPTIONS"), ("POST", "PUT", "PATCH", "DELETE")
_OUT_OF_TIME = frozenset({"grant.expired", "grant.not_yet_valid"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A step that is confined to its claim: the programs that it may run.

    Code of the ``workspace`` starts what it likes: it finds every program of the machine and may run what it writes,
    none of which does more than the claim.
    """

    programs: tuple[str, ...]
    workspace: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What one step process is asked to do; ``declared`` is what its grant names, where its process gets others."""

    task: str
    plan: str
    envelope: bytes
    grant: bytes
    step: str
    iteration: int = 0
    manifest: Manifest
    touched: tuple[Touched, ...]
    arguments: Mapping[str, Json] = field(default_factory=dict[str, Json])
    secrets: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    mode: Mode = RunStep.ACT
    snapshot: bytes = b""
    declared: tuple[Touched, ...] | None = None
    seen: Seen | None = None
    paths: tuple[PathGrant, ...] | None = None
    withheld: tuple[PathGrant, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of it; ``effect_possible`` is what the step says of itself, ``started`` what the harness knows.

    ``unasked`` are files that it has changed, and nobody was asked about.
    """

    ok: bool
    started: bool = True
    code: str = ""
    message: str = ""
    output: bytes = b"null"
    effect_possible: bool = False
    requests: tuple[str, ...] = ()
    unasked: tuple[str, ...] = ()


class _Received:
    """The contents that one step hands over for its snapshot, part by part."""

    def __init__(self) -> None:
        self._parts: dict[str, list[bytes]] = {}
        self._total = 0

    def add(self, blob: Blob) -> bytes | None:
        """The whole content with its last part; raises ``ChannelError`` for a part out of order or too much."""
        parts = self._parts.setdefault(blob.digest, [])
        self._total += len(blob.data)
        if blob.part != len(parts) or self._total > MAX_SNAPSHOT or sum(map(len, parts)) + len(blob.data) > MAX_BLOB:
            raise ChannelError("step.blob", "a part of a snapshot out of order, or beyond its bound")
        parts.append(blob.data)
        return b"".join(self._parts.pop(blob.digest)) if blob.last else None


class Stepper:
    """Runs steps in processes of their own; ``own`` are the drivers that the harness itself is, by name."""

    def __init__(self, core: Core, supervisor: Supervisor, egress: Egress, watch: Watch) -> None:
        self._core = core
        self._supervisor = supervisor
        self._egress = egress
        self._watch = watch
        self.own: dict[str, Own] = {}

    def run(self, order: Order) -> Result:
        """Run one step to its end; never raises for what the step does."""
        own = self.own.get(order.manifest.driver.name)
        if own is not None:
            return own(order)
        endpoints = endpoints_of(order.manifest, order.arguments)
        if order.seen is not None:
            endpoints += claimed_endpoints(order.touched, order.seen.programs)
        try:
            child = self._supervisor.start("step", self._spec(order, endpoints))
        except (SandboxError, StateError) as error:
            return Result(ok=False, started=False, code=error.code, message=error.message)
        lease = f"{order.plan[:16]}/{order.step}/{order.iteration}/{child.pid}"
        requests: list[str] = []
        acts = order.mode == RunStep.ACT
        lifetime = order.manifest.timeout_ms / 1000 + GRACE_SECONDS
        lease_end = threading.Timer(lifetime, child.kill)  # However slowly it speaks, it ends with its lease.
        lease_end.start()
        try:
            if endpoints:
                hear = self._hearing(order, child, requests)
                self._egress.open(lease, endpoints, child, hear, order.secrets)
            result = self._result(self._converse(child, order), order, requests)
        except (ChannelError, CodecError) as error:
            if error.code != _DIED:  # That is an outage, unless the kernel saw what it tried.
                self._incident(order, error.code, error.message)
            result = Result(ok=False, code=error.code, message=error.message, effect_possible=acts)
        except (InterlockError, OSError) as error:
            code = "step.timeout" if isinstance(error, TimeoutError) else getattr(error, "code", _DIED)
            result = Result(ok=False, code=code, message="it did not end by itself", effect_possible=acts)
        finally:
            lease_end.cancel()
            self._egress.close(lease)
            violations = child.violations
            child.close()
        return self._violated(order, violations) if violations else result

    def _result(self, ran: Ran, order: Order, requests: list[str]) -> Result:
        if not ran.ok and _MISUSE.match(ran.code) and ran.code not in _OUT_OF_TIME:
            self._incident(order, ran.code, "a plan, a grant, a manifest or an argument that does not belong together")
        message = scrubbed(ran.message.encode(), order.secrets).decode("utf-8", "replace")
        return Result(
            ok=ran.ok, code=ran.code if not ran.code or _CODE.match(ran.code) else "step.code",
            message=message, output=scrubbed(ran.output, order.secrets),
            effect_possible=ran.effect_possible, requests=tuple(requests),
        )  # fmt: skip

    def _converse(self, child: Child, order: Order) -> Ran:
        blobs = _Received()
        child.channel.settimeout(order.manifest.timeout_ms / 1000 + GRACE_SECONDS)
        channel.send(child.channel, self._message(order))
        while True:
            call = channel.receive(child.channel, StepCall)
            if call is None:
                raise ChannelError(_DIED, "the step ended without saying what it did")
            match call.WhichOneof("body"):
                case "ran":
                    codec.parse(call.ran.output or b"null", limit=frames.MAX_FRAME, data=True)
                    return call.ran
                case "blob" if order.mode == RunStep.SNAPSHOT:
                    content = blobs.add(call.blob)
                    if content is not None and self._core.blobs.put(content) != call.blob.digest:
                        raise ChannelError("step.blob", "content of a snapshot that does not have its digest")
                    channel.send(child.channel, StepReturn(accepted=Accepted()))
                case "want_blob" if order.mode == RunStep.RESTORE:
                    content = self._core.blobs.get(call.want_blob.digest)
                    part = call.want_blob.part
                    data = content[part << 20 : (part + 1) << 20]
                    last = (part + 1) << 20 >= len(content)
                    blob = Blob(digest=call.want_blob.digest, part=part, last=last, data=data)
                    channel.send(child.channel, StepReturn(blob=blob))
                case _:
                    raise ChannelError("channel.state", "a message that this step may not send")

    def _message(self, order: Order) -> RunStep:
        core = self._core
        return RunStep(
            mode=order.mode,
            plan=order.envelope,
            grant=self._grant(order),
            keyring=codec.encode(core.keys.keyring),
            grant_key=public_key(core.keys.grant_seed),
            step=order.step,
            iteration=order.iteration,
            manifest=codec.encode(order.manifest),
            arguments=codec.encode(order.arguments),
            secrets={name: order.secrets[name] for name in order.manifest.secrets if name in order.secrets},
            now=core.clock(),
            snapshot=order.snapshot,
            home=str(core.workspace.folder),
            programs={name: program(name) for name in _programs(order)},
        )

    def _grant(self, order: Order) -> bytes:
        """The grant for this iteration alone and, for what acts on arguments, for exactly what it will touch."""
        public = public_key(self._core.keys.grant_seed)
        asked = order.touched if order.declared is None else order.declared
        exact = asked if order.mode in {RunStep.ACT, RunStep.READ} else None
        return attenuate(order.grant, public, order.step, order.iteration, exact)

    def _spec(self, order: Order, endpoints: tuple[Endpoint, ...]) -> JailSpec:
        needed = {path: real for name in _programs(order) for path, real in runnable(name).items()}
        return JailSpec(
            paths=self._paths(order),
            programs=tuple(dict.fromkeys(needed.values())),
            links=tuple((path, real) for path, real in needed.items() if path != real),
            packages=packages_of(order.manifest, self._core.workspace),
            hosts=tuple(HostGrant(host=endpoint.host, port=endpoint.port) for endpoint in endpoints),
        )

    def _paths(self, order: Order) -> tuple[PathGrant, ...]:
        found = order.paths
        if found is None:
            found = path_grants(order.touched, order.manifest, self._core.site.own)
        given = {one.path for one in found}
        return (*found, *(one for one in order.withheld if one.path not in given))

    def _hearing(self, order: Order, child: Child, requests: list[str]) -> Callable[[ProxyEvent], None]:
        def hear(event: ProxyEvent) -> None:
            requests.append(f"{event.method} {event.path} {event.status} {event.code}"[:300])
            if event.violation:
                child.kill()
                self._incident(order, event.code or "egress.violation", f"{event.method} {event.path}"[:300])

        return hear

    def _violated(self, order: Order, violations: Iterable[Violation]) -> Result:
        tried = ", ".join(sorted({violation.syscall for violation in violations}))
        self._incident(order, "separation.syscall", tried)
        return Result(ok=False, code="separation.syscall", message=f"the step tried {tried}", effect_possible=True)

    def _incident(self, order: Order, code: str, detail: str) -> None:
        self._watch.report(
            Incident(
                code=code, role="step", task=order.task, plan=order.plan, step=order.step, detail=detail,
                secrets=tuple(sorted(order.secrets)),
            )
        )  # fmt: skip


def relabelled(order: Order) -> Result:
    """The driver ``flow``: the value as it is; what is said of it was decided by the gate and stands in its label."""
    return Result(ok=True, output=codec.encode({"value": order.arguments["value"]}))


def endpoints_of(manifest: Manifest, arguments: Mapping[str, Json]) -> tuple[Endpoint, ...]:
    """The network end points of a step: those of its manifest, and those that its URL arguments name.

    A URL grants the driver's one method on exactly its path; its scheme says whether the proxy speaks TLS.
    """
    found = {(endpoint.host, endpoint.port): endpoint for endpoint in manifest.driver.endpoints}
    for name, schema in manifest.arguments.items():
        url = arguments.get(name)
        if schema.role is Role.URL and isinstance(url, str):
            host, _, port = canonical_host(url).rpartition(":")
            parts = urlsplit(url)
            found.setdefault(
                (host, int(port)),
                Endpoint(
                    host=host, port=int(port), mode="tls" if parts.scheme == "https" else "plain",
                    methods=(manifest.driver.operation.upper(),), paths=(parts.path or "/",),
                ),
            )  # fmt: skip
    return tuple(found.values())


def packages_of(manifest: Manifest, workspace: Workspace) -> tuple[str, ...]:
    """The folder of the package that carries an action out, where it has one."""
    name = manifest.driver.package
    return (str(catalogue.package_folders(workspace)[name] / name),) if name else ()


def claimed_endpoints(touched: Iterable[Touched], programs: Container[str]) -> tuple[Endpoint, ...]:
    """The end points of a claim; the program speaks for itself there, in whatever way but at the port of plain HTTP."""
    found: dict[tuple[str, int], bool] = {}
    for one in touched:
        if one.kind == "endpoint" and not one.open:
            host, _, port = one.name.rpartition(":")
            found[host, int(port)] = found.get((host, int(port)), False) or one.access is not Effect.READ
    fetches = "git" in programs  # It asks for what it fetches in the body of a request.
    return tuple(_spoken_to(host, port, sends=fetches or sends) for (host, port), sends in found.items() if port)


def _spoken_to(host: str, port: int, *, sends: bool) -> Endpoint:
    if port != _HTTP:
        return Endpoint(host=host, port=port, mode="opaque")
    return Endpoint(
        host=host, port=port, mode="plain", methods=(*_READING, *(_SENDING if sends else ())), paths=("/**",)
    )


def _programs(order: Order) -> tuple[str, ...]:
    """What the step may run, by name, and the folders of programs and of their data that this machine has."""
    if order.seen is None:
        return order.manifest.driver.programs
    named, places = order.seen.programs, list(PROGRAM_DATA)
    if order.seen.workspace:
        named, places = tuple(name for name in named if "/" not in name), [*PROGRAM_PLACES, *PROGRAM_DATA]
    return (*named, *helpers(named), *(place for place in places if Path(place).exists()))
