"""A confined process from its fork to its last line: lock down, report, wait for the word, run.

Nothing of the user's runs before the supervisor has answered the last canary; what runs then finds one
channel, the granted folders, an empty environment and its module path, and no way back.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import json
import linecache
import os
import signal
import socket
import sys
import traceback
from importlib.machinery import ModuleSpec
from typing import Final, NoReturn

import msgspec

from interlock.artifact import frames
from interlock.artifact.errors import InterlockError, SandboxError
from interlock.harness.sandbox import jail, probes, raw, rehearsal
from interlock.harness.sandbox.jail import MEMORY, PIDFD
from interlock.harness.sandbox.profiles import CHANNEL, REPORT, Bequest, JailSpec, Limits, Locked, Profile
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


BEQUESTS: Final = msgspec.msgpack.Decoder(Bequest)


importlib.import_module("zoneinfo")  # It looks for a home folder, once; later that would look like an attempt.


def live(orders: int, channel: int, world: World, identity: int | None) -> NoReturn:
    """The child's whole life; never returns to the zygote's code."""
    code = CRASHED
    try:
        code = _life(orders, channel, world, identity)
    except SystemExit as leaving:
        code = _exit_code(leaving)
    except BaseException:  # noqa: BLE001 - nothing above may see a child's exception: it would be the zygote
        traceback.print_exc()
    finally:
        _flush()
        os._exit(code)


def _life(orders: int, channel: int, world: World, identity: int | None) -> int:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ.clear()
    os.setsid()
    failure = _prepare(orders, channel, world, identity)
    reporting = socket.socket(fileno=REPORT)
    if world.pooled:
        _refusal(world, JailSpec())
        rehearsal.rehearse(world.profile, world.missing, world.abi)
    reporting.send(b"w")
    body, descriptors = frames.receive_rights(reporting, 1 << 18, _MAX_DESCRIPTORS)
    if not body:
        return 0
    bequest = BEQUESTS.decode(body)
    try:
        if refusal := bequest.refusal or failure or _refusal(world, bequest.spec):
            raise SandboxError(*refusal)
        directories = _start(world, bequest, descriptors, reporting)
    except (OSError, InterlockError) as error:
        code, text = described(error)
        reporting.send(msgspec.msgpack.encode(Locked(code=code, message=text)))
        return CRASHED
    return _run(world.profile, bequest.spec, directories)


def _prepare(orders: int, channel: int, world: World, identity: int | None) -> tuple[str, str] | None:
    """Everything that needs no order, and no descriptor of the zygote's left; the code and text of a failure."""
    memory = os.open("/proc/self/mem", os.O_RDONLY | os.O_CLOEXEC)
    ruleset, failure = -1, None
    try:
        if world.namespaces:
            jail.become(identity, world.identity)
            jail.enter_namespaces(world.profile)
            jail.build_root(world.profile, world.runtime)
        ruleset = jail.make_ruleset(world.profile, world.runtime, world.abi, own_root=world.namespaces)
        jail.shed_power(namespaces=world.namespaces)
    except OSError as error:
        failure = described(error)
    jail.arrange_descriptors(channel, [orders, os.pidfd_open(os.getpid()), memory, ruleset])
    jail.limit_by_default(world.profile)
    return failure


def _refusal(world: World, spec: JailSpec) -> tuple[str, str] | None:
    if spec.mode == "serve" and world.entry_error:
        return "sandbox.entry", f"the {world.profile.role}'s code: {world.entry_error}"
    if not world.namespaces and (spec.programs or spec.hosts):
        return "sandbox.reduced", "without namespaces a step gets neither programs nor hosts"
    if not world.namespaces and any(grant.hidden for grant in spec.paths):
        return "sandbox.reduced", "without namespaces nothing can be hidden from a step"
    return None


def _start(world: World, bequest: Bequest, descriptors: list[int], reporting: socket.socket) -> dict[str, int]:
    """Steps (4) to (8), the probes, the report and the word to go; returns the granted folders' descriptors."""
    profile, spec = world.profile, bequest.spec
    trees = jail.take_outputs(descriptors, outputs=bequest.outputs)
    if world.namespaces:
        jail.attach_grants(spec, bequest.targets, trees)
        jail.link(spec)
        jail.hide(spec)
    directories = {grant.path: raw.hold(grant.path) for grant in spec.paths if not grant.hidden}
    if [*directories.values()] != [*range(CHANNEL + 1, CHANNEL + 1 + len(directories))]:
        raise SandboxError("sandbox.descriptors", "a descriptor was left open on the way into the jail")
    listening = jail.listen_for(spec) if spec.hosts else []
    if spec.programs or spec.limits != Limits():
        jail.limit(profile, spec.limits, programs=bool(spec.programs))
    raw.clear_capabilities()
    if world.abi:
        jail.restrict(profile, spec, world.runtime, world.abi)
    notify = "notification" not in world.missing
    listener = raw.seccomp_install(program(profile, spec, notify=notify), listen=notify)
    gc.enable()
    for probe in probes.DIRECT.get(profile.role, ()):
        if not probes.refused(probe):
            raise SandboxError("sandbox.probe", f"a confined {profile.role} could {probe.name}")
    watched = probes.WATCHED[profile.role]
    handed = [PIDFD, MEMORY, *listening, *([listener] if notify else [])]
    socket.send_fds(reporting, [msgspec.msgpack.encode(Locked(canaries=len(watched)))], handed)
    reporting.detach()
    raw.call("close_range", CHANNEL + 1 + len(directories), 0xFFFF_FFFF, 0)
    check = probes.refused_by_supervisor if notify else probes.refused
    for probe in watched:
        if not check(probe):
            os._exit(PROBE_PASSED)
    return directories


def described(error: OSError | InterlockError) -> tuple[str, str]:
    """The stable code and the text of what went wrong on the way into the jail."""
    if isinstance(error, InterlockError):
        return error.code, error.message
    return "sandbox.layer", f"{error.filename or 'a layer'}: {error.strerror}"


def _run(profile: Profile, spec: JailSpec, directories: dict[str, int]) -> int:
    channel = socket.socket(fileno=CHANNEL)
    sys.meta_path.append(Packages(spec.packages))
    if spec.mode == "script":
        return _run_script(channel)
    if spec.mode == "probe":
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


class Packages:
    """Finds granted packages by the names of their folders; what stands beside them is nobody's module."""

    def __init__(self, folders: tuple[str, ...]) -> None:
        self._folders = {folder.rpartition("/")[2]: folder for folder in folders}

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """As of a ``MetaPathFinder``; submodules are found in the package by Python's own."""
        del path, target
        folder = self._folders.get(name)
        if folder is None:
            return None
        source = f"{folder}/__init__.py"
        if os.path.isfile(source):  # noqa: PTH113 - as in the rest of the jail
            return importlib.util.spec_from_file_location(name, source, submodule_search_locations=[folder])
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [folder]
        return spec


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
