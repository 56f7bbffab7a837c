"""A suite measured: three ways under each profile, by source and category, which layer decided, and how long it took."""

from __future__ import annotations

import pytest

from interlock.artifact.verdict import Decision, Reason, strictest
from interlock.evals import corpus, latency
from interlock.evals.corpus import Found, Row, Said
from interlock.evals.deciding import Judge
from interlock.evals.labelled import Labelled, of_line
from interlock.evals.layers import layers
from interlock.evals.profiles import PROFILES, Profile
from interlock.evals.report import Report
from support.in_process import InProcess
from support.measured import LINES, WORDS, measured, shell


@pytest.fixture(scope="module")
def report() -> Report:
    return measured(LINES, "elsewhere")


def row(report: Report, profile: Profile, by: str = "all", name: str = "all") -> Row:
    return next(one for one in report.rows if (one.by, one.name, one.profile) == (by, name, profile))


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_blocks_asks_and_allows(report: Report, profile: Profile) -> None:
    """Without a gate everything passes; each layer takes questions off; where doubt denies, nobody is asked."""
    found = row(report, profile)
    counts = [one.count for side in (found.attacks, found.harmless) for one in (side.blocked, side.asked, side.allowed)]
    assert (*counts, found.needless.count) == WORDS[profile]
    assert (found.attacks.blocked.of, found.harmless.asked.of, found.needless.of) == (4, 3, 2)
    assert found.stopped.count == 4 - found.attacks.allowed.count


def test_what_is_not_decided_on_is_counted(report: Report) -> None:
    assert (report.items, report.left_out, report.undecidable) == (7, 1, {"benign": 1})


def test_groups_are_sources_and_categories(report: Report) -> None:
    assert {(one.by, one.name) for one in report.rows} == {
        ("all", "all"), ("source", "a"), ("source", "b"),
        *(("category", name) for name in ("(none)", "destroying", "fraud", "hiding", "looking", "spying", "talking")),
    }  # fmt: skip
    first = row(report, "default", "source", "a")
    assert (first.attacks.blocked.count, first.attacks.blocked.of, first.harmless.blocked.of) == (1, 3, 0)
    assert (first.attacks.blocked.low, first.attacks.blocked.high) == (61, 792)
    assert (corpus.share(0, 0).low, corpus.share(0, 0).high) == (0, 1000)


def test_the_person_who_always_knows_is_no_detection(report: Report) -> None:
    found = row(report, "default")
    assert found.person is not None
    assert (found.person.count, found.person.of) == (1, 2)
    assert (found.stopped.count, found.attacks.asked.count) == (3, 2)
    nobody = row(report, "default", "source", "b")
    assert nobody.person is None


def reason(decision: Decision, stage: int, code: str) -> Reason:
    return Reason(decision=decision, stage=stage, code=code)


LAYERS: dict[str, tuple[list[Reason], tuple[str, ...]]] = {
    "nobody objects": ([reason(Decision.ALLOW, 2, "structure.sound")], ()),
    "the strictest alone": (
        [reason(Decision.STEP_UP, 5, "floor.spend"), reason(Decision.DENY, 7, "classifier.deny")], ("classifier",),
    ),
    "the cheapest first": (
        [reason(Decision.STEP_UP, 6, "effects.opaque"), reason(Decision.STEP_UP, 7, "flow.trifecta"),
         reason(Decision.STEP_UP, 7, "policy.confirm"), reason(Decision.STEP_UP, 4, "scope.path")],
        ("scope", "flow", "policy", "effects"),
    ),
    "nobody there is no layer": (
        [reason(Decision.DENY, 9, "gate.unattended"), reason(Decision.STEP_UP, 5, "floor.irreversible")], ("floor",),
    ),
    "bytes and manifests": (
        [reason(Decision.DENY, 1, "codec.size"), reason(Decision.DENY, 3, "manifest.unknown")],
        ("structure", "manifest"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_which_layer_decided(name: str) -> None:
    reasons, expected = LAYERS[name]
    assert layers(strictest(reasons)) == expected


def test_layers_count_first_and_alone(report: Report) -> None:
    found = {(one.profile, one.label, one.word, one.layer): (one.first, one.alone) for one in report.decided}
    assert found["default", "attack", "DENY", "policy"][0] == 1  # The classifier may say so, too.
    assert found["effects", "attack", "DENY", "policy"] == (1, 1)
    assert found["policy", "attack", "CONFIRM", "floor"][0] == 3
    assert "none" not in {profile for profile, *_ in found}


def test_many_groups_are_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "MAX_GROUPS", 2)
    said: dict[Profile, Said] = {"none": Said(word="ALLOW")}
    found = [Found(told=Labelled(label="attack", source=name), said=said) for name in "aabbcde"]
    sources = [(one.name, one.attacks.blocked.of) for one in corpus.rows(found) if one.by == "source"]
    assert sources == [("(others)", 3), ("a", 2), ("b", 2)]
    assert corpus.rows([]) == []


def test_times_are_of_whole_decisions_over_what_a_layer_reads() -> None:
    def found(micros: int | None, **more: bool) -> Found:
        nanoseconds = None if micros is None else micros * 1000
        said = Said(word="ALLOW", nanoseconds=nanoseconds, **more)
        return Found(told=Labelled(label="benign"), said={"effects": said, "default": said})

    times = latency.latencies(
        [found(1, asked=False), found(400, asked=True), found(900, asked=True, scored=True), found(None, asked=True)]
    )
    told = {(one.profile, one.over): (one.items, one.median, one.p95, one.most) for one in times}
    assert told == {
        ("effects", "all items"): (3, 400, 900, 900), ("effects", "items that the layer reads"): (2, 400, 900, 900),
        ("default", "all items"): (3, 400, 900, 900), ("default", "items that the layer reads"): (1, 900, 900, 900),
    }  # fmt: skip
    for one in times:
        bounds, counts = zip(*one.buckets, strict=True)
        assert (list(bounds), list(counts), counts[-1]) == (sorted(bounds), sorted(counts), one.items)
    assert [(bar.layer, bar.limit, bar.met) for bar in latency.bars(times)] == [
        ("with effects", 1000, True), ("with the classifier", 15000, True),
    ]  # fmt: skip


def test_a_question_that_was_asked_before_is_not_timed() -> None:
    case = of_line(shell("benign", "ls -l"), "mine")
    found = list(corpus.judged({"default": Judge(InProcess())}, [case, case]))
    assert [one.said["default"].nanoseconds is None for one in found] == [False, True]
    assert found[0].said["default"].asked and found[0].said["default"].scored
