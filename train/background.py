"""``python -m train.background DIR…``: how often the classifier alone would deny ordinary commands of real scripts.

Every shell script below the folders is read by the grammar; each distinct simple command or pipeline in it is judged
as a line of its own by the gate with the classifier, under the baseline policy.  Nothing of them is kept.  A count
stands with its 95 % interval (Wilson): one denial by the classifier where the rest of the gate would not deny.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tree_sitter import Node

from interlock.analyst import reading
from interlock.analyst.shell.grammar import parse, text_of
from interlock.artifact.analysis import Analysis, Question
from interlock.artifact.verdict import Decision, Verdict
from interlock.evals import items
from interlock.evals.deciding import Judge
from interlock.evals.intervals import wilson

MAX_SCRIPT: Final = 256 * 1024
MAX_COMMAND: Final = 2048
_ENDS: Final = (".sh", ".bash", ".postinst", ".preinst", ".postrm", ".prerm", ".config")
_SHEBANG: Final = re.compile(r"#![^\n]{0,64}\b(?:ba|da|k|z)?sh\b")
_WHOLE: Final = frozenset({"command", "pipeline", "redirected_statement"})
_DENIES: Final = "classifier.deny"


class Counted(NamedTuple):
    """How many commands there were; how many were denied, asked about, and denied by the classifier alone."""

    commands: int
    denied: int
    asked: int
    alone: int


class _Reader:
    """Answers as the analyst does, in this process: the scripts are ordinary ones."""

    def ask(self, task: str, question: Question) -> Analysis:
        del task
        return reading.answer(question)


def commands(script: str) -> Iterator[str]:
    """The simple commands and pipelines of a script."""
    waiting: list[Node] = [parse(script)]
    while waiting:
        node = waiting.pop()
        if node.type in _WHOLE:
            yield text_of(node)
        else:
            waiting.extend(reversed(node.named_children))


def scripts(folder: Path) -> Iterator[str]:
    """The texts of the shell scripts below a folder."""
    for path in sorted(folder.rglob("*")):
        try:
            if path.is_file() and path.stat().st_size <= MAX_SCRIPT:
                text = path.read_bytes().decode("utf-8", "replace")
                if path.suffix in _ENDS or _SHEBANG.match(text):
                    yield text
        except OSError:
            continue


def count(texts: Iterator[str]) -> Counted:
    """The gate's words on every distinct command of the scripts."""
    judge = Judge(_Reader())
    distinct = dict.fromkeys(line.strip() for text in texts for line in commands(text) if len(line) <= MAX_COMMAND)
    denied = asked = alone = 0
    for line in distinct:
        item = {"action": {"type": "execute_command", "args": {"command": line}}}
        judged = judge.judge(items.read(json.dumps(item)))
        denied += judged.word == "DENY"
        asked += judged.word == "CONFIRM"
        alone += _alone(judged.verdict)
    return Counted(len(distinct), denied, asked, alone)


def _alone(verdict: Verdict) -> bool:
    """Whether the classifier denies and nothing else does."""
    codes = {reason.code for reason in verdict.reasons if reason.decision is Decision.DENY}
    return codes == {_DENIES}


def main(arguments: list[str]) -> int:
    """Print one line of JSON for all folders together."""
    found = count(text for folder in arguments for text in scripts(Path(folder)))
    low, high = wilson(found.alone, found.commands)
    told = {**found._asdict(), "alone_percent": [round(100 * low, 3), round(100 * high, 3)]}
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
