"""Grants: what is granted passes, and each single difference is refused with its own code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.artifact import grant
from interlock.artifact.action import Effect
from interlock.artifact.errors import GrantError
from interlock.artifact.grant import (
    GrantClaims,
    GrantedStep,
    GrantRequest,
    attenuate,
    authorise,
    mint,
    public_key,
    revocation_ids,
)
from interlock.artifact.resources import Touched

SEED = bytes(range(32))
PUBLIC = public_key(SEED)
PLAN, MANIFEST = "1" * 64, "2" * 64


def file(name: str, access: Effect = Effect.READ, **facts: Any) -> Touched:
    return Touched(kind="file", name=name, access=access, **facts)


def claims(**changes: Any) -> GrantClaims:
    step = GrantedStep(
        step="s1", iterations=3, action="files.read@1", manifest=MANIFEST, resources=(file("/w/a"), file("/w/b"))
    )
    loose = GrantedStep(
        step="s2",
        iterations=1,
        action="files.write@1",
        manifest="3" * 64,
        resources=(file("{p}", Effect.WRITE, open=True),),
    )
    found = GrantClaims(plan=PLAN, task="t1", steps=(step, loose), not_before=1000, expires_at=2000)
    return msgspec.structs.replace(found, **changes)


def asked(**changes: Any) -> GrantRequest:
    found = GrantRequest(
        plan=PLAN, step="s1", iteration=0, action="files.read@1", manifest=MANIFEST, resources=(file("/w/a"),)
    )
    return msgspec.structs.replace(found, **changes)


TOKEN = mint(SEED, claims())
WRITE = {"step": "s2", "action": "files.write@1", "manifest": "3" * 64}

REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "another plan": ({"plan": "9" * 64}, 1500, "grant.plan"),
    "another executor": ({"executor": "worker-2"}, 1500, "grant.executor"),
    "too early": ({}, 999, "grant.not_yet_valid"),
    "at its end": ({}, 2000, "grant.expired"),
    "another step": ({"step": "s9"}, 1500, "grant.step"),
    "one iteration too many": ({"iteration": 3}, 1500, "grant.iteration"),
    "an iteration before the first": ({"iteration": -1}, 1500, "grant.iteration"),
    "another action": ({"action": "files.write@1"}, 1500, "grant.action"),
    "another version": ({"action": "files.read@2"}, 1500, "grant.action"),
    "another manifest": ({"manifest": "4" * 64}, 1500, "grant.action"),
    "another file": ({"resources": (file("/w/c"),)}, 1500, "grant.resource"),
    "a file below": ({"resources": (file("/w/a/x"),)}, 1500, "grant.resource"),
    "another access": ({"resources": (file("/w/a", Effect.WRITE),)}, 1500, "grant.resource"),
    "one good and one bad file": ({"resources": (file("/w/a"), file("/w/c"))}, 1500, "grant.resource"),
    "a resource that claims to be open": ({"resources": (file("/w/c", open=True),)}, 1500, "grant.resource"),
    "an open resource's other access": ({**WRITE, "resources": (file("/x", Effect.DELETE),)}, 1500, "grant.resource"),
    "another step's resource": ({**WRITE, "resources": (file("/w/a"),)}, 1500, "grant.resource"),
}


def refused(token: bytes, request: GrantRequest, now: int = 1500, public: bytes = PUBLIC) -> str:
    with pytest.raises(GrantError) as caught:
        authorise(token, public, request, now)
    return caught.value.code


@pytest.mark.parametrize("name", REFUSED)
def test_a_single_difference_is_refused(name: str) -> None:
    changes, now, code = REFUSED[name]
    assert refused(TOKEN, asked(**changes), now) == code


@pytest.mark.parametrize("iteration", [0, 1, 2])
def test_what_is_granted_passes(iteration: int) -> None:
    authorise(TOKEN, PUBLIC, asked(iteration=iteration, resources=(file("/w/a"), file("/w/b"))), 1000)
    authorise(TOKEN, PUBLIC, asked(iteration=iteration, resources=()), 1999)


def test_an_open_resource_admits_any_name_of_its_kind() -> None:
    authorise(TOKEN, PUBLIC, asked(**WRITE, resources=(file("/anything", Effect.WRITE),)), 1500)
    endpoint = Touched(kind="endpoint", name="/anything", access=Effect.WRITE)
    assert refused(TOKEN, asked(**WRITE, resources=(endpoint,))) == "grant.resource"


def test_another_root_key_is_refused() -> None:
    assert refused(mint(bytes(32), claims()), asked()) == "grant.untrusted"
    assert refused(TOKEN, asked(), public=public_key(bytes(32))) == "grant.untrusted"
    assert refused(TOKEN, asked(), public=b"short") == "grant.untrusted"


def test_attenuation_narrows_to_one_iteration() -> None:
    narrow = attenuate(TOKEN, PUBLIC, "s1", 1)
    authorise(narrow, PUBLIC, asked(iteration=1), 1500)
    assert refused(narrow, asked(iteration=0)) == "grant.attenuated"
    assert refused(narrow, asked(**WRITE, resources=())) == "grant.attenuated"
    assert refused(narrow, asked(iteration=1), 2000) == "grant.expired"


def test_attenuation_pins_resources() -> None:
    narrow = attenuate(TOKEN, PUBLIC, "s2", 0, (file("/w/out", Effect.WRITE),))
    authorise(narrow, PUBLIC, asked(**WRITE, resources=(file("/w/out", Effect.WRITE),)), 1500)
    assert refused(narrow, asked(**WRITE, resources=(file("/w/other", Effect.WRITE),))) == "grant.attenuated"
    nothing = attenuate(TOKEN, PUBLIC, "s1", 0, ())
    authorise(nothing, PUBLIC, asked(resources=()), 1500)
    assert refused(nothing, asked()) == "grant.attenuated"


def test_attenuation_cannot_widen() -> None:
    wider = attenuate(TOKEN, PUBLIC, "s1", 3, (file("/etc/shadow"),))
    assert refused(wider, asked(iteration=3)) == "grant.attenuated"
    assert refused(wider, asked(iteration=3, resources=(file("/etc/shadow"),))) == "grant.iteration"


def test_revocation_ids_name_what_it_was_derived_from() -> None:
    narrow = attenuate(TOKEN, PUBLIC, "s1", 0)
    assert revocation_ids(narrow, PUBLIC)[0] == revocation_ids(TOKEN, PUBLIC)[0]
    assert len(revocation_ids(narrow, PUBLIC)) == 2
    assert revocation_ids(mint(SEED, claims()), PUBLIC) != revocation_ids(TOKEN, PUBLIC)


@pytest.mark.parametrize("change", [{"not_before": 2000}, {"steps": claims().steps * 2}])
def test_claims_that_say_nothing_clear_are_not_minted(change: dict[str, Any]) -> None:
    with pytest.raises(GrantError, match=r"grant\.claims"):
        mint(SEED, claims(**change))


@given(st.text(max_size=60))
def test_names_are_data_and_never_datalog(name: str) -> None:
    token = mint(
        SEED,
        claims(steps=(GrantedStep(step="s1", iterations=1, action="a@1", manifest=MANIFEST, resources=(file(name),)),)),
    )
    request = asked(action="a@1", resources=(file(name),))
    authorise(token, PUBLIC, request, 1500)
    assert refused(token, msgspec.structs.replace(request, resources=(file(name + "x"),))) == "grant.resource"


def test_a_panic_of_the_library_refuses_and_any_other_fault_passes() -> None:
    panic = type("PanicException", (BaseException,), {})

    def failing(error: BaseException) -> Callable[[], None]:
        def call() -> None:
            raise error

        return call

    with pytest.raises(GrantError, match=r"grant\.fault"):
        grant._guarded(failing(panic("a bug")))
    with pytest.raises(KeyboardInterrupt):
        grant._guarded(failing(KeyboardInterrupt()))
    assert grant._guarded(lambda: 3) == 3
