"""Grant: what an executor may do, as a Biscuit (v3) that harness, vault, proxy, supervisor and step each verify.

The authority block, signed with the harness's Ed25519 grant key, holds facts alone: the plan's digest, the
executor, the task, each step with its bound, action and manifest, and the resources of each step.  A holder
can append blocks, and those can only take away: facts that a holder adds are never looked at, checks that a
holder adds are.  Single use per (plan, step, iteration) is the claims table's, not the token's.

Source: Biscuit specification, version 3 (blocks, scopes, attenuation).  Times are milliseconds since 1970.

>>> key = bytes(range(32))
>>> granted = GrantedStep(step="s1", iterations=1, action="files.read@1", manifest="0" * 64)
>>> claims = GrantClaims(plan="1" * 64, task="t", steps=(granted,), not_before=0, expires_at=10)
>>> request = GrantRequest(plan="1" * 64, step="s1", iteration=0, action="files.read@1", manifest="0" * 64)
>>> authorise(mint(key, claims), public_key(key), request, now=5)
>>> authorise(mint(key, claims), public_key(key), request, now=10)
Traceback (most recent call last):
interlock.artifact.errors.GrantError: grant.expired: the grant does not authorise this request
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Annotated, Final, Protocol, TypeAlias, TypeVar, cast

import biscuit_auth as biscuit
import msgspec

from interlock.artifact.codec import Digest, Identifier, Millis, Value
from interlock.artifact.errors import GrantError
from interlock.artifact.plan import MAX_ITERATIONS, MAX_STEPS, StepId
from interlock.artifact.resources import Touched

MAX_TOKEN: Final = 1 << 18
MAX_BLOCKS: Final = 4
MAX_RESOURCES: Final = 64
_MAX_TIME: Final = dt.timedelta(seconds=2)  # Upstream's millisecond fails on a busy machine.
_MAX_FACTS: Final = 3 + MAX_STEPS * (MAX_RESOURCES + 1) + 3 * MAX_RESOURCES
_Terms: TypeAlias = dict[str, "str | int"]
_T = TypeVar("_T")


Resources: TypeAlias = Annotated[tuple[Touched, ...], msgspec.Meta(max_length=MAX_RESOURCES)]


class GrantedStep(Value, frozen=True, kw_only=True):
    """One step: iterations 0 to ``iterations`` - 1 of this action with this manifest on these resources."""

    step: StepId
    iterations: Annotated[int, msgspec.Meta(ge=1, le=MAX_ITERATIONS)]
    action: Identifier
    manifest: Digest
    resources: Resources = ()


class GrantClaims(Value, frozen=True, kw_only=True):
    """What the harness grants, from ``not_before`` until just before ``expires_at``."""

    plan: Digest
    task: Identifier
    executor: Identifier = "local"
    steps: Annotated[tuple[GrantedStep, ...], msgspec.Meta(max_length=MAX_STEPS)]
    not_before: Millis
    expires_at: Millis


class GrantRequest(Value, frozen=True, kw_only=True):
    """What somebody is about to do; ``resources`` carry their real names (``open`` is not read)."""

    plan: Digest
    executor: Identifier = "local"
    step: StepId
    iteration: int
    action: Identifier
    manifest: Digest
    resources: Resources = ()


def public_key(private_key: bytes) -> bytes:
    """The raw public key (32 bytes) of an Ed25519 seed of 32 bytes."""
    return biscuit.KeyPair.from_private_key(_private(private_key)).public_key.to_bytes()


def mint(private_key: bytes, claims: GrantClaims) -> bytes:
    """A token that states ``claims``, signed with an Ed25519 seed of 32 bytes; raises ``GrantError``."""
    if claims.not_before >= claims.expires_at or len({step.step for step in claims.steps}) != len(claims.steps):
        raise GrantError("grant.claims", "a grant needs a span of time and each step once")
    facts = [
        biscuit.Fact("plan({p}, {t}, {e})", {"p": claims.plan, "t": claims.task, "e": claims.executor}),
        biscuit.Fact("valid({a}, {b})", {"a": claims.not_before, "b": claims.expires_at}),
    ]
    for step in claims.steps:
        terms: _Terms = {"s": step.step, "n": step.iterations, "a": step.action, "m": step.manifest}
        facts.append(biscuit.Fact("step({s}, {n}, {a}, {m})", terms))
        facts += [_resource_fact(step.step, resource) for resource in step.resources]
    builder = biscuit.BiscuitBuilder()
    for fact in facts:
        builder.add_fact(fact)
    return bytes(builder.build(_private(private_key)).to_bytes())


def attenuate(
    token: bytes, public: bytes, step: str, iteration: int, resources: Sequence[Touched] | None = None
) -> bytes:
    """The token for one iteration of one step alone and, where given, for these resources alone; needs no secret."""
    block = biscuit.BlockBuilder("check if request({s}, {i})", {"s": step, "i": iteration})
    if resources is not None:
        keys = {_key(resource) for resource in resources}
        inside = "{keys}.contains($r)" if keys else "false"
        block.add_check(biscuit.Check(f"reject if requested($r), !{inside}", {"keys": keys} if keys else None))
    return bytes(_parse(token, public).append(block).to_bytes())


def revocation_ids(token: bytes, public: bytes) -> tuple[str, ...]:
    """One identifier per block, the authority's first: revoking it revokes all that was derived from it."""
    return tuple(_parse(token, public).revocation_ids)


def authorise(token: bytes, public: bytes, request: GrantRequest, now: int) -> None:
    """Return where the grant covers exactly this request at ``now``; raise ``GrantError`` otherwise.

    1. The token is bounded and its blocks verify under the harness's key (32 raw bytes), and no other.
    2. Plan, task and executor; time; step, iteration, action and manifest; each resource: by authority facts.
    3. Every check of every block holds for the request.
    """
    # (1) Signatures before facts.
    parsed = _parse(token, public)
    # (2) What we ask of the authority block; the facts of later blocks are out of scope here.
    checks = [_check(_EXACT, _terms(request, now))]
    checks += [_resource_check(request.step, resource) for resource in request.resources]
    # (3) What the holder's checks may look at.
    facts = [biscuit.Fact("request({s}, {i})", {"s": request.step, "i": request.iteration})]
    facts += [biscuit.Fact("requested({r})", {"r": _key(resource)}) for resource in request.resources]
    if not _holds(parsed, checks, facts):
        raise GrantError(_why(parsed, request, checks, facts, now), "the grant does not authorise this request")


_EXACT: Final = (
    "check if plan({p}, $t, {e}), valid($a, $b), $a <= {now}, {now} < $b, step({s}, $n, {x}, {y}), 0 <= {i}, {i} < $n"
)
_QUESTIONS: Final = {
    "grant.plan": "check if plan({p}, $t, $e)",
    "grant.executor": "check if plan({p}, $t, {e})",
    "grant.not_yet_valid": "check if valid($a, $b), $a <= {now}",
    "grant.expired": "check if valid($a, $b), {now} < $b",
    "grant.step": "check if step({s}, $n, $x, $y)",
    "grant.iteration": "check if step({s}, $n, $x, $y), 0 <= {i}, {i} < $n",
    "grant.action": "check if step({s}, $n, {x}, {y})",
}


def _terms(request: GrantRequest, now: int) -> _Terms:
    plan: _Terms = {"p": request.plan, "e": request.executor, "now": now}
    return plan | {"s": request.step, "i": request.iteration, "x": request.action, "y": request.manifest}


def _check(text: str, terms: _Terms) -> biscuit.Check:
    return biscuit.Check(text, {name: value for name, value in terms.items() if f"{{{name}}}" in text})


def _holds(token: biscuit.Biscuit, checks: list[biscuit.Check], facts: list[biscuit.Fact]) -> bool:
    builder = biscuit.AuthorizerBuilder()
    for check in checks:
        builder.add_check(check)
    for fact in facts:
        builder.add_fact(fact)
    builder.add_policy(biscuit.Policy("allow if true"))
    _bound(builder)
    try:
        _guarded(lambda: builder.build(token).authorize())
    except biscuit.AuthorizationError:
        return False
    return True


def _why(
    token: biscuit.Biscuit,
    request: GrantRequest,
    checks: list[biscuit.Check],
    facts: list[biscuit.Fact],
    now: int,
) -> str:
    """The code of the first question without an answer; the refusal stands already."""
    terms = _terms(request, now)
    if not _holds(token, [], facts):
        return "grant.attenuated"
    questions = [(code, _check(text, terms)) for code, text in _QUESTIONS.items()]
    questions += [("grant.resource", check) for check in checks[1:]]
    return next((code for code, check in questions if not _holds(token, [check], facts)), "grant.refused")


def _resource_check(step: str, resource: Touched) -> biscuit.Check:
    terms: _Terms = {"s": step, "k": resource.kind, "n": resource.name, "a": resource.access.value}
    return biscuit.Check("check if resource({s}, {k}, {n}, {a}) or any_resource({s}, {k}, {a})", terms)


def _resource_fact(step: str, resource: Touched) -> biscuit.Fact:
    terms: _Terms = {"s": step, "k": resource.kind, "a": resource.access.value}
    if resource.open:
        return biscuit.Fact("any_resource({s}, {k}, {a})", terms)
    return biscuit.Fact("resource({s}, {k}, {n}, {a})", {**terms, "n": resource.name})


def _key(resource: Touched) -> str:
    return f"{resource.kind} {resource.access.value} {resource.name}"


def _private(seed: bytes) -> biscuit.PrivateKey:
    return biscuit.PrivateKey(f"ed25519-private/{seed.hex()}")


def _parse(token: bytes, public: bytes) -> biscuit.Biscuit:
    if len(token) > MAX_TOKEN:
        raise GrantError("grant.size", f"a token of {len(token)} bytes, allowed are {MAX_TOKEN}")
    try:
        parsed = _guarded(lambda: biscuit.Biscuit.from_bytes(token, biscuit.PublicKey(f"ed25519/{public.hex()}")))
    except (biscuit.BiscuitValidationError, biscuit.BiscuitSerializationError, ValueError):
        raise GrantError("grant.untrusted", "not a token that the harness's key signed") from None
    if parsed.block_count() > MAX_BLOCKS:
        raise GrantError("grant.blocks", f"a token of more than {MAX_BLOCKS} blocks")
    return parsed


class _Limits(Protocol):
    """Upstream's limits, which its stubs leave out."""

    max_time: dt.timedelta
    max_facts: int


class _Bounded(Protocol):
    def limits(self) -> _Limits: ...
    def set_limits(self, limits: _Limits) -> None: ...


def _bound(builder: biscuit.AuthorizerBuilder) -> None:
    bounded = cast("_Bounded", builder)
    limits = bounded.limits()
    limits.max_time = _MAX_TIME
    limits.max_facts = _MAX_FACTS
    bounded.set_limits(limits)


def _guarded(call: Callable[[], _T]) -> _T:
    """A panic of the Rust library is no ``Exception``; it refuses like any other fault."""
    try:
        return call()
    except BaseException as error:
        if type(error).__name__ == "PanicException":
            raise GrantError("grant.fault", "the token's verification failed unexpectedly") from None
        raise
