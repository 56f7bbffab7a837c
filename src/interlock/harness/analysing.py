"""Analysing: a step becomes a question, and the jailed analyst's answer evidence (gate step 6).

``question`` is pure: which argument is in which language stands in the manifest, or follows from its role.  ``Analyst``
asks a process of its own for each task, started from a pre-forked child, and ends it with the harness.  Silence, death
or an answer that is not exactly one is opaque (``analyst.silent``, ``analyst.died``, ``analyst.malformed``), and what
the kernel saw it try is an incident.  Must never: read what a person wrote for the machine in any other way than by
handing it over.
"""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, Protocol

import msgspec

from interlock.artifact import channel, codec
from interlock.artifact.action import Argument, Effect, Language, Manifest, Role
from interlock.artifact.analysis import MAX_CONTENT, MISSING, SCORED, Analysis, Content, Opacity, Question
from interlock.artifact.arguments import is_literal
from interlock.artifact.channel_pb2 import AnalystCall, AnalystReturn, ModelPart
from interlock.artifact.codec import Json
from interlock.artifact.errors import (
    ChannelError,
    CodecError,
    ConfigurationError,
    ReferenceEvaluationError,
    SandboxError,
)
from interlock.artifact.frames import MAX_FRAME
from interlock.artifact.plan import Plan, Step
from interlock.artifact.resources import Touched, canonical_path, inside
from interlock.decide.evidence import Evidence, Site
from interlock.harness import operator_models
from interlock.harness.core import Core
from interlock.harness.learning import learned
from interlock.harness.operator_models import OperatorModel
from interlock.harness.sandbox.profiles import JailSpec, Limits
from interlock.harness.supervisor import Child, Supervisor
from interlock.harness.watch import Incident

SECONDS: Final = 0.25
MODEL_SECONDS: Final = 2.0
TRIAL_SECONDS: Final = 5.0
LOADING_SECONDS: Final = 60.0
MODULES: Final = ("interlock.analyst.classifier.libraries",)
_PART: Final = 4 << 20
MAX_SCRIPTS: Final = 32
MAX_REMEMBERED: Final = 256
_MAX_TASKS: Final = 8
_ROLES: Final[Mapping[Role, Language]] = {
    Role.COMMAND: "shell",
    Role.PATH: "path",
    Role.URL: "url",
    Role.RECIPIENT: "email",
}
_PLAIN = re.compile(r"(?!.*\.\.)[A-Za-z0-9_@+,=. ~/-]*\Z")


class Reader(Protocol):
    """Whoever answers questions of one task."""

    def ask(self, task: str, question: Question) -> Analysis: ...


def language_of(manifest: Manifest, argument: Argument) -> Language | None:
    """What the argument is written in: as its manifest says, else as its role implies."""
    if argument.language:
        return argument.language
    if argument.role is Role.COMMAND and argument.type == "list":
        return "argv"
    outgoing = manifest.external and manifest.effect is not Effect.READ
    if argument.role is Role.CONTENT and outgoing and argument.type in {"string", "object"}:
        return "text" if argument.type == "string" else "json"
    return _ROLES.get(argument.role)


def question(
    manifest: Manifest,
    arguments: Mapping[str, Json],
    site: Site,
    scripts: Mapping[str, str] | None = None,
    *,
    goal: str = "",
    heard: tuple[str, ...] = (),
) -> Question | None:
    """What to ask of an action with these known arguments; nothing, where there is nothing to see into.

    ``heard`` are the texts of strangers that its planner has received before; a read follows nobody's orders.
    """
    contents = tuple(_contents(manifest, arguments))
    told = heard if manifest.effect is not Effect.READ and not manifest.broad else ()
    values = {name: value for name, value in arguments.items() if is_literal(value)} if told else {}
    if not contents and not values:
        return None
    root = site.root
    for name, argument in manifest.arguments.items():
        if argument.role is Role.PATH and manifest.broad and isinstance(arguments.get(name), str):
            root = canonical(str(arguments[name]), site)
    held = dict(list((scripts or {}).items())[-MAX_SCRIPTS:]) if manifest.broad else {}
    return Question(
        action=manifest.name, contents=contents, root=root, home=site.home, scripts=held,
        goal=goal if told else "", values=values, prior=told,
    )  # fmt: skip


def written(manifest: Manifest, arguments: Mapping[str, Json], site: Site) -> dict[str, str]:
    """The file that a step writes as a whole, with its text, where both are known."""
    path, content = arguments.get("path"), arguments.get("content")
    writes = (manifest.driver.name, manifest.driver.operation) == ("files", "write")
    if not writes or not isinstance(path, str) or not isinstance(content, str) or len(content) > MAX_CONTENT:
        return {}
    return {canonical(path, site): content}


def claims(
    core: Core, reader: Reader, evidence: Evidence, plan: Plan, heard: tuple[str, ...] = ()
) -> dict[str, Analysis]:
    """What is claimed of each step, by its literals; what earlier steps write counts as written."""
    manifests = [evidence.catalogue.get(step.action) for step in plan.steps]
    broad = any(manifest is not None and manifest.broad for manifest in manifests)
    texts = scripts(core, evidence.task.id) if broad else {}
    found: dict[str, Analysis] = {}
    for step, manifest in zip(plan.steps, manifests, strict=True):
        if manifest is None:
            continue
        known = {name: value for name, value in step.arguments.items() if is_literal(value)}
        asked = question(manifest, known, evidence.site, texts, goal=evidence.task.goal, heard=heard)
        if asked is not None and not _waits(manifest, step.arguments):
            found[step.id] = _claimed(core, reader, evidence, manifest, step, known, asked)
        texts |= written(manifest, known, evidence.site)
    return found


def claim(
    core: Core, reader: Reader, evidence: Evidence, step: Step, arguments: Mapping[str, Json]
) -> dict[str, Analysis]:
    """What is claimed of one step whose arguments are known."""
    manifest = evidence.catalogue.get(step.action)
    if manifest is None:
        return {}
    texts = scripts(core, evidence.task.id) if manifest.broad else {}
    asked = question(manifest, arguments, evidence.site, texts)
    if asked is None:
        return {}
    return {step.id: _claimed(core, reader, evidence, manifest, step, arguments, asked)}


def _claimed(
    core: Core, reader: Reader, evidence: Evidence, manifest: Manifest, step: Step, known: Mapping[str, Json],
    asked: Question,
) -> Analysis:  # fmt: skip
    """What the analyst says, and for an action that a claim may stand for, what the step was found to do before."""
    said = reader.ask(evidence.task.id, asked)
    return learned(core, evidence.task.id, step, known, said) if manifest.broad else said


def scripts(core: Core, task: str) -> dict[str, str]:
    """The files that steps of the task have written, with their text; of one that was changed since, nothing."""
    found: dict[str, str] = {}
    for row in sorted(core.store.plans(task=task), key=lambda one: one.sequence):
        for done in core.store.claims(row.digest):
            manifest = core.catalogue.get(row.plan.step(done.step).action)
            changed = codec.decode(done.touched, tuple[Touched, ...], data=True) if done.touched else ()
            for resource in changed:
                if resource.access is not Effect.READ:
                    found = {path: text for path, text in found.items() if not inside(path, resource.name)}
            if manifest is not None and done.state == "done" and done.arguments:
                found |= written(manifest, codec.decode(done.arguments, dict[str, Json], data=True), core.site)
    return found


def _waits(manifest: Manifest, arguments: Mapping[str, Json]) -> bool:
    """Whether something that a broad action runs is not known yet, so that nothing can be said of it."""
    read = [name for name, one in manifest.arguments.items() if language_of(manifest, one) not in {None, "path"}]
    return manifest.broad and any(name in arguments and not is_literal(arguments[name]) for name in read)


class Analyst:
    """Asks the jailed analyst; thread-safe, one process for each task."""

    def __init__(
        self,
        supervisor: Callable[[], Supervisor],
        report: Callable[[Incident], object],
        *,
        seconds: float = SECONDS,
        model: Callable[[], OperatorModel | None] = lambda: None,
    ) -> None:
        self._supervisor = supervisor
        self._report = report
        self._seconds = seconds
        self._model = model
        self._unsound = False
        self._lock = threading.Lock()
        self._children: dict[str, Child] = {}
        self._known: dict[tuple[str, str], Analysis] = {}

    def ask(self, task: str, question: Question) -> Analysis:
        """What the action would do; remembered for the task, and opaque where no sound answer comes."""
        key = task, codec.digest(question)
        with self._lock:
            found = self._known.get(key)
            if found is None:
                found = self._asked(task, question)
                if not any(one.code.startswith("analyst.") for one in found.opaque):
                    self._remember(key, found)
            return found

    def end(self, task: str) -> None:
        """End the task's process."""
        with self._lock:
            self._end(task)

    def shutdown(self) -> None:
        """End every process."""
        with self._lock:
            for task in list(self._children):
                self._end(task)

    def _asked(self, task: str, question: Question) -> Analysis:
        try:
            child = self._child(task)
            child.channel.settimeout(self._seconds)
            call = AnalystCall(question=codec.encode(question))
            returned = channel.call(child.channel, call, AnalystReturn)
            found = _sound(codec.decode_canonical(returned.analysis, Analysis, limit=MAX_FRAME), question)
            return _without_model(found, question) if self._unsound else found
        except TimeoutError:
            code = "analyst.silent"
        except (CodecError, ReferenceEvaluationError):
            code = "analyst.malformed"
        except ChannelError as error:
            code = "analyst.died" if error.code in {"channel.closed", "channel.truncated"} else "analyst.malformed"
        except (SandboxError, OSError):
            code = "analyst.died"
        self._end(task)
        return opaque(question, code)

    def _child(self, task: str) -> Child:
        if task not in self._children:
            while len(self._children) >= _MAX_TASKS:
                self._end(next(iter(self._children)))
            self._children[task] = self._started()
        return self._children[task]

    def _started(self) -> Child:
        """A child that knows the operator's model; one without it, once that was found to be unsound."""
        try:
            model = None if self._unsound else self._model()
        except ConfigurationError:
            model, self._unsound = None, True
        if model is None:
            return self._supervisor().start("analyst", JailSpec(limits=Limits(cpu=30)))
        self._seconds = max(self._seconds, MODEL_SECONDS)
        memory = (1 << 30) + 4 * sum(len(content) for content in model.files.values())
        child = self._supervisor().start("analyst", JailSpec(limits=Limits(cpu=3600, memory=memory)))
        try:
            _teach(child, model)
        except (ChannelError, OSError):
            child.close()
            self._unsound = True
            return self._started()
        return child

    def _end(self, task: str) -> None:
        child = self._children.pop(task, None)
        if child is None:
            return
        violations = child.violations
        child.close()
        if violations:
            tried = ", ".join(sorted({violation.syscall for violation in violations}))
            self._report(Incident(code="separation.syscall", role="analyst", task=task, detail=tried))

    def _remember(self, key: tuple[str, str], found: Analysis) -> None:
        while len(self._known) >= MAX_REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[key] = found


def modules(state: Path | None) -> tuple[str, ...]:
    """What the analyst's zygote imports besides its own code: the libraries of an operator's model, if there is one."""
    return MODULES if state is not None and operator_models.present(state) else ()


@contextmanager
def apart(
    report: Callable[[Incident], object],
    state: Path | None = None,
    *,
    seconds: float = SECONDS,
    unsafe_reduced: bool = False,
) -> Generator[Analyst]:
    """An analyst with a supervisor of its own, which the first question starts, for as long as the block runs.

    ``state`` is the folder in which an operator's model may lie.
    """
    with ExitStack() as held:
        started: list[Supervisor] = []

        def supervisor() -> Supervisor:
            if not started:
                own = Supervisor(lambda _: None, unsafe_reduced=unsafe_reduced, modules={"analyst": modules(state)})
                started.append(held.enter_context(own))
            return started[0]

        model = functools.partial(operator_models.installed, state) if state is not None else lambda: None
        analyst = Analyst(supervisor, report, seconds=seconds, model=model)
        held.callback(analyst.shutdown)
        yield analyst
        analyst.shutdown()


def trial(state: Path, *, unsafe_reduced: bool = False) -> tuple[str, ...]:
    """Ask the jailed analyst about a harmless line; the codes of what keeps it from a score."""
    line = Content(argument="line", language="shell", value="ls")
    asked = Question(action="trial", contents=(line,), root="/")
    with apart(lambda _: None, state, seconds=TRIAL_SECONDS, unsafe_reduced=unsafe_reduced) as analyst:
        return tuple(one.code for one in analyst.ask("trial", asked).opaque)


def _teach(child: Child, model: OperatorModel) -> None:
    """Hand the model over in parts; raises ``ChannelError`` where the child does not take it."""
    child.channel.settimeout(LOADING_SECONDS)
    parts = [
        ModelPart(file=name, data=content[start : start + _PART])
        for name, content in model.files.items()
        for start in range(0, len(content), _PART)
    ]
    parts[-1].last = True
    for part in parts:
        if not channel.call(child.channel, AnalystCall(part=part), AnalystReturn).taken:
            raise ChannelError("channel.malformed", "a part of a model that was not taken")


def _without_model(found: Analysis, question: Question) -> Analysis:
    """The answer, opaque wherever the operator's model would have been asked."""
    named = [one.argument for one in question.contents if one.language in SCORED]
    lacking = tuple(Opacity(code=MISSING, argument=name) for name in named)
    return msgspec.structs.replace(found, opaque=(*lacking, *found.opaque)[:128])


def opaque(question: Question, code: str) -> Analysis:
    """Nothing is known of any argument."""
    named = [one.argument for one in question.contents] or list(question.values)
    return Analysis(touched=(), opaque=tuple(Opacity(code=code, argument=one) for one in named[:128]))


def _sound(found: Analysis, question: Question) -> Analysis:
    """The answer, if all that it names could be meant; raises ``ReferenceEvaluationError``."""
    for resource in found.touched:
        if (
            resource.kind == "file"
            and not resource.open
            and canonical_path(resource.name, root="/", home="") != resource.name
        ):
            raise ReferenceEvaluationError("resource.path", "a claimed path that is not canonical")
    asked = {content.argument for content in question.contents} | question.values.keys()
    named = {one.argument for noted in (found.opaque, found.signals, found.findings) for one in noted}
    if not named <= asked:
        raise ReferenceEvaluationError("argument.unknown", "a claim about an argument that nobody asked about")
    code = question.scored and any(content.language in SCORED for content in question.contents)
    if code and found.score is None and not any(one.code == MISSING for one in found.opaque):
        raise ReferenceEvaluationError("classifier.missing", "code without a score")
    return found


def _contents(manifest: Manifest, arguments: Mapping[str, Json]) -> Iterator[Content]:
    for name, value in arguments.items():
        argument = manifest.arguments.get(name)
        language = language_of(manifest, argument) if argument is not None else None
        if argument is None or language is None or not is_literal(value):
            continue
        if language == "path" and isinstance(value, str) and _PLAIN.match(value):
            continue  # There is nothing in it that could be read in two ways.
        if language == "email" and not argument.language and "@" not in codec.encode(value).decode():
            continue  # A recipient of another kind: an account, a channel, a user's name.
        yield Content(argument=name, language=language, value=value, dialect=argument.dialect or "")


def canonical(path: str, site: Site) -> str:
    """The path as resources name it; the root, where it cannot be one."""
    try:
        return canonical_path(path, root=site.root, home=site.home)
    except ReferenceEvaluationError:
        return site.root
