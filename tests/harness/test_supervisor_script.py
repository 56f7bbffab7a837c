"""``run_script`` and the report for ``doctor``, as the command line uses them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from interlock.harness.sandbox.probes import FULL
from interlock.harness.sandbox.profiles import PROFILES, Role, Violation
from interlock.harness.supervisor_script import describe, probe_report, run_script

pytestmark = pytest.mark.sandbox

_TESTS = Path(__file__).resolve().parents[1]
_SCRIPT = """
import sys
print("out", sys.argv[1:], __name__, flush=True)
print("err", file=sys.stderr)
try:
    open("/etc/passwd")
except OSError as error:
    print(error.strerror)
sys.exit(5)
"""


def _pipes() -> tuple[list[int], list[int]]:
    first, second = os.pipe(), os.pipe()
    return [first[0], second[0]], [first[1], second[1]]


@pytest.mark.parametrize("role", ["planner", "executor", "step"])
def test_a_script_runs_with_its_arguments_output_and_code(role: Role, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(_SCRIPT)
    reads, writes = _pipes()
    code = run_script(role, script, ("a", "b c"), stdout=writes[0], stderr=writes[1])
    for descriptor in writes:
        os.close(descriptor)
    out, err = (os.read(descriptor, 9999).decode() for descriptor in reads)
    for descriptor in reads:
        os.close(descriptor)
    assert code == 5
    told = f"interlock: separation violation: the {role} (pid "
    if role == "step":
        assert out == "out ['a', 'b c'] __main__\n"
        assert err == "err\n"
    else:
        assert out == "out ['a', 'b c'] __main__\nOperation not permitted\n"
        assert err.startswith("err\n" + told)
        assert err.endswith(" tried openat '/etc/passwd'\n")


def test_more_output_than_a_pipe_holds_arrives(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("print('x' * 1_000_000)")
    with (tmp_path / "out").open("wb") as target:
        assert run_script("planner", script, stdout=target.fileno()) == 0
    assert (tmp_path / "out").stat().st_size == 1_000_001


def test_a_script_that_is_not_there_is_the_callers_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run_script("planner", tmp_path / "missing.py")


def test_what_a_child_says_is_quoted() -> None:
    line = describe(Violation(role="step", pid=7, syscall="openat", detail="/x\ninterlock: all is well"))
    assert line == r"interlock: separation violation: the step (pid 7) tried openat '/x\ninterlock: all is well'"


def _check(report: str) -> None:
    assert report == f"True {len(PROFILES) * len(FULL)}"


_REPORT = "from interlock.harness.supervisor_script import probe_report as p; r = p(); print(r.holds, len(r.outcomes), end='')"


def test_every_canary_of_every_role_is_refused() -> None:
    report = probe_report()
    assert report.failures == ()
    assert [outcome for outcome in report.outcomes if not outcome.refused] == []
    _check(f"{report.holds} {len(report.outcomes)}")
    assert {name for name, _ in report.layers} == {"kernel", "namespaces", "landlock", "seccomp", "identity"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_every_canary_is_refused_for_an_ordinary_user_too() -> None:
    words = [sys.executable, str(_TESTS / "attacks/escape/as_user.py"), "65534", sys.executable, "-c", _REPORT]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    _check(done.stdout)


def test_a_report_with_nothing_in_it_does_not_hold() -> None:
    assert not probe_report(()).holds
