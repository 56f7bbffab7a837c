"""The mutation tester and the size of the core: the tools count what they say, and the score stays above its bar."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from support import core_size, mutation

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


def test_the_sample_is_the_same_for_the_same_seed() -> None:
    assert mutation.sample(5, 3) == mutation.sample(5, 3) != mutation.sample(5, 4)
    assert len(mutation.every_test()) > 30
    near = mutation.near(mutation.ROOT / "src" / "interlock" / "decide" / "flow.py")
    assert Path(near[0]).name == "test_flow.py"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_score_stays_above_its_bar() -> None:
    score, survivors = mutation.score(mutation.sample(20, 2026), jobs=2)
    assert score >= 0.8, [str(mutant) for mutant in survivors]


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
