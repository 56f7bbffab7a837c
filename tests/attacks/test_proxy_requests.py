"""What a step sends to leave its grant, byte by byte: nothing of it reaches the end point."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from interlock.artifact.action import Endpoint
from interlock.outside.http_rules import DeniedError, Rule, check, matches, parse_head
from support.egress import Egress, Service, say

H = "Host: service.test:PORT\r\n"
S, V = "proxy.smuggling", True

ATTACKS = {
    "another host": ("GET /v1/a HTTP/1.1\r\nHost: evil.test\r\n\r\n", "proxy.other_host", V),
    "another port": ("GET /v1/a HTTP/1.1\r\nHost: service.test:1\r\n\r\n", "proxy.other_host", V),
    "a direct address": ("GET /v1/a HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n", "proxy.other_host", V),
    "a host with a trailing dot": ("GET /v1/a HTTP/1.1\r\nHost: service.test.:PORT\r\n\r\n", "proxy.other_host", V),
    "a host with user info": ("GET /v1/a HTTP/1.1\r\nHost: service.test:PORT@evil.test\r\n\r\n", "proxy.other_host", V),
    "a model's provider": ("POST /v1/a HTTP/1.1\r\nHost: api.model.test\r\n\r\n", "proxy.model_host", V),
    "a model's provider, absolute": (
        "POST http://eu.api.model.test/v1/a HTTP/1.1\r\n" + H + "\r\n",
        "proxy.model_host",
        V,
    ),
    "two hosts": (f"GET /v1/a HTTP/1.1\r\n{H}Host: evil.test\r\n\r\n", "proxy.host", V),
    "no host": ("GET /v1/a HTTP/1.1\r\n\r\n", "proxy.host", False),
    "absolute form to another host": (f"GET http://evil.test/v1/a HTTP/1.1\r\n{H}\r\n", "proxy.other_host", V),
    "absolute form to itself": (f"GET http://service.test:PORT/v1/a HTTP/1.1\r\n{H}\r\n", "proxy.absolute_form", False),
    "a scheme-relative target": (f"GET //evil.test/v1/a HTTP/1.1\r\n{H}\r\n", "proxy.path_spelling", False),
    "CONNECT": (f"CONNECT evil.test:443 HTTP/1.1\r\n{H}\r\n", "proxy.other_host", V),
    "CONNECT to itself": (f"CONNECT service.test:PORT HTTP/1.1\r\n{H}\r\n", "proxy.absolute_form", False),
    "OPTIONS *": (f"OPTIONS * HTTP/1.1\r\n{H}\r\n", "proxy.other_host", V),
    "an upgrade": (f"GET /v1/a HTTP/1.1\r\n{H}Upgrade: h2c\r\nConnection: upgrade\r\n\r\n", "proxy.upgrade", V),
    "the HTTP/2 preface": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "proxy.malformed", False),
    "another method": (f"DELETE /v1/a HTTP/1.1\r\n{H}\r\n", "proxy.method", V),
    "a method in lower case": (f"get /v1/a HTTP/1.1\r\n{H}\r\n", "proxy.method", V),
    "TRACE": (f"TRACE /v1/a HTTP/1.1\r\n{H}\r\n", "proxy.method", V),
    "a method by header": (f"POST /v1/a HTTP/1.1\r\n{H}X-HTTP-Method-Override: DELETE\r\n\r\n", "proxy.override", V),
    "a path by header": (f"GET /v1/a HTTP/1.1\r\n{H}X-Original-URL: /admin\r\n\r\n", "proxy.override", V),
    "a host by header": (f"GET /v1/a HTTP/1.1\r\n{H}X-Forwarded-Host: evil.test\r\n\r\n", "proxy.override", V),
    "another path": (f"GET /admin HTTP/1.1\r\n{H}\r\n", "proxy.path", V),
    "a path beside the granted one": (f"GET /v1x/a HTTP/1.1\r\n{H}\r\n", "proxy.path", V),
    "dot segments": (f"GET /v1/../admin HTTP/1.1\r\n{H}\r\n", "proxy.path_spelling", V),
    "encoded dots": (f"GET /v1/%2E%2E/admin HTTP/1.1\r\n{H}\r\n", "proxy.path_spelling", V),
    "encoded dots, lower case": (f"GET /v1/%2e%2e/admin HTTP/1.1\r\n{H}\r\n", "proxy.path_spelling", V),
    "doubly encoded dots": (f"GET /v1/%252E%252E/admin HTTP/1.1\r\n{H}\r\n", "proxy.path_spelling", V),
    "an encoded slash": (f"GET /v1/..%2Fadmin HTTP/1.1\r\n{H}\r\n", "proxy.path_spelling", V),
    "dots with a parameter": (f"GET /v1/..;x=1/admin HTTP/1.1\r\n{H}\r\n", "proxy.path_spelling", V),
    "an overlong dot": (f"GET /v1/%C0%AE%C0%AE/admin HTTP/1.1\r\n{H}\r\n", "proxy.path_spelling", False),
    "a backslash": (f"GET /v1\\..\\admin HTTP/1.1\r\n{H}\r\n", "proxy.path_spelling", V),
    "a doubled slash": (f"GET /v1//a HTTP/1.1\r\n{H}\r\n", "proxy.path_spelling", False),
    "an encoded slash that does not climb": (f"GET /v1/a%2Fb HTTP/1.1\r\n{H}\r\n", "proxy.path_spelling", False),
    "a lone dot": (f"GET /v1/./a HTTP/1.1\r\n{H}\r\n", "proxy.path_spelling", False),
    "an encoded backslash": (f"GET /v1/..%5cadmin HTTP/1.1\r\n{H}\r\n", "proxy.path_spelling", V),
    "an encoded NUL": (f"GET /v1/a%00 HTTP/1.1\r\n{H}\r\n", "proxy.path_spelling", V),
    "a fragment": (f"GET /v1/a#b HTTP/1.1\r\n{H}\r\n", "proxy.path_spelling", False),
    "an encoded letter": (f"GET /v1/%61 HTTP/1.1\r\n{H}\r\n", "proxy.path_spelling", False),
    "length and chunks": (
        f"POST /v1/a HTTP/1.1\r\n{H}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        S,
        V,
    ),
    "two lengths": (f"POST /v1/a HTTP/1.1\r\n{H}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", S, V),
    "a list of lengths": (f"POST /v1/a HTTP/1.1\r\n{H}Content-Length: 1, 1\r\n\r\na", S, V),
    "a signed length": (f"POST /v1/a HTTP/1.1\r\n{H}Content-Length: +1\r\n\r\na", S, V),
    "an unknown coding": (f"POST /v1/a HTTP/1.1\r\n{H}Transfer-Encoding: gzip, chunked\r\n\r\n", S, V),
    "a disguised coding": (f"POST /v1/a HTTP/1.1\r\n{H}Transfer-Encoding: xchunked\r\n\r\n", S, V),
    "a coding behind a tab": (
        f"POST /v1/a HTTP/1.1\r\n{H}Transfer-Encoding:\tchunked\r\nContent-Length: 3\r\n\r\nabc",
        S,
        V,
    ),
    "a space before the colon": (
        f"POST /v1/a HTTP/1.1\r\n{H}Transfer-Encoding : chunked\r\n\r\n",
        "proxy.malformed",
        False,
    ),
    "a folded line": (f"GET /v1/a HTTP/1.1\r\n{H}X-A: b\r\n Transfer-Encoding: chunked\r\n\r\n", S, V),
    "a bare line feed": (f"GET /v1/a HTTP/1.1\r\n{H}X-A: b\nHost: evil.test\r\n\r\n", S, V),
    "a bare carriage return": (f"GET /v1/a HTTP/1.1\r\n{H}X-A: b\rHost: evil.test\r\n\r\n", S, V),
    "a NUL": (f"GET /v1/a HTTP/1.1\r\n{H}X-A: \0\r\n\r\n", S, V),
    "an underscore for a hyphen": (f"GET /v1/a HTTP/1.1\r\n{H}Content_Length: 5\r\n\r\n", "proxy.malformed", False),
    "HTTP/1.0": (f"GET /v1/a HTTP/1.0\r\n{H}\r\n", "proxy.malformed", False),
    "HTTP/0.9": ("GET /v1/a\r\n\r\n", "proxy.malformed", False),
    "two spaces": (f"GET  /v1/a HTTP/1.1\r\n{H}\r\n", "proxy.malformed", False),
    "a credential for the proxy": (f"GET /v1/a HTTP/1.1\r\n{H}Proxy-Authorization: x\r\n\r\n", "proxy.override", V),
    "a head over its bound": (f"GET /v1/a HTTP/1.1\r\n{H}X-A: {'b' * 70000}\r\n\r\n", "proxy.head_size", False),
    "a head that ends early": (f"GET /v1/a HTTP/1.1\r\n{H}", "proxy.malformed", False),
}


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    service = Service()
    yield service
    service.close()


@pytest.mark.parametrize("name", ATTACKS)
def test_a_request_outside_the_grant_is_refused(name: str, service: Service) -> None:
    raw, code, violation = ATTACKS[name]
    egress = Egress()
    try:
        door = egress.open(service.port, model_hosts=["model.test"], inject={"X-Key": b"s3cret"})
        answer = say(door, raw.replace("PORT", str(service.port)).encode("latin-1"), ends="early" in name)
        event = egress.until(code)
    finally:
        egress.close()
    assert (event.allowed, event.violation) == (False, violation)
    assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 403"))
    assert b"s3cret" not in answer and service.requests == []


def test_the_table_would_pass_a_sound_request(service: Service) -> None:
    raw = f"POST /v1/a HTTP/1.1\r\n{H}Content-Length: 1\r\n\r\na".replace("PORT", "7").encode()
    rule = Rule(endpoint=Endpoint(host="service.test", port=7, mode="plain", methods=("POST",), paths=("/v1/*",)))
    assert check(parse_head(raw[:-1]), rule) == [(b"host", b"service.test:7"), (b"content-length", b"1")]


@pytest.mark.parametrize(("methods", "paths", "code"), [((), ("/**",), "proxy.method"), (("GET",), (), "proxy.path")])
def test_an_empty_list_admits_nothing(methods: tuple[str, ...], paths: tuple[str, ...], code: str) -> None:
    rule = Rule(endpoint=Endpoint(host="a.test", port=443, methods=methods, paths=paths))
    with pytest.raises(DeniedError, match=code):
        check(parse_head(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"), rule)


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("/a/*", "/a/b", True), ("/a/*", "/a/b/c", False), ("/a/**", "/a", True), ("/a/**", "/a/b/c", True),
        ("/a/**", "/ab", False), ("/a", "/a/", False), ("/**", "/", True), ("/a.c", "/abc", False), ("/a/*/c", "/a/b/c", True),
    ],
)  # fmt: skip
def test_a_path_pattern_matches_whole_paths(pattern: str, path: str, expected: bool) -> None:
    assert matches(pattern, path) is expected


@pytest.mark.parametrize(
    "path", ["/v1/caf%C3%A9", "/v1/caf%c3%a9", "/v1/a%20b", "/v1/x...y", "/v1/a:b@c;d=1", "/v1/", "/v1/.hidden"]
)
def test_an_ordinary_path_passes_as_it_is(path: str) -> None:
    rule = Rule(endpoint=Endpoint(host="a.test", port=443, methods=("GET",), paths=("/v1/**",)))
    head = parse_head(f"GET {path}?q=%2F..%2f HTTP/1.1\r\nHost: a.test\r\n\r\n".encode())
    assert check(head, rule)[0] == (b"host", b"a.test") and head.path == path


def test_headers_of_one_hop_and_injected_ones_are_not_the_steps_to_send() -> None:
    raw = (
        b"GET /v1/a HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, X-Named\r\nX-Named: 1\r\nKeep-Alive: 5\r\n"
        b"TE: trailers\r\nx-api-KEY: mine\r\nX-Kept: 1\r\n\r\n"
    )
    rule = Rule(
        endpoint=Endpoint(host="a.test", port=443, methods=("GET",), paths=("/v1/**",)), inject={"X-Api-Key": b"theirs"}
    )
    assert check(parse_head(raw), rule) == [(b"host", b"a.test"), (b"x-kept", b"1"), (b"x-api-key", b"theirs")]
