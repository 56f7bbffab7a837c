"""Starting scripts in jails, for tests: one supervisor, source in, exit code and output out."""

from __future__ import annotations

import json
import os
import textwrap
from dataclasses import dataclass

import msgspec

from interlock.artifact import frames
from interlock.harness.sandbox.profiles import JailSpec, Role, Violation
from interlock.harness.supervisor import Child, Supervisor


@dataclass(frozen=True, kw_only=True)
class Finished:
    code: int
    out: str
    err: str
    violations: tuple[Violation, ...]


def launch(supervisor: Supervisor, source: str, *, role: Role = "step", spec: JailSpec | None = None) -> Child:
    """A confined child that runs ``source`` with its output in pipes."""
    child = supervisor.start(role, msgspec.structs.replace(spec or JailSpec(), mode="script"), pipes=True)
    frames.send(child.channel, json.dumps(["script.py"]).encode())
    frames.send(child.channel, textwrap.dedent(source).encode())
    return child


def finish(child: Child, timeout: float = 20) -> Finished:
    """Wait for its end and let go of it; its output must fit into a pipe."""
    code = child.wait(timeout)
    out, err = (os.read(pipe, 1 << 16).decode() for pipe in (child.stdout, child.stderr))
    child.close()
    return Finished(code=code, out=out, err=err, violations=child.violations)


def confined(supervisor: Supervisor, source: str, *, role: Role = "step", spec: JailSpec | None = None) -> Finished:
    """``launch`` and ``finish``."""
    return finish(launch(supervisor, source, role=role, spec=spec))
