"""One step, in one process: verify, act once, report, end.

A channel brings one ``RunStep``.  Nothing happens before all checks of ``checks`` have passed; then the driver
runs under the manifest's time and size bounds.  What comes back says honestly whether an effect is possible
where the step did not end well.  Every driver is imported with this module, before the process is locked down;
a user's package is imported only afterwards, by the driver ``python``.

A ``SeparationViolation`` is not caught here: it ends the process, and the supervisor sees that.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401  # pyright: ignore[reportUnusedImport] - used by sockets after lock-down
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

from interlock.artifact import channel as wire
from interlock.artifact import codec
from interlock.artifact.channel_pb2 import Ran, RunStep, StepCall
from interlock.artifact.codec import Json
from interlock.artifact.errors import CodecError, InterlockError
from interlock.artifact.snapshot import MAX_ENCODED
from interlock.executor.checks import Admitted, admit
from interlock.executor.drivers import files, http, python, restore, shell, snapshot
from interlock.executor.drivers.blobs import Blobs
from interlock.executor.drivers.places import Places
from interlock.executor.work import DriverError, Progress, TimeExpired, Work, limit

SNAPSHOT_SECONDS: Final = 300
_DRIVERS: Final[Mapping[str, Callable[[Work], Json]]] = {
    "files": files.run,
    "shell": shell.run,
    "http": http.run,
    "python": python.run,
}


def serve(channel: socket.socket, directories: dict[str, int]) -> int:
    """Run the one step that the channel brings; 0 where it went well, 1 where not."""
    request = wire.receive(channel, RunStep)
    if request is None:
        return 0
    progress = Progress()
    ran = _attempt(channel, directories, request, progress)
    wire.send(channel, StepCall(ran=ran))
    return 0 if ran.ok else 1


def _attempt(channel: socket.socket, directories: dict[str, int], request: RunStep, progress: Progress) -> Ran:
    try:
        admitted = admit(request)
        return Ran(ok=True, output=_carry_out(channel, directories, admitted, progress))
    except DriverError as error:
        return _failed(error.code, error.message, progress, error.output)
    except InterlockError as error:
        return _failed(error.code, error.message, progress)
    except TimeExpired:
        return _failed("step.timeout", "the step's time is over", progress)
    except OSError as error:
        return _failed("step.system", f"the operating system said {error.errno}", progress)
    except Exception as error:  # noqa: BLE001 - whatever a driver meets must reach the harness as a code
        return _failed("step.crashed", f"an unexpected {type(error).__name__}", progress)


def _carry_out(channel: socket.socket, directories: dict[str, int], admitted: Admitted, progress: Progress) -> bytes:
    manifest = admitted.manifest
    capturing = admitted.mode in {RunStep.SNAPSHOT, RunStep.RESTORE}
    seconds = max(manifest.timeout_ms / 1000, SNAPSHOT_SECONDS if capturing else 0)
    work = Work(
        manifest=manifest,
        arguments=admitted.arguments,
        places=Places(directories, admitted.home),
        home=admitted.home,
        key=admitted.key,
        deadline=time.monotonic() + seconds,
        secrets=admitted.secrets,
        programs=admitted.programs,
        progress=progress,
    )
    with limit(seconds):
        if admitted.capture is not None:
            taken = snapshot.take(
                work.places, admitted.capture.paths, Blobs(channel) if admitted.capture.contents else None
            )
            return _bounded(taken, MAX_ENCODED)
        if admitted.restoration is not None:
            return _bounded(restore.run(work, admitted.restoration, Blobs(channel)), manifest.output.max_bytes)
        return _bounded(_DRIVERS[manifest.driver.name](work), manifest.output.max_bytes)


def _bounded(output: object, most: int) -> bytes:
    """Canonical bytes of an output in the codec's domain; raises ``DriverError``."""
    try:
        codec.check(codec.builtin(output), data=True)
        raw = codec.encode(output)
    except (CodecError, TypeError, ValueError, RecursionError) as error:
        code = error.code if isinstance(error, CodecError) else type(error).__name__
        raise DriverError("output.domain", f"an output outside of the codec's domain ({code})") from None
    if len(raw) > most:
        raise DriverError(
            "output.too_large",
            f"the step ran, and its output has {len(raw)} bytes where {most} are allowed",
            output={"bytes": len(raw), "allowed": most},
        )
    return raw


def _failed(code: str, message: str, progress: Progress, output: Json = None) -> Ran:
    raw = b"" if output is None else _reported(output)
    return Ran(ok=False, code=code, message=message[:500], output=raw, effect_possible=progress.started)


def _reported(output: Json) -> bytes:
    try:
        return _bounded(output, codec.MAX_BYTES)
    except DriverError:
        return b""
