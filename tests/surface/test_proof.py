"""``policy prove`` and ``policy diff`` on a real workspace, and what becomes of a policy without a certificate."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from interlock.artifact.certificate import Certificate
from interlock.artifact.errors import ConfigurationError
from interlock.artifact.signing import verify
from interlock.decide.proof import solver
from interlock.harness.core import Core
from interlock.harness.service import Harness
from interlock.harness.workspace import load
from surface.cli import Place, process

MORE = "rules:\n  - deny: files.delete\n    id: more\n"
LOOSE = "rules:\n  - deny: mail.send\n    untrusted: false\n    id: odd\n"


TOLD = "invariants proved, certificate stored"
UNPROVED = {
    "refuted": (LOOSE, "monotone-integrity is refuted"),
    "outside the subset": ('@id("x") forbid (principal, action, resource) when { context.roles == ["a"] };', "odd.cedar:1"),
}  # fmt: skip


def certificates(place: Place) -> int:
    """How many the ledger holds."""
    shown = process(["ledger", "show", "--json"], cwd=place.folder).json["entries"]
    assert isinstance(shown, list)
    return sum(entry["code"] == "policy.proved" for entry in shown)


def test_a_changed_policy_is_proved_when_it_first_decides(place: Place) -> None:
    file = place.plan(("files.read@1", {"path": "notes.txt"}))
    place.write("notes.txt", "x")
    assert TOLD not in place("run", "read", "--plan", file).err
    place.write("policy/more.yaml", MORE)
    for words in (("policy", "check"), ("policy", "explain", "more"), ("task", "list")):
        assert process(words, cwd=place.folder).code == 0
    looked = process(["plan", "check", file, "--goal", "read"], cwd=place.folder)
    assert (looked.code, "invariants proved, nothing stored" in looked.err) == (0, True), looked
    assert certificates(place) == 1
    said = place("run", "read", "--plan", file)
    assert (said.code, said.err.count(TOLD)) == (0, 1), said
    assert TOLD not in place("run", "read", "--plan", file).err
    assert certificates(place) == 2
    (load(place.folder).state / "policy-certificate.json").write_bytes(b"{}")
    assert "policy.certificate" in place("run", "read", "--plan", file).err


@pytest.mark.parametrize("name", UNPROVED)
def test_a_policy_that_cannot_be_proved_decides_nothing(place: Place, name: str) -> None:
    text, why = UNPROVED[name]
    place.write("policy/odd.yaml" if text is LOOSE else "policy/odd.cedar", text)
    file = place.plan(("files.read@1", {"path": "notes.txt"}))
    said = place("run", "read", "--plan", file)
    assert (said.code, why in said.err, "run: interlock policy prove" in said.err) == (2, True, True), said
    assert certificates(place) == 1


def test_the_page_of_a_plan_names_the_certificate_that_an_approval_quotes(place: Place) -> None:
    digest = place.asking()
    shown: Any = place("plan", "show", digest, "--json").json
    certificate = shown["card"]["certificate"]
    assert len(certificate) == 64
    assert f"proved interlock policy prove, certificate {certificate[:12]}" in place("plan", "show", digest).out


def test_what_is_refused_is_proved_no_second_time(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write("policy/odd.yaml", LOOSE)
    with Harness(load(place.folder)) as harness:
        with pytest.raises(ConfigurationError, match=r"policy\.unproved.*monotone-integrity is refuted"):
            harness.start_task("read")
        monkeypatch.setattr(solver, "RESOURCES", 1)
        with pytest.raises(ConfigurationError, match="monotone-integrity is refuted"):
            harness.start_task("read")
        place.write("policy/odd.yaml", MORE)
        harness.core.refresh()
        with pytest.raises(ConfigurationError, match="was not decided within the bounds"):
            harness.start_task("read")


def test_who_opens_at_once_proves_once(place: Place) -> None:
    file = place.plan(("files.read@1", {"path": "notes.txt"}))
    place.write("notes.txt", "x")
    place.write("policy/more.yaml", MORE)
    with ThreadPoolExecutor() as pool:
        said = list(pool.map(lambda _: process(["run", "read", "--plan", file], cwd=place.folder), range(3)))
    assert [one.code for one in said] == [0, 0, 0], said
    assert sum(one.err.count(TOLD) for one in said) == 1
    assert certificates(place) == 2


def test_the_certificate_is_signed_and_on_record(place: Place) -> None:
    core = Core(workspace=load(place.folder))
    try:
        raw = (core.workspace.state / "policy-certificate.json").read_bytes()
        found = verify(raw, core.keys.keyring, "harness", "certificate", Certificate, at=core.clock())
        assert (found.subject, found.predicate.policy) == (core.policy.digest, core.policy.digest)
        assert {"i2-irreversible", "baseline.credentials-never"} <= set(found.predicate.proved)
    finally:
        core.close()
    assert certificates(place) == 1


def test_a_refuted_policy_gets_no_certificate_and_its_cases_replay(place: Place, tmp_path: Path) -> None:
    place.write("policy/odd.yaml", LOOSE)
    cases = tmp_path / "cases.yaml"
    said = process(["policy", "prove", "--cases", str(cases)], cwd=place.folder)
    assert (said.code, "refuted  monotone-integrity" in said.out, "no certificate" in said.out) == (1, True, True), said
    found = process(["policy", "prove", "--json"], cwd=place.folder).json
    assert found["certificate"] is None
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
    assert looser.json["possible"][0]["rules"] == ["odd"]  # type: ignore[index]
    told = process(["policy", "diff", "policy", str(old)], cwd=place.folder).out
    assert "DENY by odd (odd.yaml:2)\n  now ALLOW by baseline.may-be-asked-for (old.yaml:" in told
    nothing = tmp_path / "none.yaml"
    nothing.write_text("rules:\n  - {deny: x, id: d}\n")
    assert "since nothing allowed it" in process(["policy", "diff", str(nothing), "policy"], cwd=place.folder).out
    assert "nor a stricter one" in process(["policy", "diff", "policy", "policy"], cwd=place.folder).out
