"""``doctor``: prove that the gate is live on this machine, and say in words what holds and what does not."""

from __future__ import annotations

import functools
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

import click
import msgspec

from interlock.artifact.errors import ConfigurationError, InterlockError
from interlock.artifact.opinion import Word
from interlock.artifact.verdict import Decision, Verdict
from interlock.harness.core import Core
from interlock.harness.proposals import Proposals, intent
from interlock.harness.workspace import FILE_NAME, Workspace, approver_folder
from interlock.surface.cli.console import Console, console
from interlock.surface.cli.failures import Exit
from interlock.surface.cli.offhand import task_row
from interlock.surface.cli.opening import reduced, workspace
from interlock.surface.cli.root import Leaf
from interlock.surface.cli.visible import visible
from interlock.surface.cli.words import count, meaning

State = Literal["ok", "warn", "FAIL"]
_TONES = {"ok": "good", "warn": "warn", "FAIL": "danger"}
_SHARED = stat.S_IWGRP | stat.S_IWOTH


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One finding; ``FAIL`` means that something essential does not hold."""

    area: str
    state: State
    text: str


@click.command(cls=Leaf)
@click.option("--no-probes", is_flag=True, help="Leave the sandbox out: no process is started.")
@reduced
def doctor(no_probes: bool, unsafe: bool) -> int:
    """Prove that the gate is live and say what holds here; exit code 1 where something essential does not.

    Every kind of confined process is started and tries the whole canary set on itself; a plan that reads a private
    key must be denied; ledger, policy, files and keys are checked; a judge is asked about a harmless plan.
    """
    out = console()
    found: list[Check] = []
    for check in _checks(no_probes, unsafe):
        found.append(check)
        if not out.json:
            click.echo(
                f"{out.paint(f'{check.state:4}', _TONES[check.state])}  {check.area:9} {check.text}", color=_colour(out)
            )
    failed = sum(check.state == "FAIL" for check in found)
    warned = sum(check.state == "warn" for check in found)
    data = {"checks": [msgspec.to_builtins(check) for check in found], "holds": failed == 0}
    out.data(data, f"\n{count(failed, 'failure')}, {count(warned, 'warning')}")
    return Exit.FAULT if failed else Exit.OK


def _colour(out: Console) -> bool:
    import sys

    return out.colour(sys.stdout.isatty())


def _checks(no_probes: bool, unsafe: bool) -> Iterator[Check]:
    if not no_probes:
        yield from _guarded("sandbox", lambda: _sandbox(unsafe))
    try:
        here = workspace()
    except ConfigurationError as error:
        state: State = "warn" if error.code == "workspace.none" else "FAIL"
        yield Check(area="workspace", state=state, text=visible(str(error)))
        return
    yield Check(area="workspace", state="ok", text=f"{visible(here.configuration.id)} in {visible(str(here.folder))}")
    yield from _files(here)
    try:
        core = Core(workspace=here)
    except InterlockError as error:
        yield Check(area="state", state="FAIL", text=visible(str(error)))
        return
    try:
        for area, check in (
            ("ledger", _ledger),
            ("policy", _policy),
            ("gate", _canary),
            ("people", _people),
            ("model", _model),
            ("judge", _judge),
        ):
            yield from _guarded(area, functools.partial(check, core))
        if not no_probes:
            yield from _guarded("classifier", functools.partial(_classifier, core, unsafe))
            yield from _guarded("judge", functools.partial(_judging, core, unsafe))
        yield from _incidents(core)
    finally:
        core.close()


def _guarded(area: str, checks: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """What a check finds; one that cannot be made has failed."""
    try:
        yield from list(checks())
    except (InterlockError, OSError) as error:
        yield Check(area=area, state="FAIL", text=visible(str(error)))


def _sandbox(unsafe: bool) -> Iterator[Check]:
    from interlock.harness.supervisor_script import probe_report

    report = probe_report(unsafe_reduced=unsafe)
    for name, words in report.layers:
        yield Check(area="sandbox", state="ok", text=f"{visible(name)}: {visible(words)}")
    for role, why in report.failures:
        yield Check(area="sandbox", state="FAIL", text=f"no {role} can start: {visible(why)}")
    for role in dict.fromkeys(outcome.role for outcome in report.outcomes):
        tried = [outcome for outcome in report.outcomes if outcome.role == role]
        through = [outcome.name for outcome in tried if not outcome.refused]
        if through:
            yield Check(area="sandbox", state="FAIL", text=f"a confined {role} could {visible('; '.join(through))}")
        else:
            yield Check(area="sandbox", state="ok", text=f"{role}: {len(tried)} ways out tried, all refused")
    if not report.outcomes:
        yield Check(area="sandbox", state="FAIL", text="no probe was made, so nothing is known to hold")


def _files(here: Workspace) -> Iterator[Check]:
    """Configuration that others cannot write, state that others cannot read."""
    policy = here.folder / "policy"
    configured = [here.folder / FILE_NAME, policy, *policy.glob("*.yaml"), *policy.glob("*.cedar")]
    loose = [path.name for path in configured if path.exists() and path.stat().st_mode & _SHARED]
    private = [here.state, here.state / "keys", *(here.state / "keys").glob("*.key"), *approver_folder().glob("*.key")]
    seen = [path.name for path in private if path.exists() and path.stat().st_mode & 0o077]
    if loose:
        yield Check(area="files", state="FAIL", text=f"others can write {visible(', '.join(loose))}: chmod go-w")
    if seen:
        yield Check(area="files", state="FAIL", text=f"others can read {visible(', '.join(seen))}: chmod go=")
    if not loose and not seen:
        yield Check(area="files", state="ok", text="nobody else can change the rules or read the keys")


def _ledger(core: Core) -> Iterator[Check]:
    head = core.ledger.verify()
    yield Check(area="ledger", state="ok", text=f"{head.size} entries lead to the signed root {head.root.hex()[:16]}")


def _policy(core: Core) -> Iterator[Check]:
    rules = len(core.policy.ids)
    state: State = "ok" if rules else "FAIL"
    yield Check(area="policy", state=state, text=f"{count(rules, 'rule')}, sha256:{core.policy.digest[:16]}")


def _canary(core: Core) -> Iterator[Check]:
    """A plan that reads a private key must be denied, for what it reads and not for its form."""
    outside = _judged(core, str(Path.home() / ".ssh" / "id_rsa"))
    inside = _judged(core, str(core.workspace.folder / ".env"))
    for path, verdict, state in (("~/.ssh/id_rsa", outside, "FAIL"), (".env of the workspace", inside, "warn")):
        grounds = [
            reason.code for reason in verdict.reasons if reason.decision is Decision.DENY and reason.stage in {4, 5, 7}
        ]
        if verdict.decision is Decision.DENY and grounds:
            yield Check(area="gate", state="ok", text=f"reading {path} is denied ({', '.join(dict.fromkeys(grounds))})")
        else:
            yield Check(
                area="gate",
                state="FAIL" if state == "FAIL" else "warn",
                text=f"reading {path} is {verdict.decision.value}",
            )


def _judged(core: Core, path: str) -> Verdict:
    row = task_row(core, "doctor")
    raw = intent(row.task, "files.read@1", {"path": path})
    return Proposals(core, unattended=False).judge(row, raw, previewing=True).verdict


def _people(core: Core) -> Iterator[Check]:
    keys = core.keys.keyring.candidates("approver", core.clock())
    if not keys:
        yield Check(
            area="people", state="FAIL", text="nobody can approve: interlock keys new NAME, interlock keys trust FILE"
        )
        return
    yield Check(area="people", state="ok", text=f"approvers: {visible(', '.join(sorted({key.owner for key in keys})))}")
    owners = {key.owner for key in keys}
    here = [
        path.stem
        for path in approver_folder().glob("*.key")
        if path.stem in owners and path.stat().st_uid == os.geteuid()
    ]
    if here:
        names = visible(", ".join(sorted(here)))
        text = f"UnsafeSameUser: the key of {names} lies under the harness's own uid: whoever runs as it can approve"
        yield Check(area="people", state="warn", text=text)


def _model(core: Core) -> Iterator[Check]:
    model = core.workspace.configuration.model
    if not model.base_url or not model.name:
        yield Check(area="model", state="warn", text="none is configured: plans can only be handed in")
    elif model.key_secret and model.key_secret not in core.vault.names():
        yield Check(
            area="model", state="FAIL", text=f"the secret {visible(model.key_secret)} is missing: interlock secrets set"
        )
    else:
        yield Check(area="model", state="ok", text=f"{visible(model.name)} at {visible(model.base_url)}")


def _judge(core: Core) -> Iterator[Check]:
    """That the judge is another model than the planner's, with another key."""
    from interlock.harness.judging import keep_apart

    judge = core.workspace.configuration.judge
    keep_apart(core)
    if judge is None:
        yield Check(area="judge", state="ok", text="none is configured: no second model holds plans to the goal")
    elif judge.key_secret and judge.key_secret not in core.vault.names():
        text = f"the secret {visible(judge.key_secret)} is missing: interlock secrets set"
        yield Check(area="judge", state="FAIL", text=text)
    else:
        yield Check(area="judge", state="ok", text=f"{visible(judge.name)} at {visible(judge.base_url)}, a key apart")


def _judging(core: Core, unsafe: bool) -> Iterator[Check]:
    """The judge is asked about a harmless plan, by one call to its provider."""
    from interlock.harness.judging import trial

    with suppress(ConfigurationError):  # The check above has said it.
        opinion = trial(core, unsafe_reduced=unsafe)
        if opinion is None:
            return
        state: State = "FAIL" if opinion.fault else "ok" if opinion.plan is Word.FITS else "warn"
        said = f"it says of a harmless plan: {opinion.plan.value}"
        if opinion.fault:
            said = f"{meaning(opinion.fault)} ({opinion.fault}): every plan that it is asked about is raised"
        yield Check(area="judge", state=state, text=said)


def _classifier(core: Core, unsafe: bool) -> Iterator[Check]:
    """The jailed analyst is asked what it makes of a harmless line, with the models that it has at work."""
    from interlock.harness.analysing import trial

    codes = trial(core.workspace.state, unsafe_reduced=unsafe)
    if codes:
        text = (
            f"no score ({visible(', '.join(codes))}): every action that runs code is raised; see interlock models list"
        )
        yield Check(area="classifier", state="FAIL", text=text)
    else:
        yield Check(area="classifier", state="ok", text="a harmless line is scored behind the lock")


def _incidents(core: Core) -> Iterator[Check]:
    found = core.store.incidents(still_open=True)
    if found:
        yield Check(
            area="incidents",
            state="warn",
            text=f"{count(len(found), 'incident')} open: interlock incidents list --open",
        )
