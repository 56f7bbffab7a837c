"""Python: what a text would do if it ran, read from its syntax tree; nothing of it is executed.

All of the text counts, whether or not it would be reached.  Calls are resolved through imports and aliases to qualified
names; arguments are folded where they are constants.  A call, a module or a value with a possible effect that the
tables (``python_words``) do not hold is opaque, and so is any way of reaching a function by another name.

>>> claims = analyse("import os\\nos.remove('a.txt')", Place(argument="code", root="/proj"))
>>> [(one.key, one.access.value) for one in claims.touched], sorted(claims.opaque_codes)
([('file:/proj/a.txt', 'delete')], [])
"""

from __future__ import annotations

import ast
import warnings

from interlock.analyst import python_words as words
from interlock.analyst.claims import Claims, Place
from interlock.analyst.python_calls import EFFECTIVE, RISKY, Calls
from interlock.analyst.python_values import Names
from interlock.artifact.action import Effect

MAX_CHARACTERS = 128 * 1024
MAX_NODES = 40_000


def analyse(text: str, place: Place) -> Claims:
    """Claims about one text of Python."""
    claims = Claims(place)
    if len(text) > MAX_CHARACTERS:
        claims.opaque("python.too_large")
        return claims
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # The text's own: an odd escape, a comparison of constants.
            tree = ast.parse(text)
        if sum(1 for _ in ast.walk(tree)) > MAX_NODES:
            claims.opaque("python.too_large")
            return claims
        names = Names(tree)
        if names.defined & RISKY:
            claims.opaque("python.patches")  # A scope of its own would leave the builtin of that name in all others.
        if names.ambiguous:
            claims.opaque("python.ambiguous_name")
        _Reader(names, claims).visit(tree)
    except (SyntaxError, ValueError):
        claims.opaque("python.syntax")
    except (RecursionError, MemoryError, OverflowError):
        claims.opaque("python.too_large")
    return claims


class _Reader(ast.NodeVisitor):
    """One walk over the tree; ``loops`` counts the loops and functions around a node."""

    def __init__(self, names: Names, claims: Claims) -> None:
        self.names = names
        self.claims = claims
        self.loops = 0
        self.calls = Calls(names, claims)

    def visit_Import(self, node: ast.Import) -> None:
        for one in node.names:
            self.calls.module(one.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.level or not node.module:
            self.calls.own(node.module or "")
            return
        self.calls.module(node.module)
        for one in node.names:
            if one.name == "*" and node.module not in words.PURE_MODULES:
                self.claims.opaque("python.module")

    def visit_For(self, node: ast.For) -> None:
        self._loop(node)

    def visit_While(self, node: ast.While) -> None:
        self._loop(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = self.names.qualified(node.func)
        self.calls.looping = self.loops > 0
        self.calls.note(name, node)
        if isinstance(node.func, ast.Attribute):
            self.calls.dunder(node.func.attr)
            if not name:
                self.visit(node.func.value)
        elif not isinstance(node.func, ast.Name):
            self.visit(node.func)
        for one in node.args:
            self.visit(one)
        for keyword in node.keywords:
            self.visit(keyword.value)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.calls.dunder(node.attr)
        name = self.names.qualified(node)
        if not name:
            if node.attr in EFFECTIVE:
                self.claims.opaque("python.reference")
            self.generic_visit(node)
        elif isinstance(node.ctx, ast.Store | ast.Del):
            self.claims.opaque("python.patches")
        else:
            self.calls.reference(name)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load) and (node.id in self.names.imported or node.id not in self.names.defined):
            self.calls.reference(self.names.qualified(node))

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if self.names.qualified(node.value) != "os.environ":
            self.generic_visit(node)
            return
        self.calls.environment(
            self.names.text(node.slice), Effect.READ if isinstance(node.ctx, ast.Load) else Effect.WRITE
        )
        self.visit(node.slice)

    def _loop(self, node: ast.For | ast.While) -> None:
        self.loops += 1
        self.generic_visit(node)
        self.loops -= 1
