"""A confined process from its fork to its last line: lock down, report, wait for the word, run.

Nothing of the user's runs before the supervisor has answered the last canary; what runs then finds one
channel, the granted folders, an empty environment and its module path, and no way back.
"""

from __future__ import annotations

import errno
import gc
import importlib
import json
import linecache
import os
import signal
import socket
import sys
import traceback
from typing import Final, NamedTuple, NoReturn

import msgspec

from interlock.artifact import frames
from interlock.artifact.errors import InterlockError, SandboxError
from interlock.harness.sandbox import jail, probes, raw, rehearsal
from interlock.harness.sandbox.profiles import CHANNEL, REPORT, Bequest, JailSpec, Locked, Profile
from interlock.harness.sandbox.syscall_rules import program

CRASHED: Final = 70  # EX_SOFTWARE
PROBE_PASSED: Final = 99
_MAX_DESCRIPTORS: Final = 250


class World(msgspec.Struct, frozen=True, kw_only=True):
    """What the zygote knows of the machine: the same for all of its children."""

    profile: Profile
    runtime: tuple[str, ...]
    identity: tuple[int, int]
    dedicated: bool
    missing: tuple[str, ...]
    abi: int
    entry_error: str
    pooled: bool

    @property
    def namespaces(self) -> bool:
        return "namespaces" not in self.missing


class Prepared(NamedTuple):
    """What a child has behind it when its order comes."""

    memory: int
    ruleset: int
    failure: str


BEQUESTS: Final = msgspec.msgpack.Decoder(Bequest)


def live(orders: socket.socket, world: World, identity: int | None) -> NoReturn:
    """The child's whole life; never returns to the zygote's code."""
    code = CRASHED
    try:
        code = _life(orders, world, identity)
    except SystemExit as leaving:
        code = _exit_code(leaving)
    except BaseException:  # noqa: BLE001 - nothing above may see a child's exception: it would be the zygote
        traceback.print_exc()
    finally:
        _flush()
        os._exit(code)


def _life(orders: socket.socket, world: World, identity: int | None) -> int:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ.clear()
    os.setsid()
    memory = os.open("/proc/self/mem", os.O_RDONLY | os.O_CLOEXEC)
    ruleset, failure = -1, ""
    try:
        if world.namespaces:
            jail.become(identity, world.identity)
            jail.enter_namespaces(world.profile)
            jail.build_root(world.profile, world.runtime)
        ruleset = jail.make_ruleset(world.profile, world.runtime, world.abi, own_root=world.namespaces)
        jail.shed_power()
    except OSError as error:
        failure = f"{error.filename or 'a layer'}: {errno.errorcode.get(error.errno or 0, 'error')}"
    if world.pooled:
        rehearsal.rehearse(world.profile, world.missing)
    orders.send(b"w")
    body, descriptors, _, _ = socket.recv_fds(orders, 1 << 18, _MAX_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
    if not body:
        return 0
    return _start(world, BEQUESTS.decode(body), descriptors, Prepared(memory, ruleset, failure))


def _start(world: World, bequest: Bequest, descriptors: list[int], prepared: Prepared) -> int:
    report, channel, *rest = descriptors
    os.dup2(report, REPORT, inheritable=False)
    outputs, trees = (rest[:2], rest[2:]) if bequest.outputs else ([], rest)
    spec = bequest.spec
    try:
        if prepared.failure:
            raise SandboxError("sandbox.layer", prepared.failure)
        if spec.mode == "serve" and world.entry_error:
            raise SandboxError("sandbox.entry", f"the {world.profile.role}'s code: {world.entry_error}")
        listening = _grant(world, spec, list(zip(bequest.targets, trees, strict=True)))
        if prepared.ruleset >= 0:
            jail.restrict(prepared.ruleset, world.profile, spec, world.runtime, world.abi)
        granted = [os.open(grant.path, os.O_PATH | os.O_CLOEXEC) for grant in spec.paths]
        sent = [os.pidfd_open(os.getpid()), prepared.memory, *listening]
        numbers = jail.arrange_descriptors(channel, outputs, [*granted, *sent])
        _lock(world, spec, numbers[len(granted) :])
    except (OSError, InterlockError) as error:
        code, text = described(error)
        socket.socket(fileno=REPORT).send(msgspec.msgpack.encode(Locked(code=code, message=text)))
        return CRASHED
    directories = dict(zip((grant.path for grant in spec.paths), numbers, strict=False))
    gc.enable()
    return _run(spec.mode, world.profile, spec, directories)


def described(error: OSError | InterlockError) -> tuple[str, str]:
    if isinstance(error, InterlockError):
        return error.code, error.message
    return "sandbox.layer", f"{error.filename or 'a layer'}: {error.strerror}"


def _grant(world: World, spec: JailSpec, trees: list[tuple[str, int]]) -> list[int]:
    """Step (4); returns the listening descriptors."""
    if not world.namespaces:
        return []
    jail.attach_grants(trees)
    listeners = jail.listen_for(spec)
    return [listener.detach() for listener in listeners]


def _lock(world: World, spec: JailSpec, sent: list[int]) -> None:
    """Steps (6) and (8), the direct probes, the report, and the watched probes."""
    profile = world.profile
    jail.limit(profile, spec.limits, programs=bool(spec.programs))
    raw.clear_capabilities()
    notify = "notification" not in world.missing
    listener = raw.seccomp_install(program(profile, spec, notify=notify), listen=notify)
    _report(profile, sent, listener)


def _report(profile: Profile, sent: list[int], listener: int) -> None:
    for probe in probes.DIRECT.get(profile.role, ()):
        if not probes.refused(probe):
            raise SandboxError("sandbox.probe", f"a confined {profile.role} could {probe.name}")
    watched = probes.WATCHED[profile.role]
    with socket.socket(fileno=REPORT) as reporting:
        pidfd, memory, *listeners = sent
        handed = [pidfd, memory, *([listener] if listener >= 0 else []), *listeners]
        body = msgspec.msgpack.encode(Locked(canaries=len(watched)))
        socket.send_fds(reporting, [body], handed)
    for descriptor in handed:
        os.close(descriptor)
    for probe in watched:
        if not probes.refused(probe):
            os._exit(PROBE_PASSED)


def _run(mode: str, profile: Profile, spec: JailSpec, directories: dict[str, int]) -> int:
    channel = socket.socket(fileno=CHANNEL)
    sys.path.extend(spec.packages)
    if mode == "script":
        return _run_script(channel)
    if mode == "probe":
        outcome = {probe.name: probes.refused(probe) for probe in probes.FULL}
        frames.send(channel, msgspec.json.encode(outcome))
        return 0
    module, function = profile.entry.split(":")
    serve = getattr(importlib.import_module(module), function)
    return int(serve(channel, directories))


def _run_script(channel: socket.socket) -> int:
    """Run the source that the channel brings, as ``python FILE ARGS`` would; the channel stays open."""
    arguments, source = frames.receive(channel), frames.receive(channel)
    if arguments is None or source is None:
        return 0
    sys.argv = [str(word) for word in json.loads(arguments)]
    name = sys.argv[0]
    linecache.cache[name] = (len(source), None, source.decode("utf-8", "replace").splitlines(keepends=True), name)
    main = type(sys)("__main__")
    main.__dict__.update(__file__=name, __builtins__=__builtins__)
    sys.modules["__main__"] = main
    try:
        exec(compile(source, name, "exec"), main.__dict__)  # noqa: S102 - running it, confined, is the purpose
    except SystemExit as leaving:
        return _exit_code(leaving)
    except BaseException:  # noqa: BLE001 - as the interpreter itself would
        traceback.print_exc()
        return 1
    return 0


def _exit_code(leaving: SystemExit) -> int:
    if leaving.code is None or isinstance(leaving.code, int):
        return (leaving.code or 0) & 0xFF
    print(leaving.code, file=sys.stderr)  # noqa: T201 - as the interpreter itself would
    return 1


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue
