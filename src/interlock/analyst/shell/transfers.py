"""Copies and archives: what was read is afterwards at the target, which may be on another host."""

from __future__ import annotations

import re

from interlock.analyst.shell import code
from interlock.analyst.shell.files import connect, delete, is_root, read, send, write
from interlock.analyst.shell.globs import places
from interlock.analyst.shell.machine import SETUID
from interlock.analyst.shell.paths import meanings_of
from interlock.analyst.shell.roles import play
from interlock.analyst.shell.use import Handler, Use, endpoint, is_folder
from interlock.analyst.shell.words import NONE, UNKNOWN, Data, Word, unknown
from interlock.artifact.action import Effect
from interlock.artifact.resources import inside

_REMOTE = re.compile(r"(?:[\w.-]+@)?(\[[0-9a-fA-F:]+\]|[A-Za-z0-9][A-Za-z0-9_.-]*):(?!\\)(.*)", re.DOTALL)


def dd(use: Use, words: list[Word]) -> Data | None:
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


def tar(use: Use, _words: list[Word]) -> Data | None:
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
        return _packed(use, archives, home_folders)
    tags = use.read | use.stdin.tags
    if found.has("-x --extract --get") and not found.has("-O --to-stdout"):
        write(walker, Word("."), Data(UNKNOWN, tags), recursive=True)
        if found.has("-P --absolute-names"):
            write(walker, Word("/"), Data(UNKNOWN, tags), recursive=True)
    return unknown(tags)


def _packed(use: Use, archives: list[Word], folders: tuple[str, ...]) -> Data:
    """Files go into an archive, which lies where the command started."""
    for word in use.found.operands:
        use.reading(word)
        if use.found.has("--remove-files"):
            delete(use.walker, word, recursive=True)
    tags = use.read | use.stdin.tags
    use.recursive = False
    use.walker.state.folders = folders
    for word in archives:
        if word.text != "-":
            _copied(use, word, Data(UNKNOWN, tags))
    return unknown(tags)


def _copied(use: Use, word: Word, data: Data) -> None:
    """A target that may be on another host (``host:path``)."""
    remote = _REMOTE.match(word.text)
    if remote is not None and "/" not in word.text.partition(":")[0]:
        connect(use.walker, remote.group(1).strip("[]"), "22")
        send(use.walker, data.tags, remote.group(1))
    else:
        write(use.walker, word, data, recursive=use.recursive)


def copied(use: Use, _words: list[Word]) -> Data | None:
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


def copyfile(use: Use, _words: list[Word]) -> Data | None:
    """cp, mv, install, ln: what was read is at the target afterwards, under the target's or its own name."""
    walker, found = use.walker, use.found
    use.recursive = found.has("-r -R -a --recursive --archive") or found.path[0] == "mv"
    operands = list(found.operands)
    target = next((word for name, _, word in found.values if name in ("-t", "--target-directory")), None)
    if target is None and len(operands) > 1:
        target = operands.pop()
    moves = found.path[0] in ("mv", "gmv", "rename")
    for word in operands:
        data = read(walker, word, recursive=use.recursive)
        use.read |= data.tags
        use.content = data if use.content is None else unknown(use.content.tags | data.tags)
        if found.has("-l --link"):  # What is done to the new name is done to the old one.
            write(walker, word, Data(), append=True, recursive=use.recursive)
        if moves:
            _moved(use, word, target)
    modes = [word.text for name, _, word in found.values if name in ("-m", "--mode")]
    if found.path[0].endswith("install") and any(SETUID.fullmatch(mode) for mode in modes):
        walker.claims.signal("privilege.setuid")
    if target is not None:
        if target.glob:
            walker.note("shell.dynamic_path")
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
                _under(use, into, data, sure=is_folder(target.text, base))
    return Data()


def _moved(use: Use, word: Word, target: Word | None) -> None:
    """What is moved is no longer where it was; where it stays below the root nothing is lost of a folder."""
    walker = use.walker
    to = places(target, walker.state.folders, walker.state.home, recursive=False) if target is not None else None
    lost = not to or not all(inside(place.name, walker.claims.place.root) for place in to)
    for place in places(word, walker.state.folders, walker.state.home, recursive=False) or ():
        walker.claims.touch(Effect.DELETE, "file", place.name, recursive=lost or place.recursive)
        if is_root(walker, place.name):
            walker.claims.signal("recursive.root_delete")
        for signal in meanings_of(place.name, "delete", walker.state.home, False):
            walker.claims.signal(signal)


def _under(use: Use, word: Word, data: Data, *, sure: bool) -> None:
    """The target may be a folder: then the copy has the source's name in it.

    Where it is one (``sure``), or the name is a hidden one, that is claimed as well.
    """
    walker = use.walker
    for place in places(word, walker.state.folders, walker.state.home, recursive=False) or ():
        for signal in meanings_of(place.name, "write", walker.state.home, False):
            walker.claims.signal(signal)
        if sure:
            walker.claims.touch(Effect.WRITE, "file", place.name)
        walker.state.files.setdefault(place.name, data)


HANDLERS: dict[str, Handler] = {
    "copy": copied,
    "copyfile": copyfile,
    "dd": dd,
    "tar": tar,
}
