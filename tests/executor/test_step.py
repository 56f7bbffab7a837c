"""One step, served over a real channel: each numbered check refuses, and nothing has happened then."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from interlock.artifact import codec, grant, signing
from interlock.artifact.action import Output
from interlock.artifact.channel_pb2 import RunStep
from interlock.artifact.errors import ChannelError, SeparationViolation
from interlock.executor import step_main
from support.step_world import (
    CATALOGUE,
    NOW,
    OTHER,
    SEED,
    SIGNER,
    grant_for,
    plan_of,
    request,
    run_step,
    step_of,
)

WRITE, READ = CATALOGUE["files.write@1"], CATALOGUE["files.read@1"]
ARGUMENTS: dict[str, Any] = {"path": "a", "content": "x"}


def test_a_sealed_step_runs_and_reports(tmp_path: Path) -> None:
    ran = run_step(request(WRITE, ARGUMENTS, tmp_path), tmp_path)
    assert ran.ok, ran
    assert (tmp_path / "a").read_text() == "x"
    assert codec.decode_canonical(ran.output, dict, data=True)["created"] is True


def other_plan(home: Path) -> dict[str, Any]:
    """An honest envelope of another plan: same step, another file."""
    plan = plan_of(step_of(WRITE, path="b", content="x"))
    return {"plan": signing.sign(SIGNER, "plan", codec.digest(plan), plan)}


def signed_by_another(home: Path) -> dict[str, Any]:
    plan = plan_of(step_of(WRITE, **ARGUMENTS))
    return {"plan": signing.sign(OTHER, "plan", codec.digest(plan), plan)}


def wrong_subject(home: Path) -> dict[str, Any]:
    plan = plan_of(step_of(WRITE, **ARGUMENTS))
    return {"plan": signing.sign(SIGNER, "plan", "7" * 64, plan)}


def wrong_kind(home: Path) -> dict[str, Any]:
    plan = plan_of(step_of(WRITE, **ARGUMENTS))
    return {"plan": signing.sign(SIGNER, "proposal", codec.digest(plan), plan)}


def wider_manifest(home: Path) -> dict[str, Any]:
    return {"manifest": codec.encode(msgspec.structs.replace(WRITE, output=Output(max_bytes=1 << 20)))}


def other_grant(home: Path) -> dict[str, Any]:
    plan = plan_of(step_of(WRITE, path="b", content="x"))
    return {"grant": grant_for(plan, WRITE, {"path": "b", "content": "x"}, home)}


def attackers_grant(home: Path) -> dict[str, Any]:
    return {"grant": grant_for(plan_of(step_of(WRITE, **ARGUMENTS)), WRITE, ARGUMENTS, home, seed=bytes(32))}


def attackers_grant_and_key(home: Path) -> dict[str, Any]:
    """Only the harness sends these; the trap is a step that lets a token bring its own key."""
    return {"grant": attackers_grant(home)["grant"], "grant_key": grant.public_key(SEED)}


def resource_beyond(home: Path) -> dict[str, Any]:
    plan = plan_of(step_of(WRITE, **ARGUMENTS))
    return {"grant": grant_for(plan, WRITE, {"path": "elsewhere", "content": "x"}, home)}


CHECKS: dict[str, tuple[Callable[[Path], dict[str, Any]], str]] = {
    "1 another key signed": (signed_by_another, "signature.untrusted"),
    "1 the subject is another digest": (wrong_subject, "plan.digest"),
    "1 another kind of statement": (wrong_kind, "signature.kind"),
    "1 no envelope": (lambda _: {"plan": b""}, "codec.syntax"),
    "1 no keys": (lambda _: {"keyring": b'{"keys":[]}'}, "signature.untrusted"),
    "2 no such step": (lambda _: {"step": "s9"}, "step.unknown"),
    "2 one iteration too many": (lambda _: {"iteration": 1}, "step.iteration"),
    "3 a manifest that promises more": (wider_manifest, "step.manifest"),
    "3 another action's manifest": (lambda _: {"manifest": codec.encode(READ)}, "step.manifest"),
    "4 another literal": (lambda _: {"arguments": codec.encode({"path": "b", "content": "x"})}, "step.literal"),
    "4 a literal of another type": (lambda _: {"arguments": codec.encode({"path": "a", "content": 1})}, "step.literal"),
    "4 an argument more": (lambda _: {"arguments": codec.encode({**ARGUMENTS, "overwrite": True})}, "step.arguments"),
    "4 an argument less": (lambda _: {"arguments": codec.encode({"path": "a"})}, "step.arguments"),
    "4 an argument twice": (lambda _: {"arguments": b'{"content":"x","path":"a","path":"a"}'}, "codec.duplicate_key"),
    "6 a read that writes": (lambda _: {"mode": RunStep.READ}, "step.mode"),
    "6 a snapshot with an act": (lambda _: {"snapshot": b"[]"}, "step.mode"),
    "6 a snapshot of nothing": (lambda _: {"mode": RunStep.SNAPSHOT, "snapshot": b"[]"}, "step.paths"),
    "7 a secret that nobody named": (lambda _: {"secrets": {"token": b"x"}}, "step.secrets"),
    "8 another plan's envelope": (other_plan, "step.literal"),
    "8 another plan's grant": (other_grant, "grant.plan"),
    "8 a grant under another key": (attackers_grant, "grant.untrusted"),
    "8 a grant that brings its key": (attackers_grant_and_key, "grant.untrusted"),
    "8 a file that is not granted": (resource_beyond, "grant.resource"),
    "8 too late": (lambda _: {"now": NOW + 60_000}, "grant.expired"),
    "8 too early": (lambda _: {"now": NOW - 1001}, "grant.not_yet_valid"),
    "8 another folder to start from": (lambda _: {"home": "/"}, "grant.resource"),
}


@pytest.mark.parametrize("name", CHECKS)
def test_check(name: str, tmp_path: Path) -> None:
    change, code = CHECKS[name]
    ran = run_step(request(WRITE, ARGUMENTS, tmp_path, **change(tmp_path)), tmp_path)
    assert (ran.ok, ran.code, ran.effect_possible) == (False, code, False)
    assert os.listdir(tmp_path) == []


def test_check_5_an_argument_outside_of_its_schema(tmp_path: Path) -> None:
    manifest = CATALOGUE["files.list@1"]
    ran = run_step(request(manifest, {"path": ".", "limit": 5000}, tmp_path), tmp_path)
    assert (ran.ok, ran.code) == (False, "argument.range")


def test_check_4_an_expression_may_become_any_valid_value(tmp_path: Path) -> None:
    resolved = {"path": "a", "content": "what s0 said"}
    plan = plan_of(step_of(WRITE, path="a", content={"$ref": "s0.output"}))
    message = request(
        WRITE,
        resolved,
        tmp_path,
        plan=signing.sign(SIGNER, "plan", codec.digest(plan), plan),
        grant=grant_for(plan, WRITE, resolved, tmp_path),
    )
    assert run_step(message, tmp_path).ok
    assert (tmp_path / "a").read_text() == "what s0 said"


def test_a_read_may_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    assert run_step(request(READ, {"path": "a"}, tmp_path, mode=RunStep.READ), tmp_path).ok


def test_an_output_beyond_its_bound_is_said_to_have_happened(tmp_path: Path) -> None:
    tight = msgspec.structs.replace(WRITE, output=Output(max_bytes=16))
    ran = run_step(request(tight, ARGUMENTS, tmp_path), tmp_path)
    assert (ran.ok, ran.code, ran.effect_possible) == (False, "output.too_large", True)
    assert codec.decode(ran.output, dict)["allowed"] == 16
    assert (tmp_path / "a").read_text() == "x"


def test_a_step_beyond_its_time_is_ended(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a" * 64)
    slow = msgspec.structs.replace(CATALOGUE["files.search@1"], timeout_ms=100)
    ran = run_step(request(slow, {"path": ".", "pattern": "(a+)+b", "regex": True}, tmp_path), tmp_path)
    assert (ran.ok, ran.code, ran.effect_possible) == (False, "step.timeout", False)


def test_a_separation_violation_is_not_swallowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crossing(_: object) -> None:
        raise SeparationViolation("separation.test", "a driver met one")

    monkeypatch.setattr(step_main, "_DRIVERS", {"files": crossing})
    ours, theirs = socket.socketpair()
    with ours, theirs:
        message = request(WRITE, ARGUMENTS, tmp_path)
        ours.sendall(len(message.SerializeToString(deterministic=True)).to_bytes(4, "big"))
        ours.sendall(message.SerializeToString(deterministic=True))
        with pytest.raises(SeparationViolation):
            step_main.serve(theirs, {})


def test_any_other_fault_of_a_driver_becomes_a_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError("a value that must not travel")

    monkeypatch.setattr(step_main, "_DRIVERS", {"files": broken})
    ran = run_step(request(WRITE, ARGUMENTS, tmp_path), tmp_path)
    assert (ran.code, ran.message) == ("step.crashed", "an unexpected ZeroDivisionError")


def test_a_closed_channel_ends_the_step_and_garbage_is_an_error() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        ours.close()
        assert step_main.serve(theirs, {}) == 0
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b"\0\0\0\2\xff\xff")
        with pytest.raises(ChannelError):
            step_main.serve(theirs, {})
