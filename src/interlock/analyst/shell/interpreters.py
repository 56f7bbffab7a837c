"""Interpreters, and the small languages of awk, sed, editors and debuggers, in which a shell can be started."""

from __future__ import annotations

import re

from interlock.analyst.shell import code, outputs
from interlock.analyst.shell.apply import apply
from interlock.analyst.shell.files import connect, read, send, write
from interlock.analyst.shell.models import models
from interlock.analyst.shell.parameters import unescape
from interlock.analyst.shell.roles import play
from interlock.analyst.shell.use import Handler, Use
from interlock.analyst.shell.words import NONE, UNKNOWN, Data, Word, unknown
from interlock.artifact.action import Effect

MAX_PROGRAM = 4096
_AWK_REGEX = re.compile(r"\"(?:[^\"\\]|\\.)*\"|/(?:[^/\\\n]|\\.)+/")
_AWK_SYSTEM = re.compile(r"system\s*\(\s*(\"(?:[^\"\\]|\\.)*\"\s*\))?")
_AWK_PIPE = re.compile(r"(?:print[^;}\n]*\|&?\s*(\"(?:[^\"\\]|\\.)*\")?|(\"(?:[^\"\\]|\\.)*\")\s*\|&?\s*getline)")
_AWK_WRITE = re.compile(r"\bprintf?\b[^;}\n>]*>>?\s*(\"(?:[^\"\\]|\\.)*\")?([A-Za-z_$(])?")
_AWK_SOCKET = re.compile(r"/inet[46]?/(?:tcp|udp)/[^/\"]*/([^/\"]*)/([^/\"]*)")
_SED_RUN = re.compile(
    r"(?:^|[;{}\n])\s*(?:[\d$]+|/[^/]*/)?(?:,(?:[\d$]+|/[^/]*/))?\s*!?\s*e(?:\s+([^;}\n]+))?\s*(?:$|[;}\n])"
)
_SED_FLAG = re.compile(r"s([^\w\s\\])(?:(?!\1).|\\.)*\1(?:(?!\1).|\\.)*\1[gpiIm\d]*e")
_SED_FILE = re.compile(r"(?:(?:^|[;{}\n\d$/])\s*[wW]|s([^\w\s\\])(?:(?!\1).)*\1(?:(?!\1).)*\1[gpi\d]*w)\s+([^\s;}]+)")


def shell(use: Use, _words: list[Word]) -> Data | None:
    walker, found = use.walker, use.found
    for name, role, word in found.values:
        if name in ("--rcfile", "--init-file"):
            play(use, role, word, None)
    operands = found.operands
    if found.has("-p") and (found.has("-c") or not operands):
        walker.claims.signal("privilege.shell")
    if found.has("-c"):
        return _shell_code(use, operands)
    if operands and not found.has("-s"):
        return code.execute_file(walker, operands[0], operands[1:], use.stdin, "shell")
    return from_input(use, "shell")


def _shell_code(use: Use, operands: list[Word]) -> Data:
    walker = use.walker
    if not operands:
        return from_input(use, "shell") if use.stdin.text else Data()
    kept = walker.state.parameters
    given = operands[2:]
    walker.state.parameters = (
        None if any(word.fields for word in given) else tuple(Data(word.text, word.tags) for word in given)
    )
    first = operands[0]
    result = code.run(walker, "shell", Data(first.text, first.tags), NONE, stdin=use.stdin)
    walker.state.parameters = kept
    return result


def from_input(use: Use, language: str) -> Data:
    """An interpreter that reads its code from its input, or from nobody that is seen here."""
    walker, stdin = use.walker, use.stdin
    if not stdin.text and not stdin.tags:
        walker.claims.signal("shell.escape" if walker.escaped else "shell.interactive")
        return unknown(frozenset(("shell",)))
    found = code.run(walker, language, stdin, NONE, stdin=Data())
    return found if stdin.known else Data(found.text, found.tags | {"shell"})


def interpreter(use: Use, words: list[Word]) -> Data | None:
    """python, perl, ruby, node, php: code of an option, a module, a file, or the input."""
    walker, found, language = use.walker, use.found, use.model.kind or "python"
    if language == "php" and found.has("-S --server"):
        walker.claims.signal("network.listening")
        walker.claims.touch(Effect.WRITE, "network", "listen:*", open=True)
        return unknown()
    if found.has("-V -v --version -h --help -l --lint") and not found.operands and not found.values:
        return Data()
    module = next((index for index, word in enumerate(words) if re.fullmatch(r"-[a-zA-Z]*m", word.text)), None)
    codes = [word for _, role, word in found.values if role.startswith("code:")]
    if found.path[0].startswith("python") and module is not None and not codes and module + 1 < len(words):
        return _module(use, words[module + 1], words[module + 2 :])
    attached = [word for name, _, word in found.values if name == "-m"]
    if found.path[0].startswith("python") and attached and not codes:
        return _module(use, attached[0], found.operands)
    others = [(role, word) for _, role, word in found.values if not role.startswith("code:") and role != "skip"]
    for role, word in others:
        play(use, role, word, None)
    if codes:
        found_tags = NONE.union(use.stdin.tags, *(word.tags for word in found.operands))
        text = Data("\n".join(word.text for word in codes), NONE.union(*(word.tags for word in codes)))
        _filtered(use, language)
        return code.run(walker, language, text, found_tags, stdin=Data(use.stdin.text, found_tags))
    if found.operands and found.operands[0].text != "-":
        return code.execute_file(walker, found.operands[0], found.operands[1:], use.stdin, language)
    return from_input(use, language)


def _filtered(use: Use, language: str) -> None:
    """The files that a filter of one line goes through; a name with a pipe in it would be a command to Perl."""
    if language not in ("perl", "ruby"):
        return
    for word in use.found.operands:
        use.reading(word)
        if use.found.has("-i"):
            use.writing(word)
        if language == "perl" and (not word.known or {"|", "<", ">"} & set(word.text)):
            use.walker.note("shell.dynamic_code")
    if use.found.has("-I"):
        use.walker.note("shell.unknown_code")


def _module(use: Use, name: Word, rest: list[Word]) -> Data:
    from interlock.analyst.shell.invoke import unmodelled

    if not name.known:
        use.walker.note("shell.dynamic_command")
        return unknown(name.tags)
    model = models().get(f"python -m {name.text}") or models().get(name.text)
    if model is not None:
        return apply(use.walker, name.text, model, rest, use.stdin)
    return unmodelled(use.walker, name.text, rest, use.stdin)


def awk(use: Use, _words: list[Word]) -> Data | None:
    walker, operands = use.walker, list(use.found.operands)
    programs = [word for name, _, word in use.found.values if name in ("-e", "--source")]
    if not programs and not use.found.has("-f --file") and operands:
        programs = [operands.pop(0)]
    tags = set(use.stdin.tags)
    for word in operands:
        if "=" not in word.text.partition("/")[0]:
            tags.update(read(walker, word).tags)
    for name, _, word in use.found.values:
        if name in ("-f", "--file"):
            code.execute_file(walker, word, [], use.stdin, "awk")
    for program in programs:
        tags.update(program.tags)
        if not program.known and program.text.startswith(UNKNOWN):
            walker.note("shell.dynamic_code")
        _awk_program(use, program.text, frozenset(tags))
    return unknown(frozenset(tags))


def _awk_program(use: Use, text: str, tags: frozenset[str]) -> None:
    walker = use.walker
    if len(text) > MAX_PROGRAM:
        walker.note("shell.too_large")
        return
    bare = _AWK_REGEX.sub(lambda found: found.group() if found.group()[0] == '"' else "/r/", text)
    for match in _AWK_SOCKET.finditer(text):
        connect(walker, match.group(1) or UNKNOWN, match.group(2) or UNKNOWN)
        send(walker, tags)
        if "getline" in text and "|" in text:
            walker.claims.signal("shell.reverse")
    _awk_actions(use, bare, tags)
    if "@load" in text or "@include" in text:
        walker.note("shell.unknown_code")


def _awk_actions(use: Use, bare: str, tags: frozenset[str]) -> None:
    """Commands that are run, pipes, and files that are written."""
    for match in _AWK_SYSTEM.finditer(bare):
        _awk_command(use, match.group(1).rstrip(") \t") if match.group(1) else "", tags)
    for match in _AWK_PIPE.finditer(bare):
        if not (match.group(1) or match.group(2)) and "||" in match.group():
            continue
        _awk_command(use, match.group(1) or match.group(2) or "", tags)
    for match in _AWK_WRITE.finditer(bare):
        if match.group(1):
            write(use.walker, Word(unescape(match.group(1)[1:-1])), unknown(tags))
        elif match.group(2):
            write(use.walker, Word(UNKNOWN), unknown(tags))


def _awk_command(use: Use, quoted: str, tags: frozenset[str]) -> None:
    text = Data(unescape(quoted[1:-1])) if quoted else unknown(tags)
    code.escape(use.walker, text, Data())


def sed(use: Use, _words: list[Word]) -> Data | None:
    walker, operands = use.walker, list(use.found.operands)
    scripts = [word for name, _, word in use.found.values if name in ("-e", "--expression")]
    if not scripts and not use.found.has("-f --file") and operands:
        scripts = [operands.pop(0)]
    for script in scripts:
        _sed_script(use, script)
    for name, _, word in use.found.values:
        if name in ("-f", "--file"):
            read(walker, word)
            walker.note("shell.unknown_code")
    for word in operands:
        use.reading(word)
    if use.found.has("-i --in-place -I"):
        for word in operands:
            if word.text:
                use.writing(word, append=True)
        return Data()
    tags = use.stdin.tags | use.read | NONE.union(*(script.tags for script in scripts))
    return outputs.filtered(Data(use.stdin.text, tags)) if not operands else unknown(tags)


def _sed_script(use: Use, script: Word) -> None:
    """The commands ``e`` and ``w``, and the flags of ``s`` by these names."""
    if len(script.text) > MAX_PROGRAM:
        use.walker.note("shell.too_large")
        return
    for match in _SED_RUN.finditer(script.text):
        text = Data(match.group(1).strip(), script.tags) if match.group(1) else unknown(use.stdin.tags)
        code.escape(use.walker, text, Data())
    if _SED_FLAG.search(script.text) or script.text.startswith(UNKNOWN):
        use.walker.note("shell.dynamic_code")
    for match in _SED_FILE.finditer(script.text):
        write(use.walker, Word(match.group(2)), unknown(use.stdin.tags))


def debugger(use: Use, _words: list[Word]) -> Data | None:
    """gdb with commands; ldd runs what it looks at only where the loader does."""
    if use.found.path[0] == "ldd":
        for word in use.found.operands:
            use.reading(word)
        return unknown(use.read)
    for name, _, word in use.found.values:
        if name in ("-ex", "-iex", "--eval-command") and word.text.lstrip().startswith(
            ("!", "shell ", "python ", "call ", "print system")
        ):
            use.walker.claims.signal("shell.escape")
            if word.text.lstrip().startswith(("!", "shell ")):
                code.run(
                    use.walker, "shell", Data(word.text.lstrip().removeprefix("shell ").lstrip("!"), word.tags), NONE
                )
            else:
                use.walker.note("shell.unknown_code")
        elif name in ("-x", "--command", "-ix"):
            read(use.walker, word)
            use.walker.note("shell.unknown_code")
    if use.found.path[0] in ("gcore", "reptyr", "ptrace", "frida", "frida-trace", "injectso"):
        use.walker.claims.signal("process.injected")
        use.walker.claims.touch(Effect.WRITE, "process", "*", open=True)
        return unknown(use.read)
    return None


def pager(use: Use, words: list[Word]) -> Data | None:
    """less and more: ``+!COMMAND`` runs before the first page."""
    for word in words:
        if word.text.startswith("+!"):
            use.walker.claims.signal("shell.escape")
            code.escape(use.walker, Data(word.text[2:], word.tags), Data())
    return None


def editor(use: Use, words: list[Word]) -> Data | None:
    """An editor without a terminal; as a filter it is a command language."""
    pager(use, words)
    if use.stdin.text or use.stdin.tags:
        code.origins(use.walker, use.stdin.tags)
        for line in use.stdin.text.splitlines()[:64]:
            if line.lstrip(":").startswith("!"):
                use.walker.claims.signal("shell.escape")
                code.run(use.walker, "shell", Data(line.lstrip(":")[1:], use.stdin.tags), NONE)
    return None


HANDLERS: dict[str, Handler] = {
    "awk": awk,
    "debugger": debugger,
    "editor": editor,
    "pager": pager,
    "interpreter": interpreter,
    "sed": sed,
    "shell": shell,
}
