"""Commands whose arguments are a small language of their own, which no table of options can say.

Each takes the command's use and its raw words; one that returns ``None`` leaves the rest to the model.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from interlock.analyst.shell import code, outputs, systems
from interlock.analyst.shell.apply import Use, apply, endpoint, perform, play
from interlock.analyst.shell.files import connect, delete, is_root, read, send, write
from interlock.analyst.shell.globs import places
from interlock.analyst.shell.models import models
from interlock.analyst.shell.paths import is_outside, meanings_of
from interlock.analyst.shell.words import NONE, UNKNOWN, Data, Word, unknown
from interlock.artifact.action import Effect

if TYPE_CHECKING:
    pass

Handler = Callable[[Use, list[Word]], Data | None]

_EXECUTES = frozenset(("-exec", "-execdir", "-ok", "-okdir"))
_SET_ID = re.compile(r"[-/]?[2467][0-7]{3}|[ug]?[+=]s")
_FIND_FILES = frozenset(("-fprint", "-fprint0", "-fls", "-fprintf"))
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
_REMOTE = re.compile(r"(?:[\w.-]+@)?(\[[0-9a-fA-F:]+\]|[A-Za-z0-9][A-Za-z0-9_.-]*):(?!\\)(.*)", re.DOTALL)
MAX_APPENDED = 64


def _find(use: Use, words: list[Word]) -> Data | None:
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
    for root in roots:
        tags.update(read(walker, root, recursive=True).tags - {"file"})
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
    index = 0
    printed = NONE
    while index < len(rest):
        option = rest[index].text
        index += 1
        if option in _EXECUTES:
            index, output = _find_exec(use, rest, index, found, roots)
            printed |= output.tags
        elif option == "-perm" and index < len(rest):
            if _SET_ID.search(rest[index].text) and any(
                is_outside(place.name, walker.claims.place.root)
                for root in roots
                for place in places(root, walker.state.folders, walker.state.home, recursive=True) or ()
            ):
                walker.claims.signal("recon.privileges")
        elif option == "-delete":
            use.walker.claims.signal("delete.searched")
            for root in roots:
                narrowed = bool(names) and all(name.strip("*./") for name in names)
                delete(walker, root, recursive=True, whole=not narrowed)
        elif option in _FIND_FILES and index < len(rest):
            write(walker, rest[index], unknown())
    return Data(shape[0] if len(shape) == 1 else UNKNOWN, frozenset(tags & {"secret"}) | printed)


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


def _xargs(use: Use, _words: list[Word]) -> Data | None:
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


def _parallel(use: Use, _words: list[Word]) -> Data | None:
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


def _shell(use: Use, _words: list[Word]) -> Data | None:
    walker, found = use.walker, use.found
    for name, role, word in found.values:
        if name in ("--rcfile", "--init-file"):
            play(use, role, word, None)
    operands = found.operands
    if found.has("-c"):
        return _shell_code(use, operands)
    if operands and not found.has("-s"):
        return code.execute_file(walker, operands[0], operands[1:], use.stdin, "shell")
    return _from_input(use, "shell")


def _shell_code(use: Use, operands: list[Word]) -> Data:
    walker = use.walker
    if not operands:
        return _from_input(use, "shell") if use.stdin.text else Data()
    kept = walker.state.parameters
    given = operands[2:]
    walker.state.parameters = (
        None if any(word.fields for word in given) else tuple(Data(word.text, word.tags) for word in given)
    )
    first = operands[0]
    result = code.run(walker, "shell", Data(first.text, first.tags), NONE, stdin=use.stdin)
    walker.state.parameters = kept
    return result


def _from_input(use: Use, language: str) -> Data:
    """An interpreter that reads its code from its input, or from nobody that is seen here."""
    walker, stdin = use.walker, use.stdin
    if not stdin.text and not stdin.tags:
        walker.claims.signal("shell.escape" if walker.escaped else "shell.interactive")
        return unknown(frozenset(("shell",)))
    found = code.run(walker, language, stdin, NONE, stdin=Data())
    return found if stdin.known else Data(found.text, found.tags | {"shell"})


def _interpreter(use: Use, words: list[Word]) -> Data | None:
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
    others = [(role, word) for _, role, word in found.values if not role.startswith("code:") and role != "skip"]
    for role, word in others:
        play(use, role, word, None)
    if codes:
        found_tags = NONE.union(use.stdin.tags, *(word.tags for word in found.operands))
        text = Data("\n".join(word.text for word in codes), NONE.union(*(word.tags for word in codes)))
        if language == "perl" and found.has("-i"):
            for word in found.operands:
                use.reading(word)
                use.writing(word)
        return code.run(walker, language, text, found_tags, stdin=Data(use.stdin.text, found_tags))
    if found.operands and found.operands[0].text != "-":
        return code.execute_file(walker, found.operands[0], found.operands[1:], use.stdin, language)
    return _from_input(use, language)


def _module(use: Use, name: Word, rest: list[Word]) -> Data:
    from interlock.analyst.shell.invoke import unmodelled

    if not name.known:
        use.walker.note("shell.dynamic_command")
        return unknown(name.tags)
    model = models().get(f"python -m {name.text}") or models().get(name.text)
    if model is not None:
        return apply(use.walker, name.text, model, rest, use.stdin)
    return unmodelled(use.walker, name.text, rest, use.stdin)


def _awk(use: Use, _words: list[Word]) -> Data | None:
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
    bare = _AWK_REGEX.sub(lambda found: found.group() if found.group()[0] == '"' else "/r/", text)
    for match in _AWK_SOCKET.finditer(text):
        connect(walker, match.group(1) or UNKNOWN, match.group(2) or UNKNOWN)
        send(walker, tags)
        if "getline" in text and "|" in text:
            walker.claims.signal("shell.reverse")
    for match in _AWK_SYSTEM.finditer(bare):
        _awk_command(use, match.group(1).rstrip(") \t") if match.group(1) else "", tags)
    for match in _AWK_PIPE.finditer(bare):
        if not (match.group(1) or match.group(2)) and "||" in match.group():
            continue
        _awk_command(use, match.group(1) or match.group(2) or "", tags)
    for match in _AWK_WRITE.finditer(bare):
        if match.group(1):
            write(walker, Word(outputs.unescape(match.group(1)[1:-1])), unknown(tags))
        elif match.group(2):
            write(walker, Word(UNKNOWN), unknown(tags))
    if "@load" in text or "@include" in text:
        walker.note("shell.unknown_code")


def _awk_command(use: Use, quoted: str, tags: frozenset[str]) -> None:
    text = Data(outputs.unescape(quoted[1:-1])) if quoted else unknown(tags)
    code.escape(use.walker, text, Data())


def _sed(use: Use, _words: list[Word]) -> Data | None:
    walker, operands = use.walker, list(use.found.operands)
    scripts = [word for name, _, word in use.found.values if name in ("-e", "--expression")]
    if not scripts and not use.found.has("-f --file") and operands:
        scripts = [operands.pop(0)]
    for script in scripts:
        for match in _SED_RUN.finditer(script.text):
            text = Data(match.group(1).strip(), script.tags) if match.group(1) else unknown(use.stdin.tags)
            code.run(walker, "shell", text, NONE)
        if _SED_FLAG.search(script.text):
            walker.note("shell.dynamic_code")
        for match in _SED_FILE.finditer(script.text):
            write(walker, Word(match.group(2)), unknown(use.stdin.tags))
        if script.text.startswith(UNKNOWN):
            walker.note("shell.dynamic_code")
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


def _dd(use: Use, words: list[Word]) -> Data | None:
    target = None
    for word in words:
        name, _, value = word.text.partition("=")
        if name == "if":
            use.reading(word._replace(text=value))
        elif name == "of":
            target = word._replace(text=value)
    if target is None:
        return use.content or Data(use.stdin.text, use.stdin.tags)
    if target.text.startswith("/dev/") and not target.text.startswith(
        ("/dev/null", "/dev/shm", "/dev/std", "/dev/tcp")
    ):
        use.walker.claims.signal("disk.wiped")
    use.writing(target)
    return Data()


def _tar(use: Use, _words: list[Word]) -> Data | None:
    walker, found = use.walker, use.found
    use.recursive = True
    archives = [word for name, _, word in found.values if name in ("-f", "--file")]
    creates = found.has("-c -r -u -A --create --append --update --concatenate --catenate --delete")
    home_folders = walker.state.folders
    if not creates:
        use.recursive = False
        for word in archives:
            use.reading(word)
        use.recursive = True
    for name, role, word in found.values:
        if name in ("-C", "--directory", "--cd"):
            play(use, "folder", word, None)
        elif name not in ("-f", "--file") and role != "skip":
            play(use, role, word, None)
        if name == "--checkpoint-action" and word.text.startswith("exec="):
            walker.claims.signal("shell.escape")
            code.run(walker, "shell", Data(word.text[5:], word.tags), NONE)
    if creates:
        for word in found.operands:
            use.reading(word)
            if found.has("--remove-files"):
                delete(walker, word, recursive=True)
        tags = use.read | use.stdin.tags
        use.recursive = False
        walker.state.folders = home_folders
        for word in archives:
            if word.text != "-":
                _copied(use, word, Data(UNKNOWN, tags))
        return unknown(tags)
    tags = use.read | use.stdin.tags
    if found.has("-x --extract --get") and not found.has("-O --to-stdout"):
        write(walker, Word("."), Data(UNKNOWN, tags), recursive=True)
        if found.has("-P --absolute-names"):
            write(walker, Word("/"), Data(UNKNOWN, tags), recursive=True)
    return unknown(tags)


def _copied(use: Use, word: Word, data: Data) -> None:
    """A target that may be on another host (``host:path``)."""
    remote = _REMOTE.match(word.text)
    if remote is not None and "/" not in word.text.partition(":")[0]:
        connect(use.walker, remote.group(1).strip("[]"), "22")
        send(use.walker, data.tags, remote.group(1))
    else:
        write(use.walker, word, data, recursive=use.recursive)


def _copy(use: Use, _words: list[Word]) -> Data | None:
    """scp, rsync, rclone: the last operand is the target; either side may be a host."""
    operands = list(use.found.operands)
    for name, role, word in use.found.values:
        if role != "skip":
            play(use, role, word, None)
        if name == "-P" and use.found.path[0] == "scp":
            continue
    if len(operands) < 2:
        for word in operands:
            _source(use, word)
        return unknown(use.read)
    use.recursive = use.found.has("-r -R -a --recursive --archive -d") or use.found.path[0] in ("rclone", "gsutil")
    for word in operands[:-1]:
        _source(use, word)
    data = use.content if use.content is not None else unknown(use.read)
    _copied(
        use,
        operands[-1],
        Data(data.text or UNKNOWN, data.tags | use.read | NONE.union(*(word.tags for word in operands))),
    )
    if use.found.has("--delete --delete-after --delete-before --delete-excluded --remove-source-files"):
        delete(use.walker, operands[-1] if not use.found.has("--remove-source-files") else operands[0], recursive=True)
    return Data()


def _source(use: Use, word: Word) -> None:
    remote = _REMOTE.match(word.text)
    if remote is not None and "/" not in word.text.partition(":")[0]:
        connect(use.walker, remote.group(1).strip("[]"), "22", Effect.READ)
        use.read |= {"download"}
        use.content = unknown(frozenset(("download",)))
    elif "://" in word.text:
        host, port = endpoint(word.text, "")
        connect(use.walker, host, port, Effect.READ)
        use.read |= {"download"}
    else:
        use.reading(word)


def _copyfile(use: Use, _words: list[Word]) -> Data | None:
    """cp, mv, install, ln: what was read is at the target afterwards, under the target's or its own name."""
    walker, found = use.walker, use.found
    use.recursive = found.has("-r -R -a --recursive --archive") or found.path[0] in ("mv",)
    operands = list(found.operands)
    target = next((word for name, _, word in found.values if name in ("-t", "--target-directory")), None)
    if target is None and len(operands) > 1:
        target = operands.pop()
    moves = found.path[0] in ("mv", "gmv", "rename")
    for word in operands:
        data = read(walker, word, recursive=use.recursive)
        use.read |= data.tags
        use.content = data if use.content is None else unknown(use.content.tags | data.tags)
        if moves:
            for code_ in [
                one.name for one in places(word, walker.state.folders, walker.state.home, recursive=False) or ()
            ]:
                walker.claims.touch(Effect.DELETE, "file", code_, recursive=True)
                if is_root(walker, code_):
                    walker.claims.signal("recursive.root_delete")
                for signal in meanings_of(code_, "delete", walker.state.home, False):
                    walker.claims.signal(signal)
    if target is not None:
        data = use.content if use.content is not None else unknown()
        write(
            walker,
            target,
            Data(data.text or UNKNOWN, data.tags),
            recursive=use.recursive and len(operands) > 0 and not walker.state.files,
        )
        for word in operands:
            if word.known and not word.glob:
                base = word.text.rstrip("/").rpartition("/")[2]
                into = target._replace(text=f"{target.text.rstrip('/') or '/'}/{base}")
                _under(use, into, data)
    return Data()


def _under(use: Use, word: Word, data: Data) -> None:
    """The target may be a folder: then the copy has the source's name in it."""
    walker = use.walker
    for place in places(word, walker.state.folders, walker.state.home, recursive=False) or ():
        for signal in meanings_of(place.name, "write", walker.state.home, False):
            walker.claims.signal(signal)
        walker.state.files.setdefault(place.name, data)


def _base(use: Use, words: list[Word]) -> Data | None:
    for word in use.found.operands:
        use.reading(word)
    data = use.content if use.content is not None else use.stdin
    data = Data(data.text, data.tags | use.read)
    if use.found.has("-d -D --decode -di"):
        return outputs.unbase(data, 32 if use.found.path[0] == "base32" else 64)
    return unknown(data.tags)


def _xxd(use: Use, _words: list[Word]) -> Data | None:
    if not use.found.has("-r -revert"):
        return None
    data = use.stdin
    for word in use.found.operands[:1]:
        use.reading(word)
        data = use.content or data
    return outputs.unhex(data) if use.found.has("-p -ps -plain -postscript") else outputs.decoded(data, None)


def _tr(use: Use, words: list[Word]) -> Data | None:
    return outputs.translate(use.stdin, words)


def _rev(use: Use, _words: list[Word]) -> Data | None:
    for word in use.found.operands:
        use.reading(word)
    return outputs.reverse(use.content if use.content is not None else use.stdin)


def _filter(use: Use, _words: list[Word]) -> Data | None:
    """grep, sort, head: some of the lines that were read."""
    perform(use)
    if use.content is not None:
        return unknown(use.read | use.stdin.tags)
    return outputs.filtered(use.stdin)


def _name(use: Use, _words: list[Word]) -> Data | None:
    """basename and dirname of a known path."""
    operands = use.found.operands
    if len(operands) not in (1, 2) or not operands[0].known:
        return unknown(NONE.union(*(word.tags for word in operands)))
    head, _, tail = operands[0].text.rstrip("/").rpartition("/")
    if use.found.path[0] == "dirname":
        return Data((head or ("/" if operands[0].text.startswith("/") else ".")) + "\n", operands[0].tags)
    ending = operands[1].text if len(operands) > 1 else ""
    return Data((tail.removesuffix(ending) if ending != tail else tail) + "\n", operands[0].tags)


def _git_setting(use: Use, _words: list[Word]) -> Data | None:
    """``git config NAME VALUE``."""
    operands = [word for word in use.found.operands if word.text not in ("set", "get", "unset", "list")]
    if len(operands) > 1 and not use.found.has("--unset --unset-all --get --get-all -l --list --remove-section"):
        code.git_setting(use, operands[0].text, Data(operands[1].text, operands[1].tags))
        scope = (
            "~/.gitconfig"
            if use.found.has("--global")
            else "/etc/gitconfig"
            if use.found.has("--system")
            else ".git/config"
        )
        for place in places(Word(scope), use.walker.state.folders, use.walker.state.home, recursive=False) or ():
            use.walker.claims.touch(Effect.WRITE, "file", place.name)
    return Data()


def _socat(use: Use, _words: list[Word]) -> Data | None:
    walker = use.walker
    runs, reaches = False, False
    for word in use.found.operands:
        kind, _, rest = word.text.partition(":")
        kind = kind.upper()
        if kind in ("EXEC", "SYSTEM", "SHELL"):
            runs = True
            code.run(
                walker, "shell", Data(rest.partition(",")[0], word.tags), NONE, stdin=unknown(frozenset(("socket",)))
            )
        elif kind.startswith(("TCP", "UDP", "OPENSSL", "SSL", "SCTP", "SOCKS")):
            reaches = True
            host, port = rest.partition(",")[0].rpartition(":")[::2]
            if "LISTEN" in kind:
                walker.claims.touch(Effect.WRITE, "network", f"listen:{port or rest.partition(',')[0]}")
                walker.claims.signal("network.listening")
            else:
                connect(walker, host or UNKNOWN, port)
                send(walker, use.stdin.tags | word.tags, host)
        elif kind in ("OPEN", "FILE", "GOPEN", "CREATE"):
            data = read(walker, Word(rest.partition(",")[0]))
            use.read |= data.tags
        elif kind.startswith("UNIX") and "docker.sock" in rest:
            walker.claims.signal("container.escape")
    if reaches:
        send(walker, use.read)
    if runs and reaches:
        walker.claims.signal("shell.reverse")
    return unknown(frozenset(("download", "socket")) if reaches else NONE)


def _nc(use: Use, _words: list[Word]) -> Data | None:
    walker, operands = use.walker, use.found.operands
    listens = use.found.has("-l --listen")
    runs = [word for name, _, word in use.found.values if name in ("-e", "-c", "--exec", "--sh-exec", "--lua-exec")]
    if use.found.has("-z") and not runs:
        if operands:
            connect(walker, operands[0].text, operands[1].text if len(operands) > 1 and operands[1].known else "*")
        return Data()
    if listens:
        walker.claims.touch(
            Effect.WRITE, "network", f"listen:{operands[-1].text if operands and operands[-1].known else '*'}"
        )
        walker.claims.signal("network.listening")
    elif operands:
        port = operands[1].text if len(operands) > 1 else "0"
        connect(walker, operands[0].text, port)
    if runs:
        walker.claims.signal("shell.reverse")
        for word in runs:
            walker.claims.program(word.text.partition(" ")[0])
    send(
        walker,
        use.stdin.tags | NONE.union(*(word.tags for word in operands)),
        operands[0].text if operands and not listens else "",
    )
    return unknown(frozenset(("download", "socket")))


def _cat(use: Use, _words: list[Word]) -> Data | None:
    for word in use.found.operands:
        use.reading(word)
    if use.content is None:
        return use.stdin
    return Data(use.content.text, use.content.tags | use.read)


def _database(use: Use, _words: list[Word]) -> Data | None:
    """A database's client: SQL of an option, an operand or the input, in the dialect that the model names."""
    walker, found = use.walker, use.found
    texts = [word for _, role, word in found.values if role == "code:sql"]
    scripts = [word for _, role, word in found.values if role == "execute"]
    for _, role, word in found.values:
        if role not in ("code:sql", "execute", "skip"):
            play(use, role, word, None)
    operands = list(found.operands)
    if found.path[0].startswith("sqlite") and operands:
        use.reading(operands[0])
        write(walker, operands[0], unknown(), append=True)
        texts += operands[1:]
    else:
        for word in operands[:1]:
            if "://" in word.text:
                host, port = endpoint(word.text, "")
                connect(walker, host, port)
            walker.claims.touch(Effect.READ, "database", word.text if word.known else "*", open=not word.known)
    for word in scripts:
        held = code.content_of(walker, word)
        read(walker, word)
        if held is not None and held.known:
            _sql(use, Data(held.text, held.tags))
        else:
            walker.note("shell.unknown_code")
    for word in texts:
        _sql(use, Data(word.text, word.tags))
    if not texts and not scripts and (use.stdin.text or use.stdin.tags):
        _sql(use, use.stdin)
    return unknown(frozenset(("database", "private")) | use.read)


def _sql(use: Use, text: Data) -> None:
    code.origins(use.walker, text.tags)
    if not text.known:
        use.walker.note("shell.dynamic_code")
        return
    for line in text.text.splitlines():
        for mark in ("\\!", ".shell", ".system", "system "):
            if line.strip().startswith(mark):
                code.run(use.walker, "shell", Data(line.strip()[len(mark) :]), NONE)
    cleaned = "\n".join(line for line in text.text.splitlines() if not line.strip().startswith((".", "\\")))
    if cleaned.strip():
        use.walker.claims.inline("sql", cleaned, dialect=use.model.kind)


def _sudo(use: Use, _words: list[Word]) -> Data | None:
    """sudo and doas with options and no command start a shell, or an editor of a file."""
    if use.found.has("-l --list -v --validate -k -K -V --version"):
        return Data()
    if use.found.has("-e --edit"):
        for word in use.found.operands:
            write(use.walker, word, unknown())
        return Data()
    if not use.found.operands and use.found.has("-s -i --shell --login"):
        use.walker.claims.touch(Effect.GRANT_ACCESS, "privilege", "root")
        return _from_input(use, "shell")
    return None


def _remote_shell(use: Use, _words: list[Word]) -> Data | None:
    """ssh: options with end points, then a host, then perhaps a command, which may also stand on the input."""
    walker, found = use.walker, use.found
    for name, role, word in found.values:
        if name in ("-L", "-R", "-D", "-W", "-w"):
            walker.claims.signal("tunnel.opened")
        elif name == "-o" and word.text.lower().startswith(("proxycommand", "localcommand", "knownhostscommand")):
            walker.claims.signal("shell.escape")
            code.run(walker, "shell", Data(re.split(r"[= ]", word.text, maxsplit=1)[-1], word.tags), NONE)
        elif role not in ("skip",):
            use.reading(word) if role == "read" else play(use, role, word, None)
    if not found.operands:
        return Data()
    host = found.operands[0]
    use.address(host, Effect.SEND, next((word.text for name, _, word in found.values if name == "-p"), "22"))
    send(walker, use.stdin.tags | NONE.union(*(word.tags for word in found.operands)), use.hosts[0])
    walker.claims.touch(Effect.EXECUTE, "endpoint", f"{use.hosts[0] if UNKNOWN not in use.hosts[0] else '*'}:22")
    if len(found.operands) > 1:
        return code.elsewhere(use, found.operands[1:], joined=True)
    if use.stdin.text or use.stdin.tags:
        return code.elsewhere(use, [Word(use.stdin.text, use.stdin.tags)], joined=True)
    return unknown(frozenset(("download",)))


def _su(use: Use, _words: list[Word]) -> Data | None:
    use.walker.claims.touch(
        Effect.GRANT_ACCESS,
        "privilege",
        use.found.operands[0].text if use.found.operands and use.found.operands[0].known else "root",
    )
    commands = [word for name, _, word in use.found.values if name in ("-c", "--command")]
    for word in commands:
        use.out = code.run(use.walker, "shell", Data(word.text, word.tags), NONE, stdin=use.stdin)
    if not commands:
        return _from_input(use, "shell")
    return use.out


def _env(use: Use, words: list[Word]) -> Data | None:
    for name, _, word in use.found.values:
        if name in ("-C", "--chdir"):
            play(use, "folder", word, None)
        elif name in ("-S", "--split-string"):
            text = Data(" ".join([word.text, *(one.text for one in use.found.operands)]), word.tags)
            return code.run(use.walker, "shell", text, NONE, stdin=use.stdin)
    if not use.found.operands:
        return unknown(frozenset(("environment", "secret") if not use.found.has("-i") else ()))
    return code.wrapped(use, "assignments", use.found.operands)


def _busybox(use: Use, words: list[Word]) -> Data | None:
    plain = [word for word in words if not word.text.startswith("--")]
    return use.walker.runner(use.walker, plain, use.stdin, {}) if plain else Data()


HANDLERS: dict[str, Handler] = {
    **systems.HANDLERS,
    "awk": _awk,
    "base": _base,
    "basename": _name,
    "busybox": _busybox,
    "cat": _cat,
    "copy": _copy,
    "copyfile": _copyfile,
    "database": _database,
    "dd": _dd,
    "env": _env,
    "filter": _filter,
    "find": _find,
    "git-setting": _git_setting,
    "interpreter": _interpreter,
    "nc": _nc,
    "parallel": _parallel,
    "rev": _rev,
    "sed": _sed,
    "shell": _shell,
    "socat": _socat,
    "ssh": _remote_shell,
    "su": _su,
    "sudo": _sudo,
    "tar": _tar,
    "tr": _tr,
    "xargs": _xargs,
    "xxd": _xxd,
}
