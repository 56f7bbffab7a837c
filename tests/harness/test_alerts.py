"""Alerts: an incident is told through jailed processes, and a failed delivery is on record."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from tests.support.world import World

from interlock.harness.watch import Incident

pytestmark = pytest.mark.sandbox
SEEN = Incident(code="separation.syscall", role="planner", task="", detail="socket")


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[bytes]]]:
    got: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook", got
        server.shutdown()
        thread.join()


def alerts(world: World) -> list[tuple[str, str]]:
    return [(entry.subject, entry.code) for entry in world.harness.core.ledger.entries() if entry.kind == "alert"]


def test_a_webhook_is_told(make_world: Callable[..., World], receiver: tuple[str, list[bytes]]) -> None:
    url, got = receiver
    world = make_world(extra=f'[alerts]\nwebhook = "{url}"\nallow_private = true\n')
    world.harness.watch.report(SEEN)
    assert alerts(world) == [("webhook", "delivered")]
    assert json.loads(got[0])["incident"]["code"] == "separation.syscall"


def test_a_private_webhook_needs_the_operators_word(
    make_world: Callable[..., World], receiver: tuple[str, list[bytes]]
) -> None:
    url, got = receiver
    world = make_world(extra=f'[alerts]\nwebhook = "{url}"\n')
    world.harness.watch.report(SEEN)
    [(kind, code)] = alerts(world)
    assert (kind, got) == ("webhook", [])
    assert code != "delivered"


@pytest.mark.parametrize(
    ("command", "code"), [("true", "delivered"), ("false", "alert.command_failed"), ("no-such", "step.program")]
)
def test_a_command_is_run_in_a_jail(make_world: Callable[..., World], command: str, code: str) -> None:
    world = make_world(extra=f'[alerts]\ncommand = ["{command}"]\n')
    world.harness.watch.report(SEEN)
    assert alerts(world) == [("command", code)]


def test_below_the_threshold_the_log_alone_is_told(make_world: Callable[..., World]) -> None:
    world = make_world(extra='[alerts]\nafter = 2\ncommand = ["true"]\n')
    world.harness.watch.report(SEEN)
    assert alerts(world) == []
    world.harness.watch.report(SEEN)
    assert alerts(world) == [("command", "delivered")]
    lines = (world.workspace.state / "alerts.log").read_text().splitlines()
    assert [json.loads(line)["open"] for line in lines] == [1, 2]
