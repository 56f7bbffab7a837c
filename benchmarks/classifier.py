"""What the classifier adds to an analysis, against the analysers alone in the same run.

``classifier.line`` is an ordinary command line, ``.long`` one of 4,000 characters, ``.whole`` the largest text that a
question may hold.  Baseline is what the analysers take for the same text.
"""

from __future__ import annotations

from benchmarks.measuring import Row, medians, repeated, row
from interlock.analyst import classifier, reading
from interlock.artifact.analysis import MAX_CONTENT, Content, Question

_LINE = "git status && python -m pytest -q tests > out.txt"
_LONG = "for f in src/*.py; do wc -l $f; done\n" * 110


def run(*, tiny: bool = False) -> list[Row]:
    """Microseconds for a line, a script and the largest text."""
    texts = {"line": _LINE, "long": _LONG} | ({} if tiny else {"whole": ("ls -l\n" * MAX_CONTENT)[:MAX_CONTENT]})
    return [_row(name, text, tiny=tiny) for name, text in texts.items()]


def _row(name: str, text: str, *, tiny: bool) -> Row:
    content = Content(argument="line", language="shell", value=text)
    question = Question(action="run", contents=(content,), root="/work", home="/home/u")
    analysis = reading.read(question)
    calls = 1 if tiny or name != "line" else 50
    bare, own = medians(
        (repeated(lambda: reading.read(question), calls), calls),
        (repeated(lambda: classifier.judged(question, analysis), calls), calls),
        rounds=1 if tiny else 7,
    )
    return row(f"classifier.{name}", own * 1e6, "us", bare * 1e6)
