"""What operators write: catalogue files and ``interlock.toml``, where nothing is switched off by a misspelling."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jsonschema
import pytest
from tests.chaos.tally import make_package, manifest

from interlock.artifact import codec
from interlock.artifact.action import Manifest
from interlock.artifact.errors import ConfigurationError
from interlock.artifact.label import Confidentiality
from interlock.artifact.schema import schemas
from interlock.harness import catalogue
from interlock.harness.workspace import Workspace, approver_folder, find, load, state_folder

MINIMAL = 'id = "w"\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INTERLOCK_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("INTERLOCK_APPROVER", str(tmp_path / "person"))
    (tmp_path / "w" / "policy").mkdir(parents=True)
    (tmp_path / "w" / "interlock.toml").write_text(MINIMAL)
    return tmp_path / "w"


def configured(folder: Path, text: str) -> Workspace:
    (folder / "interlock.toml").write_text(MINIMAL + text)
    return load(folder)


def test_a_workspace_is_found_from_below_and_keeps_its_state_elsewhere(folder: Path, tmp_path: Path) -> None:
    (folder / "a" / "b").mkdir(parents=True)
    workspace = find(folder / "a" / "b")
    assert (workspace.folder, workspace.state) == (folder, tmp_path / "state" / "w")
    assert {
        str(folder / "interlock.toml"),
        str(folder / "policy"),
        str(workspace.state.parent),
        str(approver_folder()),
    } < set(workspace.site.own)
    with pytest.raises(ConfigurationError, match=r"workspace\.none"):
        find(tmp_path)


def test_without_the_variable_the_state_lies_in_the_users_own_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("INTERLOCK_STATE", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "own"))
    assert state_folder("w") == tmp_path / "own" / "interlock" / "w"


REFUSED = {
    "no TOML": "[[",
    "an unknown key": 'protect = ["x"]\n',
    "an unknown section": "[approval]\nlifetime_minutes = 1\n",
    "an unknown key in a section": "[approvals]\nlifetime = 1\n",
    "a word for a number": '[approvals]\nlifetime_minutes = "60"\n',
    "a word for a truth": 'unattended = "no"\n',
    "one name for a list": 'protected = "x"\n',
    "an unknown limit": "[limits]\nstep = 3\n",
    "a negative limit": "[budget]\nplans = -1\n",
    "an unknown budget": "[budget]\nplan = 1\n",
    "an unknown confidentiality": '[[labels]]\npath = "x"\nconfidentiality = "secret"\n',
    "an unknown dialect": '[model]\ndialect = "other"\n',
    "an id that is none": "",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_configuration_that_is_not_understood_stops_everything(folder: Path, name: str) -> None:
    text = 'id = "no id/.."\n' if name == "an id that is none" else MINIMAL + REFUSED[name]
    (folder / "interlock.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"workspace\.file") as caught:
        load(folder)
    assert "interlock.toml" in str(caught.value)


def test_bytes_that_are_no_text(folder: Path) -> None:
    (folder / "interlock.toml").write_bytes(b'id = "\xff"\n')
    with pytest.raises(ConfigurationError, match=r"workspace\.file"):
        load(folder)


def test_what_is_configured_reaches_the_gate(folder: Path) -> None:
    site = configured(
        folder,
        'protected = ["rds:main"]\nroots = ["a", "/srv"]\nenvironment = "prod"\n'
        '[scope]\ntenant = ["x"]\n[model]\naccepts = "public"\n'
        '[[labels]]\npath = "s/**"\nconfidentiality = "private"\nscopes = ["b", "a"]\n',
    ).site
    assert (site.protected, site.environment, site.scope) == (("rds:main",), "prod", {"tenant": ("x",)})
    assert site.roots == (str(folder / "a"), "/srv")
    assert site.limits.model_accepts is Confidentiality.PUBLIC
    [rule] = site.labels
    assert (rule.label.confidentiality, rule.label.scopes) == (Confidentiality.PRIVATE, ("a", "b"))


def test_an_absent_policy_is_no_policy_and_files_are_read_by_kind(folder: Path) -> None:
    (folder / "policy" / "b.yaml").write_text("rules: []")
    (folder / "policy" / "a.cedar").write_text("")
    (folder / "policy" / "notes.txt").write_text("not read")
    assert load(folder).policy_texts() == ({"a.cedar": ""}, {"b.yaml": "rules: []"})
    for path in (folder / "policy").iterdir():
        path.unlink()
    (folder / "policy").rmdir()
    assert load(folder).policy_texts() == ({}, {})


def test_the_catalogue_holds_built_in_and_declared_actions(folder: Path, tmp_path: Path) -> None:
    workspace = configured(folder, "[actions]\n" + make_package(tmp_path))
    found = catalogue.load(workspace)
    assert {"files.read@1", "files.write@1", "tally.append@1"} <= set(found)
    assert catalogue.package_folders(workspace) == {"tally": tmp_path / "packages"}
    assert "tally" not in sys.modules


PACKAGES = {
    "declared twice": ([manifest("tally.append", "append")] * 2, "actions.duplicate"),
    "a built-in name": ([manifest("files.read", "append")], "actions.duplicate"),
    "an unknown key": ([manifest("t.a", "append", harmless=True)], "actions.file"),
    "an unknown effect": ([manifest("t.a", "append", effect="peek")], "actions.file"),
    "no driver": ([{k: v for k, v in manifest("t.a", "append").items() if k != "driver"}], "actions.file"),
}


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_that_is_not_understood_stops_everything(folder: Path, tmp_path: Path, name: str) -> None:
    workspace = configured(folder, "[actions]\n" + make_package(tmp_path))
    actions, code = PACKAGES[name]
    (tmp_path / "packages" / "tally" / "interlock.json").write_text(json.dumps({"actions": actions}))
    with pytest.raises(ConfigurationError) as caught:
        catalogue.load(workspace)
    assert caught.value.code == code
    assert "tally/interlock.json" in str(caught.value)


def test_a_package_without_its_file(folder: Path, tmp_path: Path) -> None:
    workspace = configured(folder, "[actions]\n" + make_package(tmp_path))
    (tmp_path / "packages" / "tally" / "interlock.json").unlink()
    with pytest.raises(ConfigurationError, match=r"actions\.package"):
        catalogue.load(workspace)


READ = {"kind": "file", "name": "{path}", "access": "read"}
CONCERNS: dict[str, dict[str, object]] = {
    "actions.broad": {"broad": True},
    "actions.pure_effect": {"reversibility": "pure", "effect": "execute", "resources": [READ]},
    "actions.no_destination": {"external": True},
    "actions.no_resource": {"resources": []},
    "actions.unknown_argument": {"destinations": ["who"]},
}


@pytest.mark.parametrize("code", CONCERNS)
def test_what_a_reviewer_should_look_at(code: str) -> None:
    def read(**changes: object) -> Manifest:
        [found] = catalogue.read("x", json.dumps({"actions": [manifest("t.a", "append", **changes)]}).encode())
        return found

    assert list(catalogue.concerns(read(**CONCERNS[code]))) == [code]
    assert list(catalogue.concerns(read())) == []


def test_the_built_in_actions_that_a_reviewer_should_look_at_are_these(folder: Path) -> None:
    found = {name: list(catalogue.concerns(one)) for name, one in catalogue.load(load(folder)).items()}
    assert {name: codes for name, codes in found.items() if codes} == {
        "shell.run@1": ["actions.broad"],
        "tests.run@1": ["actions.pure_effect"],
    }


def test_the_published_schema_admits_every_built_in_manifest() -> None:
    schema = jsonschema.Draft202012Validator(json.loads(schemas()["manifest.v1.schema.json"]))
    found = catalogue.builtin()
    assert {name for name, one in found.items() if one.forms} >= {"files.delete@1", "files.write@1", "http.post@1"}
    assert [name for name, one in found.items() if not schema.is_valid(codec.builtin(one))] == []
    unknown = {**codec.builtin(found["files.delete@1"]), "transformations": {"x": {"run": "y"}}}  # type: ignore[dict-item]
    assert not schema.is_valid(unknown)


QUARANTINED: dict[str, tuple[str, str, str]] = {
    "nothing is said": ('[model]\nbase_url = "http://a"\nname = "big"\naccepts = "internal"\n', "big", "internal"),
    "another model of the same provider": (
        '[model]\nbase_url = "http://a"\nname = "big"\n[extract]\nname = "small"\naccepts = "public"\n', "small", "public",
    ),
    "the same provider never gets more": (
        '[model]\nbase_url = "http://a"\nname = "big"\naccepts = "public"\n[extract]\naccepts = "internal"\n', "big", "public",
    ),
    "a provider of its own": ('[extract]\nbase_url = "http://b"\nname = "own"\naccepts = "internal"\n', "own", "internal"),
    "what is restricted goes nowhere": (
        '[extract]\nbase_url = "http://b"\nname = "own"\naccepts = "restricted"\n', "own", "private",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", QUARANTINED)
def test_the_quarantined_model_and_what_it_accepts(folder: Path, name: str) -> None:
    text, model, accepts = QUARANTINED[name]
    found = configured(folder, text).configuration.quarantined
    assert (found.name, found.accepts.value) == (model, accepts)


def test_a_key_without_the_provider_that_it_is_for(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"workspace\.extract"):
        configured(folder, '[extract]\nkey_secret = "k"\n')
