"""Mail: everyone whom a list of recipients reaches, and what would reach others."""

import pytest

from interlock.analyst.mail import analyse
from support.analysing import codes, place, touches

LISTS = [
    ("ann@corp.example", {"ann@corp.example"}),
    ("Ann@Corp.Example", {"ann@corp.example"}),
    ("Ann Lee <ann@corp.example>", {"ann@corp.example"}),
    ('"Lee, Ann" <ann@corp.example>', {"ann@corp.example"}),
    ("ann@corp.example, bo@b.example", {"ann@corp.example", "bo@b.example"}),
    ("ann@corp.example;bo@b.example;", {"ann@corp.example", "bo@b.example"}),
    ("mailto:ann@corp.example", {"ann@corp.example"}),
    ("ann+tag@corp.example", {"ann+tag@corp.example"}),
    ("o'brien@corp.example", {"o'brien@corp.example"}),
    ("  ann@corp.example \n", {"ann@corp.example"}),
    ("Ann <ann@corp.example>, Bo <bo@b.example>", {"ann@corp.example", "bo@b.example"}),
    ("", set()),
]


@pytest.mark.parametrize(("text", "reached"), LISTS)
def test_a_plain_list_reaches_whom_it_names(text: str, reached: set[str]) -> None:
    claims = analyse(text, place())
    assert touches(claims) == {f"send recipient:{one}" for one in reached}
    assert codes(claims) == set()


TRICKS = [
    ("ann@corp.example\nBcc: eve@e.example", {"email.header_injection"}, {"eve@e.example"}),
    ("ann@corp.example%0aBcc:eve@e.example", {"email.header_injection"}, set()),
    ("ann@corp.example\r\n\r\nbody", {"email.header_injection"}, {"ann@corp.example"}),
    ('"boss@corp.example" <eve@e.example>', {"email.disguised", "email.ambiguous"}, {"eve@e.example"}),
    ("boss@corp.example <eve@e.example>", {"email.disguised"}, {"eve@e.example"}),
    ("ann@corp.example <bo@b.example", {"email.ambiguous"}, {"bo@b.example"}),
    ("<a@a.example> <eve@e.example>", {"email.ambiguous"}, {"eve@e.example"}),
    ('"a b"@corp.example', {"email.ambiguous"}, set()),
    ("not an address", {"email.ambiguous"}, set()),
    ("@corp.example", {"email.ambiguous"}, set()),
    ("a@b@corp.example", {"email.ambiguous"}, set()),
    ("ann..lee@corp.example", {"email.ambiguous"}, set()),
    ("eve%corp.example@relay.example", {"email.ambiguous"}, set()),
    ("corp!eve@relay.example", {"email.routed"}, {"corp!eve@relay.example"}),
    ("ann@[10.0.0.1]", {"email.ambiguous"}, set()),
    ("ann@10.0.0.1", {"email.address", "email.private"}, {"ann@10.0.0.1"}),
    ("ann@localhost", {"email.private"}, {"ann@localhost"}),
    ("ann@cоrp.example", {"email.confusable"}, set()),
    ("ann@xn--bcher-kva.example", {"email.punycode"}, {"ann@xn--bcher-kva.example"}),
    ("ann\u200b@corp.example", {"email.disguised"}, {"ann@corp.example"}),
    ("everyone@corp.example", {"email.group"}, {"everyone@corp.example"}),
    ("ann@corp..example", {"email.ambiguous"}, set()),
    ("a" * 20000, {"email.too_large"}, set()),
    (",".join(f"u{n}@a.example" for n in range(300)), {"email.too_many"}, {"u0@a.example"}),
]


@pytest.mark.parametrize(("text", "expected", "reached"), TRICKS)
def test_tricks_are_told_by_name(text: str, expected: set[str], reached: set[str]) -> None:
    claims = analyse(text, place())
    assert expected <= codes(claims)
    assert {f"send recipient:{one}" for one in reached} <= touches(claims)
