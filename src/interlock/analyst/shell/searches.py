"""Searches and what is done with what they find: find(1), fd(1), xargs(1), parallel(1)."""

from __future__ import annotations

import re

from interlock.analyst.shell import code
from interlock.analyst.shell.files import delete, read, write
from interlock.analyst.shell.globs import places
from interlock.analyst.shell.models import models
from interlock.analyst.shell.paths import is_outside, meanings_of
from interlock.analyst.shell.use import Handler, Use
from interlock.analyst.shell.words import NONE, UNKNOWN, Data, Word, unknown

_EXECUTES = frozenset(("-exec", "-execdir", "-ok", "-okdir"))
_SET_ID = re.compile(r"[-/]?[2467][0-7]{3}|[ug]?[+=]s")
_FIND_FILES = frozenset(("-fprint", "-fprint0", "-fls", "-fprintf"))
MAX_APPENDED = 64


def find(use: Use, words: list[Word]) -> Data | None:
    """find: starting points, then an expression of tests and actions."""
    walker = use.walker
    roots: list[Word] = []
    rest = list(words)
    while rest and rest[0].text[:2] in ("-H", "-L", "-P", "-O", "-D"):
        rest.pop(0)
    while rest and (rest[0].text[:1] not in ("-", "(", "!", ",") or rest[0].text == "-"):
        roots.append(rest.pop(0))
    roots = roots or [Word(".")]
    if any(word.fields for word in words):
        walker.note("shell.dynamic_argument")
    tags = set[str]()
    shape: list[str] = []
    contents = any(word.text in _EXECUTES for word in rest)  # Else names alone are read, and no content.
    for root in roots:
        tags.update(read(walker, root, recursive=contents).tags - {"file"})
        shape.append(
            f"{root.text.rstrip('/') if root.known and not root.glob else root.fixed.rpartition('/')[0]}/{UNKNOWN}"
        )
    found = Word(shape[0] if len(shape) == 1 else UNKNOWN, frozenset(tags - {"private"}))
    names = [
        rest[index + 1].text
        for index, word in enumerate(rest[:-1])
        if word.text in ("-name", "-iname", "-path", "-wholename")
    ]
    for name in names:
        for root in roots:
            tags.update(_searched(use, root, name))
    found = found._replace(tags=found.tags | (tags & {"secret"}))
    whole = not names or not all(name.strip("*./") for name in names)
    printed = _find_actions(use, rest, found, roots, whole=whole)
    return Data(shape[0] if len(shape) == 1 else UNKNOWN, frozenset(tags & {"secret"}) | printed)


def _find_actions(use: Use, rest: list[Word], found: Word, roots: list[Word], *, whole: bool) -> frozenset[str]:
    """What is done with what is found; returns the tags of what the commands write."""
    walker, index, printed = use.walker, 0, NONE
    while index < len(rest):
        option = rest[index].text
        index += 1
        if option in _EXECUTES:
            index, output = _find_exec(use, rest, index, found, roots)
            printed |= output.tags
        elif option == "-perm" and index < len(rest) and _SET_ID.search(rest[index].text):
            if any(_is_outside(use, root) for root in roots):
                walker.claims.signal("recon.privileges")
        elif option == "-delete":
            walker.claims.signal("delete.searched")
            for root in roots:
                delete(walker, root, recursive=True, whole=whole)
        elif option in _FIND_FILES and index < len(rest):
            write(walker, rest[index], unknown())
    return printed


def _is_outside(use: Use, root: Word) -> bool:
    found = places(root, use.walker.state.folders, use.walker.state.home, recursive=True) or ()
    return any(is_outside(place.name, use.walker.claims.place.root) for place in found)


def _searched(use: Use, root: Word, name: str) -> set[str]:
    """A search for the names of secrets."""
    found = places(root, use.walker.state.folders, use.walker.state.home, recursive=True) or []
    for place in found:
        codes = meanings_of(f"{place.name.rstrip('/')}/x/{name.strip('/')}", "read", use.walker.state.home, False)
        if "credential.read" in codes and is_outside(place.name, use.walker.claims.place.root):
            use.walker.claims.signal("credential.searched")
            return {"secret", "private"}
    return set()


def _find_exec(use: Use, rest: list[Word], index: int, found: Word, roots: list[Word]) -> tuple[int, Data]:
    command: list[Word] = []
    while index < len(rest) and rest[index].text not in (";", "+"):
        word = rest[index]
        command.append(
            word._replace(text=word.text.replace("{}", found.text), tags=word.tags | found.tags)
            if "{}" in word.text
            else word
        )
        index += 1
    if not command:
        return index + 1, Data()
    if {word.text for word in command[:3]} & {"rm", "shred", "unlink", "rmdir"}:
        use.walker.claims.signal("delete.searched")
        for root in roots:
            delete(use.walker, root, recursive=True, whole=False)
    use.walker.escaped += 1
    output = use.walker.runner(use.walker, command, Data(), {})
    use.walker.escaped -= 1
    return index + 1, output


def xargs(use: Use, _words: list[Word]) -> Data | None:
    command = list(use.found.operands)
    placeholder = next((word.text for name, _, word in use.found.values if name in ("-I", "-J", "--replace", "-i")), "")
    if not placeholder and use.found.has("-I -i --replace"):
        placeholder = "{}"
    for name, _, word in use.found.values:
        if name in ("-a", "--arg-file"):
            use.reading(word)
    stdin = use.content or use.stdin
    if not command:
        return unknown(stdin.tags)
    if command[-1].text in ("-c", "-ic", "-lc", "-e") and models().get(command[0].text) and not placeholder:
        return (
            code.run(use.walker, "shell", stdin, NONE)
            if command[-1].text != "-e"
            else code.run(use.walker, "other", stdin, NONE)
        )
    return _spread(use, command, placeholder, _items(stdin))


def _items(stdin: Data) -> list[Word]:
    """The words that stand on the input, or one mark for all that may."""
    if stdin.known and stdin.text:
        return [Word(text, stdin.tags) for text in stdin.text.replace("'", "").replace('"', "").split()][:MAX_APPENDED]
    lines = stdin.text.strip("\n")
    text = lines if UNKNOWN in lines and "\n" not in lines and not lines.startswith(UNKNOWN) else UNKNOWN
    return [Word(text, stdin.tags)]


def _spread(use: Use, command: list[Word], placeholder: str, items: list[Word]) -> Data:
    """A command with the items in place of the placeholder, or after its words."""
    walker = use.walker
    if not placeholder:
        return walker.runner(walker, [*command, *items], Data(), {})
    found = Data()
    for item in items[:8]:
        filled = [
            word._replace(text=word.text.replace(placeholder, item.text), tags=word.tags | item.tags)
            if placeholder in word.text
            else word
            for word in command
        ]
        found = walker.runner(walker, filled, Data(), {})
    return found


def parallel(use: Use, _words: list[Word]) -> Data | None:
    operands = list(use.found.operands)
    separators = [index for index, word in enumerate(operands) if word.text in (":::", ":::+", "::::")]
    cut = separators[0] if separators else len(operands)
    command, items = operands[:cut], [word for word in operands[cut + 1 :] if word.text not in (":::", ":::+", "::::")]
    inputs = items or _items(use.stdin)
    found = Data()
    for item in inputs[:8]:
        text = " ".join(word.text for word in command)
        text = text.replace("{}", item.text) if "{}" in text else f"{text} {item.text}".strip()
        found = code.run(use.walker, "shell", Data(text, NONE.union(item.tags, *(word.tags for word in command))), NONE)
    return found


def fd(use: Use, words: list[Word]) -> Data | None:
    """fd: ``-x`` and ``-X`` start a command with what is found."""
    for index, word in enumerate(words):
        if word.text in ("-x", "--exec", "-X", "--exec-batch"):
            command = [one for one in words[index + 1 :] if one.text != ";"]
            root = use.found.operands[1] if len(use.found.operands) > 1 else Word(".")
            read(use.walker, root, recursive=True)
            item = f"{root.text.rstrip('/')}/{UNKNOWN}"
            filled = [one._replace(text=one.text.replace("{}", item)) for one in command]
            if not any("{}" in one.text for one in command):
                filled.append(Word(item))
            return use.walker.runner(use.walker, filled, Data(), {}) if command else Data()
    roots = use.found.operands[1:] or [Word(".")]
    for root in roots:
        read(use.walker, root, recursive=True)
    return Data(f"{roots[0].text.rstrip('/')}/{UNKNOWN}") if len(roots) == 1 else unknown()


HANDLERS: dict[str, Handler] = {
    "fd": fd,
    "find": find,
    "parallel": parallel,
    "xargs": xargs,
}
