"""HTTP steps end to end: a real server on loopback, reached through the proxy by exactly what was approved."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from tests.support.world import World, proposal, step

from interlock.artifact.action import Effect
from interlock.artifact.label import Integrity
from interlock.artifact.resources import Touched
from interlock.decide.life import Status
from interlock.harness.stepping import claimed_endpoints

pytestmark = pytest.mark.sandbox

PACKAGE = """
import urllib.request

def call(arguments, context):
    url = context.endpoint("127.0.0.1") + arguments["path"]
    with urllib.request.urlopen(url, timeout=10) as answer:
        return {"text": answer.read().decode(), "secrets": sorted(context.secrets)}
"""


@pytest.fixture
def server() -> Iterator[tuple[int, list[tuple[str, str, str]]]]:
    """A port, and what it was asked: method, path, authorization."""
    asked: list[tuple[str, str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            asked.append((self.command, self.path, self.headers.get("authorization", "")))
            body = b"hello from outside"
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.send_header("content-type", "text/plain")
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield listening.server_port, asked
        listening.shutdown()
        thread.join()


def approve_and_run(world: World, *steps: object) -> tuple[str, Status]:
    task = world.task()
    decided = world.harness.propose(task.id, proposal(task, *steps))  # type: ignore[arg-type]
    assert decided.digest is not None, decided.verdict
    if decided.status is Status.PENDING:
        world.harness.approve(world.approval(decided.digest))
    return decided.digest, world.harness.execute(decided.digest)


def test_a_url_reaches_exactly_its_server(
    make_world: Callable[..., World], server: tuple[int, list[tuple[str, str, str]]]
) -> None:
    port, asked = server
    world = make_world(extra=f'[egress]\nexceptions = ["127.0.0.1:{port}"]\n')
    url = f"http://127.0.0.1:{port}/notes?q=1"
    digest, status = approve_and_run(world, step("s1", "http.get@1", arguments={"url": url}))
    [claim] = world.harness.core.store.claims(digest)
    assert status is Status.DONE, (claim.code, claim.output)
    assert asked == [("GET", "/notes?q=1", "")]
    assert claim.labelled.label.integrity is Integrity.UNTRUSTED
    assert b"hello from outside" in (claim.output or b"")


def test_a_private_address_needs_the_operators_word(
    make_world: Callable[..., World], server: tuple[int, list[tuple[str, str, str]]]
) -> None:
    port, asked = server
    world = make_world(extra=f'[egress]\nexceptions = ["192.0.2.1:{port}"]\n')
    digest, status = approve_and_run(world, step("s1", "http.get@1", arguments={"url": f"http://127.0.0.1:{port}/"}))
    assert status is Status.HALTED, world.harness.core.store.plan(digest).stopped
    assert asked == []


def package(world_folder: Path, port: int) -> str:
    """A user's action package whose credential the proxy adds."""
    folder = world_folder / "house"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(PACKAGE)
    endpoint = {
        "host": "127.0.0.1",
        "port": port,
        "mode": "plain",
        "methods": ["GET"],
        "paths": ["/api/**"],
        "inject": {"authorization": "house-key"},
    }
    manifest = {
        "name": "house.call", "group": "house", "sentence": "Call {path}", "effect": "read", "reversibility": "pure", "external": True,
        "arguments": {"path": {"type": "string"}}, "accepts": "internal",
        "driver": {"name": "python", "operation": "house:call", "package": "house", "endpoints": [endpoint]},
    }  # fmt: skip
    (folder / "interlock.json").write_text(json.dumps({"actions": [manifest]}))
    return str(folder)


@pytest.mark.parametrize(("path", "status"), [("/api/rooms", Status.DONE), ("/admin", Status.HALTED)])
def test_the_proxy_adds_a_credential_that_the_step_never_has(
    make_world: Callable[..., World],
    tmp_path: Path,
    server: tuple[int, list[tuple[str, str, str]]],
    path: str,
    status: Status,
) -> None:
    port, asked = server
    folder = package(tmp_path / "packages", port)
    extra = f'packages = ["{folder}"]\n[egress]\nexceptions = ["127.0.0.1:{port}"]\n'
    world = make_world(extra=extra.replace("packages", "packages"))
    toml = (world.files / "interlock.toml").read_text().replace('groups = ["files"', 'groups = ["house", "files"')
    (world.files / "interlock.toml").write_text(toml)
    world.reopen()
    world.harness.core.vault.put("house-key", b"Bearer of good news")
    digest, found = approve_and_run(world, step("s1", "house.call@1", arguments={"path": path}))
    [claim] = world.harness.core.store.claims(digest)
    assert found is status, (claim.code, claim.output)
    if status is Status.DONE:
        assert asked == [("GET", path, "Bearer of good news")]
        assert json.loads(claim.output or b"")["secrets"] == []
    else:
        assert asked == []
        assert [one.code for one in world.harness.core.store.incidents(still_open=True)]
        assert world.harness.core.vault.names()["house-key"]
    shutil.rmtree(folder)


CLAIMED: dict[str, tuple[tuple[str, Effect], tuple[str, ...], str, tuple[str, ...]]] = {
    "a page": (("a.example:80", Effect.READ), ("curl",), "plain", ("GET", "HEAD", "OPTIONS")),
    "data to a page": (("a.example:80", Effect.SEND), ("curl",), "plain", ("POST",)),
    "a repository": (("a.example:80", Effect.READ), ("git",), "plain", ("POST",)),
    "a page of which nothing can be seen": (("a.example:443", Effect.READ), ("curl",), "opaque", ()),
}  # fmt: skip


@pytest.mark.parametrize("name", CLAIMED)
def test_how_a_claimed_end_point_is_served(name: str) -> None:
    (found, access), programs, mode, methods = CLAIMED[name]
    [served] = claimed_endpoints([Touched(kind="endpoint", name=found, access=access)], programs)
    assert (served.mode, set(methods) <= set(served.methods)) == (mode, True)
    assert "POST" in methods or "POST" not in served.methods


def test_an_end_point_without_a_port_is_not_served() -> None:
    assert claimed_endpoints([Touched(kind="endpoint", name="a.example:0", access=Effect.READ)], ()) == ()
