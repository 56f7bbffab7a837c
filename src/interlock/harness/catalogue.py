"""The catalogue: manifests read as static data, pinned by digest, never imported.

The built-in manifests and each declared package's ``interlock.json`` have the form ``{"actions": [Manifest…]}``.
Two manifests of one ``name@version`` are an error, whatever their order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from importlib import resources
from pathlib import Path

import msgspec

from interlock.artifact import codec
from interlock.artifact.action import Effect, Manifest, Reversibility, Role
from interlock.artifact.codec import Value
from interlock.artifact.errors import CodecError, ConfigurationError
from interlock.decide.contradictions import contradictions
from interlock.decide.extraction import extracts
from interlock.decide.modify import unfit
from interlock.harness.workspace import Workspace

PACKAGE_FILE = "interlock.json"
_OWN_DRIVERS = frozenset({"model", "flow"})


class ActionFile(Value, frozen=True, kw_only=True):
    """One file of manifests."""

    actions: tuple[Manifest, ...]


def load(workspace: Workspace) -> Mapping[str, Manifest]:
    """All manifests of the workspace by ``name@version``; raises ``ConfigurationError`` with the file's name."""
    found: dict[str, Manifest] = {}
    shipped = {name for name, _ in _built_in()}
    for name, raw in _files(workspace):
        for manifest in map(partial(_served, workspace), read(name, raw)):
            if manifest.reference in found:
                raise ConfigurationError("actions.duplicate", f"{name}: {manifest.reference} is declared twice")
            if manifest.driver.name in _OWN_DRIVERS and name not in shipped:
                raise ConfigurationError(
                    "actions.driver", f"{name}: {manifest.reference} names a driver of the harness"
                )
            found[manifest.reference] = manifest
    check_forms(found)
    return found


def _served(workspace: Workspace, manifest: Manifest) -> Manifest:
    """The manifest as it stands in this workspace: the quarantined model accepts what its section says."""
    if not extracts(manifest):
        return manifest
    return msgspec.structs.replace(manifest, accepts=workspace.configuration.quarantined.accepts)


def check_forms(catalogue: Mapping[str, Manifest]) -> None:
    """Raise ``ConfigurationError`` for a transformation that could not be used among these actions."""
    for manifest in catalogue.values():
        for name, form in manifest.forms.items():
            for reason in unfit(manifest, form, catalogue):
                raise ConfigurationError("actions.transformation", f"{manifest.reference}: {name}: {reason}")


def read(name: str, raw: bytes) -> tuple[Manifest, ...]:
    """The manifests of one file, none of which contradicts itself."""
    try:
        found = codec.decode(raw, ActionFile).actions
    except CodecError as error:
        raise ConfigurationError("actions.file", f"{name}: {error}", hint="run: interlock actions check") from None
    for manifest in found:
        for contradiction in contradictions(manifest):
            raise ConfigurationError("actions.contradiction", f"{name}: {manifest.reference}: {contradiction}")
    return found


def package_folders(workspace: Workspace) -> dict[str, Path]:
    """The folder that holds each declared package, by import name."""
    folders = [(workspace.folder / package).resolve() for package in workspace.configuration.actions.packages]
    return {folder.name: folder.parent for folder in folders}


def concerns(manifest: Manifest) -> Iterator[str]:
    """What a reviewer should look at before trusting the manifest; codes for ``actions check``."""
    roles = {argument.role for argument in manifest.arguments.values()}
    if manifest.broad or manifest.driver.shell or (manifest.driver.name == "shell" and Role.COMMAND in roles):
        yield "actions.broad"
    if manifest.reversibility is Reversibility.PURE and manifest.effect is not Effect.READ:
        yield "actions.pure_effect"
    if manifest.external and not (manifest.driver.endpoints or roles & {Role.HOST, Role.URL, Role.RECIPIENT}):
        yield "actions.no_destination"
    if not manifest.resources and not manifest.driver.endpoints:
        yield "actions.no_resource"
    if not manifest.arguments.keys() >= set(manifest.destinations):
        yield "actions.unknown_argument"


def builtin() -> Mapping[str, Manifest]:
    """The manifests that every workspace has."""
    return {manifest.reference: manifest for name, raw in _built_in() for manifest in read(name, raw)}


def _built_in() -> Iterator[tuple[str, bytes]]:
    folder = resources.files("interlock.executor").joinpath("catalogue")
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if item.name.endswith(".json"):
            yield item.name, item.read_bytes()


def _files(workspace: Workspace) -> Iterator[tuple[str, bytes]]:
    yield from _built_in()
    for name, parent in package_folders(workspace).items():
        path = parent / name / PACKAGE_FILE
        if not path.is_file():
            raise ConfigurationError("actions.package", f"{name} has no {PACKAGE_FILE}", hint="see docs/actions.md")
        yield f"{name}/{PACKAGE_FILE}", path.read_bytes()
