"""The supervisor on real processes: starting, ending, telling, and what dies with whom."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from interlock.artifact import frames
from interlock.artifact.errors import SandboxError
from interlock.harness.sandbox.profiles import PROFILES, JailSpec, Limits, PathGrant, Role, Violation
from interlock.harness.sandbox.zygote import _import_entry
from interlock.harness.supervisor import Supervisor
from support.jails import confined, finish, launch

pytestmark = pytest.mark.sandbox

ROLES: list[Role] = ["planner", "executor", "step", "analyst", "gateway", "proxy", "notifier"]
_WAIT = "import socket\nprint('up', flush=True)\nsocket.socket(fileno=3).recv(1)\n"


@pytest.fixture(scope="module")
def supervisor() -> Iterator[Supervisor]:
    with Supervisor(lambda _: None, pools={"step": 1}) as found:
        yield found


def up(pipe: int) -> None:
    assert os.read(pipe, 3) == b"up\n"


def gone_within(pidfd: int, seconds: float) -> bool:
    return bool(select.select([pidfd], [], [], seconds)[0])


@pytest.mark.parametrize("role", ROLES)
def test_each_role_runs_a_script_in_full_confinement(supervisor: Supervisor, role: Role) -> None:
    source = """
        import os, sys, encodings.idna, wave
        print(sys.argv, __name__, os.getcwd(), dict(os.environ), os.getpid(), len(sys.orig_argv) > 0)
        print("to stderr", file=sys.stderr)
        raise SystemExit(7)
    """
    done = confined(supervisor, source, role=role)
    assert (done.code, done.err) == (7, "to stderr\n")
    assert done.out == "['script.py'] __main__ / {} 1 True\n"
    assert done.violations == ()


@pytest.mark.parametrize("role", ROLES)
def test_a_child_holds_no_descriptor_but_its_own(supervisor: Supervisor, role: Role) -> None:
    source = """
        import os
        found = []
        for number in range(3000):
            try:
                os.fstat(number)
            except OSError:
                continue
            found.append(number)
        print(found)
    """
    assert confined(supervisor, source, role=role).out == "[0, 1, 2, 3]\n"


def test_the_granted_folders_follow_the_channel_and_nothing_follows_them(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    (tmp_path / "one").mkdir()
    paths = tuple(PathGrant(path=os.path.realpath(path)) for path in (tmp_path, tmp_path / "one"))
    held = "import os\ndef held(number):\n    try:\n        return os.fstat(number)\n    except OSError:\n        return None\n"
    supervisor.warm("step")
    done = confined(
        supervisor, held + "print([number for number in range(1200) if held(number)])", spec=JailSpec(paths=paths)
    )
    assert done.out == "[0, 1, 2, 3, 4, 5]\n", done.err


def test_exit_codes_are_the_interpreters(supervisor: Supervisor) -> None:
    assert confined(supervisor, "pass").code == 0
    assert confined(supervisor, "raise SystemExit('words')").code == 1
    failed = confined(supervisor, "def f():\n    1/0\nf()")
    assert failed.code == 1
    assert 'File "script.py", line 2, in f\n    1/0' in failed.err
    assert confined(supervisor, "import os; os._exit(44)").code == 44
    assert confined(supervisor, "import ctypes; ctypes.string_at(0)").code == -signal.SIGSEGV


def test_the_channel_is_the_childs_third_descriptor(supervisor: Supervisor) -> None:
    child = launch(supervisor, "import socket; c = socket.socket(fileno=3); c.sendall(c.recv(5).upper())")
    child.channel.sendall(b"hello")
    assert child.channel.recv(5) == b"HELLO"
    assert finish(child).code == 0


def test_kill_and_wait(supervisor: Supervisor) -> None:
    child = launch(supervisor, _WAIT)
    up(child.stdout)
    with pytest.raises(TimeoutError):
        child.wait(0.05)
    assert child.pid > 1
    child.kill()
    assert child.wait(5) == -signal.SIGKILL
    child.kill()
    child.close()


def test_a_step_waits_warm_and_the_next_one_too(supervisor: Supervisor) -> None:
    for _ in range(3):
        assert supervisor.warm("step") == ()
        assert confined(supervisor, "print(1)").out == "1\n"


def test_starts_from_many_threads(supervisor: Supervisor) -> None:
    results: list[str] = []

    def one(number: int) -> None:
        results.append(confined(supervisor, f"print({number})").out)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [f"{number}\n" for number in range(6)]


def test_limits_hold(supervisor: Supervisor) -> None:
    spec = JailSpec(limits=Limits(memory=256 << 20, file_size=4096, files=40))
    source = """
        import os
        try:
            bytes(300 << 20)
        except MemoryError:
            print("memory")
        try:
            with open("/tmp/big", "wb", buffering=0) as file:
                print(file.write(bytes(8192)), file.write(b"x"))
        except OSError as error:
            print(error.strerror)
        try:
            [os.dup(0) for _ in range(50)]
        except OSError as error:
            print(error.strerror)
    """
    done = confined(
        supervisor,
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "import textwrap\n"
        f"exec(textwrap.dedent({source!r}))",
        spec=spec,
    )
    assert done.out.splitlines() == ["memory", "File too large", "Too many open files"]
    burnt = confined(supervisor, "while True: pass", spec=JailSpec(limits=Limits(cpu=1)))
    assert burnt.code in {-signal.SIGXCPU, -signal.SIGKILL}


def test_entry_code_that_is_not_there_is_named() -> None:
    profile = msgspec.structs.replace(PROFILES["planner"], entry="interlock.nowhere:serve")
    assert "interlock.nowhere" in _import_entry(profile)
    assert _import_entry(msgspec.structs.replace(profile, entry="json:nothing"))
    assert _import_entry(msgspec.structs.replace(profile, entry="json:loads")) == ""


def test_a_violation_is_told_before_the_child_goes_on() -> None:
    order: list[str] = []
    told = threading.Event()

    def tell(violation: Violation) -> None:
        order.append(f"{violation.role} {violation.syscall} {violation.detail}")
        told.wait(10)
        order.append("told")

    with Supervisor(tell) as supervisor:
        child = launch(
            supervisor, "try:\n open('/etc/shadow')\nexcept OSError:\n print('up', flush=True)", role="planner"
        )
        assert not select.select([child.stdout], [], [], 0.2)[0]
        told.set()
        up(child.stdout)
        done = finish(child)
    assert order == ["planner openat /etc/shadow", "told"]
    assert [violation.syscall for violation in done.violations] == ["openat"]


def test_a_violation_that_cannot_be_told_ends_the_child() -> None:
    def tell(violation: Violation) -> None:
        raise RuntimeError(violation.syscall)

    with Supervisor(tell) as supervisor:
        done = confined(
            supervisor, "import os\ntry:\n os.fork()\nexcept OSError:\n pass\nwhile True: pass", role="executor"
        )
        assert done.code == -signal.SIGKILL
        assert confined(supervisor, "print(2)", role="executor").out == "2\n"


def test_a_foreign_numbering_kills_and_is_told(supervisor: Supervisor) -> None:
    done = confined(supervisor, "import ctypes\nctypes.CDLL(None).syscall(0x40000000 | 39)")
    assert done.code == -signal.SIGSYS
    assert [violation.syscall for violation in done.violations] == ["a foreign system call"]


def test_a_flood_of_forbidden_calls_ends_the_child(supervisor: Supervisor) -> None:
    source = """
        import os
        while True:
            try:
                os.sched_setaffinity(0, {0})
            except OSError:
                pass
    """
    done = confined(supervisor, source)
    assert done.code == -signal.SIGKILL
    assert [violation.detail for violation in done.violations] == ["flood"]


def test_what_the_interpreter_does_by_itself_is_no_violation(supervisor: Supervisor) -> None:
    source = """
        import asyncio, datetime, decimal, hashlib, json, locale, logging, mimetypes, random, sqlite3, ssl, tempfile
        import time, uuid, zoneinfo, multiprocessing, concurrent.futures, urllib.request, email, xml.etree.ElementTree
        logging.warning("x"); datetime.datetime.now().astimezone(); time.localtime(); random.random(); uuid.uuid4()
        print("fine")
    """
    for role in ("planner", "step", "gateway"):
        done = confined(supervisor, source, role=role)
        assert (done.code, done.out) == (0, "fine\n"), done.err
        assert done.violations == ()


_HARNESS = """
import os, sys
from interlock.harness.supervisor import Supervisor
from support.jails import launch
with Supervisor(lambda _: None) as supervisor:
    found = [launch(supervisor, {wait!r}, role=role) for role in ("planner", "executor", "step")]
    for child in found:
        os.read(child.stdout, 3)
    print(*(child.pid for child in found), flush=True)
    sys.stdin.read()
"""


def test_when_the_harness_dies_everything_dies_within_a_second() -> None:
    deaf = "import signal, socket\nprint('up', flush=True)\nwhile True: signal.pause()\n"
    harness = subprocess.Popen(
        [sys.executable, "-c", _HARNESS.format(wait=deaf)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.path.dirname(os.path.dirname(__file__))},
    )
    with harness:
        assert harness.stdout is not None
        children = [os.pidfd_open(int(word)) for word in harness.stdout.readline().split()]
        assert len(children) == 3
        harness.kill()
        assert all(gone_within(child, 1) for child in children)
    for child in children:
        os.close(child)


def test_when_the_zygote_dies_its_children_die_and_a_new_one_comes() -> None:
    with Supervisor(lambda _: None, pools={"step": 0}) as supervisor:
        child = launch(supervisor, _WAIT)
        up(child.stdout)
        supervisor._zygotes["step", True]._process.kill()
        assert child.wait(2) == -signal.SIGKILL
        child.close()
        assert confined(supervisor, "print(3)").out == "3\n"


def test_a_zygote_that_died_a_moment_ago_is_an_error_of_the_sandbox(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has heard of its end yet, so the order finds a closed socket."""
    supervisor.warm("step")

    def closed(*_: object) -> None:
        raise BrokenPipeError

    with monkeypatch.context() as patch:
        patch.setattr(socket, "send_fds", closed)
        with pytest.raises(SandboxError) as caught:
            supervisor.start("step")
    assert caught.value.code == "sandbox.zygote"
    supervisor.start("step").close()


def test_a_zygote_that_dies_before_its_first_word_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Dying(subprocess.Popen[bytes]):
        def __init__(self, *args: object, **named: object) -> None:
            super().__init__(*args, **named)  # type: ignore[call-overload]
            self.kill()
            started.append(self)

    with Supervisor(lambda _: None, pools={"step": 0}) as supervisor:
        with monkeypatch.context() as patch:
            patch.setattr(subprocess, "Popen", Dying)
            with pytest.raises(SandboxError) as caught:
                supervisor.start("step")
        assert caught.value.code == "sandbox.zygote"
        assert [process.returncode for process in started] == [-signal.SIGKILL]
        assert confined(supervisor, "print(3)").out == "3\n"


def test_closing_the_supervisor_ends_its_children() -> None:
    with Supervisor(lambda _: None) as supervisor:
        children = [launch(supervisor, _WAIT, role=role) for role in ("planner", "step")]
        for child in children:
            up(child.stdout)
    for child in children:
        assert child.wait(1) == -signal.SIGKILL
        child.close()


def test_the_wire_carries_frames(supervisor: Supervisor) -> None:
    source = """
        import socket
        from interlock.artifact import frames
        channel = socket.socket(fileno=3)
        while (body := frames.receive(channel)) is not None:
            frames.send(channel, body[::-1])
    """
    child = launch(supervisor, source, role="planner")
    for body in (b"abc", b"x" * 100_000):
        frames.send(child.channel, body)
        assert frames.receive(child.channel) == body[::-1]
    child.channel.shutdown(socket.SHUT_WR)
    assert finish(child).code == 0
