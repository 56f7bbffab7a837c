"""Accounts, permissions, devices and programs of the machine."""

from __future__ import annotations

import re

from interlock.analyst.shell.files import connect, send, write
from interlock.analyst.shell.globs import places
from interlock.analyst.shell.paths import is_outside
from interlock.analyst.shell.use import Handler, Use, endpoint
from interlock.analyst.shell.words import Data, Word, unknown
from interlock.artifact.action import Effect
from interlock.artifact.resources import inside

_ADMINISTRATORS = frozenset(("sudo", "wheel", "admin", "root", "0", "disk", "shadow", "80"))
_TREES = ("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/root", "/run", "/sbin", "/sys", "/usr")
_TOPS = frozenset(("/", "/home", "/opt", "/srv", "/var", "/var/lib", "/var/log", "/Users", "/System", "/Library"))
SETUID = re.compile(r"(?:[ugoa]*\+[rwxXt]*s|[ugoa]*=[rwx]*s|0?[4-7][0-7]{3})")
_OPEN = re.compile(r"0?[0-7]?[0-7]{2}[2367]|(?:[uga]*o[uga]*|a|)\+[rx]*w|a=rwx|ugo\+rwx")


def account(use: Use, _words: list[Word]) -> Data | None:
    """useradd, usermod, gpasswd: rights of an administrator among the values or operands."""
    given = [
        word.text for name, _, word in use.found.values if name in ("-G", "--groups", "-g", "--gid", "--ingroup", "-a")
    ]
    given += [word.text for word in use.found.operands[1:]]
    if use.found.path[0] == "gpasswd":
        given += [word.text for word in use.found.operands]
    zero = any(name in ("-u", "--uid") and word.text == "0" for name, _, word in use.found.values)
    if zero or {part for text in given for part in text.split(",")} & _ADMINISTRATORS:
        use.walker.claims.signal("account.privileged")
    return None


def chmod(use: Use, _words: list[Word]) -> Data | None:
    """Set-user-ID bits, and folders that everybody may write."""
    walker, operands = use.walker, use.found.operands
    symbolic = [name for name in use.found.given if re.fullmatch(r"-[rwxXst]+", name)]
    if not operands:
        return None
    mode = operands[0].text
    if symbolic:
        return None
    if SETUID.fullmatch(mode):
        walker.claims.signal("privilege.setuid")
    outside = [
        place
        for word in operands[1:]
        for place in places(word, walker.state.folders, walker.state.home, recursive=False) or ()
        if is_outside(place.name, walker.claims.place.root)
    ]
    recursive = use.found.has("-R --recursive")
    system = [place for place in outside if not place.name.startswith(("/tmp/", "/var/tmp/", walker.state.home + "/"))]
    trees = [place for place in system if _belongs_to_system(place.name)]
    if outside and ((recursive and trees) or (_OPEN.fullmatch(mode) and (recursive or system))):
        walker.claims.signal("privilege.permissions")
    return None


def _belongs_to_system(name: str) -> bool:
    """A folder whose owners and permissions hold the system together."""
    return name in _TOPS or (any(inside(name, tree) for tree in _TREES) and not inside(name, "/usr/local"))


def chown(use: Use, _words: list[Word]) -> Data | None:
    """An owner of everything below a folder of the system, or root as the owner."""
    walker = use.walker
    for word in use.found.operands[1:]:
        for place in places(word, walker.state.folders, walker.state.home, recursive=False) or ():
            outside = not inside(place.name, walker.claims.place.root)
            if use.found.has("-R --recursive") and outside and _belongs_to_system(place.name):
                walker.claims.signal("privilege.permissions")
    return None


def attributes(use: Use, words: list[Word]) -> Data | None:
    """``chattr +i FILE``: modes stand among the operands."""
    for word in words:
        if word.text[:1] not in ("+", "-", "="):
            write(use.walker, word, Data(), append=True, recursive=use.found.has("-R"))
    return Data()


def mount(use: Use, _words: list[Word]) -> Data | None:
    """No operands list what is mounted; binds over /proc hide processes."""
    if not use.found.operands and not use.found.has("-a --all"):
        return unknown(frozenset(("system",)))
    for word in use.found.operands[1:]:
        if word.text.startswith(("/proc", "/etc", "/usr", "/bin", "/sbin", "/lib")):
            use.walker.claims.signal("process.injected" if word.text.startswith("/proc/") else "privilege.rules")
    return None


def storage(use: Use, words: list[Word]) -> Data | None:
    """Volume and file-system tools: their verbs tell reading from destroying."""
    texts = {word.text for word in words}
    disks = any(word.text.startswith("/dev/") for word in words)
    destroys = {
        "destroy",
        "erase",
        "delete",
        "remove",
        "labelclear",
        "erase_flash",
        "luksErase",
        "luksFormat",
        "--zero-superblock",
        "reformat",
        "wipe",
        "--wipe-all",
        "write_flash-all",
    }
    if texts & destroys or use.found.path[0] in ("lvremove", "vgremove", "pvremove"):
        use.walker.claims.signal("disk.wiped" if disks and not {"snapshot", "subvolume"} & texts else "file.shredded")
    if (
        texts
        & {
            "list",
            "status",
            "show",
            "get",
            "-l",
            "luksDump",
            "devices",
            "df",
            "usage",
            "info",
            "--detail",
            "--query",
            "--examine",
            "-Q",
            "-E",
            "iostat",
            "history",
        }
        and not texts & destroys
    ):
        return unknown(frozenset(("system",)))
    return None


def opens(use: Use, words: list[Word]) -> Data | None:
    """A desktop program that is given files or addresses."""
    for word in use.found.operands:
        if "://" in word.text:
            host, port = endpoint(word.text, "")
            connect(use.walker, host, port)
            send(use.walker, word.tags, host)
        else:
            use.reading(word)
    use.walker.claims.touch(Effect.EXECUTE, "program", use.found.path[0])
    return Data()


def _write_outside(use: Use, word: Word) -> None:
    found = places(word, use.walker.state.folders, use.walker.state.home, recursive=False) or ()
    if any(is_outside(place.name, use.walker.claims.place.root) for place in found):
        use.writing(word)


def own_paths(use: Use, words: list[Word]) -> Data | None:
    """Tools that read and write what their arguments name, besides the workspace."""
    for word in use.found.operands:
        if "://" in word.text and word.known:
            host, port = endpoint(word.text, "")
            connect(use.walker, host, port, Effect.READ)
        elif word.text.startswith(("/", "~", "..")):
            use.reading(word)
    for name, _, word in use.found.values:
        if name in ("-o", "--output", "-O", "--out") and word.text.startswith(("/", "~", "..")):
            _write_outside(use, word)
    return None


HANDLERS: dict[str, Handler] = {
    "account": account,
    "attributes": attributes,
    "chmod": chmod,
    "chown": chown,
    "mount": mount,
    "opens": opens,
    "paths": own_paths,
    "storage": storage,
}
