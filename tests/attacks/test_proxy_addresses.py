"""Names and addresses that lead back inside: refused in every spelling, and only a named exception admits some."""

from __future__ import annotations

import pytest

from interlock.outside.addresses import AddressError, check_name, pinned, refusal

ADDRESSES = {
    "loopback": ("127.0.0.1", "address.loopback"),
    "loopback, another": ("127.9.9.9", "address.loopback"),
    "loopback v6": ("::1", "address.loopback"),
    "mapped loopback": ("::ffff:127.0.0.1", "address.loopback"),
    "mapped loopback in hexadecimal": ("::ffff:7f00:1", "address.loopback"),
    "compatible loopback": ("::127.0.0.1", "address.loopback"),
    "translated private": ("::ffff:0:10.0.0.1", "address.private"),
    "NAT64 loopback": ("64:ff9b::7f00:1", "address.loopback"),
    "NAT64 metadata": ("64:ff9b::a9fe:a9fe", "address.link_local"),
    "local NAT64": ("64:ff9b:1::a00:1", "address.private"),
    "NAT64 of a public address": ("64:ff9b::101:101", "address.reserved"),
    "6to4 private": ("2002:c0a8:1::1", "address.private"),
    "Teredo": ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "address.reserved"),
    "private 10": ("10.1.2.3", "address.private"),
    "private 172": ("172.31.255.255", "address.private"),
    "private 192": ("192.168.0.1", "address.private"),
    "shared": ("100.100.100.200", "address.private"),
    "unique local": ("fd12::1", "address.private"),
    "metadata": ("169.254.169.254", "address.link_local"),
    "metadata v6": ("fd00:ec2::254", "address.link_local"),
    "metadata, mapped": ("::ffff:169.254.169.254", "address.link_local"),
    "metadata of a second cloud": ("192.0.0.192", "address.reserved"),
    "a cloud's agent behind a public number": ("168.63.129.16", "address.private"),
    "link-local v6": ("fe80::1", "address.link_local"),
    "link-local v6 with a zone": ("fe80::1%eth0", "address.link_local"),
    "site-local v6": ("fec0::1", "address.reserved"),
    "unspecified": ("0.0.0.0", "address.reserved"),
    "unspecified v6": ("::", "address.reserved"),
    "this network": ("0.1.2.3", "address.reserved"),
    "multicast": ("224.0.0.1", "address.multicast"),
    "multicast v6": ("ff02::1", "address.multicast"),
    "broadcast": ("255.255.255.255", "address.reserved"),
    "documentation": ("2001:db8::1", "address.reserved"),
    "benchmarks": ("198.18.0.1", "address.reserved"),
    "no address": ("example.test", "address.spelling"),
    "an octal one": ("0177.0.0.1", "address.spelling"),
}


@pytest.mark.parametrize("name", ADDRESSES)
def test_an_inner_address_is_refused(name: str) -> None:
    address, code = ADDRESSES[name]
    assert refusal(address) == code
    with pytest.raises(AddressError, match=code):
        pinned("a.test", 443, ["1.1.1.1", address])


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "172.32.0.1", "11.0.0.1"])
def test_a_public_address_passes(address: str) -> None:
    assert pinned("a.test", 443, [address, address]) == (address,)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "fd12::1", "::1", "::ffff:127.0.0.1"])
def test_a_named_exception_admits_private_addresses_at_its_port_only(address: str) -> None:
    assert pinned("a.test", 443, [address], ["a.test:443"]) == (address,)
    for exceptions in (["a.test:80"], ["b.test:443"], ["a.test"], []):
        with pytest.raises(AddressError):
            pinned("a.test", 443, [address], exceptions)


@pytest.mark.parametrize("address", ["169.254.169.254", "0.0.0.0", "224.0.0.1", "64:ff9b::101:101", "2001:db8::1"])
def test_a_named_exception_does_not_admit_everything(address: str) -> None:
    with pytest.raises(AddressError):
        pinned("a.test", 80, [address], ["a.test:80"])


def test_metadata_needs_an_exception_that_names_its_address() -> None:
    host = "169.254.169.254"
    assert pinned(host, 80, [host], [f"{host}:80"]) == (host,)


SPELLINGS = {
    "short": "127.1", "decimal": "2130706433", "hexadecimal": "0x7f000001", "mixed": "0x7f.1", "octal": "0177.0.0.1",
    "padded": "127.000.000.001", "five parts": "127.0.0.0.1", "trailing dot": "127.0.0.1.", "upper case": "A.test",
    "empty": "", "empty label": "a..test", "a numeric last label": "a.1", "full-width": "１２７.0.0.1", "a slash": "a/b",
    "an at": "a@b", "a colon": "a:80", "a NUL": "a\0.test", "a line feed": "a.test\n", "brackets": "[::1]", "long": "a" * 254,
}  # fmt: skip


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_host_in_another_spelling_is_refused(name: str) -> None:
    with pytest.raises(AddressError):
        check_name(SPELLINGS[name])


def test_a_name_without_an_address_is_refused() -> None:
    with pytest.raises(AddressError, match=r"address\.unresolved"):
        pinned("a.test", 443, [])
