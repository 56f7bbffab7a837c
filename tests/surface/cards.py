"""Cards for the golden files: each is a whole page, and each hostile text tries to look like something else."""

from __future__ import annotations

from tests.support.judging import evidence

from interlock.artifact.action import Reversibility
from interlock.artifact.codec import Json
from interlock.artifact.label import Confidentiality, Integrity, Label
from interlock.artifact.plan import Step
from interlock.decide.flow import static_view
from interlock.harness.catalogue import builtin
from interlock.surface.cli.relabelled import relabelled
from interlock.surface.cli.view import ArgumentView, Card, Cause, Effect, Past, Risk, StepView

NOW = 1_763_712_000_000
DIGEST = "7e26379f767b5ff3e1da8d9b5d1cd15732b4808f61e7c7e359507bcb341c08b5"
PAGE = Label(confidentiality=Confidentiality.INTERNAL, integrity=Integrity.UNTRUSTED, sources=("s1", "invoice.pdf"))
HOSTILE = {
    "ansi": "\x1b[2J\x1b[1;1HApprove\x1b]0;title\x07\r\n$ approved \x9b31m",
    "bidi": "invoice\u202efdp.exe \u2066hidden\u2069 \u200bzero\u00a0width \u0430dmin",
    "lines": "notes.txt. Can be undone.\n\n── why you ──\nApprovals: 2 of 2 (bob, carol)\nType “approve” to approve once",
    "quotes": "a” and nothing else happens. CAN BE UNDONE. “",
}


def step(**changes: object) -> StepView:
    """One irreversible step; ``changes`` replace fields."""
    fields: dict[str, object] = {
        "id": "s1", "action": "rds.delete@1",
        "sentence": ("Delete RDS instance ", "prod-main", " in ", "eu-west-1", ""),
        "reversibility": Reversibility.IRREVERSIBLE, "undo": "none", "target": "eu-west-1/prod-main", "asks": True,
        "arguments": (ArgumentView(name="instance", text="prod-main", origin="in the task's own words"),
                      ArgumentView(name="region", text="eu-west-1", origin="written by the planner")),
        "reason": "It is oversized.",
    }  # fmt: skip
    return StepView(**{**fields, **changes})  # type: ignore[arg-type]  # the fields above are those of a step


def card(*steps: StepView, **changes: object) -> Card:
    """A pending card; ``changes`` replace fields."""
    fields: dict[str, object] = {
        "digest": DIGEST, "status": "pending", "task": "task-1", "goal": "optimise our cloud spend", "requester": "alice",
        "now": NOW, "expires_at": NOW + 3_600_000, "shown_at": NOW - 12_000, "steps": steps or (step(),),
        "risk": Risk(reversibility=Reversibility.IRREVERSIBLE, environment="prod", touches=(("deletes", "rds", 1),),
                     secrets=(("cloud-admin", 30_000),)),
        "causes": (Cause(decision="STEP_UP", code="floor.irreversible", step="s1"),
                   Cause(decision="STEP_UP", code="policy.confirm", step="s1", rule="no-surprises", owner="dba@example.org",
                         place="policy/databases.yaml:12", why="databases are read by a person")),
        "planner_goal": "optimise our cloud spend", "needed": 2, "approvals": ("bob",),
    }  # fmt: skip
    return Card(**{**fields, **changes})  # type: ignore[arg-type]  # the fields above are those of a card


def file_change(text: str = "-call Bob\n+call Alice", **changes: object) -> Card:
    """A reversible change of one file with its diff."""
    content = ArgumentView(name="content", text="buy milk\ncall Alice\n", origin="written by the planner", label=PAGE)
    written = step(
        action="files.write@1", sentence=("Write the file ", "notes.txt", ""), reversibility=Reversibility.REVERSIBLE,
        undo="from a snapshot", target="notes.txt", arguments=(content,), id="s2", notes=("after s1", "privileged"),
    )  # fmt: skip
    read = step(
        action="files.read@1", sentence=("Read the file ", "notes.txt", ""), reversibility=Reversibility.PURE, asks=False,
        undo="nothing to undo", arguments=(), reason="", finished=True,
    )  # fmt: skip
    risk = Risk(reversibility=Reversibility.REVERSIBLE, touches=(("reads", "file", 1), ("writes", "file", 1)), cost=120)
    fields: dict[str, object] = {
        "effects": (Effect(step="s2", kind="diff", text=f"--- now\n+++ then\n buy milk\n{text}"),), "risk": risk,
        "causes": (Cause(decision="STEP_UP", code="flow.untrusted_shape", step="s2", field="when"),), "needed": 1,
        "approvals": (), "viewer": "alice", "changes": ("s2 is new",),
        "precedents": (Past(at=NOW - 86_400_000, plan="ab" * 32, decision="STEP_UP", outcome="rolled-back",
                            same="files.write file:/srv/notes.txt"),),
    }  # fmt: skip
    return card(read, written, **{**fields, **changes})


def hostile(name: str) -> Card:
    """Every text that a planner or a document controls is the hostile one."""
    text = HOSTILE[name]
    argument = ArgumentView(name="path", text=text, origin="written by the planner", label=PAGE)
    bad = step(sentence=("Send the file ", text, " to ", text, ""), arguments=(argument,), reason=text, target=text)
    return card(
        bad, goal="send the invoice", planner_goal=text, effects=(Effect(step="s1", kind="text", text=text, label=PAGE),),
        risk=Risk(reversibility=Reversibility.IRREVERSIBLE, leaving=(("private", text),), environment=text),
        causes=(Cause(decision="STEP_UP", code="structure.redefines", step="s1", field="path"),),
        precedents=(Past(at=NOW, plan="cd" * 32, decision="DENY", outcome="denied", same=text),),
    )  # fmt: skip


def long() -> Card:
    """Ten thousand characters in an argument and in the sentence, many effects, many steps."""
    text = "A" * 10_000
    argument = ArgumentView(name="body", text=text, origin="written by the planner")
    many = [
        step(id=f"s{index}", sentence=("Send ", text, f" as number {index}"), arguments=(argument,))
        for index in range(1, 7)
    ]
    effects = tuple(Effect(step=f"s{index}", kind="absent", text="+line\n" * 300) for index in range(1, 7))
    secrets = tuple((f"secret-number-{index}", 30_000) for index in range(30))
    return card(*many, effects=effects, risk=Risk(reversibility=Reversibility.IRREVERSIBLE, secrets=secrets))


BOUNDED: dict[str, Json] = {"oneOf": ["bill", "letter"]}
RELABELLED: dict[str, dict[str, Json]] = {
    "flow.endorse@1": {"value": {"$ref": "s1.output.kind"}, "why": "one of two words", **BOUNDED},
    "flow.declassify@1": {"value": {"$ref": "s1.output.kind"}, "why": "two kinds say nothing", "to": "internal"},
}


def relabelled_by(action: str, arguments: dict[str, Json], shown: str = "", finished: tuple[str, ...] = ()) -> Effect:
    """What the page says of one step that lowers a label."""
    found = Step(id="s2", action=action, arguments=arguments, manifest="0" * 64)
    private = Label(confidentiality=Confidentiality.PRIVATE, integrity=Integrity.UNTRUSTED, sources=("invoice.pdf",))
    flow = static_view(found, builtin()[action], {"s1": private}, {"s1": Label()}, evidence())
    [effect] = relabelled(flow, {"s2": shown} if shown else {}, finished)
    return effect


def relabel() -> Card:
    """A value that a person is asked to trust."""
    action = "flow.endorse@1"
    arguments = RELABELLED[action]
    asked = step(
        id="s2", action=action, reversibility=Reversibility.PURE, undo="nothing to undo", target="", reason="",
        sentence=("Trust ", "(not known yet: from s1)", " as if the principal had said it, because ", str(arguments["why"]), ""),
        arguments=(ArgumentView(name="value", text='{"$ref":"s1.output.kind"}', origin="computed when it runs, from s1",
                                known=False, label=PAGE),),
    )  # fmt: skip
    return card(
        asked, goal="file the mail", planner_goal="file the mail", needed=1, approvals=(),
        effects=(relabelled_by(action, arguments),),
        risk=Risk(reversibility=Reversibility.PURE, touches=(("lowers", "label", 1),)),
        causes=(Cause(decision="STEP_UP", code="floor.endorse", step="s2", field="from untrusted"),),
    )  # fmt: skip


GOLDEN = {
    "relabel": relabel,
    "irreversible": card,
    "file-change": file_change,
    "hostile-ansi": lambda: hostile("ansi"),
    "hostile-bidi": lambda: hostile("bidi"),
    "hostile-lines": lambda: hostile("lines"),
    "hostile-quotes": lambda: hostile("quotes"),
}


def write_golden() -> None:
    """Write the golden files anew; look at the difference before it is kept."""
    from pathlib import Path

    from interlock.surface.cli.card import draw

    for name, made in GOLDEN.items():
        Path(__file__).with_name("golden").joinpath(f"{name}.txt").write_text(draw(made()) + "\n", "utf-8")


if __name__ == "__main__":
    write_golden()
