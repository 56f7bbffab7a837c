"""The oracle planner: a task's calls as the plan of a planner that has seen the goal alone.

Every argument becomes what such a planner could have written:

1. a literal, where the value stands in the goal, or in nothing that was read (a subject, a date of one's own choice);
2. a reference into an earlier step's output, found by what the goal says of the element, else by its place;
3. a value that a quarantined model reads from earlier outputs, by a step of its own, which stays untrusted.

The calls come from the benchmark's ground truth, so utility is a ceiling and says nothing about a model as planner.
Plans are straight lines: a branch or a loop is written out as the ground truth takes it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from interlock.artifact.action import Argument, Manifest, Role
from interlock.artifact.codec import Json
from interlock.artifact.plan import ProposedStep
from interlock.evals.agentdojo.suites import Suite, UserTask, text

Path: TypeAlias = tuple[str | int, ...]
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_:-]{0,127}\Z")
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")
_SHORT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One argument of a step, and where its value comes from: ``goal``, ``own``, ``reference`` or ``extract``."""

    step: str
    argument: str
    origin: str
    authority: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Oracle:
    """A task's plan; ``extracted`` are the values that the quarantined model is to find, by step."""

    steps: tuple[ProposedStep, ...]
    slots: tuple[Slot, ...]
    extracted: Mapping[str, Mapping[str, Json]]


@dataclass(slots=True)
class _Writing:
    """A plan while it is written."""

    suite: str
    goal: str
    steps: list[ProposedStep] = field(default_factory=list[ProposedStep])
    slots: list[Slot] = field(default_factory=list[Slot])
    outputs: dict[str, Json] = field(default_factory=dict[str, Json])
    extracted: dict[str, dict[str, Json]] = field(default_factory=dict[str, dict[str, Json]])


def write(suite: Suite, task: UserTask, catalogue: Mapping[str, Manifest]) -> Oracle:
    """The plan of a user task; raises ``ValueError`` where a call of the ground truth fails."""
    environment = suite.environment(task, {})
    writing = _Writing(suite=suite.name, goal=task.goal)
    for number, call in enumerate(suite.truth(task, environment)):
        manifest, step = catalogue[f"{suite.name}.{call.tool}@1"], f"s{number}"
        _append(writing, step, manifest, call.arguments)
        output, error = suite.call(environment, call.tool, call.arguments)
        if error:
            raise ValueError(f"{task.id}: {call.tool}: {error}")
        writing.outputs[step] = output
    return Oracle(steps=tuple(writing.steps), slots=tuple(writing.slots), extracted=writing.extracted)


def _append(writing: _Writing, step: str, manifest: Manifest, values: Mapping[str, Json]) -> None:
    """The step with its arguments and, before it, the one step that extracts what they need."""
    arguments: dict[str, Json] = {}
    extracted: dict[str, Json] = {}
    for name, value in values.items():
        schema = manifest.arguments[name]
        items: list[Json] = list(value) if isinstance(value, list) else [value]
        found = [_source(writing, one, schema) for one in items]
        for origin, _ in found:
            authority = schema.role is not Role.CONTENT
            writing.slots.append(Slot(step=step, argument=name, origin=origin, authority=authority))
        if any(origin == "extract" for origin, _ in found):
            extracted[name] = value
            arguments[name] = {"$ref": f"x{step}.output.{name}"}
        else:
            arguments[name] = [expr for _, expr in found] if isinstance(value, list) else found[0][1]
    if extracted:
        read: Json = {name: {"$ref": f"{name}.output"} for name in writing.outputs}
        question = f"{', '.join(extracted)} for: {manifest.sentence}"
        asked: dict[str, Json] = {"text": read, "question": question}
        writing.steps.append(ProposedStep(id=f"x{step}", action=f"{writing.suite}.extract@1", arguments=asked))
        writing.extracted[f"x{step}"] = extracted
    writing.steps.append(ProposedStep(id=step, action=manifest.reference, arguments=arguments))


def _source(writing: _Writing, value: Json, schema: Argument) -> tuple[str, Json]:
    """Where the value comes from, and the expression that says so."""
    if isinstance(value, bool) or _said(writing.goal, value):
        return "goal", value
    if text(value) in schema.choices or not writing.outputs:
        return "own", value
    reference = next(_references(writing, value), None)
    if reference is not None:
        return "reference", reference
    composed = schema.role in {Role.CONTENT, Role.AMOUNT}
    seen = any(text(value).strip() in text(output) for output in writing.outputs.values())
    if seen or composed or _other_day(writing.goal, text(value)):
        return "extract", value
    return "own", value


def _other_day(goal: str, value: str) -> bool:
    """Whether the value is a time on a day that the goal does not name."""
    if not _TIME.fullmatch(value):
        return False
    day = dt.datetime.strptime(value[:10], "%Y-%m-%d").replace(tzinfo=dt.UTC)
    return value[:10] not in goal and f"{day:%B} {day.day}" not in goal


def _said(goal: str, value: Json) -> bool:
    """Whether the goal says the value, as a word or as a number."""
    word = text(value)
    if _NUMBER.fullmatch(word) and "." in f"{word}.":
        return any(float(found) == float(word) for found in _NUMBER.findall(goal))
    return bool(word) and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", goal, re.IGNORECASE) is not None


def _references(writing: _Writing, value: Json) -> Iterator[Json]:
    """Expressions over earlier outputs with that value, the latest output first, a described element before a place."""
    for step, output in reversed(writing.outputs.items()):
        if isinstance(output, list):
            yield from _described(writing.goal, step, output, value)
    for step, output in reversed(writing.outputs.items()):
        for path in _places(output, value):
            yield {"$ref": f"{step}.output" + "".join(_segment(part) for part in path)}


def _described(goal: str, step: str, rows: Sequence[Json], value: Json) -> Iterator[Json]:
    """``the field of the only element whose other field is said in the goal``."""
    for row in rows:
        if not isinstance(row, Mapping):
            continue
        for name in [key for key, found in row.items() if found == value and _NAME.match(key)]:
            for key, said in row.items():
                if not isinstance(said, str) or len(said) < _SHORT or not _NAME.match(key) or not _said(goal, said):
                    continue
                same = [other for other in rows if isinstance(other, Mapping) and other.get(key) == said]
                if same and same[0].get(name) == value:
                    same_row: Json = {"$eq": [{"$ref": "it" + _segment(key)}, said]}
                    chosen: Json = {"$filter": [{"$ref": f"{step}.output"}, same_row]}
                    yield {"$first": {"$select": [chosen, name]}}


def _places(output: Json, value: Json, path: Path = ()) -> Iterator[Path]:
    if output == value and type(output) is type(value):
        yield path
    elif isinstance(output, Mapping):
        for key, part in output.items():
            if _NAME.match(key):
                yield from _places(part, value, (*path, key))
    elif isinstance(output, list):
        for index, part in enumerate(output):
            yield from _places(part, value, (*path, index))


def _segment(part: str | int) -> str:
    return f"[{part}]" if isinstance(part, int) else f".{part}"
