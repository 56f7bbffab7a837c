"""What the shell does itself (bash(1), SHELL BUILTIN COMMANDS)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from interlock.analyst.shell import code, outputs
from interlock.analyst.shell.environment import assigned
from interlock.analyst.shell.files import name_of
from interlock.analyst.shell.statements import attributed
from interlock.analyst.shell.words import NONE, NOTHING, UNKNOWN, Data, Word, unknown

if TYPE_CHECKING:
    from interlock.analyst.shell.walk import Walker

Builtin = Callable[["Walker", list[Word], Data], Data]


def _nothing(_walker: Walker, words: list[Word], _stdin: Data) -> Data:
    return Data("", NONE.union(*(word.tags for word in words)))


def _tags(words: list[Word]) -> frozenset[str]:
    return NONE.union(*(word.tags for word in words))


def _cd(walker: Walker, words: list[Word], _stdin: Data) -> Data:
    targets = [word for word in words if not (word.text.startswith("-") and len(word.text) > 1)]
    if not targets:
        walker.state.folders = (walker.state.home,) if walker.state.home else ()
    elif targets[0].text == "-":
        old = walker.state.variables.get("OLDPWD")
        walker.state.folders = (old.text,) if old is not None and old.known else ()
    else:
        old_folders = walker.state.folders
        name = name_of(walker, targets[0])
        if len(old_folders) == 1:
            walker.state.variables["OLDPWD"] = Data(old_folders[0])
        if name is not None:
            walker.state.folders = (name,)
        else:
            from interlock.analyst.shell.globs import places

            found = places(targets[0], old_folders, walker.state.home, recursive=False)
            walker.state.folders = tuple(dict.fromkeys(place.name for place in found)) if found else ()
    return NOTHING


def _eval(walker: Walker, words: list[Word], stdin: Data) -> Data:
    words = words[1:] if words and words[0].text == "--" else words
    text = Data(" ".join(word.text for word in words), _tags(words))
    code.origins(walker, text.tags)
    if not text.known:
        walker.note("shell.dynamic_code")
        if all(word.text == UNKNOWN for word in words):
            return unknown(text.tags)
    walker.budget.nesting += 1
    if walker.budget.nesting > 8:
        walker.note("shell.too_deep")
        return unknown(text.tags)
    found = walker.script(text.text, stdin)  # In this shell: what it sets stays.
    walker.budget.nesting -= 1
    return found


def _source(walker: Walker, words: list[Word], stdin: Data) -> Data:
    if not words:
        return NOTHING
    return code.execute_file(walker, words[0], words[1:], stdin, "shell")


def _exec(walker: Walker, words: list[Word], stdin: Data) -> Data:
    rest = list(words)
    while rest and rest[0].text in ("-c", "-l", "-cl", "-a"):
        rest = rest[2:] if rest[0].text == "-a" else rest[1:]
    return walker.runner(walker, rest, stdin, {}) if rest else NOTHING


def _command(walker: Walker, words: list[Word], stdin: Data) -> Data:
    rest = list(words)
    while rest and rest[0].text.startswith("-"):
        option = rest.pop(0).text
        if option == "--":
            break
        if set(option[1:]) & set("vV"):
            return _nothing(walker, rest, stdin) if "v" in option and len(option) == 2 else unknown()
    return walker.runner(walker, rest, stdin, {}) if rest else NOTHING


def _alias(walker: Walker, words: list[Word], _stdin: Data) -> Data:
    for word in words:
        name, equals, text = word.text.partition("=")
        if equals:
            walker.state.aliases[name] = text
            if not word.known:
                walker.note("shell.dynamic_code")
    return NOTHING


def _set(walker: Walker, words: list[Word], _stdin: Data) -> Data:
    texts = [word.text for word in words]
    if "+o" in texts and "history" in texts:
        walker.claims.signal("history.disabled")
    if "--" in texts:
        rest = words[texts.index("--") + 1 :]
        unclear = any(word.fields for word in rest)
        walker.state.parameters = None if unclear else tuple(Data(word.text, word.tags) for word in rest)
    elif any(not text.startswith(("-", "+")) for text in texts) and not any(
        text in ("-o", "+o") or text.endswith("o") for text in texts
    ):
        walker.state.parameters = tuple(
            Data(word.text, word.tags) for word in words if not word.text.startswith(("-", "+"))
        )
    return NOTHING


def _shift(walker: Walker, words: list[Word], _stdin: Data) -> Data:
    count = int(words[0].text) if words and words[0].text.isdigit() and len(words[0].text) < 4 else 1
    if walker.state.parameters:
        walker.state.parameters = walker.state.parameters[count:]
    return NOTHING


def _trap(walker: Walker, words: list[Word], stdin: Data) -> Data:
    rest = [word for word in words if word.text not in ("--", "-p", "-l", "-")]
    if len(rest) > 1 and rest[0].text:
        code.run(walker, "shell", Data(rest[0].text, rest[0].tags), NONE, stdin=stdin)
    return NOTHING


def _read(walker: Walker, words: list[Word], stdin: Data) -> Data:
    names = [word.text for word in words if word.text.isidentifier()] or ["REPLY"]
    lines = stdin.text.split("\n")
    single = stdin.known and len([line for line in lines if line]) == 1 and len(names) == 1
    shape = outputs.filtered(stdin)
    for name in names:
        walker.state.arrays.pop(name, None)
        walker.state.variables[name] = (
            Data(lines[0], stdin.tags) if single else Data(shape.text if len(names) == 1 else UNKNOWN, stdin.tags)
        )
    return NOTHING


def _printf(walker: Walker, words: list[Word], _stdin: Data) -> Data:
    if words and words[0].text == "-v" and len(words) > 2:
        found = outputs.printf(words[2:])
        walker.state.variables[words[1].text] = found
        return NOTHING
    return outputs.printf([word for word in words if word.text != "--"])


def _echo(_walker: Walker, words: list[Word], _stdin: Data) -> Data:
    return outputs.echo(words)


def _declare(walker: Walker, words: list[Word], _stdin: Data) -> Data:
    values: dict[str, Data] = {}
    for word in words:
        name, equals, text = word.text.partition("=")
        if equals and name.isidentifier():
            values[name] = Data(text, word.tags)
        elif not word.known:
            walker.note("shell.dynamic_argument")
    flags = [word.text for word in words if word.text[:1] in ("-", "+")]
    walker.state.variables.update(attributed(walker, flags, values))
    assigned(walker, values, exported=True)
    return NOTHING


def _unset(walker: Walker, words: list[Word], _stdin: Data) -> Data:
    values = {word.text: NOTHING for word in words}
    walker.state.variables.update(values)
    assigned(walker, values, exported=False)
    return NOTHING


def _exit(walker: Walker, words: list[Word], _stdin: Data) -> Data:
    walker.state.ended = True
    return Data("", _tags(words))


def _history(walker: Walker, words: list[Word], _stdin: Data) -> Data:
    if any(word.text.startswith("-") and set(word.text[1:]) & set("cdw") for word in words):
        walker.claims.signal("history.erased")
    return unknown(frozenset(("system",)))


def _coproc(walker: Walker, words: list[Word], stdin: Data) -> Data:
    return walker.runner(walker, words, stdin, {}) if words else NOTHING


def _let(walker: Walker, words: list[Word], _stdin: Data) -> Data:
    for word in words:
        name = word.text.partition("=")[0].rstrip("+-*/%<>&|^")
        if name.isidentifier():
            walker.state.forget(name)
    return NOTHING


def _mapfile(walker: Walker, words: list[Word], stdin: Data) -> Data:
    names = [word.text for word in words if word.text.isidentifier()] or ["MAPFILE"]
    walker.state.forget(names[-1])
    walker.state.variables[names[-1]] = unknown(stdin.tags)
    return NOTHING


def _enable(walker: Walker, words: list[Word], stdin: Data) -> Data:
    if any(word.text.startswith("-f") for word in words):
        walker.note("shell.unknown_code")
    return _nothing(walker, words, stdin)


def _shopt(_walker: Walker, _words: list[Word], _stdin: Data) -> Data:
    return NOTHING


def _type(_walker: Walker, words: list[Word], _stdin: Data) -> Data:
    plain = [word for word in words if not word.text.startswith("-")]
    name = plain[0].text if len(plain) == 1 and plain[0].known else UNKNOWN
    return Data(f"/usr/bin/{name}\n" if "/" not in name else name, _tags(words))


def _hash(walker: Walker, words: list[Word], _stdin: Data) -> Data:
    """``hash -p PATH NAME`` gives a name to another program."""
    if any(word.text.startswith("-") and "p" in word.text for word in words):
        walker.note("shell.dynamic_command")
    return NOTHING


def _pwd(walker: Walker, _words: list[Word], _stdin: Data) -> Data:
    return Data(walker.state.folders[0] + "\n") if len(walker.state.folders) == 1 else unknown()


def _popd(walker: Walker, _words: list[Word], _stdin: Data) -> Data:
    walker.state.folders = ()
    return NOTHING


def _system(_walker: Walker, _words: list[Word], _stdin: Data) -> Data:
    return unknown(frozenset(("system",)))


BUILTINS: dict[str, Builtin] = {
    **dict.fromkeys(("cd", "pushd", "chdir"), _cd),
    **dict.fromkeys((".", "source"), _source),
    **dict.fromkeys(("command", "builtin"), _command),
    **dict.fromkeys(("export", "declare", "typeset", "local", "readonly"), _declare),
    **dict.fromkeys(("exit", "return", "break", "continue", "logout"), _exit),
    **dict.fromkeys(("mapfile", "readarray"), _mapfile),
    **dict.fromkeys((":", "true", "false", "test", "[", "[[", "wait", "fg", "bg", "unalias"), _nothing),
    **dict.fromkeys(
        ("getopts", "caller", "compgen", "complete", "compopt", "bind", "disown", "help", "times"), _nothing
    ),
    **dict.fromkeys(("popd", "dirs"), _popd),
    **dict.fromkeys(("ulimit", "umask", "jobs", "suspend"), _system),
    "eval": _eval,
    "exec": _exec,
    "alias": _alias,
    "set": _set,
    "shopt": _shopt,
    "shift": _shift,
    "trap": _trap,
    "read": _read,
    "printf": _printf,
    "echo": _echo,
    "unset": _unset,
    "history": _history,
    "fc": _history,
    "coproc": _coproc,
    "let": _let,
    "enable": _enable,
    "hash": _hash,
    "type": _type,
    "which": _type,
    "pwd": _pwd,
}
