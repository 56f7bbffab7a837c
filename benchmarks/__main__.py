"""``python -m benchmarks``: run all benchmarks, write ``benchmarks/results.json``, print the table and the bars.

The exit code is 0 whatever the figures are: a busy machine misses a bar that a quiet one clears.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from benchmarks import classifier, decision, imports, layers, ledger, policy, proof, steps
from benchmarks.measuring import Row, table

RESULTS = Path(__file__).with_name("results.json")
BENCHMARKS: dict[str, Callable[..., list[Row]]] = {
    "imports": imports.run, "policy": policy.run, "decision": decision.run, "ledger": ledger.run, "steps": steps.run,
    "proof": proof.run, "classifier": classifier.run, "layers": layers.run,
}  # fmt: skip


class Bar(NamedTuple):
    """What a figure should reach."""

    text: str
    name: str
    column: Literal["value", "ratio"]
    least: float = float("-inf")
    most: float = float("inf")


BARS = (
    Bar("an intent decided and recorded, in bare Cedar calls (at most 2.5)",
        "decision.1_steps.50_policies.batch", "ratio", most=2.5),
    Bar("a step started warm, in fresh Pythons (at most 0.1)", "step.start.warm", "ratio", most=0.1),
    Bar("ledger entries a second with group commit (at least 8,000)",
        f"ledger append, batches of {ledger.GROUP}, durable", "value", least=8000),
    Bar("import interlock.artifact.signing, the heaviest of interlock.artifact, in ms (under 80)",
        "import.interlock.artifact.signing", "value", most=80),
    Bar("the classifier's score of a command line, in us (under 5,000)", "classifier.line", "value", most=5000),
    Bar("a decision with a command's effects, without the classifier, in us (under 1,000)", "layers.effects", "value",
        most=1000),
    Bar("the same with the classifier, in us (under 15,000)", "layers.classifier", "value", most=15000),
)  # fmt: skip


def bars(rows: list[Row]) -> str:
    """One line for each bar: its figure, and whether it is reached."""
    found = {one["name"]: one for one in rows}
    lines: list[str] = []
    for bar in BARS:
        figure = found[bar.name][bar.column]
        reached = figure is not None and bar.least <= figure <= bar.most
        lines.append(f"{'ok' if reached else 'missed':8}{figure:>12,.2f}  {bar.text}")
    return "\n".join(lines)


def main() -> int:
    """Run, write, print."""
    rows: list[Row] = []
    for name, run in BENCHMARKS.items():
        print(f"{name} …", file=sys.stderr, flush=True)
        rows += run()
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
    print(table(rows), bars(rows), sep="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
