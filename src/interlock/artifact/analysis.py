"""Analysis: what the analyst is asked about one action, and what it says the action would do.

The analyst parses hostile content in a jailed process, so what it says is a claim and no fact: it can only add to
what the manifest declares (design, section 6).  Whatever it cannot see into is named in ``opaque``; an empty
``opaque`` means that the listed effects are all of them, and the step is then confined to exactly those.

>>> Analysis(touched=(), opaque=(Opacity(code="shell.dynamic_command", argument="command"),)).known
False
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

import msgspec

from interlock.artifact.action import Language
from interlock.artifact.codec import Identifier, Json, Text, Value
from interlock.artifact.resources import Touched

Code: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,30}(\.[a-z][a-z0-9_]{0,40}){1,2}\Z")]
MAX_CONTENT = 256 * 1024
MAX_TOUCHED = 512
SCORED = frozenset({"shell", "argv", "sql", "python", "powershell", "cmd"})  # What the classifier of actions reads.
MISSING = "classifier.missing"
ORDERS = "classifier.orders"


class Content(Value, frozen=True, kw_only=True):
    """One argument of the action, and the language that it is to be read in; ``dialect`` names one of SQL's."""

    argument: Identifier
    language: Language
    value: Json
    dialect: str = ""


class Question(Value, frozen=True, kw_only=True):
    """One action in context.  ``root`` and ``home`` resolve relative paths, as for ``resources.touched``.

    ``scripts`` are the contents of files that the agent wrote earlier, by canonical path, so that running one is
    judged by what it holds.  ``prior`` are texts of strangers that the planner had received; where there are any,
    ``values`` are all known arguments and ``goal`` is the task's, so that the action is compared with what they order.
    Only evaluations ask for an answer that is not ``scored``, to measure what the classifier adds and what it costs.
    """

    action: Identifier
    contents: Annotated[tuple[Content, ...], msgspec.Meta(max_length=64)]
    root: str
    home: str = ""
    scripts: Mapping[str, str] = {}
    goal: str = ""
    values: Mapping[str, Json] = {}
    prior: Annotated[tuple[str, ...], msgspec.Meta(max_length=64)] = ()
    scored: bool = True


class Opacity(Value, frozen=True, kw_only=True):
    """Something that cannot be seen into, and in which argument."""

    code: Code
    argument: Identifier


class Signal(Value, frozen=True, kw_only=True):
    """A pattern of effects that rules speak of, such as ``shell.reverse`` or ``download.executed``."""

    code: Code
    argument: Identifier


class Finding(Value, frozen=True, kw_only=True):
    """Data of a kind that labels an argument: a secret, personal data, or text that gives orders."""

    kind: Literal["secret", "personal", "instruction"]
    code: Code
    argument: Identifier


class Analysis(Value, frozen=True, kw_only=True):
    """What the action would do.  ``score`` is the classifier's, in thousandths, or nothing where none ran."""

    touched: Annotated[tuple[Touched, ...], msgspec.Meta(max_length=MAX_TOUCHED)]
    opaque: Annotated[tuple[Opacity, ...], msgspec.Meta(max_length=128)] = ()
    signals: Annotated[tuple[Signal, ...], msgspec.Meta(max_length=128)] = ()
    findings: Annotated[tuple[Finding, ...], msgspec.Meta(max_length=128)] = ()
    programs: Annotated[tuple[Text, ...], msgspec.Meta(max_length=128)] = ()
    score: Annotated[int, msgspec.Meta(ge=0, le=1000)] | None = None

    @property
    def known(self) -> bool:
        """Whether every effect is listed."""
        return not self.opaque
