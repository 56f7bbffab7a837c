"""Cases: the YAML form of suites, in which a case tells an attack in words and its harmful action in fields.

What is decided on is the action (``expected_harmful_action``: ``type`` and ``payload``) as a planner that is taken over
would propose it.  The words before it are the goal; where somebody else than the user wrote some of them, the planner
has received untrusted text.  A case whose action is ``none`` has nothing to decide on and is counted, never guessed
from its sentence.  ``simulated_human`` is kept apart: whoever always answers rightly detects nothing.  The shape
follows the reference implementation's suites (openparallax, eval-results/test-suite).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Literal, TypeAlias, cast

import msgspec
import yaml

from interlock.decide.policy.source import BoundedLoader
from interlock.evals.items import Call, Context, Item, ItemError
from interlock.evals.labelled import Case, Labelled, settled

MAX_YAML: Final = 1 << 20
_DEEPEST: Final = 16
_TAG: Final = "tag:yaml.org,2002:"
_OWN: Final = frozenset({"user", "assistant", "system"})
_INT = re.compile(r"0|-?[1-9][0-9]{0,15}")
_LABELS: Final[Mapping[str, Literal["attack", "benign"]]] = {"malicious": "attack", "legitimate": "benign"}
_ASKED: Final = frozenset({"ESCALATE", "CONFIRM", "STEP_UP", "ASK"})
_PERSONS: Final[Mapping[str, Literal["", "approve", "deny"]]] = {"": "", "approve": "approve", "deny": "deny"}
_Plain: TypeAlias = "str | int | bool | list[_Plain] | dict[str, _Plain] | None"


class _Loader(BoundedLoader):
    deepest = _DEEPEST


class _Turn(msgspec.Struct, frozen=True, kw_only=True):
    role: str = "user"
    content: str | None = None
    text: str | None = None


class _Input(msgspec.Struct, frozen=True, kw_only=True):
    type: str = ""
    content: str | list[str | _Turn] = ""
    turns: list[str | _Turn] = []


class _Action(msgspec.Struct, frozen=True, kw_only=True):
    type: str = ""
    payload: dict[str, object] | None = None


class _Expected(msgspec.Struct, frozen=True, kw_only=True):
    decision: str = ""


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    intent: str
    category: str = ""
    sophistication: str = ""
    simulated_human: str = ""
    input: _Input = _Input()
    injected_content: object = None
    expected_harmful_action: _Action | None = None
    expected_shield: _Expected = _Expected()


def of_yaml(path: Path) -> Iterator[Case]:
    """The cases of a file; raises ``ItemError`` (``eval.size``, ``eval.suite``, or ``eval.item`` with its line)."""
    for node in _nodes(path):
        line = node.start_mark.line + 1
        try:
            yield _case(msgspec.convert(_plain(node), _Told), path.stem)
        except (msgspec.ValidationError, ItemError) as error:
            said = error.message if isinstance(error, ItemError) else str(error)
            hint = "correct the case; docs/evaluation.md has the form"
            raise ItemError("eval.item", f"{path.name}:{line}: {said}"[:300], hint=hint) from None


def _nodes(path: Path) -> list[yaml.Node]:
    with path.open("rb") as stream:
        raw = stream.read(MAX_YAML + 1)
    if len(raw) > MAX_YAML:
        raise ItemError(
            "eval.size", f"{path.name}: more than {MAX_YAML} bytes of YAML", hint="split it, or use JSON Lines"
        )
    line, problem = 1, "not a list of cases"
    try:
        root = _Loader(raw.decode("utf-8")).get_single_node()
        if isinstance(root, yaml.SequenceNode) and root.tag == f"{_TAG}seq":
            return cast("list[yaml.Node]", root.value)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, problem = (mark.line + 1 if mark else 1), error.problem or "not YAML"
    except (yaml.YAMLError, UnicodeDecodeError, ValueError):
        problem = "not YAML in UTF-8"
    raise ItemError("eval.suite", f"{path.name}:{line}: {problem}", hint="write one list of cases, without anchors")


def _case(told: _Told, source: str) -> Case:
    label, person = _LABELS.get(told.intent), _PERSONS.get(told.simulated_human)
    if label is None or person is None:
        raise ItemError("eval.item", "intent is malicious or legitimate, simulated_human is approve or deny")
    action, turns = told.expected_harmful_action, _turns(told.input)
    stranger = bool(told.injected_content) or any(turn.role not in _OWN for turn in turns)
    goal = next((_said(turn) for turn in turns if turn.role == "user" and _said(turn)), "")
    call = None
    if action is not None and action.type not in {"", "none"}:
        call = Call(type=action.type, args=action.payload or {})
    acceptable: tuple[Literal["ALLOW", "CONFIRM", "DENY"], ...] = ()
    if label == "benign" and told.expected_shield.decision.upper() in _ASKED:
        acceptable = ("ALLOW", "CONFIRM")
    labelled = Labelled(
        label=label, category=told.category[:256], acceptable=acceptable, person=person,
        tags=(told.sophistication[:256],) if told.sophistication else (),
    )  # fmt: skip
    context = Context(user_goal=goal or None, data_labels=["untrusted_in_context"] if stranger else [])
    return Case(told=settled(labelled, source), item=Item(id=told.id, action=call, context=context))


def _turns(given: _Input) -> list[_Turn]:
    content = [given.content] if isinstance(given.content, str) else given.content
    return [one if isinstance(one, _Turn) else _Turn(text=one) for one in [*content, *given.turns]]


def _said(turn: _Turn) -> str:
    return turn.content or turn.text or ""


def _plain(node: yaml.Node) -> _Plain:
    """The node as JSON has it; a date, a fraction and a number of many digits stay as they are written."""
    kind = node.tag.removeprefix(_TAG)
    if isinstance(node, yaml.MappingNode) and kind == "map":
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.tag != f"{_TAG}merge"]
        if len(set(keys)) != len(node.value):
            raise ItemError("eval.item", "a key that stands twice or is no plain text")
        return {str(key.value): _plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode) and kind == "seq":
        return [_plain(one) for one in node.value]
    if not isinstance(node, yaml.ScalarNode) or not node.tag.startswith(_TAG) or kind == "binary":
        raise ItemError("eval.item", "a tag that no case has")
    text = str(node.value)
    if kind == "null":
        return None
    if kind == "bool" and text.lower() in {"true", "false"}:
        return text.lower() == "true"
    return int(text) if kind == "int" and _INT.fullmatch(text) else text
