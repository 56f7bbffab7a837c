"""What a command does, from its model: each word plays its role, then what the command does by itself.

Reading roles come first, because what was read may be written or sent by the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from interlock.analyst.shell import code
from interlock.analyst.shell.files import connect, delete, name_of, read, send, write
from interlock.analyst.shell.globs import places
from interlock.analyst.shell.models import Model, Rule
from interlock.analyst.shell.options import Arguments, arguments
from interlock.analyst.shell.paths import meanings_of
from interlock.analyst.shell.words import NONE, UNKNOWN, Data, Word, unknown
from interlock.artifact.action import Effect

if TYPE_CHECKING:
    from interlock.analyst.shell.walk import Walker

_READS = frozenset(("read", "upload", "body", "send", "url", "fetch", "link"))
_UPLOADS = "-d --data --data-binary --data-raw --data-ascii --data-urlencode --json -F --form -T --upload-file --post-data --post-file --body-data --body-file"
_SAFE = "-X=GET -X=HEAD --request=GET --request=HEAD --method=GET --method=HEAD -G --get"
_SCP = re.compile(r"(?:[\w.-]+@)?([A-Za-z0-9_.-]+):(?!//)")
_PORTS = {"http": "80", "https": "443", "ftp": "21", "ftps": "990", "sftp": "22", "ssh": "22", "git": "9418", "rsync": "873",
          "ldap": "389", "ldaps": "636", "smb": "445", "telnet": "23", "postgres": "5432", "postgresql": "5432",
          "mysql": "3306", "mongodb": "27017", "redis": "6379", "amqp": "5672", "ws": "80", "wss": "443"}  # fmt: skip


class Use:
    """One command line under its model, while it is applied."""

    def __init__(self, walker: Walker, found: Arguments, stdin: Data) -> None:
        self.walker = walker
        self.found = found
        self.model = found.model
        self.stdin = stdin
        self.read: frozenset[str] = NONE
        self.sent: frozenset[str] = NONE
        self.content: Data | None = None
        self.out: Data | None = None
        self.recursive = False
        self.hosts: list[str] = []

    def rules(self) -> list[Rule]:
        """The conditions that hold."""
        first = self.found.operands[0].text if self.found.operands else ""
        return [
            rule
            for rule in self.model.when
            if (not rule.any or self.found.has(rule.any))
            and not (rule.absent and self.found.has(rule.absent))
            and (not rule.operand or first in rule.operand)
        ]

    def reading(self, word: Word) -> None:
        """A file that is read."""
        if word.text == "-":
            self.read |= self.stdin.tags
            self.content = self.stdin
            return
        data = read(self.walker, word, recursive=self.recursive)
        self.read |= data.tags
        self.content = data if self.content is None else unknown(self.content.tags | data.tags)

    def writing(self, word: Word, *, append: bool = False) -> None:
        """A file that is written, with what was read."""
        if word.text == "-":
            return
        given = self.content if self.content is not None else self.stdin
        data = Data(given.text or UNKNOWN, given.tags | self.read)
        write(self.walker, word, data, append=append, recursive=self.recursive)

    def address(self, word: Word, access: Effect, port: str = "") -> None:
        """A URL or a host that is spoken to."""
        self.sent |= word.tags
        host, port = endpoint(word.text, port)
        self.hosts.append(host)
        connect(self.walker, host, port, access)


def endpoint(text: str, port: str) -> tuple[str, str]:
    """Host and port of a URL, of ``user@host:path`` or of a host."""
    remote = _SCP.match(text) if "://" not in text else None
    if remote is not None and not text[remote.end() :].isdigit():
        return remote.group(1), "22"
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        host, found, scheme = parts.hostname or "", parts.port, parts.scheme
    except ValueError:
        return "", port
    known = (
        UNKNOWN not in text.partition("://")[2].partition("/")[0]
        if "://" in text
        else UNKNOWN not in text.partition("/")[0]
    )
    return (host if known else UNKNOWN), str(found or port or _PORTS.get(scheme, "443"))


def apply(walker: Walker, name: str, model: Model, words: list[Word], stdin: Data) -> Data:
    """Claim what the command does; returns what it writes.  A folder that it changes to is its own."""
    folders = walker.state.folders
    found = _apply(walker, name, model, words, stdin)
    walker.state.folders = folders
    return found


def _apply(walker: Walker, name: str, model: Model, words: list[Word], stdin: Data) -> Data:
    from interlock.analyst.shell.handlers import HANDLERS

    found = arguments(model, name, words)
    use = Use(walker, found, stdin)
    if _asks_for_help(found):
        return Data("", NONE)
    if found.uncertain and (found.model.runs or model.runs):
        walker.note("shell.dynamic_argument")
    model = found.model
    if found.lost and model.sub and not model.verbs and model.unknown != "self":
        return _lost(use)
    handler = HANDLERS.get(model.handler)
    if handler is not None:
        result = handler(use, words)
        if result is not None:
            return result
    return perform(use)


def perform(use: Use) -> Data:
    """Roles, effects, input and output of the model."""
    found, model, walker = use.found, use.model, use.walker
    rules = use.rules()
    use.recursive = model.recursive or any(rule.recursive for rule in rules)
    roles = model.operands
    for rule in rules:
        roles = rule.operands if rule.operands is not None else roles
    played = [(role, word, None) for _, role, word in found.values]
    played += [(role, word, rest) for role, word, rest in assign(roles, found.operands)]
    for reads in (True, False):
        for role, word, rest in played:
            bare = role.rstrip("*!+")
            if bare == "skip":
                if reads:
                    _meant(use, word)
            elif (bare in _READS) is reads:
                play(use, bare, word, rest)
    if model.verbs:
        _verb(use)
    for one in (model, *rules):
        for effect in one.effects:
            _effect(walker, effect)
        for signal in one.signals:
            walker.claims.signal(signal)
        for opaque in one.opaque:
            walker.note(opaque)
    return _flow(use, rules)


def _meant(use: Use, word: Word) -> None:
    """A word without a role that names a file of meaning is taken to be read."""
    text = word.text
    if text[:1] in ("/", "~") and meanings_of(text, "read", use.walker.state.home, False):
        use.reading(word)


def _effect(walker: Walker, effect: str) -> None:
    access, kind, what = effect.split(" ", 2)
    if kind != "file":
        walker.claims.touch(Effect(access), kind, what, open=what == "*")
        return
    word = Word(walker.state.home + what[1:] if what.startswith("~") else what)
    match access:
        case "read":
            read(walker, word, recursive=True)
        case "delete":
            delete(walker, word, recursive=True)
        case _:
            write(walker, word, unknown(), recursive=True)


def _flow(use: Use, rules: list[Rule]) -> Data:
    model, walker, stdin = use.model, use.walker, use.stdin
    into, output = model.input, model.output
    for rule in rules:
        into, output = rule.input or into, rule.output or output
    arguments_tags = NONE.union(
        *(word.tags for word in use.found.operands), *(word.tags for _, _, word in use.found.values)
    )
    if into == "send":
        use.sent |= stdin.tags | use.read
    elif into == "apply" and "download" in stdin.tags | use.read:
        walker.claims.signal("download.applied")
    elif into.startswith("code:"):
        ran = code.run(walker, into[5:], stdin, NONE)
        use.out = ran if use.out is None else use.out
    if use.sent:
        send(walker, use.sent, use.hosts[0] if len(use.hosts) == 1 else "")
    if use.out is not None:
        return use.out
    tags: set[str] = set()
    if "pass" in output:
        tags.update(use.read | arguments_tags | (stdin.tags if into != "ignore" else NONE))
    tags.update(set(output.split()) - {"pass", "none", "same"})
    text = UNKNOWN
    if "same" in output:
        source = use.content if use.content is not None else stdin
        text = source.text
        tags.update(source.tags)
    return Data(text, frozenset(tags))


def assign(roles: tuple[str, ...], operands: list[Word]) -> list[tuple[str, Word, list[Word] | None]]:
    """Which operand plays which role: in order, ``*`` for all that follow, ``!`` for the last one."""
    found: list[tuple[str, Word, list[Word] | None]] = []
    words = list(operands)
    tail: list[tuple[str, Word, list[Word] | None]] = []
    wanted = list(roles)
    if wanted and "!" in wanted[-1]:
        last = wanted.pop()
        if len(words) > 1 or (words and not wanted):
            tail.append((last, words.pop(), None))
    for index, word in enumerate(words):
        role = wanted[min(index, len(wanted) - 1)] if wanted else "skip"
        if index >= len(wanted) and wanted and "*" not in wanted[-1]:
            role = "skip"
        bare = role.rstrip("*!+")
        if bare in ("command", "shells", "remote", "inside", "assignments", "image-command"):
            found.append((role, word, words[index:]))
            break
        found.append((role, word, None))
    return found + tail


def play(use: Use, role: str, word: Word, rest: list[Word] | None) -> None:
    """One word in its role."""
    walker = use.walker
    simple = _SIMPLE.get(role)
    if simple is not None:
        simple(use, word)
    elif role.startswith("host"):
        use.address(word, Effect.SEND, role.partition(":")[2])
    elif role.startswith("code:"):
        ran = code.run(walker, role[5:], Data(word.text, word.tags), use.stdin.tags, stdin=use.stdin)
        use.out = ran
    elif role in ("command", "assignments", "shells", "remote", "inside", "image-command"):
        use.out = code.wrapped(use, role, rest or [word])
    elif ":" in role:
        access, _, kind = role.partition(":")
        name = word.text if word.known else "*"
        if not word.known and access != "read":
            walker.note("shell.dynamic_name")
        walker.claims.touch(Effect(access), kind, name or "*", open=not word.known)


def _folder(use: Use, word: Word) -> None:
    name = name_of(use.walker, word)
    use.walker.state.folders = (name,) if name is not None else ()


def _execute(use: Use, word: Word) -> None:
    use.out = code.execute_file(use.walker, word, use.found.operands, use.stdin)


def _body(use: Use, word: Word) -> None:
    text = word.text
    if text[:1] in ("@", "<") or "=@" in text or "=<" in text:
        name = text[1:] if text[0] in "@<" else text.partition("=")[2][1:]
        use.reading(word._replace(text=name.partition(";")[0] or "-"))
        use.sent |= use.read
    use.sent |= word.tags


def _upload(use: Use, word: Word) -> None:
    use.reading(word)
    use.sent |= use.read | word.tags


def _shell(use: Use, word: Word) -> None:
    use.out = code.escape(use.walker, Data(word.text, word.tags), Data())


def _url(use: Use, word: Word) -> None:
    found = use.found
    posts = found.has(_UPLOADS) or (found.has("-X --request --method") and not found.has(_SAFE))
    if word.text.startswith("file:"):
        use.reading(word._replace(text=word.text[5:].replace("///", "/").removeprefix("//localhost")))
        return
    if not word.text.startswith(("/", "./", "../")):
        use.address(word, Effect.SEND if posts else Effect.READ)
    use.content = unknown(frozenset(("download",)))
    use.read |= {"download"}


def _fetch(use: Use, word: Word) -> None:
    """A URL whose content is written under its last name."""
    _url(use, word)
    name = word.text.partition("?")[0].rstrip("/").rpartition("/")[2]
    use.writing(word._replace(text=f"./{name}" if name and "://" in word.text else f"./{UNKNOWN}"))


def _sent(use: Use, word: Word) -> None:
    use.sent |= word.tags


def _escape(use: Use, word: Word) -> None:
    """A program's own command language, in which ``!`` starts a shell."""
    start = word.text.find("!")
    if start >= 0:
        use.walker.claims.signal("shell.escape")
        _shell(use, word._replace(text=word.text[start + 1 :] or "sh"))
    elif any(part in word.text for part in ("system(", "term", "py", "lua", "exec", "source")):
        use.walker.note("shell.unknown_code")


def _link(use: Use, word: Word) -> None:
    """A link lets its target be reached by another name; both count as what is done to either."""
    use.reading(word)


def _list(use: Use, word: Word) -> None:
    """A file or folder of which names and attributes are read, and no content."""
    for place in places(word, use.walker.state.folders, use.walker.state.home, recursive=use.recursive) or ():
        use.walker.claims.touch(Effect.READ, "file", place.name, recursive=place.recursive)


def _volume(use: Use, word: Word) -> None:
    host = word.text.partition(":")[0] if not word.text.startswith("type=") else ""
    for part in word.text.split(","):
        if part.startswith(("source=", "src=")):
            host = part.partition("=")[2]
    if not host or not (host[0] in "/.~" or UNKNOWN in host):
        return
    if (
        host in ("/", "/etc", "/root", "/var", "/proc", "/sys", "/dev", "/home", "/usr", "/boot")
        or "docker.sock" in host
    ):
        use.walker.claims.signal("container.escape")
    kept, use.recursive = use.recursive, True
    use.reading(word._replace(text=host))
    if not word.text.endswith(":ro") and "readonly" not in word.text:
        use.writing(word._replace(text=host))
    use.recursive = kept


def _module(use: Use, word: Word) -> None:
    use.walker.claims.touch(Effect.WRITE, "kernel", f"module:{word.text if word.known else '*'}", open=not word.known)


_SIMPLE: dict[str, Callable[[Use, Word], None]] = {
    "read": Use.reading,
    "write": Use.writing,
    "append": lambda use, word: use.writing(word, append=True),
    "change": lambda use, word: write(use.walker, word, Data(), append=True, recursive=use.recursive),
    "delete": lambda use, word: delete(use.walker, word, recursive=use.recursive),
    "execute": _execute,
    "folder": _folder,
    "link": _link,
    "list": lambda use, word: _list(use, word),
    "url": _url,
    "fetch": _fetch,
    "upload": _upload,
    "body": _body,
    "send": _sent,
    "shell": _shell,
    "escape": _escape,
    "volume": _volume,
    "module": _module,
    "git-config": lambda use, word: code.git_config(use, word),
    "pattern": lambda use, word: None,
    "lines": lambda use, word: None,
}


def _verb(use: Use) -> None:
    """A cloud's command line: the first word that is a known verb says what is done to the thing before or after it."""
    model, walker = use.model, use.walker
    table = {verb: access for access, verbs in model.verbs.items() for verb in verbs.split()}
    texts = [word.text for word in use.found.operands]
    program = use.found.path[0]
    for index, text in enumerate(texts[:6]):
        parts = [text, *re.split(r"[-:_]", text)]
        access = next((table[part] for part in parts if part in table), None)
        if access is not None:
            what = ":".join([*use.found.path, *texts[: index + 1]])
            walker.claims.touch(Effect(access), model.kind, what)
            if access == "delete":
                walker.claims.signal(f"{model.kind}.destroy")
            return
    if not texts or texts[0] == "help" or texts[-1] == "help":
        return
    walker.claims.touch(Effect.EXECUTE, model.kind, f"{program}:*", open=True)
    if model.unknown != "program":
        walker.note("shell.unknown_subcommand")


def _lost(use: Use) -> Data:
    """A subcommand without a model."""
    from interlock.analyst.shell.invoke import unmodelled

    for _, role, word in use.found.values:
        if role != "skip":
            play(use, role, word, None)
    if use.model.unknown == "program":
        return unmodelled(use.walker, f"{use.found.path[0]}-{use.found.lost}", use.found.operands[1:], use.stdin)
    use.walker.note("shell.unknown_subcommand")
    return unknown(use.stdin.tags)


def _asks_for_help(found: Arguments) -> bool:
    """``--help`` or ``--version`` and nothing else but subcommands."""
    asked = found.given & {"--help", "--version", "-h", "-help", "-V", "-version"}
    if not asked or len(found.given) > 1 or found.values or found.operands:
        return False
    return not asked <= {"-h", "-V"} or bool(found.model.sub) or len(found.path) > 1


__all__ = ["Rule", "Use", "apply", "arguments", "assign", "endpoint", "perform", "play"]
