"""The mutation tester and the size of the core: the tools count what they say, and the score stays above its bar."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support import catching, mutation

from support import core_size

TEXT = '''"""Docstring."""
# a comment

def f(a, b: int = 3):
    """Another."""
    if a < b and a:
        raise ValueError
    return (
        a
    )
'''


def test_every_mistake_changes_the_file_and_still_parses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutation, "ROOT", tmp_path)
    path = tmp_path / "m.py"
    path.write_text(TEXT)
    sound = ast.unparse(ast.parse(TEXT))
    found = mutation.mutants(path)
    texts = [mutation.mutated(mutant) for mutant in found]
    assert {mutant.what.split(":")[-1].strip() for mutant in found} == {
        "3 becomes 4", "and becomes or", "Lt becomes LtE", "Raise is gone", "returns None", "the condition is negated",
    }  # fmt: skip
    assert sound not in texts and len(set(texts)) == len(found) == 6
    assert str(found[0]).startswith("m.py:")


IDLE = """
if TYPE_CHECKING:
    x = 1
@functools.lru_cache(maxsize=256)
def f(a: list[int], b: list[int]) -> bool:
    g = lru_cache(maxsize=4096)(f)
    if zip(a, b, strict=True):
        raise ValueError(f"no {a[:64]}")
    return False
"""


def test_no_mistake_is_made_where_none_could_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutation, "ROOT", tmp_path)
    path = tmp_path / "m.py"
    path.write_text(IDLE)
    assert [mutant.what for mutant in mutation.mutants(path)] == [
        "the condition is negated", "Raise is gone", "False becomes True",
    ]  # fmt: skip


def test_a_mistake_is_reached_by_the_lines_of_its_statement(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    path.write_text(TEXT.replace("b: int = 3", "b=3"))
    found = {mutant.what: (mutant.called, [*mutant.reach]) for mutant in mutation.mutants(path)}
    assert found["3 becomes 4"] == (False, [4])
    assert found["the condition is negated"] == found["Lt becomes LtE"] == (True, [6])
    assert found["returns None"] == (True, [8, 9, 10])


def test_the_sample_takes_of_every_file_and_is_the_same_for_the_same_seed() -> None:
    assert mutation.sample(0.01, 3) == mutation.sample(0.01, 3) != mutation.sample(0.01, 4)
    assert {mutant.path for mutant in mutation.sample(0.01, 3)} == set(mutation.files())
    assert len(catching.every_test()) > 30


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_score_stays_above_its_bar(capsys: pytest.CaptureFixture[str]) -> None:
    command = [sys.executable, "-m", "tests.support.mutation", "--bar", str(mutation.BAR)]
    done = subprocess.run(command, cwd=catching.ROOT, capture_output=True, text=True, check=False)
    told = done.stdout.partition("Survivors:")[2] or done.stderr
    with capsys.disabled():
        print(f"\nSurvivors:{told}")
    assert done.returncode == 0, told


def test_lines_of_code_are_counted_without_comments_and_docstrings() -> None:
    assert core_size.code_lines(TEXT) == 6
    assert core_size.code_lines('"Docstring."\n\nx = 1  # why\n# a comment\ny = (\n    2\n)\n') == 4
    assert core_size.code_lines("") == 0


def test_the_core_leaves_out_generated_code_and_back_ends() -> None:
    named = {path.name for package in core_size.PACKAGES for path in core_size.core_files(package)}
    assert "channel_pb2.py" not in named and {"codec.py", "gate.py", "service.py"} <= named
    harness = {path.relative_to(core_size.SOURCE).as_posix() for path in core_size.core_files("harness")}
    assert not harness & core_size.BACK_ENDS
    assert all((core_size.SOURCE / name).exists() for name in core_size.BACK_ENDS)
    assert sum(core_size.sizes().values()) > 1000
    assert core_size.main() == 0
