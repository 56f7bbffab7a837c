"""What a step derives for its grant is what the gate decided on; the built-in manifests hold together."""

from __future__ import annotations

from typing import Any

import pytest

from interlock.artifact import codec
from interlock.artifact.action import Effect, Reversibility, Role
from interlock.artifact.errors import ReferenceEvaluationError
from interlock.decide import resources
from interlock.executor import step_main
from interlock.executor.drivers import files, http
from interlock.executor.touched import touched
from support.step_world import CATALOGUE

HOME = "/w/home"
CASES: list[tuple[str, dict[str, Any]]] = [
    ("files.read", {"path": "a"}),
    ("files.read", {"path": "/a/../b/./c//d"}),
    ("files.read", {"path": "//x"}),
    ("files.read", {"path": ".."}),
    ("files.read", {"path": ""}),
    ("files.read", {"path": "a\0"}),
    ("files.read", {"path": "~other/x"}),
    ("files.move", {"source": "a", "destination": "../b"}),
    ("http.get", {"url": "https://Api.Example.COM/x?y"}),
    ("http.get", {"url": "http://host:8080/"}),
    ("http.get", {"url": "ftp://host/"}),
    ("http.get", {"url": "https://user@host/"}),
    ("http.get", {"url": "https://host:99999/"}),
    ("http.get", {"url": "https://h\u00f6st/"}),
    ("http.get", {"url": "https://host\\@other/"}),
    ("http.get", {"url": "https:///x"}),
    ("shell.run", {"argv": ["ls"], "directory": "d"}),
    ("git.log", {"directory": ".", "count": 1}),
]


def outcome(call: Any) -> Any:
    try:
        return [(item.kind, item.name, item.access) for item in call()]
    except ReferenceEvaluationError as error:
        return error.code


@pytest.mark.parametrize(("action", "arguments"), CASES)
def test_the_step_and_the_gate_agree(action: str, arguments: dict[str, Any]) -> None:
    manifest = CATALOGUE[f"{action}@1"]
    ours = outcome(lambda: touched(manifest, arguments, home=HOME))
    assert ours == outcome(lambda: resources.touched(manifest, arguments, arguments, root=HOME, home="/nobody"))
    assert ours


def test_a_step_knows_no_home() -> None:
    with pytest.raises(ReferenceEvaluationError, match=r"resource\.path"):
        touched(CATALOGUE["files.read@1"], {"path": "~/x"}, home=HOME)


@pytest.mark.parametrize("reference", sorted(CATALOGUE))
def test_a_built_in_manifest_holds_together(reference: str) -> None:
    manifest = CATALOGUE[reference]
    named = {name for resource in manifest.resources for name in manifest.arguments if f"{{{name}}}" in resource.name}
    deciding = {n for n, argument in manifest.arguments.items() if argument.role in {Role.PATH, Role.URL, Role.HOST}}
    assert deciding == named, "each path and URL is a resource"
    assert all(f"{{{name}}}" in manifest.sentence for name in named), "a person reads what is touched"
    assert manifest.reference == reference
    assert all(name == name.lower() for name in manifest.arguments)
    if manifest.preview is not None:
        preview = CATALOGUE[manifest.preview.action]
        assert preview.effect is Effect.READ
        assert set(manifest.preview.arguments) <= set(preview.arguments)
    if manifest.effect is not Effect.READ and manifest.reversibility is Reversibility.REVERSIBLE:
        assert any(item.kind == "file" and item.access is not Effect.READ for item in manifest.resources)
    if manifest.external:
        assert manifest.output.label.untrusted
        assert manifest.accepts.value == "public"
    match manifest.driver.name:
        case "files":
            assert manifest.driver.operation in files.OPERATIONS
        case "http":
            assert manifest.driver.operation in http.METHODS
        case _:
            assert manifest.driver.programs


def test_every_operation_of_the_files_driver_has_its_action() -> None:
    used = {manifest.driver.operation for manifest in CATALOGUE.values() if manifest.driver.name == "files"}
    assert used == set(files.OPERATIONS)


def test_broad_actions_say_so() -> None:
    broad = {manifest.reference for manifest in CATALOGUE.values() if manifest.broad}
    assert broad == {"shell.run@1"}
    assert CATALOGUE["shell.run@1"].privileged


def test_every_driver_that_a_manifest_can_name_is_there() -> None:
    named = codec.convert(["files", "shell", "http", "python"], list[str])
    assert sorted(step_main._DRIVERS) == sorted(named)
