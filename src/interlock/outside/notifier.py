"""The notifier: tells receivers outside what the harness wants known, by webhook or by a program's standard input.

A jailed process.  Each ``Notify`` is answered by one ``Notified`` with a stable code, never with a receiver's words.
A webhook is one POST of a bounded JSON body without redirects, signed as Standard Webhooks 1.0 says where there is
a secret (``webhook-id``, ``webhook-timestamp``, ``webhook-signature: v1,BASE64``), tried again a bounded number of
times under the same id.  A command is an argument vector without a shell, with the body on its standard input, an
environment of two variables, no output read, and an end with its whole session when its time is up.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import re
import signal
import socket
import subprocess
import time
from typing import Final

from interlock.artifact import channel as frames
from interlock.artifact import codec
from interlock.artifact.channel_pb2 import Notified, Notify
from interlock.artifact.errors import ChannelError, InterlockError
from interlock.outside import reach
from interlock.outside.posting import Poster, target_of

MAX_BODY: Final = 256 * 1024
_MAX_REPLY: Final = 64 * 1024
_MAX_ATTEMPTS: Final = 5
_ENVIRONMENT: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_BROKEN: Final = frozenset({"reach.refused", "reach.broken", "reach.timeout"})
_SECRET_PREFIX: Final = b"whsec_"


class NotifierError(InterlockError):
    """A notification that was not delivered."""


def serve(channel: socket.socket, directories: dict[str, int]) -> int:
    """Run until the harness closes the channel; 0, or 1 where it spoke out of turn."""
    del directories
    try:
        while (call := frames.receive(channel, Notify)) is not None:
            frames.send(channel, notify(call))
    except ChannelError:
        return 1
    return 0


def notify(call: Notify, *, now: float | None = None, resolver: reach.Resolver = reach.resolve) -> Notified:
    """Deliver one notification; ``now`` (seconds since 1970) and ``resolver`` are given only in tests."""
    try:
        _check(call)
        if call.kind == "command":
            _command(call)
        else:
            asyncio.run(_webhook(call, int(time.time() if now is None else now), resolver))
    except InterlockError as error:
        return Notified(id=call.id, ok=False, code=error.code)
    return Notified(id=call.id, ok=True)


def _check(call: Notify) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", call.id) or call.kind not in {"webhook", "command"}:
        raise NotifierError("notifier.request", "no usable id or kind")
    if not call.timeout_ms or len(call.body) > MAX_BODY:
        raise NotifierError("notifier.request", "no time, or a body over its bound")
    codec.parse(call.body, data=True)


async def _webhook(call: Notify, now: int, resolver: reach.Resolver) -> None:
    target = target_of(call.target, allow_private=call.allow_private)
    poster = Poster(target, allow_private=call.allow_private, ca_bundle=call.ca_bundle, resolver=resolver)
    try:
        async with asyncio.timeout(call.timeout_ms / 1000):
            await _delivered(call, poster, _headers(call, now))
    except TimeoutError:
        raise NotifierError("notifier.timeout", "the receiver did not answer in time") from None
    finally:
        await poster.close()


async def _delivered(call: Notify, poster: Poster, headers: dict[str, str]) -> None:
    attempts = max(1, min(call.attempts, _MAX_ATTEMPTS))
    for attempt in range(1, attempts + 1):
        try:
            status = (await poster.post("", headers, call.body, limit=_MAX_REPLY)).status
        except reach.ReachError as error:
            if attempt == attempts or error.code not in _BROKEN:
                raise
        else:
            if 200 <= status < 300:  # noqa: PLR2004 - the class of success, RFC 9110
                return
            if attempt == attempts or status not in _AGAIN:
                raise NotifierError("notifier.status", f"the receiver answered {status}")
        await asyncio.sleep(0.1 * 2.0 ** (attempt - 1))


def _headers(call: Notify, now: int) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "webhook-id": call.id, "webhook-timestamp": str(now)}
    if call.secret:
        signed = b".".join((call.id.encode("ascii"), str(now).encode("ascii"), call.body))
        code = hmac.new(_key(call.secret), signed, hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(code).decode('ascii')}"
    return headers


def _key(secret: bytes) -> bytes:
    """The bytes of a secret: what ``whsec_`` announces as base64, or the secret itself."""
    if not secret.startswith(_SECRET_PREFIX):
        return secret
    try:
        return base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
    except ValueError:
        raise NotifierError("notifier.secret", "a secret that announces base64 and is none") from None


def _command(call: Notify) -> None:
    argv = list(call.argv)
    if not argv or not argv[0] or any("\0" in part for part in argv):
        raise NotifierError("notifier.request", "no program, or a NUL in an argument")
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=_ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
    except OSError:
        raise NotifierError("notifier.program", "the program cannot be started") from None
    with process:
        try:
            process.communicate(call.body, timeout=call.timeout_ms / 1000)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise NotifierError("notifier.timeout", "the program did not end in time") from None
    if process.returncode:
        raise NotifierError("notifier.failed", f"the program ended with {process.returncode}")
