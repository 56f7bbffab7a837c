"""Connections by general tools: ssh(1), nc(1), socat(1), openssl-s_client(1), look-ups of names."""

from __future__ import annotations

import re

from interlock.analyst.shell import code
from interlock.analyst.shell.files import connect, read, send
from interlock.analyst.shell.roles import play
from interlock.analyst.shell.use import Handler, Use, endpoint
from interlock.analyst.shell.words import NONE, UNKNOWN, Data, Word, unknown
from interlock.artifact.action import Effect


def socat(use: Use, _words: list[Word]) -> Data | None:
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


def nc(use: Use, _words: list[Word]) -> Data | None:
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


def remote_shell(use: Use, _words: list[Word]) -> Data | None:
    """ssh: options with end points, then a host, then perhaps a command, which may also stand on the input."""
    walker, found = use.walker, use.found
    for name, role, word in found.values:
        if name in ("-L", "-R", "-D", "-W", "-w"):
            walker.claims.signal("tunnel.opened")
        elif name == "-o" and word.text.lower().startswith(("proxycommand", "localcommand", "knownhostscommand")):
            walker.claims.signal("shell.escape")
            code.run(walker, "shell", Data(re.split(r"[= ]", word.text, maxsplit=1)[-1], word.tags), NONE)
        elif role != "skip":
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


def s_client(use: Use, _words: list[Word]) -> Data | None:
    """``openssl s_client``: a connection that carries what it reads."""
    host, port = UNKNOWN, "443"
    for name, role, word in use.found.values:
        if name in ("-connect", "-host"):
            host, port = endpoint(word.text, "443")
        elif role == "read":
            use.reading(word)
    silent = use.found.has("-brief -showcerts") or not (use.stdin.text or use.stdin.tags)
    connect(use.walker, host, port, Effect.READ if silent else Effect.SEND)
    send(use.walker, use.stdin.tags, host)
    return unknown(frozenset(("download", "socket")))


def httpie(use: Use, _words: list[Word]) -> Data | None:
    """``http [METHOD] URL [ITEM…]``: an item with ``=`` or ``@`` makes a body, one with ``:`` a header."""
    operands = list(use.found.operands)
    method = operands.pop(0).text if operands and _METHOD.fullmatch(operands[0].text) else ""
    if not operands:
        return Data()
    items = [word for word in operands[1:] if not re.match(r"[\w-]+(?:==|:(?!=))", word.text)]
    sends = bool(items or use.stdin.text or use.stdin.tags) if not method else method not in ("GET", "HEAD", "OPTIONS")
    for name, role, word in use.found.values:
        if role != "skip" and name not in ("-a", "--auth"):
            play(use, role, word, None)
    for word in items:
        name, mark, value = re.split(r"(:?=@|@)", word.text, maxsplit=1) if "@" in word.text else (word.text, "", "")
        if mark and (mark != "@" or "=" not in name):
            use.reading(word._replace(text=value.partition(";")[0]))
    use.address(operands[0], Effect.SEND if sends else Effect.READ, "80")
    send(use.walker, use.read | use.stdin.tags | NONE.union(*(word.tags for word in operands)), use.hosts[-1])
    return unknown(frozenset(("download",)))


_METHOD = re.compile(r"[A-Z]{3,10}")


def dns(use: Use, words: list[Word]) -> Data | None:
    """A look-up: the name itself may carry data out."""
    server = next((word.text[1:] for word in words if word.text.startswith("@")), "")
    if server:
        connect(use.walker, server, "53", Effect.READ)
    tags = NONE.union(*(word.tags for word in words))
    for word in words:
        if not word.text.startswith(("-", "@", "+")) and "." in word.text:
            if not word.known:
                use.walker.note("shell.dynamic_host")
            use.walker.claims.touch(
                Effect.SEND if tags or not word.known else Effect.READ,
                "endpoint",
                f"{word.text.lower().rstrip('.')}:53" if word.known else "*",
                open=not word.known,
            )
    send(use.walker, tags, "")
    return unknown(frozenset(("system",)))


HANDLERS: dict[str, Handler] = {
    "dns": dns,
    "httpie": httpie,
    "nc": nc,
    "s-client": s_client,
    "socat": socat,
    "ssh": remote_shell,
}
