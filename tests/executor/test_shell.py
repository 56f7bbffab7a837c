"""The shell driver: words stay words, programs are the manifest's, the environment is ours, bounds hold."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from interlock.artifact.action import Argument, Driver, Effect, Manifest, Output, Reversibility, Role
from interlock.executor.drivers import shell
from interlock.executor.drivers.programs import resolve
from interlock.executor.drivers.template import fill
from interlock.executor.work import DriverError
from support.step_world import CATALOGUE, granted, work

GIT = shutil.which("git")


def manifest(*argv: str, **facts: Any) -> Manifest:
    driver = Driver(
        name="shell", operation="run", argv=argv, programs=facts.pop("programs", ("sh", "cat", "env", "sleep", "pwd"))
    )
    driver = msgspec.structs.replace(driver, shell=facts.pop("shell", False))
    text = Argument(type="string")
    return Manifest(
        name="x",
        group="g",
        sentence="s",
        effect=Effect.EXECUTE,
        reversibility=Reversibility.IRREVERSIBLE,
        arguments={
            "a": text,
            "b": text,
            "list": Argument(type="list"),
            "argv": Argument(type="list", role=Role.COMMAND),
        },
        driver=driver,
        **facts,
    )


def run(
    folder: Path, action: Any, seconds: float = 20, /, secrets: dict[str, str] | None = None, **arguments: Any
) -> Any:
    with granted(folder) as directories:
        todo = work(directories, folder, action, seconds, **arguments)
        if secrets:
            todo = type(todo)(**{name: getattr(todo, name) for name in todo.__slots__} | {"secrets": secrets})
        return shell.run(todo)


def code(folder: Path, action: Any, seconds: float = 20, /, **arguments: Any) -> tuple[str, Any]:
    with pytest.raises(DriverError) as caught:
        run(folder, action, seconds, **arguments)
    return caught.value.code, caught.value.output


def test_a_value_is_one_word_whatever_it_holds(tmp_path: Path) -> None:
    script = manifest("sh", "-c", 'printf "%s|" "$@"', "name", "{a}", "x{b}", "{list}")
    found = run(tmp_path, script, a="$(id); rm -rf /", b=" 'y' ", list=["", "*", "a b"])
    assert found == {"exit": 0, "truncated": False, "stdout": "$(id); rm -rf /|x 'y' ||*|a b|", "stderr": ""}


def test_an_absent_argument_leaves_its_item_out() -> None:
    assert fill(("a", "--x={a}", "{b}", "c"), {}, frozenset()) == ["a", "c"]


@pytest.mark.parametrize("value", ["-rf", "--upload-pack=sh", "-"])
def test_a_value_that_looks_like_an_option_is_refused(tmp_path: Path, value: str) -> None:
    assert code(tmp_path, manifest("cat", "{a}"), a=value)[0] == "shell.option"
    assert code(tmp_path, manifest("cat", "{list}"), list=["x", value])[0] == "shell.option"
    assert fill(("cat", "--", "{a}"), {"a": value}, frozenset()) == ["cat", "--", value]
    assert fill(("{argv}",), {"argv": ["cat", value]}, {"argv"}) == ["cat", value]


def test_a_shell_gets_values_as_parameters_and_not_as_text(tmp_path: Path) -> None:
    found = run(tmp_path, manifest('printf %s "$1"', "{a}", shell=True), a='"; echo injected; "')
    assert found["stdout"] == '"; echo injected; "'


def test_a_shell_must_be_among_the_programs(tmp_path: Path) -> None:
    assert code(tmp_path, manifest("true", shell=True, programs=("cat",)))[0] == "shell.program"


@pytest.mark.parametrize(
    "name", ["id", "/usr/bin/id", "./cat", "../cat", "/usr/bin/../bin/cat", "", "ca t", "/bin/catx"]
)
def test_another_program_is_not_run(name: str) -> None:
    with pytest.raises(DriverError, match=r"shell\.program"):
        resolve(name, ("cat", "/usr/bin/env"))


def test_programs_may_be_named_by_name_path_or_folder() -> None:
    assert resolve("cat", ("cat",)).endswith("/cat")
    assert resolve("env", ("/usr/bin/env",)) == "/usr/bin/env"
    assert resolve("/usr/bin/env", ("env",)) == "/usr/bin/env"
    assert resolve("env", ("/usr/bin",)) == "/usr/bin/env"
    assert resolve("/usr/bin/env", ("/usr/bin",)) == "/usr/bin/env"


def test_a_program_that_is_a_link_is_run_as_the_file_behind_it() -> None:
    assert resolve("python3", ("python3",), {"python3": "/usr/bin/env"}) == "/usr/bin/env"
    with pytest.raises(DriverError, match=r"shell\.program"):
        resolve("other", ("python3",), {"python3": "/usr/bin/env", "other": "/usr/bin/env"})


def test_the_environment_holds_nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_SECRET", "x")
    found = dict(line.split("=", 1) for line in run(tmp_path, manifest("env"))["stdout"].splitlines())
    assert set(found) == {"PATH", "LANG", "HOME", "TMPDIR", "TZ"}
    assert found["HOME"] == found["TMPDIR"] != os.environ.get("HOME")
    assert not Path(found["HOME"]).exists()
    released = run(tmp_path, manifest("env", secrets=("TOKEN",)), secrets={"TOKEN": "t"})
    assert "TOKEN=t" in released["stdout"].splitlines()


def test_the_program_works_in_the_granted_folder(tmp_path: Path) -> None:
    before = os.getcwd()
    assert run(tmp_path, manifest("pwd"))["stdout"] == f"{tmp_path}\n"
    assert os.getcwd() == before


def test_an_exit_status_is_a_failure_that_keeps_its_output(tmp_path: Path) -> None:
    failed, output = code(tmp_path, manifest("sh", "-c", "echo out; echo err >&2; exit 3"))
    assert failed == "shell.exit"
    assert output == {"exit": 3, "truncated": False, "stdout": "out\n", "stderr": "err\n"}


def test_an_output_beyond_its_bound_is_cut_and_said_to_be(tmp_path: Path) -> None:
    endless = manifest("sh", "-c", "head -c 5000000 /dev/zero | tr '\\0' '\\001'", output=Output(max_bytes=4096))
    found = run(tmp_path, endless)
    assert found["truncated"]
    assert found["exit"] == 0
    assert 0 < len(msgspec.json.encode(found)) <= 4096


def test_time_ends_the_whole_group(tmp_path: Path) -> None:
    began = time.monotonic()
    script = manifest("sh", "-c", "sleep 60 & echo $! > child; sleep 60")
    assert code(tmp_path, script, 0.5)[0] == "step.timeout"
    assert time.monotonic() - began < 10
    assert not _alive(int((tmp_path / "child").read_text()))


def test_a_child_left_behind_ends_with_the_program(tmp_path: Path) -> None:
    began = time.monotonic()
    assert run(tmp_path, manifest("sh", "-c", "sleep 60 & echo $! > child"))["exit"] == 0
    assert time.monotonic() - began < 10
    assert not _alive(int((tmp_path / "child").read_text()))


def _alive(pid: int) -> bool:
    """Whether a process that was told to end still runs; waits for its end, which is not ours to collect."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    with os.fdopen(descriptor, "rb"):
        return not select.select([descriptor], [], [], 10)[0]


def test_the_tests_action_runs_tests_and_reports_failures(tmp_path: Path) -> None:
    action = CATALOGUE["tests.run@1"]
    if not Path("/usr/bin/python3").exists() and not Path("/usr/local/bin/python3").exists():
        pytest.skip("needs python3 in /usr/bin or /usr/local/bin")
    (tmp_path / "test_it.py").write_text(
        "import unittest\nclass T(unittest.TestCase):\n    def test(self): self.fail()\n"
    )
    failed, output = code(tmp_path, action, directory=".")
    assert failed == "shell.exit"
    assert "FAILED (failures=1)" in output["stderr"]
    assert sorted(os.listdir(tmp_path)) == ["test_it.py"]


@pytest.mark.skipif(GIT is None, reason="needs git")
def test_git_shows_status_and_log(tmp_path: Path) -> None:
    repository(tmp_path)
    (tmp_path / "a").write_text("two\n")
    assert "1 .M N..." in run(tmp_path, "git.status", directory=".")["stdout"]
    assert "+two" in run(tmp_path, "git.diff", directory=".")["stdout"]
    assert run(tmp_path, "git.log", directory=".", count=5)["stdout"].endswith("\tfirst\n")


EXECUTING = {
    "a filter": ("filter.evil.clean", "{mark}; cat", "* filter=evil"),
    "a filter process": ("filter.evil.process", "{mark}", "* filter=evil"),
    "a filter that is required": ("filter.a.b.clean", "{mark}; cat", "* filter=a.b"),
    "a textconv": ("diff.evil.textconv", "{mark}; cat", "* diff=evil"),
    "a diff command": ("diff.evil.command", "{mark}", "* diff=evil"),
    "an external diff": ("diff.external", "{mark}", ""),
    "a monitor": ("core.fsmonitor", "{mark}", ""),
    "a pager": ("core.pager", "{mark}; cat", ""),
    "a pager of a command": ("pager.log", "{mark}; cat", ""),
    "an alias": ("alias.status", "!{mark}", ""),
    "a signature's program": ("gpg.program", "{mark}", ""),
    "a file of hooks": ("core.hooksPath", "{folder}/hooks", ""),
}


@pytest.mark.skipif(GIT is None, reason="needs git")
@pytest.mark.parametrize("name", EXECUTING)
def test_git_runs_nothing_that_a_repository_names(tmp_path: Path, name: str) -> None:
    key, value, attributes = EXECUTING[name]
    home = tmp_path / "repository"
    home.mkdir()
    repository(home)
    mark = tmp_path / "ran"
    value = value.format(mark=f"touch {mark}", folder=tmp_path)
    subprocess.run([GIT, "-C", home, "config", key, value], check=True)
    (home / ".git" / "info" / "attributes").write_text(attributes)
    (home / ".gitattributes").write_text(attributes)
    (home / "a").write_text("two\n")
    for action, more in (("git.status", {}), ("git.diff", {}), ("git.log", {"count": 3})):
        run(home, action, directory=".", **more)
    assert not mark.exists()


@pytest.mark.skipif(GIT is None, reason="needs git")
def test_the_filter_would_run_without_the_driver(tmp_path: Path) -> None:
    """The table above cannot lie: plain git runs what this repository names."""
    home = tmp_path / "repository"
    home.mkdir()
    repository(home)
    mark = tmp_path / "ran"
    subprocess.run([GIT, "-C", home, "config", "filter.evil.clean", f"touch {mark}; cat"], check=True)
    (home / ".gitattributes").write_text("* filter=evil")
    (home / "a").write_text("two\n")
    subprocess.run([GIT, "-C", home, "diff"], check=True, capture_output=True)
    assert mark.exists()


def repository(folder: Path) -> None:
    """A repository with one commit."""
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.com", "-c", "commit.gpgsign=false")
    (folder / "a").write_text("one\n")
    for words in (("init", "-q"), ("add", "a"), (*identity, "commit", "-q", "-m", "first")):
        subprocess.run([str(GIT), "-C", str(folder), *words], check=True, capture_output=True)
