"""Deciding on an item: the gate's own functions, the policy that a new workspace starts with, and real evidence.

An item becomes a task, a workspace as its scope declares it, and a proposal.  Undeclared actions are declared by their
shape.  Labels that the context tells are what the planner has received; what the plan reads on its way is labelled as
its results are told to be.  Nobody is asked: ALLOW passes, DENY stops, and everything between counts as CONFIRM.

What is timed is what the gate does between a proposal's bytes and its verdict, the analyst's answers included; that an
item is put into a proposal is not, and neither is a record.  A time counts as fresh where each question was asked for
the first time, because an answer is remembered.
"""

from __future__ import annotations

import functools
import hashlib
import posixpath
import re
import time
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Final, Literal, TypeAlias, cast

import msgspec

from interlock.artifact import codec
from interlock.artifact.action import Effect, Manifest, Output
from interlock.artifact.analysis import SCORED, Analysis, Content, Question
from interlock.artifact.codec import Json
from interlock.artifact.errors import InterlockError
from interlock.artifact.label import Confidentiality, Integrity, Label, join_all
from interlock.artifact.plan import Plan, Proposal, ProposedStep
from interlock.artifact.task import Budget, Task
from interlock.artifact.verdict import Decision, Verdict
from interlock.decide import gate
from interlock.decide.evidence import Evidence, Limits, Site
from interlock.decide.policy import PolicySet, compile_policies
from interlock.evals import shapes
from interlock.evals.items import Call, Item, value_of
from interlock.harness import analysing
from interlock.harness.analysing import Reader
from interlock.harness.strangers import MAX_CHARACTERS, MAX_TEXTS

Word: TypeAlias = Literal["ALLOW", "CONFIRM", "DENY"]
HOME: Final = "/home/user"
PROJECT: Final = "/home/user/project"
_NOW: Final = 1_000_000
_PRIVATE = frozenset({"private", "confidential", "sensitive", "internal", "pii", "personal"})
_SECRET = frozenset({"secret", "restricted", "credential"})
_UNTRUSTED = frozenset({"untrusted", "untrusted_in_context"})
_QUOTED = re.compile(r"[\"'`“”‘’]([^\"'`“”‘’\n]{1,512})[\"'`“”‘’]")
_BUDGET = Budget(cost=1 << 40, steps=1 << 20)
_STAMP = gate.Stamp(id="plan", sequence=1, expires_at=_NOW + 1000)
_ITEMS_OF_A_PROCESS = 256
_WARM = Question(action="warm", contents=(Content(argument="line", language="shell", value="ls"),), root="/")


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate says of one item, and how long it took; ``asked`` is in how many questions to the analyst."""

    word: Word
    verdict: Verdict
    nanoseconds: int
    asked: int
    scored: bool
    fresh: bool


class Judge:
    """Decides on items; ``reader`` answers the gate's questions about code and the like, or nobody does."""

    def __init__(self, reader: Reader | None, *, unattended: bool = False) -> None:
        self._reader = reader
        self._unattended = unattended
        self._items = 0
        self._known: set[bytes] = set()

    def judge(self, item: Item) -> Judged:
        """The decision on one item; whatever cannot be proposed is denied."""
        task, evidence, raw = self._task(), *self._proposed(item)
        scripts = dict[str, str]()
        for call in item.context.prior_actions:
            values = arguments(call)
            scripts |= _written(shapes.manifest(call.type, values).effect, values, evidence.site)
        start = time.perf_counter_ns()
        examined = gate.examine(raw, _STAMP, evidence)
        verdict, questions = examined.verdict, list[Question]()
        if examined.plan is not None:
            if self._reader is not None:
                told = tuple(call.untrusted_text[:MAX_CHARACTERS] for call in item.context.prior_actions)
                told = tuple(filter(None, told))[-MAX_TEXTS:]
                claims = _claims(self._reader, task, examined.plan, scripts, evidence, questions, told)
                evidence = evidence.claiming(claims)
            verdict = gate.decide(examined.plan, evidence, _NOW, verdict)
        taken = time.perf_counter_ns() - start
        scored = any(content.language in SCORED for one in questions for content in one.contents)
        return Judged(
            word=word(verdict), verdict=verdict, nanoseconds=taken, asked=len(questions), scored=scored,
            fresh=self._fresh(questions),
        )  # fmt: skip

    def _proposed(self, item: Item) -> tuple[Evidence, bytes]:
        site = _site(item.context.scope)
        calls = [(call, arguments(call)) for call in item.calls]
        catalogue = _catalogue(calls, item.context.scope)
        steps = tuple(
            ProposedStep(id=f"s{at}", action=shapes.manifest(call.type, found).reference, arguments=found)
            for at, (call, found) in enumerate(calls, 1)
        )
        evidence = _evidence(item, site, catalogue, unattended=self._unattended)
        proposal = Proposal(task=evidence.task_digest, goal=evidence.task.goal[:4096], steps=steps)
        return evidence, codec.encode(proposal)

    def _task(self) -> str:
        """Whose process is asked: a new one now and then, because a process has only so much time, warmed up."""
        number, rest = divmod(self._items, _ITEMS_OF_A_PROCESS)
        self._items += 1
        task = f"eval-{number}"
        if not rest and self._reader is not None:
            self._reader.ask(task, _WARM)
        return task

    def _fresh(self, questions: Iterable[Question]) -> bool:
        digests = [hashlib.sha256(codec.encode(one)).digest() for one in questions]
        new = len({*digests} - self._known) == len(digests)
        self._known.update(digests)
        return new


def _claims(
    reader: Reader,
    task: str,
    plan: Plan,
    scripts: dict[str, str],
    evidence: Evidence,
    asked: list[Question],
    told: tuple[str, ...],
) -> dict[str, Analysis]:
    """What the analyst claims of each step; ``asked`` collects the questions, ``told`` are texts of strangers."""
    found: dict[str, Analysis] = {}
    for step in plan.steps:
        manifest = evidence.catalogue[step.action]
        question = analysing.question(
            manifest, step.arguments, evidence.site, scripts, goal=evidence.task.goal, heard=told
        )
        if question is not None:
            asked.append(question)
            found[step.id] = reader.ask(task, question)
        scripts |= _written(manifest.effect, step.arguments, evidence.site)
    return found


def word(verdict: Verdict) -> Word:
    """The verdict in three words."""
    match verdict.decision:
        case Decision.ALLOW:
            return "ALLOW"
        case Decision.DENY:
            return "DENY"
        case _:
            return "CONFIRM"


def arguments(call: Call) -> dict[str, Json]:
    """The call's arguments as a proposal can hold them."""
    found = {
        re.sub(r"[^A-Za-z0-9_]", "_", name) or "_": shapes.spelled(name, value_of(value))
        for name, value in call.args.items()
    }
    return {name if name[0].isalnum() else f"a{name}": value for name, value in found.items() if value is not None}


def _catalogue(calls: Iterable[tuple[Call, dict[str, Json]]], scope: Mapping[str, object]) -> dict[str, Manifest]:
    """Each action by its shape; one that the task was not given belongs to no group of it."""
    given = scope.get("tools")
    found: dict[str, Manifest] = {}
    for call, values in calls:
        manifest = shapes.manifest(call.type, values)
        known = found.get(manifest.reference)
        both = {**known.arguments, **manifest.arguments} if known is not None else manifest.arguments
        outside = isinstance(given, list) and call.type not in given
        label = join_all([manifest.output.label, *([label_of(call.result_labels)] if call.result_labels else [])])
        found[manifest.reference] = msgspec.structs.replace(
            manifest, arguments=both, group="other" if outside else shapes.GROUP, output=Output(label=label)
        )
    return found


def _evidence(item: Item, site: Site, catalogue: Mapping[str, Manifest], *, unattended: bool) -> Evidence:
    goal = visible(item.goal or item.context.user_goal or "no goal was told")[:16_384]
    task = Task(
        id="task", revision=0, principal="principal", goal=goal, values=tuple(_QUOTED.findall(goal))[:256],
        budget=_BUDGET, created_at=0, expires_at=_NOW * 10,
    )  # fmt: skip
    labels = [
        *item.context.data_labels,
        *(label for call in item.context.prior_actions for label in call.result_labels),
    ]
    return Evidence(
        site=site,
        task=task,
        task_digest=codec.digest(task),
        catalogue=catalogue,
        digests={reference: codec.digest(manifest) for reference, manifest in catalogue.items()},
        loaded=frozenset({shapes.GROUP}),
        policy=_policy(site.root, site.home),
        received=label_of(labels),
        spent=Budget(**dict.fromkeys(Budget.__struct_fields__, 0)),
        unattended=unattended,
    )


def label_of(names: Iterable[str]) -> Label:
    """What a context's words for its data come to."""
    found = {name.lower() for name in names}
    level = Confidentiality.PUBLIC
    if found & _PRIVATE:
        level = Confidentiality.PRIVATE
    if found & _SECRET:
        level = Confidentiality.RESTRICTED
    return Label(confidentiality=level, integrity=Integrity.UNTRUSTED if found & _UNTRUSTED else Integrity.TRUSTED)


def _site(scope: Mapping[str, object]) -> Site:
    """The workspace that the scope declares; without one, a project on a machine of which all may be seen."""
    allowed = [str(path) for path in _list(scope.get("allowed_paths"))]
    folder = scope.get("workspace") or scope.get("cwd")
    root = posixpath.normpath(str(folder)) if folder else PROJECT
    roots = tuple(path.removesuffix("/**") for path in allowed) or ((root,) if folder else ("/",))
    protected = tuple(
        f"file:{path if path.startswith(('/', '**')) else f'**/{path}'}" for path in _list(scope.get("protected_paths"))
    )
    limits = Limits(steps=256, blast_radius=25)
    return Site(id="eval", root=root, home=HOME, roots=roots, protected=protected, limits=limits)


def _list(value: object) -> list[str]:
    return [str(item) for item in cast("list[object]", value)] if isinstance(value, list) else []


@functools.lru_cache(maxsize=64)
def _policy(root: str, home: str) -> PolicySet:
    text = (resources.files("interlock.decide.policy") / "baseline.yaml").read_text("utf-8")
    return compile_policies({}, {"baseline.yaml": text}, home=home, root=root)


def _written(effect: Effect, values: Mapping[str, Json], site: Site) -> dict[str, str]:
    """The file that a call writes, with its text."""
    path = next((values[key] for key in ("path", "file_path", "filename", "file_name") if key in values), None)
    content = values.get("content")
    if effect is not Effect.WRITE or not isinstance(path, str) or not isinstance(content, str):
        return {}
    return {analysing.canonical(path, site): content}


def visible(text: str) -> str:
    """The text as a goal can hold it."""
    try:
        codec.check(text)
    except InterlockError:
        return "".join(char for char in text if char.isascii() and (char.isprintable() or char in "\n\t")) or "-"
    return text
