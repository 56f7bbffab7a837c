"""The benchmarks run and say what they measured; how fast anything is, no test asserts."""

from __future__ import annotations

from collections.abc import Callable

import benchmarks.__main__ as everything
import pytest
from benchmarks.measuring import Row, medians, row, table

ROW = set(Row.__annotations__)


@pytest.mark.sandbox
@pytest.mark.parametrize("name", everything.BENCHMARKS)
def test_a_benchmark_runs_and_gives_rows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("INTERLOCK_STATE", "INTERLOCK_APPROVER"):
        monkeypatch.setenv(variable, "set anew by each")
    run: Callable[..., list[Row]] = everything.BENCHMARKS[name]
    rows = run(tiny=True)
    assert len({one["name"] for one in rows}) == len(rows) > 0
    for one in rows:
        assert set(one) == ROW
        assert (one["baseline"] is None) == (one["ratio"] is None)
        assert one["value"] > 0 or one["name"].startswith("import.")


def test_a_bar_is_reached_missed_or_an_error() -> None:
    rows = [row(bar.name, 0.0, "us", 1.0) for bar in everything.BARS]
    words = [line.split()[0] for line in everything.bars(rows).splitlines()]
    assert words == ["missed" if bar.least > 0 else "ok" for bar in everything.BARS]
    assert "missed" in everything.bars([row(bar.name, 1e6, "us", 1.0) for bar in everything.BARS])
    with pytest.raises(KeyError):
        everything.bars(rows[1:])


def test_medians_are_per_unit_of_work_and_a_table_has_a_line_for_each_row() -> None:
    calls: list[int] = []
    [found] = medians((lambda: calls.append(1), 4), rounds=3)
    assert len(calls) == 4
    assert found >= 0
    lines = table([row("a", 1.5, "us", 3.0), row("b", 2, "us")]).splitlines()
    assert [line.split() for line in lines[1:]] == [["a", "1.50", "us", "3.00", "0.50"], ["b", "2.00", "us"]]
