"""``policy prove`` and ``policy diff`` on a real workspace, and what a policy without a certificate may not do."""

from __future__ import annotations

from pathlib import Path

from interlock.artifact.certificate import Certificate
from interlock.artifact.signing import verify
from interlock.harness.core import Core
from interlock.harness.workspace import load
from surface.cli import Place, process

LOOSE = "rules:\n  - deny: mail.send\n    untrusted: false\n    id: odd\n"


def test_a_changed_policy_decides_nothing_until_it_is_proved(place: Place) -> None:
    file = place.plan(("files.read@1", {"path": "notes.txt"}))
    place.write("notes.txt", "x")
    assert place.first.code == 0 and place("run", "read", "--plan", file).code == 0
    place.write("policy/more.yaml", "rules:\n  - deny: files.delete\n    id: more\n")
    said = place("run", "read", "--plan", file)
    assert (said.code, "policy.unproved" in said.err, "interlock policy prove" in said.err) == (2, True, True), said
    assert process(["policy", "prove"], cwd=place.folder).code == 0
    assert place("run", "read", "--plan", file).code == 0
    state = load(place.folder).state
    (state / "policy-certificate.json").write_bytes(b"{}")
    assert "policy.certificate" in place("run", "read", "--plan", file).err


def test_the_certificate_is_signed_and_on_record(place: Place) -> None:
    core = Core(workspace=load(place.folder))
    try:
        raw = (core.workspace.state / "policy-certificate.json").read_bytes()
        found = verify(raw, core.keys.keyring, "harness", "certificate", Certificate, at=core.clock())
        assert (found.subject, found.predicate.policy) == (core.policy.digest, core.policy.digest)
        assert {"i2-irreversible", "baseline.credentials-never"} <= set(found.predicate.proved)
    finally:
        core.close()
    shown = process(["ledger", "show", "--json"], cwd=place.folder).json
    assert any(entry["code"] == "policy.proved" for entry in shown["entries"])  # type: ignore[attr-defined]


def test_a_refuted_policy_gets_no_certificate_and_its_cases_replay(place: Place, tmp_path: Path) -> None:
    place.write("policy/odd.yaml", LOOSE)
    cases = tmp_path / "cases.yaml"
    said = process(["policy", "prove", "--cases", str(cases)], cwd=place.folder)
    assert (said.code, "refuted  monotone-integrity" in said.out, "no certificate" in said.out) == (1, True, True), said
    found = process(["policy", "prove", "--json"], cwd=place.folder).json
    assert found["certificate"] is False
    assert process(["policy", "test", str(cases)], cwd=place.folder).code == 0
    again = process(["init", "."], cwd=place.folder)
    assert (again.code, "interlock policy prove says why" in again.err) == (0, True)
    place.write("policy/odd.yaml", "rules:\n  - deny: x\n    id: odd\n")
    place.write(
        "policy/invariants/mine.yaml", "invariants:\n  - id: mine\n    always: {verdict: DENY, when: {actoin: x}}\n"
    )
    assert "mine.yaml:3" in process(["policy", "prove"], cwd=place.folder).err
    place.write(
        "policy/invariants/mine.yaml", "invariants:\n  - id: mine\n    always: {verdict: DENY, when: {action: x}}\n"
    )
    assert process(["policy", "prove", "--cases", str(cases)], cwd=place.folder).code == 0
    assert cases.read_text() == "cases: []\n"


def test_diff_says_what_became_possible(place: Place, tmp_path: Path) -> None:
    old = tmp_path / "old.yaml"
    old.write_text((place.folder / "policy" / "baseline.yaml").read_text())
    place.write("policy/odd.yaml", LOOSE)
    stricter = process(["policy", "diff", str(old), "policy"], cwd=place.folder)
    assert (stricter.code, "proved" in stricter.out) == (0, True)
    looser = process(["policy", "diff", "policy", str(old), "--json"], cwd=place.folder)
    assert (looser.code, looser.json["outcome"], looser.json["old"], looser.json["new"]) == (
        1,
        "refuted",
        "DENY",
        "ALLOW",
    )
    assert (
        "more permissive: DENY becomes ALLOW" in process(["policy", "diff", "policy", str(old)], cwd=place.folder).out
    )
