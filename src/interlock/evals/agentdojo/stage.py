"""A stage: one workspace with a suite's actions under the baseline policy, whose steps act on an environment in memory.

Gate, approvals, executor core, run, ledger and receipts are the product's own.  Steps are not processes here, because
their tools live in the benchmark's environment; receipts say so (``UnsafeSteps``).
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from interlock.artifact import codec
from interlock.artifact.action import Manifest
from interlock.artifact.approval import Approval
from interlock.artifact.codec import Json
from interlock.artifact.label import Label, join_all
from interlock.artifact.signing import Signer, sign
from interlock.artifact.task import Budget, Task
from interlock.decide.life import Status
from interlock.evals.agentdojo.suites import Call, Suite, manifests
from interlock.harness.keys import own_signer, public_key
from interlock.harness.proposals import Decided
from interlock.harness.running import OnProgress
from interlock.harness.service import Harness
from interlock.harness.stepping import Order, Result, Stepper
from interlock.harness.workspace import approver_folder, load

_PERSON = "person"
_ENOUGH = Budget(steps=1_000_000, plans=1_000_000, cost=1_000_000)
_CONFIGURATION = """
id = "agentdojo-{suite}"
[principal]
name = "person"
[actions]
groups = ["{suite}"]
packages = ["{suite}"]
[limits]
usesPerMinute = 1000000000
"""


class Tools(Stepper):
    """Steps that call the benchmark's tools; the extraction answers what the oracle says."""

    suite: Suite
    environment: Any
    extracted: Mapping[str, Mapping[str, Json]]
    calls: list[Call]
    last: Json = None

    def on(self, environment: Any, extracted: Mapping[str, Mapping[str, Json]]) -> None:
        """Act on this environment from now on."""
        self.environment, self.extracted, self.calls, self.last = environment, extracted, [], None

    def run(self, order: Order) -> Result:
        """One call; its value, or ``eval.tool``."""
        tool = order.manifest.name.partition(".")[2]
        if tool == "extract":
            self.last = None
            return Result(ok=True, output=codec.encode({"value": None} | dict(self.extracted.get(order.step, {}))))
        self.calls.append(Call(tool=tool, arguments=order.arguments))
        value, error = self.suite.call(self.environment, tool, order.arguments)
        self.last = value
        if error:
            return Result(ok=False, code="eval.tool", message=error[:200])
        return Result(ok=True, output=codec.encode(value))


class Stage:
    """An opened workspace for one suite."""

    def __init__(self, harness: Harness, tools: Tools, signer: Signer) -> None:
        self.harness = harness
        self.tools = tools
        self._signer = signer

    def task(self, goal: str) -> Task:
        """A recorded task whose budget is no obstacle, so that nothing is stopped by counting."""
        return self.harness.start_task(goal, groups=(self.tools.suite.name,), budget=_ENOUGH)

    def propose(self, task: Task, raw: bytes) -> Decided:
        """Through the gate."""
        return self.harness.propose(task.id, raw)

    def settle(self, decided: Decided, on_event: OnProgress = lambda _: None) -> Status:
        """Confirm a plan that waits for a person, and run what may run, by a real executor core."""
        if decided.digest is None or decided.status not in {Status.PENDING, Status.APPROVED}:
            return Status.DENIED
        if decided.status is Status.PENDING:
            self._confirm(decided.digest)
        return self.harness.execute(decided.digest, on_event)

    def _confirm(self, digest: str) -> None:
        row, now = self.harness.core.store.plan(digest), self.harness.core.clock()
        approval = Approval(
            id=f"approval-{secrets.token_hex(6)}", word="approve", plan=row.digest, policy=row.policy,
            certificate=row.certified, manifests=row.manifests, preview=row.preview_digest,
            approver=_PERSON, issued_at=now,
            expires_at=row.plan.expires_at,
        )  # fmt: skip
        self.harness.approve(sign(self._signer, "approval", approval.plan, approval))

    def action(self, tool: str) -> Manifest:
        """The manifest of one of the suite's tools."""
        return self.harness.core.catalogue[f"{self.tools.suite.name}.{tool}@1"]

    def seen(self, digest: str) -> Label:
        """The join of the labels of all that a plan's steps have returned."""
        rows = self.harness.core.store.claims(digest)
        return join_all(codec.decode(row.label_doc, Label) for row in rows if row.label_doc)

    def receive(self, task: Task, label: Label) -> None:
        """The planner has seen a value so labelled."""
        self.harness.core.store.receive(task.id, label)


@contextmanager
def staged(suite: Suite, *, unattended: bool = False) -> Generator[Stage]:
    """A stage in a scratch folder, in memory where the machine has one there; ``unattended`` asks nobody, ever."""
    baseline = resources.files("interlock.decide.policy").joinpath("baseline.yaml").read_text("utf-8")
    memory = Path("/dev/shm")  # noqa: S108 - every commit is durable; nothing here has to be
    folder = tempfile.mkdtemp(prefix="interlock-eval-", dir=memory if os.access(memory, os.W_OK) else None)
    before = {name: os.environ.get(name) for name in ("INTERLOCK_STATE", "INTERLOCK_APPROVER")}
    try:
        os.environ["INTERLOCK_STATE"], os.environ["INTERLOCK_APPROVER"] = f"{folder}/state", f"{folder}/person"
        workspace = Path(folder, "workspace")
        (workspace / "policy").mkdir(parents=True)
        shutil.copytree(manifests() / suite.name, workspace / suite.name)
        (workspace / "interlock.toml").write_text(_CONFIGURATION.format(suite=suite.name))
        (workspace / "policy" / "baseline.yaml").write_text(baseline)
        with Harness(load(workspace), unattended=unattended, stepper=Tools) as harness:
            signer = own_signer(approver_folder(), _PERSON, create=True)
            harness.core.keys.trust(public_key(signer.public, _PERSON, ("approver",), harness.core.clock() - 1000))
            tools = harness.stepper
            if not isinstance(tools, Tools):
                raise TypeError("the stage has other steps")
            tools.suite = suite
            yield Stage(harness, tools, signer)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
