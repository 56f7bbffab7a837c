"""``jail``: an auditor's script in exactly the process and confinement that a role gets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from interlock.surface.cli.console import console
from interlock.surface.cli.opening import reading, reduced
from interlock.surface.cli.root import Leaf

if TYPE_CHECKING:
    from interlock.harness.sandbox.profiles import JailSpec, Role

_ROLES = ("planner", "executor", "step", "analyst", "gateway", "proxy", "notifier")


@click.command(cls=Leaf, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option(
    "--as", "role", type=click.Choice(_ROLES), default="planner", show_default=True, help="Whose confinement."
)
@click.option("--plan", metavar="PLAN", help="With --as step: the plan whose grant it gets.")
@click.option("--step", metavar="STEP", help="And the step.")
@reduced
@click.argument("script", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def jail(role: str, plan: str | None, step: str | None, unsafe: bool, script: Path, arguments: tuple[str, ...]) -> int:
    """Run SCRIPT.py as a role, after lock-down, and try to get out.

    Without a plan a step has an empty grant.  Its end points are there, but no proxy answers behind them.  The exit
    code is the script's own; minus a signal's number becomes 128 plus it.
    """
    from interlock.harness.supervisor_script import run_script

    if (plan is None) is not (step is None) or (plan is not None and role != "step"):
        raise click.UsageError("--plan and --step belong together, and to --as step")
    spec = _spec(plan, step) if plan and step else None
    if unsafe:
        console().warn("UnsafeReducedSandbox: a missing layer is accepted")
    code = run_script(cast("Role", role), script, arguments, spec=spec, unsafe_reduced=unsafe)
    return 128 - code if code < 0 else code


def _spec(plan: str, step_id: str) -> JailSpec:
    """What the harness gives to that step, from the resources that were decided on."""
    from interlock.artifact.arguments import is_literal
    from interlock.artifact.errors import StateError
    from interlock.harness.confining import path_grants, program
    from interlock.harness.minting import known_resources
    from interlock.harness.sandbox.profiles import HostGrant, JailSpec
    from interlock.harness.stepping import endpoints_of, packages_of

    with reading() as core:
        found = core.store.plan(plan).plan
        if step_id not in {step.id for step in found.steps}:
            raise StateError("plan.step", f"the plan has no step {step_id}", hint=f"run: interlock plan show {plan}")
        step = found.step(step_id)
        manifest, touched = core.catalogue[step.action], known_resources(core, step)
        known = {name: value for name, value in step.arguments.items() if is_literal(value)}
        own, workspace = core.site.own, core.workspace
    driver = manifest.driver
    return JailSpec(
        paths=path_grants(touched, manifest, own),
        programs=tuple(program(name) for name in driver.programs),
        packages=packages_of(manifest, workspace),
        hosts=tuple(HostGrant(host=end.host, port=end.port) for end in endpoints_of(manifest, known)),
    )
