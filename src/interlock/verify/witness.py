"""A witness: a small server, at best on another machine, that cosigns heads which only ever grow (C2SP tlog-witness).

It keeps one key and, per log, the last checkpoint that it cosigned; it never cosigns one that is smaller, beside
the last one, or signed by somebody else.  ``python -m interlock.verify.witness --help`` starts it.

``Witness.add_checkpoint``: 1. the request is well-formed and bounded (400); 2. its log is known (404) and signed it
(403); 3. its old size is the last cosigned one (409 with that size); 4. it is consistent with that one (422, or 409
for another root of the same size); 5. it is kept durably; 6. then it is cosigned.
"""

from __future__ import annotations

import argparse
import hashlib
import http.server
import os
import re
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlock.artifact import checkpoint as notes
from interlock.artifact import merkle
from interlock.artifact.checkpoint import COSIGNATURE, Checkpoint, NoteKey
from interlock.artifact.errors import IntegrityError

MAX_BODY = 1 << 16
TIMEOUT_SECONDS = 10
_LENGTH = re.compile(r"[0-9]{1,8}")
SIZE_TYPE = "text/x.tlog.size"


class Witness:
    """Cosigns for ``logs`` (their verifier keys) under ``name``; its memory is in ``folder``."""

    def __init__(self, folder: Path, key: Ed25519PrivateKey, name: str, logs: Sequence[NoteKey]) -> None:
        self.key = notes.note_key(name, key, COSIGNATURE)
        self._signer = key
        self._folder = folder
        self._logs: Mapping[str, list[NoteKey]] = {
            log.name: [key for key in logs if key.name == log.name] for log in logs
        }
        self._lock = threading.Lock()

    def add_checkpoint(self, body: bytes, seconds: int) -> tuple[HTTPStatus, str]:
        """Answer one request at a time in seconds since the epoch: a status and a body."""
        try:
            old, proof, note = notes.parse_hashes("old", body)  # (1)
            claimed = notes.parse_checkpoint(notes.parse_note(note).text)
        except IntegrityError:
            return HTTPStatus.BAD_REQUEST, ""
        keys = self._logs.get(claimed.origin)
        if keys is None:  # (2)
            return HTTPStatus.NOT_FOUND, ""
        try:
            head = notes.open_checkpoint(note, keys)
        except IntegrityError:
            return HTTPStatus.FORBIDDEN, ""
        if old > head.size:
            return HTTPStatus.BAD_REQUEST, ""
        with self._lock:
            return self._advance(old, proof, note, head, seconds)

    def _advance(
        self, old: int, proof: Sequence[bytes], note: bytes, head: Checkpoint, seconds: int
    ) -> tuple[HTTPStatus, str]:
        last = self._last(head.origin)
        if old != last.size or (old == head.size and last.root != head.root):  # (3)
            return HTTPStatus.CONFLICT, f"{last.size}\n"
        try:
            merkle.verify_consistency(old, head.size, proof, last.root, head.root)  # (4)
        except IntegrityError:
            return HTTPStatus.UNPROCESSABLE_ENTITY, ""
        replace_durably(self._path(head.origin), head.text().encode())  # (5)
        return HTTPStatus.OK, notes.cosign(note, self._signer, self.key.name, seconds)  # (6)

    def _last(self, origin: str) -> Checkpoint:
        """The last cosigned checkpoint; a memory that cannot be read stops the witness for that log."""
        path = self._path(origin)
        if not path.exists():
            return Checkpoint(origin=origin, size=0, root=merkle.EMPTY_ROOT)
        return notes.parse_checkpoint(path.read_text())

    def _path(self, origin: str) -> Path:
        return self._folder / f"{hashlib.sha256(origin.encode()).hexdigest()}.checkpoint"


def server(witness: Witness, host: str = "127.0.0.1", port: int = 0) -> http.server.ThreadingHTTPServer:
    """An HTTP server for a witness, not yet serving; port 0 picks one."""

    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = TIMEOUT_SECONDS

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if self.path != "/add-checkpoint" or not _LENGTH.fullmatch(length) or int(length) > MAX_BODY:
                self.send_error(HTTPStatus.BAD_REQUEST)
                return
            status, body = witness.add_checkpoint(self.rfile.read(int(length)), int(time.time()))
            self.send_response(status)
            self.send_header("Content-Type", SIZE_TYPE if status is HTTPStatus.CONFLICT else "text/plain")
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's names
            """A witness keeps no record of who asks."""

    return http.server.ThreadingHTTPServer((host, port), Handler)


def replace_durably(path: Path, content: bytes) -> None:
    """Replace a file in one piece, and wait until the folder says so on the disk."""
    fresh = path.with_name(path.name + ".next")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted; prints the witness's verifier key and address first."""
    parser = argparse.ArgumentParser(
        prog="python -m interlock.verify.witness", description="Cosign ledger checkpoints that only grow."
    )
    parser.add_argument("folder", type=Path, help="where the last cosigned checkpoints are kept")
    parser.add_argument("--key", type=Path, required=True, help="a file with 32 raw bytes, the Ed25519 private key")
    parser.add_argument("--name", required=True, help="the witness's name, such as witness.example/w1")
    parser.add_argument("--log", action="append", required=True, help="a log's verifier key; may be repeated")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = Ed25519PrivateKey.from_private_bytes(options.key.read_bytes())
    witness = Witness(options.folder, key, options.name, [notes.parse_vkey(log) for log in options.log])
    with server(witness, options.host, options.port) as serving:
        print(witness.key.vkey, f"http://{options.host}:{serving.server_port}", sep="\n", flush=True)  # noqa: T201
        serving.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
