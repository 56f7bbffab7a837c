"""Calls in Python text: what each would touch, run, open or send, by the qualified name of what is called."""

from __future__ import annotations

import ast
import builtins
import shlex
import sys
from collections.abc import Callable, Container

from interlock.analyst import paths, scripts, urls
from interlock.analyst import python_words as words
from interlock.analyst.claims import Claims
from interlock.analyst.python_values import Names
from interlock.analyst.shell.paths import TOPS, meanings_of
from interlock.artifact.action import Effect
from interlock.artifact.errors import ReferenceEvaluationError
from interlock.artifact.resources import canonical_path, inside

BUILTINS = frozenset(dir(builtins))
EXCEPTIONS = frozenset(
    name for name, one in vars(builtins).items() if isinstance(one, type) and issubclass(one, BaseException)
)
RISKY = BUILTINS - words.HARMLESS_BUILTINS - EXCEPTIONS | {"getattr", "setattr"}
EFFECTIVE = words.PATH_METHODS.keys() | words.OPAQUE_METHODS.keys() | {"connect", "bind", "execute", "executescript"}
_IMPURE_ROOTS = frozenset(one.split(".", 1)[0] for one in words.IMPURE_MODULES)
_SESSIONS = ("requests", "httpx", "aiohttp", "urllib3")


class Calls:
    """Adds to the claims what one call after another would do; ``looping`` while the call stands in a loop."""

    def __init__(self, names: Names, claims: Claims) -> None:
        self.names = names
        self.claims = claims
        self.looping = False
        self.networks = False
        self._handlers: tuple[tuple[Container[str], Callable[[str, ast.Call], None]], ...] = (
            (words.DYNAMIC, self._dynamic), (words.ATTRIBUTES, self._attribute), (words.OPENS, self._open),
            (words.TOUCHES, self._touches), (words.GLOBS, self._glob), (words.SHELLS, self._shells),
            (words.RUNNERS, self._run), (words.REPLACERS, self._replaces), (words.PROCESS, self._process),
            (words.CALLERS, self._calls_out),
            (words.HOSTS, self._host), (words.ADDRESSES, self._addresses), (words.DESERIALISING, self._deserialises),
            (words.ENVIRONMENT, self._variable),
        )  # fmt: skip

    def note(self, name: str, node: ast.Call) -> None:
        """One call of what ``name`` qualifies, or of something unknown where it is empty."""
        handler = next((handle for table, handle in self._handlers if name in table), None)
        if handler is not None:
            handler(name, node)
        elif name.startswith("os.environ."):
            self.claims.signal("environment.read")
            if name.rpartition(".")[2] not in {"copy", "items", "keys", "values"}:
                self.claims.opaque("python.environment")
        else:
            self._other(name, node)

    def reference(self, name: str) -> None:
        """A function or module that is not called but handed on, by which it might be called elsewhere."""
        if name in {"os.environ", "os.environb"}:
            self.claims.signal("environment.read")
        elif name in RISKY:
            self.claims.opaque("python.reference")
        elif not (name in words.FREE or name in BUILTINS or name in words.HARMLESS_BUILTINS or pure(name)):
            known = "." in name or name.split(".", 1)[0] in _IMPURE_ROOTS
            self.claims.opaque("python.reference" if known else "python.unknown_name")

    def module(self, name: str) -> None:
        """A module that is imported: what the agent itself wrote is read, and any other may do anything."""
        root = name.split(".", 1)[0]
        if root in words.NATIVE:
            self.claims.opaque("python.native")
        elif self._script(root) in self.claims.place.scripts or not (name in words.IMPURE_MODULES or pure(name)):
            self.own(name)

    def own(self, name: str) -> None:
        """A module of the agent's own."""
        text = self.claims.place.scripts.get(self._script(name))
        if text is not None:
            self.claims.inline("python", text)
        else:
            self.claims.opaque("python.module")

    def environment(self, name: str | None, access: Effect = Effect.READ) -> None:
        """A variable of the environment, or all of it."""
        if name is None:
            self.claims.signal("environment.read")
        else:
            self.claims.touch(access, "environment", name)
        if access is Effect.WRITE:
            self.claims.opaque("python.environment")  # Programs that start later may be others, or do other things.

    def dunder(self, attr: str) -> None:
        """An attribute by which the interpreter's own objects are reached."""
        if attr.startswith("__") and attr.endswith("__") and attr not in words.ALLOWED_DUNDERS:
            self.claims.opaque("python.introspection")

    def _script(self, name: str) -> str:
        return f"{self.claims.place.root.rstrip('/')}/{name.replace('.', '/')}.py"

    def _touches(self, name: str, node: ast.Call) -> None:
        for touch in words.TOUCHES[name]:
            self._touch(touch, node)

    def _glob(self, _name: str, _node: ast.Call) -> None:
        self.claims.touch(Effect.READ, "file", "*", open=True)

    def _shells(self, _name: str, node: ast.Call) -> None:
        self._shell(_argument(node, 0, "cmd"))

    def _replaces(self, _name: str, node: ast.Call) -> None:
        name = self.names.text(_argument(node, 0, "path"))
        if name is not None and scripts.bare_shell(name):
            self.claims.signal("shell.escape")
        self._program(name)

    def _calls_out(self, name: str, node: ast.Call) -> None:
        self._network(node, 1 if name.endswith(("request", "stream", "Request")) else 0)

    def _addresses(self, _name: str, node: ast.Call) -> None:
        self._address(_argument(node, 0, "address"))

    def _deserialises(self, _name: str, _node: ast.Call) -> None:
        self.claims.opaque("python.deserialises")

    def _variable(self, _name: str, node: ast.Call) -> None:
        self.environment(self.names.text(_argument(node, 0, "key")))

    def _other(self, name: str, node: ast.Call) -> None:
        func = node.func
        if name and ("." in name or name in self.names.imported.values()):
            if name not in words.FREE and not pure(name):
                self.claims.opaque("python.call")
        elif name:
            if name not in words.HARMLESS_BUILTINS | EXCEPTIONS:
                self.claims.opaque("python.call" if name in BUILTINS else "python.unknown_name")
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

    def _dynamic(self, name: str, node: ast.Call) -> None:
        first = _argument(node, 0, "name")
        text = self.names.text(first)
        if name.endswith(("__import__", "import_module")):
            if text is None:
                self.claims.opaque("python.dynamic_import")
            else:
                self.module(text)
            return
        self.claims.signal("python.evaluates")
        if text is None:
            self.claims.opaque("python.dynamic_code")
            if first is not None and any(
                self.names.qualified(one.func) in words.CALLERS for one in ast.walk(first) if isinstance(one, ast.Call)
            ):
                self.claims.signal("download.executed")
            return
        if not isinstance(first, ast.Constant):
            self.claims.signal("text.encoded_command")
        self.claims.inline("python", text)

    def _attribute(self, _name: str, node: ast.Call) -> None:
        named = self.names.text(node.args[1]) if len(node.args) > 1 else None
        if named is None:
            self.claims.opaque("python.dynamic_attribute")
        elif node.args and self.names.qualified(node.args[0]) in self.names.imported.values():
            self.reference(f"{self.names.qualified(node.args[0])}.{named}")
        else:
            self.dunder(named)

    def _open(self, name: str, node: ast.Call) -> None:
        path = _argument(node, 0, "file")
        flagged = name in {"os.open", "os.fdopen"}
        self._opened(self.names.text(path), "w" if flagged else self._mode(node, 1))

    def _mode(self, node: ast.Call, index: int) -> str | None:
        mode = _argument(node, index, "mode")
        return "r" if mode is None else self.names.text(mode)

    def _opened(self, path: str | None, mode: str | None) -> None:
        if mode is None or set(mode) & set("wax+"):
            self._path(path, words.Touch(Effect.WRITE))
        if mode is None or "r" in mode or "+" in mode or not mode:
            self._path(path, words.Touch(Effect.READ))

    def _touch(self, touch: words.Touch, node: ast.Call) -> None:
        argument = _argument(node, touch.position, touch.keyword)
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
            self._meant(path, touch)

    def _meant(self, path: str, touch: words.Touch) -> None:
        """The same meanings as where a shell's command touches the file."""
        place = self.claims.place
        try:
            name = canonical_path(path, root=place.root, home=place.home)
        except ReferenceEvaluationError:
            return
        for code in meanings_of(name, touch.access.value, place.home, touch.recursive):
            self.claims.signal(code)
        if touch.access is Effect.DELETE and touch.recursive and not inside(name, place.root):
            system = name in TOPS or name == place.home
            self.claims.signal("recursive.root_delete" if system else "recursive.outside_delete")

    def _shell(self, node: ast.expr | None) -> None:
        text = self.names.text(node)
        if text is not None:
            self._line(text)
            return
        folded = self.names.fold(node)
        if isinstance(folded, tuple) and all(isinstance(one, str) for one in folded):
            self._line(shlex.join(str(one) for one in folded))
        else:
            self.claims.opaque("python.dynamic_command")

    def _line(self, text: str) -> None:
        if scripts.bare_shell(text):
            self.claims.signal("shell.escape")
        self.claims.inline("shell", text)

    def _run(self, _name: str, node: ast.Call) -> None:
        command = _argument(node, 0, "args")
        shell = _argument(node, 99, "shell")
        folded = self.names.fold(command)
        if any(one.arg not in words.PLAIN_OPTIONS for one in node.keywords):
            self.claims.opaque("python.dynamic_command")  # Another folder, environment, input or program.
        if shell is not None and not (isinstance(shell, ast.Constant) and not shell.value):
            self._shell(command.elts[0] if isinstance(command, ast.List) and command.elts else command)
        elif isinstance(folded, tuple) and folded and all(isinstance(one, str) for one in folded):
            self._line(shlex.join(str(one) for one in folded))
        elif isinstance(folded, str):
            self._line(shlex.quote(folded))
        else:
            self._program(self.names.text(command.elts[0]) if isinstance(command, ast.List) and command.elts else None)

    def _program(self, name: str | None) -> None:
        self.claims.opaque("python.dynamic_command")
        if name is not None:
            self.claims.program(name.rpartition("/")[2] or "*")

    def _process(self, name: str, _node: ast.Call) -> None:
        self.claims.opaque("python.process")
        if name in {"os.fork", "os.forkpty"} and self.looping:
            self.claims.signal("fork.bomb")
        if name == "os.dup2" and self.networks:
            self.claims.signal("shell.reverse")

    def _network(self, node: ast.Call, index: int) -> None:
        self.networks = True
        text = self.names.text(_argument(node, index, "url"))
        if text is None:
            self._anywhere()
        else:
            urls.examine(text, self.claims, Effect.SEND)

    def _host(self, name: str, node: ast.Call) -> None:
        host = self.names.text(_argument(node, 0, "host"))
        named = self.names.fold(_argument(node, 1, "port"))
        port = named if isinstance(named, int) else words.HOSTS[name]
        if host is None or not 0 < port <= urls.MAX_PORT:
            self._anywhere()
        else:
            self.networks = True
            urls.examine(f"http://{host}:{port}/", self.claims, Effect.SEND)

    def _address(self, node: ast.expr | None) -> None:
        self.networks = True
        match self.names.fold(node):
            case (str() as host, int() as port) if 0 < port <= urls.MAX_PORT and host:
                urls.examine(
                    f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/", self.claims, Effect.SEND
                )
            case _:
                self._anywhere()

    def _anywhere(self) -> None:
        self.networks = True
        self.claims.opaque("python.dynamic_url")
        self.claims.touch(Effect.SEND, "endpoint", "*", open=True)

    def _sql(self, node: ast.expr) -> None:
        text = self.names.text(node)
        if text is None:
            self.claims.opaque("sql.dynamic")
        else:
            self.claims.inline("sql", text)


def pure(name: str) -> bool:
    """Whether a name is of a pure module, and not of another that the module happens to have imported."""
    if name in words.IMPURE_OF_PURE:
        return False
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        if ".".join(parts[:end]) in words.PURE_MODULES:
            return not any(
                one.startswith("_") or (one in sys.stdlib_module_names and one != parts[end - 1]) for one in parts[end:]
            )
    return False


def _argument(node: ast.Call, index: int, keyword: str) -> ast.expr | None:
    if any(isinstance(one, ast.Starred) for one in node.args[: index + 1]):
        return node.args[0]  # Whatever is unpacked there: it does not fold.
    if index < len(node.args):
        return node.args[index]
    return next((one.value for one in node.keywords if one.arg == keyword), None)
