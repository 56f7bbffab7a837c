"""Code inside a command: a nested shell, another language, a file that is run, a command that another one starts.

Code that is not known is opaque; where it comes from still makes a signal, such as a download that is run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.analyst import tables
from interlock.analyst.claims import MAX_NESTING, Claims
from interlock.analyst.shell.files import FROM_NETWORK, content_of, name_of
from interlock.analyst.shell.models import models
from interlock.analyst.shell.words import NONE, UNKNOWN, Data, Word, unknown
from interlock.artifact.action import Effect
from interlock.artifact.resources import inside

if TYPE_CHECKING:
    from interlock.analyst.shell.use import Use
    from interlock.analyst.shell.walk import Walker

_SHEBANGS = {"python": "python", "node": "javascript", "perl": "perl", "ruby": "ruby", "php": "php", "awk": "awk"}
# fmt: off
_GIT_COMMANDS = (
    "core.pager", "core.editor", "core.sshcommand", "core.fsmonitor", "core.askpass", "core.gitproxy", "core.hookspath",
    "credential.helper", "sequence.editor", "gpg.program", "uploadpack.packobjectshook", "interactive.difffilter",
    "filter.", "pager.", "difftool.", "mergetool.", "diff.", "merge.", "web.browser", "browser.", "man.", "sendemail.",
    "remote.", "protocol.ext",
)
# fmt: on
# Programs that pass their own streams and rights on, and have no reason to start a shell for somebody.
_WRAPPERS = tables.words(
    "env nice gnice ionice timeout gtimeout stdbuf gstdbuf strace ltrace truss time gtime taskset chrt numactl setarch"
    " linux64 linux32 i386 x86_64 flock xargs gxargs faketime catchsegv unbuffer chronic eatmydata busybox"
)
_RUNS = (
    "cmd",
    "textconv",
    "command",
    "clean",
    "smudge",
    "process",
    "driver",
    "path",
    "uploadpack",
    "receivepack",
    "allow",
)


def run(walker: Walker, language: str, code: Data, outer: frozenset[str], *, stdin: Data | None = None) -> Data:
    """Run a text; returns what it writes."""
    origins(walker, code.tags)
    reads = stdin if stdin is not None else Data("", outer)
    if walker.budget.nesting >= MAX_NESTING:
        walker.note("shell.too_deep")
        return unknown(code.tags)
    if not code.known:
        walker.note("shell.dynamic_code")
        if language != "shell" or code.text == UNKNOWN:
            return unknown(code.tags | reads.tags | {"shell"})
    if language == "shell":
        walker.budget.nesting += 1
        try:
            return walker.nested(code.text, reads)
        finally:
            walker.budget.nesting -= 1
    root = walker.state.folders[0] if walker.state.folders else ""
    found = walker.claims.inline(language, code.text, root=root)
    tags = set(reads.tags | code.tags)
    if any(one.kind == "file" and one.access is Effect.READ for one in found.touched):
        tags.add("file")
    if "credential.read" in found.signals:
        tags.update(("secret", "private"))
    return unknown(frozenset(tags))


def escape(walker: Walker, code: Data, stdin: Data) -> Data:
    """Run a text as a shell that a program starts which is none."""
    walker.escaped += 1
    found = run(walker, "shell", code, NONE, stdin=stdin)
    walker.escaped -= 1
    return found


def origins(walker: Walker, tags: frozenset[str]) -> None:
    """Signals of code by where it comes from."""
    if tags & FROM_NETWORK:
        walker.claims.signal("download.executed")
    if "socket" in tags:
        walker.claims.signal("shell.reverse")
    if "decoded" in tags:
        walker.claims.signal("decoded.executed")


def execute_file(walker: Walker, word: Word, arguments: list[Word], stdin: Data, language: str = "") -> Data:
    """Run a file: by what it holds, if that is known; as the workspace's own program; or as something opaque."""
    held = (
        stdin
        if word.text in ("/dev/stdin", "/dev/fd/0", "/proc/self/fd/0", "-")
        else walker.state.descriptors.get(word.text)
    )
    content = held if held is not None else content_of(walker, word)
    name = name_of(walker, word)
    if content is not None and (name is not None or held is not None):
        kept, walker.state.parameters = walker.state.parameters, tuple(Data(one.text, one.tags) for one in arguments)
        if held is None and name is not None:
            walker.claims.touch(Effect.READ, "file", name)
        found = run(walker, language or _language(content.text), content, NONE, stdin=stdin)
        walker.state.parameters = kept
        return found
    if name is None:
        walker.note("shell.dynamic_command")
        return unknown(stdin.tags)
    walker.claims.touch(Effect.EXECUTE, "file", name)
    model = models().get(name.rsplit("/", 1)[-1])
    if model is not None and "program.offensive" in model.signals:
        walker.claims.signal("program.offensive")
    root = walker.claims.place.root
    if inside(name, root) and root != "/":
        walker.claims.signal("program.workspace")
        walker.claims.touch(Effect.READ, "file", root, recursive=True)
        walker.claims.touch(Effect.WRITE, "file", root, recursive=True)
    else:
        walker.note("shell.unknown_program")
    return unknown(stdin.tags | NONE.union(*(one.tags for one in arguments)))


def _language(text: str) -> str:
    first = text.partition("\n")[0]
    if first.startswith("#!"):
        for name, language in _SHEBANGS.items():
            if name in first:
                return language
    return "shell"


def wrapped(use: Use, role: str, rest: list[Word]) -> Data:
    """The command that this one starts with the words that remain."""
    walker = use.walker
    if role in ("command", "assignments"):
        passes = use.found.path[0] in _WRAPPERS
        walker.escaped += passes
        found = walker.runner(walker, rest, use.stdin, {}) if role == "command" else _assignments(use, rest)
        walker.escaped -= passes
        return found
    match role:
        case "shells":
            return run(walker, "shell", _joined(rest), NONE, stdin=use.stdin)
        case "inside":
            return elsewhere(use, rest, joined=False)
        case "image-command":
            word = rest[0]
            walker.claims.touch(Effect.EXECUTE, "container", word.text if word.known else "*", open=not word.known)
            entry = [value for name, _, value in use.found.values if name == "--entrypoint" and value.text]
            inner = [*entry, *rest[1:]]
            return elsewhere(use, inner, joined=False) if inner else unknown(use.stdin.tags)
        case _:
            return elsewhere(use, rest, joined=True)


def _joined(words: list[Word]) -> Data:
    return Data(" ".join(word.text for word in words), NONE.union(*(word.tags for word in words)))


def _assignments(use: Use, rest: list[Word]) -> Data:
    from interlock.analyst.shell.environment import assigned

    values: dict[str, Data] = {}
    words = list(rest)
    while words and "=" in words[0].text and words[0].text.partition("=")[0].replace("_", "a").isalnum():
        name, _, text = words.pop(0).text.partition("=")
        values[name] = Data(text)
    assigned(use.walker, values, exported=True)
    if not words:
        return unknown(frozenset(("environment",)))
    return use.walker.runner(use.walker, words, use.stdin, values)


def elsewhere(use: Use, words: list[Word], *, joined: bool) -> Data:
    """A command on another host or in a container: its signals count, its files are not this machine's."""
    walker = use.walker
    kept, state = walker.claims, walker.state
    walker.claims, walker.state = Claims(kept.place), state.fork()
    walker.state.files = {}
    try:
        if joined:
            found = run(walker, "shell", _joined(words), NONE, stdin=use.stdin)
        else:
            found = walker.runner(walker, words, use.stdin, {})
        there = walker.claims
    finally:
        walker.claims, walker.state = kept, state
    for code in there.opaque_codes:
        kept.opaque(code)
    for code in there.signals:
        kept.signal(code)
    for name in there.programs:
        kept.program(name)
    return Data(UNKNOWN, found.tags | {"download"})


def git_config(use: Use, word: Word) -> None:
    """``-c name=value``: some names are commands that git starts."""
    name, _, value = word.text.partition("=")
    git_setting(use, name, Data(value, word.tags))


def git_setting(use: Use, name: str, value: Data) -> None:
    """One setting of git."""
    lower = name.lower()
    if UNKNOWN in name:
        use.walker.note("shell.dynamic_argument")
    if lower.startswith("alias.") and value.text.startswith("!"):
        run(use.walker, "shell", Data(value.text[1:], value.tags), NONE)
    elif lower.startswith(_GIT_COMMANDS) and (lower.count(".") == 1 or lower.endswith(_RUNS)):
        if value.text in (
            "",
            "cat",
            "less",
            "vim",
            "nano",
            "true",
            "false",
            "delta",
            "store",
            "cache",
            "osxkeychain",
            "code --wait",
        ):
            return
        use.walker.claims.signal("git.command_configured")
        if (
            lower.startswith(
                ("diff.", "core.pager", "core.editor", "core.ssh", "pager.", "sequence.", "interactive.", "filter.")
            )
            or " " in value.text
        ):
            escape(use.walker, value, Data())
