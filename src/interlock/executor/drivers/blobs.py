"""Contents on their way to the harness and back, in parts of at most 1 MiB, named and verified by SHA-256."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator
from typing import Final

from interlock.artifact import channel as wire
from interlock.artifact.channel_pb2 import Blob, StepCall, StepReturn, WantBlob
from interlock.executor.work import DriverError

PART: Final = 1 << 20
MAX_BLOB: Final = 256 << 20


class Blobs:
    """The harness's store, seen through the step's channel."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._sent: set[str] = set()

    def send(self, descriptor: int, digest: str, size: int) -> None:
        """Hand over an open file's content, once per digest; raises ``DriverError`` where it is not ``digest``."""
        if digest in self._sent:
            return
        if size > MAX_BLOB:
            raise DriverError("snapshot.too_large", f"a file of more than {MAX_BLOB} bytes has no snapshot")
        found = hashlib.sha256()
        for number in range(max(1, -(-size // PART))):
            data = os.pread(descriptor, min(PART, size - number * PART), number * PART)
            found.update(data)
            last = (number + 1) * PART >= size
            if last and found.hexdigest() != digest:
                raise DriverError("snapshot.changed", "a file changed while its snapshot was taken")
            blob = Blob(digest=digest, part=number, last=last, data=data)
            answer = wire.call(self._channel, StepCall(blob=blob), StepReturn)
            if answer.WhichOneof("body") != "accepted":
                raise DriverError("snapshot.store", "the harness did not accept a content")
        self._sent.add(digest)

    def fetch(self, digest: str, size: int) -> Iterator[bytes]:
        """The content named ``digest`` in parts; raises ``DriverError`` at the end where it is another one."""
        found, received, number, last = hashlib.sha256(), 0, 0, False
        while not last:
            want = StepCall(want_blob=WantBlob(digest=digest, part=number))
            blob = wire.call(self._channel, want, StepReturn).blob
            found.update(blob.data)
            received += len(blob.data)
            if blob.digest != digest or blob.part != number or received > size or not (blob.data or blob.last):
                raise DriverError("snapshot.blob", "the harness sent another content than the one that was wanted")
            number, last = number + 1, blob.last
            yield blob.data
        if received != size or found.hexdigest() != digest:
            raise DriverError("snapshot.blob", "a stored content is not the one that was recorded")
