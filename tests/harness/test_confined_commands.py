"""Plain commands of everyday work, claimed by the real analyst and decided by the baseline: they pass, and do it."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

import pytest
from tests.support.world import World, proposal, step

from interlock.artifact.errors import ConfigurationError
from interlock.artifact.verdict import Decision
from interlock.decide.life import Status

pytestmark = pytest.mark.sandbox
BASELINE = (resources.files("interlock.decide.policy") / "baseline.yaml").read_text("utf-8")
RULES = BASELINE.replace("      - /var/**\n", "")  # Where the tests' own workspaces lie.


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        found = World(Path(place), monkeypatch, rules=RULES)
        work = found.files / "work"
        (work / "src").mkdir(parents=True)
        for name in ("a.txt", "b.txt", "src/one.py", "src/two.py"):
            (work / name).write_text(f"{name}\n")
        git = ["git", "-C", str(work), "-c", "user.name=a", "-c", "user.email=a@example.org"]
        for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "one"], ["branch", "other"]):
            subprocess.run([*git, *words], check=True)
        (work / "Makefile").write_text("all: prog\n\t@echo built > out.txt\n\nprog: prog.c\n\tgcc -o prog prog.c\n")
        (work / "prog.c").write_text('#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n')
        (work / "test_it.py").write_text(TEST)
        (work / ".env").write_text("KEY=1\n")
        yield found
        found.close()


TEST = """import pathlib, unittest

class It(unittest.TestCase):
    def test_it(self):
        pathlib.Path("made").write_text("x")
"""
COMMANDS: dict[str, str] = {
    "mv a.txt c.txt": "! -e a.txt && test -f c.txt",
    "mv a.txt src/": "! -e a.txt && test -f src/a.txt",
    "mv src lib": "! -e src && test -f lib/one.py",
    "sed -i s/a/x/ a.txt b.txt": '"$(cat a.txt)" = x.txt',
    "sort -o a.txt a.txt": "-f a.txt",
    "mkdir -p x/y && touch x/y/z": "-f x/y/z",
    "cp -r src lib": "-f lib/two.py",
    "rm a.txt": "! -e a.txt",
    "grep -r one src > found.txt": "-s found.txt",
    "ln -s a.txt link": "-L link",
    "tar cf src.tar src && tar xf src.tar -C .": "-s src.tar",
    "git checkout -q other": '"$(git rev-parse --abbrev-ref HEAD)" = other',
    "echo x > a.txt && git add a.txt && git diff --cached --stat": '-n "$(git diff --cached --name-only)"',
    "python3 -c 'print(1)'": "-f a.txt",
    "make -s": '"$(cat out.txt)" = built',
    "gcc -o prog prog.c": "-x prog",
    "gcc -o prog prog.c && ./prog > out.txt": '"$(cat out.txt)" = hello',
    "tar czf src.tgz src && tar tzf src.tgz > list.txt": "-s list.txt",
    "python3 -m unittest -q": "-f made",
    "echo .env > .gitignore && git add -A && git -c user.name=a -c user.email=a@example.org commit -qm two": '-z "$(git status --short)"',
    "find . -name '*.py' | sort | head -1": "-f a.txt",
    "echo text > new.txt; chmod 000 new.txt": "-f new.txt",
}  # fmt: skip


def image(folder: Path) -> dict[str, str]:
    paths = [path for path in folder.rglob("*") if ".git" not in path.parts]
    return {
        str(path): os.readlink(path) if path.is_symlink() else path.read_text() if path.is_file() else ""
        for path in paths
    }


@pytest.mark.parametrize("line", COMMANDS)
def test_it_passes_does_it_and_can_be_taken_back(world: World, line: str) -> None:
    work, task = world.files / "work", world.task()
    before = image(work)
    asked = step("s1", "shell.run@1", arguments={"argv": ["bash", "-c", line], "directory": "work"})
    decided = world.harness.propose(task.id, proposal(task, asked))
    assert decided.verdict.decision is Decision.ALLOW and decided.digest is not None, decided.verdict.reasons
    status = world.harness.execute(decided.digest)
    [done] = world.harness.core.store.claims(decided.digest)
    incidents = [one.detail for one in world.harness.core.store.incidents(still_open=True)]
    assert (status, done.code, incidents) == (Status.DONE, "", []), done.output
    subprocess.run(["bash", "-c", f"test {COMMANDS[line]}"], cwd=work, check=True)
    assert {one.state for one in world.harness.rollback(decided.digest)} <= {"undone", "nothing to undo"}
    assert image(work) == before


def test_it_works_beside_the_harness_own_files_too(world: World) -> None:
    (world.files / "top.txt").write_text("x")
    own = {name: (world.files / name).read_text() for name in ("interlock.toml", "policy/rules.yaml")}
    task, line = world.task(), "sed -i s/x/y/ top.txt && echo z > new.txt && mv new.txt work/a.txt && ls"
    asked = step("s1", "shell.run@1", arguments={"argv": ["bash", "-c", line], "directory": "."})
    decided = world.harness.propose(task.id, proposal(task, asked))
    assert world.harness.execute(decided.digest or "") is Status.DONE
    assert ((world.files / "top.txt").read_text(), (world.files / "work" / "a.txt").read_text()) == ("y", "z\n")
    assert {name: (world.files / name).read_text() for name in own} == own


def test_packages_come_from_where_the_operator_says_and_a_person_is_asked(make_world: Callable[..., World]) -> None:
    """Code of strangers runs while it is installed, reads the folder, and may say so to whom it is fetched from."""
    decisions: list[tuple[Decision, set[str]]] = []
    for extra in ("", '[egress]\nregistries = { python = ["packages.example:443"] }\n'):
        world = make_world(rules=RULES, extra=extra)
        (world.files / "work").mkdir()
        task = world.task()
        asked = step("s1", "shell.run@1", arguments={"argv": ["pip", "install", "-r", "req.txt"], "directory": "work"})
        verdict = world.harness.propose(task.id, proposal(task, asked)).verdict
        decisions.append((verdict.decision, {one.rule for one in verdict.reasons if one.decision is Decision.STEP_UP}))
    assert decisions[0] == (Decision.ALLOW, set())
    assert decisions[1][0] is Decision.STEP_UP and "baseline.consequential" in decisions[1][1]


def test_a_registry_is_named_as_host_and_port(make_world: Callable[..., World]) -> None:
    with pytest.raises(ConfigurationError):
        make_world(extra='[egress]\nregistries = { python = ["https://packages.example"] }\n')
