"""Learning: what a step was found to do counts as claimed of it when it is proposed again (decision 0074).

A step that changed a file which nobody was asked about is put back, and leaves that file's name in its claim.  The next
proposal of the same action with the same arguments in the same task claims the file by its name, so that policy is
asked, and a person where policy says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from interlock.artifact import codec
from interlock.artifact.action import Effect
from interlock.artifact.analysis import MAX_TOUCHED, Analysis, Opacity
from interlock.artifact.codec import Json
from interlock.artifact.plan import Step
from interlock.artifact.resources import Touched
from interlock.harness.core import Core

UNASKED: Final = "step.unasked"
_MUCH: Final = "analysis.too_many"


def learned(core: Core, task: str, step: Step, arguments: Mapping[str, Json], claimed: Analysis) -> Analysis:
    """The claim about a step, with what is known of it from before; what does not fit into a claim makes it opaque."""
    known = dict.fromkeys(_known(core, task, step.action, codec.encode(arguments)))
    touched = tuple(dict.fromkeys((*claimed.touched, *known)))
    if len(touched) > MAX_TOUCHED:
        return msgspec.structs.replace(claimed, opaque=(Opacity(code=_MUCH, argument=next(iter(arguments))),))
    return msgspec.structs.replace(claimed, touched=touched)


def _known(core: Core, task: str, action: str, arguments: bytes) -> Iterator[Touched]:
    for row in core.store.plans(task=task):
        for done in core.store.claims(row.digest):
            if done.code == UNASKED and done.arguments == arguments and row.plan.step(done.step).action == action:
                changed = codec.decode(done.touched or b"[]", tuple[Touched, ...], data=True)
                yield from (one for one in changed if one.access is Effect.WRITE and not one.recursive)
