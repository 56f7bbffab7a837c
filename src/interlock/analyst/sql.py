"""SQL: which tables statements read, write and delete, and whatever else they do to the server.

The text is parsed by the dialect that the place names, or, where none is named, by several, and all that any of them
understands is claimed.  A statement, procedure or function that is not known to stay within tables is opaque, as is a
text that no dialect parses.  Names of tables are in lower case, qualified as written; two names that only differ in
case are one.  Patterns over the bare words hold even where nothing parses.

>>> [one.key for one in analyse("DELETE FROM Staff WHERE id = 3", Place(argument="query", root="/")).touched]
['table:staff']
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from interlock.analyst import sql_shapes, sql_words
from interlock.analyst.claims import MAX_NESTING, TOO_NESTED, Claims, Place
from interlock.artifact.action import Effect

MAX_CHARACTERS = 64 * 1024
MAX_TOKENS = 6000
MAX_STATEMENTS = 64
MAX_OPEN = 200  # Parentheses open at once: the parser descends by recursion.
_ALIASES = {"postgresql": "postgres", "pg": "postgres", "mariadb": "mysql", "mssql": "tsql", "sqlserver": "tsql"}
_KNOWN = ("postgres", "mysql", "sqlite", "tsql", "oracle", "bigquery", "snowflake", "redshift", "duckdb")
_TRIED = ("postgres", "mysql", "tsql", "sqlite")
_CONTROL = (exp.Transaction, exp.Commit, exp.Rollback, exp.Use)
_UNDERSTOOD = (
    exp.Query, exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Describe, exp.Show, exp.Analyze, exp.Comment,
    exp.Declare, exp.Detach, *_CONTROL,
)  # fmt: skip
_PLAIN = re.compile(r"[\w\s(),.;=<>*+'%:-]*\Z", re.ASCII)
_EVERYDAY = re.compile(
    r"\s*(?:select|insert\s+into|update|delete\s+from|with|begin(?=\s*;)|create\s+table|merge\s+into)\b", re.IGNORECASE
)
_TOKEN = re.compile(r"'[^']*'|\w+|[^\w\s]")
_STRING = re.compile(r"'(?:[^']|'')*'")
_COMMENT = re.compile(r"--[^\n]*|/\*(?s:.*?)\*/|#[^\n]*")

logging.getLogger("sqlglot").addHandler(logging.NullHandler())
logging.getLogger("sqlglot").propagate = False  # A statement that it does not know would be told to stderr, in full.
for _name in _TRIED:
    sqlglot.Dialect.get_or_raise(_name)  # Dialects are modules, loaded when first named; here, before the jail.


def analyse(text: str, place: Place) -> Claims:
    """Claims about one text of SQL."""
    claims = Claims(place)
    if len(text) > MAX_CHARACTERS or _long(text) or _deep(text):
        claims.opaque("sql.too_large")
        return claims
    words = _words(text)
    _phrases(words, claims)
    sql_shapes.of_text(text, words, claims)
    parsed = [found for name in _dialects(text, place.dialect) if (found := _parse(text, name)) is not None]
    if not parsed:
        claims.opaque("sql.syntax")
    for statements in parsed:
        _statements(statements, claims)
    return claims


def _long(text: str) -> bool:
    return len(text) > MAX_TOKENS and sum(1 for _ in _TOKEN.finditer(text)) > MAX_TOKENS


def _deep(text: str) -> bool:
    opened = 0
    for char in text if text.count("(") + text.count("[") + text.lower().count("case") > MAX_OPEN else "":
        opened += (char in "([") - (char in ")]")
        if opened > MAX_OPEN:
            return True
    return len(re.findall(r"\b(?:not|case)\b|[-+~!]{2}", text, re.IGNORECASE)) > 4 * MAX_OPEN


def _words(text: str) -> str:
    """The text in lower case without strings and comments; whole where backslashes could move a string's end."""
    bare = text if "\\" in text else _STRING.sub("''", text)
    return _COMMENT.sub(" ", bare).lower()


def _phrases(words: str, claims: Claims) -> None:
    if sql_words.ANY_PHRASE.search(words) is None:
        return
    for code, pattern in sql_words.PHRASES:
        if pattern.search(words) is not None:
            claims.signal(code)


def _dialects(text: str, named: str) -> tuple[str, ...]:
    name = _ALIASES.get(named.lower(), named.lower())
    if name in _KNOWN:
        return (name,)
    same_in_all = "--" not in text and _PLAIN.match(text) is not None and _EVERYDAY.match(text) is not None
    if same_in_all and _parse(text, _TRIED[0]) is not None:
        return _TRIED[:1]
    return _TRIED


def _parse(text: str, dialect: str) -> list[exp.Expr] | None:
    try:
        found = sqlglot.parse(text, dialect=dialect)
    except (SqlglotError, RecursionError, ValueError, TypeError, AttributeError, IndexError, KeyError):
        return None  # The last five are the parser's own mistakes on malformed text.
    statements = [one for one in found if isinstance(one, exp.Expr)]
    return statements or None


def _statements(statements: list[exp.Expr], claims: Claims) -> None:
    if len(statements) > MAX_STATEMENTS:
        claims.opaque("sql.too_large")
    if sum(not isinstance(one, _CONTROL) for one in statements) > 1:
        claims.signal("sql.stacked")
    for statement in statements[:MAX_STATEMENTS]:
        try:
            _statement(statement, claims)
        except RecursionError:
            claims.opaque("sql.too_large")


def _statement(statement: exp.Expr, claims: Claims) -> None:
    match statement:
        case _ if isinstance(statement, _UNDERSTOOD):
            pass
        case exp.Create():
            _create(statement, claims)
        case exp.Drop() | exp.TruncateTable() | exp.Alter():
            if not isinstance(statement, exp.Alter) or statement.find(exp.Drop) is not None:
                claims.signal("sql.destroys")
        case exp.Grant() | exp.Revoke():
            _grant(statement, claims)
        case exp.Copy() | exp.Attach():
            _files(statement, claims)
        case exp.Execute():
            _execute(statement, claims)
        case exp.Command():
            _command(statement, claims)
        case exp.Set() | exp.Pragma():
            _setting(statement, claims)
        case _:
            claims.opaque("sql.statement")
    _nodes(statement, claims)


def _nodes(statement: exp.Expr, claims: Claims) -> None:
    targets = dict(_targets(statement))
    for node in statement.walk():
        match node:
            case exp.Table():
                _table(node, targets.get(id(node), Effect.READ), claims)
            case exp.Update() | exp.Delete():
                if not isinstance(node.parent, exp.When) and sql_shapes.unbounded(node):
                    claims.signal("sql.unbounded")
            case exp.TruncateTable():
                claims.signal("sql.unbounded")
            case exp.Func():
                _function(node, claims)
            case exp.Command() if node is not statement:
                claims.opaque("sql.statement")
            case _:
                pass
    if sql_shapes.injected(statement):
        claims.signal("sql.injection")


def _targets(statement: exp.Expr) -> Iterator[tuple[int, Effect]]:
    """The tables that are changed, by identity, and how."""
    for node in statement.find_all(
        exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Drop, exp.TruncateTable, exp.Alter, exp.Into,
        exp.Copy, exp.Comment, exp.Grant, exp.Revoke,
    ):  # fmt: skip
        access = _access(node)
        if isinstance(node, exp.Update):
            changed = list(node.this.find_all(exp.Table)) if node.this is not None else []
        elif isinstance(node, exp.Create):
            changed = [table] if isinstance(table := node.find(exp.Table), exp.Table) else []
        else:
            named = (node.this, node.args.get("securable"), *(node.args.get("tables") or ()), *node.expressions)
            roots = (one.this if isinstance(one, exp.Schema) else one for one in named)
            changed = [one for one in roots if isinstance(one, exp.Table)]
        yield from ((id(table), access) for table in changed)


def _access(node: exp.Expr) -> Effect:
    if isinstance(node, exp.Grant | exp.Revoke):
        return Effect.GRANT_ACCESS
    if isinstance(node, exp.Delete | exp.Drop | exp.TruncateTable):
        return Effect.DELETE
    if isinstance(node, exp.Merge) and any(one.args["then"].name == "DELETE" for one in node.find_all(exp.When)):
        return Effect.DELETE
    if isinstance(node, exp.Copy) and not node.args.get("kind"):
        return Effect.READ
    return Effect.WRITE


def _table(table: exp.Table, access: Effect, claims: Claims) -> None:
    name = ".".join(part.name for part in table.parts).lower() if isinstance(table.this, exp.Identifier) else ""
    if not name or (access is Effect.READ and sql_shapes.common(table)):
        return
    claims.touch(access, "table", name)
    if name in sql_words.CREDENTIAL_TABLES or name.removeprefix("pg_catalog.") in sql_words.CREDENTIAL_TABLES:
        claims.signal("sql.credentials")
    if sql_words.catalogue(name):
        claims.signal("sql.catalogue")
        if access is not Effect.READ:
            claims.signal("sql.administers")
    if "/" in name or "\\" in name or "://" in name:  # DuckDB and others read a file that is named as a table.
        claims.signal("sql.server_file")
        claims.file(access, name)


def _function(node: exp.Func, claims: Claims) -> None:
    if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc):
        name = _qualified(node)
        last = name.rpartition(".")[2]
        code = sql_words.BY_FUNCTION.get(name) or sql_words.BY_FUNCTION.get(last)
        if code is None:
            if last not in sql_words.PURE or "." in name:
                claims.opaque("sql.function")
            return
        _reaching(code, node, claims)
    elif type(node).__name__ in sql_words.FILE_TYPES:
        _reaching("sql.server_file", node, claims)
    elif type(node).__name__ in sql_words.OPAQUE_TYPES:
        claims.opaque("sql.function")


def _qualified(node: exp.Func) -> str:
    parts = [node.name.lower()]
    parent = node.parent
    while isinstance(parent, exp.Dot):
        if parent.this is not node and not parent.this.find(exp.Func):
            parts.insert(0, parent.this.sql().lower().replace('"', ""))
        parent = parent.parent
    return ".".join(parts)


def _reaching(code: str, node: exp.Expr, claims: Claims) -> None:
    claims.signal(code)
    strings = [one.this for one in node.find_all(exp.Literal) if one.is_string]
    if code == "sql.server_file" and strings and "\\" not in strings[0]:
        claims.file(Effect.READ, strings[0])
    elif code == "sql.os_command" and strings:
        _shell(strings[0], claims)
    elif code == "sql.dynamic":
        _dynamic(strings, claims)
    if code != "sql.delays":
        claims.opaque("sql.server")


def _shell(command: str, claims: Claims) -> None:
    claims.inline("shell", command)


def _dynamic(strings: list[str], claims: Claims) -> None:
    claims.opaque("sql.dynamic")
    if claims.place.nesting >= MAX_NESTING:
        claims.opaque(TOO_NESTED)
        return
    for text in strings[:8]:
        claims.merge(analyse(text, claims.place.within(dialect=claims.place.dialect)))


def _create(statement: exp.Create, claims: Claims) -> None:
    kind = str(statement.args.get("kind") or "").upper()
    if kind not in {"TABLE", "VIEW", "INDEX", "SCHEMA", "DATABASE", "SEQUENCE", "TYPE"}:
        claims.opaque("sql.defines_code")
    if statement.args.get("replace"):
        claims.signal("sql.destroys")


def _grant(statement: exp.Expr, claims: Claims) -> None:
    claims.signal("sql.grants")
    for principal in statement.find_all(exp.GrantPrincipal):
        claims.touch(Effect.GRANT_ACCESS, "account", principal.name.lower() or "*")


def _files(statement: exp.Expr, claims: Claims) -> None:
    writes = isinstance(statement, exp.Attach) or not statement.args.get("kind")
    for one in statement.args.get("files") or [statement.this]:
        if isinstance(one, exp.Identifier) and one.name.upper() == "PROGRAM":
            for parameter in statement.find_all(exp.CopyParameter):
                _reaching("sql.os_command", exp.Literal.string(parameter.name), claims)
        elif isinstance(one, exp.Identifier) and one.name.upper() in {"STDIN", "STDOUT"}:
            continue
        elif literal := one.find(exp.Literal):
            claims.signal("sql.server_file")
            if literal.this not in {":memory:", ""}:
                claims.file(Effect.WRITE if writes else Effect.READ, literal.this)
        else:
            claims.opaque("sql.server")


def _execute(statement: exp.Execute, claims: Claims) -> None:
    called = statement.this
    name = ".".join(part.name for part in called.parts if part) if isinstance(called, exp.Table) else ""
    code = sql_words.BY_FUNCTION.get(name.rpartition(".")[2].lower())
    if isinstance(called, exp.Table) and code is not None:
        _reaching(code, statement, claims)
        return
    if isinstance(called, exp.Table):
        claims.opaque("sql.procedure")
        return
    claims.signal("sql.dynamic")
    _dynamic([one.name for one in called.find_all(exp.Identifier, exp.Literal)], claims)


def _command(statement: exp.Command, claims: Claims) -> None:
    """A statement that the parser left whole: ``EXPLAIN`` of another is judged as that, and all else is opaque."""
    rest = statement.args.get("expression")
    text = rest.name if isinstance(rest, exp.Literal) else str(rest or "")
    word = str(statement.this).upper()
    inner = re.sub(r"\A\s*(?:analyze|verbose|extended|query plan|\([^)]*\))\s*", "", text, flags=re.IGNORECASE)
    if word == "EXPLAIN" and claims.place.nesting < MAX_NESTING:
        claims.merge(analyse(inner, claims.place.within(dialect=claims.place.dialect)))
    elif word == "REPLACE":
        claims.merge(analyse(f"INSERT {text}", claims.place.within(dialect="mysql")))
    elif word in {"CALL", "EXEC", "EXECUTE", "DO", "PREPARE"}:
        claims.opaque("sql.dynamic")
    elif word not in {"SHOW", "VACUUM", "REINDEX", "CHECKPOINT", "SAVEPOINT", "RELEASE"} or "into" in text.lower():
        claims.opaque("sql.statement")


def _setting(statement: exp.Expr, claims: Claims) -> None:
    """Session settings are harmless in themselves; those of the server were seen among the words."""
    for item in statement.find_all(exp.SetItem):
        if str(item.args.get("kind") or "").upper() not in {"", "LOCAL", "SESSION", "NAMES", "TRANSACTION"}:
            claims.opaque("sql.statement")
    if isinstance(statement, exp.Pragma) and isinstance(statement.this, exp.EQ):
        claims.opaque("sql.statement")
