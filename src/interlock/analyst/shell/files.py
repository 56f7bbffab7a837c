"""Effects on files and end points, with the flow of data through them.

What was read carries tags to where it goes: a secret that is sent, a download that is run.  Files that the script
writes are remembered, so that what is read or run later is judged by what was written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from interlock.analyst.shell.globs import Place, places
from interlock.analyst.shell.paths import PSEUDO, TOPS, is_outside, meanings_of, meanings_of_glob
from interlock.analyst.shell.words import MAX_TEXT, NONE, UNKNOWN, Data, Word, unknown
from interlock.artifact.action import Effect
from interlock.artifact.resources import endpoint, inside

if TYPE_CHECKING:
    from interlock.analyst.shell.walk import Walker

_SOCKET = re.compile(r"/dev/(?:tcp|udp)/([^/]+)/([^/]+)\Z")
_DIGITS = re.compile(r"(?:-|\d+-?)\Z")
_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d+)\Z")
FROM_NETWORK = frozenset(("download", "socket"))
_SYSTEM = frozenset(("/", "/etc", "/usr", "/bin", "/sbin", "/lib", "/boot", "/root", "/var"))
_PERSONAL = ("/home", "/root", "/Users", "/etc", "/var", "/tmp", "/proc", "/sys", "/dev", "/run", "/boot", "/private")
_CACHES = (
    "/tmp",
    "/var/tmp",
    "/var/cache",
    "/var/lib/apt/lists",
    "/usr/share/doc",
    "/usr/share/man",
    "/var/lib/dpkg/info",
    "/root/.cache",
    "/root/.npm",
)
_HIDDEN = re.compile(r"/\.[^/]*[*?\[][^/]*(?:/|\Z)")
_LOOPBACK = re.compile(r"(?:localhost|127\.\d+\.\d+\.\d+|\[?::1\]?|0\.0\.0\.0|.*\.localhost)\Z")
_METADATA = frozenset(
    ("169.254.169.254", "metadata.google.internal", "metadata", "100.100.100.200", "169.254.170.2", "fd00:ec2::254")
)


def opened(walker: Walker, target: Data, sign: str) -> Data:
    """What a command reads whose input is redirected from ``target``."""
    if "&" in sign:
        if target.text == "-" or not target.known:
            return unknown(target.tags)
        return walker.state.descriptors.get(target.text.rstrip("-"), walker.stdin)
    return read(walker, target)


def socket_of(target: Data) -> Data:
    """What a descriptor stands for that is opened for writing."""
    return unknown(FROM_NETWORK) if _SOCKET.match(target.text) else Data()


def deliver(walker: Walker, data: Data, targets: tuple[tuple[Data, str], ...]) -> Data:
    """Write a command's output to where its redirections say; returns what is left for the pipe."""
    left = data
    for target, sign in targets:
        number = sign.partition(">")[0].rstrip("&<")
        if "&" in sign and _DIGITS.match(target.text):
            sink = walker.state.descriptors.get(target.text)
            if sink is not None and "socket" in sink.tags:
                send(walker, data.tags)
                left = Data()
            elif target.text == "2" and number in ("", "1"):
                left = Data()
            continue
        output = data if number in ("", "1") else Data("", data.tags & frozenset(("shell",)))
        write(walker, target, output, append=">>" in sign)
        if number in ("", "1"):
            left = Data()
    return left


def read(walker: Walker, word: Word | Data, *, recursive: bool = False) -> Data:
    """Read a file; returns what is known of its content."""
    text = word.text
    if text in PSEUDO:
        return walker.stdin if text in ("/dev/stdin", "/dev/fd/0") else Data()
    descriptor = _DESCRIPTOR.match(text)
    if descriptor or text in walker.state.descriptors:
        held = walker.state.descriptors.get(text) or walker.state.descriptors.get(
            descriptor.group(1) if descriptor else ""
        )
        return held or walker.stdin
    socket = _SOCKET.match(text)
    if socket:
        connect(walker, socket.group(1), socket.group(2))
        return unknown(FROM_NETWORK)
    found = places(word, walker.state.folders, walker.state.home, recursive=recursive)
    if found is None:
        walker.claims.touch(Effect.READ, "file", "*", open=True)
        return unknown(word.tags | {"file"})
    tags, known = set(word.tags & {"secret"}), list[Data]()
    for place in found:
        walker.claims.touch(Effect.READ, "file", place.name, recursive=place.recursive)
        tags.update(_reading(walker, place.name, place.pattern, recursive=place.recursive))
        if place.name in walker.state.files and not place.recursive:
            known.append(walker.state.files[place.name])
        elif place.name in walker.claims.place.scripts and not place.recursive:
            known.append(Data(walker.claims.place.scripts[place.name]))
        elif place.recursive:
            tags.update(
                tag for name, data in walker.state.files.items() if inside(name, place.name) for tag in data.tags
            )
    for one in known:
        tags.update(one.tags)
    return Data(known[0].text if len(known) == 1 == len(found) else UNKNOWN, frozenset(tags))


def _reading(walker: Walker, name: str, pattern: str, *, recursive: bool) -> set[str]:
    tags = {"file"}
    for code in _meanings(walker, name, pattern, "read", recursive=recursive):
        walker.claims.signal(code)
        if code == "credential.read":
            tags.update(("secret", "private"))
    if is_outside(name, walker.claims.place.root) and name not in walker.state.files:
        personal = name == "/" or any(inside(name, folder) for folder in (*_PERSONAL, walker.state.home))
        tags.add("private" if personal else "elsewhere")
    return tags


def write(walker: Walker, word: Word | Data, data: Data, *, append: bool = False, recursive: bool = False) -> None:
    """Write a file, a device or a socket."""
    text = word.text
    if text in PSEUDO or text in walker.state.descriptors or (text == "/" and not recursive):
        return
    socket = _SOCKET.match(text)
    if socket:
        connect(walker, socket.group(1), socket.group(2))
        send(walker, data.tags | word.tags, socket.group(1))
        return
    found = places(word, walker.state.folders, walker.state.home, recursive=recursive)
    if found is None:
        walker.claims.touch(Effect.WRITE, "file", "*", open=True)
        walker.note("shell.dynamic_path")
        return
    for place in found:
        if any(inside(place.name, link) and place.name != link for link in walker.state.links) or _HIDDEN.search(
            place.pattern
        ):
            walker.note("shell.dynamic_path")  # Where a new link leads, or what a hidden name would match.
        walker.claims.touch(Effect.WRITE, "file", place.name, recursive=place.recursive)
        if recursive and not append and place.name in _SYSTEM and place.name != walker.claims.place.root:
            walker.claims.signal("recursive.root_write")
        access = "append" if append else "write"
        for code in _meanings(walker, place.name, place.pattern, access, recursive=place.recursive):
            walker.claims.signal(code)
        if not place.recursive and not (append and not data.text and not data.tags):
            old = _held(walker, place.name) if append else Data()
            walker.state.files[place.name] = Data((old.text + data.text)[:MAX_TEXT], old.tags | data.tags)


def _held(walker: Walker, name: str) -> Data:
    if name in walker.state.files:
        return walker.state.files[name]
    text = walker.claims.place.scripts.get(name)
    return unknown() if text is None else Data(text)


def delete(walker: Walker, word: Word | Data, *, recursive: bool = False, whole: bool = True) -> None:
    """Delete a file, or a folder with all below it; or only some of what is below it, if not ``whole``."""
    if word.text in PSEUDO:
        return
    found = places(word, walker.state.folders, walker.state.home, recursive=recursive)
    if found is None:
        walker.claims.touch(Effect.DELETE, "file", "*", open=True, recursive=recursive)
        walker.note("shell.dynamic_path")
        return
    for place in found:
        walker.claims.touch(Effect.DELETE, "file", place.name, recursive=place.recursive)
        if place.recursive and (recursive or place.pattern.endswith("/*") or place.name in _SYSTEM):
            _extent(walker, place, whole=whole)
        for code in _meanings(walker, place.name, place.pattern, "delete", recursive=place.recursive):
            walker.claims.signal(code)
        walker.state.files.pop(place.name, None)


def _extent(walker: Walker, place: Place, *, whole: bool) -> None:
    """How much a recursive deletion takes: everything, the workspace, or something outside that is no cache."""
    root = walker.claims.place.root
    if is_root(walker, place.name) and (whole or place.name in ("/", "/etc", "/usr", walker.state.home)):
        walker.claims.signal("recursive.root_delete")
    elif inside(place.name, root):
        if place.name == root and whole and place.pattern.rstrip("/*") in (root, root + "/.", root + f"/{UNKNOWN}"):
            walker.claims.signal("recursive.workspace_delete")
    elif whole and not any(inside(place.name, folder) for folder in (*_CACHES, walker.state.home + "/.cache")):
        walker.claims.signal("recursive.outside_delete")


def is_root(walker: Walker, name: str) -> bool:
    """The root, a folder of the system, somebody's home, or a folder that holds the workspace."""
    root = walker.claims.place.root
    home = walker.state.home
    above = name != root and inside(root, name)
    parent = name.rsplit("/", 1)[0]
    return (
        name in TOPS or name == home or above or parent in ("/home", "/Users", "/usr", "/boot") or inside(name, "/etc")
    )


def _meanings(walker: Walker, name: str, pattern: str, access: str, *, recursive: bool) -> tuple[str, ...]:
    home = walker.state.home
    found = meanings_of(name, access, home, recursive)
    if pattern != name:
        found += meanings_of(pattern, access, home, recursive) + meanings_of_glob(pattern, access, home)
    return tuple(dict.fromkeys(found))


def connect(walker: Walker, host: str, port: str, access: Effect = Effect.SEND) -> None:
    """An end point that is spoken to."""
    host = host.lower().rstrip(".")
    if host in _METADATA:
        walker.claims.signal("metadata.read")
    if UNKNOWN in host or UNKNOWN in port or not _reachable(host, port):
        walker.claims.touch(access, "endpoint", "*", open=True)
        walker.note("shell.dynamic_host")
        return
    walker.claims.touch(access, "endpoint", f"{host}:{port}")


def _reachable(host: str, port: str) -> bool:
    """Whether the gate can speak of this end point by one name; a protocol without ports has port 0."""
    try:
        endpoint(f"{host}:{'1' if port == '0' else port}")
    except ValueError:
        return False
    return True


def send(walker: Walker, tags: frozenset[str], host: str = "") -> None:
    """Data leaves for an end point: which data, its tags say."""
    if "shell" in tags:
        walker.claims.signal("shell.reverse")
    if _LOOPBACK.match(host.lower()):
        return
    if "secret" in tags:
        walker.claims.signal("credential.sent")
    if "private" in tags:
        walker.claims.signal("data.sent")
    elif "elsewhere" in tags:
        walker.claims.signal("files.sent")
    elif "file" in tags:
        walker.claims.signal("workspace.sent")
    if "system" in tags:
        walker.claims.signal("recon.sent")
    if "environment" in tags:
        walker.claims.signal("environment.sent")


def content_of(walker: Walker, word: Word) -> Data | None:
    """What a file holds that the script or the agent wrote before; ``None`` for any other file."""
    found = places(word, walker.state.folders, walker.state.home, recursive=False)
    if found is None or len(found) != 1 or found[0].recursive:
        return None
    name = found[0].name
    if name in walker.state.files:
        return walker.state.files[name]
    text = walker.claims.place.scripts.get(name)
    return None if text is None else Data(text)


def name_of(walker: Walker, word: Word) -> str | None:
    """The one canonical path that a word names."""
    found = places(word, walker.state.folders, walker.state.home, recursive=False)
    return found[0].name if found and len(found) == 1 and not found[0].recursive else None


__all__ = ["NONE", "connect", "content_of", "delete", "deliver", "name_of", "opened", "read", "send", "write"]
