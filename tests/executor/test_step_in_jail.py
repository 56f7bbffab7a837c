"""Real steps in the real confinement: the same sealed plan and grant, behind Landlock, seccomp and namespaces."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from interlock.artifact import channel, codec
from interlock.artifact.action import Manifest
from interlock.artifact.channel_pb2 import Accepted, ExecutorCall, ExecutorReturn, Ran, RunStep, StepOutcome
from interlock.artifact.errors import SandboxError
from interlock.harness.sandbox.profiles import HostGrant, JailSpec, PathGrant
from interlock.harness.supervisor import Child, Supervisor
from support.step_world import CATALOGUE, converse, core_start, request

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def supervisor() -> Iterator[Supervisor]:
    try:
        with Supervisor(lambda _: None, pools={"step": 1, "executor": 0}) as running:
            running.warm("step")
            yield running
    except SandboxError as error:
        pytest.skip(f"needs the full confinement: {error}")


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that a dedicated uid can reach and change, as a workspace would be."""
    made = tmp_path_factory.mktemp("workspace")
    for part in (made, *made.parents):
        if part.stat().st_uid == os.geteuid() and part != Path("/tmp"):
            part.chmod(part.stat().st_mode | 0o011)
    made.chmod(0o777)
    return made


def run(supervisor: Supervisor, message: RunStep, spec: JailSpec, store: dict[str, bytes] | None = None) -> Ran:
    child = supervisor.start("step", spec)
    try:
        child.channel.settimeout(60)
        ran = converse(child.channel, message, {} if store is None else store)
        child.wait(20)
        assert child.violations == (), child.violations
        return ran
    finally:
        child.close()


def paths(folder: Path, *, write: bool = False, **facts: Any) -> JailSpec:
    return JailSpec(paths=(PathGrant(path=str(folder), write=write),), **facts)


def step(action: str, folder: Path, /, **arguments: Any) -> RunStep:
    return request(CATALOGUE[f"{action}@1"], arguments, folder)


OPERATIONS = [
    ("files.write", {"path": "new", "content": "x"}),
    ("files.write", {"path": "a", "content": "replaced"}),
    ("files.patch", {"path": "a", "old": "one", "new": "two"}),
    ("files.read", {"path": "a"}),
    ("files.list", {"path": "."}),
    ("files.search", {"path": ".", "pattern": "o.e", "regex": True}),
    ("files.mkdir", {"path": "made"}),
    ("files.move", {"source": "t", "destination": "moved"}),
    ("files.copy", {"source": "t", "destination": "copied"}),
    ("files.delete", {"path": "t", "recursive": True}),
]


@pytest.mark.parametrize(("action", "arguments"), OPERATIONS)
def test_every_operation_of_files_works_confined(
    supervisor: Supervisor, folder: Path, action: str, arguments: dict[str, Any]
) -> None:
    populate(folder)
    ran = run(supervisor, step(action, folder, **arguments), paths(folder, write=True))
    assert ran.ok, ran


def populate(folder: Path) -> None:
    (folder / "t" / "in").mkdir(parents=True)
    (folder / "t" / "in" / "f").write_text("deep")
    (folder / "t" / "l").symlink_to("in")
    (folder / "a").write_text("one")
    for path in (folder / "t", folder / "t" / "in"):
        path.chmod(0o777)
    for path in (folder / "a", folder / "t" / "in" / "f"):
        path.chmod(0o666)


def test_a_read_only_grant_lets_nothing_be_written(supervisor: Supervisor, folder: Path) -> None:
    populate(folder)
    ran = run(supervisor, step("files.write", folder, path="a", content="x"), paths(folder))
    assert (ran.ok, ran.code) == (False, "files.permission")
    assert (folder / "a").read_text() == "one"


def test_a_refused_step_does_nothing_confined_either(supervisor: Supervisor, folder: Path) -> None:
    message = step("files.write", folder, path="new", content="x")
    message.arguments = codec.encode({"path": "new", "content": "y"})
    ran = run(supervisor, message, paths(folder, write=True))
    assert (ran.ok, ran.code) == (False, "step.literal")
    assert os.listdir(folder) == []


def test_a_snapshot_and_its_restoration_confined(supervisor: Supervisor, folder: Path) -> None:
    populate(folder)
    store: dict[str, bytes] = {}
    target = str(folder / "t")
    arguments = {"path": "t", "recursive": True}

    def mode(kind: RunStep.Mode, body: Any) -> RunStep:
        message = step("files.delete", folder, **arguments)
        message.mode, message.snapshot, message.arguments = kind, codec.encode(body), b"{}"
        return message

    before = run(supervisor, mode(RunStep.SNAPSHOT, [target]), paths(folder), store)
    assert before.ok, before
    assert store == {hashlib.sha256(b"deep").hexdigest(): b"deep"}
    assert run(supervisor, step("files.delete", folder, **arguments), paths(folder, write=True)).ok
    after = run(supervisor, mode(RunStep.SNAPSHOT, [target]), paths(folder), store)
    pair = {name: codec.parse(ran.output, data=True) for name, ran in (("before", before), ("after", after))}
    ran = run(supervisor, mode(RunStep.RESTORE, pair), paths(folder, write=True), store)
    assert ran.ok, ran
    assert (folder / "t" / "in" / "f").read_text() == "deep"
    assert os.readlink(folder / "t" / "l") == "in"


def programs(manifest: Manifest) -> tuple[str, ...]:
    return tuple(str(shutil.which(name)) for name in manifest.driver.programs)


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_git_runs_confined(supervisor: Supervisor, folder: Path) -> None:
    subprocess.run(["git", "-C", folder, "init", "-q"], check=True)
    (folder / "a").write_text("x")
    spec = paths(folder, programs=programs(CATALOGUE["git.status@1"]))
    ran = run(supervisor, step("git.status", folder, directory="."), spec)
    assert ran.ok, ran
    assert "? a" in codec.decode(ran.output, dict, data=True)["stdout"]


@pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="needs python3 in /usr/bin")
def test_tests_run_confined_and_leave_nothing(supervisor: Supervisor, folder: Path) -> None:
    (folder / "test_it.py").write_text(
        "import unittest, pathlib\nclass T(unittest.TestCase):\n"
        "    def test(self):\n        with self.assertRaises(OSError): pathlib.Path('made').write_text('x')\n"
    )
    real = str(Path("/usr/bin/python3").resolve())
    message = step("tests.run", folder, directory=".")
    message.programs["python3"] = real
    ran = run(supervisor, message, paths(folder, programs=(real,)))
    assert ran.ok, ran
    assert os.listdir(folder) == ["test_it.py"]


def test_a_program_that_is_not_granted_is_not_there(supervisor: Supervisor, folder: Path) -> None:
    ran = run(
        supervisor, step("shell.run", folder, argv=["id"], directory="."), paths(folder, programs=("/usr/bin/env",))
    )
    assert (ran.ok, ran.code) == (False, "shell.program")


def test_an_http_step_reaches_the_listener_of_its_grant_by_name(supervisor: Supervisor, folder: Path) -> None:
    message = step("http.get", folder, url="https://api.example.com/x")
    child = supervisor.start("step", JailSpec(hosts=(HostGrant(host="api.example.com", port=443),)))
    seen: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        with listener, listener.accept()[0] as connection:
            seen.append(connection.recv(65536))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    proxy = threading.Thread(target=serve, args=(socket.socket(fileno=child.listeners.pop(("api.example.com", 443))),))
    proxy.start()
    try:
        child.channel.settimeout(60)
        ran = converse(child.channel, message, {})
    finally:
        child.close()
    proxy.join()
    assert ran.ok, ran
    assert codec.decode(ran.output, dict, data=True)["text"] == "ok"
    assert seen[0].startswith(b"GET /x HTTP/1.1\r\nHost: api.example.com\r\n")
    assert child.violations == ()


def test_a_users_package_is_imported_confined(supervisor: Supervisor, folder: Path, tmp_path: Path) -> None:
    package = folder / "lib" / "declared"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "import json, decimal, sqlite3, urllib.parse\n"
        "def act(arguments, context):\n    return {'x': arguments['url'], 'n': int(decimal.Decimal('3'))}\n"
    )
    manifest = codec.convert(
        {
            **codec.builtin(CATALOGUE["http.get@1"]),  # type: ignore[dict-item]
            "external": False,
            "resources": [],
            "driver": {"name": "python", "operation": "declared:act", "package": "declared"},
        },
        Manifest,
    )
    ran = run(supervisor, request(manifest, {"url": "u"}, folder), JailSpec(packages=(str(package),)))
    assert ran.ok, ran
    assert codec.parse(ran.output) == {"n": 3, "x": "u"}


def test_a_step_beyond_its_time_reports_confined(supervisor: Supervisor, folder: Path) -> None:
    (folder / "a").write_text("a" * 64)
    slow = msgspec.structs.replace(CATALOGUE["files.search@1"], timeout_ms=200)
    ran = run(supervisor, request(slow, {"path": ".", "pattern": "(a+)+b", "regex": True}, folder), paths(folder))
    assert (ran.ok, ran.code) == (False, "step.timeout")


def test_the_core_walks_its_plan_confined(supervisor: Supervisor) -> None:
    child: Child = supervisor.start("executor")
    asked: list[tuple[str, int]] = []
    try:
        child.channel.settimeout(60)
        channel.send(child.channel, core_start())
        while (call := channel.receive(child.channel, ExecutorCall)) is not None:
            if call.WhichOneof("body") == "finish":
                channel.send(child.channel, ExecutorReturn(accepted=Accepted()))
                assert call.finish.complete, call.finish.code
                break
            asked.append((call.next.step, call.next.iteration))
            count = 2 if call.next.step == "s2" else 1
            channel.send(child.channel, ExecutorReturn(outcome=StepOutcome(status=StepOutcome.DONE, iterations=count)))
        assert child.wait(20) == 0
    finally:
        child.close()
    assert asked == [("s1", 0), ("s2", 0), ("s2", 1), ("s3", 0)]
    assert child.violations == ()
