"""A whole workspace in a scratch folder, opened: the test world of harness, surface and attack tests."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

import pytest

from interlock.artifact import codec
from interlock.artifact.approval import Approval
from interlock.artifact.codec import Json
from interlock.artifact.plan import Proposal, ProposedStep
from interlock.artifact.signing import sign
from interlock.artifact.task import Task
from interlock.harness.keys import own_signer, public_key
from interlock.harness.service import Harness
from interlock.harness.workspace import Workspace, approver_folder, load

ALLOW_ALL = """
rules:
  - allow: "*"
    id: test-allow
"""

CONFIGURATION = """
id = "{id}"
[principal]
name = "alice"
[actions]
groups = ["files", "http", "shell", "git", "tests", "model", "flow"]
"""


class World:
    """A workspace with its harness; ``files`` is the workspace's folder."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, *, rules: str = ALLOW_ALL, extra: str = "", head: str = ""
    ) -> None:
        self.files = folder / "workspace"
        self.files.mkdir(parents=True)
        (self.files / "policy").mkdir()
        monkeypatch.setenv("INTERLOCK_STATE", str(folder / "state"))
        monkeypatch.setenv("INTERLOCK_APPROVER", str(folder / "person"))
        name = f"w-{secrets.token_hex(4)}"
        (self.files / "interlock.toml").write_text(head + CONFIGURATION.format(id=name) + extra)
        (self.files / "policy" / "rules.yaml").write_text(rules)
        self.workspace: Workspace = load(self.files)
        self.harness = Harness(self.workspace)
        self.trust("alice")

    def trust(self, person: str) -> None:
        """Make a person an approver."""
        signer = own_signer(approver_folder(), person, create=True)
        core = self.harness.core
        core.keys.trust(public_key(signer.public, person, ("approver",), core.clock() - 1000))

    def reopen(self) -> Harness:
        """Close the harness and open it again, as after a restart."""
        self.harness.close()
        self.harness = Harness(load(self.files))
        return self.harness

    def task(self, goal: str = "tidy up", **options: object) -> Task:
        """A recorded task with all groups loaded."""
        task = self.harness.start_task(goal, **options)  # type: ignore[arg-type]
        self.harness.core.store.load_groups(task.id, task.groups)
        return task

    def approval(self, digest: str, person: str = "alice", word: str = "approve", **changes: object) -> bytes:
        """A person's signed word about a plan, with any field changed."""
        core = self.harness.core
        row = core.store.plan(digest)
        now = core.clock()
        fields: dict[str, object] = {
            "id": f"approval-{secrets.token_hex(6)}",
            "word": word,
            "plan": row.digest,
            "policy": row.policy,
            "certificate": row.certified,
            "manifests": row.manifests,
            "preview": row.preview_digest,
            "approver": person,
            "issued_at": now,
            "expires_at": row.plan.expires_at,
        }
        approval = Approval(**(fields | changes))  # type: ignore[arg-type]
        return sign(own_signer(approver_folder(), person, create=False), "approval", approval.plan, approval)

    def close(self) -> None:
        self.harness.close()


def step(name: str, action: str, /, **fields: object) -> ProposedStep:
    """A proposed step; ``arguments`` and the rest by keyword."""
    return ProposedStep(id=name, action=action, **fields)  # type: ignore[arg-type]


def proposal(task: Task, *steps: ProposedStep, goal: str = "") -> bytes:
    """A proposal's bytes for a task."""
    return codec.encode(Proposal(task=codec.digest(task), goal=goal or task.goal, steps=steps))


def write(name: str, path: str, content: str, **fields: object) -> ProposedStep:
    """A step that writes a file."""
    arguments: Mapping[str, Json] = {"path": path, "content": content}
    return step(name, "files.write@1", arguments=arguments, **fields)
