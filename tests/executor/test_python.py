"""The python driver: one declared function of one package, called once, answering in the codec's domain."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from interlock.artifact import codec
from interlock.artifact.action import Argument, Driver, Effect, Endpoint, Manifest, Reversibility, Role
from interlock.artifact.channel_pb2 import RunStep
from interlock.artifact.errors import SeparationViolation
from interlock.executor.drivers import python
from interlock.executor.work import DriverError
from support.step_world import request, run_step, work

SOURCE = """
import time
from interlock.artifact.errors import SeparationViolation

def echo(arguments, context):
    return {"arguments": arguments, "secret": context.secrets["token"], "url": context.endpoint("api.example.com")}

def bare(arguments, context):
    return arguments["x"]

def nothing(arguments, context): return None
def floating(arguments, context): return 1.5
def strange(arguments, context): return object()
def hidden(arguments, context): return "a\\u202eb"
def large(arguments, context): return "x" * 70000
def deep(arguments, context):
    value = []
    for _ in range(40):
        value = [value]
    return value
def exiting(arguments, context): raise SystemExit(3)
def failing(arguments, context): raise ValueError("the value is 7")
def endless(arguments, context):
    while True:
        try:
            time.sleep(60)
        except Exception:
            pass
def crossing(arguments, context): raise SeparationViolation("separation.test", "x")
def leaving(arguments, context): context.endpoint("other.example.com")
def _private(arguments, context): return 1
value = 1
"""


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "packages" / "declared").mkdir(parents=True)
    (tmp_path / "packages" / "declared" / "__init__.py").write_text("")
    (tmp_path / "packages" / "declared" / "actions.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "declared"]:
        del sys.modules[name]


def manifest(function: str, **facts: Any) -> Manifest:
    driver = Driver(
        name="python",
        operation=function if ":" in function else f"declared.actions:{function}",
        package=facts.pop("package", "declared"),
        endpoints=(Endpoint(host="api.example.com", port=443),),
    )
    return Manifest(
        name="x", group="g", sentence="s", effect=Effect.SEND, reversibility=Reversibility.IRREVERSIBLE,
        arguments={"x": facts.pop("argument", Argument(type="string"))}, secrets=("token",), driver=driver, **facts,
    )  # fmt: skip


def ran(tmp_path: Path, function: str, **facts: Any) -> Any:
    return run_step(request(manifest(function, **facts), {"x": "v"}, tmp_path, secrets={"token": b"t"}))


def test_the_function_gets_arguments_secrets_and_end_points(tmp_path: Path) -> None:
    found = ran(tmp_path, "echo")
    assert found.ok, found
    assert codec.parse(found.output) == {"arguments": {"x": "v"}, "secret": "t", "url": "http://api.example.com:443"}


@pytest.mark.parametrize(
    ("kind", "given", "decided"), [("string", "a/../b", "{}/b"), ("list", ["c", "/d"], ["{}/c", "/d"])]
)
def test_a_path_arrives_as_it_was_decided_on(tmp_path: Path, kind: Any, given: Any, decided: Any) -> None:
    todo = manifest("bare", argument=Argument(type=kind, role=Role.PATH))
    found = run_step(request(todo, {"x": given}, tmp_path, secrets={"token": b"t"}))
    wanted = decided.format(tmp_path) if isinstance(decided, str) else [one.format(tmp_path) for one in decided]
    assert (found.ok, codec.parse(found.output)) == (True, wanted)


def test_any_value_of_the_domain_may_come_back(tmp_path: Path) -> None:
    assert ran(tmp_path, "bare").output == b'"v"'
    assert ran(tmp_path, "nothing").output == b"null"
    assert codec.parse(ran(tmp_path, "hidden").output, data=True) == "a\u202eb"


@pytest.mark.parametrize(
    ("function", "code"),
    [
        ("floating", "output.domain"), ("strange", "output.domain"), ("deep", "output.domain"),
        ("large", "output.too_large"), ("failing", "python.raised"), ("leaving", "python.endpoint"), ("exiting", "python.raised"),
        ("missing", "driver.operation"), ("value", "driver.operation"), ("_private", "driver.operation"),
        ("os:getcwd", "driver.operation"), ("declaredx:f", "driver.operation"), ("declared.none:f", "python.raised"),
    ],
)  # fmt: skip
def test_a_failure_has_a_code_and_says_that_an_effect_is_possible(tmp_path: Path, function: str, code: str) -> None:
    found = ran(tmp_path, function)
    assert (found.ok, found.code, found.effect_possible) == (False, code, True)
    assert "the value" not in found.message


def test_what_the_function_said_stands_in_the_labelled_output_alone(tmp_path: Path) -> None:
    assert codec.parse(ran(tmp_path, "failing").output) == {"error": "ValueError", "text": "the value is 7"}


def test_time_ends_a_function_that_catches_every_exception(tmp_path: Path) -> None:
    found = ran(tmp_path, "endless", timeout_ms=200)
    assert (found.ok, found.code) == (False, "step.timeout")


def test_a_separation_violation_is_not_caught(tmp_path: Path) -> None:
    with pytest.raises(SeparationViolation):
        python.run(work({}, tmp_path, manifest("crossing"), 20, x="v"))


def test_a_package_is_imported_by_its_own_step_alone(tmp_path: Path) -> None:
    """Neither loading the driver nor a refused step imports it."""
    refused = request(manifest("echo"), {"x": "v"}, tmp_path, mode=RunStep.READ)
    assert run_step(refused).code == "step.mode"
    assert "declared" not in sys.modules
    with pytest.raises(DriverError):
        python.run(work({}, tmp_path, manifest("echo", package=""), 20, x="v"))
    assert "declared" not in sys.modules
