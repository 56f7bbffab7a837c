"""Runs the tests that reach a changed line of ``artifact`` or ``decide``, on a copy of the sources, until one fails.

The tests run once without any change, under coverage that notes which test reaches which line.  After that each run
is a fork of this process, which has loaded all that the tests import but the project itself.  A line that runs when
its module is loaded is reached by every test.  A run that needs several times the processor time that its tests did,
or too much memory, or in which a test waits without end, counts as failed.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import math
import os
import re
import resource
import shutil
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Self

import _hypothesis_pytestplugin
import coverage
import pytest
import pytest_timeout

ROOT = Path(__file__).resolve().parents[2]
SUITES = ("tests/artifact", "tests/decide", "tests/verify")
ATTACKS = ("artifacts", "policy", "references", "structure", "grant", "channel")
GENERAL = frozenset({"test_values", "test_bounds"})
MEASURES_TIME = frozenset({"test_imports.py"})
SECONDS = 20
WAITING = 120
MEMORY = 8 << 30
LONG = 0.2
_OWN = re.compile(r"(interlock|tests|support|conftest|test_\w+|__\w+)(\.|$)")


def every_test() -> list[str]:
    """The test files that are about the two packages and do not measure time."""
    found = [test for suite in SUITES for test in (ROOT / suite).rglob("test_*.py")]
    found += [test for name in ATTACKS for test in (ROOT / "tests" / "attacks").glob(f"test_{name}*.py")]
    return sorted(str(test.relative_to(ROOT)) for test in found if test.name not in MEASURES_TIME)


class Tests:
    """The tests, what each reaches, and a copy of the sources to change."""

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="mutation-"))
        self._source = self._folder / "src"
        shutil.copytree(ROOT / "src", self._source, ignore=shutil.ignore_patterns("__pycache__"))
        code = _fork(self._source, every_test(), Watch(self._folder), seconds=900)
        found = json.loads((self._folder / "run.json").read_text())
        if code != 0:
            self.__exit__()
            raise SystemExit(f"mend first what fails without any mistake: {found['failed']}")
        self._took: dict[str, float] = found["took"]
        _load(found["modules"])
        data = coverage.CoverageData(str(self._folder / "coverage"))
        data.read()
        self._reached = {file: data.contexts_by_lineno(file) for file in data.measured_files()}
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder)

    def catch(self, path: Path, text: str, reach: Iterable[int] | None) -> bool:
        """Whether some test fails when a file has another text, which differs on the lines of ``reach``."""
        place = self._source / path.relative_to(ROOT / "src")
        tests = self.reaching(place, reach)
        try:
            _write(place, text)
            return any(map(self._fails, _rounds(path, tests)))
        finally:
            _write(place, path.read_text("utf-8"))

    def _fails(self, tests: Collection[str]) -> bool:
        seconds = SECONDS + 3 * math.ceil(sum(self._took[test] for test in tests))
        code = _fork(self._source, sorted(set(map(_file, tests))), Choice(tests, self._took), seconds)
        return code not in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}

    def reaching(self, place: Path, reach: Iterable[int] | None) -> Collection[str]:
        """The tests that run one of the lines; all tests for lines that run when a module is loaded."""
        if reach is None:
            return self._took.keys()
        lines = self._reached.get(str(place), {})
        found = {name for line in reach for name in lines.get(line, ())}
        return self._took.keys() if "" in found else {test for test in self._took if {test, _file(test)} & found}


def _rounds(path: Path, tests: Collection[str]) -> Iterator[Collection[str]]:
    """The tests in two parts: of the files that are about a module or say something of all of them; all others."""
    most = [file for file, _ in Counter(map(_file, tests)).most_common(1)]
    names = {file: Path(file).stem for file in set(map(_file, tests))}
    about = {file for file, name in names.items() if path.stem in name or name in GENERAL or file in most}
    near = {test for test in tests if _file(test) in about}
    yield from (some for some in (near, set(tests) - near) if some)


def _file(test: str) -> str:
    return test.partition("::")[0]


def _write(place: Path, text: str) -> None:
    place.write_text(text, "utf-8")
    Path(importlib.util.cache_from_source(str(place))).unlink(missing_ok=True)


def _load(modules: Iterable[str]) -> None:
    for name in modules:
        if not _OWN.match(name):
            try:
                importlib.import_module(name)
            except ImportError:
                continue


def _fork(source: Path, files: list[str], plugin: object, seconds: int) -> int:
    """Run the tests of some files in a child process; what it says: 0 is passed."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            code = _run(source, files, plugin, seconds)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _run(source: Path, files: list[str], plugin: object, seconds: int) -> int:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    os.chdir(ROOT)
    os.environ["PYTHONPATH"] = str(source)
    sys.path.insert(0, str(source))
    sys.dont_write_bytecode = not isinstance(plugin, Watch)
    if isinstance(plugin, Watch):
        plugin.start()
    options = ["-q", "-x", "-m", "not slow and not sandbox", "--timeout", str(WAITING)]
    return int(pytest.main([*options, *files], plugins=[pytest_timeout, _hypothesis_pytestplugin, plugin]))


class Watch:
    """Notes which test, or which file when it is loaded, reaches which line, and how long each test takes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._took: dict[str, float] = defaultdict(float)
        self._failed: list[str] = []
        include = [str(folder / "src" / "interlock" / name / "*") for name in ("artifact", "decide")]
        self._coverage = coverage.Coverage(data_file=str(folder / "coverage"), config_file=False, include=include)

    def start(self) -> None:
        """Begin before anything is loaded: what runs then has no test's name."""
        self._coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Iterator[None]:
        self._coverage.switch_context(collector.nodeid.partition("::")[0])
        return (yield)

    def pytest_collection_finish(self) -> None:
        own = [module for name, module in sys.modules.items() if _OWN.match(name)]
        self._caches = {value for module in own for value in vars(module).values() if hasattr(value, "cache_clear")}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        for cache in self._caches:
            cache.cache_clear()  # Each test reaches by itself what it rests on.
        self._coverage.switch_context(item.nodeid)
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._took[report.nodeid] += report.duration
        self._failed += [report.nodeid] if report.failed else []

    def pytest_sessionfinish(self) -> None:
        self._coverage.stop()
        self._coverage.save()
        found = {"took": self._took, "failed": self._failed, "modules": list(sys.modules)}
        (self._folder / "run.json").write_text(json.dumps(found))


class Choice:
    """Keeps some tests; the long ones run last."""

    def __init__(self, tests: Collection[str], took: dict[str, float]) -> None:
        self._tests = tests
        self._took = took

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        kept = [item for item in items if item.nodeid in self._tests]
        items[:] = sorted(kept, key=lambda item: self._took[item.nodeid] > LONG)
