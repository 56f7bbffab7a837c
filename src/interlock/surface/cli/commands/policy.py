"""``policy``: whether it compiles, whether it answers as its cases expect, and what a rule or a verdict means."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from interlock.artifact.errors import StateError
from interlock.decide.policy import CaseResult, PolicySet, run_cases
from interlock.harness.core import Core
from interlock.surface.cli.console import console
from interlock.surface.cli.failures import Exit
from interlock.surface.cli.layout import table
from interlock.surface.cli.opening import reading
from interlock.surface.cli.outcome import verdict_text
from interlock.surface.cli.root import Noun
from interlock.surface.cli.visible import visible


@click.group(cls=Noun)
def policy() -> None:
    """Check, test and explain the policy."""


@policy.command()
@click.option("--cedar", metavar="FILE", help="Show what one file of policy/ compiles to.")
def check(cedar: str | None) -> None:
    """Compile the workspace's policy; an error names file and line and nothing works until it is gone."""
    with reading() as core:
        found, text = core.policy, core.policy.compiled_text(cedar) if cedar else ""
        rules = [{"id": name, **_origin(found, name)} for name in found.ids]
    if cedar:
        console().data({"file": cedar, "cedar": text}, visible(text, lines=True) or f"no rules in {visible(cedar)}")
        return
    rows = [(one["id"], f"{one['file']}:{one['line']}", one["owner"], one["why"]) for one in rules]
    text = f"{table(('RULE', 'WHERE', 'OWNER', 'WHY'), rows)}\n\n{len(rules)} rules, sha256:{found.digest}"
    console().data({"digest": found.digest, "rules": rules}, text)
    if not rules:
        console().warn("no rule: everything is denied")


@policy.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def test(files: tuple[Path, ...]) -> int:
    """Run tables of cases (default: policy/cases/*.yaml) against the policy; exit code 1 where one fails."""
    with reading() as core:
        chosen = files or tuple(sorted((core.workspace.folder / "policy" / "cases").glob("*.yaml")))
        if not chosen:
            raise StateError("policy.no_cases", "no cases to run", hint="write policy/cases/NAME.yaml, or name a file")
        found = [
            (path, one) for path in chosen for one in run_cases(core.policy, path.read_text("utf-8"), file=path.name)
        ]
    failed = [one for _, one in found if not one.passed]
    rows = [
        (_mark(one), f"{path.name}:{one.line}", one.expected.name, one.expected.expect, one.answer.decision)
        for path, one in found
    ]
    data = [{"file": str(path), "result": msgspec.to_builtins(one)} for path, one in found]
    text = f"{table(('', 'WHERE', 'CASE', 'EXPECTED', 'ANSWER'), rows)}\n\n{len(found)} cases, {len(failed)} failed"
    console().data({"cases": data, "failed": len(failed)}, text)
    return Exit.FAULT if failed else Exit.OK


@policy.command()
@click.argument("what", metavar="RULE|PLAN")
def explain(what: str) -> None:
    """Where a rule stands and what it says; or, of a plan, why it was decided as it was."""
    with reading() as core:
        if what in core.policy.ids:
            console().data({"rule": what, **_origin(core.policy, what)}, _rule_text(what, core.policy))
            return
        _explain_plan(core, what)


def _explain_plan(core: Core, digest: str) -> None:
    row = core.store.plan(digest)
    rules = sorted({reason.rule for reason in row.verdict.reasons if reason.rule})
    known = [{"id": name, **_origin(core.policy, name)} for name in rules if name in core.policy.ids]
    current = row.policy == core.policy.digest
    data = {"plan": row.digest, "verdict": msgspec.to_builtins(row.verdict), "rules": known, "policyIsCurrent": current}
    parts = [verdict_text(row.verdict)]
    parts += [_rule_text(name, core.policy) for name in rules if name in core.policy.ids]
    if not current:
        parts.append("the policy has changed since; the texts above are today's")
    console().data(data, "\n\n".join(parts))


def _origin(policies: PolicySet, rule: str) -> dict[str, object]:
    origin = policies.explain(rule)
    return {"file": origin.file, "line": origin.line, "owner": origin.owner, "why": origin.why, "text": origin.text}


def _rule_text(rule: str, policies: PolicySet) -> str:
    origin = policies.explain(rule)
    return f"{visible(rule)} at policy/{visible(origin.file)}:{origin.line}\n{visible(origin.text, lines=True)}"


def _mark(result: CaseResult) -> str:
    return "ok" if result.passed else "FAILED"
