"""The judge's part in the gate (step 7): what it is asked, and which reasons its opinion gives.

``inquiry`` is what may be asked of a plan; ``check_judgement`` gives the reasons.  Guarantees: no reason is milder than
STEP_UP, and none is taken away; an opinion counts only for the inquiry and the judge whose digests it names; without
one that counts the reason is a fault, which is told apart from a word by its code; what is labelled above what the
judge accepts, or is too large, is not asked at all.  Must never: hand on what the planner says of itself.

>>> drift([90, 90]) is None, drift([0, 100, 100, 100])
(True, 75)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

from msgspec import UNSET

from interlock.artifact import codec
from interlock.artifact.action import Reversibility
from interlock.artifact.arguments import is_literal
from interlock.artifact.label import Label, flows_to, join
from interlock.artifact.opinion import (
    MAX_INQUIRY,
    ArgumentFacts,
    EffectFacts,
    Inquiry,
    Judging,
    Opinion,
    StepFacts,
    Word,
)
from interlock.artifact.verdict import Decision, Reason
from interlock.decide.evidence import Evidence
from interlock.decide.flow import View

WINDOW: Final = 8
LEAST: Final = 4
DRIFT: Final = 60


def drift(distances: Sequence[int]) -> int | None:
    """The mean distance of the latest ``WINDOW`` judged steps, rounded up; nothing of fewer than ``LEAST``."""
    latest = distances[-WINDOW:]
    return -(-sum(latest) // len(latest)) if len(latest) >= LEAST else None


def inquiry(views: Sequence[View], evidence: Evidence, finished: Collection[str] = ()) -> Inquiry | None:
    """What the judge is to be asked about these steps; nothing where nothing is to be asked, or it may not know."""
    judging = evidence.site.judge
    if judging is UNSET or not _concerned(views, judging) or any(_private(views, judging)):
        return None
    return _sized(_asked(views, evidence, finished))


def known_late(view: View) -> bool:
    """Whether what the step does was not known when its plan was judged."""
    return view.manifest.broad and not all(map(is_literal, view.step.arguments.values()))


def check_judgement(
    views: Sequence[View], evidence: Evidence, finished: Collection[str] = (), *, step: str = ""
) -> Iterator[Reason]:
    """(7) What the judge says, or why it says nothing, and the task's drift; of one ``step`` right before it runs."""
    judging = evidence.site.judge
    if judging is UNSET or not _concerned(views, judging):
        return
    if not step and evidence.drift is not None and evidence.drift > judging.drift:
        yield _reason("intent.drift")
    private = list(_private(views, judging))
    asked = _sized(_asked(views, evidence, finished))
    if private:
        yield from (_reason("judge.label", one) for one in private)
    elif asked is None:
        yield _reason("judge.size", step)
    else:
        yield from _said(asked, evidence.opinion, judging, step)


def _said(asked: Inquiry, opinion: Opinion | None, judging: Judging, step: str) -> Iterator[Reason]:
    if opinion is None or not opinion.concerns(asked, judging.identity):
        yield _reason("judge.late", step)
        return
    if opinion.fault:
        yield _reason(opinion.fault, step)
        return
    finished = {one.id for one in asked.steps if one.finished}
    words = [(step, opinion.plan), *((one.step, one.word) for one in opinion.steps if one.step not in finished)]
    contrary = Decision.DENY if judging.contrary == "deny" else Decision.STEP_UP
    for name, word in dict.fromkeys(words):
        if word is Word.CONTRARY:
            yield _reason("judge.contrary", name, contrary)
        elif word is Word.UNCLEAR:
            yield _reason("judge.unclear", name)


def _concerned(views: Iterable[View], judging: Judging) -> bool:
    """Whether there is anything to judge: reads that stay inside are not, unless the workspace wants it."""
    return judging.reads or not all(
        part.reversibility is Reversibility.PURE and not part.external and not part.privileged
        for view in views
        for part in view.parts
    )


def _private(views: Iterable[View], judging: Judging) -> Iterator[str]:
    """The steps that hold what the judge may not know."""
    return (view.step.id for view in views if not flows_to(_sent(view), judging.accepts))


def _sent(view: View) -> Label:
    """The label of what would be told of a step; the effects of a broad one may be read from what it runs."""
    return join(view.carries, view.held) if view.manifest.broad else view.carries


def _sized(asked: Inquiry) -> Inquiry | None:
    return asked if len(codec.encode(asked)) <= MAX_INQUIRY else None


def _asked(views: Sequence[View], evidence: Evidence, finished: Collection[str]) -> Inquiry:
    steps = tuple(_facts(view, finished=view.step.id in finished) for view in views)
    return Inquiry(goal=evidence.task.goal, values=evidence.task.values, steps=steps)


def _facts(view: View, *, finished: bool) -> StepFacts:
    step, manifest = view.step, view.manifest
    effects = (
        EffectFacts(
            effect=part.effect, on=part.resource.key, open=part.resource.open, reversibility=part.reversibility,
            external=part.external,
            claimed=part.claimed,
        )
        for part in view.parts
    )  # fmt: skip
    arguments = {
        name: ArgumentFacts(
            value=view.values.get(name, step.arguments.get(name)), known=name in view.values,
            confidentiality=label.confidentiality, integrity=label.integrity,
        )
        for name, label in view.labels.items()
    }  # fmt: skip
    return StepFacts(
        id=step.id, action=step.action, sentence=manifest.sentence, effect=manifest.effect,
        reversibility=manifest.reversibility, effects=tuple(effects), destinations=view.destinations,
        arguments=arguments, when=step.when, for_each=step.for_each.items if step.for_each else None,
        at_most=step.for_each.at_most if step.for_each else 1, finished=finished,
    )  # fmt: skip


def _reason(code: str, step: str = "", decision: Decision = Decision.STEP_UP) -> Reason:
    return Reason(decision=decision, stage=7, code=code, step=step)
