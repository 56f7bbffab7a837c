"""The stable codes that the source can say, found by reading it: what docs/codes.md must hold, no more and no less.

A code is a string constant of the form ``family.name``.  A code that is put together at run time is listed in
``PUT_TOGETHER`` with everything that it can become; one that is not listed there is an error, so that none can be
forgotten.  Strings of the same form that are no codes (file names, host names, modules, settings of git) are excluded by rule,
and so are signals, which docs/signals.md explains.  Codes in the data of command models count as well.

    python -m tests.support.codes        prints them
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args

from interlock.artifact.action import Effect, Language
from interlock.artifact.opinion import Word
from interlock.artifact.receipt import Outcome
from interlock.artifact.task import Budget
from interlock.decide.life import Status

SOURCE = Path(__file__).parents[2] / "src" / "interlock"

_CODE = re.compile(r"[a-z]+\.[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)*")
_BEGINNING = re.compile(r"[a-z]+\.[a-z_]*")
_FILE = re.compile(r".+\.(json|toml|db|yaml|key|conf|txt|log|sock|onnx)")
_HOST = re.compile(r".+\.(com|org|net|ai|xyz|example|internal)")
_GIT = re.compile(
    r"(core|credential|diff|gc|gpg|interactive|maintenance|protocol|safe|sequence|submodule|uploadpack|web)\..+"
)
_PREFIXES = frozenset({"flow.untrusted"})  # the command line's words for several codes
_EXAMPLES = frozenset({"a.a", "zq.zq"})  # names that a proof tries

PUT_TOGETHER = {
    "f'budget.{code}'": ["budget.cost", "budget.steps"],
    "f'budget.{over[0]}'": [f"budget.{name}" for name in Budget.__struct_fields__],
    "f'approval.{name}'": ["approval.policy", "approval.manifests", "approval.preview", "approval.certificate"],
    "f'plan.{row.status.value}'": [f"plan.{status.value}" for status in Status if status is not Status.APPROVED],
    "f'os.{name}'": [],
    "f'it.{key}'": [],
    "f'shape.{language}'": [f"shape.{language}" for language in get_args(Language)],  # signals, all of them
    "f'floor.{part.effect.value}'": [f"floor.{effect.value}" for effect in (Effect.SPEND, Effect.GRANT_ACCESS)],
    "f'judge.{opinion.plan.value}'": [f"judge.{word.value}" for word in Word],
    "f'step.{outcome}'": [f"step.{outcome.value}" for outcome in (Outcome.FAILED, Outcome.UNKNOWN)],
}
# In the analyst, a dotted string is a code only of these families; the rest are names of Python's modules and of hosts.
_ANALYST = frozenset(
    [
        "analysis",
        "analyst",
        "data",
        "email",
        "instruction",
        "json",
        "path",
        "personal",
        "python",
        "secret",
        "shape",
        "shell",
        "sql",
        "text",
        "url",
        "windows",
    ]
)
_NAMES = ("arguments.", "rollback.", "context.")  # fields of a proposal and of a request, not codes


def codes() -> set[str]:
    """Every code; raises ``ValueError`` for one that is put together in a way that nobody has listed."""
    said = {code for path in _modules() for code in _of(ast.parse(path.read_text("utf-8"))) if _speaks(path, code)}
    return (said | _of_models()) - signals()


def signals() -> set[str]:
    """The vocabularies of signals."""
    found = (json.loads(path.read_text("utf-8")) for path in sorted((SOURCE / "analyst").rglob("signals.json")))
    return {code for vocabulary in found for code in vocabulary}


def _speaks(path: Path, code: str) -> bool:
    return "analyst" not in path.parts or code.partition(".")[0] in _ANALYST


def _of_models() -> set[str]:
    found: set[str] = set()
    for path in sorted((SOURCE / "analyst" / "commands").glob("*.json")):
        for codes_of in re.findall(r'"opaque": \[([^]]*)\]', path.read_text("utf-8")):
            found.update(re.findall(r'"([^"]+)"', codes_of))
    return found


def _modules() -> Iterator[Path]:
    return (path for path in sorted(SOURCE.rglob("*.py")) if not path.name.endswith("_pb2.py"))


def _of(tree: ast.Module) -> Iterator[str]:
    passed_over = {id(node) for node in _docstrings(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            passed_over.update(id(part) for part in node.values)
            yield from _put_together(node)
        elif isinstance(node, ast.Constant) and id(node) not in passed_over and _is_code(node.value):
            yield str(node.value)


def _docstrings(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and node.body[:1]
            and isinstance(node.body[0], ast.Expr)
        ):
            yield node.body[0].value


def _is_code(value: object) -> bool:
    return (
        isinstance(value, str)
        and _CODE.fullmatch(value) is not None
        and not value.startswith("interlock.")
        and value not in _PREFIXES | _EXAMPLES
        and not any(pattern.fullmatch(value) for pattern in (_FILE, _HOST, _GIT))
    )


def _put_together(node: ast.JoinedStr) -> Iterable[str]:
    first = node.values[0] if node.values else None
    if not isinstance(first, ast.Constant) or not _BEGINNING.fullmatch(str(first.value)) or first.value in _NAMES:
        return ()
    text = ast.unparse(node)
    if text not in PUT_TOGETHER:
        raise ValueError(f"a code that is put together and not listed: {text}")
    return PUT_TOGETHER[text]


if __name__ == "__main__":
    print("\n".join(sorted(codes())))
