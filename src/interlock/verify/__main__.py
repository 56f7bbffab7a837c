"""``python -m interlock.verify BUNDLE --key KEY``: exit code 0 where everything holds, 5 where something does not.

A key is a verifier key (``NAME+ID+BASE64``) or a file of such lines.  Data goes to stdout, messages to stderr.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from interlock.artifact import codec
from interlock.artifact.bundle import MAX_LINE
from interlock.artifact.checkpoint import MAX_NOTE, NoteKey, parse_vkey
from interlock.artifact.errors import InterlockError
from interlock.artifact.signing import Keyring
from interlock.verify.bundle import Report, verify_bundle

OK, FAULT, BROKEN = 0, 1, 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Check one bundle; the exit code (2 is argparse's, for wrong usage)."""
    options = _parser().parse_args(arguments)
    try:
        report = _verify(options)
    except InterlockError as error:
        print(f"BROKEN  {error}", file=sys.stderr)  # noqa: T201
        return BROKEN
    except OSError as error:
        print(f"cannot read {error.filename}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return FAULT
    print(codec.encode(report).decode() if options.json else _words(report))  # noqa: T201
    return OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m interlock.verify", description="Check an exported ledger.")
    parser.add_argument("bundle", type=Path, help="the exported file")
    parser.add_argument("--key", action="append", required=True, help="a key of the log, or a file of keys")
    parser.add_argument("--since", type=Path, help="an older checkpoint that must be a prefix of this log")
    parser.add_argument("--witness", action="append", default=[], help="a witness's key, or a file of keys")
    parser.add_argument("--threshold", type=int, default=1, help="how many of the witnesses must have cosigned")
    parser.add_argument("--keyring", type=Path, help="the keys that may sign statements (JSON)")
    parser.add_argument("--json", action="store_true", help="write the report as JSON")
    return parser


def _verify(options: argparse.Namespace) -> Report:
    since: Path | None = options.since
    keyring: Path | None = options.keyring
    with Path(options.bundle).open("rb") as file:
        return verify_bundle(
            _lines(file),
            _keys(options.key),
            since=_read(since) if since is not None else None,
            witnesses=_keys(options.witness),
            threshold=options.threshold,
            keyring=codec.decode(keyring.read_bytes(), Keyring) if keyring is not None else None,
        )


def _lines(file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(MAX_LINE + 1):
        yield line


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_NOTE + 1)


def _keys(given: Sequence[str]) -> list[NoteKey]:
    texts = [line for text in given for line in ([text] if "+" in text else Path(text).read_text().split("\n"))]
    return [parse_vkey(text) for text in texts if text.strip()]


def _words(report: Report) -> str:
    lines = [
        f"OK      {report.origin}: {report.size} entries lead to the signed root {report.root}",
        f"        {report.disclosed} payloads fit their commitments, {report.statements} statements are signed",
    ]
    if report.certificates:
        lines.append(f"        {report.certificates} certificates of policies, each quoted as what it is")
    if report.consistent_with is not None:
        lines.append(f"        the older checkpoint of {report.consistent_with} entries is a prefix")
    if report.witnesses:
        lines.append(f"        cosigned by {', '.join(report.witnesses)}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
