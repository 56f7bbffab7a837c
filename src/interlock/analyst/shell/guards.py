"""What guards the machine, and how it is switched off."""

from __future__ import annotations

import functools
import importlib.resources
import re

import msgspec

from interlock.analyst.shell.use import Handler, Use
from interlock.analyst.shell.words import Data, Word, unknown
from interlock.artifact.action import Effect
from interlock.artifact.codec import Value

_ENDS = frozenset(("stop", "off", "disable", "remove", "delete", "onestop"))
_SHOWS = frozenset(("status", "--status-all", "list", "show", "logs", "monit"))


class Guards(Value, frozen=True, kw_only=True):
    """Names of what guards a machine."""

    source: str
    services: frozenset[str]
    settings: frozenset[str]
    cloud: frozenset[str]


@functools.cache
def guards() -> Guards:
    """The names of the release."""
    raw = (importlib.resources.files("interlock.analyst.shell") / "defence.json").read_bytes()
    return msgspec.json.decode(raw, type=Guards)


def is_guard(name: str) -> bool:
    """Whether a unit's name is that of a guard, or has it as one of its parts."""
    parts = set(re.split(r"[^a-z0-9_-]+", name.lower())) | {name.lower()}
    parts |= {part for one in list(parts) for part in one.split("-")}
    return bool(parts & guards().services)


def stop_service(use: Use, _words: list[Word]) -> Data | None:
    """A unit is stopped or disabled."""
    if any(is_guard(word.text) for word in use.found.operands):
        use.walker.claims.signal("defence.disabled")
    return None


def enable_service(use: Use, _words: list[Word]) -> Data | None:
    """A unit that is named by its file, and not by the name of one that the system has."""
    if any("/" in word.text or not word.known for word in use.found.operands):
        use.walker.claims.signal("persistence.service")
    return None


def service(use: Use, _words: list[Word]) -> Data | None:
    """``service NAME ACTION`` and its relatives, which put the action before or after the name."""
    texts = [word.text for word in use.found.operands]
    ends = any(text in _ENDS or text.endswith(('="NO"', "=NO")) for text in texts)
    if ends and any(is_guard(text.partition("=")[0].removesuffix("_enable")) for text in texts):
        use.walker.claims.signal("defence.disabled")
    if _SHOWS & {*texts[:2]}:
        return unknown(frozenset(("system",)))
    if use.found.path[0] in ("update-rc.d", "chkconfig", "rc-update", "insserv") and any(
        text in ("on", "enable", "defaults", "add") for text in texts
    ):
        use.walker.claims.touch(Effect.WRITE, "persistence", "service")
    return None


def defence(use: Use, words: list[Word]) -> Data | None:
    """setenforce, spctl, csrutil and products that guard: switched off or reconfigured."""
    texts = {word.text.lower() for word in words}
    if texts & {
        "0",
        "permissive",
        "disable",
        "disabled",
        "off",
        "stop",
        "--master-disable",
        "--global-disable",
        "uninstall",
        "false",
        "unload",
        "--disable",
    }:
        use.walker.claims.signal("defence.disabled")
    return None


def sysctl(use: Use, words: list[Word]) -> Data | None:
    """``sysctl [-w] NAME=VALUE``."""
    for word in words:
        name, equals, _ = word.text.partition("=")
        if equals:
            use.walker.claims.touch(Effect.WRITE, "kernel", name)
            if name.replace("/", ".") in guards().settings:
                use.walker.claims.signal("defence.disabled")
    for _, role, word in use.found.values:
        if role == "read":
            use.reading(word)
            use.walker.claims.touch(Effect.WRITE, "kernel", "*", open=True)
    return unknown(frozenset(("system",)))


def firewall(use: Use, words: list[Word]) -> Data | None:
    """Listing changes nothing."""
    texts = [word.text for word in words]
    if texts[:1] and texts[0] in ("-L", "--list", "-S", "--list-rules") and not {"-F", "-Z", "-X"} & set(texts):
        return unknown(frozenset(("system",)))
    lists = {
        "-L",
        "-S",
        "--list",
        "list",
        "status",
        "--list-all",
        "-n",
        "-v",
        "verbose",
        "numbered",
        "--state",
        "-nvL",
        "-vnL",
        "-nL",
        "-Lnv",
        "-sr",
    }
    if texts and set(texts) <= lists | {
        "ruleset",
        "-t",
        "nat",
        "filter",
        "mangle",
        "table",
        "tables",
        "--line-numbers",
    }:
        return unknown(frozenset(("system",)))
    if use.found.path[0] == "iptables-save":
        return unknown(frozenset(("system",)))
    if {"REDIRECT", "DNAT", "MASQUERADE"} & set(texts):
        use.walker.claims.signal("network.redirected")
    opens = "ACCEPT" in texts and bool({"-P", "--policy"} & set(texts))
    if opens or "flush" in texts or {"delete", "table"} <= set(texts):
        use.walker.claims.signal("defence.disabled")
    return None


def kill(use: Use, words: list[Word]) -> Data | None:
    """``kill -1`` as a target means every process."""
    texts = [word.text for word in words]
    if use.found.path[0] == "kill" and texts[:1] and texts[0] in ("-l", "-L", "--list", "--table"):
        return Data()
    everything = use.found.path[0] == "kill" and ("-1" in texts[1:] or "1" in texts)
    if everything or use.found.path[0] == "killall5":
        use.walker.claims.signal("process.killed_all")
        use.walker.claims.touch(Effect.WRITE, "process", "*", open=True)
    if use.found.path[0] in ("pkill", "killall") and use.found.has("-u -U --user --euid"):
        use.walker.claims.signal("process.killed_all")
    for word in use.found.operands:
        if is_guard(word.text) or "guard" in word.tags:
            use.walker.claims.signal("defence.disabled")
        use.walker.claims.touch(Effect.WRITE, "process", word.text if word.known else "*", open=not word.known)
    return Data()


def processes(use: Use, words: list[Word]) -> Data | None:
    """pgrep and pidof: numbers of processes, perhaps those of a guard."""
    guard = any(is_guard(word.text) for word in words)
    return unknown(frozenset(("system", "guard") if guard else ("system",)))


def trust(use: Use, _words: list[Word]) -> Data | None:
    """The store of certificate authorities is built anew."""
    if use.found.path[0].startswith(("update-ca", "certctl", "trust")):
        use.walker.claims.signal("trust.changed")
    return None


HANDLERS: dict[str, Handler] = {
    "defence": defence,
    "enable-service": enable_service,
    "firewall": firewall,
    "kill": kill,
    "processes": processes,
    "service": service,
    "stop-service": stop_service,
    "sysctl": sysctl,
    "trust": trust,
}
