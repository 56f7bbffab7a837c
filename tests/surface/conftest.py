"""The workspace of the command line's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from surface.cli import Place


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A fresh workspace."""
    return Place(tmp_path, monkeypatch)
