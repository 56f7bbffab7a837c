"""The executor core: verifies one sealed plan and its grant, then asks for its steps in order, and ends.

It holds a plan, a grant and a channel.  It never sees an argument's value, a secret or an output, and it can
only ask for what stands next in the plan; ``machine`` decides which that is.

 1. The envelope verifies, and its plan has not expired.
 2. The grant authorises each step before it is asked for.
 3. Whatever is not the expected answer ends the walk, incomplete.
"""

from __future__ import annotations

import socket
from typing import Final, Literal

from interlock.artifact import channel as wire
from interlock.artifact import grant
from interlock.artifact.channel_pb2 import ExecutorCall, ExecutorReturn, Finish, Next, StartExecution, StepOutcome
from interlock.artifact.errors import ChannelError, InterlockError
from interlock.artifact.plan import Plan
from interlock.executor.checks import StepError, verified_plan
from interlock.executor.machine import Ask, End, Machine, Outcome

_Status = Literal["done", "skipped", "stop"]
_STATUS: Final[dict[StepOutcome.Status, _Status]] = {
    StepOutcome.DONE: "done",
    StepOutcome.SKIPPED: "skipped",
    StepOutcome.STOP: "stop",
}


def serve(channel: socket.socket, directories: dict[str, int]) -> int:
    """Walk the plan that the channel brings; 0 where it was done, 1 where not."""
    if directories:
        raise ChannelError("executor.grants", "an executor core was given directories")
    start = wire.receive(channel, StartExecution)
    if start is None:
        return 0
    try:
        end = _walk(channel, start)
    except ChannelError:
        raise
    except InterlockError as error:
        end = End(complete=False, code=error.code)
    wire.call(channel, ExecutorCall(finish=Finish(complete=end.complete, code=end.code)), ExecutorReturn)
    return 0 if end.complete else 1


def _walk(channel: socket.socket, start: StartExecution) -> End:
    # (1) Sealed and in time.
    plan, digest = verified_plan(start.plan, start.keyring, start.now)
    if start.now >= plan.expires_at:
        raise StepError("plan.expired", "the plan had expired before it began")
    machine = Machine(plan)
    command = machine.begin()
    while isinstance(command, Ask):
        # (2) Granted.
        grant.authorise(start.grant, start.grant_key, _request(plan, digest, command), start.now)
        answer = wire.call(
            channel, ExecutorCall(next=Next(step=command.step, iteration=command.iteration)), ExecutorReturn
        )
        # (3) Expected.
        command = machine.on(_outcome(answer))
    return command


def _request(plan: Plan, digest: str, ask: Ask) -> grant.GrantRequest:
    step = plan.step(ask.step)
    return grant.GrantRequest(
        plan=digest, step=step.id, iteration=ask.iteration, action=step.action, manifest=step.manifest
    )


def _outcome(answer: ExecutorReturn) -> Outcome:
    if answer.WhichOneof("body") != "outcome":
        raise StepError("executor.answer", "an answer to another question than the one that was asked")
    return Outcome(status=_STATUS[answer.outcome.status], iterations=answer.outcome.iterations)
