"""The model of a plan's life: its properties hold, its witnesses are reached, every seeded mistake is caught."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FORMAL = ROOT / "formal"
sys.path.insert(0, str(FORMAL))

import check  # noqa: E402 - a folder of scripts, not a package
import explore  # noqa: E402
import promela  # noqa: E402
import statuses  # noqa: E402

STATUSES = {
    *("proposed", "denied", "deferred", "pending", "approved", "sealed"),
    *("running", "done", "halted", "expired", "revoked", "rolled-back"),
}


@pytest.fixture(scope="module")
def sound() -> tuple[promela.Model, explore.Result]:
    model = promela.read(check.MODEL)
    return model, explore.explore(model)


@pytest.mark.parametrize("name", ["I1", "I2", "I3", "I4", "I8", "I10"])
def test_an_invariant_holds_in_every_reachable_state(sound: tuple[promela.Model, explore.Result], name: str) -> None:
    model, result = sound
    assert name in model.properties
    assert result.traces.get(name) is None


def test_every_invariant_is_stated_and_every_witness_is_reached(sound: tuple[promela.Model, explore.Result]) -> None:
    model, result = sound
    witnesses = {name for name in model.properties if name.startswith("reach_")}
    assert {name.split("_")[1] for name in witnesses} >= {"I1", "I2", "I3", "I4", "I8", "I10"}
    assert set(result.traces) == witnesses


def test_model_and_table_agree(sound: tuple[promela.Model, explore.Result]) -> None:
    model, result = sound
    assert [row.surprise for row in check.agreement(result, set(model.rules)) if row.surprise] == []
    assert result.states > 10_000


@pytest.mark.parametrize("number", check.mutants())
def test_a_seeded_mistake_breaks_its_property(number: int) -> None:
    name, _ = check.mutants()[number]
    result = explore.explore(promela.read(check.MODEL, number), until=name)
    assert len(result.traces[name]) > 1


def test_each_listed_mistake_is_seeded_and_each_invariant_has_one() -> None:
    text = check.MODEL.read_text()
    seeded = {int(number) for number in re.findall(r"#ifn?def MUTANT_(\d+)", text)}
    assert seeded == set(check.mutants())
    assert {name for name, _ in check.mutants().values()} == {"I1", "I2", "I3", "I4", "I8", "I10"}


def test_a_mistake_that_does_no_harm_is_a_surprise() -> None:
    assert check.mutant_row("python", 1, None, 1, 0.0).surprise == "python: MUTANT_1 is NOT caught by I1"
    assert check.verdict_row("python", "reach_x", None, 1, 0.0).surprise
    assert check.verdict_row("python", "I1", 3, 1, 0.0).surprise
    assert not check.verdict_row("python", "I1", None, 1, 0.0).surprise


def run(folder: Path, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a copy of check.py as a person would."""
    environment = os.environ | ({} if path is None else {"PATH": path})
    command = [sys.executable, "-B", str(folder / "check.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FORMAL, tmp_path / "formal", ignore=shutil.ignore_patterns("__pycache__")))


def test_check_passes_on_the_model_as_it_stands(copy: Path) -> None:
    done = run(copy, "--engine", "python")
    assert done.returncode == 0, done.stderr
    assert f"{len(check.mutants())} mutants" in done.stdout


def test_spin_gives_the_same_verdicts_and_states(sound: tuple[promela.Model, explore.Result], copy: Path) -> None:
    if check.missing():  # Then the second opinion cannot be had, and whoever demands it must be told.
        assert run(copy, "--engine", "both").returncode == 3
        return
    rows = check.spin_clean(sound[1].states)
    assert len(rows) == len(sound[0].properties)
    assert [row.surprise for row in rows if row.surprise] == []


@pytest.mark.slow
def test_both_engines_catch_every_mistake(copy: Path) -> None:
    done = run(copy, "--engine", "both")
    assert done.returncode == (3 if check.missing() else 0), done.stderr
    assert bool(check.missing()) != ("0 surprises, python and spin" in done.stdout)


EDITS = {
    "a guard is lost": ("life.pml", "#define IN_TIME(p) (!late[p])", "#define IN_TIME(p) 1", "I1 BROKEN"),
    "the model stands still": (
        "life.pml",
        "inline start(p) { d_step { up &&",
        "inline start(p) { d_step { !up && up &&",
        "reach_I1",
    ),
    "a mistake is no mistake": (
        "life.pml",
        "#define QUORUM(p, d) (VOTE(p, 1) == d ||",
        "#define QUORUM(p, d) (VOTE(p, 1) == d &&",
        "MUTANT_5",
    ),
    "the table loses a move": (
        "life.json",
        '  {"from": "halted", "event": "revoke", "to": "revoked"},\n',
        "",
        "statuses.pml",
    ),
}


@pytest.mark.parametrize("case", EDITS)
def test_check_fails_on_a_surprise_and_names_it(copy: Path, case: str) -> None:
    name, old, new, named = EDITS[case]
    text = (copy / name).read_text()
    assert text.count(old) == 1
    (copy / name).write_text(text.replace(old, new))
    done = run(copy, "--engine", "python")
    assert done.returncode == 1
    assert named in done.stderr


def test_check_says_which_engine_is_missing(copy: Path, tmp_path: Path) -> None:
    done = run(copy, "--engine", "both", path=str(tmp_path))
    assert done.returncode == 3
    assert "missing: spin, gcc" in done.stderr


def test_a_trace_is_printed_step_by_step(copy: Path) -> None:
    lines = run(copy, "--trace", "18").stdout.splitlines()
    assert lines[0].startswith("I8 breaks because")
    assert lines[1:] == ["propose(0)", "apply_deny(0)"]


def test_a_pair_of_statuses_names_its_event_and_an_event_its_target() -> None:
    rows = statuses.table()
    assert {status for row in rows for status in (row["from"], row["to"])} == STATUSES == set(statuses.STATUSES)
    assert len({(row["from"], row["to"]) for row in rows}) == len(rows)
    assert len({(row["event"], row["to"]) for row in rows}) == len({row["event"] for row in rows})
    assert all(set(row) == {"from", "event", "to"} for row in rows)


def test_the_model_moves_a_plan_only_by_the_tables_macros() -> None:
    assert re.findall(r"status\s*\[[^]]*\]\s*=[^=].*", check.MODEL.read_text()) == ["status[2] = absent;"]
    assert (FORMAL / "statuses.pml").read_text() == statuses.header()


def test_the_specification_states_the_same_table_and_the_same_mistakes() -> None:
    text = (ROOT / "docs" / "spec" / "life.md").read_text()
    stated = [
        {"from": origin, "event": event, "to": target}
        for event, origins, target in re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([\w-]+) \|", text, re.MULTILINE)
        for origin in origins.split(", ")
    ]
    assert sorted(map(json.dumps, stated)) == sorted(map(json.dumps, statuses.table()))
    named = re.findall(r"^\| (I\d+) \| .* \| ([\d, ]+) \|$", text, re.MULTILINE)
    assert {int(n): name for name, numbers in named for n in numbers.split(",")} == {
        number: name for number, (name, _) in check.mutants().items()
    }
