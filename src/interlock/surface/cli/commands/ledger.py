"""``ledger``: verify it, read it, prove one entry to an outsider, export it for the offline verifier."""

from __future__ import annotations

from pathlib import Path

import click

from interlock.artifact import codec
from interlock.artifact.entry import Entry
from interlock.artifact.errors import InterlockError, StateError
from interlock.surface.cli.console import console
from interlock.surface.cli.layout import table
from interlock.surface.cli.opening import reading
from interlock.surface.cli.root import Noun
from interlock.surface.cli.visible import visible
from interlock.surface.cli.words import moment

_OUT = click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Default: standard output."
)


@click.group(cls=Noun)
def ledger() -> None:
    """Verify, read, prove and export the ledger."""


@ledger.command()
@click.option("--since", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="A checkpoint that was exported earlier and must be a prefix of this log.")  # fmt: skip
def verify(since: Path | None) -> None:
    """Recompute every entry, the tree and the signed head; exit code 5 where anything does not fit."""
    with reading() as core:
        console().progress(f"verifying {core.ledger.size} entries")
        head = core.ledger.verify(since=since.read_bytes() if since else None)
    found = {
        "origin": head.origin,
        "size": head.size,
        "root": head.root.hex(),
        "holds": True,
        "since": since is not None,
    }
    earlier = "\nthe earlier checkpoint is a prefix of it" if since else ""
    console().data(found, f"the ledger holds: {head.size} entries lead to the signed root {head.root.hex()}{earlier}")


@ledger.command()
@click.option("--task", "task_id", default="", metavar="TASK", help="Only entries of this task.")
@click.option("--plan", "plan_id", default="", metavar="PLAN", help="Only entries about this plan (a prefix will do).")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="The latest so many.")
@click.option("--payload", type=click.IntRange(0), metavar="INDEX", help="Instead: the payload of one entry.")
def show(task_id: str, plan_id: str, limit: int, payload: int | None) -> None:
    """The latest entries; with --payload what one of them stands for."""
    with reading() as core:
        if payload is not None:
            entry, raw = core.ledger.entry(payload), core.ledger.payload(payload)
            text = raw.decode("utf-8", "backslashreplace")
            console().data(
                {"index": payload, "entry": codec.builtin(entry), "payload": text}, visible(text, lines=True)
            )
            return
        every = list(enumerate(core.ledger.entries()))
    kept = [(index, one) for index, one in every if task_id in {"", one.task} and one.subject.startswith(plan_id)][
        -limit:
    ]
    rows = [(index, moment(one.at), one.kind, one.task, _subject(one), one.code) for index, one in kept]
    found = [{"index": index, **_fields(one)} for index, one in kept]
    console().data({"entries": found}, lambda: table(("INDEX", "WHEN", "KIND", "TASK", "SUBJECT", "CODE"), rows))


@ledger.command()
@click.argument("index", type=click.IntRange(0))
@_OUT
def prove(index: int, output: Path | None) -> None:
    """A proof (.tlog-proof) that one entry stands in the log, for anyone who has the log's public key."""
    with reading() as core:
        leaf = core.ledger.leaves(index, index + 1)
        if not leaf:
            raise StateError("ledger.index", f"there is no entry {index}", hint="run: interlock ledger show")
        proof, key = core.ledger.proof(index), core.ledger.key.vkey
    if output is not None:
        _write(output, proof)
    found = {"index": index, "leaf": leaf[0].decode(), "proof": proof.decode(), "key": key}
    console().data(found, f"wrote {visible(str(output))}" if output else proof.decode().rstrip("\n"))
    console().say(f"key  {key}\nleaf {visible(leaf[0].decode())}")


@ledger.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--disclose",
    multiple=True,
    type=click.IntRange(0),
    metavar="INDEX",
    help="With the payload of this entry; repeatable.",
)
@click.option("--disclose-task", metavar="TASK", help="With the payloads of one task.")
@click.option("--checkpoint", is_flag=True, help="Only the signed checkpoint.")
def export(file: Path, disclose: tuple[int, ...], disclose_task: str | None, checkpoint: bool) -> None:
    """Write the log to FILE for: python -m interlock.verify FILE --key KEY."""
    from interlock.harness.ledger.export import export as write

    with reading() as core:
        indexes = set(disclose)
        if disclose_task:
            indexes |= {index for index, one in enumerate(core.ledger.entries()) if one.task == disclose_task}
        payload = f"{len(indexes)} disclosed".encode()
        core.record("checkpoint-export", "", file.name[:200], payload, code="checkpoint" if checkpoint else "bundle")
        if checkpoint:
            _write(file, core.ledger.checkpoint())
        else:
            write(core.ledger, file, sorted(indexes))
        key, size = core.ledger.key.vkey, core.ledger.size
    found = {"file": str(file), "size": size, "disclosed": len(indexes), "key": key}
    check = "interlock ledger verify --since" if checkpoint else f"python -m interlock.verify --key '{key}'"
    console().data(
        found,
        f"wrote {visible(str(file))}: {size} entries, {len(indexes)} payloads\ncheck: {check} {visible(str(file))}",
    )


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise InterlockError(
            "cli.write", f"cannot write {path.name}: {error.strerror}", hint="choose another file"
        ) from None


def _fields(entry: Entry) -> dict[str, object]:
    found = codec.builtin(entry)
    return dict(found) if isinstance(found, dict) else {}


def _subject(entry: Entry) -> str:
    plan, slash, place = entry.subject.partition("/")
    return f"{plan[:12]}{slash}{place}" if len(plan) == 64 else entry.subject[:60]  # noqa: PLR2004 - a digest
