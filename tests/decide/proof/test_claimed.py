"""The translation covers what the analyst claims: of no part of a real step is it stricter than the gate."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.decide.test_static_check import LITERALS, examined
from tests.support.judging import CATALOGUE, PRIVATE, SECRET, SITE, UNTRUSTED, evidence, policy, step

from interlock.artifact.action import Effect, Role
from interlock.artifact.analysis import Analysis, Opacity
from interlock.artifact.label import CLEAN, join
from interlock.artifact.resources import Touched
from interlock.artifact.verdict import Decision
from interlock.decide import gate
from interlock.decide.flow import View
from interlock.decide.policy import PolicyRequest
from interlock.decide.proof import floor
from interlock.decide.proof.formula import holds
from interlock.decide.proof.situation import Situation, values
from interlock.decide.proof.translate import encode

RESOURCES = (
    ("file", "/srv/work/a"), ("file", "/srv/work"), ("file", "/srv/work/policy/x"), ("file", "/srv/work/vault/k"), ("file", "/tmp/a"),
    ("file", "/home/alice/.ssh/id"), ("program", "ls"), ("endpoint", "a.example:443"), ("network", "listen"), ("package", "pip"),
    ("environment", "PATH"), ("privilege", "root"), ("recipient", "ann@a.example"), ("vm", "main"), ("repository", "origin"),
)  # fmt: skip
TOUCHED = st.builds(
    lambda name, access, recursive: Touched(kind=name[0], name=name[1], access=access, recursive=recursive),
    st.sampled_from(RESOURCES), st.sampled_from(Effect), st.booleans(),
)  # fmt: skip
CLAIMS = st.builds(
    lambda touched, opaque: Analysis(touched=tuple(touched), opaque=opaque),
    st.lists(TOUCHED, max_size=3),
    st.sampled_from(((), (), (Opacity(argument="command", code="shell.dynamic"),))),
)
ENCODED = encode(policy())
RECEIVED = st.sampled_from((CLEAN, PRIVATE, SECRET, UNTRUSTED, join(SECRET, UNTRUSTED)))


def situation(view: View, number: int, request: PolicyRequest) -> Situation:
    """One part of a real step, as the proof sees it."""
    arguments = view.manifest.arguments
    strangers = [
        name for name, label in view.labels.items() if label.untrusted and arguments[name].role is not Role.CONTENT
    ]
    return Situation(
        request=request, accepts=view.manifest.accepts, authority=bool(strangers),
        claimed=view.parts[number].claimed, whole=view.seen,
    )  # fmt: skip


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(st.sampled_from(("run@1", "write@1", "read@1", "page@1", "send@1")), CLAIMS, RECEIVED)
def test_no_part_of_a_step_is_decided_less_strictly_than_the_proof_says(
    action: str, claim: Analysis, received: object
) -> None:
    known = evidence(received=received)
    plan = examined(
        known, step("s1", action, arguments={name: LITERALS.get(name, "x") for name in CATALOGUE[action].arguments})
    )
    [asked] = (gate.ask(plan, known.claiming({"s1": claim})).steps or ()) if plan else [None]
    if asked is None or asked.view is None:
        return
    real = {one.decision for one in asked.reasons}
    for number, request in enumerate(asked.requests):
        given_values = values(situation(asked.view, number, request))
        if holds(floor.floor_denies(SITE), given_values):
            assert Decision.DENY in real
        if holds(floor.floor_asks(ENCODED), given_values):
            assert real & {Decision.DENY, Decision.STEP_UP}
