"""``init``: a workspace in one command.  Safe to run again: what is there stays as it is, byte for byte."""

from __future__ import annotations

import re
import secrets
from importlib import resources
from pathlib import Path

import click

from interlock.artifact import codec
from interlock.artifact.errors import ConfigurationError
from interlock.artifact.signing import PublicKey
from interlock.harness.core import Core
from interlock.harness.keys import own_signer, public_key
from interlock.harness.proofs import certified, prove
from interlock.harness.workspace import FILE_NAME, Workspace, approver_folder, load
from interlock.surface.cli.console import console
from interlock.surface.cli.opening import identifier, login
from interlock.surface.cli.root import Leaf
from interlock.surface.cli.starters import NAMES, starter
from interlock.surface.cli.visible import visible

_TEMPLATES = resources.files("interlock.surface.cli").joinpath("templates")


@click.command(cls=Leaf)
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("--name", metavar="NAME", help="Who asks and approves here; default: who is logged in.")
@click.option(
    "--starter", "starters", multiple=True, type=click.Choice(NAMES), help="Add rules for a kind of agent; repeatable."
)
def init(folder: Path, name: str | None, starters: tuple[str, ...]) -> int:
    """Make a workspace in DIR (default: here): interlock.toml, policy/, keys, and your own signing key.

    Nothing that exists is changed, so it can be run again at any time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done: list[str] = []
    person = identifier(name or login())
    if _write(folder / FILE_NAME, _configuration(folder, person)):
        done.append(FILE_NAME)
    workspace = load(folder)
    if not list((folder / "policy").glob("*.yaml")) + list((folder / "policy").glob("*.cedar")):
        for path, text in _policy(folder):
            if _write(path, text):
                done.append(str(path.relative_to(folder)))
    for path, text in (file for one in starters for file in starter(one).files(folder)):
        if _write(path, text):
            done.append(str(path.relative_to(folder)))
    key, new, proved = _enrol(workspace, identifier(name or workspace.configuration.principal.name))
    if new:
        done.append(f"the signing key of {key.owner}")
    found = {
        "workspace": str(workspace.folder), "id": workspace.configuration.id, "state": str(workspace.state),
        "made": done, "person": key.owner, "key": key.id, "proved": proved,
    }  # fmt: skip
    console().data(found, _summary(workspace, done, key))
    if not proved:
        console().warn("the policy is not proved and will not decide: interlock policy prove says why")
    if _staged(folder):
        console().warn(
            "a step cannot open Interlock's own files, so its 'git add -A' stops at them: "
            f"printf '{FILE_NAME}\\npolicy/\\n' >> .git/info/exclude lets git pass them over"
        )
    return 0


def _staged(folder: Path) -> bool:
    """Whether git would take Interlock's own files along with everything else of a repository."""
    exclude = folder / ".git" / "info" / "exclude"
    return exclude.parent.parent.is_dir() and not (exclude.is_file() and FILE_NAME in exclude.read_text("utf-8"))


def _configuration(folder: Path, person: str) -> str:
    stem = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")[:40] or "workspace"
    text = _TEMPLATES.joinpath("interlock.toml").read_text("utf-8")
    return text.replace("@ID@", f"{stem}-{secrets.token_hex(3)}").replace("@PERSON@", person)


def _policy(folder: Path) -> list[tuple[Path, str]]:
    baseline = resources.files("interlock.decide.policy").joinpath("baseline.yaml").read_text("utf-8")
    cases = _TEMPLATES.joinpath("baseline-cases.yaml").read_text("utf-8")
    policy = folder / "policy"
    invariants = resources.files("interlock.decide.proof").joinpath("baseline.yaml").read_text("utf-8")
    return [
        (policy / "baseline.yaml", baseline),
        (policy / "cases" / "baseline.yaml", cases),
        (policy / "invariants" / "baseline.yaml", invariants),
    ]


def _write(path: Path, text: str) -> bool:
    """Write a file that is not there yet; whether it was written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        return False
    return True


def _enrol(workspace: Workspace, person: str) -> tuple[PublicKey, bool, bool]:
    """The person's key, trusted as an approver's; whether it had to be made; whether the policy may decide."""
    core = Core(workspace=workspace)
    try:
        signer = own_signer(approver_folder(), person, create=True)
        known = [key for key in core.keys.keyring.keys if key.id == signer.id]
        if known:
            return known[0], False, _proved(core)
        key = public_key(signer.public, person, ("approver",), core.clock())
        core.record("key", "", key.id, codec.encode(key), code="key.trusted")
        core.keys.trust(key)
        return key, True, _proved(core)
    finally:
        core.close()


def _proved(core: Core) -> bool:
    """Whether the policy has its certificate, which is made here where it can be, or needs none."""
    if core.workspace.configuration.policy.proof == "off":
        return True
    try:
        certified(core)
    except ConfigurationError:
        return prove(core)[1] is not None
    return True


def _summary(workspace: Workspace, done: list[str], key: PublicKey) -> str:
    made = "\n".join(f"  made {visible(item)}" for item in done) or "  everything was there already"
    return (
        f"Workspace {visible(workspace.configuration.id)} in {visible(str(workspace.folder))}\n{made}\n\n"
        f"  state    {visible(str(workspace.state))}\n"
        f"  approver {visible(key.owner)}, key {key.id[:16]} in {visible(str(approver_folder()))}\n\n"
        "Next:\n"
        "  interlock doctor                  what holds on this machine\n"
        "  interlock actions list            what a plan can do\n"
        "  interlock policy test             the policy against its cases\n"
        '  interlock run "GOAL" --plan FILE  one task, from goal to receipt'
    )
