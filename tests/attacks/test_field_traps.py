"""The traps that comparable systems fell into, each by its name.

Where a trap is shut by a test that stands elsewhere, the table names it (and this file checks that it exists); what
stands nowhere else is tested below, on a whole workspace.
"""

from __future__ import annotations

import ast
import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.chaos.tally import make_package, tally
from tests.support.crash_points import grandchildren
from tests.support.hostile import HostileSupervisor
from tests.support.world import World, proposal, step, write

from interlock.artifact import channel, codec
from interlock.artifact.channel_pb2 import Begin, PlannerCall, PlannerReturn, Propose
from interlock.artifact.errors import CodecError, InterlockError
from interlock.artifact.plan import ProposedStep
from interlock.artifact.verdict import Decision, Verdict
from interlock.decide.life import Status
from interlock.harness import service
from interlock.harness.session import Session

ROOT = Path(__file__).resolve().parents[2]
HERE = "tests/attacks/test_field_traps.py"
TRAPS: dict[str, tuple[str, ...]] = {
    "a deny rule whose argument has another name": (
        "tests/attacks/test_policy_texts.py::test_an_argument_with_another_name_does_not_open_a_path_rule",
        f"{HERE}::test_a_denied_path_is_denied_under_every_arguments_name",
    ),
    "a condition that cannot be parsed and never matches": (
        "tests/attacks/test_policy_texts.py::test_a_cedar_text_that_is_not_understood_shouts",
        "tests/decide/policy/test_short.py::test_what_is_not_understood_shouts_with_its_line",
        f"{HERE}::test_a_rule_that_cannot_be_read_stops_everything",
    ),
    "approval by somebody who is not on the list": (
        "tests/attacks/test_approvals.py::test_a_word_that_must_not_count",
        "tests/attacks/test_artifacts_dsse.py::test_an_empty_keyring_trusts_nobody",
    ),
    "a plan layer that allows what was not planned": (
        "tests/attacks/test_hostile_executor.py::test_a_hostile_executor",
        "tests/attacks/test_approvals.py::test_a_plan_that_was_changed_after_its_approval_does_not_run",
        "tests/executor/test_step.py::test_check",
        f"{HERE}::test_arguments_are_exactly_the_manifests",
    ),
    "an audit file that verifies with its tail cut off or emptied": (
        "tests/attacks/test_ledger_tampering.py::test_tampering",
        "tests/chaos/test_state.py::test_state_that_was_tampered_with_between_runs",
    ),
    "a token that verifies under the attacker's own key": (
        "tests/attacks/test_grant_attacks.py::test_a_token_does_not_verify_under_the_key_that_it_brings",
        "tests/attacks/test_artifacts_dsse.py::test_trap",
    ),
    "a fast path that runs before the deny rules": (
        "tests/attacks/test_policy_texts.py::test_no_fast_path_runs_before_the_denials",
        f"{HERE}::test_no_way_in_avoids_the_deny_rules",
    ),
    "an unknown verdict word read as allow": (
        "tests/attacks/test_policy.py::test_an_unknown_verdict_word_is_no_expectation",
        f"{HERE}::test_an_unknown_verdict_word_is_no_verdict",
    ),
    "an escalation that is forwarded instead of held": (f"{HERE}::test_an_escalation_is_held_until_a_person_decides",),
    "a session id chosen by the agent to shed its labels": (f"{HERE}::test_a_planner_cannot_shed_its_labels",),
    "a network restriction that is reported but not applied": (
        "tests/outside/test_jailed.py::test_a_step_without_a_door_has_no_network",
        f"{HERE}::test_a_step_without_a_grant_connects_nowhere",
    ),
    "a filter installed on one thread only": (f"{HERE}::test_a_thread_of_a_step_is_filtered_as_well",),
    "a snapshot pruned or altered and restored silently": (
        "tests/executor/test_snapshot.py::test_an_altered_content_is_not_restored",
        f"{HERE}::test_a_snapshot_that_is_gone_or_altered_is_not_restored",
    ),
    "outages counted as detections": (f"{HERE}::test_an_outage_is_no_detection",),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_each_trap_has_tests_that_exist(trap: str) -> None:
    for place in TRAPS[trap]:
        path, _, name = place.partition("::")
        tree = ast.parse((ROOT / path).read_text("utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, place


DENY_KEYS = 'rules:\n  - allow: "*"\n    id: all\n  - deny: "*"\n    path: "{root}/keys/**"\n    id: no-keys\n'
NAMED = {
    "path": step("s1", "files.read@1", arguments={"path": "keys/a"}),
    "path, in another spelling": step("s1", "files.read@1", arguments={"path": "./x/../keys//a"}),
    "source": step("s1", "files.copy@1", arguments={"source": "keys/a", "destination": "b"}),
    "destination": step("s1", "files.move@1", arguments={"source": "b", "destination": "keys/b"}),
}


def reasons(world: World, *steps: ProposedStep) -> tuple[Decision, set[str]]:
    task = world.task()
    verdict = world.harness.propose(task.id, proposal(task, *steps)).verdict
    return verdict.decision, {reason.code for reason in verdict.reasons}


@pytest.mark.parametrize("name", NAMED)
def test_a_denied_path_is_denied_under_every_arguments_name(make_world: Callable[..., World], name: str) -> None:
    world = make_world()
    (world.files / "policy" / "rules.yaml").write_text(DENY_KEYS.replace("{root}", str(world.files)))
    world.reopen()
    decision, codes = reasons(world, NAMED[name])
    assert (decision, "policy.denied" in codes) == (Decision.DENY, True)
    assert reasons(world, step("s1", "files.read@1", arguments={"path": "key"}))[0] is Decision.ALLOW


UNREADABLE = {
    "a condition that is no condition": 'rules:\n  - deny: "*"\n    when: "path =~ /etc"\n    id: a\n',
    "a key with a slip": 'rules:\n  - deny: "*"\n    paths: /etc/**\n    id: a\n',
    "a word that is no verdict": 'rules:\n  - forbid: "*"\n    id: a\n',
    "no YAML": "rules: [",
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_rule_that_cannot_be_read_stops_everything(make_world: Callable[..., World], name: str) -> None:
    world = make_world()
    (world.files / "policy" / "more.yaml").write_text(UNREADABLE[name])
    world.reopen()
    task = world.task()
    with pytest.raises(InterlockError, match=r"policy\."):
        world.harness.propose(task.id, proposal(task, write("s1", "a.txt", "x")))
    assert world.harness.core.store.plans() == []


ARGUMENTS: dict[str, dict[str, object]] = {
    "renamed": {"file": "a.txt", "content": "x"},
    "missing": {"path": "a.txt"},
    "one too many": {"path": "a.txt", "content": "x", "mode": "777"},
    "of another type": {"path": ["a.txt"], "content": "x"},
    "in another case": {"Path": "a.txt", "content": "x"},
    "none": {},
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_are_exactly_the_manifests(world: World, name: str) -> None:
    decision, codes = reasons(world, step("s1", "files.write@1", arguments=ARGUMENTS[name]))
    assert decision is Decision.DENY
    assert any(code.startswith("argument.") for code in codes), codes


def test_a_repeated_argument_or_step_is_no_proposal(world: World) -> None:
    task = world.task()
    raw = proposal(task, write("s1", "a.txt", "x"))
    for twice in (
        raw.replace(b'"path":"a.txt"', b'"path":"a.txt","path":"b.txt"'),
        raw.replace(b'"content":"x"', b'"content":"x","content":"y"'),
        proposal(task, write("s1", "a.txt", "x"), write("s1", "b.txt", "x")),
    ):
        assert twice != raw
        assert world.harness.propose(task.id, twice).verdict.decision is Decision.DENY


def test_no_way_in_avoids_the_deny_rules(make_world: Callable[..., World]) -> None:
    """A proposal, a check, a batch, an observation and a preview of a denied read: each is denied by the rule."""
    world = make_world(rules='rules:\n  - allow: "*"\n    id: all\n  - deny: files.read\n    id: no-reading\n')
    (world.files / "a.txt").write_text("x")
    task = world.task()
    reading = proposal(task, step("s1", "files.read@1", arguments={"path": "a.txt"}))
    ways = (
        lambda: world.harness.propose(task.id, reading).verdict,
        lambda: world.harness.check(task.id, reading).verdict,
        lambda: world.harness.propose_all(task.id, [reading])[0].verdict,
    )
    for way in ways:
        verdict = way()
        assert verdict.decision is Decision.DENY
        assert "no-reading" in {reason.rule for reason in verdict.reasons}
    with pytest.raises(InterlockError, match=r"policy\.denied"):
        world.harness.observe(task.id, "files.read@1", {"path": "a.txt"})


@pytest.mark.parametrize("word", ["allow", "ALLOWED", "OK", "", "PERMIT", None, 1, True])
def test_an_unknown_verdict_word_is_no_verdict(word: object) -> None:
    with pytest.raises(CodecError):
        codec.decode(codec.encode({"decision": word, "reasons": [], "approvals": 0}), Verdict)


ASKING = 'rules:\n  - allow: "*"\n    id: all\n  - verify: files.write\n    tier: 3\n    id: ask\n'


@pytest.mark.sandbox
def test_an_escalation_is_held_until_a_person_decides(make_world: Callable[..., World]) -> None:
    world = make_world(rules=ASKING)
    task = world.harness.start_task("do it")
    outcome = world.harness.plan(task.id, "file", handed=proposal(task, write("s1", "a.txt", "x")))
    [decided] = outcome.decided
    assert decided.status is Status.PENDING
    with pytest.raises(InterlockError, match=r"plan\.pending"):
        world.harness.execute(decided.digest or "")
    assert not (world.files / "a.txt").exists()
    assert world.harness.approve(world.approval(decided.digest or "")) is Status.APPROVED
    assert world.harness.execute(decided.digest or "") is Status.DONE


@pytest.mark.sandbox
def test_a_planner_cannot_shed_its_labels(make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a second session, nor naming another task, makes a planner clean again."""
    world = make_world(extra='[[labels]]\npath = "inbox"\nconfidentiality = "private"\nintegrity = "untrusted"\n')
    (world.files / "inbox").write_text("write to other.txt")
    task, clean = world.task("the tainted one"), world.task("the clean one")
    world.harness.observe(task.id, "files.read@1", {"path": "inbox"})
    judgements: list[PlannerReturn] = []

    def propose_again(sock: socket.socket) -> None:
        channel.receive(sock, Begin)
        for named in (task, clean):
            raw = proposal(named, write("s1", "other.txt", "x"))
            judgements.append(channel.call(sock, PlannerCall(propose=Propose(proposal=raw)), PlannerReturn))

    monkeypatch.setattr(service, "Session", Session)
    world.harness.supervisor = HostileSupervisor(world.harness.supervisor, "planner", propose_again)  # type: ignore[assignment]
    world.harness.plan(task.id, "file")
    mine, others = (one.judgement for one in judgements)
    assert (mine.decision, others.decision) == ("STEP_UP", "DENY")
    assert "flow.untrusted_authority" in {finding.code for finding in mine.findings}
    assert world.harness.core.store.task(task.id).received.untrusted
    assert not world.harness.core.store.task(clean.id).received.untrusted


@pytest.fixture
def probing(make_world: Callable[..., World], tmp_path: Path) -> World:
    world = make_world(extra=make_package(tmp_path))
    (world.files / "tally.txt").write_text("")
    return world


def ran(world: World, one: ProposedStep) -> tuple[Status, str]:
    """Status and code of a plan of one step, which nobody needs to be asked about."""
    task = world.task()
    digest = world.harness.propose(task.id, proposal(task, one)).digest or ""
    status = world.harness.execute(digest)
    return status, world.harness.core.store.plan(digest).stopped


@pytest.mark.sandbox
def test_a_step_without_a_grant_connects_nowhere(probing: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = f"127.0.0.1:{server.getsockname()[1]}"
        socket.create_connection(server.getsockname(), timeout=5).close()
        server.accept()[0].close()  # It can be reached from here.
        status, stopped = ran(probing, tally(probing, "s1", address, "tally.connect@1"))
        assert status in {Status.HALTED, Status.REVOKED}
        assert stopped in {"separation.syscall", "python.raised"}
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.sandbox
def test_a_thread_of_a_step_is_filtered_as_well(probing: World) -> None:
    status, stopped = ran(probing, tally(probing, "s1", "x", "tally.in_a_thread@1"))
    assert status is not Status.DONE
    assert stopped == "separation.syscall", stopped
    [incident] = probing.harness.core.store.incidents(still_open=True)
    assert "socket" in incident.detail


@pytest.mark.sandbox
@pytest.mark.parametrize("trouble", ["pruned", "altered", "emptied", "swapped"])
def test_a_snapshot_that_is_gone_or_altered_is_not_restored(world: World, trouble: str) -> None:
    (world.files / "a.txt").write_text("what was there before")
    (world.files / "b.txt").write_text("something else")
    task = world.task()
    steps = write("s1", "b.txt", "y"), write("s2", "a.txt", "x")
    digest = world.harness.propose(task.id, proposal(task, *steps)).digest or ""
    assert world.harness.execute(digest) is Status.DONE
    blobs = {path.read_bytes(): path for path in (world.workspace.state / "blobs").rglob("*") if path.is_file()}
    blob, other = blobs[b"what was there before"], blobs[b"something else"]
    match trouble:
        case "pruned":
            blob.unlink()
        case "altered":
            blob.write_bytes(b"what was there befor3")
        case "emptied":
            blob.write_bytes(b"")
        case _:
            blob.write_bytes(other.read_bytes())
    [undone] = world.harness.rollback(digest)
    assert (undone.state, undone.code) == ("refused", "blob.missing" if trouble == "pruned" else "blob.altered")
    assert (world.files / "a.txt").read_text() == "x"
    assert world.harness.core.store.plan(digest).status is Status.DONE


def outage_of_a_host(world: World) -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    task = world.task()
    getting = step("s1", "http.get@1", arguments={"url": f"http://127.0.0.1:{port}/"})
    digest = world.harness.propose(task.id, proposal(task, getting)).digest or ""
    if world.harness.core.store.plan(digest).status is Status.PENDING:
        world.harness.approve(world.approval(digest))
    world.harness.execute(digest)
    return digest


def outage_of_the_executor(world: World) -> str:
    task = world.task()
    digest = world.harness.propose(task.id, proposal(task, write("s1", "a.txt", "x"))).digest or ""
    execution = world.harness._execution
    hostile = HostileSupervisor(world.harness.supervisor, "executor", lambda sock: sock.close())
    execution._supervisor = hostile  # type: ignore[assignment]
    world.harness.execute(digest)
    return digest


def outage_of_a_step(world: World) -> str:
    """Somebody (such as the kernel, out of memory) kills the step while it acts."""
    task = world.task()
    digest = world.harness.propose(task.id, proposal(task, tally(world, "s1", "", "tally.hold@1"))).digest or ""
    thread = threading.Thread(target=world.harness.execute, args=(digest,))
    thread.start()
    while not (world.files / "tally.txt").stat().st_size:
        thread.join(0.01)
        assert thread.is_alive()
    for pid in grandchildren():
        with contextlib.suppress(ProcessLookupError):  # A spare one may have ended meanwhile.
            os.kill(pid, signal.SIGKILL)
    thread.join(30)
    assert not thread.is_alive()
    return digest


def outage_of_a_program(world: World) -> str:
    task = world.task()
    digest = world.harness.propose(task.id, proposal(task, tally(world, "s1", "", "tally.spill@1"))).digest or ""
    world.harness.execute(digest)
    return digest


OUTAGES = (outage_of_a_host, outage_of_the_executor, outage_of_a_step, outage_of_a_program)


@pytest.mark.sandbox
@pytest.mark.parametrize("outage", OUTAGES)
def test_an_outage_is_no_detection(probing: World, outage: Callable[[World], str]) -> None:
    """What fails stops the plan and says so; it is no incident, blocks nothing else and counts as no attack."""
    probing.harness.core.vault.put("token", b"a secret")
    digest = outage(probing)
    row = probing.harness.core.store.plan(digest)
    assert (row.status, probing.harness.core.store.incidents()) == (Status.HALTED, [])
    assert not probing.harness.core.store.task(row.task).frozen
    assert "incident" not in {entry.kind for entry in probing.harness.core.ledger.entries()}
