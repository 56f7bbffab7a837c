"""One command line under its model, while it is applied: what it has read and sent so far."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from interlock.analyst.shell.files import connect, read, write
from interlock.analyst.shell.models import Rule
from interlock.analyst.shell.options import Arguments
from interlock.analyst.shell.words import NONE, UNKNOWN, Data, Word, unknown
from interlock.artifact.action import Effect

if TYPE_CHECKING:
    from interlock.analyst.shell.walk import Walker

# fmt: off
_PORTS = {
    "http": "80", "https": "443", "ftp": "21", "ftps": "990", "sftp": "22", "ssh": "22", "git": "9418", "ws": "80",
    "rsync": "873", "ldap": "389", "ldaps": "636", "smb": "445", "telnet": "23", "postgres": "5432", "wss": "443",
    "postgresql": "5432", "mysql": "3306", "mongodb": "27017", "redis": "6379", "amqp": "5672",
}
# fmt: on
_SCP = re.compile(r"(?:[\w.-]+@)?([A-Za-z0-9_.-]+):(?!//)")


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


Handler = Callable[[Use, list[Word]], Data | None]


def is_folder(target: str, base: str) -> bool:
    """Whether a target is taken for a folder that gets ``base``: it is spelt as one, or either name is a hidden one."""
    last = target.rpartition("/")[2]
    return last.startswith(".") or not last or base.startswith(".")


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
