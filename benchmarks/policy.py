"""What a policy decision costs, against the bare Cedar call with an entity per request, in the same run.

Both sides hold the same rules.  The bare call makes the request's entity and passes it, to policies parsed before;
ours goes from a ``PolicyRequest`` to a ``PolicyAnswer`` with its reasons.  The engine remembers what Cedar said of the
same facts: ``remembered`` says what that gives, all other rows are measured without it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import cedarpy
import msgspec

from benchmarks.measuring import Row, medians, repeated, row, table
from interlock.artifact.action import Effect, Reversibility
from interlock.artifact.label import Confidentiality
from interlock.decide.policy import PolicyRequest, PolicySet, compile_policies


def run(*, tiny: bool = False) -> list[Row]:
    """Microseconds for 20, 50 and 200 rules: plain allow, confirmation, a batch of ten."""
    return [found for count in ((20,) if tiny else (20, 50, 200)) for found in _rows(count, tiny=tiny)]


def _rows(count: int, *, tiny: bool) -> list[Row]:
    policies, knowing = (
        compile_policies({}, {"rules.yaml": rules(count)}, home="/home/u", root="/home/u/web") for _ in range(2)
    )
    forget(policies)
    allowed, raised = request("files.read"), request("files.publish")
    if [policies.evaluate(asked).decision.value for asked in (allowed, raised)] != ["ALLOW", "STEP_UP"]:
        raise RuntimeError("the rules do not decide as this benchmark assumes")
    calls = 2 if tiny else 50
    bare, allow, again, confirm, many = medians(
        (repeated(bare_call(count), calls), calls),
        (repeated(lambda: policies.evaluate(allowed), calls), calls),
        (repeated(lambda: knowing.evaluate(allowed), calls), calls),
        (repeated(lambda: policies.evaluate(raised), calls), calls),
        (repeated(lambda: policies.evaluate_many([allowed] * 10), calls // 2), calls // 2 * 10),
        rounds=1 if tiny else 15,
    )
    named = {
        "policy.allow": allow, "policy.allow.remembered": again, "policy.confirm": confirm,
        "policy.batch_of_10_each": many,
    }  # fmt: skip
    return [row(f"{name}.{count}", value * 1e6, "us", bare * 1e6) for name, value in named.items()]


def forget(policies: PolicySet) -> None:
    """Let a policy set ask Cedar each time."""
    policies._all._most = policies._permits._most = 0


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
    """A Cedar call of its own for each request: a new path each time, its entity made for the call."""
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
    asked = {"principal": 'P::"ann"', "action": 'Action::"read"', "resource": 'R::"r"'}
    numbers = itertools.count()

    def ask() -> cedarpy.AuthzResult:
        own = attributes | {"resource": f"/home/u/web/src/{next(numbers)}.py"}
        return cedarpy.is_authorized(asked, handle, [{"uid": {"type": "R", "id": "r"}, "attrs": own, "parents": []}])

    if not ask().allowed:
        raise RuntimeError("the bare call does not allow as this benchmark assumes")
    return ask


if __name__ == "__main__":
    print(table(run()))
