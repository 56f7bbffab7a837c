"""What the documents claim names tests that exist, links that lead somewhere, and nothing of where this was written."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from support.pages import DOCS, ROOT, pages

NAMED = re.compile(r"tests/[\w/]+\.py::\w+")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def defined_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    named = [found.split("::") for found in NAMED.findall(page.read_text("utf-8"))]
    missing = [
        (path, name) for path, name in named if not (ROOT / path).is_file() or name not in defined_in(ROOT / path)
    ]
    assert missing == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text("utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("name", ["architecture.md", "threat-model.md"])
def test_every_row_of_a_table_of_claims_names_its_test(name: str) -> None:
    tables = re.findall(
        r"^(\|[^\n]*\bshown by \|)\n\|[ |:-]+\|\n((?:\|[^\n]*\|\n)+)", (DOCS / name).read_text(), re.MULTILINE
    )
    rows = [row for _, body in tables for row in body.splitlines()]
    assert len(rows) >= 11
    assert [row for row in rows if not NAMED.search(row.rsplit(" | ", 1)[-1])] == []


def test_the_architecture_has_its_nine_sections() -> None:
    found = re.findall(r"^## (\d)\. ", (DOCS / "architecture.md").read_text(), re.MULTILINE)
    assert found == [str(number) for number in range(1, 10)]
