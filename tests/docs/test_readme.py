"""README.md can be followed to the letter: its files are written, its commands run, its outputs are seen."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from interlock.harness.workspace import load
from support.pages import ROOT, Block, blocks
from surface.cli import BOOT

PAGE = ROOT / "README.md"
SECONDS = 60


class Reader:
    """Somebody who types what the page says, block by block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        program = folder / "bin" / "interlock"
        program.write_text(f'#!/bin/sh\nexec {shlex.join(BOOT)} "$@"\n')
        program.chmod(0o755)
        self._environ = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "NO_COLOR": "1"}

    def follow(self, block: Block) -> None:
        kind, _, name = block.note.partition(": ")
        if block.kind == "console":
            self._type(block.text)
        elif kind == "file":
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(block.text)
        elif kind == "toml":
            (self.folder / name).write_text(f"{(self.folder / name).read_text()}\n{block.text}")
            assert load(self.folder).configuration.model.name == "the-model"
        elif kind == "python":
            self._expect([sys.executable, "-c", block.text], 0, [])

    def _type(self, text: str) -> None:
        for prompt in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, *shown = prompt.rstrip("\n").split("\n")
            command, _, remark = command.partition("   # exits with ")
            if command.startswith("cd "):
                self.folder /= command[3:]
            else:
                self._expect(["bash", "-c", command], int(remark or 0), shown)

    def _expect(self, command: list[str], code: int, shown: list[str]) -> None:
        found = subprocess.run(
            command, cwd=self.folder, env=self._environ, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=SECONDS, check=False,
        )  # fmt: skip
        said = found.stdout + found.stderr
        assert found.returncode == code, (command, said)
        missing = [line for line in shown if line.rstrip("…") not in said]
        assert missing == [], (command, said)


@pytest.mark.sandbox
def test_every_example_can_be_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERLOCK_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("INTERLOCK_APPROVER", str(tmp_path / "person"))
    reader = Reader(tmp_path)
    found = list(blocks(PAGE))
    assert sum(block.kind == "console" for block in found) >= 5
    for block in found:
        reader.follow(block)
    assert (reader.folder / "lists" / "garden.txt").read_text() == "sow beans\n"


def test_the_demo_output_names_every_act() -> None:
    from examples.demo.acts import ACTS

    shown = PAGE.read_text().split("<!-- demo output: begin -->")[1].split("<!-- demo output: end -->")[0]
    titles = re.findall(r'stage\.act\((\d+), "([^"]+)"\)', Path(ACTS[0].__code__.co_filename).read_text())
    assert re.findall(r"^(\d+)\. (.+)$", shown, re.MULTILINE) == titles
    assert len(titles) == len(ACTS)
    assert f"All {len(ACTS)} acts hold" in shown
    assert "✗" not in shown
