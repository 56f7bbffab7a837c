"""docs/codes.md names every code that the source can say, once, and no other."""

from __future__ import annotations

import collections
import re

from tests.support.codes import SOURCE, codes

PAGE = (SOURCE.parents[1] / "docs" / "codes.md").read_text("utf-8")
LISTED = re.findall(r"^\| `([a-z]+\.[a-z0-9_.-]+)` \| (.+) \|$", PAGE, re.MULTILINE)


def test_the_page_lists_exactly_the_codes_of_the_source() -> None:
    listed, said = {code for code, _ in LISTED}, codes()
    assert (sorted(said - listed), sorted(listed - said)) == ([], [])


def test_each_code_stands_once_in_its_family_and_says_something() -> None:
    assert [code for code, times in collections.Counter(code for code, _ in LISTED).items() if times > 1] == []
    families = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    assert [family.split("\n")[0] for family in families] == sorted({code.split(".")[0] for code, _ in LISTED})
    for family in families:
        name = family.split("\n")[0]
        assert re.search(r"^From .+\. Next: .+\.$", family, re.MULTILINE), name
        assert all(code.startswith(f"{name}.") for code in re.findall(r"^\| `([^`]+)`", family, re.MULTILINE))
    assert [code for code, text in LISTED if len(text) < 5 or "…" in text] == []
