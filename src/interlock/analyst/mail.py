"""Mail: who a list of recipients really reaches.

Addresses are split as RFC 5322 does, then held to a plain form; whatever two readers could take for different people
is opaque.  Recipients are touched as ``recipient:`` with the address in lower case, which is how rules name them.

>>> [one.name for one in analyse('"Ann, Ops" <Ann@Corp.example>; bo@x.example', Place(argument="to", root="/")).touched]
['ann@corp.example', 'bo@x.example']
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from interlock.analyst import hosts, lookalikes
from interlock.analyst.claims import Claims, Place
from interlock.artifact.action import Effect

MAX_CHARACTERS = 16384
MAX_RECIPIENTS = 256
_LOCAL = re.compile(r"[A-Za-z0-9!#$&'*+=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$&'*+=?^_`{|}~-]+)*\Z")
_PLAIN = re.compile(r"[\w.!#$&'*+=?^`{|}~-]{1,64}@[\w.-]{1,253}\Z")
_HEADER = re.compile(
    r"(?:\A|[\r\n]|%0[ad])\s{0,16}(?:to|cc|bcc|subject|from|reply-to|content-type|mime-version|x-[\w-]+)\s*:",
    re.IGNORECASE,
)
_BREAKS = re.compile(r"[\r\n\0\x0b\x0c\x85\u2028\u2029]|%0[ad]", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s@<>\"(),;:]{1,64}@[A-Za-z0-9.-]{1,253}\.[A-Za-z]{2,24}")
_GROUP = re.compile(r"(?:all|everyone|everybody|team|staff|company|users|employees)(?:[-_.]\w+)?@", re.IGNORECASE)


def analyse(text: str, place: Place) -> Claims:
    """Claims about one list of recipients."""
    claims = Claims(place)
    examine(text, claims)
    return claims


def examine(text: str, claims: Claims) -> None:
    """Add everyone whom a list of recipients reaches."""
    if len(text) > MAX_CHARACTERS:
        claims.opaque("email.too_large")
        text = text[:MAX_CHARACTERS]
    if _BREAKS.search(text.strip()) is not None or _HEADER.search(text) is not None:
        claims.opaque("email.header_injection")
        claims.signal("email.header_injection")
    named = [one for one in _split(text) if one]
    if len(named) > MAX_RECIPIENTS:
        claims.opaque("email.too_many")
    for one in named[:MAX_RECIPIENTS]:
        _recipient(one, claims)


def _split(text: str) -> Iterator[str]:
    """The parts between commas, semicolons and line ends that stand outside quotes, comments and angle brackets."""
    start, quoted, depth = 0, False, 0
    for index, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        elif not quoted and char in "(<":
            depth += 1
        elif not quoted and char in ")>":
            depth = max(0, depth - 1)
        elif not quoted and not depth and char in ",;\n\r":
            yield text[start:index].strip()
            start = index + 1
    yield text[start:].strip()


def _recipient(text: str, claims: Claims) -> None:
    display, angle, rest = text.rpartition("<")
    address = rest.rstrip().removesuffix(">").strip() if angle else text
    address = address.removeprefix("mailto:").split("?", 1)[0]
    if angle and (not rest.rstrip().endswith(">") or "<" in display):
        claims.opaque("email.ambiguous")
    _display(display, address, claims)
    folded = lookalikes.normal(address)
    if folded != address:
        claims.signal("email.disguised")
    local, _, domain = folded.rpartition("@")
    if not local or _PLAIN.match(folded) is None or _LOCAL.match(local) is None:
        claims.opaque("email.ambiguous")
        for one in _ADDRESS.findall(text)[:16]:
            claims.touch(Effect.SEND, "recipient", one.lower())
        return
    if "%" in local or "!" in local:
        claims.opaque("email.routed")
    _domain(local, domain, claims)


def _domain(local: str, domain: str, claims: Claims) -> None:
    inner = Claims(claims.place)
    name = hosts.examine(domain, inner)
    for code in ("url.confusable", "url.punycode", "url.address", "url.private"):
        if code in inner.signals:
            claims.signal(code.replace("url.", "email."))
    if name is None:
        claims.opaque("email.ambiguous")
        return
    if not local.isascii():
        claims.signal("email.confusable")
    if _GROUP.match(f"{local}@") is not None:
        claims.signal("email.group")
    claims.touch(Effect.SEND, "recipient", f"{local.lower()}@{name}")


def _display(display: str, address: str, claims: Claims) -> None:
    """A display name that shows another address than the one that is written to."""
    shown = _ADDRESS.findall(display)
    if any(one.lower() != address.lower() for one in shown):
        claims.signal("email.disguised")
        claims.opaque("email.ambiguous")
