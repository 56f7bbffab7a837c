"""``python -m tests.support.mutation [--count N] [--seed S] [--jobs J]``: which seeded mistakes do the tests catch?

Each mutant is one small mistake in one file of ``artifact`` or ``decide`` (a comparison, a condition, a constant, a
returned value, a ``raise``, ``yield`` or ``+=`` that is gone).  It is written into a copy of the sources; the tests
that import the file run first, then all tests of the two packages, without sandboxes.  A mutant that fails a test or
the clock is caught.  Prints every survivor and the score.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("artifact", "decide")
SUITES = ("tests/artifact", "tests/decide", "tests/verify")
ATTACKS = ("artifacts", "policy", "references", "structure", "grant", "channel")
SKIPPED = frozenset({"channel_pb2.py", "__init__.py"})
SECONDS = 240
_FLIPS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One mistake: the file, its place in the order of all nodes, what was done there."""

    path: Path
    place: int
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}: {self.what}"


def files() -> list[Path]:
    """The files that get mistakes."""
    found = [path for name in PACKAGES for path in sorted((ROOT / "src" / "interlock" / name).rglob("*.py"))]
    return [path for path in found if path.name not in SKIPPED]


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes that decide anything: no annotations, no decorators, no bodies of protocols."""
    yield tree
    hidden = {"annotation", "returns", "decorator_list", "type_params"}
    for name, value in ast.iter_fields(tree):
        if name in hidden:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from nodes(child)


def mistake(node: ast.AST) -> str:
    """The mistake that can be made at a node, made there; nothing where there is none."""
    match node:
        case ast.Compare(ops=[op, *_]) if type(op) in _FLIPS:
            node.ops = [_FLIPS[type(op)](), *node.ops[1:]]
            return f"{type(op).__name__} becomes {type(node.ops[0]).__name__}"
        case ast.BoolOp(op=ast.And()):
            node.op = ast.Or()
            return "and becomes or"
        case ast.BoolOp():
            node.op = ast.And()
            return "or becomes and"
        case ast.If(test=test) | ast.IfExp(test=test):
            node.test = ast.UnaryOp(op=ast.Not(), operand=test)
            return "the condition is negated"
        case ast.Constant(value=bool() as value):
            node.value = not value
            return f"{value} becomes {not value}"
        case ast.Constant(value=int() as value):
            node.value = value + 1
            return f"{value} becomes {value + 1}"
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            node.value = ast.Constant(value=None)
            return "returns None"
        case ast.Raise() | ast.AugAssign() | ast.Expr(value=ast.Yield() | ast.YieldFrom()):
            gone = type(node.value if isinstance(node, ast.Expr) else node).__name__
            node.__class__ = ast.Pass  # type: ignore[assignment] - the statement, in its place
            return f"{gone} is gone"
        case _:
            return ""


def mutants(path: Path) -> list[Mutant]:
    """Every mistake that can be made in a file."""
    tree = ast.parse(path.read_text("utf-8"))
    found: list[Mutant] = []
    for place, node in enumerate(nodes(tree)):
        what = mistake(copy.copy(node))
        if what:
            found.append(Mutant(path=path, place=place, line=getattr(node, "lineno", 0), what=what))
    return found


def mutated(mutant: Mutant) -> str:
    """The file's text with the mistake in it."""
    tree = ast.parse(mutant.path.read_text("utf-8"))
    mistake(next(node for place, node in enumerate(nodes(tree)) if place == mutant.place))
    return ast.unparse(tree)


def sample(count: int, seed: int) -> list[Mutant]:
    """``count`` mutants, the same ones for the same seed and sources."""
    every = [mutant for path in files() for mutant in mutants(path)]
    return random.Random(seed).sample(every, min(count, len(every)))


def near(path: Path) -> list[str]:
    """The test files that name a module, those called after it first."""
    module = ".".join(path.relative_to(ROOT / "src").with_suffix("").parts)
    parent, _, name = module.rpartition(".")
    named = re.compile(rf"{re.escape(module)}\b|from {re.escape(parent)} import [^\n]*\b{name}\b")
    folder = path.parent.relative_to(ROOT / "src" / "interlock").as_posix()
    mirrored = f"/tests/{folder}/" if "/" in folder else f"/test_{name}"
    found = [test for test in every_test() if mirrored in test or named.search(Path(test).read_text("utf-8"))]
    return sorted(found, key=lambda test: (name not in Path(test).stem, test))


def every_test() -> list[str]:
    """The test files that are about the two packages."""
    found = [test for suite in SUITES for test in (ROOT / suite).rglob("test_*.py")]
    found += [test for name in ATTACKS for test in (ROOT / "tests" / "attacks").glob(f"test_{name}*.py")]
    return sorted(map(str, found))


def caught(mutant: Mutant) -> bool:
    """Whether some test fails on the mutant."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(shutil.copytree(ROOT / "src", Path(folder) / "src", ignore=shutil.ignore_patterns("__pycache__")))
        (source / mutant.path.relative_to(ROOT / "src")).write_text(mutated(mutant))
        return any(_fails(source, tests) for tests in (near(mutant.path), every_test()))


def _fails(source: Path, tests: Sequence[str]) -> bool:
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-m", "not slow and not sandbox", *tests]
    environment = os.environ | {"PYTHONPATH": str(source), "CI": "1", "PYTHONHASHSEED": "0"}
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS, check=False
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return True
    return bool(tests) and done.returncode not in {0, 5}


def score(chosen: Sequence[Mutant], jobs: int) -> tuple[float, list[Mutant]]:
    """The share that was caught, and what was not."""
    with ThreadPoolExecutor(jobs) as pool:
        survivors: list[Mutant] = []
        for number, (mutant, found) in enumerate(zip(chosen, pool.map(caught, chosen), strict=True), 1):
            print(f"{number:>4}  {'caught  ' if found else 'SURVIVED'}  {mutant}", flush=True)
            survivors += [] if found else [mutant]
    return 1 - len(survivors) / len(chosen), survivors


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; exit code 1 where the score is below the bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--bar", type=float, default=0.8)
    parser.add_argument("--only", default="", help="a part of a path, to look at some files alone")
    parser.add_argument("--deselect", action="append", default=[], help="a test that fails without any mistake")
    options = parser.parse_args(arguments)
    os.environ["PYTEST_ADDOPTS"] = " ".join(f"--deselect={test}" for test in options.deselect)
    if _fails(ROOT / "src", every_test()):
        print("the tests fail without any mistake: mend that first")
        return 2
    chosen = [one for one in sample(options.count, options.seed) if options.only in str(one.path)]
    found, survivors = score(chosen, options.jobs)
    print(f"\n{len(chosen) - len(survivors)} of {len(chosen)} mistakes are caught: {found:.2f} (bar {options.bar})")
    return 0 if found >= options.bar else 1


if __name__ == "__main__":
    sys.exit(main())
