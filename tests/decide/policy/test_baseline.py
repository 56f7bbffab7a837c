"""The baseline: each of its lines, with what it catches and what it must leave alone."""

import importlib.resources
import json
from pathlib import Path

import msgspec
import pytest
import yaml

from interlock.decide.policy import compile_policies
from support.asking import HOME, ROOT, asking, said

TEXT = importlib.resources.files("interlock.decide.policy").joinpath("baseline.yaml").read_text()
BASELINE = compile_policies({}, {"baseline.yaml": TEXT}, home=HOME, root=ROOT)
PATHS = [
    (rule["id"], glob, "deny" in rule, rule.get("access", ["read", "write"] if "deny" in rule else ["write"]))
    for rule in yaml.safe_load(TEXT)["rules"] if "path" in rule for glob in rule["path"]
]  # fmt: skip
LEFT_ALONE = [
    "/home/u/web/src/app.py", "/home/u/web/environment.py", "/home/u/web/.environment", "/home/u/web/keys.py",
    "/home/u/web/key", "/home/u/.sshd/x", "/home/u/.config/app.toml", "/home/u/web/pem/readme", "/srv/hosts",
    "/srv/shadow.txt/x", "/home/u/web/.gitignore", "/home/u/web/.github/readme.md", "/home/u/web/history",
    "/home/u/web/profile", "/home/u/web/bashrc", "/home/u/web/rsa_id", "/home/u/.docker/other.json",
]  # fmt: skip


def example(glob: str) -> str:
    """A path that the glob names: one more segment for ``**``, some letters for ``*``."""
    path = f"{HOME}/{glob[2:]}" if glob.startswith("~/") else glob
    path = f"{HOME}/web/{path[3:]}" if path.startswith("**/") else path
    return path.replace("**", "deep/er").replace("*", "x1")


@pytest.mark.parametrize(("rule", "glob", "denied", "access"), PATHS)
def test_each_path_line_catches_what_it_names(rule: str, glob: str, denied: bool, access: list[str]) -> None:
    path = example(glob)
    reads = said(BASELINE.evaluate(asking(path=path)))
    writes = said(BASELINE.evaluate(asking(path=path, effect="write", reversibility="reversible")))
    if denied:
        assert (f"policy.denied {rule}" in reads) == ("read" in access)
        assert (f"policy.denied {rule}" in writes) == ("write" in access)
    else:
        assert f"policy.confirm {rule}" in writes or writes[0] == "DENY"
        assert f"policy.confirm {rule}" not in reads


@pytest.mark.parametrize(("rule", "glob", "denied", "access"), PATHS)
def test_each_path_line_is_needed(rule: str, glob: str, denied: bool, access: list[str]) -> None:
    whole = next(found for found in yaml.safe_load(TEXT)["rules"] if found["id"] == rule)
    without = {**whole, "path": [other for other in whole["path"] if other != glob]}
    caught = []
    for version in (whole, without):
        text = yaml.safe_dump({"rules": [version]})
        alone = compile_policies({}, {"r.yaml": text, "a.yaml": "rules: [{allow: '*'}]"}, home=HOME, root=ROOT)
        effect = "write" if "write" in access else "read"
        write = asking(path=example(glob), effect=effect, reversibility="reversible")
        caught.append(alone.evaluate(write).decision.value != "ALLOW")
    assert caught == [True, False]


@pytest.mark.parametrize("path", LEFT_ALONE)
def test_ordinary_files_are_read_and_written_without_a_question(path: str) -> None:
    for effect, reversibility in (("read", "pure"), ("write", "reversible"), ("delete", "reversible")):
        answer = BASELINE.evaluate(asking(path=path, effect=effect, reversibility=reversibility))
        assert said(answer) == ("ALLOW", "policy.permitted baseline.may-be-asked-for"), path


@pytest.mark.parametrize(
    "path",
    ["/root/.ssh/id_ed25519", "/home/other/.aws/credentials", "/home/u/web/a/b/.env.production", "/.env", "/x.pem"],
)
def test_credentials_are_denied_wherever_they_lie(path: str) -> None:
    assert BASELINE.evaluate(asking(path=path)).decision.value == "DENY"


def test_a_new_key_is_made_with_a_persons_word_and_a_template_is_no_secret() -> None:
    for path in ("/home/u/web/server.key", "/home/u/web/cert.pem", "/home/u/web/.env"):
        made = BASELINE.evaluate(asking(path=path, effect="write", reversibility="reversible"))
        assert made.decision.value == "STEP_UP"
    assert BASELINE.evaluate(asking(path="/home/u/web/.env.example")).decision.value == "ALLOW"


@pytest.mark.parametrize("folder", ["/home/u", "/home", "/", "/home/u/.config", "/etc"])
@pytest.mark.parametrize("access", ["write", "delete"])
def test_a_folder_that_holds_credentials_is_not_written_or_deleted_as_a_whole(folder: str, access: str) -> None:
    assert BASELINE.evaluate(asking(path=folder, effect=access, reversibility="reversible")).decision.value == "DENY"
    assert BASELINE.evaluate(asking(path=folder)).decision.value == "ALLOW"


@pytest.mark.parametrize(
    ("rule", "changes", "quiet"),
    [
        ("not-reversible", {"reversibility": "irreversible"}, {"reversibility": "reversible"}),
        ("not-reversible", {"reversibility": "compensable"}, {"reversibility": "pure"}),
        ("consequential", {"effect": "execute"}, {"effect": "read"}),
        ("consequential", {"effect": "send"}, {"effect": "read"}),
        ("consequential", {"effect": "spend"}, {"effect": "write"}),
        ("consequential", {"effect": "grant-access"}, {"effect": "delete"}),
        ("privileged", {"privileged": True}, {}),
        ("broad", {"broad": True}, {}),
        ("external-change", {"external": True, "effect": "write"}, {"effect": "write"}),
        ("external-change", {"external": True, "effect": "delete"}, {"external": True}),
        ("external-private", {"external": True, "confidentiality": "private"},
         {"external": True, "confidentiality": "internal"}),
        ("external-untrusted", {"external": True, "untrusted": True}, {"untrusted": True}),
        ("tainted-private", {"tainted": True, "confidentiality": "restricted"},
         {"tainted": True, "confidentiality": "private"}),
    ],
)  # fmt: skip
def test_consequences_ask_a_person(rule: str, changes: dict[str, object], quiet: dict[str, object]) -> None:
    answer = BASELINE.evaluate(asking(**changes))
    assert (answer.decision.value, answer.approvals) == ("STEP_UP", 1)
    assert f"policy.confirm baseline.{rule}" in said(answer)
    assert BASELINE.evaluate(asking(**quiet)).decision.value == "ALLOW"
    assert BASELINE.evaluate(asking(**changes, unattended=True)).decision.value == "DENY"


def test_what_a_caller_leaves_out_counts_as_the_worst() -> None:
    from interlock.artifact.action import Effect, Reversibility
    from interlock.decide.policy import PolicyRequest

    least = PolicyRequest(
        principal="a", action="x", effect=Effect.READ, reversibility=Reversibility.PURE, kind="none",
        resource="none", access=Effect.READ, cost=0,
    )  # fmt: skip
    assert BASELINE.evaluate(least).decision.value == "DENY"


def _signals(word: str) -> set[str]:
    return {one for rule in yaml.safe_load(TEXT)["rules"] if word in rule for one in rule.get("signal", ())}


def test_the_baseline_follows_the_weights_of_signals() -> None:
    """What is confined to the workspace and held by its snapshot needs no question, though nobody has modelled it."""
    rank = ("weak", "raise", "strong")
    weights: dict[str, str] = {}
    for name in ("signals.json", "shell/signals.json"):
        text = (Path(__file__).parents[3] / "src/interlock/analyst" / name).read_text()
        for code, (weight, _) in json.loads(text).items():
            weights[code] = max(weight, weights.get(code, "weak"), key=rank.index)
    assert _signals("deny") == {code for code, weight in weights.items() if weight == "strong"}
    assert _signals("verify") == {code for code, weight in weights.items() if weight == "raise"} - {
        "program.unmodelled"
    }


@pytest.mark.parametrize("signal", sorted(_signals("deny") | _signals("verify")))
def test_each_signal_counts_on_its_own(signal: str) -> None:
    answer = BASELINE.evaluate(msgspec.structs.replace(asking(path="/home/u/web/a"), signals=(signal,)))
    assert answer.decision.value == ("DENY" if signal in _signals("deny") else "STEP_UP")
