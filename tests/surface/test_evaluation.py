"""Reports of evaluations: the page is text alone, for a parser and for a browser, and the command writes it."""

from __future__ import annotations

import json
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from interlock.evals.agentdojo.report import Figures, Outcome
from interlock.evals.profiles import PROFILES
from interlock.evals.report import Report
from interlock.surface.cli.commands import eval as command
from interlock.surface.cli.root import interlock
from interlock.surface.evaluation.page import page
from interlock.surface.evaluation.played import played
from interlock.surface.evaluation.text import text
from support.measured import LINES, WORDS, measured, shell

HOSTILE = "<script>alert(1)</script>\u202e\"'&\x1b[2J"


class Strict(HTMLParser):
    """Raises for what does not nest; collects elements and texts."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.texts: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture(scope="module")
def hostile() -> Report:
    return measured([*LINES, shell("attack", "rm -rf ~", source=HOSTILE, category=HOSTILE)], HOSTILE)


def test_the_page_is_strict_and_holds_nothing_but_text(hostile: Report) -> None:
    shown = page(hostile)
    parser = Strict()
    parser.feed(shown)
    parser.close()
    assert parser.open == []
    assert {"svg", "table", "figure"} <= parser.seen
    assert parser.seen.isdisjoint({"script", "a", "img", "link", "iframe", "object", "form", "foreignobject", "image"})
    assert not [name for name in parser.attributes if name.startswith("on") or name in {"style", "href", "src"}]
    assert "default-src 'none'" in shown
    assert shown.isascii() and shown.replace("\n", "").isprintable()
    said = "".join(parser.texts)
    assert "<script>alert(1)</script>\\u{202E}" in said
    assert {"Blocked", "Asked", "Allowed", "Stopped by the person who always knows"} <= set(parser.texts)


def test_the_terminal_sees_no_escape(hostile: Report) -> None:
    shown = text(hostile)
    assert shown.replace("\n", "").isprintable()
    assert "not decidable: 1 (1 benign)" in shown
    assert "STOPPED BY THE PERSON WHO ALWAYS KNOWS" in shown


def test_the_page_of_the_benchmark() -> None:
    """Its plots have the control without a gate; a note is text as well."""
    figures = Figures(tasks=2, done=1, acting_pairs=4, effects=0, unguarded=4, slots=3)
    found = {"slack": Outcome(suite="slack", figures=figures, notes=(HOSTILE,))}
    parser = Strict()
    parser.feed(played({"default": found, "maximum": found}))
    assert parser.open == []
    assert "script" not in parser.seen
    assert {"slack, none", "all, maximum", "100.0 % [51.0, 100.0] of 4", "0.0 % [0.0, 49.0] of 4"} <= set(parser.texts)


def test_a_report_of_nothing_is_one() -> None:
    empty = measured([])
    assert "items: 0" in text(empty)
    assert "<h1>" in page(empty)


@pytest.mark.slow
def test_a_browser_takes_the_page(hostile: Report, tmp_path: Path) -> None:
    """The elements are there as they were written, and the browser refuses nothing that the page needs."""
    names = ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell")
    browser = next(filter(None, map(shutil.which, names)), None)
    if browser is None:
        pytest.skip("no Chromium on this machine")
    path = tmp_path / "page.html"
    path.write_text(page(hostile), encoding="utf-8")
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", f"--user-data-dir={tmp_path}/u",
         "--dump-dom", path.as_uri()],
        capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr
    written, seen = Strict(), Strict()
    written.feed(path.read_text("utf-8"))
    seen.feed(done.stdout)
    assert [one for one in seen.texts if one.strip()] == [one for one in written.texts if one.strip()]
    assert seen.seen == written.seen


def run(*arguments: str) -> Result:
    return CliRunner().invoke(interlock, ["eval", "corpus", *arguments])


@pytest.mark.sandbox
def test_the_command_writes_a_page_and_a_document(tmp_path: Path) -> None:
    path, target = tmp_path / "mine.jsonl", tmp_path / "page.html"
    path.write_text("\n".join(LINES))
    done = run(str(path), "--profile", "all", "--without", "elsewhere", "--html", str(target), "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["profiles"] == list(PROFILES)
    every = {one["profile"]: one for one in told["rows"] if one["by"] == "all"}
    for profile, counts in WORDS.items():
        assert every[profile]["attacks"]["blocked"]["count"] == counts[0]
        assert every[profile]["harmless"]["asked"]["count"] == counts[4]
    assert {one["layer"] for one in told["bars"]} == {"with effects", "with the classifier"}
    assert target.read_text().startswith("<!DOCTYPE html>")


def test_what_the_command_cannot_use_ends_with_two(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text("{}\n")
    bad = run(str(path), "--profile", "none", "--json")
    assert (bad.exit_code, json.loads(bad.stdout)["error"]["code"]) == (2, "eval.item")
    assert "mine.jsonl:1" in bad.stdout
    assert run(str(path), "--profile", "odd").exit_code == 2
    assert run(str(path), "--html", str(tmp_path / "no" / "page.html")).exit_code == 2
    assert command.PROFILES == PROFILES
