"""What a policy decision costs, against the bare Cedar call with an entity per request, in the same run.

Both sides hold the same rules.  The bare call passes the request's attributes as an entity, parsed with the
call, to handles parsed before; ours goes from a ``PolicyRequest`` to a ``PolicyAnswer`` with its reasons.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable

import cedarpy
import msgspec

from interlock.artifact.action import Effect, Reversibility
from interlock.artifact.label import Confidentiality
from interlock.decide.policy import PolicyRequest, compile_policies

ROUNDS, CALLS = 9, 150


def run() -> list[dict[str, object]]:
    """Medians in microseconds for 20, 50 and 200 rules: plain allow, confirmation, a batch of ten."""
    return [row for count in (20, 50, 200) for row in _rows(count)]


def _rows(count: int) -> list[dict[str, object]]:
    policies = compile_policies({}, {"rules.yaml": rules(count)}, home="/home/u", root="/home/u/web")
    allowed, raised = request("files.read"), request("files.publish")
    if [policies.evaluate(asked).decision.value for asked in (allowed, raised)] != ["ALLOW", "STEP_UP"]:
        raise RuntimeError("the rules do not decide as this benchmark assumes")
    bare, allow, confirm, many = _medians(
        bare_call(count), lambda: policies.evaluate(allowed), lambda: policies.evaluate(raised),
        lambda: policies.evaluate_many([allowed] * 10),
    )  # fmt: skip
    return [
        _row(f"policy.allow.{count}", allow, bare),
        _row(f"policy.confirm.{count}", confirm, bare),
        _row(f"policy.batch_of_10_each.{count}", many / 10, bare),
    ]


def _row(name: str, value: float, bare: float) -> dict[str, object]:
    return {"name": name, "value": round(value, 1), "unit": "us", "baseline": round(bare, 1),
            "ratio": round(value / bare, 2)}  # fmt: skip


def _medians(*calls: Callable[[], object]) -> list[float]:
    """Interleaved, so that a noisy neighbour disturbs all alike; microseconds a call."""
    samples: list[list[float]] = [[] for _ in calls]
    for _ in range(ROUNDS):
        for call, times in zip(calls, samples, strict=True):
            start = time.perf_counter()
            for _ in range(CALLS):
                call()
            times.append((time.perf_counter() - start) / CALLS * 1e6)
    return [statistics.median(times) for times in samples]


def rules(count: int) -> str:
    """A short-form text of ``count`` rules: one permit, one confirmation, denials with two path globs each."""
    lines = ["rules:", "  - allow: files.*", "    scope: {project: web}", "  - verify: files.publish"]
    for number in range(count - 2):
        lines += [f"  - deny: files.w{number}*", f"    path: ['~/.cfg{number}/**', '**/*.k{number}']"]
    return "\n".join(lines)


def request(action: str) -> PolicyRequest:
    """A read of one file by an action."""
    return PolicyRequest(
        principal="ann", roles=("developer",), scope={"project": "web"}, action=action, group="files",
        effect=Effect.READ, reversibility=Reversibility.PURE, privileged=False, external=False, broad=False,
        kind="file", resource="/home/u/web/src/app.py", access=Effect.READ, untrusted=False, tainted=False,
        confidentiality=Confidentiality.INTERNAL, environment="dev", cost=0, unattended=False,
    )  # fmt: skip


def bare_call(count: int) -> Callable[[], object]:
    own = 'resource.action like "files.*" && resource.scope.contains("project=web")'
    texts = [
        f'@id("allow") permit (principal, action, resource) when {{ {own} }};',
        '@id("verify") forbid (principal, action, resource) when { resource.action == "files.publish" };',
    ]
    texts += [
        f'@id("r{number}") forbid (principal, action, resource) when {{ resource.action like "files.w{number}*" && '
        f'(resource.resource like "/home/u/.cfg{number}/*" || resource.resource like "*.k{number}") }};'
        for number in range(count - 2)
    ]
    handle = cedarpy.PolicySet.from_str("\n".join(texts))
    attributes = {**msgspec.to_builtins(request("files.read")), "scope": ["project", "project=web"]}
    entity = json.dumps([{"uid": {"type": "R", "id": "r"}, "attrs": attributes, "parents": []}])
    asked = {"principal": 'P::"ann"', "action": 'Action::"read"', "resource": 'R::"r"'}
    if not cedarpy.is_authorized(asked, handle, entity).allowed:
        raise RuntimeError("the bare call does not allow as this benchmark assumes")
    return lambda: cedarpy.is_authorized(asked, handle, entity)


if __name__ == "__main__":
    for line in run():
        print(line)
