"""The files, functions and classes that the documents name exist, under these names, in these files."""

from __future__ import annotations

import re

import pytest

from support.codes import SOURCE
from support.pages import DOCS, names_in

FILE = re.compile(r"`((?:[a-z_]+/)+[a-z_]+\.py)`(?:\s*\(((?:`[\w.]+`(?:,\s*)?)+)\))?")


@pytest.mark.parametrize(("name", "least"), [("flow.md", 40), ("threat-model.md", 15), ("glossary.md", 10)])
def test_every_file_and_name_exists(name: str, least: int) -> None:
    found = FILE.findall((DOCS / name).read_text("utf-8"))
    missing = [path for path, _ in found if not (SOURCE / path).is_file()]
    assert missing == []
    named = [(path, one) for path, listed in found for one in re.findall(r"`([\w.]+)`", listed)]
    assert [(path, one) for path, one in named if one not in names_in(SOURCE / path)] == []
    assert len(found) >= least


def test_flow_takes_the_gates_steps_in_order() -> None:
    numbers = [int(one) for one in re.findall(r"(?<![\w`])\((\d+)\)", (DOCS / "flow.md").read_text("utf-8"))]
    walked = [one for at, one in enumerate(numbers) if one not in numbers[:at]]
    assert set(range(1, 11)) <= set(walked)
