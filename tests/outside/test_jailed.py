"""The helpers in their real jails: a step reaches what it was granted, by name, through the proxy, and nothing else."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from interlock.artifact import channel, codec, frames
from interlock.artifact.action import Endpoint
from interlock.artifact.channel_pb2 import (
    GatewayStart,
    Generate,
    Generated,
    Message,
    Notified,
    Notify,
    ProxyCall,
    ProxyClose,
    ProxyEvent,
    ProxyOpen,
)
from interlock.harness.sandbox.profiles import HostGrant, JailSpec, Role
from interlock.harness.supervisor import Child, Supervisor
from support.egress import MACHINE, Service, certificate
from support.jails import Finished, finish, launch
from support.provider import chat


def _named() -> bool:
    try:
        return bool(socket.getaddrinfo(MACHINE, 1, socket.AF_INET)) and bool(re.fullmatch(r"[a-z0-9.-]+", MACHINE))
    except OSError:
        return False


pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(not _named(), reason="this machine's own name has no IPv4 address"),
]


@pytest.fixture(scope="module")
def supervisor() -> Iterator[Supervisor]:
    with Supervisor(lambda _: None, pools={"step": 0}) as found:
        yield found


@pytest.fixture
def make() -> Iterator[Callable[..., Any]]:
    made: list[Any] = []

    def start(kind: Callable[..., Any], *args: Any, **fields: Any) -> Any:
        made.append(kind(*args, **fields))
        return made[-1]

    yield start
    for thing in reversed(made):
        thing.close()


def helper(supervisor: Supervisor, make: Callable[..., Any], role: Role, *ports: int) -> Child:
    child: Child = make(supervisor.start, role, JailSpec(connect_ports=(53, *ports)))
    child.channel.settimeout(30)
    return child


def events(proxy: Child, last: str) -> list[ProxyEvent]:
    found: list[ProxyEvent] = []
    while not found or found[-1].code != last:
        event = channel.receive(proxy.channel, ProxyEvent)
        assert event is not None
        found.append(event)
    return found


def step_through(
    supervisor: Supervisor, proxy: Child, service: Service, source: str, **fields: Any
) -> tuple[Finished, list[ProxyEvent]]:
    """Run a script as a step whose one host is ``MACHINE`` at the service's port, under a lease of its own."""
    spec = JailSpec(hosts=(HostGrant(host=MACHINE, port=service.port),))
    child = launch(supervisor, f"HOST, PORT = {MACHINE!r}, {service.port}\n" + source, spec=spec)
    end_point = {"host": MACHINE, "port": service.port, "mode": "plain", "methods": ("GET",), "paths": ("/v1/**",)}
    message = ProxyOpen(
        lease=f"lease-{child.identity}",
        endpoint=codec.encode(Endpoint(**{**end_point, **fields.pop("endpoint", {})})),
        exceptions=[f"{MACHINE}:{service.port}"],
        max_bytes=1 << 20,
        **fields,
    )
    channel.send(proxy.channel, ProxyCall(open=message))
    frames.send_descriptors(proxy.channel, list(child.listeners.values()))
    done = finish(child)
    channel.send(proxy.channel, ProxyCall(close=ProxyClose(lease=message.lease)))
    return done, events(proxy, "proxy.closed")


GET = """
import http.client, json
connection = http.client.HTTPConnection(HOST, PORT, timeout=10)
connection.request("GET", "/v1/things", headers={"X-Mine": "1"})
print(connection.getresponse().read().decode())
"""


@pytest.mark.parametrize("tls", [False, True])
def test_a_step_reaches_its_host_by_name_with_a_credential_it_never_sees(
    supervisor: Supervisor, make: Callable[..., Any], tls: bool
) -> None:
    service = make(Service, tls=tls, bind="0.0.0.0")
    proxy = helper(supervisor, make, "proxy", service.port)
    done, heard = step_through(
        supervisor, proxy, service, GET,
        inject={"Authorization": b"Bearer s3cret"}, ca_bundle=certificate()[0], endpoint={"mode": "tls" if tls else "plain"},
    )  # fmt: skip
    assert (done.code, done.out, done.violations) == (0, "hello\n", ()), done.err
    assert [(path, headers["authorization"]) for _, path, headers, _ in service.requests] == [
        ("/v1/things", "Bearer s3cret")
    ]
    assert [event.code for event in heard] == ["proxy.opened", "proxy.admitted", "proxy.done", "proxy.closed"]
    assert proxy.violations == ()


def test_a_step_reaches_nothing_else(supervisor: Supervisor, make: Callable[..., Any]) -> None:
    service, other = make(Service, bind="0.0.0.0"), make(Service, bind="0.0.0.0")
    proxy = helper(supervisor, make, "proxy", service.port, other.port)
    address = socket.gethostbyname(MACHINE)
    source = f"""
import socket
def reach(host, port):
    try:
        socket.create_connection((host, port), timeout=5).close()
        return "reached"
    except OSError as error:
        return type(error).__name__
print(reach(HOST, PORT))
print({{reach(*target) for target in [
    ({address!r}, PORT), ({address!r}, {other.port}), (HOST, {other.port}), ("localhost", {other.port}),
    ("1.1.1.1", 443), ("169.254.169.254", 80), ("example.com", 443), ("0.0.0.0", {other.port}),
]}} & {{"reached"}})
"""
    done, _ = step_through(supervisor, proxy, service, source)
    assert (done.code, done.out) == (0, "reached\nset()\n"), done.err
    assert other.requests == [] and other.connections == 0


def test_a_request_outside_the_grant_is_a_violation_and_ends_the_lease(
    supervisor: Supervisor, make: Callable[..., Any]
) -> None:
    service = make(Service, bind="0.0.0.0")
    proxy = helper(supervisor, make, "proxy", service.port)
    source = """
import http.client
connection = http.client.HTTPConnection(HOST, PORT, timeout=10)
connection.request("GET", "/v1/things", headers={"Host": "evil.test"})
print(connection.getresponse().status)
try:
    http.client.HTTPConnection(HOST, PORT, timeout=10).connect()
except OSError as error:
    print(type(error).__name__)
"""
    done, heard = step_through(supervisor, proxy, service, source)
    assert (done.code, done.out) == (0, "403\nConnectionRefusedError\n"), done.err
    assert [event.code for event in heard if event.violation] == ["proxy.other_host"] and service.requests == []


def test_a_step_without_a_door_has_no_network(supervisor: Supervisor) -> None:
    done = finish(launch(supervisor, "import socket\nsocket.create_connection(('1.1.1.1', 443), timeout=5)\n"))
    assert done.code != 0 and done.violations


def test_the_gateway_reaches_its_provider(supervisor: Supervisor, make: Callable[..., Any]) -> None:
    service = make(Service, lambda *_: chat("Fine."), tls=True, bind="0.0.0.0")
    gateway = helper(supervisor, make, "gateway", service.port)
    start = GatewayStart(
        dialect="openai", base_url=f"https://{MACHINE}:{service.port}/v1", model="m", api_key=b"sk-1", timeout_ms=20_000,
        attempts=1, allow_private=True, ca_bundle=certificate()[0],
    )  # fmt: skip
    channel.send(gateway.channel, start)
    asked = Generate(messages=[Message(role=Message.USER, text="How are you?")], max_tokens=10)
    for _ in range(2):
        got = channel.call(gateway.channel, asked, Generated)
        assert (got.text, got.code) == ("Fine.", "")
    assert json.loads(service.requests[0][3])["messages"] == [{"role": "user", "content": "How are you?"}]
    assert service.connections == 1 and gateway.violations == ()


def test_a_gateway_reaches_no_other_port(supervisor: Supervisor, make: Callable[..., Any]) -> None:
    service = make(Service, lambda *_: chat("Fine."), bind="0.0.0.0")
    gateway = helper(supervisor, make, "gateway")
    if "landlock" in gateway.reduced:
        pytest.skip("Landlock is missing")
    url = f"http://{MACHINE}:{service.port}/v1"
    start = GatewayStart(dialect="openai", base_url=url, model="m", timeout_ms=9000, attempts=1, allow_private=True)
    channel.send(gateway.channel, start)
    got = channel.call(
        gateway.channel, Generate(messages=[Message(role=Message.USER, text="x")], max_tokens=1), Generated
    )
    assert got.code == "reach.refused" and service.connections == 0


def test_the_notifier_reaches_its_receiver(supervisor: Supervisor, make: Callable[..., Any]) -> None:
    service = make(Service, bind="0.0.0.0")
    notifier = helper(supervisor, make, "notifier", service.port)
    told = Notify(
        id="n-1",
        kind="webhook",
        target=f"http://{MACHINE}:{service.port}/",
        body=b"{}",
        timeout_ms=20_000,
        allow_private=True,
    )
    assert channel.call(notifier.channel, told, Notified) == Notified(id="n-1", ok=True)
    assert service.requests[0][3] == b"{}" and notifier.violations == ()


def test_these_tests_run_where_the_jail_is_built() -> None:
    assert sys.platform == "linux" and os.path.exists("/proc/self/ns/net")
