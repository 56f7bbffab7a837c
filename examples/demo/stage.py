"""The stage: a scratch workspace, a cloud on loopback, and a way to show evidence line by line."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

import boto3
from interlock.artifact import codec
from interlock.artifact.codec import Json
from interlock.artifact.plan import Proposal, ProposedStep
from interlock.artifact.task import Task
from interlock.harness.service import Harness
from interlock.harness.workspace import load

if TYPE_CHECKING:
    from mypy_boto3_rds import RDSClient

CLOUD_PACKAGE = Path(__file__).parent.parent / "cloud" / "interlock_cloud"
DATABASES = {
    "prod-database-main": ("db.r5.2xlarge", 400),
    "prod-database-main-oversized-old": ("db.r5.8xlarge", 400),
}
PERSON = "alice"
START_SECONDS = 20.0


class UnexpectedError(AssertionError):
    """The story did not go as it should: the demo fails."""


class Stage:
    """Everything that the acts need; ``close`` ends the cloud and removes the scratch folder."""

    def __init__(self, *, interactive: bool, keep: bool) -> None:
        self.interactive = interactive
        self._keep = keep
        self.scratch = Path(tempfile.mkdtemp(prefix="interlock-demo-"))
        self.folder = self.scratch / "workspace"
        os.environ["INTERLOCK_STATE"] = str(self.scratch / "state")
        os.environ["INTERLOCK_APPROVER"] = str(self.scratch / "person")
        self.port = _free_port()
        self._cloud: subprocess.Popen[bytes] | None = None
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def __enter__(self) -> Self:
        self._cloud = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._make_workspace()
        _wait_for(self.port)
        self._make_databases()
        return self

    def __exit__(self, *_: object) -> None:
        if self._cloud is not None:
            self._cloud.kill()
            self._cloud.wait()
        if self._keep:
            self.note(f"kept: {self.scratch}")
        else:
            shutil.rmtree(self.scratch, ignore_errors=True)

    # ---- what the acts use

    @contextmanager
    def harness(self) -> Iterator[Harness]:
        """The workspace, opened."""
        with Harness(load(self.folder)) as harness:
            yield harness

    def interlock(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the command itself, as a person would."""
        found = subprocess.run(
            [str(Path(sys.executable).with_name("interlock")), *arguments],
            cwd=self.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if check and found.returncode:
            raise UnexpectedError(f"interlock {' '.join(arguments)}: {found.returncode}: {found.stderr}")
        return found

    def databases(self) -> dict[str, str]:
        """What the cloud itself says: each database and its size."""
        found = self.cloud().describe_db_instances()["DBInstances"]
        return {one.get("DBInstanceIdentifier", ""): one.get("DBInstanceClass", "") for one in found}

    def cloud(self) -> RDSClient:
        """The cloud's API as its owner sees it, outside Interlock."""
        return boto3.client(
            "rds", region_name="us-east-1", endpoint_url=f"http://127.0.0.1:{self.port}",
            aws_access_key_id="owner", aws_secret_access_key="owner",
        )  # fmt: skip

    # ---- showing

    def act(self, number: int, title: str) -> None:
        """The heading of an act."""
        print(f"\n{self._paint('1', f'{number}. {title}')}")

    def show(self, text: str) -> None:
        """Text as it is, indented."""
        print("\n".join(f"   {line}".rstrip() for line in text.splitlines()))

    def note(self, text: str) -> None:
        """A remark."""
        print(f"   {self._paint('2', text)}")

    def prove(self, claim: str, evidence: object, holds: bool = True) -> None:
        """A claim with its evidence; the demo stops where it does not hold."""
        if not holds:
            raise UnexpectedError(f"{claim}: {evidence}")
        print(f"   {self._paint('32', '✓')} {claim}  {self._paint('2', f'[{evidence}]')}")

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text

    # ---- setting up

    def _make_workspace(self) -> None:
        self.folder.mkdir()
        self.interlock("init", "--name", PERSON, ".")
        package = self.folder / "packages" / "interlock_cloud"
        shutil.copytree(CLOUD_PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
        manifests = package / "interlock.json"
        manifests.write_text(manifests.read_text().replace("5055", str(self.port)))
        configuration = self.folder / "interlock.toml"
        configuration.write_text(_configured(configuration.read_text(), self.port))
        (self.folder / "policy" / "cloud.yaml").write_text(CLOUD_RULES)
        (self.folder / "customers").mkdir()
        (self.folder / "customers" / "list.csv").write_text("name,iban\nAda,DE02 1203 0000 0000 2020 51\n")
        (self.folder / "notes.txt").write_text("cloud bill: 12,400 a month\n")
        key = self.scratch / "cloud-key.json"
        key.write_text(json.dumps({"id": "AKIDEXAMPLE", "secret": "of no use outside this machine"}))
        self.interlock("secrets", "set", "cloud-key", "--file", str(key))
        key.unlink()

    def _make_databases(self) -> None:
        for name, (size, gigabytes) in DATABASES.items():
            self.cloud().create_db_instance(
                DBInstanceIdentifier=name, DBInstanceClass=size, AllocatedStorage=gigabytes, Engine="postgres",
                MasterUsername="owner", MasterUserPassword="of-no-use-elsewhere",
            )  # fmt: skip


CLOUD_RULES = """\
rules:
  - allow: cloud.*
    effect: [read, write]
    id: cloud-reversible
    owner: platform
    why: looking, taking snapshots and restoring can be taken back
  - allow: cloud.delete_*
    id: cloud-delete
    owner: platform
    why: the floor asks a person about whatever cannot be undone
  - allow: http.post
    id: web-post
    owner: platform
    why: what leaves is decided by its labels
"""


def _configured(text: str, port: int) -> str:
    """The configuration that init wrote, with what this story needs."""
    changes = {
        "protected = []": 'protected = ["rds:prod-database-main"]',
        'groups = ["files"]': 'groups = ["files", "cloud", "http"]',
        "packages = []": 'packages = ["packages/interlock_cloud"]',
        "[budget]\n": "[budget]\ncost = 1000\n",
    }
    for old, new in changes.items():
        if old not in text:
            raise UnexpectedError(f"interlock.toml has no line {old!r}")
        text = text.replace(old, new)
    labels = '\n[[labels]]\npath = "customers/**"\nconfidentiality = "private"\n'
    return f'{text}\n[egress]\nexceptions = ["127.0.0.1:{port}"]\n{labels}'


def proposal(task: Task, *steps: ProposedStep) -> bytes:
    """A plan as a planner would hand it in."""
    return codec.encode(Proposal(task=codec.digest(task), goal=task.goal, steps=steps))


def step(name: str, action: str, arguments: Mapping[str, Json], **fields: Json | tuple[str, ...]) -> ProposedStep:
    """One step of a plan."""
    plain = {"id": name, "action": action, "arguments": arguments, **fields}
    return codec.decode(codec.encode(plain), ProposedStep)


def until(condition: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise UnexpectedError("something that should have happened did not")
        time.sleep(0.02)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    def answers() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return False
        return True

    until(answers)
