"""The driver ``shell``: one program with an argument vector, an environment of our making, and bounds.

Words come from the manifest's template, programs from its list; a shell runs only where the manifest says so,
and then the template's first item is the script and the others are its ``$1``, ``$2`` …, so that no value is
ever parsed as shell text unless the script asks for it.  The process group is killed when the time is over,
when the output exceeds its bound twice over, and in any case when the program has ended.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import IO, Final

from interlock.artifact import codec
from interlock.artifact.action import Effect, Role
from interlock.artifact.codec import Json
from interlock.executor.drivers import git
from interlock.executor.drivers.files import text_or_base64
from interlock.executor.drivers.places import FOLDER, closing, faults
from interlock.executor.drivers.programs import FOLDERS, SHELL, resolve
from interlock.executor.drivers.template import fill
from interlock.executor.work import DriverError, Work

_READ_AT_ONCE: Final = 1 << 16
_LOOK_AGAIN: Final = 0.05
_NO_OUTPUT: Final = 128


def run(work: Work) -> Json:
    """Run the program; an exit status other than 0 is ``shell.exit``; raises ``DriverError``."""
    words = _words(work)
    with ExitStack() as stack:
        private = stack.enter_context(tempfile.TemporaryDirectory(prefix="step-", ignore_cleanup_errors=True))
        stack.enter_context(_inside(work, private))
        environ = _environment(work, words[0], private)
        work.progress.started = work.manifest.effect is not Effect.READ
        finished = _run(work, words, environ)
    output = _output(finished, work.manifest.output.max_bytes)
    if finished.status != 0:
        raise DriverError("shell.exit", f"the program ended with status {finished.status}", output=output)
    return output


@dataclass(slots=True)
class _Finished:
    """What a program left behind; at most ``most`` bytes of each stream are kept."""

    most: int
    status: int = -1
    streams: dict[str, bytearray] = field(default_factory=lambda: {"stdout": bytearray(), "stderr": bytearray()})
    truncated: bool = False

    def take(self, name: str, data: bytes) -> None:
        stream = self.streams[name]
        room = self.most - len(stream)
        self.truncated = self.truncated or len(data) > room
        stream += data[:room]


def _words(work: Work) -> list[str]:
    driver, schema = work.manifest.driver, work.manifest.arguments
    commands = {name for name, argument in schema.items() if argument.role is Role.COMMAND}
    words = fill(driver.argv, work.arguments, commands)
    if not words:
        raise DriverError("shell.empty", "a command without a word")
    if driver.shell:
        return [resolve(SHELL, driver.programs, work.programs), "-c", words[0], "interlock", *words[1:]]
    return [resolve(words[0], driver.programs, work.programs), *words[1:]]


def _inside(work: Work, private: str) -> ExitStack:
    """Work in the argument ``directory``, else in the home where it is granted, else in the private folder."""
    path = work.places.canonical(work.text("directory") or work.home)
    with ExitStack() as stack:
        former = stack.enter_context(closing(os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)))
        stack.callback(os.fchdir, former)
        if "directory" in work.arguments or work.places.covers(path):
            with closing(work.places.open(path, FOLDER)) as folder, faults():
                os.fchdir(folder)
        else:
            os.chdir(private)
        return stack.pop_all()


def _environment(work: Work, program: str, private: str) -> Mapping[str, str]:
    fixed = {"PATH": ":".join(FOLDERS), "LANG": "C.UTF-8", "HOME": private, "TMPDIR": private, "TZ": "UTC"}
    environ = {**work.secrets, **fixed}
    if os.path.basename(program) == "git":  # noqa: PTH119 - a name, not a file
        return git.environment(program, environ, work.remaining())
    return environ


def _run(work: Work, words: list[str], environ: Mapping[str, str]) -> _Finished:
    try:
        process = subprocess.Popen(
            words,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise DriverError("shell.start", f"the program could not be started (error {error.errno})") from None
    finished = _Finished(most=max(work.manifest.output.max_bytes, 1))
    try:
        _collect(work, process, finished)
        finished.status = process.wait(work.remaining())
    except subprocess.TimeoutExpired:
        raise DriverError("step.timeout", "the program did not end in time") from None
    finally:
        _end(process)
    return finished


def _collect(work: Work, process: subprocess.Popen[bytes], finished: _Finished) -> None:
    """Read both streams until they end, the program has ended, or the time is over."""
    with selectors.DefaultSelector() as selector:
        for name, stream in (("stdout", process.stdout), ("stderr", process.stderr)):
            if stream is not None:
                selector.register(stream, selectors.EVENT_READ, name)
        while selector.get_map():
            ready = selector.select(min(_LOOK_AGAIN, work.remaining()))
            for key, _ in ready:
                data = os.read(key.fd, _READ_AT_ONCE)
                finished.take(key.data, data)
                if not data:
                    selector.unregister(key.fileobj)
            if time.monotonic() >= work.deadline:
                raise DriverError("step.timeout", "the program did not end in time")
            if not ready and process.poll() is not None:
                return


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing of the process group behind."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    streams: tuple[IO[bytes] | None, ...] = (process.stdout, process.stderr)
    for stream in streams:
        if stream is not None:
            stream.close()


def _output(finished: _Finished, most: int) -> Json:
    """Status and streams, shortened until they fit into the manifest's bound."""
    keep = most
    while True:
        shown = {name: bytes(data[:keep]) for name, data in finished.streams.items()}
        cut = finished.truncated or any(len(data) > keep for data in finished.streams.values())
        output: Json = {"exit": finished.status, "truncated": cut, **_shown(shown)}
        if keep == 0 or (keep <= codec.MAX_STRING and len(codec.encode(output)) <= most - _NO_OUTPUT):
            return output
        keep //= 2


def _shown(streams: Mapping[str, bytes]) -> Mapping[str, Json]:
    found: dict[str, Json] = {}
    for name, data in streams.items():
        shown = text_or_base64(data)
        found.update({name: shown["text"]} if "text" in shown else {f"{name}Base64": shown["base64"]})
    return found
