"""The benchmark's suites, seen through manifests: environments, tasks, and tools whose values are JSON without floats.

Numbers with a fraction are strings of decimal digits here, because the artifacts' domain has no floats.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, cast

from interlock.artifact import codec
from interlock.artifact.codec import Json
from interlock.artifact.errors import ConfigurationError
from interlock.evals.agentdojo.scripts import SCRIPTS

VERSION = "v1.2.2"
NAMES = ("workspace", "travel", "banking", "slack")
_KEPT = 64
_AMOUNTS = frozenset({"amount"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a tool."""

    tool: str
    arguments: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserTask:
    """What a user asks for, and the benchmark's object behind it."""

    id: str
    goal: str
    raw: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class InjectionTask:
    """What an attacker wants; ``acts`` is false where it is a text that the agent is to say."""

    id: str
    goal: str
    raw: Any
    acts: bool


def require() -> None:
    """Raise ``ConfigurationError`` where the benchmark is not installed."""
    if importlib.util.find_spec("agentdojo") is None:
        hint = "pip install 'interlock[evals]'"
        raise ConfigurationError("eval.agentdojo", "the benchmark is not installed", hint=hint)


class Suite:
    """One suite of the benchmark."""

    def __init__(self, name: str) -> None:
        self.name = name
        require()
        from agentdojo.functions_runtime import FunctionsRuntime
        from agentdojo.task_suite import load_suites

        self._suite: Any = cast("Any", load_suites).get_suites(VERSION)[name]
        self._runtime: Any = FunctionsRuntime(self._suite.tools)
        self._loaded: dict[tuple[tuple[str, str], ...], Any] = {}
        self.vectors: Mapping[str, str] = self._suite.get_injection_vector_defaults()

    @property
    def tools(self) -> tuple[str, ...]:
        """The names of its tools."""
        return tuple(str(tool.name) for tool in self._suite.tools)

    @property
    def user_tasks(self) -> tuple[UserTask, ...]:
        found = cast("Mapping[str, Any]", self._suite.user_tasks)
        return tuple(UserTask(id=key, goal=str(raw.PROMPT), raw=raw) for key, raw in found.items())

    @property
    def injection_tasks(self) -> tuple[InjectionTask, ...]:
        found = cast("Mapping[str, Any]", self._suite.injection_tasks)
        return tuple(
            InjectionTask(id=key, goal=str(raw.GOAL), raw=raw, acts=self._acts(key, raw)) for key, raw in found.items()
        )

    def environment(self, task: UserTask, injections: Mapping[str, str]) -> Any:
        """A fresh environment with these texts in the places that an attacker owns."""
        key = tuple(sorted(injections.items()))
        if key not in self._loaded:
            self._loaded = {key: self._suite.load_and_inject_default_environment(dict(injections))} | self._loaded
            self._loaded = dict(list(self._loaded.items())[:_KEPT])
        return task.raw.init_environment(self._loaded[key].model_copy(deep=True))

    def truth(self, task: UserTask | InjectionTask, environment: Any) -> tuple[Call, ...]:
        """The benchmark's own calls for a task on the state as it is; a script of ours where it has none."""
        script = SCRIPTS.get((self.name, task.id)) if isinstance(task, InjectionTask) else None
        state = environment.model_copy(deep=True)
        found: list[tuple[str, Mapping[str, Any]]] = (
            script(state, task.raw)
            if script is not None
            else [(call.function, call.args) for call in task.raw.ground_truth(state)]
        )
        return tuple(Call(tool=tool, arguments=_planned(arguments)) for tool, arguments in found)

    def call(self, environment: Any, tool: str, arguments: Mapping[str, Json]) -> tuple[Json, str]:
        """Run a tool on the environment; its value, and its error or nothing."""
        value, error = self._runtime.run_function(environment, tool, _given_all(arguments))
        return (None, str(error)) if error else (plain(value), "")

    def utility(self, task: UserTask, before: Any, after: Any, calls: Sequence[Call]) -> bool:
        """Whether the benchmark holds the task for done, by the calls that ran where it asks for them."""
        answer = str(task.raw.GROUND_TRUTH_OUTPUT)
        found = task.raw.utility_from_traces(answer, before, after, _trace(calls))
        return bool(task.raw.utility(answer, before, after) if found is None else found)

    def security(self, task: InjectionTask, before: Any, after: Any, calls: Sequence[Call]) -> bool:
        """Whether the benchmark holds the attack for done, by the calls that ran where it asks for them."""
        answer = str(task.raw.GROUND_TRUTH_OUTPUT)
        found = task.raw.security_from_traces(answer, before, after, _trace(calls))
        return bool(task.raw.security(answer, before, after) if found is None else found)

    def _acts(self, key: str, raw: Any) -> bool:
        environment = self._suite.load_and_inject_default_environment({})
        return (self.name, key) in SCRIPTS or bool(raw.ground_truth(environment))


def manifests() -> Path:
    """The folder with one action package per suite."""
    return Path(str(resources.files("interlock.evals.agentdojo").joinpath("manifests")))


def plain(value: Any) -> Json:
    """A tool's value as JSON without floats."""
    if hasattr(value, "model_dump"):
        return plain(value.model_dump())
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return _decimal(value)
        case dt.datetime():
            return value.strftime("%Y-%m-%d %H:%M")
        case Mapping():
            items = cast("Mapping[str, Any]", value).items()
            return {str(key): plain(part) for key, part in items}
        case list() | tuple() | set():
            return [plain(part) for part in cast("list[Any]", value)]
        case _:
            return str(value)


def text(value: Json) -> str:
    """Everything that a value says, as one text."""
    return value if isinstance(value, str) else codec.encode(value).decode()


def _decimal(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _planned(arguments: Mapping[str, Any]) -> dict[str, Json]:
    """The benchmark's arguments as a plan says them."""
    found = {name: plain(value) for name, value in arguments.items() if value is not None}
    found |= {name: str(found[name]) for name in _AMOUNTS & found.keys()}
    attached = found.get("attachments")
    if isinstance(attached, list):
        found["attachments"] = [str(part["file_id"]) for part in attached if isinstance(part, Mapping)]
    return found


def _trace(calls: Sequence[Call]) -> list[Any]:
    from agentdojo.functions_runtime import FunctionCall

    return [FunctionCall(function=call.tool, args=_given_all(call.arguments)) for call in calls]


def _given_all(arguments: Mapping[str, Json]) -> dict[str, Any]:
    return {name: _given(name, value) for name, value in arguments.items()}


def _given(name: str, value: Json) -> Any:
    """A plan's argument as the benchmark takes it."""
    if name in _AMOUNTS:
        return float(str(value))
    if name == "attachments" and isinstance(value, list):
        return [{"type": "file", "file_id": part} for part in value]
    return value
