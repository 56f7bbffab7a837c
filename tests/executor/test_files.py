"""The files driver does what its actions say, within its bounds."""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import stat
import tempfile
from pathlib import Path

import pytest

from interlock.executor.drivers import content, files, search
from interlock.executor.drivers.places import EXCHANGE
from interlock.executor.work import DriverError, TimeExpired, limit
from support.step_world import act, granted, work


def code(folder: Path, action: str, **arguments: object) -> str:
    with pytest.raises(DriverError) as caught:
        act(folder, action, **arguments)
    return caught.value.code


def test_read_returns_text_with_its_digest(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("grüße\n")
    found = act(tmp_path, "files.read", path="a.txt")
    assert found["text"] == "grüße\n"
    assert found["sha256"] == hashlib.sha256("grüße\n".encode()).hexdigest()
    assert (found["path"], found["size"], found["truncated"]) == (str(tmp_path / "a.txt"), 8, False)


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a\0b", b"\x1b[2J\x00", bytes(range(256))])
def test_read_returns_bytes_that_are_no_text_in_base64(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    found = act(tmp_path, "files.read", path="a")
    assert "text" not in found
    assert base64.b64decode(found["base64"]) == data


def test_read_returns_a_part_without_a_torn_character(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("aé€𝄞z")
    parts = [act(tmp_path, "files.read", path="a", limit=size).get("text") for size in range(1, 11)]
    assert parts == ["a", "a", "aé", "aé", "aé", "aé€", "aé€", "aé€", "aé€", "aé€𝄞"]
    assert act(tmp_path, "files.read", path="a", offset=10)["text"] == "z"
    assert act(tmp_path, "files.read", path="a", offset=99)["text"] == ""


def test_list_names_everything_and_says_when_it_is_cut(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "a").write_text("x")
    (tmp_path / "c").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "d")
    found = act(tmp_path, "files.list", path=".")
    assert [(entry["name"], entry["kind"]) for entry in found["entries"]] == [
        ("a", "file"), ("b", "dir"), ("c", "link"), ("d", "special"),
    ]  # fmt: skip
    cut = act(tmp_path, "files.list", path=str(tmp_path), limit=1)
    assert (len(cut["entries"]), cut["count"], cut["truncated"]) == (1, 4, True)


def test_search_finds_lines_and_passes_over_what_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").write_text("one\ntwo needle\n")
    (tmp_path / "b").write_bytes(b"\0needle")
    (tmp_path / "l").symlink_to("sub/a")
    found = act(tmp_path, "files.search", path=".", pattern="needle")
    assert found["hits"] == [{"path": "sub/a", "line": 2, "text": "two needle"}]
    assert (found["files"], found["passedOver"], found["truncated"]) == (2, 2, False)
    assert act(tmp_path, "files.search", path="sub/a", pattern="^t.o", regex=True)["hits"][0]["line"] == 2
    assert act(tmp_path, "files.search", path="sub/a", pattern="^t.o")["hits"] == []
    assert act(tmp_path, "files.search", path=".", pattern="o", limit=1)["truncated"]


@pytest.mark.parametrize("pattern", ["", "(", "x" * (search.MAX_PATTERN + 1)])
def test_search_refuses_what_is_no_pattern(tmp_path: Path, pattern: str) -> None:
    assert code(tmp_path, "files.search", path=".", pattern=pattern, regex=True) == "files.pattern"


def test_a_regular_expression_without_end_is_interrupted(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a" * 64)
    with pytest.raises(TimeExpired), limit(0.2):
        act(tmp_path, "files.search", path=".", pattern="(a+)+b", regex=True)


def test_write_creates_and_replaces_whole_files(tmp_path: Path) -> None:
    found = act(tmp_path, "files.write", path="a", content="one")
    assert (found["created"], found["bytes"]) == (True, 3)
    os.chmod(tmp_path / "a", 0o640)
    before = (tmp_path / "a").stat().st_ino
    found = act(tmp_path, "files.write", path="a", content=base64.b64encode(b"\xff").decode(), encoding="base64")
    assert (found["created"], found["mode"]) == (False, "0640")
    assert (tmp_path / "a").read_bytes() == b"\xff"
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
    assert (tmp_path / "a").stat().st_ino != before
    assert os.listdir(tmp_path) == ["a"]


def test_write_refuses_what_it_should_not_replace(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("keep")
    (tmp_path / "d").mkdir()
    assert code(tmp_path, "files.write", path="a", content="x", overwrite=False) == "files.exists"
    assert code(tmp_path, "files.write", path="d", content="x") == "files.is_directory"
    assert code(tmp_path, "files.write", path="none/a", content="x") == "files.not_found"
    assert code(tmp_path, "files.write", path="a", content="%", encoding="base64") == "files.base64"
    assert (tmp_path / "a").read_text() == "keep"
    assert sorted(os.listdir(tmp_path)) == ["a", "d"]


def test_patch_replaces_one_exact_passage(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one\r\ntwo\r\n")
    os.chmod(tmp_path / "a", 0o755)
    act(tmp_path, "files.patch", path="a", old="two\r", new="2")
    assert (tmp_path / "a").read_bytes() == b"one\r\n2\n"
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o755


@pytest.mark.parametrize(
    ("old", "expected"), [("z", "missing"), ("", "missing"), ("aa", "ambiguous"), ("b", "ambiguous")]
)
def test_patch_refuses_a_passage_that_is_not_there_once(tmp_path: Path, old: str, expected: str) -> None:
    (tmp_path / "a").write_text("aaab b")
    assert code(tmp_path, "files.patch", path="a", old=old, new="x") == f"files.patch_{expected}"
    assert (tmp_path / "a").read_text() == "aaab b"


def test_move_and_copy_take_trees_with_modes_and_links(tmp_path: Path) -> None:
    tree = tmp_path / "t"
    (tree / "in").mkdir(parents=True)
    (tree / "in" / "f").write_text("x")
    os.chmod(tree / "in" / "f", 0o600)
    (tree / "l").symlink_to("in/f")
    assert act(tmp_path, "files.copy", source="t", destination="u")["entries"] == 4
    assert os.readlink(tmp_path / "u" / "l") == "in/f"
    assert stat.S_IMODE((tmp_path / "u" / "in" / "f").stat().st_mode) == 0o600
    act(tmp_path, "files.move", source="t", destination="v")
    assert sorted(os.listdir(tmp_path)) == ["u", "v"]
    assert (tmp_path / "v" / "in" / "f").read_text() == "x"


def test_move_between_file_systems_copies_and_then_deletes(tmp_path: Path) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or not os.access(other, os.W_OK) or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs a second file system at /dev/shm")
    with tempfile.TemporaryDirectory(dir=other) as second, granted(tmp_path, Path(second)) as directories:
        (tmp_path / "t").mkdir()
        (tmp_path / "t" / "f").write_text("x")
        os.chmod(tmp_path / "t" / "f", 0o640)
        files.run(work(directories, tmp_path, "files.move", source="t", destination=f"{second}/u"))
        assert stat.S_IMODE((Path(second) / "u" / "f").stat().st_mode) == 0o640
        assert (os.listdir(tmp_path), os.listdir(second)) == ([], ["u"])
        (tmp_path / "u").write_text("in the way")
        with pytest.raises(DriverError, match=r"files\.exists"):
            files.run(work(directories, tmp_path, "files.move", source=f"{second}/u", destination="u"))
        assert os.listdir(second) == ["u"]


def test_a_file_system_without_exchange_gets_a_look_and_a_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = content.rename

    def without(source: tuple[int, str], target: tuple[int, str], flags: int = 1) -> None:
        if flags == EXCHANGE:
            raise OSError(errno.EINVAL, "no exchange here")
        plain(source, target, flags)

    monkeypatch.setattr(content, "rename", without)
    (tmp_path / "a").write_text("one")
    act(tmp_path, "files.patch", path="a", old="one", new="two")
    assert (tmp_path / "a").read_text() == "two"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("action", ["files.move", "files.copy"])
def test_move_and_copy_never_replace(tmp_path: Path, action: str) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    (tmp_path / "d").mkdir()
    assert code(tmp_path, action, source="a", destination="b") == "files.exists"
    assert code(tmp_path, action, source="d", destination="d/e") == "files.into_itself"
    assert code(tmp_path, action, source="none", destination="c") == "files.not_found"
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "d"]


def test_delete_and_mkdir(tmp_path: Path) -> None:
    act(tmp_path, "files.mkdir", path="d")
    assert code(tmp_path, "files.mkdir", path="d") == "files.exists"
    (tmp_path / "d" / "f").write_text("x")
    assert code(tmp_path, "files.delete", path="d") == "files.not_empty"
    assert (tmp_path / "d" / "f").exists()
    assert act(tmp_path, "files.delete", path="d", recursive=True)["entries"] == 2
    assert os.listdir(tmp_path) == []
    assert code(tmp_path, "files.delete", path="d") == "files.not_found"
