"""Where a secret must never be seen: the planner, the ledger, logs, errors, alerts, receipts, other steps, process lists.

One workspace holds one secret; plans use it, echo it and fail with it; then every place is searched for its bytes.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import os
import resource
import secrets
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.chaos.tally import make_package, propose, tally
from tests.support.crash_points import descendants, grandchildren
from tests.support.hostile import HostileSupervisor
from tests.support.world import World, proposal, step, write

from interlock.artifact import channel
from interlock.artifact.channel_pb2 import Begin
from interlock.artifact.errors import InterlockError
from interlock.decide.life import Status
from interlock.harness import service
from interlock.harness.scrub import scrubbed
from interlock.harness.session import Session

SECRET = f"s3cr3t-{secrets.token_hex(12)}"
SPELLINGS = (SECRET.encode(), SECRET.encode().hex().encode(), base64.b64encode(SECRET.encode()).rstrip(b"="))


def holds_secret(raw: bytes) -> bool:
    return any(spelling in raw for spelling in SPELLINGS)


@pytest.fixture
def keeping(make_world: Callable[..., World], tmp_path: Path) -> World:
    world = make_world(extra=make_package(tmp_path))
    world.harness.core.vault.put("token", SECRET.encode())
    (world.files / "tally.txt").write_text("")
    return world


def run(world: World, *actions: str) -> str:
    digest = propose(world, *(tally(world, f"s{n}", "x", f"tally.{name}@1") for n, name in enumerate(actions, 1)))
    world.harness.execute(digest)
    return digest


def stored(world: World) -> dict[str, bytes]:
    """Every file of the state folder, as it lies there while the harness is open."""
    return {str(path): path.read_bytes() for path in world.workspace.state.rglob("*") if path.is_file()}


@pytest.mark.sandbox
@pytest.mark.parametrize("actions", [("use",), ("echo",), ("use", "spill")], ids=",".join)
def test_the_state_folder_holds_no_secret_in_clear_text(
    keeping: World, actions: tuple[str, ...], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        digest = run(keeping, *actions)
    assert len(stored(keeping)) > 8
    assert [name for name, raw in stored(keeping).items() if holds_secret(raw)] == []
    ledger = keeping.harness.core.ledger
    kinds = [entry.kind for entry in ledger.entries()]
    assert kinds.count("secret") == len(actions)
    assert not any(holds_secret(repr(entry).encode()) for entry in ledger.entries())
    assert not any(holds_secret(ledger.payload(index)) for index in range(ledger.size))
    assert not any(holds_secret(repr(row).encode()) for row in keeping.harness.core.store.claims(digest))
    assert not holds_secret(caplog.text.encode())
    assert not holds_secret("".join(capfd.readouterr()).encode())


@pytest.mark.sandbox
def test_the_search_finds_a_secret_that_lies_open(keeping: World) -> None:
    """The tests above can fail: a file with the secret in the state folder is found."""
    (keeping.workspace.state / "careless").write_bytes(b"x" + SPELLINGS[0])
    assert any(holds_secret(raw) for raw in stored(keeping).values())


@pytest.mark.sandbox
def test_the_planner_sees_no_secret_in_what_the_steps_returned(keeping: World, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = run(keeping, "use", "echo", "spill")
    assert keeping.harness.core.store.plan(digest).status is Status.HALTED
    begun: list[bytes] = []

    def attack(sock: socket.socket) -> None:
        begin = channel.receive(sock, Begin)
        assert begin is not None
        begun.append(begin.SerializeToString())

    monkeypatch.setattr(service, "Session", Session)
    keeping.harness.supervisor = HostileSupervisor(keeping.harness.supervisor, "planner", attack)  # type: ignore[assignment]
    keeping.harness.answer(keeping.harness.core.store.plan(digest).task, "file", digest)
    assert b"[secret token]" in begun[0]
    assert not holds_secret(begun[0])


@pytest.mark.sandbox
def test_a_step_gets_its_own_secrets_alone_and_nothing_by_environment(keeping: World) -> None:
    keeping.harness.core.vault.put("other", b"another secret")
    digest = run(keeping, "use", "look")
    looked = keeping.harness.core.store.claims(digest)[1].labelled.value
    assert isinstance(looked, dict)
    assert (looked["environment"], looked["core"], looked["secrets"]) == ([], 0, ["token"])
    assert not holds_secret(repr(looked).encode())


def readable(path: Path) -> bytes:
    """What anybody of this uid can read there; a confined process shows an ordinary user nothing at all."""
    try:
        return path.read_bytes()
    except (PermissionError, FileNotFoundError, ProcessLookupError):
        return b""


@pytest.mark.sandbox
def test_no_process_list_shows_a_secret_while_a_step_holds_it(keeping: World) -> None:
    digest = propose(keeping, tally(keeping, "s1", "x", "tally.hold@1"))
    thread = threading.Thread(target=keeping.harness.execute, args=(digest,))
    thread.start()
    while not (keeping.files / "tally.txt").stat().st_size:
        thread.join(0.01)
        assert thread.is_alive()
    below = list(descendants(os.getpid()))
    seen = b"".join(
        readable(Path(f"/proc/{pid}/{name}"))
        for pid in (os.getpid(), *below)
        for name in ("cmdline", "environ", "comm")
    )
    for pid in grandchildren():
        with contextlib.suppress(ProcessLookupError):  # A spare one may have ended meanwhile.
            os.kill(pid, signal.SIGKILL)
    thread.join(30)
    assert len(below) >= 3
    assert not thread.is_alive()
    assert not holds_secret(seen)


@pytest.mark.sandbox
def test_errors_alerts_and_receipts_name_a_secret_and_never_show_it(keeping: World, tmp_path: Path) -> None:
    core = keeping.harness.core
    core.vault.mark(frozenset({"token"}))
    digest = run(keeping, "use")
    assert core.store.plan(digest).stopped == "vault.rotate"
    with pytest.raises(InterlockError) as caught:
        core.vault.release("token")
    assert not holds_secret(f"{caught.value!r} {caught.value} {caught.value.__dict__}".encode())
    assert not holds_secret(repr(core.vault.names()).encode() + repr(core).encode())
    assert [name for name, raw in stored(keeping).items() if holds_secret(raw)] == []


def test_a_denial_shows_no_value_of_the_proposal(world: World) -> None:
    task = world.task()
    reading = step("s2", "files.read@1", arguments={"path": f"/root/{SECRET}"})
    steps = (write("s1", f"/etc/{SECRET}", SECRET), reading, step("s3", "http.post@1", arguments={"url": SECRET}))
    decided = world.harness.propose(task.id, proposal(task, *steps))
    assert decided.verdict.reasons
    assert not holds_secret(repr(decided.verdict).encode())


def test_a_harness_leaves_no_core_file(world: World) -> None:
    assert resource.getrlimit(resource.RLIMIT_CORE)[0] == 0
    assert world.harness.core.unsafe == ()


SCRUBS: dict[str, tuple[bytes, bytes, bytes]] = {
    "as it is": (b'{"a":"xhunter2y"}', b"hunter2", b'{"a":"x[secret token]y"}'),
    "as JSON spells it": (b'"a\\"b\\nc\\\\d"', b'a"b\nc\\d', b'"[secret token]"'),
    "twice": (b'["hunter2","hunter2"]', b"hunter2", b'["[secret token]","[secret token]"]'),
    "not there": (b'"hunter"', b"hunter2", b'"hunter"'),
    "too short to be one": (b'"abcabc"', b"abc", b'"abcabc"'),
    "no text": (b'"\xc3\xbc"', b"\xff\xfe\xfd\xfc", b'"\xc3\xbc"'),
}


@pytest.mark.parametrize("name", SCRUBS)
def test_what_is_scrubbed(name: str) -> None:
    raw, secret, expected = SCRUBS[name]
    assert scrubbed(raw, {"token": secret}) == expected
