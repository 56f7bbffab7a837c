"""Every other parser of hostile bytes in the harness: it answers or raises ``InterlockError``, and never hangs."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlock.artifact import bundle, channel, checkpoint, grant, snapshot
from interlock.artifact.channel_pb2 import (
    Ask,
    ExecutorCall,
    Generated,
    Next,
    PlannerCall,
    Propose,
    ProxyEvent,
    Ran,
    StepCall,
)
from interlock.artifact.checkpoint import Checkpoint, note_key
from interlock.artifact.entry import Entry, leaf_of, parse_leaf
from interlock.artifact.errors import InterlockError
from interlock.artifact.signing import verify
from interlock.artifact.verdict import Verdict
from interlock.decide.policy import compile_policies
from support.mutating import SHORT_SECONDS, hold, seconds
from support.samples import KEYRING
from support.vectors import cases

MESSAGES = (PlannerCall, ExecutorCall, StepCall, Generated, ProxyEvent)
CALLS = [
    PlannerCall(ask=Ask(question="which?")), PlannerCall(propose=Propose(proposal=b"{}")),
    ExecutorCall(next=Next(step="s1", iteration=3)), StepCall(ran=Ran(ok=True, output=b"null", code="x", message="m")),
    ProxyEvent(lease="l", code="c", method="GET", path="/", status=200, violation=True),
]  # fmt: skip
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NOTE = checkpoint.sign_checkpoint(Checkpoint(origin="example.com/log", size=3, root=bytes(32)), KEY)
LEAF = leaf_of(Entry(kind="task", at=1, task="t", subject="s", code="c", commitment="0" * 64))
GRANT_KEY = grant.public_key(bytes(range(32)))
STEP = grant.GrantedStep(step="s1", iterations=1, action="a@1", manifest="2" * 64, resources=())
CLAIMS = grant.GrantClaims(plan="1" * 64, task="t", steps=(STEP,), not_before=1000, expires_at=2000)
TOKEN = grant.mint(bytes(range(32)), CLAIMS)
REQUEST = grant.GrantRequest(plan="1" * 64, step="s1", iteration=0, action="a@1", manifest="2" * 64, resources=())
POLICIES = [
    b'rules:\n  - allow: "files.*"\n    path: [~/.ssh/**, "./a/*"]\n    effect: [read, write]\n    id: a\n',
    b'rules:\n  - verify: "*"\n    tier: 3\n    approvals: 2\n    cost: "> 100"\n    id: b\n    why: because\n',
    b'rules:\n  - {deny: "*", host: "*.example.com", class: restricted, id: c}\n',
    b'permit(principal, action, resource) when { context.cost < 3 };\n@id("x") forbid(principal, action, resource);',
]


def frame_bytes(message: bytes) -> bytes:
    return len(message).to_bytes(4, "big") + message


def one_stream(raw: bytes) -> None:
    """A peer sends these bytes and closes: every kind of message ends in values, an end, or an error."""
    for kind in MESSAGES:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.setblocking(False)
            with suppress(BlockingIOError):
                theirs.send(raw)
            theirs.shutdown(socket.SHUT_WR)
            ours.settimeout(5)
            with suppress(InterlockError):
                while (found := channel.receive(ours, kind)) is not None:
                    assert found.SerializeToString(deterministic=True) in raw


def one_note(raw: bytes) -> None:
    for deed in (checkpoint.parse_note, checkpoint.parse_proof, lambda found: checkpoint.parse_hashes("size", found)):
        with suppress(InterlockError):
            deed(raw)
    for read in (checkpoint.parse_vkey, checkpoint.parse_checkpoint):
        with suppress(InterlockError):
            read(raw.decode("utf-8", "replace"))
    with suppress(InterlockError):
        assert checkpoint.open_checkpoint(raw, [note_key("example.com/log", KEY)]).size == 3


def one_record(raw: bytes) -> None:
    for deed in (parse_leaf, snapshot.decode, lambda found: bundle.parse_line(found, bundle.Disclosure)):
        with suppress(InterlockError):
            deed(raw)


def one_envelope(raw: bytes) -> None:
    with suppress(InterlockError):
        found = verify(raw, KEYRING, "harness", "verdict", Verdict, at=1_700_000_000_000)
        assert found.owners


def one_grant(raw: bytes) -> None:
    """Only the token itself is accepted: every other one was altered."""
    with suppress(InterlockError):
        grant.authorise(raw, GRANT_KEY, REQUEST, 1500)
        assert raw == TOKEN


def one_policy(raw: bytes) -> None:
    text = raw.decode("utf-8", "replace")
    for files in (({}, {"a.yaml": text}), ({"a.cedar": text}, {})):
        with suppress(InterlockError):
            compile_policies(*files, home="/h", root="/w")


Deed = Callable[[bytes], None]
FUZZED: dict[str, tuple[Deed, Sequence[bytes]]] = {
    "channel": (one_stream, [frame_bytes(call.SerializeToString()) for call in CALLS]),
    "notes": (one_note, [NOTE, checkpoint.format_hashes("size", 3, [bytes(32)])]),
    "records": (one_record, [LEAF, b'{"pages":[[{"kind":"absent","path":"/a"}]],"roots":["/a"]}']),
    "envelopes": (one_envelope, [case["envelope"].encode() for case in cases("envelopes")]),
    "grants": (one_grant, [TOKEN]),
    "policies": (one_policy, POLICIES),
}


@pytest.mark.parametrize("name", FUZZED)
def test_a_moment_of_fuzzing(name: str) -> None:
    assert hold(*FUZZED[name], SHORT_SECONDS) > 20


@pytest.mark.slow
@pytest.mark.parametrize("name", FUZZED)
def test_a_long_fuzzing(name: str) -> None:
    assert hold(*FUZZED[name], seconds()) > 100


def test_the_seeds_are_what_they_look_like() -> None:
    assert checkpoint.open_checkpoint(NOTE, [note_key("example.com/log", KEY)]).size == 3
    assert parse_leaf(LEAF).kind == "task"
    assert compile_policies({}, {"a.yaml": POLICIES[0].decode()}, home="/h", root="/w")
    assert grant.authorise(TOKEN, GRANT_KEY, REQUEST, 1500) is None
