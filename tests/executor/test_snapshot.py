"""Snapshots and their restoration, served over a real channel with a store of contents."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest

from interlock.artifact import codec, snapshot
from interlock.artifact.channel_pb2 import Ran, RunStep
from interlock.artifact.snapshot import Snapshot
from interlock.executor.drivers import restore as restore_driver
from support.step_world import CATALOGUE, act, request, run_step

DELETE, WRITE, MOVE = (CATALOGUE[f"files.{name}@1"] for name in ("delete", "write", "move"))
Store = dict[str, bytes]


def capture(folder: Path, store: Store, *names: str, contents: bool = True, **facts: Any) -> Ran:
    asked: Any = [str(folder / name) for name in names]
    if not contents:
        asked = {"paths": asked, "contents": False}
    arguments = facts.pop("arguments", {"path": names[0], "recursive": True})
    message = request(
        facts.pop("manifest", DELETE),
        arguments,
        folder,
        mode=RunStep.SNAPSHOT,
        snapshot=codec.encode(asked),
        arguments=b"{}",
    )
    return run_step(message, folder, store=store)


def taken(ran: Ran) -> Snapshot:
    assert ran.ok, ran
    return snapshot.decode(ran.output)


def restore(folder: Path, store: Store, before: Snapshot, after: Snapshot, **arguments: Any) -> Ran:
    pair = codec.encode({"before": before, "after": after})
    message = request(DELETE, arguments, folder, mode=RunStep.RESTORE, snapshot=pair, arguments=b"{}")
    return run_step(message, folder, store=store)


def tree(folder: Path) -> Path:
    root = folder / "t"
    (root / "in").mkdir(parents=True)
    (root / "in" / "f").write_bytes(b"x" * (3 << 20))
    (root / "in" / "g").write_text("")
    (root / "in" / "a\nb").write_text("strange")
    (root / "l").symlink_to("in/f")
    (root / "dangling").symlink_to("/nowhere")
    os.chmod(root / "in" / "f", 0o640)
    os.chmod(root / "in", 0o710)
    return root


def image(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Everything below a folder, as the test sees it with its own eyes."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        data = os.readlink(path).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        found[str(path)] = (0 if path.is_symlink() else stat.S_IMODE(status.st_mode), data)
    return found


def test_a_deleted_tree_comes_back_whole(tmp_path: Path) -> None:
    tree(tmp_path)
    was, store = image(tmp_path), Store()
    before = taken(capture(tmp_path, store, "t"))
    act(tmp_path, "files.delete", path="t", recursive=True)
    after = taken(capture(tmp_path, store, "t", contents=False))
    assert [entry.kind for entry in after.entries] == ["absent"]
    ran = restore(tmp_path, store, before, after, path="t", recursive=True)
    assert ran.ok, ran
    assert image(tmp_path) == was


def test_what_the_effect_made_is_removed(tmp_path: Path) -> None:
    store = Store()
    before = taken(capture(tmp_path, store, "new"))
    tree(tmp_path).rename(tmp_path / "new")
    after = taken(capture(tmp_path, store, "new"))
    assert restore(tmp_path, store, before, after, path="new", recursive=True).ok
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("kind", ["file", "link", "dir"])
def test_what_the_effect_replaced_comes_back(tmp_path: Path, kind: str) -> None:
    store = Store()
    (tmp_path / "a").write_text("was")
    os.chmod(tmp_path / "a", 0o604)
    before = taken(capture(tmp_path, store, "a"))
    (tmp_path / "a").unlink()
    match kind:
        case "file":
            (tmp_path / "a").write_text("is")
        case "link":
            (tmp_path / "a").symlink_to("/etc")
        case _:
            (tmp_path / "a" / "b").mkdir(parents=True)
    after = taken(capture(tmp_path, store, "a"))
    assert restore(tmp_path, store, before, after, path="a").ok
    assert image(tmp_path) == {str(tmp_path / "a"): (0o604, b"was")}


def test_a_directorys_mode_comes_back(tmp_path: Path) -> None:
    store, root = Store(), tree(tmp_path)
    os.chmod(root, 0o555)
    was = image(tmp_path)
    before = taken(capture(tmp_path, store, "t"))
    os.chmod(root, 0o755)
    (root / "more").write_text("x")
    after = taken(capture(tmp_path, store, "t"))
    assert restore(tmp_path, store, before, after, path="t", recursive=True).ok
    assert image(tmp_path) == was
    os.chmod(root, 0o755)


CHANGES = {
    "content": lambda root: (root / "in" / "g").write_text("theirs"),
    "a new file": lambda root: (root / "in" / "new").write_text("theirs"),
    "a mode": lambda root: os.chmod(root / "in" / "f", 0o777),
    "a link's target": lambda root: ((root / "l").unlink(), (root / "l").symlink_to("elsewhere")),
    "a file that is gone": lambda root: (root / "in" / "f").unlink(),
}


@pytest.mark.parametrize("name", CHANGES)
def test_somebody_elses_change_is_not_undone(tmp_path: Path, name: str) -> None:
    store, root = Store(), tree(tmp_path)
    before = taken(capture(tmp_path, store, "t"))
    (root / "in" / "f").write_text("the effect")
    after = taken(capture(tmp_path, store, "t"))
    CHANGES[name](root)
    was = image(tmp_path)
    ran = restore(tmp_path, store, before, after, path="t", recursive=True)
    assert (ran.ok, ran.code, ran.effect_possible) == (False, "undo.changed_since", False)
    assert codec.decode(ran.output, dict, data=True)["count"] >= 1
    assert image(tmp_path) == was


def test_an_interrupted_restoration_can_be_repeated(tmp_path: Path) -> None:
    store, root = Store(), tree(tmp_path)
    was = image(tmp_path)
    before = taken(capture(tmp_path, store, "t"))
    (root / "in" / "f").write_text("the effect")
    (root / "in" / "g").write_text("the effect")
    after = taken(capture(tmp_path, store, "t"))
    (root / "in" / "g").write_text("")  # As it was before: this half of the restoration had been done.
    assert restore(tmp_path, store, before, after, path="t", recursive=True).ok
    assert image(tmp_path) == was


def test_an_altered_content_is_not_restored(tmp_path: Path) -> None:
    """The trap: a snapshot altered in its store and restored silently."""
    store = Store()
    (tmp_path / "a").write_text("was")
    before = taken(capture(tmp_path, store, "a"))
    (tmp_path / "a").write_text("is")
    after = taken(capture(tmp_path, store, "a", contents=False))
    store[next(iter(before.digests))] = b"bad"
    ran = restore(tmp_path, store, before, after, path="a")
    assert (ran.ok, ran.code) == (False, "snapshot.blob")
    assert image(tmp_path) == {str(tmp_path / "a"): (stat.S_IMODE((tmp_path / "a").stat().st_mode), b"is")}


@pytest.mark.parametrize("path", ["/etc/passwd", "elsewhere", "../x"])
def test_a_snapshot_of_another_path_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "a").write_text("x")
    ran = capture(tmp_path, {}, str(tmp_path / path), arguments={"path": "a"})
    assert (ran.ok, ran.code) == (False, "grant.resource")


def test_a_read_has_no_snapshot(tmp_path: Path) -> None:
    ran = capture(tmp_path, {}, "a", manifest=CATALOGUE["files.read@1"], arguments={"path": "a"})
    assert (ran.ok, ran.code) == (False, "grant.resource")


def test_what_cannot_be_put_back_has_no_snapshot(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    os.mkfifo(tmp_path / "t" / "p")
    assert capture(tmp_path, {}, "t").code == "files.special"
    os.unlink(tmp_path / "t" / "p")
    os.close(os.open(os.fsencode(tmp_path) + b"/t/\xff", os.O_CREAT | os.O_WRONLY))
    assert capture(tmp_path, {}, "t").code == "snapshot.name"


def test_both_ends_of_a_move_are_captured(tmp_path: Path) -> None:
    store = Store()
    (tmp_path / "a").write_text("x")
    arguments = {"source": "a", "destination": "b"}
    before = taken(capture(tmp_path, store, "a", "b", manifest=MOVE, arguments=arguments))
    assert [(Path(entry.path).name, entry.kind) for entry in before.entries] == [("a", "file"), ("b", "absent")]
    assert store == {before.pages[0][0].sha256: b"x"}


def test_differences_name_the_paths() -> None:
    one = snapshot.snapshot(["/a"], [snapshot.SnapshotEntry(path="/a", kind="absent")])
    other = msgspec.structs.replace(one, pages=((snapshot.SnapshotEntry(path="/a", kind="dir"),),))
    assert snapshot.differences(one, one) == ()
    assert snapshot.differences(one, other) == ("/a",)


def test_a_change_during_the_restoration_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, root = Store(), tree(tmp_path)
    before = taken(capture(tmp_path, store, "t"))
    (root / "in" / "f").write_text("the effect")
    after = taken(capture(tmp_path, store, "t"))
    rebuild = restore_driver._rebuild

    def meddling(*arguments: Any) -> None:
        (root / "meanwhile").write_text("theirs")
        rebuild(*arguments)

    monkeypatch.setattr(restore_driver, "_rebuild", meddling)
    ran = restore(tmp_path, store, before, after, path="t", recursive=True)
    assert (ran.ok, ran.code, ran.effect_possible) == (False, "undo.incomplete", True)
    assert codec.decode(ran.output, dict, data=True) == {"count": 1, "paths": [str(root / "meanwhile")]}
    assert (root / "meanwhile").read_text() == "theirs"
