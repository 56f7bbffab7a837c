"""Python: what a text would do if it ran, read from its syntax tree; nothing of it is executed.

All of the text counts, whether or not it would be reached.  Calls are resolved through imports and aliases to qualified
names; arguments are folded where they are constants.  A call, a module or a value with a possible effect that the
tables (``python_words``) do not hold is opaque, and so is any way of reaching a function by another name.

>>> claims = analyse("import os\\nos.remove('a.txt')", Place(argument="code", root="/work"))
>>> [(one.key, one.access.value) for one in claims.touched], sorted(claims.opaque_codes)
([('file:/work/a.txt', 'delete')], [])
"""

from __future__ import annotations

import ast
import builtins
import shlex
import sys
import warnings

from interlock.analyst import python_words as words
from interlock.analyst import paths, urls
from interlock.analyst.claims import Claims, Place
from interlock.analyst.python_values import Names
from interlock.artifact.action import Effect

MAX_CHARACTERS = 128 * 1024
MAX_NODES = 40_000
_BUILTINS = frozenset(dir(builtins))
_EXCEPTIONS = frozenset(
    name for name, one in vars(builtins).items() if isinstance(one, type) and issubclass(one, BaseException)
)
_RISKY = _BUILTINS - words.HARMLESS_BUILTINS - _EXCEPTIONS | {"getattr", "setattr"}
_EFFECTIVE = words.PATH_METHODS.keys() | words.OPAQUE_METHODS.keys() | {"connect", "bind", "execute", "executescript"}
_IMPURE_ROOTS = frozenset(one.split(".", 1)[0] for one in words.IMPURE_MODULES)


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
        if names.defined & _RISKY:
            claims.opaque("python.patches")  # A scope of its own would leave the builtin of that name in all others.
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
        self.networks = False

    def visit_Import(self, node: ast.Import) -> None:  # noqa: N802 - the names that NodeVisitor calls
        for one in node.names:
            self._module(one.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:  # noqa: N802
        if node.level or not node.module:
            self._own(node.module or "")
            return
        self._module(node.module)
        for one in node.names:
            if one.name == "*" and node.module not in words.PURE_MODULES:
                self.claims.opaque("python.module")

    def visit_For(self, node: ast.For) -> None:  # noqa: N802
        self._loop(node)

    def visit_While(self, node: ast.While) -> None:  # noqa: N802
        self._loop(node)

    def visit_Call(self, node: ast.Call) -> None:  # noqa: N802
        name = self.names.qualified(node.func)
        self._call(name, node)
        if isinstance(node.func, ast.Name) and node.func.id in self.names.ambiguous:
            self.claims.opaque("python.ambiguous_name")
        if isinstance(node.func, ast.Attribute):
            self._dunder(node.func.attr)
            if not name:
                self.visit(node.func.value)
        elif not isinstance(node.func, ast.Name):
            self.visit(node.func)
        for one in node.args:
            self.visit(one)
        for keyword in node.keywords:
            self.visit(keyword.value)

    def visit_Attribute(self, node: ast.Attribute) -> None:  # noqa: N802
        self._dunder(node.attr)
        name = self.names.qualified(node)
        if not name:
            if node.attr in _EFFECTIVE:
                self.claims.opaque("python.reference")
            self.generic_visit(node)
        elif isinstance(node.ctx, ast.Store | ast.Del):
            self.claims.opaque("python.patches")
        else:
            self._reference(name)

    def visit_Name(self, node: ast.Name) -> None:  # noqa: N802
        if node.id in self.names.ambiguous:
            self.claims.opaque("python.ambiguous_name")
        if isinstance(node.ctx, ast.Load) and (node.id in self.names.imported or node.id not in self.names.defined):
            self._reference(self.names.qualified(node))

    def visit_Subscript(self, node: ast.Subscript) -> None:  # noqa: N802
        if self.names.qualified(node.value) != "os.environ":
            self.generic_visit(node)
            return
        self._environment(self.names.text(node.slice), Effect.READ if isinstance(node.ctx, ast.Load) else Effect.WRITE)
        self.visit(node.slice)

    def _loop(self, node: ast.For | ast.While) -> None:
        self.loops += 1
        self.generic_visit(node)
        self.loops -= 1

    def _dunder(self, attr: str) -> None:
        if attr.startswith("__") and attr.endswith("__") and attr not in words.ALLOWED_DUNDERS:
            self.claims.opaque("python.introspection")

    def _module(self, name: str) -> None:
        root = name.split(".", 1)[0]
        if root in words.NATIVE:
            self.claims.opaque("python.native")
        elif self._script(root) in self.claims.place.scripts or not (
            name in words.IMPURE_MODULES or self._pure(name)
        ):
            self._own(name)

    def _own(self, name: str) -> None:
        """A module that the agent itself wrote is read; any other may do anything when it is imported."""
        text = self.claims.place.scripts.get(self._script(name))
        if text is not None:
            self.claims.inline("python", text)
        else:
            self.claims.opaque("python.module")

    def _script(self, name: str) -> str:
        return f"{self.claims.place.root.rstrip('/')}/{name.replace('.', '/')}.py"

    def _reference(self, name: str) -> None:
        """A function or module that is not called but handed on, by which it might be called elsewhere."""
        if name in {"os.environ", "os.environb"}:
            self.claims.signal("environment.read")
        elif "." not in name and name in _BUILTINS:
            if name in _RISKY:
                self.claims.opaque("python.reference")
        elif name in words.FREE or name in words.HARMLESS_BUILTINS or self._pure(name):
            return
        else:
            known = "." in name or name.split(".", 1)[0] in _IMPURE_ROOTS
            self.claims.opaque("python.reference" if known else "python.unknown_name")

    @staticmethod
    def _pure(name: str) -> bool:
        """Whether a name is of a pure module, and not of another that the module happens to have imported."""
        if name in words.IMPURE_OF_PURE:
            return False
        parts = name.split(".")
        for end in range(len(parts), 0, -1):
            if ".".join(parts[:end]) in words.PURE_MODULES:
                own = {parts[end - 1]}
                return not any(
                    one.startswith("_") or (one in sys.stdlib_module_names and one not in own) for one in parts[end:]
                )
        return False

    def _call(self, name: str, node: ast.Call) -> None:  # noqa: C901, PLR0912 - one branch for each table
        first = node.args[0] if node.args else None
        if name in words.DYNAMIC:
            self._dynamic(name, first)
        elif name in {"getattr", "setattr", "delattr", "builtins.getattr"}:
            self._attribute(node)
        elif name in words.OPENS:
            self._open(name, node)
        elif name in words.TOUCHES:
            for touch in words.TOUCHES[name]:
                self._touch(touch, node)
        elif name in words.GLOBS:
            self.claims.touch(Effect.READ, "file", "*", open=True)
        elif name in words.SHELLS:
            self._shell(first)
        elif name in words.RUNNERS:
            self._run(node)
        elif name in words.REPLACERS:
            self._program(self.names.text(first))
        elif name in words.PROCESS:
            self._process(name)
        elif name in words.CALLERS:
            self._network(node, 1 if name.endswith(("request", "stream", "Request")) else 0)
        elif name in words.HOSTS:
            self._host(self.names.text(first), words.HOSTS[name], node)
        elif name in {"socket.create_connection", "socket.create_server"}:
            self._address(first)
        elif name in words.DESERIALISING:
            self.claims.opaque("python.deserialises")
        elif name in {"os.getenv", "os.environ.get"}:
            self._environment(self.names.text(first))
        elif name == "os.environ.copy" or name.startswith("os.environ."):
            self.claims.signal("environment.read")
        else:
            self._other(name, node)

    def _other(self, name: str, node: ast.Call) -> None:
        func = node.func
        if name and ("." in name or name in self.names.imported.values()):
            if name not in words.FREE and not self._pure(name):
                self.claims.opaque("python.call")
        elif name:
            if name not in words.HARMLESS_BUILTINS | _EXCEPTIONS:
                self.claims.opaque("python.call" if name in _BUILTINS else "python.unknown_name")
        elif isinstance(func, ast.Attribute):
            self._method(func, node)  # What a variable holds was opaque where a function was made its value.

    def _method(self, func: ast.Attribute, node: ast.Call) -> None:
        """A method of an object whose class is not known: judged by its name."""
        attr = func.attr
        if attr in words.PATH_METHODS:
            self._path(self.names.text(func.value), words.PATH_METHODS[attr])
        elif attr in {"rename", "replace"} and len(node.args) == 1:
            self._path(self.names.text(func.value), words.Touch(Effect.DELETE))
            self._path(self.names.text(node.args[0]), words.Touch(Effect.WRITE))
        elif attr == "open" and not isinstance(func.value, ast.Constant):
            self._opened(self.names.text(func.value), self._mode(node, 0))
        elif attr in {"connect", "connect_ex", "bind"} and node.args:
            self._address(node.args[0])
        elif attr in {"execute", "executemany", "executescript"} and node.args:
            self._sql(node.args[0])
        elif attr in {"get", "post", "put", "patch", "head", "options", "request"} and self._looks_like_url(node):
            self._network(node, 1 if attr == "request" else 0)
        elif attr in words.OPAQUE_METHODS:
            self.claims.opaque(words.OPAQUE_METHODS[attr])

    def _looks_like_url(self, node: ast.Call) -> bool:
        """A session's method rather than a dictionary's: an unknown argument is one where such sessions exist."""
        if any(one.arg == "url" for one in node.keywords):
            return True
        text = self.names.text(node.args[-1]) if node.args else ""
        return "://" in text if text is not None else self.names.imports("requests", "httpx", "aiohttp", "urllib3")

    def _dynamic(self, name: str, first: ast.expr | None) -> None:
        text = self.names.text(first)
        if name.endswith(("__import__", "import_module")):
            if text is None:
                self.claims.opaque("python.dynamic_import")
            else:
                self._module(text)
            return
        self.claims.signal("python.evaluates")
        if text is None:
            self.claims.opaque("python.dynamic_code")
            if first is not None and any(self.names.qualified(one.func) in words.CALLERS for one in ast.walk(first) if isinstance(one, ast.Call)):
                self.claims.signal("download.executed")
            return
        if not isinstance(first, ast.Constant):
            self.claims.signal("text.encoded_command")
        self.claims.inline("python", text)

    def _attribute(self, node: ast.Call) -> None:
        named = self.names.text(node.args[1]) if len(node.args) > 1 else None
        if named is None:
            self.claims.opaque("python.dynamic_attribute")
        elif node.args and self.names.qualified(node.args[0]) in self.names.imported.values():
            self._reference(f"{self.names.qualified(node.args[0])}.{named}")
        else:
            self._dunder(named)

    def _open(self, name: str, node: ast.Call) -> None:
        path = self._argument(node, 0, "file")
        flagged = name in {"os.open", "os.fdopen"}
        self._opened(self.names.text(path), "w" if flagged else self._mode(node, 1))

    def _mode(self, node: ast.Call, index: int) -> str | None:
        mode = self._argument(node, index, "mode")
        return "r" if mode is None else self.names.text(mode)

    def _opened(self, path: str | None, mode: str | None) -> None:
        if mode is None or set(mode) & set("wax+"):
            self._path(path, words.Touch(Effect.WRITE))
        if mode is None or "r" in mode or "+" in mode or not mode:
            self._path(path, words.Touch(Effect.READ))

    def _touch(self, touch: words.Touch, node: ast.Call) -> None:
        argument = self._argument(node, touch.index, touch.keyword)
        if argument is None:
            self._path(".", touch)
        elif self.names.text(argument) != ":memory:":
            self._path(self.names.text(argument), touch)

    def _path(self, path: str | None, touch: words.Touch) -> None:
        if path is None:
            self.claims.opaque("python.dynamic_path")
            self.claims.touch(touch.access, "file", "*", open=True, recursive=touch.recursive)
        else:
            self.claims.file(touch.access, path, recursive=touch.recursive)
            paths.note(path, self.claims, reads=touch.access is Effect.READ)

    def _shell(self, node: ast.expr | None) -> None:
        text = self.names.text(node)
        if text is not None:
            self.claims.inline("shell", text)
            return
        folded = self.names.fold(node)
        if isinstance(folded, tuple) and all(isinstance(one, str) for one in folded):
            self.claims.inline("argv", shlex.join(str(one) for one in folded))
        else:
            self._process("")
            self.claims.opaque("python.dynamic_command")

    def _run(self, node: ast.Call) -> None:
        command = self._argument(node, 0, "args")
        shell = self._argument(node, 99, "shell")
        folded = self.names.fold(command)
        if any(one.arg is None for one in node.keywords) or any(one.arg in {"preexec_fn", "executable"} for one in node.keywords):
            self.claims.opaque("python.dynamic_command")
        if shell is not None and not (isinstance(shell, ast.Constant) and not shell.value):
            self._shell(command.elts[0] if isinstance(command, ast.List) and command.elts else command)
        elif isinstance(folded, tuple) and folded and all(isinstance(one, str) for one in folded):
            self.claims.inline("argv", shlex.join(str(one) for one in folded))
        elif isinstance(folded, str):
            self.claims.inline("argv", shlex.quote(folded))
        else:
            self._program(self.names.text(command.elts[0]) if isinstance(command, ast.List) and command.elts else None)

    def _program(self, name: str | None) -> None:
        self.claims.opaque("python.dynamic_command")
        if name is not None:
            self.claims.program(name.rpartition("/")[2] or "*")

    def _process(self, name: str) -> None:
        self.claims.opaque("python.process")
        if name in {"os.fork", "os.forkpty"} and self.loops:
            self.claims.signal("process.fork_bomb")
        if name == "os.dup2" and self.networks:
            self.claims.signal("shell.reverse")

    def _network(self, node: ast.Call, index: int) -> None:
        self.networks = True
        text = self.names.text(self._argument(node, index, "url"))
        if text is None:
            self._anywhere()
        else:
            urls.examine(text, self.claims, Effect.SEND)

    def _host(self, host: str | None, port: int, node: ast.Call) -> None:
        named = self.names.fold(self._argument(node, 1, "port"))
        port = named if isinstance(named, int) else port
        if host is None or not 0 < port < 65536:  # noqa: PLR2004
            self._anywhere()
        else:
            self.networks = True
            urls.examine(f"http://{host}:{port}/", self.claims, Effect.SEND)

    def _address(self, node: ast.expr | None) -> None:
        self.networks = True
        match self.names.fold(node):
            case (str() as host, int() as port) if 0 < port < 65536 and host:  # noqa: PLR2004
                urls.examine(f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/", self.claims, Effect.SEND)
            case _:
                self._anywhere()

    def _anywhere(self) -> None:
        self.networks = True
        self.claims.opaque("python.dynamic_url")
        self.claims.touch(Effect.SEND, "endpoint", "*", open=True)

    def _environment(self, name: str | None, access: Effect = Effect.READ) -> None:
        if name is None:
            self.claims.signal("environment.read")
        else:
            self.claims.touch(access, "environment", name)

    def _sql(self, node: ast.expr) -> None:
        text = self.names.text(node)
        if text is None:
            self.claims.opaque("sql.dynamic")
        else:
            self.claims.inline("sql", text)

    @staticmethod
    def _argument(node: ast.Call, index: int, keyword: str) -> ast.expr | None:
        if any(isinstance(one, ast.Starred) for one in node.args[: index + 1]):
            return node.args[0]  # Whatever is unpacked there: it does not fold.
        if index < len(node.args):
            return node.args[index]
        return next((one.value for one in node.keywords if one.arg == keyword), None)
