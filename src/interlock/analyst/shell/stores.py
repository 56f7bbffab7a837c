"""Clients of databases: their language goes to its own analyser."""

from __future__ import annotations

import re

from interlock.analyst.shell import code, outputs
from interlock.analyst.shell.files import connect, content_of, read, write
from interlock.analyst.shell.roles import play
from interlock.analyst.shell.use import Handler, Use, endpoint
from interlock.analyst.shell.words import Data, Word, unknown
from interlock.artifact.action import Effect

_TELLS = re.compile(  # What a client itself is told, and what changes nothing but its output.
    r"\s*(?:\.(?:bail|changes|databases|dump|echo|exit|explain|fullschema|headers?|help|indexes|indices|mode|nullvalue"
    r"|quit|schema|separator|show|stats|tables|timeout|timer|version|width|shell|system)\b|\\(?:[dlxqz?!]|conninfo|timing|pset|[aHt]\b))"
)


_READS = re.compile(r"\s*(?:select|show|explain|describe|desc|\\(?:d|l|dt|du|dn|df|conninfo)\b)", re.IGNORECASE)


def database(use: Use, _words: list[Word]) -> Data | None:
    """A database's client: SQL of an option, an operand or the input, in the dialect that the model names."""
    walker, found = use.walker, use.found
    texts = [word for _, role, word in found.values if role == "code:sql"]
    scripts = [word for _, role, word in found.values if role == "execute"]
    _options(use, texts)
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
        held = content_of(walker, word)
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


def _options(use: Use, texts: list[Word]) -> None:
    for _, role, word in use.found.values:
        if role.startswith("host:") and _only_reads(texts):
            use.address(word, Effect.READ, role[5:])
        elif role not in ("code:sql", "execute", "skip"):
            play(use, role, word, None)


def _only_reads(texts: list[Word]) -> bool:
    return bool(texts) and all(word.known and _READS.match(word.text) for word in texts)


def _sql(use: Use, text: Data) -> None:
    code.origins(use.walker, text.tags - outputs.DECODED)  # A dump is often compressed.
    if not text.known:
        use.walker.note("shell.dynamic_code")
        return
    for line in text.text.splitlines():
        for mark in ("\\!", ".shell", ".system", "system "):
            if line.strip().startswith(mark):
                code.escape(use.walker, Data(line.strip()[len(mark) :]), Data())
        if line.lstrip().startswith((".", "\\")) and not _TELLS.match(line):
            use.walker.note("shell.unknown_code")
    cleaned = "\n".join(line for line in text.text.splitlines() if not line.strip().startswith((".", "\\")))
    if cleaned.strip():
        use.walker.claims.inline("sql", cleaned, dialect=use.model.kind)


def redis(use: Use, _words: list[Word]) -> Data | None:
    """redis-cli: some commands write files of the server or erase its data."""
    for _, role, word in use.found.values:
        if role != "skip":
            play(use, role, word, None)
    texts = [word.text.lower() for word in use.found.operands]
    use.walker.claims.touch(
        Effect.READ
        if texts[:1]
        and texts[0]
        in (
            "get",
            "keys",
            "info",
            "ping",
            "scan",
            "ttl",
            "exists",
            "llen",
            "lrange",
            "hgetall",
            "type",
            "dbsize",
            "memory",
            "slowlog",
            "monitor",
        )
        else Effect.WRITE,
        "database",
        "redis",
    )
    if texts[:1] and texts[0] in ("flushall", "flushdb"):
        use.walker.claims.signal("database.destroyed")
        use.walker.claims.touch(Effect.DELETE, "database", "redis")
    if texts[:2] == ["config", "set"] or texts[:1] in (
        ["eval"],
        ["slaveof"],
        ["replicaof"],
        ["module"],
        ["script"],
        ["debug"],
    ):
        use.walker.note("shell.unknown_code")
    if not texts and (use.stdin.text or use.stdin.tags):
        use.walker.note("shell.unknown_code")
    return unknown(frozenset(("database", "private")))


def database_tool(use: Use, words: list[Word]) -> Data | None:
    """Tools beside the clients: dropping is destroying."""
    if use.found.path[0] == "dropdb" or {"drop", "reset", "drop-schema"} & {word.text for word in use.found.operands}:
        use.walker.claims.signal("database.destroyed")
    return None


HANDLERS: dict[str, Handler] = {
    "database": database,
    "database-tool": database_tool,
    "redis": redis,
}
