"""``python -m tests.support.mutation [--share S] [--seed N] [--only PART]``: which seeded mistakes do the tests catch?

Each mutant is one small mistake in one file of ``artifact`` or ``decide`` (a comparison, a condition, a constant, a
returned value, a ``raise``, ``yield`` or ``+=`` that is gone).  Every file gets its share of them, the same ones for
the same seed and text.  ``support.catching`` runs the tests that reach the mistake; one that fails, or that does not
end, catches it.  Prints every survivor with file, line and change, and the score; exit code 1 below the bar.
"""

from __future__ import annotations

import argparse
import ast
import copy
import math
import os
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support import catching
from tests.support.catching import ROOT

PACKAGES = ("artifact", "decide")
SKIPPED = frozenset({"channel_pb2.py", "__init__.py"})
BAR = 0.9
_FIXED = {"PYTHONHASHSEED": "0", "CI": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "OPENBLAS_NUM_THREADS": "1"}
_FLIPS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_HIDDEN = frozenset({"annotation", "returns", "decorator_list", "type_params"})


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One mistake: the file, its place in the order of all nodes, the lines that lead there, what was done."""

    path: Path
    place: int
    line: int
    reach: range
    called: bool
    what: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}: {self.what}"


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A node, the lines of its statement, and whether these run when a function is called."""

    node: ast.AST
    reach: range
    called: bool


def files() -> list[Path]:
    """The files that get mistakes."""
    found = [path for name in PACKAGES for path in sorted((ROOT / "src" / "interlock" / name).rglob("*.py"))]
    return [path for path in found if path.name not in SKIPPED]


def spots(node: ast.AST, reach: range = range(0), *, called: bool = False) -> Iterator[Spot]:
    """All nodes that decide anything: no annotations, no decorators, nothing that ``equal`` knows to be idle."""
    if equal(node):
        return
    reach = _reach(node) or reach
    yield Spot(node=node, reach=reach, called=called)
    inside = isinstance(node, ast.FunctionDef)
    for name, child in _parts(node):
        yield from spots(child, reach, called=called or (inside and name == "body"))


def equal(node: ast.AST) -> bool:
    """Whether a mistake here changes nothing that a test could see."""
    match node:
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True  # Only the type checker reads it.
        case ast.keyword(arg="maxsize") | ast.Assign(targets=[ast.Name(id="MAX_REMEMBERED")]):
            return True  # How much a cache keeps: the answers are the same.
        case ast.Assign(targets=[ast.Name(id="approvals")], value=ast.Constant(value=0)):
            return True  # The gate counts from none; ``strictest`` asks at least one person wherever it asks.
        case _:
            return False


def _parts(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    hidden = _HIDDEN
    match node:
        case ast.Call(func=ast.Name(id="zip")):
            hidden |= {"keywords"}  # ``strict`` guards what the lines around it make equally long.
        case ast.FormattedValue(value=ast.Subscript()):
            return  # How much of a text a message quotes.
        case _:
            pass
    for name, value in ast.iter_fields(node):
        if name not in hidden:
            yield from (
                (name, one) for one in (value if isinstance(value, list) else [value]) if isinstance(one, ast.AST)
            )


def _reach(node: ast.AST) -> range:
    """The lines of a statement without those of its body; nothing where a node is no statement."""
    body: list[ast.stmt] = getattr(node, "body", [])
    match node:
        case ast.match_case():
            return range(node.pattern.lineno, max(body[0].lineno, node.pattern.lineno + 1))
        case ast.Match():
            return range(node.lineno, (node.subject.end_lineno or node.lineno) + 1)
        case ast.stmt() if body:
            return range(node.lineno, max(body[0].lineno, node.lineno + 1))
        case ast.stmt():
            return range(node.lineno, (node.end_lineno or node.lineno) + 1)
        case _:
            return range(0)


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
        case ast.Return(value=ast.expr() as value) if not _is_no(value):
            node.value = ast.Constant(value=None)
            return "returns None"
        case ast.Raise() | ast.AugAssign() | ast.Expr(value=ast.Yield() | ast.YieldFrom()):
            gone = type(node.value if isinstance(node, ast.Expr) else node).__name__
            node.__class__ = ast.Pass  # type: ignore[assignment] - the statement, in its place
            return f"{gone} is gone"
        case _:
            return ""


def _is_no(value: ast.expr) -> bool:
    """None and False say the same to whoever asks; that False becomes True is a mistake of its own."""
    return isinstance(value, ast.Constant) and (value.value is None or value.value is False)


def mutants(path: Path) -> list[Mutant]:
    """Every mistake that can be made in a file."""
    found: list[Mutant] = []
    for place, spot in enumerate(spots(ast.parse(path.read_text("utf-8")))):
        line = getattr(spot.node, "lineno", 0)
        what = mistake(copy.copy(spot.node))
        if what:
            found.append(Mutant(path=path, place=place, line=line, reach=spot.reach, called=spot.called, what=what))
    return found


def mutated(mutant: Mutant) -> str:
    """The file's text with the mistake in it."""
    tree = ast.parse(mutant.path.read_text("utf-8"))
    mistake(next(spot.node for place, spot in enumerate(spots(tree)) if place == mutant.place))
    return ast.unparse(tree)


def sample(share: float, seed: int) -> list[Mutant]:
    """A share of every file's mutants, at least one; what is drawn from a file depends on no other file."""
    found: list[Mutant] = []
    for path in files():
        every = mutants(path)
        rng = random.Random(f"{seed} {path.relative_to(ROOT)}")
        found += sorted(rng.sample(every, math.ceil(len(every) * share)), key=lambda one: one.place)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; exit code 1 where the score is below the bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--bar", type=float, default=BAR)
    parser.add_argument("--only", default="", help="a part of a path, to look at some files alone")
    options = parser.parse_args(arguments)
    chosen = [one for one in sample(options.share, options.seed) if options.only in str(one.path)]
    survivors: list[Mutant] = []
    with catching.Tests() as tests:
        for number, mutant in enumerate(chosen, 1):
            found = tests.catch(mutant.path, mutated(mutant), mutant.reach if mutant.called else None)
            print(f"{number:>4}  {'caught  ' if found else 'SURVIVED'}  {mutant}", flush=True)
            survivors += [] if found else [mutant]
    print("\nSurvivors:", *(survivors or ["none"]), sep="\n  ")
    score = 1 - len(survivors) / len(chosen)
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} mistakes are caught: {score:.3f} (bar {options.bar})")
    return 0 if score >= options.bar else 1


if __name__ == "__main__":
    if _FIXED.items() - os.environ.items():
        os.execve(sys.executable, [sys.executable, "-m", "tests.support.mutation", *sys.argv[1:]], os.environ | _FIXED)
    sys.exit(main())
