"""Values in Python text: what a name refers to, and what an expression amounts to, without running anything.

Only names that are bound once in the whole text have a value, so that no order of execution need be known.
"""

from __future__ import annotations

import ast
import base64
import binascii
import codecs
import posixpath
from typing import TypeAlias

from interlock.analyst.tables import words

Folded: TypeAlias = "str | bytes | int | tuple[Folded, ...]"
MAX_DEPTH = 48
MAX_LENGTH = 64 * 1024
MAX_ITEMS = 4096
_FIRST_SURROGATE, _BYTE = 0xD800, 0xFF
_PATHS = words(
    "pathlib.Path pathlib.PurePath pathlib.PosixPath os.path.expanduser os.path.abspath os.path.normpath os.fspath str"
)
_DECODERS = frozenset(
    {"base64.b64decode", "base64.urlsafe_b64decode", "base64.standard_b64decode", "base64.decodebytes"}
)


class Names:
    """The names of one module: imports, what is bound once, and what is defined here."""

    def __init__(self, tree: ast.Module) -> None:
        self.imported: dict[str, str] = {}
        self.defined = set[str]()
        self.ambiguous = set[str]()
        self._values: dict[str, ast.expr] = {}
        self._bindings: dict[str, int] = {}
        self._loads: dict[str, int] = {}
        self._folded: dict[int, Folded | None] = {}
        for node in ast.walk(tree):
            self._note(node)
        self.ambiguous |= self.imported.keys() & self.defined
        for name, value in tuple(self._values.items()):
            mutable = (
                isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.Call)
                and self._loads.get(name, 0) > 1
            )
            if mutable or self._bindings.get(name, 0) != 1 or name in self.imported:
                del self._values[name]  # A list that is used elsewhere may be changed there.

    def qualified(self, node: ast.expr, depth: int = 0) -> str:
        """``os.path.join`` for an expression that names it, through aliases and imports; else an empty string."""
        if depth > MAX_DEPTH:
            return ""
        match node:
            case ast.Name(id=name):
                if name in self.imported:
                    return self.imported[name]
                value = self._values.get(name)
                if isinstance(value, ast.Name | ast.Attribute):
                    return self.qualified(value, depth + 1) or name
                return "" if name in self.defined else name
            case ast.Attribute(value=base, attr=attr):
                inner = self.qualified(base, depth + 1)
                return f"{inner}.{attr}" if inner and self.module(inner) else ""
            case ast.Call(func=ast.Name(id="__import__"), args=[argument, *_]):
                folded = self.fold(argument, depth + 1)
                return folded if isinstance(folded, str) else ""
            case ast.Call(func=ast.Name(id="getattr"), args=[base, named, *_]):
                inner, chosen = self.qualified(base, depth + 1), self.fold(named, depth + 1)
                return f"{inner}.{chosen}" if inner and isinstance(chosen, str) else ""
            case _:
                return ""

    def module(self, name: str) -> bool:
        """Whether a qualified name begins with something imported (or a builtin module named outright)."""
        root = name.split(".", 1)[0]
        return any(one.split(".", 1)[0] == root for one in self.imported.values()) or root in {
            "builtins",
            "os",
            "sys",
            "subprocess",
        }

    def imports(self, *modules: str) -> bool:
        """Whether any of the modules is imported."""
        return any(one.split(".", 1)[0] in modules for one in self.imported.values())

    def fold(self, node: ast.expr | None, depth: int = 0) -> Folded | None:
        """What an expression amounts to, or ``None``; each node is folded once."""
        if node is None or depth > MAX_DEPTH:
            return None
        if id(node) not in self._folded:
            self._folded[id(node)] = None  # A name that is bound to itself amounts to nothing.
            self._folded[id(node)] = self._fold(node, depth + 1)
        return self._folded[id(node)]

    def _fold(self, node: ast.expr, depth: int) -> Folded | None:
        match node:
            case ast.Constant(value=str() | bytes() | int() as value):
                return value
            case ast.Name(id=name):
                return self.fold(self._values.get(name), depth)
            case ast.BinOp(left=left, op=operator, right=right):
                return _operated(operator, self.fold(left, depth), self.fold(right, depth))
            case ast.JoinedStr(values=values):
                parts = (one.value if isinstance(one, ast.FormattedValue) else one for one in values)
                return _text([self.fold(one, depth) for one in parts])
            case ast.List(elts=items) | ast.Tuple(elts=items):
                folded = [self.fold(one, depth) for one in items]
                return None if any(one is None for one in folded) else tuple(one for one in folded if one is not None)
            case ast.Subscript(value=value, slice=index):
                return _taken(self.fold(value, depth), index, self.fold(index, depth))
            case ast.Call():
                return self._call(node, depth)
            case _:
                return None

    def text(self, node: ast.expr | None) -> str | None:
        """The folded value if it is text."""
        value = self.fold(node)
        return (
            value if isinstance(value, str) else value.decode("utf-8", "replace") if isinstance(value, bytes) else None
        )

    def _call(self, node: ast.Call, depth: int) -> Folded | None:
        name = self.qualified(node.func, depth)
        arguments = [self.fold(one, depth) for one in node.args]
        if any(one is None for one in arguments):
            return None
        known = [one for one in arguments if one is not None]
        if name in _PATHS and len(known) == 1:
            return known[0] if isinstance(known[0], str) else str(known[0]) if isinstance(known[0], int) else None
        if name in {"os.path.join", "pathlib.Path", "pathlib.PurePath"} and known:
            return _paths(known)
        if name == "pathlib.Path.home" or (name == "os.path.expanduser" and not known):
            return "~"
        if name == "chr" and len(known) == 1 and isinstance(known[0], int) and 0 <= known[0] < _FIRST_SURROGATE:
            return chr(known[0])
        if name in _DECODERS and known:
            return _base64(known[0])
        if name == "codecs.decode" and len(known) > 1:
            return _codec(known[0], known[1])
        if name.startswith(("bytes", "bytearray")) and known:
            return _bytes(name, known)
        return self._method(node.func, known, depth) if isinstance(node.func, ast.Attribute) else None

    def _method(self, func: ast.Attribute, known: list[Folded], depth: int) -> Folded | None:
        if func.attr == "fromhex" and known:
            return _bytes("bytes.fromhex", known)
        inner = self.fold(func.value, depth)
        match func.attr, inner, known:
            case "decode" | "encode", str() | bytes(), _:
                return (
                    _codec(inner, known[0])
                    if known
                    else inner.decode("utf-8", "replace")
                    if isinstance(inner, bytes)
                    else inner
                )
            case "join", str(), [tuple() as parts] if all(isinstance(one, str) for one in parts):
                return _short(inner.join(str(one) for one in parts))
            case "replace", str(), [str() as old, str() as new] if old:
                return _short(inner.replace(old, new)) if inner.count(old) * len(new) < MAX_LENGTH else None
            case "split", str(), []:
                return tuple(inner.split())
            case "strip" | "lower" | "upper" | "lstrip" | "rstrip", str(), []:
                return str(getattr(inner, func.attr)())
            case "joinpath", str(), _ if known:
                return _paths([inner, *known])
            case "expanduser" | "resolve" | "absolute" | "as_posix", str(), []:
                return inner
            case _:
                return None

    def _note(self, node: ast.AST) -> None:
        match node:
            case ast.Import() | ast.ImportFrom():
                self._imports(node)
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
                | ast.NamedExpr(target=ast.Name(id=name), value=value)
            ):
                self._values[name] = value
            case ast.Name(id=name, ctx=ast.Load()):
                self._loads[name] = self._loads.get(name, 0) + 1
            case ast.Name(id=name) | ast.arg(arg=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                self._bound(name)
            case ast.ClassDef(name=name) | ast.ExceptHandler(name=str() as name) | ast.MatchAs(name=str() as name):
                self._bound(name)
            case ast.MatchStar(name=str() as name) | ast.MatchMapping(rest=str() as name):
                self._bound(name)
            case _:
                pass

    def _imports(self, node: ast.Import | ast.ImportFrom) -> None:
        for one in node.names:
            if isinstance(node, ast.ImportFrom):
                self._import(one.asname or one.name, f"{'.' * node.level}{node.module or ''}.{one.name}")
            else:
                name = one.asname or one.name.split(".", 1)[0]
                self._import(name, one.name if one.asname else name)

    def _import(self, name: str, qualified: str) -> None:
        if self.imported.get(name, qualified) != qualified:
            self.ambiguous.add(name)
        self.imported[name] = qualified

    def _bound(self, name: str) -> None:
        self.defined.add(name)
        self._bindings[name] = self._bindings.get(name, 0) + 1


def _operated(operator: ast.operator, left: Folded | None, right: Folded | None) -> Folded | None:
    match operator, left, right:
        case ast.Add(), str(), str():
            return _short(left + right)
        case ast.Add(), bytes(), bytes():
            return left + right if len(left) + len(right) < MAX_LENGTH else None
        case ast.Add(), tuple(), tuple():
            return left + right if len(left) + len(right) < MAX_ITEMS else None
        case ast.Div(), str(), str():
            return _short(posixpath.join(left, right))
        case ast.Mult(), str(), int() if 0 <= right * len(left) < MAX_LENGTH:
            return left * right
        case _:
            return None


def _taken(value: Folded | None, index: ast.expr, at: Folded | None) -> Folded | None:
    """An item of a tuple, or a text turned round."""
    match value, index, at:
        case str() | bytes(), ast.Slice(
            lower=None, upper=None, step=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=1))
        ), _:
            return value[::-1]
        case tuple(), _, int() if -len(value) <= at < len(value):
            return value[at]
        case _:
            return None


def _short(text: str) -> str | None:
    return text if len(text) < MAX_LENGTH else None


def _paths(parts: list[Folded]) -> Folded | None:
    texts = [one for one in parts if isinstance(one, str)]
    return posixpath.join(*texts) if texts and len(texts) == len(parts) else None


def _text(parts: list[Folded | None]) -> str | None:
    known = [str(one) for one in parts if isinstance(one, str | int)]
    return _short("".join(known)) if len(known) == len(parts) else None


def _base64(value: Folded) -> bytes | None:
    raw = value.encode("utf-8", "replace") if isinstance(value, str) else value
    if not isinstance(raw, bytes):
        return None
    try:
        return base64.b64decode(raw.translate(bytes.maketrans(b"-_", b"+/")))
    except (binascii.Error, ValueError):
        return None


def _codec(value: Folded, name: Folded) -> str | bytes | None:
    if isinstance(value, bytes) and name in {"utf-8", "utf8", "ascii", "latin-1", "latin1"}:
        return value.decode(str(name), "replace")
    if isinstance(value, str) and name in {"rot13", "rot_13", "rot-13"}:
        return codecs.decode(value, "rot13")
    return value if isinstance(value, str) and name in {"utf-8", "utf8", "ascii"} else None


def _bytes(name: str, known: list[Folded]) -> Folded | None:
    first = known[0]
    if name.endswith("fromhex") and isinstance(first, str):
        try:
            return bytes.fromhex(first)
        except ValueError:
            return None
    if isinstance(first, tuple):
        numbers = [one for one in first if isinstance(one, int) and 0 <= one <= _BYTE]
        return bytes(numbers) if len(numbers) == len(first) else None
    return first if isinstance(first, bytes) else first.encode("utf-8", "replace") if isinstance(first, str) else None
