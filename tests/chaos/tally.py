"""An action that can be counted: each run adds one line to a file that nothing rolls back by accident."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.world import World, proposal, step, write

from interlock.artifact.plan import ProposedStep

SOURCE = """
import hashlib, os, resource, socket, sys, threading, time

def append(arguments, context):
    with open(arguments["path"], "a") as stream:
        stream.write(arguments["line"] + "\\n")
    return {"line": arguments["line"]}

def linger(arguments, context):
    append(arguments, context)
    with open(arguments["path"], "a") as stream:
        stream.flush()
        os.fsync(stream.fileno())
    time.sleep(600)

def use(arguments, context):
    return {"digest": hashlib.sha256(context.secrets["token"].encode()).hexdigest()}

def echo(arguments, context):
    return {"got": context.secrets["token"], "quoted": repr(context.secrets["token"])}

def spill(arguments, context):
    raise ValueError("401 for " + context.secrets["token"])

def hold(arguments, context):
    append({"path": arguments["path"], "line": "holding"}, context)
    kept = context.secrets["token"] * 2
    time.sleep(600)
    return len(kept)

def look(arguments, context):
    seen = {"environment": sorted(os.environ), "core": resource.getrlimit(resource.RLIMIT_CORE)[0]}
    return seen | {"argv": sys.argv, "secrets": sorted(context.secrets)}

def connect(arguments, context):
    host, _, port = arguments["line"].rpartition(":")
    socket.create_connection((host, int(port)), timeout=5).close()

def in_a_thread(arguments, context):
    found = []
    def attempt():
        try:
            socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close()
            found.append("reached")
        except OSError as error:
            found.append(type(error).__name__)
    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    return found
"""


def manifest(name: str, operation: str, **fields: object) -> dict[str, object]:
    """One action of the package ``tally``; it writes a file, can be taken back, and is not idempotent."""
    plain = {"type": "string", "maxLength": 256}
    return {
        "name": name, "group": "tests", "sentence": f"{operation} {{line}}", "effect": "write",
        "reversibility": "reversible", "idempotent": False,
        "arguments": {"path": plain | {"role": "path"}, "line": plain},
        "resources": [{"kind": "file", "name": "{path}", "access": "write"}],
        "output": {"label": {"confidentiality": "public", "integrity": "trusted"}}, "accepts": "restricted",
        "driver": {"name": "python", "operation": f"tally:{operation}", "package": "tally"},
    } | fields  # fmt: skip


READS = {
    "effect": "read",
    "reversibility": "pure",
    "resources": [{"kind": "file", "name": "{path}", "access": "read"}],
    "secrets": ["token"],
}


def make_package(folder: Path) -> str:
    """Write the package; the line of the configuration that declares it."""
    package = folder / "packages" / "tally"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text(SOURCE)
    actions = [
        manifest("tally.append", "append"),
        manifest("tally.linger", "linger"),
        *(manifest(f"tally.{name}", name, **READS) for name in ("use", "echo", "spill", "look")),
        manifest("tally.hold", "hold", secrets=["token"]),
        *(manifest(f"tally.{name}", name, **READS | {"secrets": []}) for name in ("connect", "in_a_thread")),
    ]
    (package / "interlock.json").write_text(json.dumps({"actions": actions}))
    return f'packages = ["{package}"]\n'


def tally(world: World, name: str, line: str, action: str = "tally.append@1") -> ProposedStep:
    """A step that adds a line to ``tally.txt``."""
    return step(name, action, arguments={"path": str(world.files / "tally.txt"), "line": line})


def three_steps(world: World, middle: str = "tally.append@1") -> tuple[ProposedStep, ...]:
    """A file, a line, and another line."""
    return write("s1", "a.txt", "one"), tally(world, "s2", "two", middle), tally(world, "s3", "three")


def counted(world: World) -> list[str]:
    """What the tally says happened."""
    path = world.files / "tally.txt"
    return path.read_text().split() if path.exists() else []


def propose(world: World, *steps: ProposedStep) -> str:
    """The digest of a plan of these steps."""
    task = world.task()
    decided = world.harness.propose(task.id, proposal(task, *steps))
    assert decided.digest is not None, decided.verdict
    return decided.digest
