"""Which network address a name may lead to: names and addresses in, a decision out, no I/O.

``pinned`` holds every address that a resolver gave to the rule; one bad address refuses them all, since a name
that leads both outside and inside is what DNS rebinding looks like.  Only IPv4 and IPv6 unicast of the public
Internet pass.  A *named exception* (``host:port``, the operator's) also admits private and loopback addresses;
link-local ones, where clouds keep their metadata, only where the exception names that very address.  Nothing
admits multicast, unspecified or translated addresses that hide another one.

The tables are our own (IANA special-purpose registries, RFC 6890 and its updates), because those of the
standard library differ from one patch release to the next.

>>> refusal("169.254.169.254"), refusal("::ffff:10.0.0.1"), refusal("93.184.215.14")
('address.link_local', 'address.private', '')
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Final, TypeAlias

from interlock.artifact.errors import InterlockError

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAME: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?)*")
_NUMERIC: Final = re.compile(r"(0x[0-9a-f]*|[0-9]+)\Z")

_TABLE: Final = {
    "address.loopback": ("127.0.0.0/8", "::1/128"),
    "address.link_local": ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "fd20:ce::254/128"),
    "address.private": (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "fc00::/7",
        "168.63.129.16/32",  # a public number that one cloud gives to its own agent on each machine
    ),
    "address.multicast": ("224.0.0.0/4", "ff00::/8"),
    "address.reserved": (
        "0.0.0.0/8",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "240.0.0.0/4",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
    ),
}
_NETWORKS: Final = tuple(
    (code, ipaddress.ip_network(network)) for code, networks in _TABLE.items() for network in networks
)
_EMBEDDING: Final = tuple(
    (ipaddress.IPv6Network(network), shift)
    for network, shift in (
        ("::ffff:0:0/96", 0),  # IPv4-mapped
        ("::ffff:0:0:0/96", 0),  # IPv4-translated, RFC 2765
        ("::/96", 0),  # IPv4-compatible
        ("64:ff9b::/96", 0),  # NAT64, RFC 6052
        ("64:ff9b:1::/48", 0),  # NAT64, RFC 8215
        ("2002::/16", 80),  # 6to4
    )
)
_PUBLIC_V6: Final = ipaddress.IPv6Network("2000::/3")
_LOCAL: Final = frozenset({"address.loopback", "address.private"})


class AddressError(InterlockError):
    """A host name or address that this software does not connect to."""


def check_name(host: str) -> str:
    """The host name if it is canonical: lower-case letters, digits and hyphens, or a dotted quad.

    A last label that is a number makes an IPv4 address of the whole (WHATWG URL), which resolvers read in many
    spellings (``127.1``, ``0x7f.1``, ``2130706433``): only the canonical one passes.  Raises ``AddressError``.
    """
    if not _NAME.fullmatch(host):
        raise AddressError("address.name", "not a canonical host name")
    if _NUMERIC.match(host.rpartition(".")[2]):
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            raise AddressError("address.spelling", "an IPv4 address in another spelling than a dotted quad") from None
    return host


def refusal(address: str) -> str:
    """Why an address is not one of the public Internet, as a stable code; empty where it is one."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "address.spelling"
    embedded = _embedded(parsed)
    if embedded is not None and embedded.packed[0]:
        inner = refusal(str(embedded))
        return inner or "address.reserved"
    for code, network in _NETWORKS:
        if parsed.version == network.version and parsed in network:
            return code
    return "address.reserved" if parsed.version == 6 and parsed not in _PUBLIC_V6 else ""  # noqa: PLR2004


def pinned(host: str, port: int, found: Sequence[str], exceptions: Sequence[str] = ()) -> tuple[str, ...]:
    """The addresses to connect to, in the resolver's order; raises ``AddressError`` for the first bad one."""
    check_name(host)
    if not found:
        raise AddressError("address.unresolved", "the name has no address")
    excepted = f"{host}:{port}" in exceptions
    for address in found:
        code = refusal(address)
        if code and not (excepted and _admitted(code, host, address)):
            hint = f"the operator can name the exception {host}:{port}" if code in _LOCAL and not excepted else ""
            raise AddressError(code, "the name leads to an address that is refused", hint=hint)
    return tuple(dict.fromkeys(found))


def _admitted(code: str, host: str, address: str) -> bool:
    return code in _LOCAL or (code == "address.link_local" and host == address)


def _embedded(address: Address) -> ipaddress.IPv4Address | None:
    if isinstance(address, ipaddress.IPv4Address):
        return None
    for network, shift in _EMBEDDING:
        if address in network:
            return ipaddress.IPv4Address(int(address) >> shift & 0xFFFF_FFFF)
    return None
