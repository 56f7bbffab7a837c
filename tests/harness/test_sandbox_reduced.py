"""A machine that lacks a layer: an error by default, and by name what is missing where that was accepted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from interlock.harness.sandbox.profiles import JailSpec
from interlock.harness.sandbox.watch import Watch

pytestmark = pytest.mark.sandbox

_TESTS = str(Path(__file__).resolve().parents[1])

_PRELUDE = """
import os, struct, sys
from interlock.harness.sandbox import raw
from interlock.artifact.errors import SandboxError
from interlock.harness.supervisor import Supervisor
from interlock.harness.sandbox.profiles import HostGrant, JailSpec, PathGrant
from support.jails import confined, launch
"""
_NO_NAMESPACES = """
from interlock.harness.sandbox.jail import become
become(None, (os.getuid(), os.getgid()))
for kind in ("user", "mnt"):
    with open(f"/proc/sys/user/max_{kind}_namespaces", "w") as limit:
        limit.write("0")
"""
_TAKEN_LISTENER = """
from interlock.harness.sandbox.bpf import ALLOW, assemble
from interlock.harness.sandbox.syscalls import AUDIT_ARCH, MACHINE
raw.prctl(38, 1)
raw.seccomp_install(assemble({0: ALLOW}, ALLOW, AUDIT_ARCH[MACHINE]), listen=True)
"""
_FULL = """
with Supervisor(lambda _: None) as supervisor:
    try:
        supervisor.start("planner")
    except SandboxError as error:
        print(error.code, error.message)
"""
_REDUCED = """
with Supervisor(lambda _: None, unsafe_reduced=True) as supervisor:
    for role in ("planner", "step"):
        child = launch(supervisor, SOURCE, role=role)
        print(role, child.reduced, child.wait(10), os.read(child.stdout, 999).decode().split())
        child.close()
"""
_TRIES = '''
SOURCE = """
import ctypes, os, socket
def tried(function):
    try:
        function()
    except OSError:
        return "no"
    return "YES"
print(tried(lambda: open("/etc/shadow")), tried(lambda: open("/tmp/planted", "w")), tried(socket.socket),
      tried(os.fork), tried(lambda: os.kill(os.getppid(), 0)), tried(lambda: os.listdir("/proc")))
"""
'''


def _run(*parts: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", "\n".join((_PRELUDE, _TRIES, *parts))],
        env=os.environ | {"PYTHONPATH": _TESTS},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_without_namespaces_nothing_starts() -> None:
    assert _run(_NO_NAMESPACES, _FULL) == ["sandbox.layer_missing this machine offers no namespaces"]


def test_without_namespaces_the_named_bypass_still_confines() -> None:
    found = _run(_NO_NAMESPACES, _REDUCED)
    assert found == [
        "planner ('namespaces',) 0 ['no', 'no', 'no', 'no', 'no', 'no']",
        "step ('namespaces',) 0 ['no', 'no', 'no', 'no', 'no', 'no']",
    ]


def test_without_namespaces_a_step_reads_its_grant_and_gets_no_host_and_nothing_hidden(tmp_path: Path) -> None:
    path = os.path.realpath(tmp_path)
    (tmp_path / "note").write_text("note")
    found = _run(
        _NO_NAMESPACES,
        f"""
with Supervisor(lambda _: None, unsafe_reduced=True) as supervisor:
    spec = JailSpec(paths=(PathGrant(path={path!r}, write=True),))
    print(confined(supervisor, "print(open({path + "/note"!r}).read())", spec=spec).out.strip())
    hidden = JailSpec(paths=(PathGrant(path={path + "/note"!r}, hidden=True),))
    for spec in (JailSpec(hosts=(HostGrant(host="a", port=1),)), JailSpec(programs=("/usr/bin",)), hidden):
        try:
            supervisor.start("step", spec)
        except SandboxError as error:
            print(error.code)
""",
    )
    assert found == ["note", *["sandbox.reduced"] * 3]


def test_where_the_listener_is_taken_nothing_starts() -> None:
    assert _run(_TAKEN_LISTENER, _FULL) == ["sandbox.layer_missing this machine offers no notification"]


def test_where_the_listener_is_taken_the_named_bypass_still_confines() -> None:
    assert _run(_TAKEN_LISTENER, _REDUCED) == [
        "planner ('notification',) 0 ['no', 'no', 'no', 'no', 'no', 'no']",
        "step ('notification',) 0 ['no', 'YES', 'no', 'no', 'no', 'no']",
    ], "a step may write into its own folder in memory"


@pytest.mark.parametrize("behaviour", ["another", "nothing"])
def test_a_child_whose_canary_is_not_refused_is_not_started(behaviour: str) -> None:
    program = f"""
from interlock.harness.sandbox.bpf import ALLOW, NOTIFY, assemble
from interlock.harness.sandbox.syscalls import AUDIT_ARCH, MACHINE, table
from interlock.harness.sandbox.watch import Watch
watched = {{table()["unshare"]: NOTIFY, table()["sched_yield"]: NOTIFY}}
told, tell = os.pipe()
raw.prctl(38, 1)
import socket
ours, theirs = socket.socketpair()
if (pid := os.fork()) == 0:
    listener = raw.seccomp_install(assemble(watched, ALLOW, AUDIT_ARCH[MACHINE]), listen=True)
    socket.send_fds(theirs, [b"x"], [listener])
    os.close(listener)
    if {behaviour!r} == "another":
        os.sched_yield()
    os._exit(0)
_, (listener,), _, _ = socket.recv_fds(ours, 1, 1)
watch = Watch("step", JailSpec(), os.pidfd_open(pid), listener, os.open("/dev/null", 0), lambda _: None)
try:
    watch.refuse_canaries(1, 5)
except SandboxError as error:
    print(error.code)
watch.close()
"""
    assert _run(program) == ["sandbox.probe"]


def test_a_watch_closes_once() -> None:
    watch = Watch("step", JailSpec(), 0, -1, -1, lambda _: None)
    watch.close()
    watch.close()
    assert watch.violations == ()
