"""Hosts: the one address or name behind every spelling of it, and whether it is one that no stranger should reach.

Addresses follow ``inet_aton`` (one to four parts, decimal, octal or hexadecimal), RFC 4291 and the mappings of IPv4
into IPv6.  Nothing is looked up.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final, TypeAlias
from urllib.parse import unquote

from interlock.analyst import lookalikes
from interlock.analyst.claims import Claims

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_METADATA: Final = frozenset(
    ipaddress.ip_address(one)
    for one in (
        "169.254.169.254", "169.254.170.2", "169.254.170.23", "169.254.169.253", "169.254.169.123", "169.254.0.23",
        "169.254.42.42", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254", "fd00:ec2::23",
        "fd20:ce::254", "fd00:42::42",
    )
)  # fmt: skip
_METADATA_NAMES: Final = frozenset(
    {
        "metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal",
        "metadata.azure.internal", "metadata.azure.com", "rancher-metadata", "metadata.tencentyun.com",
        "metadata.service.consul",
    }
)  # fmt: skip
_PRIVATE_SUFFIXES: Final = (
    "localhost", "localdomain", "local", "internal", "lan", "intranet", "home.arpa", "home", "corp", "private",
    "svc", "cluster.local", "onion", "test", "invalid", "ip6-localhost", "ip6-loopback", "consul",
)  # fmt: skip
_WILDCARD_NAMES: Final = (
    "nip.io", "sslip.io", "xip.io", "localtest.me", "lvh.me", "vcap.me", "lacolhost.com", "traefik.me", "local.gd",
    "1u.ms", "rbndr.us", "localho.st", "ip6.name",
)  # fmt: skip
_ALWAYS_LOCAL: Final = frozenset({"localtest.me", "lvh.me", "vcap.me", "lacolhost.com", "local.gd", "localho.st"})
_NAME = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\Z"
)
_SHAPE = re.compile(r"(?:[\w-]{1,63}\.){1,10}[a-z]{2,24}\.?\Z|(?:\d{1,3}\.){3}\d{1,3}\Z|localhost\Z", re.IGNORECASE)
_EMBEDDED = re.compile(r"(?:^|[.-])((?:\d{1,3}[.-]){3}\d{1,3})(?=[.-]|\Z)")
_EMBEDDED_HEX = re.compile(r"(?:^|\.)([0-9a-f]{8})\.")
_BYTES, _BYTE = 4, 0xFF
_DOTS = str.maketrans({"。": ".", "．": ".", "｡": ".", "․": "."})


def looks_like_one(text: str) -> bool:
    """Whether a text has the shape of a host name or an address."""
    return _SHAPE.match(text) is not None


def examine(host: str, claims: Claims) -> str | None:
    """The canonical spelling, with signals about what it is; ``None`` if it is no host."""
    plain = _plain(host)
    if plain != host.lower().rstrip("."):
        claims.signal("url.disguised_host")
    if plain.startswith("["):
        found = _bracketed(plain)
        if found is None:
            return None
        _address(found, claims)
        return f"[{found}]"
    number = aton(plain)
    if number is not None:
        if plain != str(number):
            claims.signal("url.address_spelling")
        _address(number, claims)
        return str(number)
    return _named(plain, claims)


def aton(host: str) -> ipaddress.IPv4Address | None:
    """An address in any of the notations that ``inet_aton`` takes."""
    parts = host.split(".")
    if not 1 <= len(parts) <= _BYTES:
        return None
    numbers = [_number(one) for one in parts]
    if any(one is None for one in numbers):
        return None
    *leading, last = [one for one in numbers if one is not None]
    leading = [one & _BYTE for one in leading]  # Some readers cut what overflows; it is read as they do.
    value = last & ((1 << (8 * (_BYTES + 1 - len(parts)))) - 1)
    for index, one in enumerate(leading):
        value |= one << (8 * (3 - index))
    return ipaddress.IPv4Address(value)


def hostile(address: Address) -> str | None:
    """The signal for an address that is not the public network's."""
    readings = (address, *_mapped(address))
    if any(one in _METADATA for one in readings):
        return "url.metadata"
    private = any(not one.is_global or one.is_multicast or one.is_reserved for one in readings)
    return "url.private" if private else None


def _plain(host: str) -> str:
    decoded = unquote(host) if "%" in host and not host.startswith("[") else host
    folded = lookalikes.normal(decoded.translate(_DOTS)).lower()
    return folded.rstrip(".") or folded


def _number(text: str) -> int | None:
    if re.fullmatch(r"0x[0-9a-f]{0,32}", text):
        return int(text[2:] or "0", 16)
    if re.fullmatch(r"0[0-7]{1,32}", text):
        return int(text, 8)
    return int(text) if re.fullmatch(r"[0-9]{1,32}", text) else None


def _bracketed(text: str) -> ipaddress.IPv6Address | None:
    inner = text.removeprefix("[").removesuffix("]").split("%", 1)[0]
    try:
        return ipaddress.IPv6Address(inner)
    except ValueError:
        return None


def _mapped(address: Address) -> tuple[ipaddress.IPv4Address, ...]:
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    value = int(address)
    found = [one for one in (address.ipv4_mapped, address.sixtofour) if one is not None]
    if address.teredo is not None:
        found.extend(address.teredo)
    if value >> 32 in {0, 0x0064_FF9B << 64, 0xFFFF << 16}:  # Compatible, NAT64 and translated addresses.
        found.append(ipaddress.IPv4Address(value & 0xFFFFFFFF))
    return tuple(found)


def _address(address: Address, claims: Claims) -> None:
    claims.signal("url.address")
    code = hostile(address)
    if code is not None:
        claims.signal(code)
        claims.signal("url.private")
    if _mapped(address):
        claims.signal("url.address_spelling")


def _named(name: str, claims: Claims) -> str | None:
    if not name.isascii():
        claims.signal("url.confusable" if lookalikes.fold(name).isascii() else "url.punycode")
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return None
    if any(label.startswith("xn--") for label in name.split(".")):
        claims.signal(_punycode(name))
    if _NAME.match(name) is None:
        for part in re.findall(r"(?:\d{1,3}\.){3}\d{1,3}", name)[:4]:
            _embedded(part, claims)
        return None
    if name in _METADATA_NAMES:
        claims.signal("url.metadata")
        claims.signal("url.private")
    elif "." not in name or _private_suffix(name):
        claims.signal("url.private")
    _embedding(name, claims)
    return name


def _private_suffix(name: str) -> bool:
    return any(name == one or name.endswith(f".{one}") for one in _PRIVATE_SUFFIXES)


def _punycode(name: str) -> str:
    try:
        spelled = name.encode("ascii").decode("idna")
    except UnicodeError:
        return "url.confusable"
    return "url.confusable" if lookalikes.fold(spelled).isascii() else "url.punycode"


def _embedding(name: str, claims: Claims) -> None:
    service = next((one for one in _WILDCARD_NAMES if name == one or name.endswith(f".{one}")), None)
    if service is not None:
        claims.signal("url.embedded_address")
        if service in _ALWAYS_LOCAL:
            claims.signal("url.private")
        if (found := _EMBEDDED_HEX.search(name)) is not None:
            _embedded(f"0x{found[1]}", claims)
    for found in _EMBEDDED.finditer(name):
        _embedded(found[1].replace("-", "."), claims)


def _embedded(text: str, claims: Claims) -> None:
    address = aton(text)
    code = hostile(address) if address is not None else None
    if code is not None:
        claims.signal("url.embedded_address")
        claims.signal(code)
        claims.signal("url.private")
