"""Claimed effects at the gate: they take a broad manifest's place where they are all, and only add everywhere else."""

from __future__ import annotations

import msgspec
import pytest
from tests.support.judging import HOME, ROOT, SECRET, SITE, UNTRUSTED, codes, evidence, judge, policy, step

from interlock.artifact.action import Effect, Reversibility
from interlock.artifact.analysis import Analysis, Finding, Opacity, Signal
from interlock.artifact.label import Label
from interlock.artifact.resources import Touched
from interlock.artifact.verdict import Decision
from interlock.decide import effects
from interlock.decide.evidence import Evidence, PathLabel
from interlock.decide.policy import PolicyFileError

RUN = step("s1", "run@1", arguments={"command": "x"})
SEND = step("s1", "send@1", arguments={"url": "https://known.example/", "body": "hello"})
R, W, D = Effect.READ, Effect.WRITE, Effect.DELETE


def on(kind: str, name: str, access: Effect, **fields: bool) -> Touched:
    return Touched(kind=kind, name=name, access=access, **fields)


def file(name: str, access: Effect, **fields: bool) -> Touched:
    return on("file", name if name.startswith("/") else f"{ROOT}/{name}", access, **fields)


def claiming(*touched: Touched, **fields: object) -> Evidence:
    signals = tuple(Signal(code=code, argument="command") for code in fields.pop("signals", ()))  # type: ignore[attr-defined]
    opaque = tuple(Opacity(code=code, argument="command") for code in fields.pop("opaque", ()))  # type: ignore[attr-defined]
    findings = tuple(
        Finding(kind=kind, code=f"{kind}.x", argument=argument)
        for kind, argument in fields.pop("findings", ())  # type: ignore[attr-defined]
    )
    claim = Analysis(touched=touched, signals=signals, opaque=opaque, findings=findings)
    return evidence(**fields).claiming({"s1": claim})


KNOWN: dict[str, tuple[tuple[Touched, ...], Decision, str]] = {
    "nothing": ((), Decision.ALLOW, ""),
    "a read": ((file("a", R),), Decision.ALLOW, ""),
    "a write inside": ((file("a", W),), Decision.ALLOW, ""),
    "a deletion inside": ((file("a", D),), Decision.ALLOW, ""),
    "a whole tree gone": ((file("a", D, recursive=True),), Decision.STEP_UP, "floor.blast_radius"),
    "a tree rewritten": ((file("a", W, recursive=True),), Decision.ALLOW, ""),
    "a file that nobody can name": ((on("file", "*", W, open=True),), Decision.STEP_UP, "floor.irreversible"),
    "a read outside": ((file("/etc/hosts", R),), Decision.DENY, "scope.path"),
    "a write outside": ((file("/srv/other/a", W),), Decision.DENY, "scope.path"),
    "a folder of its own": ((file("/tmp/x", W), file("/var/tmp/y", D)), Decision.ALLOW, ""),
    "all of that folder": ((file("/tmp", D),), Decision.DENY, "scope.path"),
    "the harness's own": ((file("policy/rules.yaml", W),), Decision.DENY, "floor.harness"),
    "a protected file": ((file("vault/a", W),), Decision.DENY, "floor.protected"),
    "names in the folder of the harness's own": ((file("", R),), Decision.ALLOW, ""),
    "all that is in it": ((file("", R, recursive=True),), Decision.ALLOW, ""),
    "all that is in it written": ((file("", W, recursive=True),), Decision.ALLOW, ""),
    "the folder itself changed": ((file("", W),), Decision.DENY, "floor.harness"),
    "all of the harness's own written": ((file("policy", W, recursive=True),), Decision.DENY, "floor.harness"),
    "another workspace's rules": ((file("sub/policy/a.yaml", W, recursive=True),), Decision.DENY, "floor.harness"),
    "all that is in it gone": ((file("", D, recursive=True),), Decision.DENY, "floor.harness"),
    "a page": ((on("endpoint", "a.example:443", R),), Decision.ALLOW, ""),
    "a host that is asked whether it is there": ((on("endpoint", "a.example:0", R),), Decision.ALLOW, ""),
    "data to an end point": ((on("endpoint", "a.example:443", Effect.SEND),), Decision.STEP_UP, "floor.irreversible"),
    "more rights": ((on("privilege", "root", Effect.GRANT_ACCESS),), Decision.STEP_UP, "floor.privileged"),
    "access for others": ((on("user", "bo", Effect.GRANT_ACCESS),), Decision.STEP_UP, "floor.grant-access"),
    "a service": ((on("service", "web", W),), Decision.STEP_UP, "floor.irreversible"),
    "a package of the machine": ((on("package", "web", W),), Decision.STEP_UP, "floor.irreversible"),
    "packages below the workspace": ((on("package", "npm", W), file("node_modules", W)), Decision.ALLOW, ""),
    "a variable of its own": ((on("environment", "A", W),), Decision.ALLOW, ""),
    "a port of its own network": ((on("network", "listen:80", W),), Decision.ALLOW, ""),
    "a program whose doings are told": ((on("program", "make", Effect.EXECUTE), file("a", Effect.EXECUTE)), Decision.ALLOW, ""),
    "a container": ((on("container", "x", Effect.EXECUTE),), Decision.STEP_UP, "floor.irreversible"),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_a_claim_of_everything_takes_the_place_of_a_broad_manifest(name: str) -> None:
    touched, decision, code = KNOWN[name]
    touched = tuple(msgspec.structs.replace(one, name=one.name.rstrip("/")) for one in touched)
    verdict = judge(RUN, known=claiming(*touched))
    assert verdict.decision is decision
    assert not code or code in codes(verdict)


def test_what_is_opaque_keeps_the_manifest_and_what_was_seen_counts_too() -> None:
    verdict = judge(RUN, known=claiming(file("policy/a", W), opaque=("shell.dynamic_code",)))
    assert {"effects.opaque", "floor.irreversible", "floor.harness"} <= codes(verdict)


def test_a_claim_about_a_narrow_action_only_adds() -> None:
    assert codes(judge(SEND, known=claiming())) == codes(judge(SEND))
    assert codes(judge(SEND, known=claiming(on("endpoint", "known.example:443", Effect.SEND)))) == codes(judge(SEND))
    worse = judge(SEND, known=claiming(file("/etc/passwd", R), on("privilege", "root", Effect.GRANT_ACCESS)))
    assert codes(judge(SEND)) | {"scope.path", "floor.privileged"} <= codes(worse)
    unseen = judge(SEND, known=claiming(opaque=("url.ambiguous",)))
    assert ("effects.opaque", "command: url.ambiguous") in {(one.code, one.field) for one in unseen.reasons}


def test_each_effect_is_a_request_of_its_own() -> None:
    rules = """
rules:
  - {allow: "*", id: all}
  - {deny: "*", path: "**/b", access: write, id: no-b}
  - {verify: "*", effect: execute, id: runs}
  - {verify: "*", broad: true, id: broad}
"""
    known = {"policy": policy(rules)}
    assert judge(RUN, known=claiming(file("a", W), **known)).decision is Decision.ALLOW
    assert "policy.denied" in codes(judge(RUN, known=claiming(file("a", W), file("b", W), **known)))
    assert judge(RUN, known=claiming(file("b", R), **known)).decision is Decision.ALLOW


SIGNALS: dict[str, tuple[str, bool]] = {
    "shell.reverse": ("shell.reverse", True),
    "persistence.*": ("persistence.login", True),
    "*": ("any.thing", True),
    "*.sent": ("credential.sent", True),
    "shell.rev": ("shell.reverse", False),
    "shell.*": ("shellfish.reverse", False),
}


@pytest.mark.parametrize("glob", SIGNALS)
def test_rules_speak_of_signals(glob: str) -> None:
    signal, matches = SIGNALS[glob]
    rules = policy(f'rules:\n  - {{allow: "*", id: all}}\n  - {{deny: "*", signal: "{glob}", id: seen}}\n')
    verdict = judge(RUN, known=claiming(signals=(signal,), policy=rules))
    assert (verdict.decision is Decision.DENY) is matches
    assert judge(RUN, known=claiming(policy=rules)).decision is Decision.ALLOW


@pytest.mark.parametrize("signal", ["Shell.reverse", "shell", "a b", ""])
def test_a_signal_that_could_match_nothing_is_an_error(signal: str) -> None:
    with pytest.raises(PolicyFileError):
        policy(f'rules:\n  - {{deny: "*", signal: "{signal}", id: seen}}\n')


def test_a_signal_allows_nothing() -> None:
    with pytest.raises(PolicyFileError, match="allows nothing"):
        policy('rules:\n  - {allow: "*", signal: "all.is_well", id: seen}\n')


REGISTRY = on("registry", "python", R)


def test_a_registry_is_reached_by_the_end_points_that_the_operator_names() -> None:
    site = msgspec.structs.replace(
        SITE, registries={"python": ("a.example:443", "b.example:443"), "npm": ("c.example:1",)}
    )
    assert judge(RUN, known=claiming(REGISTRY, site=site)).decision is Decision.ALLOW
    claim = Analysis(touched=(REGISTRY, on("registry", "python", W)))
    run = evidence().catalogue["run@1"]
    found = [part.resource.key for part in effects.parts(run, (), claim, (ROOT,), site.registries)]
    assert found == ["registry:python", "registry:python", "endpoint:a.example:443", "endpoint:b.example:443"]
    reading = Analysis(touched=(REGISTRY, file("src", R, recursive=True)))
    leaving = {
        part.resource.kind
        for part in effects.parts(run, (), reading, (ROOT,), site.registries)
        if part.effect is Effect.SEND
    }
    assert leaving == {"endpoint"}  # What is read may leave by it.


def test_what_is_read_may_not_go_to_a_claimed_end_point() -> None:
    secret = msgspec.structs.replace(SITE, labels=(PathLabel(path="secret/**", label=SECRET),))
    out = on("endpoint", "a.example:443", R)
    assert "flow.restricted_leaves" in codes(judge(RUN, known=claiming(file("secret/a", R), out, site=secret)))
    assert "flow.restricted_leaves" in codes(
        judge(RUN, known=claiming(file("secret", R, recursive=True), out, site=secret))
    )
    assert judge(RUN, known=claiming(file("a", R), out, site=secret)).decision is Decision.ALLOW
    assert judge(RUN, known=claiming(file("secret/a", R), site=secret)).decision is Decision.ALLOW
    moved = judge(RUN, known=claiming(file("secret/a", D), file("b", W), out, site=secret))
    assert "flow.restricted_leaves" in codes(moved)


def test_what_is_found_in_an_argument_labels_it() -> None:
    out = on("endpoint", "a.example:443", Effect.SEND)
    assert "flow.restricted_leaves" in codes(judge(RUN, known=claiming(out, findings=[("secret", "command")])))
    assert "flow.sink_limit" in codes(judge(SEND, known=claiming(findings=[("personal", "body")])))
    assert "flow.untrusted_authority" in codes(
        judge(RUN, known=claiming(file("a", W), findings=[("instruction", "command")]))
    )
    assert judge(RUN, known=claiming(findings=[("secret", "command")])).decision is Decision.ALLOW
    assert "flow.restricted_leaves" in codes(judge(RUN, known=claiming(out, findings=[("secret", "other")])))


def test_an_address_is_personal_data_but_not_where_it_says_who_is_addressed() -> None:
    mail = step("s1", "mail@1", arguments={"to": "bo@known.example", "body": "cc@known.example"})
    assert "flow.sink_limit" not in codes(judge(mail, known=claiming(findings=[("personal", "to")])))
    assert "flow.sink_limit" in codes(judge(mail, known=claiming(findings=[("personal", "body")])))
    assert "flow.restricted_leaves" in codes(judge(mail, known=claiming(findings=[("secret", "to")])))


def test_after_a_stranger_was_read_what_changes_or_leaves_is_raised_and_what_reads_is_not() -> None:
    known = {"received": Label(integrity=UNTRUSTED.integrity)}
    assert judge(RUN, known=claiming(file("a", R), **known)).decision is Decision.ALLOW
    for touched in (file("a", W), on("endpoint", "a.example:443", Effect.SEND)):
        assert "flow.tainted_task" in codes(judge(RUN, known=claiming(touched, **known)))


def test_what_can_be_taken_back() -> None:
    roots = (ROOT,)
    assert effects.undoable([file("a", W), file("b", D), file("c", R)], roots)
    assert not effects.undoable([file("a", W), on("service", "web", W)], roots)
    found = effects.parts(
        evidence().catalogue["run@1"], (), Analysis(touched=(file("a", W), file("b", R), file(f"{HOME}/c", W), file("/tmp/d", W))), roots,
    )  # fmt: skip
    assert [one.name for one in effects.kept(found)] == [f"{ROOT}/a"]
    assert {part.reversibility for part in found} == {
        Reversibility.REVERSIBLE,
        Reversibility.PURE,
        Reversibility.IRREVERSIBLE,
    }
