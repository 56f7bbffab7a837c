"""A step that is confined to its claim tries for more: beside a file, below a folder, in what it reads."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.attacks.test_hostile_analyst import file, owned, says, shell
from tests.support.world import World, proposal, step, write

from interlock.artifact.action import Effect
from interlock.artifact.analysis import Analysis
from interlock.artifact.plan import ProposedStep
from interlock.artifact.resources import Touched
from interlock.artifact.verdict import Decision
from interlock.decide.life import Status
from interlock.harness.ledger.export import lines
from interlock.harness.rows import ClaimRow
from interlock.verify import verify_bundle

pytestmark = pytest.mark.sandbox
RULES = """
rules:
  - {allow: "*", id: all}
  - {verify: "*", id: later, access: [write, delete], path: ["**/.envrc", "**/.husky/**", "**/.git/config"]}
  - {deny: "*", id: keys, path: ["**/*.pem", "**/.keys/**"]}
"""
PROGRAMS = ("bash", "cat", "chmod", "cp", "ln", "ls", "mkdir", "mv", "rm", "rmdir", "sed", "touch")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Outside of the folder that every step has for itself, as workspaces are."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        found = World(Path(place), monkeypatch, rules=RULES)
        work = found.files / "work"
        (work / "sub").mkdir(parents=True)
        for name in ("a.txt", "b.txt", "sub/c.txt", "tls.pem", "sub/.envrc"):
            (work / name).write_text(name)
        (work / "link").symlink_to("a.txt")
        yield found
        found.close()


def state(world: World) -> dict[str, str]:
    """Everything below the folder: content, where links lead, the modes of folders."""
    found: dict[str, str] = {}
    for path in sorted((world.files / "work").rglob("*")):
        told = oct(path.stat().st_mode) if path.is_dir() and not path.is_symlink() else ""
        found[str(path)] = os.readlink(path) if path.is_symlink() else told or path.read_text()
    return found | {"work": oct((world.files / "work").stat().st_mode)}


def claim(world: World, *found: str, programs: tuple[str, ...] = PROGRAMS) -> Analysis:
    """``write a.txt``, ``delete* sub`` …, of paths in the folder ``work``."""
    touched: list[Touched] = []
    for text in found:
        access, _, name = text.partition(" ")
        path = os.path.normpath(world.files / "work" / name)
        touched.append(file(path, Effect(access.rstrip("*")), recursive=access.endswith("*")))
    return Analysis(touched=tuple(touched), programs=programs)


def run(world: World, step: ProposedStep, task: str = "") -> tuple[Status, ClaimRow]:
    told = world.harness.core.store.task(task).task if task else world.task()
    decided = world.harness.propose(told.id, proposal(told, step))
    assert decided.digest is not None
    if decided.status is Status.PENDING:
        world.harness.approve(world.approval(decided.digest))
    status = world.harness.execute(decided.digest)
    [done] = world.harness.core.store.claims(decided.digest)
    return status, done


BESIDE: dict[str, tuple[tuple[str, ...], str]] = {
    "change a neighbour": (("write new",), "echo x > b.txt"),
    "remove a neighbour": (("write new",), "rm -f b.txt"),
    "move a neighbour away": (("delete a.txt",), "mv b.txt c.txt"),
    "put another in a neighbour's place": (("write new",), "echo x > new; mv -f new b.txt"),
    "write into a folder beside it": (("write new",), "echo x > sub/c.txt; echo x > sub/new"),
    "remove a folder beside it": (("delete a.txt",), "rm -rf sub"),
    "make a name that was not claimed": (("write new",), "echo x > new; echo x > other"),
    "make a folder that was not claimed": (("write a.txt",), "mkdir -p deep/down; echo x > deep/down/.envrc"),
    "lead a link elsewhere": (("write new",), "ln -sfn b.txt link"),
    "remove a link": (("delete a.txt",), "rm -f link"),
    "close the folder": (("write new",), "echo x > new; chmod 0 ."),
    "write beside a file that it replaces": (("write a.txt",), "sed -i s/a/b/ a.txt; echo x > sub/c.txt; echo > other"),
}  # fmt: skip


@pytest.mark.parametrize("name", BESIDE)
def test_what_stands_beside_a_claimed_file_stays(world: World, name: str) -> None:
    claimed, script = BESIDE[name]
    owned(world, says(claim(world, *claimed)))
    before, (status, done) = state(world), run(world, shell("bash", "-c", script))
    assert (status, done.code) in {(Status.DONE, ""), (Status.HALTED, "step.unclaimed"), (Status.HALTED, "shell.exit")}
    changed = {path.rpartition("/")[2] for path, _ in before.items() ^ state(world).items()}
    assert changed <= {one.partition(" ")[2] for one in claimed}
    if done.code == "step.unclaimed":
        assert (done.state, state(world)) == ("failed", before)


def test_what_stands_beside_a_claimed_file_is_not_read(world: World) -> None:
    owned(world, says(claim(world, "write new")))
    status, done = run(world, shell("bash", "-c", "cat b.txt sub/c.txt > new; ls"))
    assert (status, b"b.txt" in (done.output or b"")) == (Status.DONE, True)  # The names can be seen.
    assert (world.files / "work" / "new").read_text() == ""


MEANT: dict[str, tuple[tuple[str, ...], str, str]] = {
    "a file that is replaced": (("read a.txt", "write a.txt"), "sed -i s/a/b/ a.txt", "b.txt"),
    "a file that is written in place": (("write a.txt",), "echo x > a.txt", "x\n"),
    "a file that is moved over another": (("read b.txt", "delete b.txt", "write a.txt"), "mv b.txt a.txt", "b.txt"),
    "one read and one made": (("read* .", "write a.txt"), "cat sub/c.txt > a.txt", "sub/c.txt"),
}


@pytest.mark.parametrize("name", MEANT)
def test_what_is_claimed_can_be_done(world: World, name: str) -> None:
    claimed, script, text = MEANT[name]
    owned(world, says(claim(world, *claimed)))
    status, done = run(world, shell("bash", "-c", script))
    assert (status, done.code) == (Status.DONE, "")
    assert (world.files / "work" / "a.txt").read_text() == text


UNASKED = {
    "a file that would be asked about": "echo x > .envrc",
    "one that is there": "echo x > sub/.envrc",
    "one that goes": "rm sub/.envrc",
    "one deep down": "mkdir -p a/b/.husky; echo x > a/b/.husky/pre-push",
    "a repository's own": "mkdir -p r/.git; echo x > r/.git/config",
}


@pytest.mark.parametrize("name", UNASKED)
def test_nobody_was_asked_about_it_below_a_folder(world: World, name: str) -> None:
    owned(world, says(claim(world, "read* .", "write* .")))
    before, (status, done) = state(world), run(world, shell("bash", "-c", f"echo x > a.txt; {UNASKED[name]}"))
    assert (status, done.code, done.state) == (Status.HALTED, "step.unasked", "failed")
    assert state(world) == before
    core = world.harness.core
    verify_bundle(lines(core.ledger, range(core.ledger.size)), [core.ledger.key], keyring=core.keys.keyring)


def test_what_was_put_back_does_not_stand_in_the_way_of_a_rollback(world: World) -> None:
    owned(world, says(claim(world, "read* .", "write* .")))
    task = world.task()
    first = write("s0", "work/first.txt", "x")
    second = shell("bash", "-c", "echo told; echo x > .envrc")
    decided = world.harness.propose(task.id, proposal(task, first, second))
    assert world.harness.execute(decided.digest or "") is Status.HALTED
    told = [(one.step, one.state) for one in world.harness.rollback(decided.digest or "")]
    assert told == [("s1", "nothing to undo"), ("s0", "undone")]
    assert not (world.files / "work" / "first.txt").exists()


CLOSING = {
    "a folder that was there": "chmod 0 sub",
    "one that it makes, with something in it": "mkdir -p .husky/in; echo x > .husky/in/x; chmod 0 .husky/in .husky",
    "a file": "echo x > sub/.envrc; chmod 0 sub/.envrc",
    "no file at all": "mkfifo sub/.envrc.fifo; echo x > .envrc",
}


@pytest.mark.parametrize("name", CLOSING)
def test_what_is_closed_cannot_be_kept_from_being_put_back(world: World, name: str) -> None:
    owned(world, says(claim(world, "read* .", "write* .", programs=(*PROGRAMS, "mkfifo"))))
    before, (status, done) = state(world), run(world, shell("bash", "-c", CLOSING[name]))
    assert (status, done.code in {"step.closed", "step.unasked"}, done.state) == (Status.HALTED, True, "failed")
    assert state(world) == before


def test_what_was_claimed_to_be_closed_and_made_can_be_taken_back(world: World) -> None:
    """A file without rights, and folders that are made on the way to one."""
    owned(world, says(claim(world, "write a.txt", "write one/two/new")))
    before, (status, _) = (
        state(world),
        run(world, shell("bash", "-c", "mkdir -p one/two; echo > one/two/new; chmod 0 a.txt")),
    )
    assert status is Status.DONE and (world.files / "work" / "one" / "two" / "new").exists()
    [plan] = [row.digest for row in world.harness.core.store.plans() if row.status is Status.DONE]
    assert [one.state for one in world.harness.rollback(plan)] == ["undone"]
    assert state(world) == before
    core = world.harness.core
    verify_bundle(lines(core.ledger, range(core.ledger.size)), [core.ledger.key], keyring=core.keys.keyring)


def test_it_is_asked_about_when_it_is_proposed_again(world: World) -> None:
    owned(world, says(claim(world, "read* .", "write* .")))
    task, step = world.task(), shell("bash", "-c", "echo x > a.txt; echo x > .envrc")
    run(world, step, task.id)
    asked = world.harness.propose(task.id, proposal(task, step))
    assert asked.verdict.decision is Decision.STEP_UP and asked.digest is not None
    assert ("policy.confirm", "later") in {(one.code, one.rule) for one in asked.verdict.reasons}
    world.harness.approve(world.approval(asked.digest))
    assert world.harness.execute(asked.digest) is Status.DONE
    assert (world.files / "work" / ".envrc").read_text() == "x\n"
    before = world.harness.rollback(asked.digest)
    assert [one.state for one in before] == ["undone"] and not (world.files / "work" / ".envrc").exists()
    another = world.harness.propose(task.id, proposal(task, shell("bash", "-c", "echo x > a.txt")))
    assert another.verdict.decision is Decision.ALLOW


PASSES = {
    "a key that was not there": "echo x > new.pem",
    "what others have published": "mkdir -p node_modules/x; echo x > node_modules/x/.envrc",
    "an empty folder": "mkdir .husky",
}


@pytest.mark.parametrize("name", PASSES)
def test_what_harms_nobody_below_a_folder_passes(world: World, name: str) -> None:
    owned(world, says(claim(world, "read* .", "write* .")))
    status, done = run(world, shell("bash", "-c", PASSES[name]))
    assert (status, done.code) == (Status.DONE, "")


def test_a_folder_that_is_removed_takes_its_files_along(world: World) -> None:
    owned(world, says(claim(world, "delete* sub")))
    assert run(world, shell("rm", "-r", "sub"))[0] is Status.DONE
    assert not (world.files / "work" / "sub").exists()


READS = {
    "by a program that reads the folder": (("read* .",), "cat tls.pem sub/.keys/k"),
    "by one that copies it": (("read* .", "write* ../copy"), "cp -r . ../copy; cat ../copy/tls.pem ../copy/sub/.keys/k"),
    "by one that writes the folder": (("read* .", "write* ."), "cat tls.pem; rm -f tls.pem; cat sub/.keys/k; true"),
}  # fmt: skip


@pytest.mark.parametrize("name", READS)
def test_what_would_be_denied_by_itself_is_not_there(world: World, name: str) -> None:
    claimed, script = READS[name]
    (world.files / "work" / "sub" / ".envrc").unlink()
    (world.files / "work" / "sub" / ".keys").mkdir()
    (world.files / "work" / "sub" / ".keys" / "k").write_text("secret")
    owned(world, says(claim(world, *claimed)))
    before, (_, done) = state(world), run(world, shell("bash", "-c", script))
    assert b"secret" not in (done.output or b"") and b'"stdout":""' in (done.output or b"")
    assert {path: text for path, text in state(world).items() if path in before} == before


def test_a_narrow_action_does_not_find_it_either(world: World) -> None:
    subprocess.run(["git", "init", "-q", world.files / "work"], check=True)
    subprocess.run(["git", "-C", world.files / "work", "add", "-A"], check=True)
    (world.files / "work" / "tls.pem").write_text("secret")
    task, copying = world.task(), {"source": "work", "destination": "copy"}
    seen = world.harness.observe(task.id, "git.diff@1", {"directory": "work"})
    assert "secret" not in str(seen.value) and "tls.pem" in str(seen.value)
    run(world, step("s1", "files.copy@1", arguments=copying))
    assert (world.files / "copy" / "a.txt").read_text() == "a.txt"
    assert (world.files / "copy" / "tls.pem").read_text() == ""


def test_a_file_with_another_name_stays_below_a_folder_that_is_written(world: World) -> None:
    os.link(world.files / "work" / "b.txt", world.files / "elsewhere")
    owned(world, says(claim(world, "read* .", "write* .")))
    _, done = run(world, shell("bash", "-c", "cat b.txt; echo x > a.txt; echo x > b.txt"))
    assert done.code == "shell.exit" and b'"stdout":"b.txt"' in (done.output or b"")
    assert (world.files / "elsewhere").read_text() == "b.txt"


def test_git_cannot_take_what_is_withheld_for_an_empty_file(world: World) -> None:
    owned(world, says(claim(world, "read* .", "write* .", programs=("git", "bash", "cat"))))
    subprocess.run(["git", "init", "-q", world.files / "work"], check=True)
    _, done = run(world, shell("bash", "-c", "git add b.txt && git add tls.pem"))
    assert done.code == "shell.exit" and b"Permission denied" in (done.output or b"")


def test_more_than_can_be_looked_at_is_not_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlock.harness.withholding.MAX_NAMES", 3)
    owned(world, says(claim(world, "read* .")))
    assert run(world, shell("ls"))[1].code == "step.too_many"
