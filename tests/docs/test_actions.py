"""docs/actions.md: its manifest is the example's own and readable, and no field or concern is left out."""

from __future__ import annotations

import json
import re

import msgspec

from interlock.artifact.action import (
    Argument,
    Driver,
    Effect,
    Endpoint,
    Manifest,
    Output,
    Resource,
    Reversibility,
    Role,
    Transformation,
)
from interlock.harness.catalogue import concerns, read
from interlock.surface.cli.words import CONCERNS
from support.pages import DOCS, ROOT, blocks

PAGE = DOCS / "actions.md"


def test_the_example_is_the_one_that_the_demo_runs() -> None:
    [block] = [block for block in blocks(PAGE) if block.note == "example: cloud.restore_database"]
    [shown] = read("docs/actions.md", block.text.encode())
    file = ROOT / "examples" / "cloud" / "interlock_cloud" / "interlock.json"
    [real] = [one for one in read(file.name, file.read_bytes()) if one.name == shown.name]
    assert shown == real
    assert list(concerns(shown)) == []


def test_the_function_of_the_page_is_the_example_s() -> None:
    [block] = [block for block in blocks(PAGE) if block.kind == "python"]
    source = (ROOT / "examples" / "cloud" / "interlock_cloud" / "databases.py").read_text()
    lines = [line.strip() for line in block.text.splitlines()[2:] if line.strip()]
    assert [line for line in lines if line not in source] == []


def test_every_field_and_word_of_a_manifest_is_on_the_page() -> None:
    text = PAGE.read_text()
    kinds = (Manifest, Argument, Resource, Transformation, Driver, Endpoint, Output)
    names = {field.encode_name for kind in kinds for field in msgspec.structs.fields(kind)}
    words = names | {one.value for kind in (Effect, Reversibility, Role) for one in kind}
    assert sorted(word for word in words if f"`{word}`" not in text) == []


def test_every_concern_of_a_review_is_on_the_page() -> None:
    assert sorted(re.findall(r"^\| `(actions\.\w+)` \|", PAGE.read_text(), re.MULTILINE)) == sorted(CONCERNS)


def test_every_json_example_of_the_documents_is_json() -> None:
    found = [block.text for page in (PAGE, ROOT / "README.md") for block in blocks(page) if block.kind == "json"]
    assert len(found) >= 4
    assert all(isinstance(json.loads(text), dict) for text in found)
