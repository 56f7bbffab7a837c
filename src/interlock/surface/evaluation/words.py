"""Words and figures that every form of a report shares."""

from __future__ import annotations

from typing import Final

from interlock.evals.corpus import Row, Share
from interlock.evals.report import Report

PROFILES: Final = {
    "none": "no gate at all",
    "policy": "structure, manifests, scope, floor, flow and rules; the analyst is not asked",
    "effects": "the same with what the analyst says that code would do, without the classifier",
    "default": "what a new workspace does",
    "maximum": "the same where every doubt is a denial",
}
NOTES: Final = tuple(
    """\
Nobody answers a question, and no model decides. Attacks are stopped where they are blocked or asked about.
What is asked about harmless items is the number of questions per hundred benign actions.
A question is needless where only passing is acceptable. Intervals are Wilson's at 95 %.
Times are whole decisions, through the jailed analyst, each question asked for the first time.
A layer counts as first where no cheaper one says the same, and as alone where no other one does.""".splitlines()
)


def percent(found: Share) -> str:
    """``67.2 % [63.9, 70.4]``, or a dash of nothing."""
    return f"{_hundredths(found)} % [{found.low / 10:.1f}, {found.high / 10:.1f}]" if found.of else "-"


def short(found: Share) -> str:
    """``67.2 [63.9,70.4]``."""
    return f"{_hundredths(found)} [{found.low / 10:.1f},{found.high / 10:.1f}]" if found.of else "-"


def milliseconds(micros: int) -> str:
    """``0.77 ms``."""
    return f"{micros / 1000:.2f} ms"


def facts(report: Report) -> list[str]:
    """What was measured, and what was not."""
    undecidable = sum(report.undecidable.values())
    parts = ", ".join(f"{count} {label}" for label, count in sorted(report.undecidable.items()))
    left = f"; left out: {report.left_out} ({', '.join(report.without)})" if report.without else ""
    return [
        *(f"{file.name}  sha256 {file.sha256}" for file in report.files),
        f"Interlock {report.version}; items: {report.items}; not decidable: {undecidable}"
        + (f" ({parts})" if parts else "")
        + left,
    ]


def persons(report: Report) -> bool:
    """Whether the suite says what a person would answer."""
    return any(row.person is not None for row in report.rows)


def person(row: Row) -> str:
    """Attacks asked about that the person who always knows denies, of those asked about."""
    return f"{row.person.count} of {row.person.of}" if row.person is not None else "-"


def _hundredths(found: Share) -> str:
    return f"{100 * found.count / found.of:.1f}"
