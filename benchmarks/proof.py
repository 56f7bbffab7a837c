"""What a proof costs: all shipped invariants on the baseline, and the comparison of the baseline with itself.

Milliseconds, without a baseline to compare with; z3 is imported before.
"""

from __future__ import annotations

from importlib import resources

from benchmarks.measuring import Row, medians, row, table
from interlock.decide.evidence import Site
from interlock.decide.policy import compile_policies
from interlock.decide.proof import proving


def run(*, tiny: bool = False) -> list[Row]:
    """The shipped invariants and the baseline's own, together; one comparison."""
    rules, invariants = (
        resources.files(f"interlock.decide.{package}").joinpath("baseline.yaml").read_text("utf-8")
        for package in ("policy", "proof")
    )
    policies = compile_policies({}, {"baseline.yaml": rules}, home="/home/u", root="/home/u/web")
    site = Site(id="w", root="/home/u/web", home="/home/u", roots=("/home/u/web",), own=("/home/u/web/policy",))
    count = len(proving.prove(policies, site, {"baseline.yaml": invariants}))
    proved, compared = medians(
        (lambda: proving.prove(policies, site, {"baseline.yaml": invariants}), 1),
        (lambda: proving.compare(policies, policies), 1),
        rounds=1 if tiny else 5,
    )
    return [row(f"proof.baseline.{count}_invariants", proved * 1e3, "ms"), row("proof.diff", compared * 1e3, "ms")]


if __name__ == "__main__":
    print(table(run()))
