"""Training: the fit is right, our own actions are ours and repeatable, and the weights are what training makes."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
from train.__main__ import build
from train.fitting import Rows, fit
from train.generating import own
from train.rows import OWN, Sample, learn, logits

from interlock.analyst.classifier.features import spread
from train import background

CORPORA = Path(os.environ.get("INTERLOCK_CORPORA", Path(__file__).resolve().parents[3] / "shared" / "corpora"))
NOTHING = np.zeros(0, np.int64)


def test_the_fit_is_where_the_gradient_vanishes() -> None:
    """Against the optimum of a problem with two weights, found by a fine search."""
    rows = Rows(np.arange(4), np.array([0, 0, 1, 1]), np.array([1.0, 2.0, 1.0, 3.0]), 4, 2)
    labels, ones = np.array([1.0, 0.0, 1.0, 0.0]), np.ones(4)
    found = fit(rows, labels, ones, np.full(2, 0.5))
    chance = 1 / (1 + np.exp(-(rows.times(found[:-1]) + found[-1])))
    gradient = rows.back(chance - labels) + 0.5 * found[:-1]
    assert np.abs(gradient).max() < 1e-2
    assert abs(float((chance - labels).sum())) < 1e-2


def test_our_own_actions_are_the_same_at_every_run_and_of_both_kinds() -> None:
    one, other = own(), own()
    assert one == other
    assert len(one) == len(set(one))
    for language in ("shell", "python", "sql", "powershell", "cmd", "text"):
        assert {action.harmful for action in one if action.language == language} == {True, False}
    told = re.compile(r"evil|attacker|malicious|atomic|victim|T1\d{3}", re.IGNORECASE)
    assert [action.text for action in one if told.search(action.text)] == []
    assert [action.text for action in one if "‹" in action.text] == []


def test_what_one_source_of_attacks_alone_knows_is_not_learnt() -> None:
    def sample(source: str, text: str, *, attack: bool) -> Sample:
        return Sample(source, attack, not attack, spread(text), NOTHING)

    plain = [sample("b", f"list the {word}", attack=False) for word in ("files", "folders", "users")]
    marked = [sample("a", f"zzqx drop the {word}", attack=True) for word in ("files", "folders", "users")]
    shared = [sample(OWN, f"drop the {word}", attack=True) for word in ("tables", "rows")]
    learnt = learn([*plain, *marked, *shared], "t")
    with_mark, without = logits(learnt, [sample("c", "zzqx", attack=True), sample("c", "vvky", attack=True)], "t")
    assert with_mark == pytest.approx(without)
    assert logits(learnt, [shared[0]], "t") > logits(learnt, [plain[0]], "t")


@pytest.mark.corpora
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_weights_are_what_training_makes_bit_for_bit() -> None:
    if not (CORPORA / "calls.jsonl").is_file():
        pytest.skip("the corpora are not here")
    for path, content in build(CORPORA).items():
        assert path.read_bytes() == content, path.name


def test_the_background_counts_each_command_of_scripts_once(tmp_path: Path) -> None:
    (tmp_path / "a.sh").write_text("ls -l\nif true; then\n  cat a.txt | wc -l\nfi\nls -l\n")
    (tmp_path / "b").write_text("#!/bin/sh\nf() { rm -rf /; }\n")
    (tmp_path / "c.py").write_text("print(1)\n")
    texts = list(background.scripts(tmp_path))
    assert [list(background.commands(text)) for text in texts] == [
        ["ls -l", "true", "cat a.txt | wc -l", "ls -l"],
        ["rm -rf /"],
    ]
    assert background.count(iter(texts)) == background.Counted(commands=4, denied=1, asked=0, alone=0)
