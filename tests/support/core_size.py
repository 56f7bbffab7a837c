"""How large the trusted core is: lines of code without blank lines, comments and docstrings.

The trusted core is ``artifact`` without generated code, ``decide``, and ``harness`` without its store back ends.
Prints one figure per package and their sum; the exit code is always 0, because the figure is to be read, not gamed.

>>> code_lines('"Docstring."\\n\\nx = 1  # why\\n# a comment\\ny = (\\n    2\\n)\\n')
4
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src" / "interlock"
PACKAGES = ("artifact", "decide", "harness")
BACK_ENDS = frozenset({"harness/store.py", "harness/rows.py", "harness/blobs.py", "harness/ledger/tables.py"})
_NO_CODE = frozenset(
    {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
)


def code_lines(text: str) -> int:
    """How many lines of ``text`` hold code."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - set(_docstrings(ast.parse(text))))


def _docstrings(tree: ast.Module) -> Iterator[int]:
    """The lines of every text that stands alone as a statement."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield from range(node.lineno, (node.end_lineno or node.lineno) + 1)


def core_files(package: str) -> list[Path]:
    """The files of one package that belong to the trusted core."""
    found = sorted((SOURCE / package).rglob("*.py"))
    return [path for path in found if not path.stem.endswith("_pb2") and _name(path) not in BACK_ENDS]


def _name(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def sizes() -> dict[str, int]:
    """Lines of code by folder of the trusted core."""
    found: dict[str, int] = {}
    for package in PACKAGES:
        for path in core_files(package):
            folder = path.parent.relative_to(SOURCE).as_posix()
            found[folder] = found.get(folder, 0) + code_lines(path.read_text("utf-8"))
    return found


def main() -> int:
    """Print the figures."""
    found = sizes()
    for folder, count in found.items():
        print(f"{folder:<24}{count:>6}")
    for package in PACKAGES:
        print(f"{package + ' in all':<24}{sum(n for name, n in found.items() if name.split('/')[0] == package):>6}")
    print(f"{'trusted core':<24}{sum(found.values()):>6}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
