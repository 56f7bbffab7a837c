"""Runs a whole table of attempts as one role, in the real confinement, and once more without any.

As a program (``python -m attacks.escape.campaign ROLE``) it prints a report as JSON, so that a test can have
it run under another uid.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from attacks.escape.attempt import ANY, ROOT, Attempt, script
from attacks.escape.files import FILES
from attacks.escape.grants import GRANTS
from attacks.escape.hidden import HIDDEN
from attacks.escape.kernel import KERNEL
from attacks.escape.network import NETWORK
from attacks.escape.processes import PROCESSES
from interlock.artifact import frames
from interlock.harness.sandbox.profiles import JailSpec, PathGrant, Role
from interlock.harness.supervisor import Child, Supervisor

COMMON = FILES | NETWORK | PROCESSES | KERNEL
ATTEMPTS: dict[Role, dict[str, Attempt]] = {
    "planner": COMMON, "executor": COMMON, "analyst": COMMON, "step": COMMON | GRANTS | HIDDEN,
}  # fmt: skip

_HIDDEN = ("readable/own/rule", "readable/own.toml", "writable/between/own/rule", "writable/own.toml")
_VICTIM = """
import ctypes, signal, sys
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
held = ctypes.create_string_buffer(sys.argv[1].encode(), 64)
ctypes.CDLL(None).prctl(0x59616D61, -1)
print(ctypes.addressof(held), flush=True)
sys.stdin.read()
"""
_IDLE = "import sys\nprint('up', flush=True)\nimport socket\nsocket.socket(fileno=3).recv(1)\n"


def run(role: Role) -> dict[str, object]:
    """Outcomes of every attempt, confined and not, and the system calls that were told as violations."""
    with _targets() as targets, Supervisor(lambda _: None, pools={"step": 0}) as supervisor:
        folder = Path(str(targets["folder"])).parent
        sibling = _start(supervisor, "step", JailSpec(paths=(_grant(folder / "sibling", write=True),)), _IDLE, {})
        os.read(sibling.stdout, 10)
        targets |= {"sibling": sibling.pid, "sibling_file": str(folder / "sibling" / "file")}
        spec = JailSpec(paths=_grants(folder))
        attempts = ATTEMPTS[role]
        source = script(attempts, forking=False)
        before = _contents(folder)
        jailed = _start(supervisor, role, spec if role == "step" else JailSpec(), source, targets | {"jailed": True})
        confined = _outcomes(_everything(jailed.stdout), _everything(jailed.stderr))
        report: dict[str, object] = {
            "confined": confined,
            "violations": sorted({found.syscall for found in jailed.violations}),
        }
        report["changed"] = sorted(path for path, text in _contents(folder).items() if before.get(path) != text)
        jailed.close()
        report["control"] = _control(attempts, targets, folder)
        sibling.close()
    return report


def shown(attempts: dict[str, Attempt]) -> dict[str, Attempt]:
    """Those that this user can show to succeed without a jail; no other is ever run unconfined."""
    able = {ANY, ROOT} if os.geteuid() == 0 else {ANY}
    return {name: attempt for name, attempt in attempts.items() if attempt.control in able}


def _grant(path: Path, *, write: bool = False) -> PathGrant:
    return PathGrant(path=str(path), write=write)


def _grants(folder: Path) -> tuple[PathGrant, ...]:
    hidden = ("readable/own", "readable/own.toml", "writable/between/own", "writable/own.toml")
    shown = (("writable", True), ("writable/between", True), ("readable", False))
    return (
        *(_grant(folder / name, write=write) for name, write in shown),
        *(PathGrant(path=str(folder / name), hidden=True) for name in hidden),
    )


def _start(supervisor: Supervisor, role: Role, spec: JailSpec, source: str, targets: dict[str, object]) -> Child:
    child = supervisor.start(role, msgspec.structs.replace(spec, mode="script"), pipes=True)
    frames.send(child.channel, json.dumps(["attempts.py", json.dumps(targets)]).encode())
    frames.send(child.channel, source.encode())
    return child


def _contents(folder: Path) -> dict[str, str]:
    """Everything outside of what the step may write, by path: kind, mode and content."""
    found: dict[str, str] = {}
    for path in folder.rglob("*"):
        if folder / "writable" in (path, *path.parents):
            continue
        state = path.lstat()
        text = path.read_text() if path.is_file() else ""
        found[str(path.relative_to(folder))] = f"{state.st_mode:o} {state.st_uid} {state.st_nlink} {text}"
    return found


def _everything(pipe: int) -> str:
    with os.fdopen(os.dup(pipe)) as stream:
        return stream.read()


def _control(attempts: dict[str, Attempt], targets: dict[str, object], folder: Path) -> dict[str, str]:
    path = folder / "control.py"
    path.write_text(script(shown(attempts), forking=True))
    words = [sys.executable, str(path), json.dumps(targets | {"jailed": False}), str(targets["marker"])]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    return _outcomes(done.stdout, done.stderr)


def _outcomes(stdout: str, stderr: str) -> dict[str, str]:
    lines = [line for line in stdout.splitlines() if line.startswith("OUTCOMES ")]
    if not lines:
        raise AssertionError(f"the attempts ended before their time: {stderr[-2000:]}")
    found: dict[str, str] = json.loads(lines[-1].removeprefix("OUTCOMES "))
    return found


@contextlib.contextmanager
def _targets() -> Iterator[dict[str, object]]:
    """Things outside that an escaped process could reach, all of them real."""
    marker, word = secrets.token_hex(8), secrets.token_hex(16)
    os.environ["INTERLOCK_ESCAPE_MARKER"] = marker
    with contextlib.ExitStack() as stack:
        folder = Path(os.path.realpath(stack.enter_context(tempfile.TemporaryDirectory())))
        _plant(folder, word)
        victim, address = _victim(stack, word)
        spare, _ = _victim(stack, word)
        tcp, udp, local, datagram, abstract = _listeners(stack, folder)
        yield {
            "word": word,
            "marker": marker,
            "folder": str(folder / "secret-folder"),
            "secret": str(folder / "secret-folder" / "secret"),
            "link": str(folder / "secret-folder" / "link"),
            "disposable": str(folder / "secret-folder" / "disposable"),
            "writable": str(folder / "writable"),
            "readable": str(folder / "readable"),
            "hidden": [str(folder / name) for name in _HIDDEN],
            "module": str(folder / "secret-folder" / "module.py"),
            "program": os.path.realpath("/bin/true"),
            "library": __import__("_ctypes").__file__,
            "home": str(folder / "home"),
            "home_name": "home",
            "pid": victim,
            "spare": spare,
            "address": address,
            "tcp": tcp,
            "udp": udp,
            "unix": local,
            "unix_datagram": datagram,
            "abstract": abstract,
        }


def _plant(folder: Path, word: str) -> None:
    for name in ("secret-folder", "writable", "readable", "sibling", "home"):
        (folder / name).mkdir()
    (folder / "secret-folder" / "secret").write_text(word)
    for name in _HIDDEN:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(word)
    (folder / "readable" / "toml-link").symlink_to("own.toml")
    (folder / "secret-folder" / "link").symlink_to(folder / "secret-folder" / "secret")
    (folder / "readable" / "to-secret").symlink_to(folder / "secret-folder" / "secret")
    for path in ("secret-folder/disposable", "readable/note", "readable/spare", "readable/other", "sibling/file"):
        (folder / path).write_text("data")


def _victim(stack: contextlib.ExitStack, word: str) -> tuple[int, int]:
    process = stack.enter_context(
        subprocess.Popen([sys.executable, "-c", _VICTIM, word], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    )
    stack.callback(process.send_signal, signal.SIGKILL)
    assert process.stdout is not None
    return process.pid, int(process.stdout.readline())


def _listeners(stack: contextlib.ExitStack, folder: Path) -> tuple[int, int, str, str, str]:
    abstract = f"interlock-{secrets.token_hex(8)}"
    path, datagram = str(folder / "stream"), str(folder / "datagram")
    kinds: list[tuple[int, int, str | tuple[str, int]]] = [
        (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
        (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
        (socket.AF_UNIX, socket.SOCK_STREAM, path),
        (socket.AF_UNIX, socket.SOCK_DGRAM, datagram),
        (socket.AF_UNIX, socket.SOCK_STREAM, f"\0{abstract}"),
    ]
    ends: list[socket.socket] = []
    for family, kind, name in kinds:
        end = stack.enter_context(socket.socket(family, kind))
        end.bind(name)
        if kind == socket.SOCK_STREAM:
            end.listen(32)
        ends.append(end)
    return ends[0].getsockname()[1], ends[1].getsockname()[1], path, datagram, abstract


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1])))  # type: ignore[arg-type]
