"""Commands that start another one: as somebody else, elsewhere, later, in a terminal."""

from __future__ import annotations

import re

from interlock.analyst.shell import code
from interlock.analyst.shell.files import write
from interlock.analyst.shell.interpreters import from_input
from interlock.analyst.shell.roles import play
from interlock.analyst.shell.use import Handler, Use
from interlock.analyst.shell.words import NONE, Data, Word, unknown
from interlock.artifact.action import Effect

_SCHEDULE = re.compile(r"\s*(?:@\w+|(?:[\d*/,A-Za-z-]+\s+){4}[\d*/,A-Za-z-]+)\s+(.+)\Z")
_EXECUTING = frozenset(("-e", "--", "--command", "-x", "--exec"))


def sudo(use: Use, _words: list[Word]) -> Data | None:
    """sudo and doas with options and no command start a shell, or an editor of a file."""
    if use.found.has("-l --list -v --validate -k -K -V --version"):
        return Data()
    if use.found.has("-e --edit"):
        for word in use.found.operands:
            write(use.walker, word, unknown())
        return Data()
    if use.found.operands and use.found.has("-s -i --shell --login"):
        use.walker.claims.touch(Effect.GRANT_ACCESS, "privilege", "root")
        return code.wrapped(use, "shells", use.found.operands)
    if not use.found.operands and use.found.has("-s -i --shell --login"):
        use.walker.claims.touch(Effect.GRANT_ACCESS, "privilege", "root")
        return from_input(use, "shell")
    return None


def su(use: Use, _words: list[Word]) -> Data | None:
    use.walker.claims.touch(
        Effect.GRANT_ACCESS,
        "privilege",
        use.found.operands[0].text if use.found.operands and use.found.operands[0].known else "root",
    )
    commands = [word for name, _, word in use.found.values if name in ("-c", "--command")]
    if use.found.path[0] == "runuser" and use.found.has("-u --user") and use.found.operands:
        return code.wrapped(use, "command", use.found.operands)
    for word in commands:
        use.out = code.run(use.walker, "shell", Data(word.text, word.tags), NONE, stdin=use.stdin)
    if not commands:
        return from_input(use, "shell")
    return use.out


def environment(use: Use, words: list[Word]) -> Data | None:
    for name, _, word in use.found.values:
        if name in ("-C", "--chdir"):
            play(use, "folder", word, None)
        elif name in ("-S", "--split-string"):
            text = Data(" ".join([word.text, *(one.text for one in use.found.operands)]), word.tags)
            return code.run(use.walker, "shell", text, NONE, stdin=use.stdin)
    if not use.found.operands:
        return unknown(frozenset(("environment", "secret") if not use.found.has("-i") else ()))
    return code.wrapped(use, "assignments", use.found.operands)


def busybox(use: Use, words: list[Word]) -> Data | None:
    plain = [word for word in words if not word.text.startswith("--")]
    return use.walker.runner(use.walker, plain, use.stdin, {}) if plain else Data()


def crontab(use: Use, _words: list[Word]) -> Data | None:
    """A table of commands that run by a clock: from a file, from the input, or none any more."""
    walker = use.walker
    if use.found.has("-l"):
        return unknown(frozenset(("system",)))
    walker.claims.signal("persistence.scheduled")
    walker.claims.touch(Effect.WRITE, "persistence", "cron")
    data = use.stdin
    for word in use.found.operands:
        use.reading(word)
        data = use.content or data
    for line in data.text.splitlines()[:32]:
        match = _SCHEDULE.match(line)
        if match:
            code.run(walker, "shell", Data(match.group(1), data.tags), NONE)
    return Data()


def at(use: Use, _words: list[Word]) -> Data | None:
    """Commands on the input run later."""
    walker = use.walker
    if use.found.has("-l -c -r -d"):
        return unknown(frozenset(("system",)))
    walker.claims.touch(Effect.WRITE, "persistence", "at")
    if use.stdin.text or use.stdin.tags or any(role != "skip" for _, role, _ in use.found.values):
        walker.claims.signal("persistence.scheduled")
    for _, role, word in use.found.values:
        if role != "skip":
            play(use, role, word, None)
    if use.stdin.text or use.stdin.tags:
        code.run(walker, "shell", use.stdin, NONE)
    return Data()


def namespace(use: Use, words: list[Word]) -> Data | None:
    """nsenter and unshare without a command start a shell."""
    if not use.found.operands:
        use.walker.claims.touch(Effect.GRANT_ACCESS, "privilege", "namespace")
        use.walker.claims.signal("container.escape" if use.found.path[0] == "nsenter" else "shell.interactive")
        return unknown(frozenset(("shell",)))
    return None


def recorder(use: Use, _words: list[Word]) -> Data | None:
    """script: a command, or a shell that nobody gives commands to here."""
    commands = [word for name, _, word in use.found.values if name in ("-c", "--command")]
    for word in use.found.operands[:1]:
        use.writing(word)
    for word in commands:
        code.run(use.walker, "shell", Data(word.text, word.tags), NONE, stdin=use.stdin)
    if not commands and (use.stdin.text or use.stdin.tags):
        return code.run(use.walker, "shell", use.stdin, NONE)
    return unknown(use.stdin.tags | (NONE if commands else frozenset(("shell",))))


def multiplexer(use: Use, words: list[Word]) -> Data | None:
    """tmux and screen: what follows the subcommand of a new window, or after ``-X stuff``, runs."""
    operands = use.found.operands
    verbs = (
        "new-session",
        "new",
        "new-window",
        "neww",
        "split-window",
        "splitw",
        "run-shell",
        "run",
        "respawn-pane",
        "send-keys",
        "send",
        "if-shell",
        "pipe-pane",
    )
    if operands and operands[0].text in verbs:
        texts = [word for word in operands[1:] if word.text not in ("Enter", "C-m")]
        return code.run(
            use.walker,
            "shell",
            Data(" ".join(word.text for word in texts), NONE.union(*(word.tags for word in texts))),
            NONE,
        )
    if use.found.path[0] in ("screen", "abduco", "dtach", "byobu", "dvtm") and operands:
        return use.walker.runner(use.walker, operands, Data(), {})
    return unknown(frozenset(("system",)))


def terminal(use: Use, words: list[Word]) -> Data | None:
    """A terminal's ``-e`` and ``--`` start a command."""
    for index, word in enumerate(words):
        if word.text in _EXECUTING and index + 1 < len(words):
            rest = words[index + 1 :]
            if len(rest) == 1:
                return code.run(use.walker, "shell", Data(rest[0].text, rest[0].tags), NONE)
            return use.walker.runner(use.walker, rest, Data(), {})
    return Data()


def cmake(use: Use, _words: list[Word]) -> Data | None:
    """``cmake -E`` is a small set of tools."""
    tool = next((word.text for name, _, word in use.found.values if name == "-E"), "")
    rest = list(use.found.operands)
    if not tool:
        return None
    known = {
        "rm": "rm",
        "remove": "rm",
        "remove_directory": "rm",
        "copy": "cp",
        "copy_directory": "cp",
        "tar": "tar",
        "make_directory": "mkdir",
        "cat": "cat",
        "touch": "touch",
        "rename": "mv",
        "echo": "echo",
        "env": "env",
        "time": "time",
    }
    name = known.get(tool)
    if name is None:
        use.walker.note("shell.unknown_subcommand")
        return Data()
    flags = [Word("-r")] if tool == "remove_directory" else []
    return use.walker.runner(use.walker, [Word(name), *flags, *rest], use.stdin, {})


HANDLERS: dict[str, Handler] = {
    "at": at,
    "busybox": busybox,
    "cmake": cmake,
    "crontab": crontab,
    "env": environment,
    "multiplexer": multiplexer,
    "nsenter": namespace,
    "script": recorder,
    "su": su,
    "sudo": sudo,
    "terminal": terminal,
}
