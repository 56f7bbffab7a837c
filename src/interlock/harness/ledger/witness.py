"""Having a witness (``interlock.verify.witness``, or any other that speaks C2SP tlog-witness) cosign the head."""

from __future__ import annotations

import http.client
import re
import urllib.parse
from http import HTTPStatus

from interlock.artifact import checkpoint as notes
from interlock.artifact.checkpoint import NoteKey
from interlock.artifact.errors import IntegrityError, StateError
from interlock.harness.ledger.store import Ledger

MAX_ANSWER = 1 << 16
TIMEOUT_SECONDS = 10
_SIZE = re.compile(r"[0-9]{1,16}\n")


def cosign(ledger: Ledger, url: str, witness: NoteKey) -> bytes:
    """Have a witness cosign the ledger's head; the cosigned note, which the ledger keeps.

    Raises ``IntegrityError`` where the witness has seen another history, ``StateError`` where it cannot be reached.
    """
    note = ledger.checkpoint()
    size = notes.open_checkpoint(note, [ledger.key]).size
    status, answer = _post(url, _request(ledger, 0, size, note))
    if status == HTTPStatus.CONFLICT and _SIZE.fullmatch(answer):
        old = int(answer)
        if old > size:
            raise IntegrityError("ledger.truncated", f"a witness saw {old} entries, here are {size}")
        status, answer = _post(url, _request(ledger, old, size, note))
    if status in {HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY}:
        raise IntegrityError("ledger.forked", "a witness has cosigned another history of this log")
    if status != HTTPStatus.OK:
        raise StateError("witness.refused", f"the witness answered {status}")
    cosigned = note + answer.encode()
    notes.verify_cosignatures(cosigned, [witness])
    ledger.keep_cosigned(cosigned)
    return cosigned


def _request(ledger: Ledger, old: int, size: int, note: bytes) -> bytes:
    return notes.format_hashes("old", old, ledger.prove_consistency(old, size)) + note


def _post(url: str, body: bytes) -> tuple[int, str]:
    parts = urllib.parse.urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("POST", parts.path.rstrip("/") + "/add-checkpoint", body)
        answer = connection.getresponse()
        return answer.status, answer.read(MAX_ANSWER).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        raise StateError("witness.unreachable", f"no answer from the witness: {error}") from error
    finally:
        connection.close()
