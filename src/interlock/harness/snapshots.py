"""Snapshots: the content that a step may destroy, stored and verified before the step may start (I10).

A read-only step process walks the paths through the same folders and streams their content; each piece is stored by
its digest, durably, and read back.  A second, later snapshot says what the step left, so that rollback can tell
whether somebody else has changed things since.
"""

from __future__ import annotations

import msgspec

from interlock.artifact import codec, snapshot
from interlock.artifact.action import Effect, Manifest
from interlock.artifact.channel_pb2 import RunStep
from interlock.artifact.errors import IntegrityError
from interlock.artifact.resources import Touched
from interlock.artifact.snapshot import Snapshot
from interlock.harness.confining import path_grants
from interlock.harness.core import Core
from interlock.harness.minting import Sealed, seal
from interlock.harness.rows import PlanRow
from interlock.harness.sandbox.profiles import PathGrant
from interlock.harness.stepping import Mode, Order, Result, Stepper

SNAPSHOT_LIFETIME_MS = 10 * 60_000
_MARGIN_MS = 60_000


class Snapshots:
    """Takes and restores snapshots of one run's files."""

    def __init__(self, core: Core, stepper: Stepper) -> None:
        self._core = core
        self._stepper = stepper

    def before(self, row: PlanRow, sealed: Sealed, step: str, iteration: int, paths: tuple[str, ...]) -> Snapshot:
        """Snapshot what a step is about to change, verify it, record it; raises ``IntegrityError``."""
        found = self._take(row, sealed, step, iteration, paths, contents=True)
        taken = snapshot.decode(found)
        for entry in taken.entries:
            if entry.sha256:
                self._core.blobs.get(entry.sha256)
        self._core.record("snapshot", row.task, f"{row.digest}/{step}/{iteration}", found, code="before")
        self._core.store.settle(row.digest, step, iteration, "claimed", before=found)
        return taken

    def after(self, row: PlanRow, sealed: Sealed, step: str, iteration: int, paths: tuple[str, ...]) -> bytes:
        """Snapshot what a step has left, also where its plan has expired meanwhile."""
        if self._core.clock() + _MARGIN_MS >= row.plan.expires_at:
            sealed = self._granted(row, step, iteration, paths)
        found = self._take(row, sealed, step, iteration, paths, contents=False)
        self._core.record("snapshot", row.task, f"{row.digest}/{step}/{iteration}", found, code="after")
        self._core.store.settle(row.digest, step, iteration, "claimed", after=found)
        return found

    def put_back(self, row: PlanRow, step: str, iteration: int, before: Snapshot, after: bytes | None = None) -> str:
        """Undo what a step has just done, on record; the code of why not, or nothing.  ``after`` is what it left."""
        subject, paths = f"{row.digest}/{step}/{iteration}", before.roots
        sealed = self._granted(row, step, iteration, paths)
        left = after or self._take(row, sealed, step, iteration, paths, contents=False)
        self._core.record("undo", row.task, subject, b"", code="intended")
        result = self.restore(
            row, sealed, step, iteration, before=codec.encode(before), after=left, paths=paths
        )  # fmt: skip
        self._core.record("undo", row.task, subject, b"", code=result.code or "undone")
        return "" if result.ok else result.code

    def _granted(self, row: PlanRow, step: str, iteration: int, paths: tuple[str, ...]) -> Sealed:
        """A grant of the same plan to look at, and put back, what stands at these paths."""
        changed = tuple(Touched(kind="file", name=path, access=Effect.WRITE) for path in paths)
        until = max(self._core.clock() + SNAPSHOT_LIFETIME_MS, row.plan.expires_at)
        sealed = seal(self._core, row.plan, row.task, until=until, claimed={step: changed})
        self._core.record("grant", row.task, f"{row.digest}/{step}/{iteration}", sealed.grant, code="snapshot")
        return sealed

    def restore(
        self,
        row: PlanRow,
        sealed: Sealed,
        step: str,
        iteration: int,
        *,
        before: bytes,
        after: bytes,
        paths: tuple[str, ...],
    ) -> Result:
        """Put back what was before, where what is there now is what the step left."""
        pair = {
            "before": codec.parse(before, limit=snapshot.MAX_ENCODED, data=True),
            "after": codec.parse(after, limit=snapshot.MAX_ENCODED, data=True),
        }
        return self._run(row, sealed, step, iteration, paths, RunStep.RESTORE, codec.encode(pair), Effect.WRITE)

    def _take(
        self, row: PlanRow, sealed: Sealed, step: str, iteration: int, paths: tuple[str, ...], *, contents: bool
    ) -> bytes:
        wanted = codec.encode({"paths": list(paths), "contents": contents})
        result = self._run(row, sealed, step, iteration, paths, RunStep.SNAPSHOT, wanted, Effect.READ)
        if not result.ok:
            raise IntegrityError("snapshot.failed", f"no snapshot for step {step}: {result.code}")
        return result.output

    def _run(
        self, row: PlanRow, sealed: Sealed, step: str, iteration: int, paths: tuple[str, ...], mode: Mode,
        wanted: bytes, access: Effect,
    ) -> Result:  # fmt: skip
        manifest = self._core.catalogue[row.plan.step(step).action]
        order = Order(
            task=row.task, plan=row.digest, envelope=sealed.envelope, grant=sealed.grant, step=step,
            iteration=iteration, manifest=manifest, touched=(), mode=mode, snapshot=wanted,
            paths=_folders(paths, manifest, access, self._core.site.own),
        )  # fmt: skip
        return self._stepper.run(order)


def _folders(paths: tuple[str, ...], manifest: Manifest, access: Effect, own: tuple[str, ...]) -> tuple[PathGrant, ...]:
    changed = [Touched(kind="file", name=path, access=Effect.WRITE) for path in paths]
    grants = path_grants(changed, manifest, own)
    writes = access is Effect.WRITE
    return tuple(msgspec.structs.replace(grant, write=grant.write and writes, execute=False) for grant in grants)
