"""Ways to shed a label by ordinary file actions; each must leave the value as restricted as it was (I5)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.support.world import World, proposal, step

from interlock.artifact.label import Confidentiality
from interlock.artifact.plan import ProposedStep
from interlock.decide.life import Status

pytestmark = pytest.mark.sandbox
LABELS = '[[labels]]\npath = "d/secret.txt"\nconfidentiality = "restricted"\nintegrity = "untrusted"\n'
SECRET = "the plans of the king"


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    made = make_world(extra=LABELS)
    (made.files / "d").mkdir()
    (made.files / "d" / "secret.txt").write_text(SECRET)
    (made.files / "d" / ".env").write_text("PASSWORD=hunter2")
    return made


def do(world: World, *steps: ProposedStep) -> Status:
    task = world.task()
    decided = world.harness.propose(task.id, proposal(task, *steps))
    assert decided.digest is not None
    if decided.status is Status.PENDING:
        world.harness.approve(world.approval(decided.digest))
    return world.harness.execute(decided.digest)


def observed(world: World, action: str, **arguments: str) -> tuple[str, Confidentiality]:
    seen = world.harness.observe(world.task("look").id, action, arguments)
    return str(seen.value), seen.label.confidentiality


SHEDDING: dict[str, tuple[tuple[ProposedStep, ...], str]] = {
    "move": ((step("s1", "files.move@1", arguments={"source": "d/secret.txt", "destination": "p.txt"}),), "p.txt"),
    "copy": ((step("s1", "files.copy@1", arguments={"source": "d/secret.txt", "destination": "p.txt"}),), "p.txt"),
    "copy of the folder": ((step("s1", "files.copy@1", arguments={"source": "d", "destination": "e"}),), "e/secret.txt"),
    "move of the folder": ((step("s1", "files.move@1", arguments={"source": "d", "destination": "e"}),), "e/secret.txt"),
    "read and write": (
        (
            step("s1", "files.read@1", arguments={"path": "d/secret.txt"}),
            step("s2", "files.write@1", arguments={"path": "p.txt", "content": {"$ref": "s1.output.text"}}),
        ),
        "p.txt",
    ),
    "a write whose step then fails": (
        (
            step("s1", "files.read@1", arguments={"path": "d/secret.txt"}),
            step(
                "s2", "files.write@1", arguments={"path": "p.txt", "content": {"$ref": "s1.output.text"}},
                expect={"$eq": [{"$ref": "output.path"}, "elsewhere"]},
            ),
        ),
        "p.txt",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SHEDDING)
def test_the_label_follows(world: World, name: str) -> None:
    steps, path = SHEDDING[name]
    do(world, *steps)
    text, confidentiality = observed(world, "files.read@1", path=path)
    assert SECRET in text
    assert confidentiality is Confidentiality.RESTRICTED


def test_a_search_of_the_folder_is_as_restricted_as_what_lies_in_it(world: World) -> None:
    text, confidentiality = observed(world, "files.search@1", path="d", pattern="king")
    assert SECRET in text
    assert confidentiality is Confidentiality.RESTRICTED


def test_a_search_passes_credentials_over(world: World) -> None:
    text, _ = observed(world, "files.search@1", path="d", pattern="PASSWORD")
    assert "hunter2" not in text
