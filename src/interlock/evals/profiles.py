"""Profiles: the same gate with fewer or stricter layers, so that the price of each is seen.

``none`` is no gate at all.  ``policy`` is structure, manifests, scope, floor, flow and rules; the analyst is not asked,
so that what runs code is asked about.  ``effects`` adds what the analyst says that code would do, ``default`` the
classifier: what a workspace does that ``interlock init`` has made.  Under ``maximum`` nobody is there, so that what
would ask, and what nobody can see into, is denied.

A profile changes what evidence there is and whether somebody can confirm, never the gate (decision 0068).
"""

from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import ExitStack, contextmanager
from typing import Final, Literal, TypeAlias, get_args

import msgspec

from interlock.artifact.analysis import Analysis, Question
from interlock.evals.deciding import Judge
from interlock.evals.jailed import jailed_reader
from interlock.harness.analysing import Reader

Profile: TypeAlias = Literal["none", "policy", "effects", "default", "maximum"]
PROFILES: Final[tuple[Profile, ...]] = get_args(Profile)


class Unscored:
    """A reader whose answers come without the classifier, which is not even run."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def ask(self, task: str, question: Question) -> Analysis:
        """What the action would do, as far as the analysers say."""
        return self._reader.ask(task, msgspec.structs.replace(question, scored=False))


@contextmanager
def judges(profiles: Collection[Profile]) -> Generator[dict[Profile, Judge | None]]:
    """A judge for each profile, none for ``none``, for as long as the block runs.

    No two profiles that are timed share a process, so that none of them answers what another has heard before.
    """
    with ExitStack() as held:
        found: dict[Profile, Judge | None] = {}
        reader = held.enter_context(jailed_reader()) if {"default", "maximum"} & {*profiles} else None
        for profile in profiles:
            match profile:
                case "none":
                    found[profile] = None
                case "policy":
                    found[profile] = Judge(None)
                case "effects":
                    found[profile] = Judge(Unscored(held.enter_context(jailed_reader())))
                case "default":
                    found[profile] = Judge(reader)
                case "maximum":
                    found[profile] = Judge(reader, unattended=True)
        yield found
