"""Attacks on the files driver: ways out of the granted folder, things that are no files, sizes and counts.

Each way out is tried with every operation that takes a path.  ``outside`` lies beside the granted folder and
must stay as it is, unread.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from interlock.artifact.errors import InterlockError
from interlock.executor.drivers import content, files, trees
from interlock.executor.work import DriverError
from support.step_world import DRIVERS, act, granted, work

SECRET = "outside-secret"

OPERATIONS: dict[str, Callable[[str], tuple[str, dict[str, Any]]]] = {
    "read": lambda path: ("files.read", {"path": path}),
    "list": lambda path: ("files.list", {"path": path}),
    "search": lambda path: ("files.search", {"path": path, "pattern": "s"}),
    "write": lambda path: ("files.write", {"path": path, "content": "x"}),
    "patch": lambda path: ("files.patch", {"path": path, "old": SECRET, "new": "x"}),
    "mkdir": lambda path: ("files.mkdir", {"path": path + "/new"}),
    "move from": lambda path: ("files.move", {"source": path, "destination": "stolen"}),
    "move to": lambda path: ("files.move", {"source": "own", "destination": path and path + ".new"}),
    "copy from": lambda path: ("files.copy", {"source": path, "destination": "stolen"}),
    "copy to": lambda path: ("files.copy", {"source": "own", "destination": path and path + ".new"}),
    "delete": lambda path: ("files.delete", {"path": path, "recursive": True}),
}

WAYS: dict[str, Callable[[Path, Path], str]] = {
    "an absolute path": lambda _, outside: str(outside / "f"),
    "dots": lambda _, outside: f"../{outside.name}/f",
    "dots in the middle": lambda _, outside: f"sub/../../{outside.name}/f",
    "dots from the root": lambda home, outside: f"{home}/../{outside.name}/f",
    "many dots": lambda _, outside: "../" * 40 + str(outside).lstrip("/") + "/f",
    "a link to a folder": lambda home, outside: _link(home / "l", outside) + "/f",
    "a relative link": lambda home, outside: _link(home / "l", Path("..") / outside.name) + "/f",
    "a link in a subfolder": lambda home, outside: "sub/" + _link(home / "sub" / "l", outside) + "/f",
    "a chain of links": lambda home, outside: _link(home / "m", Path(_link(home / "l", outside))) + "/f",
    "the process's root": lambda _, outside: f"/proc/self/root{outside}/f",
    "a descriptor's magic link": lambda _, outside: f"/proc/self/fd/0/../..{outside}/f",
    "a link to a magic link": lambda home, outside: _link(home / "l", Path("/proc/self/root")) + f"{outside}/f",
    "a name that begins like the home": lambda home, _: f"{home}-outside/f",
    "a NUL": lambda _, outside: f"own\0/../{outside}/f",
    "a newline": lambda _, outside: f"own\n/../{outside}/f",
    "another user's home": lambda *_: "~root/f",
    "a home": lambda *_: "~/f",
    "nothing": lambda *_: "",
    "a name that is too long": lambda *_: "a" * 300,
    "a path that is too long": lambda *_: "a/" * 2200 + "f",
}


def _link(at: Path, target: Path) -> str:
    at.symlink_to(target)
    return at.name


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    (folder / "sub").mkdir(parents=True)
    (folder / "own").write_text("own")
    return folder


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "home-outside"
    folder.mkdir()
    (folder / "f").write_text(SECRET)
    yield folder
    assert os.listdir(folder) == ["f"]
    assert (folder / "f").read_text() == SECRET


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("way", WAYS)
def test_no_way_leads_out(home: Path, outside: Path, way: str, operation: str) -> None:
    action, arguments = OPERATIONS[operation](WAYS[way](home, outside))
    with pytest.raises(InterlockError) as caught:
        act(home, action, **arguments)
    assert caught.value.code.split(".")[0] in {"files", "resource"}
    assert SECRET not in str(caught.value)
    assert (home / "own").read_text() == "own"


@pytest.mark.parametrize("operation", ["read", "list", "patch", "write", "move from", "copy from", "search"])
def test_no_link_is_followed_as_the_last_part(home: Path, outside: Path, operation: str) -> None:
    (home / "l").symlink_to(outside / "f")
    action, arguments = OPERATIONS[operation]("l")
    with pytest.raises(DriverError) as caught:
        act(home, action, **arguments)
    assert caught.value.code in {"files.link", "files.not_directory"}
    assert (home / "l").is_symlink()


def test_a_deleted_link_leaves_its_target(home: Path, outside: Path) -> None:
    (home / "t").mkdir()
    (home / "t" / "l").symlink_to(outside)
    act(home, "files.delete", path="t", recursive=True)
    assert not (home / "t").exists()


def test_a_copied_tree_takes_the_link_and_not_its_target(home: Path, outside: Path) -> None:
    (home / "t").mkdir()
    (home / "t" / "l").symlink_to(outside)
    act(home, "files.copy", source="t", destination="u")
    assert (home / "u" / "l").is_symlink()
    assert act(home, "files.search", path="t", pattern=SECRET)["hits"] == []


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        former = os.getcwd()
        os.chdir(path.parent)
        try:
            server.bind(path.name)
        finally:
            os.chdir(former)


def _device(path: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    except PermissionError:
        pytest.skip("needs the right to make a device that can be opened (CAP_MKNOD, no nodev)")


@pytest.mark.parametrize("operation", ["read", "patch", "write", "delete", "copy from", "move from"])
@pytest.mark.parametrize("kind", [_fifo, _socket, _device])
def test_only_regular_files_are_touched_and_nothing_blocks(
    home: Path, operation: str, kind: Callable[[Path], None]
) -> None:
    kind(home / "s")
    action, arguments = OPERATIONS[operation]("s")
    with pytest.raises(DriverError) as caught:
        act(home, action, **arguments)
    assert caught.value.code == "files.special"
    assert (home / "s").exists()


def test_a_tree_with_a_fifo_is_refused_before_anything_happens(home: Path) -> None:
    (home / "t").mkdir()
    (home / "t" / "a").write_text("a")
    os.mkfifo(home / "t" / "z")
    for operation in ("delete", "copy from"):
        action, arguments = OPERATIONS[operation]("t")
        with pytest.raises(DriverError, match=r"files\.special"):
            act(home, action, **arguments)
    assert sorted(os.listdir(home / "t")) == ["a", "z"]


@pytest.mark.parametrize("operation", ["read", "patch", "copy from"])
def test_a_second_name_is_not_read(home: Path, outside: Path, operation: str) -> None:
    os.link(outside / "f", home / "h")
    action, arguments = OPERATIONS[operation]("h")
    with pytest.raises(DriverError, match=r"files\.hard_link"):
        act(home, action, **arguments)
    assert act(home, "files.search", path=".", pattern=SECRET)["hits"] == []


def test_writing_over_a_second_name_leaves_the_first(home: Path, outside: Path) -> None:
    os.link(outside / "f", home / "h")
    act(home, "files.write", path="h", content="new")
    assert (home / "h").read_text() == "new"


def test_set_id_bits_do_not_survive_a_replacement(home: Path) -> None:
    os.chmod(home / "own", 0o6755)
    act(home, "files.write", path="own", content="x")
    assert stat.S_IMODE((home / "own").stat().st_mode) == 0o755


def test_a_large_file_is_bounded(home: Path) -> None:
    with (home / "big").open("wb") as stream:
        stream.truncate(content.MAX_FILE + 1)
    found = act(home, "files.read", path="big")
    assert found["truncated"]
    assert len(found["base64"]) <= files.MAX_READ * 4 / 3 + 4
    with pytest.raises(DriverError, match=r"files\.too_large"):
        act(home, "files.patch", path="big", old="x", new="y")
    assert act(home, "files.search", path=".", pattern="x")["passedOver"] == 1


def test_an_endless_file_costs_no_endless_digest(home: Path) -> None:
    with (home / "huge").open("wb") as stream:
        stream.truncate(1 << 40)
    assert act(home, "files.read", path="huge", limit=1)["sha256"] is None


def test_a_folder_of_a_hundred_thousand_entries_is_bounded(home: Path) -> None:
    crowd = home / "crowd"
    crowd.mkdir()
    for number in range(100_000):
        os.close(os.open(crowd / str(number), os.O_CREAT | os.O_WRONLY))
    found = act(home, "files.list", path="crowd", limit=10)
    assert (len(found["entries"]), found["count"], found["truncated"]) == (10, 100_000, True)
    for operation in ("delete", "copy from", "search"):
        action, arguments = OPERATIONS[operation]("crowd")
        with pytest.raises(DriverError, match=r"files\.too_many"):
            act(home, action, **arguments)
    assert len(os.listdir(crowd)) == 100_000


def test_a_tree_without_end_is_refused(home: Path) -> None:
    deep = home
    for _ in range(trees.MAX_LEVELS + 3):
        deep = deep / "d"
    deep.mkdir(parents=True)
    for operation in ("delete", "copy from"):
        action, arguments = OPERATIONS[operation]("d")
        with pytest.raises(DriverError, match=r"files\.too_deep"):
            act(home, action, **arguments)
    assert deep.exists()


@pytest.mark.parametrize("name", ["a\nb", "-rf", "a\x1b[31m", " ", "*", "$(id)", "\u202egpj.exe", "{path}", "'\""])
def test_strange_names_are_names(home: Path, name: str) -> None:
    (home / name).write_text("x")
    found = act(home, "files.list", path=".")
    assert name in [entry["name"] for entry in found["entries"]]


def test_a_name_that_is_no_text_is_shown_in_base64(home: Path) -> None:
    os.close(os.open(os.fsencode(home) + b"/\xff", os.O_CREAT | os.O_WRONLY))
    assert {
        "nameBase64": "/w==",
        "kind": "file",
        "size": 0,
        "mode": act(home, "files.list", path=".")["entries"][-1]["mode"],
    } in (act(home, "files.list", path=".")["entries"])


def test_a_granted_single_file_is_held_to_its_inode(home: Path, outside: Path) -> None:
    with granted(home / "own") as directories:
        todo = work(directories, home, "files.read", path="own")
        assert DRIVERS["files"](todo)["text"] == "own"
        (home / "own").unlink()
        (home / "own").write_text("another")
        with pytest.raises(DriverError, match=r"files\.changed"):
            DRIVERS["files"](todo)
        beside = work(directories, home, "files.read", path="sub")
        with pytest.raises(DriverError, match=r"files\.scope"):
            DRIVERS["files"](beside)


def test_the_granted_folder_itself_cannot_be_deleted_or_moved(home: Path) -> None:
    for operation in ("delete", "move from"):
        action, arguments = OPERATIONS[operation](str(home))
        with pytest.raises(DriverError, match=r"files\.(scope|into_itself)"):
            act(home, action, **arguments)
    assert (home / "own").exists()
