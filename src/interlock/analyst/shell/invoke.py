"""What a command's first word names: an alias, a function, a builtin, a modelled program, a file, or none known."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from interlock.analyst.shell import code
from interlock.analyst.shell.apply import apply
from interlock.analyst.shell.builtins import BUILTINS
from interlock.analyst.shell.environment import assigned as environment_assigned
from interlock.analyst.shell.environment import evaluated
from interlock.analyst.shell.files import connect, name_of, read, send, write
from interlock.analyst.shell.models import models
from interlock.analyst.shell.paths import SYSTEM_FOLDERS, is_outside
from interlock.analyst.shell.use import endpoint
from interlock.analyst.shell.words import CHARACTERS, NONE, UNKNOWN, Data, Word, unknown
from interlock.artifact.action import Effect

if TYPE_CHECKING:
    from interlock.analyst.shell.walk import Walker

_NAME = re.compile(r"[A-Za-z0-9_@:.+\[-][A-Za-z0-9_.+:@-]*\Z")
_FOREIGN = re.compile(r".*\.(?:exe|ps1|bat|cmd|vbs|msi|com|dll|scr|hta)\Z", re.IGNORECASE)
_CODE_LETTER = frozenset(("-c", "-e", "-x", "-E"))
_CODE = re.compile(r"[;|&$`<>\n]|\w\(")
_CODE_OPTION = re.compile(
    r"(?:--?(?:eval|exec|execute|command|cmd|run|script|shell|init-command|hook|on-[a-z-]+))(?:=.*)?\Z"
)
_URL = re.compile(r"[a-z][a-z0-9+.-]{1,12}://", re.IGNORECASE)
# fmt: off
_RESERVED = frozenset((
    "{", "}", "then", "else", "elif", "fi", "do", "done", "esac", "case", "if", "for", "while", "until", "select",
    "function", "((",
))
# fmt: on
MAX_CALLS = 12


def invoke(walker: Walker, words: list[Word], stdin: Data, assigned: dict[str, Data]) -> Data:
    """Run one simple command."""
    walker.spend(1 + len(words) + len(stdin.text) // CHARACTERS)
    if assigned:
        environment_assigned(walker, assigned, exported=False)
    first = words[0]
    name = first.text
    if "decoded" in first.tags:
        walker.claims.signal("decoded.executed")
    if not first.known or first.glob:
        return _dynamic(walker, words, stdin)
    if name in _RESERVED:
        walker.note("shell.syntax")
        return _next(walker, words[1:], stdin)
    with_alias = walker.state.aliases.get(name)
    if with_alias is not None and f"alias {name}" not in walker.active:
        _aliased(walker, name, with_alias, words[1:], stdin)
    body = walker.state.functions.get(name)
    if body is not None:
        return _call(walker, name, words[1:], stdin, assigned)
    builtin = BUILTINS.get(name)
    if builtin is not None and (name not in ("echo", "printf") or "-v" in {word.text for word in words}):
        evaluated(walker, (word.text for word in words))
    if builtin is not None:
        return _with(walker, assigned, lambda: builtin(walker, words[1:], stdin))
    return _with(walker, assigned, lambda: _program(walker, words, stdin))


def _with(walker: Walker, assigned: dict[str, Data], work: Callable[[], Data]) -> Data:
    """Assignments before a command hold while it runs."""
    if not assigned:
        return work()
    kept = dict(walker.state.variables)
    walker.state.variables.update(assigned)
    found = work()
    for name in assigned:
        if name in kept:
            walker.state.variables[name] = kept[name]
        else:
            walker.state.variables.pop(name, None)
    return found


def _dynamic(walker: Walker, words: list[Word], stdin: Data) -> Data:
    walker.note("shell.dynamic_command")
    code.origins(walker, words[0].tags)
    tags = NONE.union(stdin.tags, *(word.tags for word in words))
    return unknown(tags)


def _next(walker: Walker, words: list[Word], stdin: Data) -> Data:
    return invoke(walker, words, stdin, {}) if words else Data()


def _aliased(walker: Walker, name: str, text: str, rest: list[Word], stdin: Data) -> None:
    """An alias acts in an interactive shell alone; both readings count."""
    walker.active.append(f"alias {name}")
    quoted = " ".join([text, *("'" + word.text.replace("'", "'\\''") + "'" for word in rest)])
    walker.nested(quoted, stdin)
    walker.active.pop()


def _call(walker: Walker, name: str, arguments: list[Word], stdin: Data, assigned: dict[str, Data]) -> Data:
    if name in walker.active:
        if walker.concurrent:
            walker.claims.signal("fork.bomb")
        walker.note("shell.recursion")
        return unknown(stdin.tags)
    if len(walker.active) >= MAX_CALLS:
        walker.note("shell.too_deep")
        return unknown(stdin.tags)
    walker.active.append(name)
    kept, ended = walker.state.parameters, walker.state.ended
    unclear = any(word.fields for word in arguments)
    walker.state.parameters = None if unclear else tuple(Data(word.text, word.tags) for word in arguments)
    walker.state.variables.update(assigned)
    found = walker.run(walker.state.functions[name], stdin)
    walker.state.parameters, walker.state.ended = kept, ended
    walker.active.pop()
    return found


def _program(walker: Walker, words: list[Word], stdin: Data) -> Data:
    name = words[0].text
    if "/" in name:
        path = name_of(walker, words[0])
        folder, base = posixpath.split(path or name)
        if folder not in SYSTEM_FOLDERS and not folder.startswith("/usr/lib/git-core"):
            if path is not None:
                walker.claims.program(path)
            return code.execute_file(walker, words[0], words[1:], stdin)
        name = base
        if path in walker.state.files:
            return code.execute_file(walker, words[0], words[1:], stdin)
    name = name.replace("\\", "")
    if not name:
        walker.note("shell.syntax")
        return unknown(stdin.tags)
    walker.claims.program(name)
    model = models().get(name)
    if model is None:
        versioned = re.match(
            r"(python|pip|ruby|perl|node|gcc|g\+\+|clang|php|lua|java|postgres|clang\+\+)[-.\d]+\Z", name
        )
        model = models().get(versioned.group(1)) if versioned else None
    if model is None and name in BUILTINS:
        return BUILTINS[name](walker, words[1:], stdin)
    if model is None:
        return unmodelled(walker, name, words[1:], stdin)
    return apply(walker, name, model, words[1:], stdin)


def unmodelled(walker: Walker, name: str, words: list[Word], stdin: Data) -> Data:
    """A program without a model: it is claimed to touch the workspace and what its arguments name, and nothing else.

    That is no guess at what it does but what the step would be confined to.  Code among its arguments is opaque.
    """
    root = walker.claims.place.root
    if not _NAME.match(name) or _FOREIGN.match(name):
        walker.note("shell.unknown_program")
        return unknown(stdin.tags)
    walker.claims.signal("program.unmodelled")
    walker.claims.touch(Effect.EXECUTE, "program", name)
    walker.claims.touch(Effect.READ, "file", root, recursive=True)
    walker.claims.touch(Effect.WRITE, "file", root, recursive=True)
    tags = set(stdin.tags | {"file"})
    for index, word in enumerate(words):
        tags.update(word.tags)
        if word.text in _CODE_LETTER and index + 1 < len(words) and _CODE.search(words[index + 1].text):
            walker.note("shell.unknown_code")
        _argument(walker, word)
    if "download" in stdin.tags or "decoded" in stdin.tags:
        tags.add("decoded")
    return unknown(frozenset(tags))


def _argument(walker: Walker, word: Word) -> None:
    text = word.text
    if _CODE_OPTION.match(text):
        walker.note("shell.unknown_code")
        return
    value = text.partition("=")[2] if text.startswith("-") and "=" in text else text
    if _URL.match(value):
        host, port = endpoint(value, "")
        connect(walker, host, port)
        send(walker, word.tags, host)
    elif value.startswith(("/", "~", "../")) or (word.glob and "/" in value):
        named = word._replace(text=value)
        path = name_of(walker, named)
        data = read(walker, named, recursive=True)
        if path is None:
            write(walker, named, Data(UNKNOWN, data.tags), recursive=True, append=True)
        elif is_outside(path, walker.claims.place.root):
            walker.claims.touch(Effect.WRITE, "file", path, recursive=True)  # A worst case, and no sign of anything.
