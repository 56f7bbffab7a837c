"""Races: another thread swaps names while the driver works. Whatever it sees, it never leaves the folder.

The swapper exchanges a folder and a link to ``outside`` as fast as it can.  Each attack runs many times, must
meet both states to count, and may only succeed inside or fail with a code.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from interlock.executor.drivers import content, files
from interlock.executor.drivers.places import EXCHANGE, rename
from interlock.executor.work import DriverError, Work
from support.step_world import act, granted, work

SECRET = "outside-secret"
ROUNDS = 400
REFUSED = {"files.link", "files.not_directory"}


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    home, outside = tmp_path / "home", tmp_path / "outside"
    for folder in (home / "d", outside):
        folder.mkdir(parents=True)
    (home / "d" / "f").write_text("inside")
    (outside / "f").write_text(SECRET)
    (home / "l").symlink_to(outside)
    yield home, outside
    assert os.listdir(outside) == ["f"]
    assert (outside / "f").read_text() == SECRET


@contextmanager
def swapping(home: Path, one: str, other: str) -> Iterator[None]:
    """Exchange two names of a folder without pause until the block is left; then put them back."""
    stop = threading.Event()
    descriptor = os.open(home, os.O_PATH)

    def swap() -> None:
        while not stop.is_set():
            for _ in range(2):
                with suppress(FileNotFoundError):
                    rename((descriptor, one), (descriptor, other), EXCHANGE)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        os.close(descriptor)


def outcomes(home: Path, action: str, **arguments: object) -> set[str]:
    """What many attempts came to: ``ok`` or codes; ends early once both were seen often enough."""
    seen: dict[str, int] = {}
    for _ in range(ROUNDS * 10):
        try:
            found = act(home, action, **arguments)
            assert SECRET not in str(found)
            outcome = "ok"
        except DriverError as error:
            outcome = error.code
        seen[outcome] = seen.get(outcome, 0) + 1
        if seen.get("ok", 0) >= ROUNDS and sum(seen.get(code, 0) for code in REFUSED) >= ROUNDS // 4:
            break
    return set(seen)


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        ("files.read", {"path": "d/f"}),
        ("files.list", {"path": "d"}),
        ("files.search", {"path": "d/f", "pattern": "i"}),
        ("files.write", {"path": "d/f", "content": "inside"}),
        ("files.patch", {"path": "d/f", "old": "inside", "new": "inside"}),
    ],
)
def test_a_folder_swapped_for_a_link_is_never_followed(
    scene: tuple[Path, Path], action: str, arguments: dict[str, object]
) -> None:
    home, _ = scene
    with swapping(home, "d", "l"):
        seen = outcomes(home, action, **arguments)
    assert "ok" in seen
    assert REFUSED & seen
    assert seen <= {"ok", "files.changed"} | REFUSED


def test_a_tree_is_deleted_inside_alone_while_it_is_swapped(scene: tuple[Path, Path]) -> None:
    home, outside = scene
    (home / "t").mkdir()
    for _ in range(ROUNDS // 4):
        (home / "t" / "d").mkdir()
        (home / "t" / "d" / "f").write_text("inside")
        (home / "t" / "l").symlink_to(outside)
        with swapping(home / "t", "d", "l"), suppress(DriverError):
            act(home, "files.delete", path="t/d", recursive=True)
        for name in os.listdir(home / "t"):
            act(home, "files.delete", path=f"t/{name}", recursive=True)
    assert os.listdir(home / "t") == []


def test_a_change_between_reading_and_replacing_is_not_lost(
    scene: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody saves the file after the patch has read it: theirs stays, and the patch says so."""
    home, _ = scene
    put = content.put

    def meddling(parent: int, part: str, name: str, former: os.stat_result | None) -> None:
        (home / "d" / "new").write_text("theirs")
        (home / "d" / "new").rename(home / "d" / "f")
        put(parent, part, name, former)

    monkeypatch.setattr(content, "put", meddling)
    with pytest.raises(DriverError, match=r"files\.changed"):
        act(home, "files.patch", path="d/f", old="inside", new="ours")
    assert (home / "d" / "f").read_text() == "theirs"
    assert os.listdir(home / "d") == ["f"]


def test_a_link_put_in_place_of_the_target_is_not_replaced(
    scene: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, outside = scene
    put = content.put

    def meddling(parent: int, part: str, name: str, former: os.stat_result | None) -> None:
        (home / "d" / "f").unlink()
        (home / "d" / "f").symlink_to(outside / "f")
        put(parent, part, name, former)

    monkeypatch.setattr(content, "put", meddling)
    with pytest.raises(DriverError, match=r"files\.changed"):
        act(home, "files.write", path="d/f", content="ours")
    assert (home / "d" / "f").is_symlink()


def test_a_new_file_does_not_replace_one_that_came_first(
    scene: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, _ = scene
    put = content.put

    def meddling(parent: int, part: str, name: str, former: os.stat_result | None) -> None:
        (home / "d" / "g").write_text("theirs")
        put(parent, part, name, former)

    monkeypatch.setattr(content, "put", meddling)
    with pytest.raises(DriverError, match=r"files\.exists"):
        act(home, "files.write", path="d/g", content="ours")
    assert (home / "d" / "g").read_text() == "theirs"


def test_a_reader_never_sees_half_of_a_file(tmp_path: Path) -> None:
    old, new = "a" * 200_000, "b" * 200_000
    (tmp_path / "f").write_text(old)
    stop = threading.Event()
    seen: set[str] = set()

    def read() -> None:
        while not stop.is_set():
            seen.add((tmp_path / "f").read_text())

    thread = threading.Thread(target=read)
    thread.start()
    with granted(tmp_path) as directories:
        for text in [new, old] * 50:
            todo: Work = work(directories, tmp_path, "files.write", path="f", content=text)
            files.run(todo)
    stop.set()
    thread.join()
    assert seen <= {old, new}
    assert seen
