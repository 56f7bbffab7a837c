"""The published schemas: current, versioned, valid, and agreeing with the codec on full samples."""

from __future__ import annotations

import hashlib
import json
import re
import runpy
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from interlock.artifact import codec, schema
from interlock.artifact.plan import Proposal
from support.samples import SIGNED
from support.vectors import FOLDER, cases

SPEC = Path(__file__).parents[2] / "docs" / "spec"
PUBLISHED = schema.schemas()
RECORDED: dict[str, str] = json.loads((FOLDER / "schemas.json").read_bytes())


def bare(value: Any) -> Any:
    """A schema without the words for people, which may be improved without a new version."""
    if isinstance(value, list):
        return [bare(item) for item in value]
    if isinstance(value, dict):
        words = {"title", "description"} if isinstance(value.get("title", value.get("description")), str) else set()
        return {key: bare(item) for key, item in value.items() if key not in words}
    return value


def admits(document: Any, name: str) -> bool:
    return jsonschema.Draft202012Validator(json.loads(PUBLISHED[name])).is_valid(document)


def test_the_files_are_current() -> None:
    assert list(schema.differences(SPEC)) == []


def test_a_change_needs_a_new_version() -> None:
    found = {name: hashlib.sha256(codec.encode(bare(json.loads(raw)))).hexdigest() for name, raw in PUBLISHED.items()}
    changed = sorted(name for name in found if RECORDED.get(name) != found[name])
    assert changed == [], f"raise the version in schema.VERSIONS, or record a new file in {FOLDER / 'schemas.json'}"
    assert RECORDED.keys() >= found.keys()


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_schema_is_valid_and_names_itself(name: str) -> None:
    found = json.loads(PUBLISHED[name])
    jsonschema.Draft202012Validator.check_schema(found)
    assert found["$id"] == f"https://interlock.dev/spec/{name}"
    assert re.fullmatch(r"[a-z]+\.v[1-9][0-9]*\.schema\.json", name)
    assert "\\\\Z" not in PUBLISHED[name].decode()


@pytest.mark.parametrize("kind", SIGNED)
def test_a_schema_admits_what_the_codec_writes_and_no_unknown_field(kind: str) -> None:
    document = codec.builtin(SIGNED[kind])
    assert isinstance(document, dict)
    assert admits(document, f"{kind}.v1.schema.json")
    assert not admits({**document, "unknown": 1}, f"{kind}.v1.schema.json")


@pytest.mark.parametrize("kind", ["proposal", "verdict", "label"])
def test_a_schema_refuses_what_the_codec_refuses(kind: str) -> None:
    refused = [case for case in cases("codec-refused") if case.get("type") == kind]
    beyond = {"a digest with a line feed after it"} | {"a field by its Python name"}  # Python's $, and a duplicate
    admitted = [
        case["name"]
        for case in refused
        if case["name"] not in beyond and admits(json.loads(case["input"]), f"{kind}.v1.schema.json")
    ]
    assert refused
    assert admitted == []


def test_literals_are_described_as_the_restricted_domain() -> None:
    step = {"id": "s1", "action": "a", "arguments": {"x": [1, {"y": None}]}}
    proposal = {"task": "0" * 64, "goal": "g", "steps": [step]}
    assert admits(proposal, "proposal.v1.schema.json")
    for bad in (1.5, 2**53, ["x" * (codec.MAX_STRING + 1)], {"y": {"z": 0.5}}):
        step["arguments"] = {"x": bad}
        assert not admits(proposal, "proposal.v1.schema.json")


def test_one_schema_in_one_line_for_planners() -> None:
    line = json.loads(schema.schema(Proposal))
    assert line["$defs"] == json.loads(PUBLISHED["proposal.v1.schema.json"])["$defs"]


def test_check_and_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert schema.main(["--check", str(tmp_path)]) == 1
    assert schema.main(["--write", str(tmp_path)]) == 0
    assert schema.main(["--check", str(tmp_path)]) == 0
    (tmp_path / "plan.v1.schema.json").write_text("{}")
    (tmp_path / "old.v1.schema.json").write_text("{}")
    capsys.readouterr()
    assert schema.main(["--check", str(tmp_path)]) == 1
    assert capsys.readouterr().err.split() == [
        word for name in ("plan", "old") for word in f"{name}.v1.schema.json is not what the types say".split()
    ]
    assert schema.main([]) == 2


def test_it_runs_as_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, schema.__name__)
    monkeypatch.setattr(sys, "argv", ["schema", "--check", str(SPEC)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(schema.__name__, run_name="__main__")
    assert ended.value.code == 0
