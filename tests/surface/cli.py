"""A workspace in a scratch folder, and the command line on it: in this process, in another, and on a terminal."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from interlock.surface.cli.root import interlock

SECONDS = 60.0
BOOT = [sys.executable, "-c", "from interlock.surface.cli import main; main()"]


@dataclass(frozen=True)
class Said:
    """What one invocation came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, object]:
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


class Place:
    """A workspace of alice's, made by ``interlock init``."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder / "web"
        for name, value in {"STATE": "state", "APPROVER": "person"}.items():
            monkeypatch.setenv(f"INTERLOCK_{name}", str(folder / value))
        for name in ("NO_COLOR", "INTERLOCK_AS", "INTERLOCK_DEBUG"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("TERM", "xterm-256color")
        self.first = self("init", str(self.folder), "--name", "alice", here=False)

    def __call__(self, *arguments: str, here: bool = True, stdin: bytes | None = None) -> Said:
        """Run in this process, without a terminal."""
        given = [*arguments[:1], *(("-C", str(self.folder)) if here else ()), *arguments[1:]]
        result = CliRunner().invoke(interlock, given, input=stdin)
        return Said(result.exit_code, result.stdout, result.stderr)

    def write(self, name: str, content: object) -> str:
        """A file of the workspace; anything but text is written as JSON."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    def plan(self, *steps: tuple[str, Mapping[str, object]], **fields: object) -> str:
        """A plan file; each step is an action with its arguments, ``fields`` go into the last one."""
        written = [
            {"id": f"s{index}", "action": action, "arguments": dict(arguments)}
            for index, (action, arguments) in enumerate(steps, 1)
        ]
        written[-1].update(fields)
        return self.write("plan.json", {"steps": written})

    def asking(self) -> str:
        """Propose a plan that asks a person, and can be undone; its digest."""
        file = self.plan(("files.write@1", {"path": ".git/hooks/pre-commit", "content": "#!/bin/sh\n"}))
        said = self("run", "make a hook", "--plan", file, "--json")
        assert said.code == 4, said
        return str(said.json["plans"][0]["plan"])  # type: ignore[index]  # the documented shape


def process(arguments: Sequence[str], *, cwd: Path, **environment: str) -> Said:
    """Run in a process of its own, without a terminal."""
    found = subprocess.run(
        [*BOOT, *arguments], cwd=cwd, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, errors="replace", timeout=SECONDS, check=False,
    )  # fmt: skip
    return Said(found.returncode, found.stdout, found.stderr)


class Terminal:
    """A process on a terminal of 80 columns; ``seen`` is everything that it showed."""

    def __init__(self, arguments: Sequence[str], *, cwd: Path, **environment: str) -> None:
        self.seen = ""
        self._told = 0
        self._deadline = time.monotonic() + SECONDS
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.chdir(cwd)
            os.environ.update(environment)
            os.execv(BOOT[0], [*BOOT, *arguments])

    def until(self, text: str) -> Terminal:
        """Read until a text was shown."""
        while text not in self.seen[self._told :]:
            assert self._read(), f"ended before it showed {text!r}: {self.seen}"
        self._told = self.seen.index(text, self._told) + len(text)
        return self

    def type(self, text: str) -> Terminal:
        os.write(self._terminal, text.encode())
        return self

    def end(self) -> int:
        """Read to the end; the exit code."""
        while self._read():
            pass
        os.close(self._terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def _read(self) -> bool:
        ready, _, _ = select.select([self._terminal], [], [], max(0.0, self._deadline - time.monotonic()))
        assert ready, f"nothing more was shown: {self.seen}"
        try:
            data = os.read(self._terminal, 1 << 16)
        except OSError:  # Linux says EIO where the other end is closed.
            return False
        self.seen += data.decode("utf-8", "replace")
        return bool(data)
