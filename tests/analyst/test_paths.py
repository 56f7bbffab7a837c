"""Paths: every layer of spelling comes off, and what it hid is named."""

import pytest

from interlock.analyst.paths import analyse
from support.analysing import codes, place, touches

PLAIN = [
    "notes.txt", "docs/a b.md", "./src/main.py", "src/../README.md", "/proj/site/index.html", "/tmp/build/log.txt", "a.b.c",
    "déjà vu.txt", "report_2024-05-19.pdf", "50%.csv", "images/photo (1).png", "/dev/null", "名前.txt", "C#/notes.md", "a;b.txt",
]  # fmt: skip


@pytest.mark.parametrize("text", PLAIN)
def test_a_plain_path_is_left_to_the_manifest(text: str) -> None:
    claims = analyse(text, place())
    assert codes(claims) == set() and not claims.touched


HIDDEN = [
    ("%2e%2e/%2e%2e/etc/passwd", "/etc/passwd"),
    ("..%2f..%2fetc%2fpasswd", "/etc/passwd"),
    ("%252e%252e%252f%252e%252e%252fetc/passwd", "/etc/passwd"),
    ("..%c0%af..%c0%afetc/passwd", "/etc/passwd"),
    ("%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd", "/etc/passwd"),
    ("..%e0%80%af..%e0%80%afetc/passwd", "/etc/passwd"),
    ("..%u2215..%u2215etc/passwd", "/etc/passwd"),
    ("%uff0e%uff0e/%uff0e%uff0e/etc/passwd", "/etc/passwd"),
    ("．．／．．／etc/passwd", "/etc/passwd"),
    ("..\\..\\etc\\passwd", "/etc/passwd"),
    ("..;/..;/etc/passwd", "/etc/passwd"),
    ("....//....//etc/passwd", "/etc/passwd"),
    ("&#46;&#46;&#47;&#46;&#46;&#47;etc/passwd", "/etc/passwd"),
    ("\\x2e\\x2e\\x2f\\x2e\\x2e\\x2fetc/passwd", "/etc/passwd"),
    ("0x2e0x2e0x2f0x2e0x2e0x2fetc/passwd", "/etc/passwd"),
    ("../../etc/passwd\0.png", "/etc/passwd"),
    ("../../etc/passwd%00.png", "/etc/passwd"),
    ("%%32%65%%32%65%%32%66%%32%65%%32%65%%32%66etc/passwd", "/etc/passwd"),
]


@pytest.mark.parametrize(("text", "name"), HIDDEN)
def test_a_disguised_path_is_opaque_and_read_as_what_it_may_be(text: str, name: str) -> None:
    claims = analyse(text, place())
    assert touches(claims) == {f"read file:{name}"}
    assert claims.opaque_codes
    assert {"path.traversal", "path.outside", "path.system"} <= claims.signals.keys()


PLACES = [
    ("../../etc/passwd", {"path.traversal", "path.outside", "path.system"}),
    ("/proj/site/../../etc/hosts", {"path.traversal", "path.system"}),
    ("~/.ssh/id_ed25519", {"path.credential", "path.outside"}),
    ("config/.env", {"path.credential"}),
    ("~/.docker/config.json", {"path.credential"}),
    ("/proc/1/environ", {"path.credential", "path.system"}),
    ("/root/.bash_history", {"path.credential"}),
    ("~/.bashrc", {"path.persistence"}),
    (".git/hooks/pre-commit", {"path.persistence"}),
    ("/etc/cron.d/job", {"path.persistence", "path.system"}),
    ("/dev/sda", {"path.system"}),
    ("C:\\Users\\ada\\x.txt", {"path.windows", "path.backslash"}),
    ("\\\\server\\share\\x", {"path.windows"}),
    ("//?/C:/x", {"path.windows"}),
    ("notes.txt::$DATA", {"path.windows"}),
    ("logs/con.txt", {"path.windows"}),
    ("~eve/x", {"path.expansion"}),
    ("$HOME/x", {"path.expansion"}),
    ("a/$(id)/b", {"path.expansion"}),
    ("a\nb", {"path.control"}),
    ("x" * 300, {"path.too_long"}),
    ("a/" * 3000, {"path.too_long"}),
    ("file:///etc/passwd", {"url.scheme"}),
    ("/", {"path.system", "path.outside"}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), PLACES)
def test_places_that_matter_are_told_by_name(text: str, expected: set[str]) -> None:
    assert expected <= codes(analyse(text, place()))


def test_nothing_is_said_of_an_empty_path() -> None:
    assert codes(analyse("", place())) == set()
