"""Children that are killed in the middle of a plan: it stops where it must, says why, and the next plan runs."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.chaos.tally import counted, make_package, propose, tally
from tests.support.crash_points import descendants
from tests.support.replay import left_the_model
from tests.support.world import World, step, write

from interlock.artifact import channel
from interlock.artifact.channel_pb2 import Message, ProxyCall
from interlock.artifact.errors import StateError
from interlock.decide.life import Status
from interlock.harness import egress
from interlock.harness.running import Progress
from interlock.harness.supervisor import Child, Supervisor

pytestmark = pytest.mark.sandbox


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> dict[str, Child]:
    """The latest child of each role."""
    found: dict[str, Child] = {}
    start = Supervisor.start

    def noting(self: Supervisor, role: str, *args: object, **named: object) -> Child:
        found[role] = start(self, role, *args, **named)  # type: ignore[arg-type]
        return found[role]

    monkeypatch.setattr(Supervisor, "start", noting)
    return found


def after(step_id: str, deed: Callable[[], object]) -> Callable[[Progress], None]:
    """Do something when a step is done."""

    def on_progress(progress: Progress) -> None:
        if (progress.step, progress.state) == (step_id, "done"):
            deed()

    return on_progress


def killing(started: dict[str, Child], role: str) -> Callable[[], None]:
    """Kill whatever child has the role by then."""

    def kill() -> None:
        started[role].kill()

    return kill


def honest(world: World, digest: str) -> str:
    """The code of what stopped the plan; nothing is left open, and nobody is accused."""
    core = world.harness.core
    row = core.store.plan(digest)
    assert row.status is Status.HALTED, row.status
    assert "claimed" not in {claim.state for claim in core.store.claims(digest)}
    assert core.store.incidents() == []
    assert core.ledger.verify().size == core.ledger.size
    assert left_the_model(core) == []
    return row.stopped


def test_the_executor_is_killed(world: World, started: dict[str, Child]) -> None:
    digest = propose(world, write("s1", "a.txt", "x"), write("s2", "b.txt", "x"))
    world.harness.execute(digest, after("s1", killing(started, "executor")))
    assert honest(world, digest) in {"executor.died", "executor.incomplete"}
    assert world.harness.execute(propose(world, write("s1", "c.txt", "x"))) is Status.DONE


def test_every_zygote_is_killed(world: World) -> None:
    digest = propose(world, write("s1", "a.txt", "x"), write("s2", "b.txt", "x"))

    def kill() -> None:
        for listing in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
            for pid in listing.read_text().split():
                os.kill(int(pid), signal.SIGKILL)

    world.harness.execute(digest, after("s1", kill))
    assert honest(world, digest)
    assert not (world.files / "b.txt").exists() or len(world.harness.core.store.claims(digest)) == 2
    assert world.harness.execute(propose(world, write("s1", "c.txt", "x"))) is Status.DONE


def test_the_step_s_zygote_is_killed_while_it_acts(make_world: Callable[..., World], tmp_path: Path) -> None:
    world = make_world(extra=make_package(tmp_path))
    (world.files / "tally.txt").touch()
    digest = propose(world, tally(world, "s1", "one", "tally.linger@1"), write("s2", "b.txt", "x"))
    thread = threading.Thread(target=world.harness.execute, args=(digest,))
    thread.start()
    while not counted(world):
        thread.join(0.01)
        assert thread.is_alive()
    for pid in descendants(os.getpid()):
        os.kill(pid, signal.SIGKILL)
    thread.join(30)
    assert not thread.is_alive()
    assert honest(world, digest) in {"step.died", "executor.died"}
    assert counted(world) == ["one"]
    assert [claim.state for claim in world.harness.core.store.claims(digest)] == ["unknown"]


@pytest.fixture
def server() -> Iterator[tuple[int, list[str]]]:
    """A port, and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield listening.server_port, asked
        listening.shutdown()
        thread.join()


def get(name: str, port: int) -> object:
    return step(name, "http.get@1", arguments={"url": f"http://127.0.0.1:{port}/{name}"})


def run(world: World, *steps: object, then: Callable[[Progress], None] = lambda _: None) -> str:
    digest = propose(world, *steps)  # type: ignore[arg-type]
    if world.harness.core.store.plan(digest).status is Status.PENDING:
        world.harness.approve(world.approval(digest))
    world.harness.execute(digest, then)
    return digest


def test_the_proxy_is_killed_between_two_requests(
    make_world: Callable[..., World], started: dict[str, Child], server: tuple[int, list[str]]
) -> None:
    port, asked = server
    world = make_world(extra=f'[egress]\nexceptions = ["127.0.0.1:{port}"]\n')
    digest = run(world, get("s1", port), get("s2", port), then=after("s1", killing(started, "proxy")))
    if world.harness.core.store.plan(digest).status is not Status.DONE:
        assert honest(world, digest)
    assert asked in (["/s1"], ["/s1", "/s2"])
    again = run(world, get("s3", port))
    assert world.harness.core.store.plan(again).status is Status.DONE
    assert asked[-1] == "/s3"


def test_the_proxy_is_killed_during_a_request(
    make_world: Callable[..., World],
    started: dict[str, Child],
    server: tuple[int, list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port, _ = server
    world = make_world(extra=f'[egress]\nexceptions = ["127.0.0.1:{port}"]\n')
    run(world, get("s1", port))

    def killing(*_: object) -> None:
        started["proxy"].kill()
        started["proxy"].wait(10)

    opened = world.harness.stepper._egress.open

    def open_and_kill(*args: object) -> None:
        opened(*args)  # type: ignore[arg-type]
        killing()

    with monkeypatch.context() as patch:
        patch.setattr(world.harness.stepper._egress, "open", open_and_kill)
        assert honest(world, run(world, get("s2", port)))
    again = run(world, get("s3", port))
    assert world.harness.core.store.plan(again).status is Status.DONE


def test_the_proxy_is_gone_when_its_lease_ends(
    make_world: Callable[..., World], server: tuple[int, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its doors are gone with it: what the step did counts, and its process is let go."""
    port, asked = server
    world = make_world(extra=f'[egress]\nexceptions = ["127.0.0.1:{port}"]\n')

    def closed(peer: socket.socket, message: ProxyCall) -> None:
        if message.WhichOneof("body") == "close":
            raise BrokenPipeError
        channel.send(peer, message)

    with monkeypatch.context() as patch:
        patch.setattr(egress, "channel", SimpleNamespace(send=closed, receive=channel.receive))
        digest = run(world, get("s1", port))
    assert world.harness.core.store.plan(digest).status is Status.DONE
    assert asked == ["/s1"]


MODEL = """
[model]
base_url = "http://127.0.0.1:{port}/v1"
name = "m"
allow_private = true
attempts = 1
timeout_ms = 3000
"""


def test_the_gateway_is_killed_and_started_again(make_world: Callable[..., World], started: dict[str, Child]) -> None:
    """The provider is not there either: each call says so, none hangs, none is an incident."""
    world = make_world(extra=MODEL.format(port=9))
    gateway = world.harness._gateway
    ask = [Message(role=Message.USER, text="hello")]
    codes: list[str] = []
    for deed in (lambda: None, killing(started, "gateway"), lambda: None):
        deed()
        with pytest.raises(StateError) as caught:
            gateway.generate(ask, b"{}", 10)
        codes.append(caught.value.code)
    assert codes[1] == "gateway.lost"
    assert codes[0] == codes[2] != "gateway.lost"
    assert world.harness.core.store.incidents() == []
