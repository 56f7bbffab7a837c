"""``policy``: whether it compiles, answers as its cases expect, keeps its invariants; what a rule means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from interlock.artifact import codec
from interlock.artifact.errors import StateError
from interlock.decide.policy import CaseResult, PolicyRequest, PolicySet, compile_policies, run_cases
from interlock.decide.policy.cases import QUIET
from interlock.harness.core import Core
from interlock.surface.cli.commands.policy_trial import observed, replayed, starting
from interlock.surface.cli.console import console
from interlock.surface.cli.failures import Exit
from interlock.surface.cli.layout import table
from interlock.surface.cli.opening import reading, workspace
from interlock.surface.cli.outcome import verdict_text
from interlock.surface.cli.root import Noun
from interlock.surface.cli.supposing import command, written
from interlock.surface.cli.visible import visible

if TYPE_CHECKING:
    from interlock.decide.proof.proving import Possible, Result


@click.group(cls=Noun)
def policy() -> None:
    """Check, test, prove and explain the policy."""


for _command in (observed, replayed, starting):
    policy.add_command(_command)


@policy.command()
@click.option("--cedar", metavar="FILE", help="Show what one file of policy/ compiles to.")
def check(cedar: str | None) -> None:
    """Compile the workspace's policy; an error names file and line and nothing works until it is gone."""
    with reading() as core:
        found, text = core.policy, core.policy.compiled_text(cedar) if cedar else ""
        rules = [{"id": name, **_origin(found, name)} for name in found.ids]
        trial = core.on_trial
        tried = [{"id": name, **_origin(trial, name)} for name in trial.ids if name not in found.ids] if trial else []
    if cedar:
        console().data({"file": cedar, "cedar": text}, visible(text, lines=True) or f"no rules in {visible(cedar)}")
        return
    rows = [(one["id"], f"{one['file']}:{one['line']}", one["owner"], one["why"]) for one in [*rules, *tried]]
    text = f"{table(('RULE', 'WHERE', 'OWNER', 'WHY'), rows)}\n\n{len(rules)} rules, sha256:{found.digest}"
    if tried:
        text += f"\n{len(tried)} on trial: recorded, and without effect"
    console().data({"digest": found.digest, "rules": rules, "observed": tried}, text)
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
        for known in (core.policy, core.on_trial):
            if known is not None and what in known.ids:
                console().data({"rule": what, **_origin(known, what)}, _rule_text(what, known))
                return
        _explain_plan(core, what)


@policy.command(name="prove")
@click.option("--cases", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
              help="Write counterexamples as cases for policy test.")  # fmt: skip
@click.option("--counterexample", "folder", metavar="FOLDER", type=click.Path(file_okay=False, path_type=Path),
              help="Write them as plans and packages of actions, for plan check.")  # fmt: skip
def prove_(cases: Path | None, folder: Path | None) -> int:
    """Prove the invariants for every request, or show one for which they fail.

    Where all hold, a signed certificate is stored; a workspace with proof = "required" decides by no other policy.
    """
    from interlock.harness.proofs import prove

    with reading() as core:
        results, certificate = prove(core)
        found = [(one, _case(one, core.policy)) for one in results]
        digest, proved = core.policy.digest, codec.digest(certificate) if certificate else None
    rows = [(one.outcome, one.name, one.place, one.sentence) for one in results]
    failed = [one for one, _ in found if one.outcome != "proved"]
    tables = [json.dumps(case) for _, case in found if case]
    if cases is not None:
        lines = "\n".join(f"  - {case}" for case in tables)
        cases.write_text(f"cases:\n{lines}\n" if tables else "cases: []\n", "utf-8")
    replays = {one.name: _replays(one, folder) for one in results} if folder else {}
    text = [table(("", "INVARIANT", "WHERE", "WHAT"), rows)]
    text += [_refutation(one, case, replays.get(one.name)) for one, case in found if case]
    end = f"{len(failed)} not proved; there is no certificate" if failed else f"certificate stored, sha256:{proved}"
    text.append(f"{len(results)} invariants, {end}; policy sha256:{digest}")
    data = [{**_plain(one), "case": case, "replays": replays.get(one.name, [])} for one, case in found]
    console().data({"policy": digest, "invariants": data, "certificate": proved}, "\n\n".join(text))
    return Exit.FAULT if failed else Exit.OK


@policy.command()
@click.argument("old", type=click.Path(exists=True, path_type=Path))
@click.argument("new", type=click.Path(exists=True, path_type=Path))
def diff(old: Path, new: Path) -> int:
    """Prove that NEW is nowhere more permissive than OLD (folders or files), or show what became possible."""
    from interlock.decide.proof.proving import compare, possible

    root, home = str(workspace().folder), str(Path.home())
    before, after = (compile_policies(*_texts(place), home=home, root=root) for place in (old, new))
    found = compare(before, after)
    became = possible(before, after) if found.outcome == "refuted" else []
    cases = [_case_of(one.request, f"became possible {place}", after) for place, one in enumerate(became, 1)]
    match found.outcome:
        case "proved":
            same = compare(after, before).outcome == "proved"
            text = "proved: no request gets a less strict answer than before" + (", nor a stricter one" if same else "")
        case "refuted":
            examples = [_possible_text(*one, before, after) for one in zip(became, cases, strict=True)]
            text = "\n\n".join(
                ["more permissive: what became possible, by the rule that had stood in its way", *examples]
            )
        case _:
            text = "not decided: the solver gave up within its bounds, so take it for more permissive"
    more = [{**msgspec.to_builtins(one), "request": case} for one, case in zip(became, cases, strict=True)]
    data = {"outcome": found.outcome, "old": found.old, "new": found.new, "case": cases[0] if cases else None}
    console().data({**data, "possible": more}, text)
    return Exit.OK if found.outcome == "proved" else Exit.FAULT


def _possible_text(one: Possible, case: dict[str, object], before: PolicySet, after: PolicySet) -> str:
    was = f"{one.old} by {_rules_text(one.rules, before)}" if one.rules else f"{one.old}, since nothing allowed it"
    now = f"now {one.new} by {_rules_text(one.by, after)}" if one.by else f"now {one.new}"
    return f"{was}\n  {now}\n  - {visible(json.dumps(case))}"


def _rules_text(rules: tuple[str, ...], policies: PolicySet) -> str:
    origins = [policies.explain(rule) for rule in rules]
    return ", ".join(
        f"{visible(rule)} ({visible(one.file)}:{one.line})" for rule, one in zip(rules, origins, strict=True)
    )


def _texts(place: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Cedar texts and short rules of a folder, or the one file, by name."""
    files = sorted([*place.glob("*.cedar"), *place.glob("*.yaml")]) if place.is_dir() else [place]
    texts = {path.name: path.read_text("utf-8") for path in files}
    cedar = {name: text for name, text in texts.items() if name.endswith(".cedar")}
    return cedar, {name: text for name, text in texts.items() if name not in cedar}


def _case(result: Result, policies: PolicySet) -> dict[str, object] | None:
    """The counterexample as a case: of two situations the one that is decided less strictly."""
    found = result.counterexample
    return None if found is None else _case_of((found.other or found.situation).request, result.name, policies)


def _case_of(request: PolicyRequest, name: str, policies: PolicySet) -> dict[str, object]:
    """A case for ``policy test`` that passes as the policy stands."""
    required: dict[str, object] = {"action": "zq", **QUIET, "access": request.effect.value}
    quiet = msgspec.to_builtins(msgspec.convert(required, PolicyRequest))
    fields = {
        key: value for key, value in msgspec.to_builtins(request).items() if value != quiet[key] or key == "action"
    }
    return {"name": name, "expect": policies.evaluate(request).decision.value, **fields}


def _plain(result: Result) -> dict[str, object]:
    """The result without its counterexample as actions, which ``--counterexample`` writes."""
    found = result.counterexample
    bare = found and msgspec.structs.replace(found, staged=())
    plain: dict[str, object] = msgspec.to_builtins(msgspec.structs.replace(result, counterexample=bare))
    if isinstance(plain["counterexample"], dict):
        del plain["counterexample"]["staged"]
    return plain


def _replays(result: Result, folder: Path) -> list[list[str]]:
    """Write the counterexample as actions; the command that replays each."""
    staged = result.counterexample.staged if result.counterexample else ()
    places = [folder / result.name] if len(staged) == 1 else [folder / result.name / name for name in ("first", "then")]
    return [written(one, place) for one, place in zip(staged, places, strict=False)]


def _refutation(result: Result, case: dict[str, object], replays: list[list[str]] | None) -> str:
    found = result.counterexample
    assert found is not None  # noqa: S101 - there is a case
    answer = f"the gate says {found.verdict} for"
    if found.other:
        first, then = _difference(found.situation.request, found.other.request)
        answer = f"with {first} the gate says {found.verdict}, with {then} {found.other_verdict}; the second is"
    lines = [f"{result.name}: {answer}", f"  - {visible(json.dumps(case))}"]
    if not found.staged:
        lines.append("  no plan of one step makes this request")
    elif replays is None:
        lines.append("  as a plan that plan check replays: interlock policy prove --counterexample FOLDER")
    else:
        lines += [f"  {visible(command(words))}" for words in replays]
    return "\n".join(lines)


def _difference(first: PolicyRequest, then: PolicyRequest) -> tuple[str, str]:
    """The fields in which two requests differ, as each has them."""
    one, other = msgspec.to_builtins(first), msgspec.to_builtins(then)
    names = [name for name in one if one[name] != other[name]]
    return tuple(", ".join(f"{name} {json.dumps(fields[name])}" for name in names) for fields in (one, other))  # type: ignore[return-value]


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
