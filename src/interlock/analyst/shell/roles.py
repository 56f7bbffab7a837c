"""The roles that words play (``models.ROLES``): each is one function of the use and the word."""

from __future__ import annotations

from collections.abc import Callable

from interlock.analyst.shell import code
from interlock.analyst.shell.files import delete, name_of, write
from interlock.analyst.shell.globs import places
from interlock.analyst.shell.use import Use, is_folder
from interlock.analyst.shell.words import UNKNOWN, Data, Word, unknown
from interlock.artifact.action import Effect

_UPLOADS = (
    "-d --data --data-binary --data-raw --data-ascii --data-urlencode --json -F --form -T --upload-file"
    " --post-data --post-file --body-data --body-file"
)
_SAFE = "-X=GET -X=HEAD --request=GET --request=HEAD --method=GET --method=HEAD -G --get"


def play(use: Use, role: str, word: Word, rest: list[Word] | None) -> None:
    """One word in its role."""
    walker = use.walker
    simple = _SIMPLE.get(role)
    if simple is not None:
        simple(use, word)
    elif role.startswith("host"):
        probing = role == "host:0"  # A protocol without ports, which asks whether and by which way a host is there.
        use.address(word, Effect.READ if probing else Effect.SEND, role.partition(":")[2])
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
    if word.text.isdigit():
        return  # The value of an option that no model names.
    if word.text.startswith("ext::"):
        code.escape(use.walker, Data(word.text[5:], word.tags), Data())
        return
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
    base = word.text.rstrip("/").rpartition("/")[2]
    targets = [one for name, _, one in use.found.values if name in ("-t", "--target-directory")]
    targets += use.found.operands[1:][-1:]
    for target in targets or [word._replace(text=".")]:
        for text in (target.text, f"{target.text}/{base}"):
            name = name_of(use.walker, target._replace(text=text))
            if name is not None:
                use.walker.state.links.add(name)
        if is_folder(target.text, base):
            write(use.walker, target._replace(text=f"{target.text}/{base}"), Data(), append=True)


def _list(use: Use, word: Word) -> None:
    """A file or folder of which names and attributes are read, and no content."""
    for place in places(word, use.walker.state.folders, use.walker.state.home, recursive=use.recursive) or ():
        use.walker.claims.touch(Effect.READ, "file", place.name)


def _key(use: Use, word: Word) -> None:
    """A key that a program signs or proves something with, and does not give away."""
    for place in places(word, use.walker.state.folders, use.walker.state.home, recursive=False) or ():
        use.walker.claims.touch(Effect.EXECUTE, "file", place.name)


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
    "key": _key,
    "list": _list,
    "url": _url,
    "fetch": _fetch,
    "upload": _upload,
    "body": _body,
    "send": _sent,
    "shell": _shell,
    "escape": _escape,
    "volume": _volume,
    "module": _module,
    "git-config": code.git_config,
}
