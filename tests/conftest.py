"""Fixtures that more than one folder needs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from tests.support.world import World

# No example is stored, so that a checkout need not be writable; in CI the same examples are drawn each time.
# No example has a deadline, because no test asserts a wall-clock time.
settings.register_profile("local", database=None, deadline=None)
settings.register_profile("ci", database=None, deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture
def make_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., World]]:
    """Open workspaces in scratch folders; all are closed at the end."""
    made: list[World] = []

    def make(**options: str) -> World:
        made.append(World(tmp_path / f"world-{len(made)}", monkeypatch, **options))
        return made[-1]

    yield make
    for world in made:
        world.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """One workspace whose policy allows what nothing else raises or denies."""
    return make_world()
