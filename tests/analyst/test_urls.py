"""URLs: the end point behind every spelling, and the tricks by name."""

import pytest

from interlock.analyst.urls import analyse
from support.analysing import codes, place, touches

PLAIN = [
    ("https://api.example.com/v1/items?page=2&sort=asc", "api.example.com:443"),
    ("http://Example.COM./", "example.com:80"),
    ("https://a-b.example.org:443/x#frag", "a-b.example.org:443"),
    ("https://example.com/a%20b/c.pdf", "example.com:443"),
    ("https://example.com/search?q=S%C3%A3o%20Paulo", "example.com:443"),
    ("https://example.com/?id=3f2504e0-4f89-41d3-9a0c-0305e82c3301", "example.com:443"),
    ("https://example.com/?sha=da39a3ee5e6b4b0d3255bfef95601890afd80709", "example.com:443"),
    ("https://example.com/?api_key=YOUR_API_KEY", "example.com:443"),
    ("wss://stream.example.com/feed", "stream.example.com:443"),
    ("https://x_y.example.com/", "x_y.example.com:443"),
]


@pytest.mark.parametrize(("text", "endpoint"), PLAIN)
def test_a_plain_url_is_known_and_quiet(text: str, endpoint: str) -> None:
    claims = analyse(text, place())
    assert touches(claims) == {f"read endpoint:{endpoint}"}
    assert codes(claims) == set() and not claims.findings


ADDRESSES = [
    ("http://127.0.0.1/", "127.0.0.1", "url.private"),
    ("http://127.1/", "127.0.0.1", "url.private"),
    ("http://2130706433/", "127.0.0.1", "url.private"),
    ("http://0x7f000001/", "127.0.0.1", "url.private"),
    ("http://0177.0.0.01/", "127.0.0.1", "url.private"),
    ("http://0x7f.0.0.0x1/", "127.0.0.1", "url.private"),
    ("http://127.0.0.1./", "127.0.0.1", "url.private"),
    ("http://１２７．０．０．１/", "127.0.0.1", "url.private"),
    ("http://127。0。0。1/", "127.0.0.1", "url.private"),
    ("http://①②⑦.0.0.1/", "127.0.0.1", "url.private"),
    ("http://%31%32%37.0.0.1/", "127.0.0.1", "url.private"),
    ("http://425.510.425.510/", "169.254.169.254", "url.metadata"),
    ("http://169.254.43518/", "169.254.169.254", "url.metadata"),
    ("http://0251.0376.0251.0376/", "169.254.169.254", "url.metadata"),
    ("http://10.2.3.4/", "10.2.3.4", "url.private"),
    ("http://172.31.0.9/", "172.31.0.9", "url.private"),
    ("http://100.64.1.1/", "100.64.1.1", "url.private"),
    ("http://0/", "0.0.0.0", "url.private"),
    ("http://224.0.0.251/", "224.0.0.251", "url.private"),
    ("http://[::1]/", "[::1]", "url.private"),
    ("http://[fe80::1%25eth0]/", "[fe80::1]", "url.private"),
    ("http://[::ffff:10.0.0.1]/", "[::ffff:a00:1]", "url.private"),
    ("http://[::ffff:a9fe:a9fe]/", "[::ffff:a9fe:a9fe]", "url.metadata"),
    ("http://[64:ff9b::7f00:1]/", "[64:ff9b::7f00:1]", "url.private"),
    ("http://[2002:a00:1::]/", "[2002:a00:1::]", "url.private"),
    ("http://[fd00:ec2::254]/", "[fd00:ec2::254]", "url.metadata"),
    ("http://localhost/", "localhost", "url.private"),
    ("http://api.localhost/", "api.localhost", "url.private"),
    ("http://printer/", "printer", "url.private"),
    ("http://db.prod.internal/", "db.prod.internal", "url.private"),
    ("http://kube.default.svc.cluster.local/", "kube.default.svc.cluster.local", "url.private"),
    ("http://METADATA.google.internal/", "metadata.google.internal", "url.metadata"),
    ("http://10-0-0-7.sslip.io/", "10-0-0-7.sslip.io", "url.private"),
    ("http://169.254.169.254.nip.io/", "169.254.169.254.nip.io", "url.metadata"),
    ("http://7f000001.nip.io/", "7f000001.nip.io", "url.private"),
    ("http://192.168.1.1.shop.example/", "192.168.1.1.shop.example", "url.private"),
]


@pytest.mark.parametrize(("text", "host", "code"), ADDRESSES)
def test_every_spelling_of_an_address_is_that_address(text: str, host: str, code: str) -> None:
    claims = analyse(text, place())
    assert {one.name for one in claims.touched} == {f"{host}:80"}
    assert code in claims.signals and "url.private" in claims.signals


TRICKS = [
    ("http://good.example@bad.example/", {"url.userinfo", "url.disguised"}),
    ("http://good.example:80@bad.example/", {"url.userinfo", "url.disguised"}),
    ("http://bad.example\\@good.example/", {"url.ambiguous", "url.disguised"}),
    ("http://a@b@c.example/", {"url.ambiguous"}),
    ("http:/a.example/x", {"url.syntax"}),
    ("http:///a.example/", {"url.ambiguous"}),
    ("http://a.example /", {"url.ambiguous"}),
    ("http://a.example/\nHost: b.example", {"url.ambiguous"}),
    ("http://a.example/%0d%0aX-Injected:1", {"url.ambiguous"}),
    ("http://a.example:70000/", {"url.syntax"}),
    ("http://a.example:8443/", {"url.port"}),
    ("file:///etc/shadow", {"url.local_file", "url.scheme"}),
    ("gopher://a.example:6379/_PING", {"url.scheme"}),
    ("ftp://a.example/x", {"url.scheme"}),
    ("javascript:alert(1)", {"url.script", "url.scheme"}),
    ("data:text/html;base64,PGI+", {"url.inline_data"}),
    ("jar:http://10.0.0.1/x.jar!/", {"url.scheme", "url.private"}),
    ("ldap://10.0.0.1/cn=x", {"url.scheme", "url.private"}),
    ("//a.example/x", {"url.no_scheme"}),
    ("a.example/x", {"url.no_scheme"}),
    ("http://xn--pple-43d.example/", {"url.confusable"}),
    ("http://аpple.example/", {"url.confusable", "url.ambiguous"}),
    ("http://bücher.example/", {"url.punycode", "url.ambiguous"}),
    ("https://a.example/?d=" + "QUJD" * 40, {"data.sent"}),
    ("https://" + "a1b2c3d4e5" * 5 + ".a.example/", {"data.sent"}),
    ("https://a.example/?k=AKIA" + "ABCDEFGHIJ234567", {"data.sent"}),
    ("https://a.example/go?url=http://169.254.169.254/", {"url.carries_url", "url.metadata"}),
    ("https://a.example/login?next=%2F%2Fb.example%2F", {"url.carries_url"}),
    ("https://a.example/latest/meta-data/iam/", {"url.metadata"}),
    ("https://a.example/$(whoami)", {"url.template"}),
    ("https://a.example/?q={{secret}}", {"url.template", "url.ambiguous"}),
    ("https://exa mple.com", {"url.host"}),
    ("https://" + "a" * 9000, {"url.too_large"}),
    ("", {"url.no_scheme"}),
    ("http://[::1", {"url.syntax"}),
    ("http://-.example/", {"url.host"}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), TRICKS)
def test_tricks_are_told_by_name(text: str, expected: set[str]) -> None:
    assert expected <= codes(analyse(text, place()))


@pytest.mark.parametrize(
    "text", ["https://ann:hunter2x@a.example/", "https://a.example/?access_token=9f8e7d6c5b4a3f2e"]
)
def test_a_secret_in_a_url_is_found(text: str) -> None:
    assert ("secret", "secret.in_url") in analyse(text, place()).findings


def test_a_mail_address_is_a_recipient_and_a_file_is_read() -> None:
    assert touches(analyse("mailto:bo@b.example?subject=x", place())) == {"send recipient:bo@b.example"}
    assert touches(analyse("file://localhost/etc/passwd", place())) == {"read file:/localhost/etc/passwd"}
